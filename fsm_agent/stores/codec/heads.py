"""Heads as rows: what pins an agent, what each step moves, what the store holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from fsm_agent.domain.agent import ArmedTimer, Head, Parent, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.message import SILENCE, Span, ThreadSpans
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.question import Asked
from fsm_agent.domain.step import Event
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.usage import as_row, usage_of
from fsm_agent.errors import StoreCorrupt
from fsm_agent.stores.codec.events import event_parts
from fsm_agent.stores.codec.json_text import decode, encode
from fsm_agent.stores.codec.times import check_optional_time, check_time

_STATUS_NUMBER: Final[Mapping[Status, int]] = {
    Status.RUNNING: 1,
    Status.WAITING: 2,
    Status.PARKED: 3,
    Status.DONE: 4,
    Status.FAILED: 5,
    Status.CANCELLED: 6,
}
_STATUS: Final = {number: status for status, number in _STATUS_NUMBER.items()}


class PinRow(NamedTuple):
    """What never changes in an agent's life."""

    id: str
    workflow: str
    workflow_version: int
    definition: str
    created_ms: int


class MovingRow(NamedTuple):
    """What each step changes in a head."""

    state: str
    status: int
    version: int
    updated_ms: int
    cold: str


class HeldRow(NamedTuple):
    """What is the store's: it changes without a version. The last four are the lease."""

    epoch: int
    queued: int
    host: str | None = None
    pid: int | None = None
    started_ms: int | None = None
    until_ms: int | None = None


LeaseRow: TypeAlias = tuple[str, int, int, int] | tuple[None, None, None, None]
FREE: Final = (None, None, None, None)


def status_number(status: Status) -> int:
    return _STATUS_NUMBER[status]


def status_of(number: int) -> Status:
    """Raises ``KeyError`` for a number that no status has."""
    return _STATUS[number]


def pin_row(head: Head) -> PinRow:
    return PinRow(head.id, head.workflow, head.workflow_version, head.definition, head.created_ms)


def moving_row(head: Head) -> MovingRow:
    row = (head.state, _STATUS_NUMBER[head.status], head.version, head.updated_ms, _cold(head))
    return from_fields(MovingRow, row)


def lease_row(lease: Lease | None) -> LeaseRow:
    if lease is None:
        return FREE
    holder = lease.holder
    return (holder.host, holder.pid, holder.started_ms, lease.until_ms)


def _lease_of(host: Any, pid: Any, started_ms: Any, until_ms: Any) -> Lease:
    if (type(host), type(pid), type(started_ms), type(until_ms)) != (str, int, int, int):
        raise StoreCorrupt("its lease is not a host and three numbers")
    check_time("until_ms", until_ms)
    return Lease(Holder(host, pid, started_ms), until_ms)


#: of a ``PinRow``, a ``MovingRow`` and what always stands in a ``HeldRow``
_TYPES: Final = (str, str, int, str, int, str, int, int, int, str, int, int)


def head_of(row: Sequence[Any]) -> Head:
    """The head of a ``PinRow``, a ``MovingRow`` and a ``HeldRow``, one after the other."""
    ident, workflow, workflow_version, definition, created_ms, state, status, version, updated_ms, cold = row[:10]
    epoch, queued, host, pid, started_ms, until_ms = row[10:]
    if tuple(map(type, row[:12])) != _TYPES:
        raise StoreCorrupt("a number stands where text should be, or text where a number should be")
    if status not in _STATUS:
        raise StoreCorrupt(f"its status is {status}, and there are those from 1 to {len(_STATUS)}")
    check_time("created_ms", created_ms)
    check_time("updated_ms", updated_ms)
    return Head(
        id=ident,
        workflow=workflow,
        workflow_version=workflow_version,
        definition=definition,
        state=state,
        status=_STATUS[status],
        version=version,
        created_ms=created_ms,
        updated_ms=updated_ms,
        epoch=epoch,
        lease=None if host is pid is started_ms is until_ms is None else _lease_of(host, pid, started_ms, until_ms),
        queued=queued,
        **_of_cold(cold),
    )


#: The parts of a head that no query looks at, in the order in which files keep them; only ever add to the end.
_COLD: Final = (
    "visits",
    "timers",
    "unfolded",
    "activation",
    "fold_at",
    "asked",
    "attempts",
    "retry_ms",
    "output",
    "problem",
    "is_exempt",
    "rewound",
    "talk",
    "usage",
    "user",
    "parent",
    "children",
    "progress",
    "question",
    "place",
    "labels",
)

