"""The words of a living agent: its head, its steps, what it asks, what it waits for.

State = fold(history). ``Head`` is the small, hot cache of that fold, one row per agent; ``Step`` is one row of
the history. All times are integers, milliseconds since the epoch by the store's clock, named ``*_ms``.

What is made anew at every step is a ``NamedTuple``: as immutable as a frozen dataclass, and made ten times faster.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import SILENCE, ThreadSpans
from fsm_agent.domain.problem import Problem, Retrying
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked, Question
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.usage import NO_USAGE, Usage


class Status(StrEnum):
    """``running`` has work now, retries included; ``waiting`` for an event, an answer or a timer;
    ``parked`` needs an operator; the rest has ended."""

    RUNNING = "running"
    WAITING = "waiting"
    PARKED = "parked"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: for what every step asks: Python 3.11 finds a member of an enum by a descriptor, which takes three times as long
RUNNING: Final = Status.RUNNING
WAITING: Final = Status.WAITING

#: characters
LONGEST_ID: Final = 128

ENDED: Final = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})


#: How an event fared: taken now, kept until the running action ends, or known already by its key.
Delivery: TypeAlias = Literal["applied", "queued", "duplicate"]


class ArmedTimer(NamedTuple):
    """A timer that entering ``state`` armed, due at ``due_ms``; ``label`` is its duration as written."""

    state: str
    label: str
    due_ms: int


class Parent(NamedTuple):
    """The agent that started this one as part of its own work: under which activation, and as which of its children."""

    id: str
    activation: int
    #: 1 for the first
    number: int


#: the effect whose result is what children are started for, item by item
CHILDREN: Final = "children"


def child_id(parent_id: str, activation: int, number: int) -> str:
    """The id of a child: the same in every attempt. It begins with the parent's, as far as there is room."""
    tail = f"{activation}.{number}"
    whole = f"{parent_id}.{tail}"
    if len(whole) <= LONGEST_ID:
        return whole
    import hashlib

    digest = hashlib.sha256(parent_id.encode()).hexdigest()[:16]
    return f"{parent_id[: LONGEST_ID - len(tail) - 18]}-{digest}.{tail}"


class Head(NamedTuple):
    """All that is known of an agent but its data, as of ``version``.

    ``epoch``, ``lease`` and ``queued`` are the store's: they change without a version.
    """

    id: str
    workflow: str
    workflow_version: int
    #: hash of the definition to which the agent is pinned
    definition: str
    state: str
    status: Status
    version: int
    created_ms: int
    updated_ms: int
    visits: Mapping[str, int] = NOTHING
    timers: tuple[ArmedTimer, ...] = ()
    #: bytes of deltas that no snapshot covers yet
    unfolded: int = 0
    #: the version that entered the present state with an action; 0 where there is none
    activation: int = 0
    #: the bytes at which a snapshot is considered next
    fold_at: int = 0
    asked: Asked | None = None
    #: failed attempts under this activation
    attempts: int = 0
    #: when the next attempt is due, if a backoff runs
    retry_ms: int | None = None
    output: Json = None
    #: why it failed or is parked; of one that is running, why the last attempt failed
    problem: Problem | None = None
    #: an operator let the next transition exceed the limits
    is_exempt: bool = False
    #: the version of the last rewind; what was queued before it has no place any more
    rewound: int = 0
    talk: ThreadSpans = SILENCE
    #: of all models, for all steps
    usage: Usage = NO_USAGE
    #: whom the agent serves, whose memory it shares with other agents
    user: str | None = None
    parent: Parent | None = None
    #: what is still to be settled with parent and children: the activation that was left while children worked for it,
    #: or the version with which a child has ended of which its parent does not know; 0 is nothing
    children: int = 0
    progress: Progress | None = None
    #: words by which a caller finds the agent again, given when it was created
    labels: Mapping[str, str] = NOTHING
    epoch: int = 0
    lease: Lease | None = None
    #: events that arrived while an action ran, and are not decided yet
    queued: int = 0

    def entered(
        self,
        state: str,
        status: Status,
        *,
        at_ms: int,
        visits: Mapping[str, int],
        timers: tuple[ArmedTimer, ...],
        asked: Asked | None,
        output: Json,
        problem: Problem | None,
        unfolded: int,
    ) -> "Head":
        """After a step that has entered a state, which begins work there if it leaves the agent ``running``.

        It is what ``_replace`` would give, at a fifth of its price; nearly every step enters a state.
        """
        fields: tuple[Any, ...] = self
        version = self.version + 1
        activation = version if status is RUNNING else 0
        place = (state, status, version, self.created_ms, at_ms, visits, timers, unfolded, activation, self.fold_at)
        work = (asked, 0, None, output, problem, False)
        return from_fields(Head, fields[_IDENTITY] + place + work + fields[_LASTING])

    @property
    def wake_ms(self) -> int | None:
        """From when on the agent needs somebody if nobody holds it; 0 is at once, ``None`` is never."""
        return self.wake_if_queued_ms if self.queued else self.own_wake_ms

    @property
    def wake_if_queued_ms(self) -> int | None:
        """``wake_ms`` as it is while events are queued: to an agent that is held up the queue is no news."""
        return self.own_wake_ms if self.status in (Status.RUNNING, Status.PARKED) else 0

    @property
    def due_since_ms(self) -> int | None:
        """Since when the agent needs somebody, or from when on it will; ``None`` is never. One that needs somebody at
        once has needed it since its last step."""
        return self.updated_ms if self.wake_ms == 0 else self.wake_ms

    def tried(
        self, attempts: int, retry_ms: int | None, children: int | None = None, problem: Problem | None = None
    ) -> "Head":
        """With what is noted of attempts under the present activation. ``children`` stays if that is ``None``, and so
        does why the last attempt failed, unless that is forgiven."""
        is_forgiven = self.status is RUNNING and not attempts
        return self._replace(
            attempts=attempts,
            retry_ms=retry_ms,
            children=self.children if children is None else children,
            problem=problem if problem or is_forgiven else self.problem,
        )

    @property
    def is_at_work(self) -> bool:
        """Whether its action may be working now, so that what happens in its state has to wait."""
        return self.status is Status.RUNNING and not (self.is_paused and self.lease is None)

    @property
    def is_paused(self) -> bool:
        """Whether its action has said when it goes on; what failed and is tried again has attempts."""
        return self.retry_ms is not None and not self.attempts

    @property
    def own_wake_ms(self) -> int | None:
        """``wake_ms`` but for the queue, of which only the store knows for sure."""
        if self.children:
            return self.retry_ms or 0
        if not self.timers:
            return (self.retry_ms or 0) if self.status is RUNNING else None
        timers = [timer.due_ms for timer in self.timers]
        if self.status is Status.RUNNING:
            return min([self.retry_ms or 0, *timers])
        if self.status is Status.WAITING:
            return min(timers)
        return None


