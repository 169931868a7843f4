"""A difference as Markdown: what stands in a pull request. Each section is a function of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fsm_agent.change.agents import Outlook
from fsm_agent.change.change import Change, Level, Row
from fsm_agent.change.difference import Difference
from fsm_agent.change.properties import PropertyChange, RuleChange
from fsm_agent.domain.text import listed, some
from fsm_agent.engine.migration.migrate import Outcome as MigrationOutcome
from fsm_agent.proof.verdicts import SIGNS, Outcome, Verdict
from fsm_agent.render.difference_style import versions
from fsm_agent.render.numbers import circled
from fsm_agent.report.markdown_text import code, sentence, table

__all__ = ["agents", "changes", "heading", "headline", "meaning", "properties", "to_markdown", "versions"]

#: of how many states the names are shown
_SHOWN = 5


def to_markdown(difference: Difference, picture: str = "") -> str:
    """The whole report. ``picture`` is Mermaid text, or empty."""
    sections = [
        f"### {heading(difference)}",
        f"**{sentence(headline(difference))}**",
        f"```mermaid\n{picture}```" if picture and not difference.is_empty else "",
        changes(difference),
        meaning(difference),
        properties(difference),
        agents(difference),
        *(_embedded(name, each) for name, each in difference.workflows.items()),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _embedded(name: str, difference: Difference) -> str:
    return f"#### The embedded workflow {code(name)}\n\n{to_markdown(difference).removesuffix(chr(10))}"


def heading(difference: Difference) -> str:
    """The name of the workflow, and its versions."""
    return f"{code(difference.new.name)}: {versions(difference)}"


def headline(difference: Difference) -> str:
    """What a reviewer must know first: a sentence whose quotations stand between backticks."""
    broken = [each.name for each in difference.properties if each.now and each.now.outcome is Outcome.VIOLATED]
    if broken:
        return f"✗ {listed(f'`{name}`' for name in broken)} {'is' if len(broken) == 1 else 'are'} violated."
    if difference.is_empty:
        return "Nothing has changed."
    if breaking := sum(change.level is Level.BREAKS for change in difference.changes):
        return f"⚠ {_counted(breaking, 'change')} {'breaks' if breaking == 1 else 'break'} something."
    if all(change.level is Level.FINE for change in difference.changes):
        return "✓ No agent behaves differently."
    return f"{_counted(sum(change.level is Level.LOOK for change in difference.changes), 'change')} to look at."


def changes(difference: Difference) -> str:
    """The list; its numbers are those of the picture."""
    return change_table(difference.rows) if difference.rows else ""


def change_table(rows: Iterable[Row]) -> str:
    """Some rows of the list."""
    return table(("", "change", "what can happen"), map(_row, rows))


def _row(row: Row) -> tuple[str, str, str]:
    change = row.change
    return f"{circled(row.number)} {change.mark}".strip(), sentence(change.text), _risk(change)


def _risk(change: Change) -> str:
    warning = "⚠ " if change.level is Level.BREAKS else ""
    return f"{warning}{sentence(change.risk)}".strip()


def meaning(difference: Difference) -> str:
    """What each state does differently."""
    if not difference.meaning:
        return ""
    lines = [f"- {sentence(each.text)}" for each in difference.meaning]
    return "\n".join(["**What it means**", "", *lines])


def properties(difference: Difference) -> str:
    """What must hold, before and now."""
    if not difference.properties:
        return ""
    rows = map(_property_row, difference.properties)
    return f"**What must hold**\n\n{table(('property', 'before', 'now', ''), rows)}"


def _property_row(change: PropertyChange) -> tuple[str, ...]:
    return code(change.name), verdict_text(change.before), verdict_text(change.now), _rule(change)


def verdict_text(verdict: Verdict | None) -> str:
    """A verdict with its mark; nothing for none."""
    return "" if verdict is None else f"{SIGNS[verdict.outcome]} {verdict.outcome}"


def _rule(change: PropertyChange) -> str:
    if change.rule is RuleChange.SAME:
        return sentence(change.now.why) if change.now and change.now.outcome is not Outcome.PROVED else ""
    kept = f"; the old rule is {change.kept.outcome}" if change.kept else ""
    loud = "⚠ " if change.rule in (RuleChange.REMOVED, RuleChange.WEAKER) else ""
    return f"{loud}the rule is {change.rule}{kept}"


def agents(difference: Difference) -> str:
    """What becomes of agents: of those in a store if one was asked, else of those in each state."""
    if difference.live is not None:
        return f"**Agents alive**\n\n{_live(difference.live)}"
    if not difference.agents:
        return ""
    rows = ((some(list(map(code, states)), _SHOWN), *told) for told, states in grouped(difference.agents).items())
    return f"**Agents in each state**\n\n{table(('state', 'what becomes of them', 'why'), rows)}"


def grouped(outlooks: Iterable[Outlook]) -> dict[tuple[str, str], list[str]]:
    """Verdict and reasons as Markdown -> the states of which they are told."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in outlooks:
        moves = f", to {code(each.to_state)}" if each.to_state and each.to_state != each.state else ""
        told = (f"{each.verdict}{moves}", "; ".join(map(sentence, (each.reason, *each.notes))))
        found.setdefault(told, []).append(each.state)
    return found


def _live(outcomes: Iterable[MigrationOutcome]) -> str:
    counts = Counter((each.state, each.verdict, each.reason) for each in outcomes)
    if not counts:
        return "There are none."
    rows = (
        (str(count), code(state), str(verdict), sentence(reason)) for (state, verdict, reason), count in counts.items()
    )
    return table(("agents", "state", "what becomes of them", "why"), rows)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
