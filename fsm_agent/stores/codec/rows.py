"""Snapshots, origins and effects as rows."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fsm_agent.domain.effect import EffectEntry, EffectMode
from fsm_agent.domain.record import Origin, Snapshot
from fsm_agent.errors import StoreCorrupt
from fsm_agent.stores.codec.heads import HeldRow, head_of, moving_row, pin_row
from fsm_agent.stores.codec.json_text import decode, encode
from fsm_agent.stores.codec.times import check_optional_time, check_time


class EffectRow(NamedTuple):
    """An ``EffectEntry``, its result as text, ``None`` while it is open."""

    key: str
    activation: int
    name: str
    use: int
    mode: str
    fingerprint: str
    epoch: int
    begun_ms: int
    ended_ms: int | None
    result: str | None


def snapshot_row(snapshot: Snapshot) -> tuple[int, str, str]:
    return (snapshot.version, encode(dict(snapshot.appended_since)), encode(dict(snapshot.values)))


def snapshot_of(row: Iterable[Any]) -> Snapshot:
    version, appended_since, values = row
    snapshot = Snapshot(version, decode(values), decode(appended_since))
    if tuple(map(type, snapshot)) != (int, dict, dict):
        raise StoreCorrupt("it is not a version and two objects")
    return snapshot


def origin_row(origin: Origin) -> tuple[int, str, str]:
    head = encode([*pin_row(origin.head), *moving_row(origin.head)])
    return (origin.head.version, head, encode(dict(origin.values)))


def origin_of(row: Iterable[Any]) -> Origin:
    _, head, values = row
    origin = Origin(head_of([*decode(head), *HeldRow(epoch=0, queued=0)]), decode(values))
    if type(origin.values) is not dict:
        raise StoreCorrupt("its values are no object")
    return origin


def effect_row(entry: EffectEntry) -> EffectRow:
    result = None if entry.is_open else encode(entry.result)
    return EffectRow(*entry[:4], entry.mode.value, *entry[5:9], result)


def effect_of(row: Sequence[Any]) -> EffectEntry:
    *begun, mode, fingerprint, epoch, begun_ms, ended_ms, result = row
    known = None if result is None else decode(result)
    check_time("begun_ms", begun_ms)
    check_optional_time("ended_ms", ended_ms)
    return EffectEntry._make([*begun, EffectMode(mode), fingerprint, epoch, begun_ms, ended_ms, known])