#: what stands before and behind all that entering a state changes
_IDENTITY: Final = slice(Head._fields.index("state"))
_LASTING: Final = slice(Head._fields.index("is_exempt") + 1, None)


class Agent(NamedTuple):
    """One living instance of a workflow, as a caller sees it."""

    id: str
    workflow: str
    workflow_version: int
    state: str
    status: Status
    version: int
    data: Mapping[str, Json]
    question: Question | None
    #: events that may be sent now, by the table, guards not evaluated
    allowed: tuple[str, ...]
    output: Json
    error: Mapping[str, Json] | None
    created_at: datetime
    updated_at: datetime
    #: how the event fared that this call delivered
    delivery: Delivery | None = None
    #: whom it serves
    user: str | None = None
    progress: Progress | None = None
    #: of all models, for all steps
    usage: Usage = NO_USAGE
    #: how many messages it has been told and has told, those that a rewind hides not counted
    messages: int = 0
    parent: Parent | None = None
    #: the next attempt of an action that has failed and is tried again
    retry: Retrying | None = None
    #: hash of the definition to which it is pinned
    definition: str = ""
    labels: Mapping[str, str] = NOTHING

    @property
    def context_tokens(self) -> int:
        """What the last request to a model weighed with its reply, in tokens; 0 if there was none."""
        return self.usage.context_tokens

    def to_json(self) -> dict[str, Json]:
        """The agent as the command line prints it (a contract)."""
        document: dict[str, Json] = {
            "id": self.id,
            "workflow": self.workflow,
            "workflow_version": self.workflow_version,
            "state": self.state,
            "status": str(self.status),
            "version": self.version,
            "data": dict(self.data),
            "question": self.question.to_json() if self.question else None,
            "allowed": list(self.allowed),
            "output": self.output,
            "error": self.error,
            "retry": self.retry.to_json() if self.retry else None,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "user": self.user,
            "progress": self.progress.to_json() if self.progress else None,
            "usage": self.usage.to_json() if self.usage != NO_USAGE else None,
            "context_tokens": self.context_tokens,
            "messages": self.messages,
            "parent": self.parent.id if self.parent else None,
            "labels": dict(self.labels),
        }
        return document if self.delivery is None else {**document, "delivery": self.delivery}
