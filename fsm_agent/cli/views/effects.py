"""The effects of an agent as a table, and what to type for those in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views.agents import next_rows, short
from fsm_agent.cli.views.next_commands import settling
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.step import moment
from fsm_agent.report.times import when

_HEADINGS = ("key", "effect", "use", "activation", "mode", "begun", "result")


def effects_blocks(settings: CommandSettings, head: Head, entries: Sequence[EffectEntry]) -> Iterator[Block]:
    """All effects, and the commands that settle open ones of a parked agent."""
    rows = [_row(head, entry) for entry in entries]
    yield Table(_HEADINGS, rows, "it has done nothing to the world outside")
    if head.status is Status.PARKED and any(entry.is_open for entry in entries):
        yield Facts("next", list(next_rows(settling(settings, head.id, [entry for entry in entries if entry.is_open]))))


def _row(head: Head, entry: EffectEntry) -> list[Ink]:
    return [
        Ink(entry.key, Tone.STRONG),
        Ink(visible(entry.name)),
        Ink(str(entry.use), Tone.QUIET),
        Ink(str(entry.activation), Tone.QUIET),
        Ink(str(entry.mode)),
        Ink(when(moment(entry.begun_ms)), Tone.QUIET),
        _outcome(head, entry),
    ]


def _outcome(head: Head, entry: EffectEntry) -> Ink:
    """The outcome of an effect. An open one is under way only while its activation lasts; no result comes later."""
    if not entry.is_open:
        return Ink(short(entry.result))
    is_under_way = head.status is Status.RUNNING and head.activation == entry.activation
    return Ink("no result yet", Tone.BUSY) if is_under_way else Ink("in doubt", Tone.BAD)
