"""Steps as rows."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Delta, Step
from fsm_agent.domain.step_kind import STEP_KINDS, StepKind
from fsm_agent.domain.tuples import from_fields
from fsm_agent.domain.usage import NO_USAGE, as_row, usage_of
from fsm_agent.errors import StoreCorrupt
from fsm_agent.stores.codec.json_text import decode, encode
from fsm_agent.stores.codec.times import check_time

_KIND_NUMBER: Final[Mapping[StepKind, int]] = {kind: facts.number for kind, facts in STEP_KINDS.items()}
_KIND: Final = {number: kind for kind, number in _KIND_NUMBER.items()}

#: A step's kind, how many states it entered and whether it asks anew are one number: ``kind + _ENTERED * entered``, and
#: ``_ASKS_ANEW`` more.
_ENTERED: Final = 16
_ASKS_ANEW: Final = 4096


class StepRow(NamedTuple):
    """``kind`` holds ``Step.entered`` and ``Step.asks_anew`` too. ``append`` stands apart from the rest of the delta:
    appended lists are read without it."""

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
    #: messages, and the usage of models
    used: str | None = None


def step_row(step: Step) -> StepRow:
    version, kind, event, payload, source, target, at_ms, delta, by, took_ms, reason, entered, said, usage, anew = step
    changed, removed, appended = delta
    if removed or appended:
        append, rest = _split(delta)
    else:
        append, rest = None, encode(changed if type(changed) is dict else dict(changed)) if changed else None
    number = _KIND_NUMBER[kind] + _ENTERED * entered
    if anew:
        number += _ASKS_ANEW
    text = encode(dict(payload)) if payload else None
    used = _used(step) if said or usage is not NO_USAGE else None
    place = (version, number, event, source, target, at_ms, by, took_ms, reason)
    return from_fields(StepRow, (*place, append, text, rest, used))


def _used(step: Step) -> str | None:
    usage = as_row(step.usage)
    return encode([step.said, *usage]) if step.said or usage else None


def step_of(row: tuple[Any, ...]) -> Step:
    """The step of a ``StepRow``; texts that were not read (``None``) come out empty."""
    version, kind, event, source, target, at_ms, by, duration_ms, reason, append, payload, delta, used = row
    said, *usage = decode(used) if used else (0,)
    asks_anew, number = divmod(kind, _ASKS_ANEW)
    if number % _ENTERED not in _KIND:
        raise StoreCorrupt(f"the kind of version {version} is {kind}, which no step has")
    check_time(f"time of version {version}", at_ms)
    return Step(
        version=version,
        kind=_KIND[number % _ENTERED],
        event=event,
        payload=decode(payload) if payload else {},
        source=source,
        target=target,
        at_ms=at_ms,
        delta=_join(append, delta),
        by=by,
        duration_ms=duration_ms,
        reason=reason,
        entered=number // _ENTERED,
        said=said,
        usage=usage_of(usage) if usage else NO_USAGE,
        asks_anew=bool(asks_anew),
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
