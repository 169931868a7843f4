"""The words between the rules and the stores: what is to be written, and what was read.

The rules make these and the stores keep them; neither looks into the other.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.step import NOTHING, KeyOutcome, Queued, Step
from fsm_agent.domain.user import UserRecord


class Snapshot(NamedTuple):
    """The data as of ``version``, in place of the deltas up to it.

    ``values`` holds every field. A list that is only appended to is not repeated in it: ``values`` has what it was
    at version ``appended_since[field]``, and the items since then stand in the histories' ``append``.
    """

    version: int
    values: Mapping[str, Json]
    appended_since: Mapping[str, int] = NOTHING


class Creation(NamedTuple):
    """A new agent: its head after ``steps`` (``created``, and the first event's step if there was one)."""

    head: Head
    steps: tuple[Step, ...]
    key: str | None = None
    fingerprint: str = ""
    #: taken over the new agent at once, if it has work to do and the creator does it
    lease: Lease | None = None


class AppendedMessages(NamedTuple):
    """Messages that are added to the end of a thread, which numbers them."""

    thread: str
    messages: tuple[Message, ...]


class Commit(NamedTuple):
    """One step of one agent. ``head.version`` is ``step.version``, one more than the version it stands on."""

    head: Head
    step: Step
    #: the epoch under which the driver holds its lease; ``None`` is somebody from outside, who raises the epoch
    epoch: int | None
    #: the lease after this step; ``None`` gives it up
    lease: Lease | None = None
    snapshot: Snapshot | None = None
    #: number of the queued event that this step decides
    dequeue: int | None = None
    #: written with the step; a taken key refuses it
    key: str | None = None
    fingerprint: str = ""
    #: what an operator says of an open effect, with the step that lets the agent go on
    settlement: Settlement | None = None
    #: this step moves the agent to another definition: what pins it to one is that of ``head`` from now on
    repins: bool = False
    #: what is added to threads with the step, at most once to each
    said: tuple[AppendedMessages, ...] = ()
    #: what is remembered of a user from this step on; its version is one more than that which it stands on
    user: UserRecord | None = None

    @property
    def fence(self) -> int | None:
        """The epoch that must be the stored one; ``None`` is any. With a snapshot somebody from outside is fenced, too:
        by the epoch that they have seen, since a shortening raises it."""
        return self.head.epoch if self.epoch is None and self.snapshot is not None else self.epoch

    @property
    def is_plain(self) -> bool:
        """Whether it brings a head, a step and perhaps a snapshot, and nothing besides: then there is no key, event,
        message or effect to look after."""
        return self[_PLAIN] == _NOTHING_BESIDES


_PLAIN: Final = slice(Commit._fields.index("dequeue"), None)
_NOTHING_BESIDES: Final = tuple(Commit._field_defaults[name] for name in Commit._fields[_PLAIN])


class Committed(NamedTuple):
    """What the store knows after a commit: the epoch that now holds, and how many events are queued."""

    epoch: int
    queued: int


class Record(NamedTuple):
    """An agent as stored. ``tail`` is what ``delta.fold`` needs on top of ``snapshot``, in order of version."""

    head: Head
    snapshot: Snapshot | None
    #: every step after the snapshot, and those before it that appended to a list in ``appended_since``
    tail: tuple[Step, ...]
    queue: tuple[Queued, ...] = ()
    #: of the key that ``load`` was asked about
    outcome: KeyOutcome | None = None


class Damage(NamedTuple):
    """Something of an agent that cannot be read: in which table or under which key, and what is wrong with it."""

    agent_id: str
    place: str
    what: str
    #: what it says is right in the agent itself, and wrong in an index by which it is found: ``Store.reindex`` mends it
    is_index: bool = False

    def __str__(self) -> str:
        return f"it is damaged in {self.place}: {self.what}; `fsm-agent doctor` says what to do"

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints, which is a contract."""
        return {"id": self.agent_id, "place": self.place, "what": self.what}


class Page(NamedTuple):
    """Some heads, in order of id, and the id to go on after, if there are more."""

    heads: tuple[Head, ...]
    next: str | None
    #: agents that would stand among these heads, and whose own cannot be read
    damaged: tuple[Damage, ...] = ()


class Origin(NamedTuple):
    """Where a shortened history begins: the head and all of the data as of ``head.version``, the last that is
    forgotten. The store's own parts of the head (epoch, lease, queue) say nothing here."""

    head: Head
    values: Mapping[str, Json]


class AgentExport(NamedTuple):
    """All that a store keeps of one agent, as it is handed from one store to another."""

    #: with the epoch and the lease that hold
    head: Head
    #: every step that is kept, in order
    steps: tuple[Step, ...]
    snapshot: Snapshot | None = None
    origin: Origin | None = None
    queue: tuple[Queued, ...] = ()
    #: number of the last event that was ever queued
    numbered: int = 0
    #: every key that an event used
    keys: Mapping[str, KeyOutcome] = NOTHING
    #: the key and the fingerprint of the creation
    start: tuple[str, str] | None = None
    effects: tuple[EffectEntry, ...] = ()
    #: its own thread
    messages: tuple[Message, ...] = ()


class Size(NamedTuple):
    """What an agent weighs: rows, and the bytes of text in them as the store keeps it, without the database's own."""

    steps: int
    head: int
    history: int
    #: snapshot and origin
    snapshot: int
    #: queue, keys and effects
    rest: int
    #: its own thread
    thread: int = 0

    @property
    def total(self) -> int:
        return self.head + self.history + self.snapshot + self.rest + self.thread
