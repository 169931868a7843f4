"""Agents that a caller looks for: by what, in which order, and how many there are of each kind."""

from collections.abc import Collection
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.record import Damage

#: as the addressee of a question: whoever comes
ANYBODY: Final = ""


class Selection(NamedTuple):
    """What the agents of a list have in common; what is ``None`` or empty says nothing."""

    statuses: Collection[Status] = ()
    workflow: str | None = None
    state: str | None = None
    #: whom they serve
    user: str | None = None
    #: a name, and its text; ``None`` is any text
    label: tuple[str, str | None] | None = None

    def has(self, head: Head) -> bool:
        """Whether an agent is one of them."""
        return (
            (not self.statuses or head.status in self.statuses)
            and self.workflow in (None, head.workflow)
            and self.state in (None, head.state)
            and self.user in (None, head.user)
            and (self.label is None or self._has_label(*self.label, head))
        )

    @staticmethod
    def _has_label(name: str, text: str | None, head: Head) -> bool:
        return name in head.labels and text in (None, head.labels[name])


class QuestionPlace(NamedTuple):
    """Where an open question stands among all: the earliest deadline first, then the oldest agent."""

    #: ``None`` is no deadline, and stands last
    due_ms: int | None
    created_ms: int
    agent_id: str


class QuestionPage(NamedTuple):
    """Agents that ask, in the order of their places, and the place to go on after, if there are more."""

    heads: tuple[Head, ...]
    next: QuestionPlace | None
    #: agents whose heads cannot be read, so that nobody knows what they ask
    damaged: tuple[Damage, ...] = ()


class Tally(NamedTuple):
    """How many agents of a workflow are in a state, with a status."""

    workflow: str
    state: str
    status: Status
    agents: int


def question_place(head: Head) -> QuestionPlace:
    """The place of the question that a waiting agent asks."""
    return QuestionPlace(min((timer.due_ms for timer in head.timers), default=None), head.created_ms, head.id)


def question_order(place: QuestionPlace) -> tuple[bool, int, int, str]:
    """The key by which places are sorted."""
    return (place.due_ms is None, place.due_ms or 0, place.created_ms, place.agent_id)


def asks(head: Head, to: str | None) -> bool:
    """Whether an agent asks somebody: ``to`` by name, ``ANYBODY`` who comes; ``None`` is whoever it is."""
    if head.asked is None or head.status is not Status.WAITING:
        return False
    return to is None or (to in head.asked.to if to else not head.asked.to)
