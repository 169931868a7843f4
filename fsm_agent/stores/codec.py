"""Words as rows: scalars for what a database compares and counts, JSON text for the rest.

All backends keep the same rows. Every text passes ``encode`` and ``decode``, the one place where text could be
encrypted. JSON only, compact; the numbers for kinds and statuses are for ever, since files keep them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple, TypeAlias

from fsm_agent.agent import ArmedTimer, Asked, Delta, Event, Head, Problem, Queued, Status, Step, StepKind
from fsm_agent.jsontypes import Json
from fsm_agent.lease import Holder, Lease
from fsm_agent.record import Snapshot

_encode_ascii: Final = json.JSONEncoder(check_circular=False, allow_nan=False, separators=(",", ":")).encode
#: ``JSONEncoder.encode`` builds its C encoder anew at every call, which costs more than what a step encodes.
#: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan
_chunks: Final = c_make_encoder(None, None, encode_basestring, None, ":", ",", False, False, False)  # noqa: FBT003
decode: Final = json.JSONDecoder().decode

_STATUS_NUMBER: Final[Mapping[Status, int]] = {
    Status.RUNNING: 1,
    Status.WAITING: 2,
    Status.PARKED: 3,
    Status.DONE: 4,
    Status.FAILED: 5,
    Status.CANCELLED: 6,
}
_KIND_NUMBER: Final[Mapping[StepKind, int]] = {
    StepKind.CREATED: 1,
    StepKind.EVENT: 2,
    StepKind.REFUSED: 3,
    StepKind.PARKED: 4,
    StepKind.UNPARKED: 5,
    StepKind.CANCELLED: 6,
}
_STATUS: Final = {number: status for status, number in _STATUS_NUMBER.items()}
_KIND: Final = {number: kind for kind, number in _KIND_NUMBER.items()}


def encode(value: Json) -> str:
    """``value`` as compact JSON; raises ``ValueError`` for NaN and infinity."""
    text = "".join(_chunks(value, 0))
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is a valid Python string, and UTF-8 has no bytes for it
        return _encode_ascii(value)
    return text


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


class StepRow(NamedTuple):
    """``append`` stands apart from the rest of the delta: appended lists are read without it."""

    version: int
    kind: int
    event: str
    source: str | None
    target: str
    at_ms: int
    by: str | None
    duration_ms: int | None
    reason: str | None
    append: str | None
    payload: str | None
    delta: str | None


LeaseRow: TypeAlias = tuple[str, int, int, int] | tuple[None, None, None, None]
FREE: Final = (None, None, None, None)


def status_number(status: Status) -> int:
    return _STATUS_NUMBER[status]


def pin_row(head: Head) -> PinRow:
    return PinRow(head.id, head.workflow, head.workflow_version, head.definition, head.created_ms)


def moving_row(head: Head) -> MovingRow:
    return MovingRow(head.state, _STATUS_NUMBER[head.status], head.version, head.updated_ms, _cold(head))


def lease_row(lease: Lease | None) -> LeaseRow:
    if lease is None:
        return FREE
    holder = lease.holder
    return (holder.host, holder.pid, holder.started_ms, lease.until_ms)


def head_of(row: Sequence[Any]) -> Head:
    """The head of a ``PinRow``, a ``MovingRow`` and a ``HeldRow``, one after the other."""
    ident, workflow, workflow_version, definition, created_ms, state, status, version, updated_ms, cold = row[:10]
    epoch, queued, host, pid, started_ms, until_ms = row[10:]
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
        lease=None if host is None else Lease(Holder(host, pid, started_ms), until_ms),
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
)


def _cold(head: Head) -> str:
    """A list by ``_COLD``, ``null`` for what has its default, as far as anything says something."""
    asked, problem = head.asked, head.problem
    parts: list[Json] = [
        dict(head.visits) or None,
        [(timer.state, timer.label, timer.due_ms) for timer in head.timers] or None,
        head.unfolded or None,
        head.activation or None,
        head.fold_at or None,
        asked and (asked.prompt, *asked.to),
        head.attempts or None,
        head.retry_ms,
        head.output,
        problem and (problem.type, problem.message, problem.held and _event(problem.held)),
        head.is_exempt or None,
    ]
    while parts and parts[-1] is None:
        parts.pop()
    return encode(parts)


def _of_cold(text: str) -> dict[str, Any]:
    parts = {name: part for name, part in zip(_COLD, decode(text), strict=False) if part is not None}
    if "timers" in parts:
        parts["timers"] = tuple(ArmedTimer(*timer) for timer in parts["timers"])
    if "asked" in parts:
        prompt, *to = parts["asked"]
        parts["asked"] = Asked(prompt, tuple(to))
    if "problem" in parts:
        kind, message, held = parts["problem"]
        parts["problem"] = Problem(kind, message, held and Event(*held))
    return parts


def _event(event: Event) -> tuple[Json, ...]:
    return (event.name, dict(event.payload), event.by, event.key)


def event_text(event: Event) -> str:
    return encode(_event(event))


def queued_text(event: str, version: int) -> str:
    """An ``event_text`` with the version at which the event arrived."""
    return f"{event[:-1]},{version}]"


def queued_of(number: int, text: str) -> Queued:
    *event, version = decode(text)
    return Queued(number, Event(*event), version)


def step_row(step: Step) -> StepRow:
    append, delta = _split(step.delta)
    return StepRow(
        step.version,
        _KIND_NUMBER[step.kind],
        step.event,
        step.source,
        step.target,
        step.at_ms,
        step.by,
        step.duration_ms,
        step.reason,
        append,
        encode(dict(step.payload)) if step.payload else None,
        delta,
    )


def step_of(row: tuple[Any, ...]) -> Step:
    """The step of a ``StepRow``; texts that were not read (``None``) come out empty."""
    version, kind, event, source, target, at_ms, by, duration_ms, reason, append, payload, delta = row
    return Step(
        version=version,
        kind=_KIND[kind],
        event=event,
        payload=decode(payload) if payload else {},
        source=source,
        target=target,
        at_ms=at_ms,
        delta=_join(append, delta),
        by=by,
        duration_ms=duration_ms,
        reason=reason,
    )


def _split(delta: Delta) -> tuple[str | None, str | None]:
    """The items appended to whole fields, and everything else: an object if that is only ``set``, else a list."""
    fields: dict[str, Json] = {}
    deeper: dict[str, Json] = {}
    for pointer, items in delta.append.items():
        (deeper if "/" in pointer else fields)[pointer] = items
    append = encode(fields) if fields else None
    if delta.remove or deeper:
        return append, encode((dict(delta.set), delta.remove, deeper))
    return append, encode(dict(delta.set)) if delta.set else None


def _join(append: str | None, rest: str | None) -> Delta:
    fields = decode(append) if append else {}
    match decode(rest) if rest else {}:
        case [changed, removed, deeper]:
            return Delta(changed, tuple(removed), {**deeper, **fields})
        case changed:
            return Delta(changed, (), fields)


def snapshot_row(snapshot: Snapshot) -> tuple[int, str, str]:
    return (snapshot.version, encode(dict(snapshot.appended_since)), encode(dict(snapshot.values)))


def snapshot_of(row: Iterable[Any]) -> Snapshot:
    version, appended_since, values = row
    return Snapshot(version, decode(values), decode(appended_since))
