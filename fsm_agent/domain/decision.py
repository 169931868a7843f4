"""What an event leads to: the words between the table of a workflow and those who make its steps."""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Transition
from fsm_agent.domain.step import NOTHING, Event


class EvaluationContext(NamedTuple):
    """What expressions may look at."""

    data: Mapping[str, Json]
    #: ``None`` where nothing has happened, as for the arguments of an action
    event: Event | None
    visits: Mapping[str, int]

    @property
    def facts(self) -> Mapping[str, Json]:
        """What expressions see as ``event``."""
        return NOTHING if self.event is None else self.event.facts


class Move(NamedTuple):
    """What taking a transition from one leaf means. ``target`` is the leaf where it comes to rest; the paths
    that are left are given innermost first, those that are entered outermost first."""

    transition: Transition
    target: str
    exited: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()

    @property
    def is_internal(self) -> bool:
        return self.transition.target is None


class Taken(NamedTuple):
    """A candidate whose guard held."""

    move: Move


class NotAllowed(NamedTuple):
    """The table has no candidate for this event here."""


class GuardsRefuse(NamedTuple):
    """There are candidates, and none of their guards held."""

    guards: tuple[str, ...]


Decision: TypeAlias = Taken | NotAllowed | GuardsRefuse
NOT_ALLOWED: Final = NotAllowed()


class Changes(NamedTuple):
    """What a transition writes: fields to set, and items to add to lists."""

    assign: Mapping[str, Json]
    append: Mapping[str, Json]


TIMER: Final = "after "


def timer_event(state: str, label: str) -> str:
    """The name under which the table keeps the timer ``label`` of ``state``; no declared event can have it."""
    return f"{TIMER}{label} in {state}"
