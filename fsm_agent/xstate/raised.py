"""Timers of parents that leaves take each for themselves: what the export has made of one timer becomes one again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.domain.json import Json
from fsm_agent.xstate.losses import Loss

#: in a transition of a timer: the event that the leaves inside handle
RAISES: Final = "raises"


def rejoin_timers(document: dict[str, Json]) -> list[Loss]:
    """Replace, in a document, each timer that raises an event by what all leaves inside do at that event. The event is
    handled there no more. A timer whose leaves differ is left out."""
    losses: list[Loss] = []
    for place, state in _inside(document, ""):
        for length, chosen in list(state.get("after", {}).items()):
            event = chosen.get(RAISES) if isinstance(chosen, dict) else None
            if event is not None:
                leaves = [each for _, each in _inside({"states": {"": state}}, "") if "states" not in each]
                answers = [each.get("on", {}).get(event) for each in leaves]
                if answers[0] is not None and all(answer == answers[0] for answer in answers):
                    state["after"][length] = answers[0]
                    _forget(document, leaves, event)
                else:
                    del state["after"][length]
                    told = f"it raises `{event}`, which not all states inside handle alike: it is left out"
                    losses.append(Loss(f"{place}.after.{length}", told))
    return losses


def _forget(document: dict[str, Json], leaves: list[dict[str, Json]], event: str) -> None:
    for leaf in leaves:
        del leaf["on"][event]
        if not leaf["on"]:
            del leaf["on"]
    document["events"].pop(event, None)
    if not document["events"]:
        del document["events"]


def _inside(body: dict[str, Json], prefix: str) -> Iterator[tuple[str, dict[str, Json]]]:
    for name, state in body.get("states", {}).items():
        yield prefix + name, state
        yield from _inside(state, f"{prefix}{name}.")
