"""A difference between two versions of a workflow, for a person at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from fsm_agent.change.change import Change, ChangeKind, Level
from fsm_agent.change.difference import Difference
from fsm_agent.change.properties import PropertyChange, RuleChange
from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.domain.text import some
from fsm_agent.engine.migration.plan import MigrationVerdict
from fsm_agent.proof.verdicts import SIGNS, Outcome, Verdict
from fsm_agent.render.difference_style import COUNTED, counts, versions
from fsm_agent.render.numbers import circled

_TONES: Final = {
    ChangeKind.ADDED: Tone.GOOD,
    ChangeKind.REMOVED: Tone.BAD,
    ChangeKind.CHANGED: Tone.ASKING,
    ChangeKind.RENAMED: Tone.ASKING,
    ChangeKind.REORDERED: Tone.ASKING,
}
_RULES: Final = {
    RuleChange.ADDED: "is new",
    RuleChange.WEAKER: "asks for less now",
    RuleChange.STRONGER: "asks for more now",
    RuleChange.OTHER: "asks for something else now",
}


def difference_blocks(difference: Difference, name: str = "") -> Iterator[Block]:
    """All that is known; ``name`` is that of an embedded workflow."""
    title = f"{f'{name}: ' if name else ''}{difference.new.name}, {versions(difference)}"
    if difference.is_empty:
        yield Table((), (), f"{title}: nothing has changed")
        yield from _agent_blocks(difference) if difference.live else ()
        return
    told = ", ".join(f"{count} {COUNTED[status]}" for status, count in counts(difference).items())
    yield Facts(visible(f"{title}: {told}"), list(_change_rows(difference)))
    if difference.meaning:
        yield Facts("what it means", [("-", Ink(visible(each.text))) for each in difference.meaning])
    if difference.properties:
        rows = [(each.name, _property_ink(each)) for each in difference.properties]
        yield Facts("what must hold, before → now", rows)
    yield from _agent_blocks(difference)
    for child, each in difference.workflows.items():
        yield from difference_blocks(each, f"{name}.{child}" if name else child)


def _change_rows(difference: Difference) -> Iterator[tuple[str, Ink]]:
    for row in difference.rows:
        change = row.change
        tone = Tone.QUIET if change.level is Level.FINE else _TONES[change.kind]
        yield f"{circled(row.number) or ' '} {change.mark}", Ink(visible(change.text), tone)
        if change.risk:
            yield "", _risk_ink(change)


def _risk_ink(change: Change) -> Ink:
    if change.level is Level.BREAKS:
        return Ink(visible(f"⚠ {change.risk}"), Tone.BAD)
    return Ink(visible(f"  {change.risk}"), Tone.QUIET)


def _property_ink(change: PropertyChange) -> Ink:
    text = f"{_verdict(change.before)} → {_verdict(change.now)}"
    if change.rule is RuleChange.REMOVED:
        kept = f", and the new version {_KEEPS[change.kept.outcome]}" if change.kept else ""
        return Ink(f"{_verdict(change.before)} → the rule is gone{kept}", Tone.BAD)
    if change.rule is not RuleChange.SAME:
        text += (
            f"; the rule {_RULES.get(change.rule, 'is new' if change.rule is RuleChange.ADDED else 'reads otherwise')}"
        )
    is_bad = change.now is not None and change.now.outcome is Outcome.VIOLATED
    if is_bad and change.now is not None and change.now.path:
        text += f"; {_way(change.now)}"
    return Ink(visible(text), Tone.BAD if is_bad or change.rule is RuleChange.WEAKER else Tone.PLAIN)


_KEEPS: Final = {
    Outcome.PROVED: "keeps it all the same",
    Outcome.VIOLATED: "breaks it",
    Outcome.OPEN: "may break it",
}


def _verdict(verdict: Verdict | None) -> str:
    return "-" if verdict is None else f"{SIGNS[verdict.outcome]} {verdict.outcome}"


def _way(verdict: Verdict) -> str:
    steps = [f"{step.event} → {step.target}" for step in verdict.path]
    return f"by {', '.join(steps)}"


_AGENTS: Final = {
    MigrationVerdict.MOVES: Tone.GOOD,
    MigrationVerdict.NEEDS_MAPPING: Tone.ASKING,
    MigrationVerdict.STRANDED: Tone.BAD,
}


def _agent_blocks(difference: Difference) -> Iterator[Block]:
    if difference.live is not None:
        counts = Counter((each.state, each.verdict, each.reason) for each in difference.live)
        columns = ("agents", "state", "verdict", "why")
        rows = [
            [Ink(str(count)), Ink(state), Ink(str(verdict), _AGENTS.get(verdict, Tone.QUIET)), Ink(visible(reason))]
            for (state, verdict, reason), count in counts.items()
        ]
        yield Table(columns, rows, "there are no agents of this workflow")
        return
    groups: dict[tuple[MigrationVerdict, str], list[str]] = {}
    for each in difference.agents:
        to = f", to {each.to_state}" if each.to_state and each.to_state != each.state else ""
        groups.setdefault((each.verdict, f"{to}: {'; '.join((each.reason, *each.notes))}"), []).append(each.state)
    if groups:
        facts = [
            (some(states), Ink(visible(f"{verdict}{why}"), _AGENTS.get(verdict, Tone.QUIET)))
            for (verdict, why), states in groups.items()
        ]
        yield Facts("agents in these states", facts)
