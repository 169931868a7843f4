"""Arguments of a runner's callers become values of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.data.delta import own
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event
from fsm_agent.errors import Refused

#: means no result, since ``None`` is a result too
UNSAID: Final = object()


def event_of(name: str, payload: Mapping[str, Json] | None, by: str | None, key: str | None = None) -> Event:
    """The event for what a caller sends."""
    return Event(name, payload or {}, by, key)


def settlement_of(effect: str | None, event: str | None, result: Json, *, not_done: bool) -> Settlement | None:
    """How a caller settles an effect; ``None`` if no effect is named."""
    is_said = (result is not UNSAID) + not_done
    if effect is None and not is_said:
        return None
    if effect is None or event is not None or is_said != 1:
        raise Refused("an effect is settled by `effect` with either `result` or `not_done`, and without `event`")
    if not_done:
        return Settlement(effect, was_done=False)
    return Settlement(effect, was_done=True, result=own(result, "the result"))