#: what they are in JSON, as far as that can be said: an output is anything
_COLD_TYPES: Final[Mapping[str, type]] = {
    **dict.fromkeys(("unfolded", "activation", "fold_at", "attempts", "retry_ms", "rewound", "children"), int),
    **dict.fromkeys(("timers", "asked", "problem", "talk", "usage", "parent", "progress"), list),
    "visits": dict,
    "labels": dict,
    "is_exempt": bool,
    "user": str,
}


def _cold(head: Head) -> str:
    """A list by ``_COLD``, ``null`` for what has its default, as far as anything says something."""
    fields: tuple[Any, ...] = head
    visits, armed, unfolded, activation, fold_at = fields[_COMMON]
    timers = [(timer.state, timer.label, timer.due_ms) for timer in armed] if armed else None
    parts: list[Json] = [dict(visits) or None, timers, unfolded or None, activation or None, fold_at or None]
    if head[_RARE] != _NOTHING_RARE:
        parts += _rare_parts(head)
    while parts and parts[-1] is None:
        parts.pop()
    return encode(parts)


#: what most heads say something of: it stands together in a head, as it does in ``_COLD``
_COMMON: Final = slice(Head._fields.index("visits"), Head._fields.index("fold_at") + 1)
#: what most heads say nothing of: it stands together in a head, as it does in ``_COLD``
_RARE: Final = slice(Head._fields.index("asked"), Head._fields.index("labels") + 1)
_NOTHING_RARE: Final = tuple(Head._field_defaults[name] for name in Head._fields[_RARE])


def _rare_parts(head: Head) -> list[Json]:
    asked, problem, talk = head.asked, head.problem, head.talk
    return [
        asked and _asked_row(asked),
        head.attempts or None,
        head.retry_ms,
        head.output,
        problem and (problem.type, problem.message, problem.held and event_parts(problem.held)),
        head.is_exempt or None,
        head.rewound or None,
        None if talk == SILENCE else [talk.last, talk.since, talk.before],
        as_row(head.usage) or None,
        head.user,
        head.parent,
        head.children or None,
        head.progress,
        (asked and asked.id) or None,
        (problem and problem.place) or None,  # apart from the problem, so that older processes go on reading it
        dict(head.labels) or None,
    ]


def _of_cold(text: str) -> dict[str, Any]:
    kept = decode(text)
    if type(kept) is not list:
        raise StoreCorrupt("what its column `cold` holds is no list")
    parts = {name: part for name, part in zip(_COLD, kept, strict=False) if part is not None}
    if any(type(part) is not _COLD_TYPES.get(name, type(part)) for name, part in parts.items()):
        raise StoreCorrupt("a part of its column `cold` is of another type than is written there")
    if "timers" in parts:
        parts["timers"] = tuple(ArmedTimer(*timer) for timer in parts["timers"])
        for timer in parts["timers"]:
            check_time("timer", timer.due_ms)
    check_optional_time("retry_ms", parts.get("retry_ms"))
    question = parts.pop("question", 0)
    if "asked" in parts:
        parts["asked"] = _asked_of(parts["asked"], question)
    if "problem" in parts:
        kind, message, held = parts["problem"]
        parts["problem"] = Problem(kind, message, held and Event(*held), parts.pop("place", ""))
    for name in _READ.keys() & parts.keys():
        parts[name] = _READ[name](parts[name])
    return parts


def _talk_of(row: list[Any]) -> ThreadSpans:
    last, since, before = row
    return ThreadSpans(last, since, tuple(Span(*span) for span in before))


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "talk": _talk_of,
    "usage": usage_of,
    "parent": lambda row: Parent(*row),
    "progress": lambda row: Progress(*row),
}


def _asked_row(asked: Asked) -> list[Json]:
    """The prompt and whom it is for; answers that the state does not declare stand before them, in a list."""
    row: list[Json] = [asked.prompt, *asked.to]
    return [list(asked.events), *row] if asked.events else row


def _asked_of(row: list[Any], number: int) -> Asked:
    events: list[str] = row.pop(0) if isinstance(row[0], list) else []
    prompt, *to = row
    return Asked(prompt, tuple(to), tuple(events), number)
