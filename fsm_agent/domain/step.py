"""The words of a history: events, what they change, and the steps that they make.

A ``Step`` is one committed change of an agent, one row of its history. All times are integers, milliseconds since
the epoch by the store's clock, named ``*_ms``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.step_kind import STEP_KINDS, StepKind
from fsm_agent.domain.usage import NO_USAGE, Usage

#: A default that all share, and that nobody can change.
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

#: Kinds of steps that put the question of an agent, wherever they lead.
_ASKING: Final = frozenset(kind for kind, facts in STEP_KINDS.items() if facts.asks)


class Event(NamedTuple):
    """Something that happened: its payload is validated, ``by`` says who told us."""

    name: str
    payload: Mapping[str, Json] = NOTHING
    by: str | None = None
    key: str | None = None

    @property
    def facts(self) -> dict[str, Json]:
        """What expressions see as ``event``: the payload, ``name`` and ``by``."""
        return {**self.payload, "name": self.name, "by": self.by}


class Delta(NamedTuple):
    """What a step changed in the data, by JSON Pointer without the leading slash (RFC 6901).

    No pointer is a prefix of another, so the order of application does not matter.
    """

    set: Mapping[str, Json] = NOTHING
    remove: tuple[str, ...] = ()
    append: Mapping[str, list[Json]] = NOTHING

    def __bool__(self) -> bool:
        return bool(self.set or self.remove or self.append)

    @property
    def fields(self) -> tuple[str, ...]:
        """The data fields that change, wherever in them."""
        pointers = (*self.set, *self.remove, *self.append)
        return tuple(dict.fromkeys(pointer.partition("/")[0] for pointer in pointers))

    def to_json(self) -> dict[str, Json]:
        listed = {"set": dict(self.set), "remove": list(self.remove), "append": dict(self.append)}
        return {kind: changes for kind, changes in listed.items() if changes}

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> "Delta":
        return cls(document.get("set", {}), tuple(document.get("remove", ())), document.get("append", {}))


EMPTY_DELTA: Final = Delta()


class Step(NamedTuple):
    """One committed change of an agent = one row of its history."""

    version: int
    kind: StepKind
    event: str
    payload: Mapping[str, Json]
    #: leaf before; ``None`` at creation
    source: str | None
    #: leaf after; equal to ``source`` for what moved nothing
    target: str
    at_ms: int
    delta: Delta = EMPTY_DELTA
    by: str | None = None
    #: how long the action worked that named the event
    duration_ms: int | None = None
    #: why an event was refused or the agent parked, or what it was merged with
    reason: str | None = None
    #: how many states were entered, of ``target`` and its ancestors the innermost; 0 for what left nothing
    entered: int = 0
    #: how many messages it adds to the agent's own thread
    said: int = 0
    #: what models have cost for it
    usage: Usage = NO_USAGE
    #: whether it stays in its state and renders the question of that state anew, since it changes what that says
    asks_anew: bool = False

    @property
    def asks(self) -> bool:
        """Whether the question that the agent has after it, if it has one, is of this step."""
        is_move = self.entered or self.source != self.target  # steps of long ago do not say what they entered
        return bool(is_move) or self.asks_anew or self.kind in _ASKING

    def to_json(self) -> dict[str, Json]:
        """The row as the command line prints it."""
        return {
            "version": self.version,
            "kind": str(self.kind),
            "event": self.event,
            "payload": dict(self.payload),
            "from": self.source,
            "to": self.target,
            "delta": self.delta.to_json(),
            "by": self.by,
            "at": iso(self.at_ms),
            "duration_ms": self.duration_ms,
            "reason": self.reason,
            "messages": self.said,
            "usage": self.usage.to_json() if self.usage != NO_USAGE else None,
            "asks_anew": self.asks_anew,
        }


class Wanted(NamedTuple):
    """Our side of a conflict: what somebody wanted of an agent that they had seen at a version."""

    #: ``None`` is the answer to the only question
    event: str | None
    payload: Mapping[str, Json]
    #: the version that they expected
    expected: int
    #: the data fields that it would have written, where that was known by then
    fields: tuple[str, ...] = ()


class Happened(NamedTuple):
    """Their side of a conflict: a step that was first."""

    version: int
    kind: StepKind
    event: str
    by: str | None
    #: the data fields that it changed
    fields: tuple[str, ...]

    @classmethod
    def of(cls, step: Step) -> "Happened":
        return cls(step.version, step.kind, step.event, step.by, step.delta.fields)

    def __str__(self) -> str:
        what = f"{self.by} sent {self.event!r}" if self.by else f"{self.event!r} happened"
        match self.kind:
            case StepKind.REWOUND | StepKind.MIGRATED:
                return f"{self.by or 'somebody'} {'rewound' if self.kind is StepKind.REWOUND else 'migrated'} the agent"
            case StepKind.ERASED:
                return f"{self.by or 'somebody'} erased words of a person"
            case StepKind.REFUSED:
                what += ", which was refused"
            case StepKind.PARKED:
                what += ", which parked the agent"
        return f"{what} ({', '.join(self.fields)})" if self.fields else what


class Queued(NamedTuple):
    """An acknowledged event that waits for the action that runs; decided in order of ``number``."""

    number: int
    event: Event
    #: that of the agent when the event arrived
    version: int


class KeyOutcome(NamedTuple):
    """What became of a key: the version it led to (``None`` while queued) and what it was used for."""

    version: int | None
    fingerprint: str


#: What a date can show: the years 1 to 9999.
EARLIEST_MS: Final = -62_135_596_800_000
LATEST_MS: Final = 253_402_300_799_999


def moment(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(ms: int) -> str:
    return moment(ms).isoformat(timespec="milliseconds")
