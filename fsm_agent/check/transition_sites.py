"""The transitions of a workflow, each with its path in the document.

The paths belong to a document in which every transition is in a list, and children are below their parents:
``("states", "a", "states", "b", "on", "paid", 0)``.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from fsm_agent.domain.finding import Path
from fsm_agent.domain.state import Candidates, State, Timer, Transition
from fsm_agent.domain.workflow import Workflow


class Site(NamedTuple):
    """One transition and where it is declared: under ``event`` of ``owner`` (``None``: the workflow itself)."""

    owner: str | None
    #: ``after 3d`` for a timer
    event: str
    path: Path
    transition: Transition


@lru_cache(maxsize=8_192)
def state_path(path: str) -> Path:
    """``a.b`` -> ``("states", "a", "states", "b")``."""
    return tuple(part for name in path.split(".") for part in ("states", name))


def sites(workflow: Workflow) -> Iterator[Site]:
    """All transitions in the order of declaration, those of the workflow itself first."""
    for event, chosen in workflow.on.items():
        yield from handler_sites(None, event, chosen)
    for state in workflow.by_path.values():
        for event, chosen in state.on.items():
            yield from handler_sites(state, event, chosen)
        for timers in timer_sites(state).values():
            yield from timers


def handler_sites(owner: State | None, event: str, chosen: Candidates | None) -> tuple[Site, ...]:
    """The transitions under one event; none if the event is forbidden."""
    if not chosen:
        return ()
    path = (*(state_path(owner.path) if owner else ()), "on", event)
    name = owner.path if owner else None
    return tuple([Site(name, event, (*path, index), each) for index, each in enumerate(chosen)])


def timer_sites(state: State) -> Mapping[str, tuple[Site, ...]]:
    """Duration as it is written -> the transitions of that timer."""
    return {timer.duration.text: _timer_sites(state, timer) for timer in state.after}


def _timer_sites(state: State, timer: Timer) -> tuple[Site, ...]:
    path = (*state_path(state.path), "after", timer.duration.text)
    event = f"after {timer.duration}"
    return tuple([Site(state.path, event, (*path, index), each) for index, each in enumerate(timer.transitions)])
