"""What an action does to the world outside: begun on record, done, its result recorded. Pure.

    nothing kept      done, and its result recorded
    a result kept     that is the result, and nothing is done
    kept open         idempotent: done again under the same key
                      check: the probe says whether it was done
                      at_most_once: in doubt

An effect is open from its beginning until its result is recorded. Whoever finds one open cannot know whether it
happened: that is what the modes are for.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from fsm_agent.data.delta import own
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import NOT_DONE, EffectEntry, EffectMode
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import iso
from fsm_agent.engine.commands import Now
from fsm_agent.engine.transaction import fingerprint
from fsm_agent.errors import DataInvalid, EffectInDoubt, EffectMismatch


class Begin(NamedTuple):
    """Keeps an open effect; replies what was kept under its key before, or ``None``. With ``again`` an open one is
    taken over."""

    entry: EffectEntry
    again: bool = False


class Do(NamedTuple):
    """Calls the function; replies what it returns."""

    key: str


class Probe(NamedTuple):
    """Asks whether an effect was done; replies its result, or ``NOT_DONE``."""

    key: str


class End(NamedTuple):
    """Records the result; replies whether it is the one that counts."""

    entry: EffectEntry


Request: TypeAlias = Now | Begin | Do | Probe | End


def planned(
    namespace: str, head: Head, name: str, use: int, *, mode: EffectMode, arguments: Json, begun_ms: int = 0
) -> EffectEntry:
    """The ``use``-th effect called ``name`` under the present activation of an agent. Its key is a pure function of
    where it stands, so that every attempt, in any process, comes to the same."""
    return EffectEntry(
        key=fingerprint(namespace, head.id, head.activation, name, use),
        activation=head.activation,
        name=name,
        use=use,
        mode=mode,
        fingerprint=fingerprint(arguments),
        epoch=head.epoch,
        begun_ms=begun_ms,
    )


def once(agent_id: str, plan: EffectEntry) -> Generator[Request, Any, Json]:
    """Do an effect unless its result is known; returns the result. Raises ``EffectMismatch``, ``EffectInDoubt``."""
    entry = plan._replace(begun_ms=(yield Now()))
    kept: EffectEntry | None = yield Begin(entry)
    result: Json = NOT_DONE
    if kept is not None:
        _refuse_what_is_unclear(agent_id, entry, kept)
        if kept.is_open:
            kept = (yield Begin(entry, again=True)) or kept
        if not kept.is_open:
            return kept.result
        if entry.mode is EffectMode.CHECK:
            result = yield Probe(entry.key)
    if result is NOT_DONE:
        result = yield Do(entry.key)
    return (yield from _recorded(entry, _owned(entry, result)))


def _refuse_what_is_unclear(agent_id: str, entry: EffectEntry, kept: EffectEntry) -> None:
    if kept.fingerprint != entry.fingerprint:
        raise EffectMismatch(agent_id, entry.name, entry.key)
    if kept.is_open and EffectMode.AT_MOST_ONCE in (kept.mode, entry.mode):  # what was promised when it began holds
        raise EffectInDoubt(agent_id, entry.name, entry.key, iso(kept.begun_ms))


def _owned(entry: EffectEntry, result: Json) -> Json:
    try:
        return own(result, f"the result of effect {entry.name!r}")
    except DataInvalid as error:
        raise DataInvalid([*error.problems, "it was done, and no result is recorded"]) from None


def _recorded(entry: EffectEntry, result: Json) -> Generator[Request, Any, Json]:
    """The result that counts: an attempt that was given up may have recorded its own in the meantime."""
    ended_ms: int = yield Now()
    if not (yield End(entry._replace(ended_ms=ended_ms, result=result))):
        kept: EffectEntry | None = yield Begin(entry)
        if kept is not None and not kept.is_open:
            return kept.result
    return result
