"""The sections of a report on one workflow: what is broken, what `check` finds, what has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from fsm_agent.change.difference import Difference
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.property import Rule, rule_text
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.verdicts import Outcome, Verdict
from fsm_agent.render.difference import draw_difference
from fsm_agent.render.formats import draw
from fsm_agent.report import difference_markdown as parts
from fsm_agent.report.markdown_text import code, fenced, html_code, plain, sentence, table
from fsm_agent.report.proof_text import step_sentence
from fsm_agent.report.review import ProofReview, Reproduction, WorkflowReview
from fsm_agent.report.sections import Section, Weight

#: beyond these GitHub and GitLab show no picture of Mermaid
_LONGEST_PICTURE: Final = 50_000
_MOST_EDGES: Final = 500
_EDGE: Final = re.compile(r"^\s*\w[\w-]* (?:-->|-\.->|==>)", re.MULTILINE)
#: rows of a table before it goes on in a section of its own
_ROWS: Final = 50
#: steps of a path that are told; of a longer one its first and its last
_STEPS: Final = 40
_SEVERITIES: Final = {Severity.ERROR: "✗ error", Severity.WARNING: "! warning", Severity.NOTE: "? note"}
#: findings that the section about a broken property tells better
_PROOF_CODES: Final = frozenset({"FSM604", "FSM605"})

Item = TypeVar("Item")


def counted(number: int, noun: str) -> str:
    """``1 mistake``, ``2 mistakes``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def broken_sections(proof: ProofReview, verdict: Verdict) -> Iterator[Section]:
    """A property that is violated, or perhaps: its rule, the way there, and the test."""
    is_broken = verdict.outcome is Outcome.VIOLATED
    within = f" of {code('.'.join(proof.child))}" if proof.child else ""
    lines = [f"#### {'✗' if is_broken else '?'} {code(verdict.name)}{within} is {verdict.outcome}", ""]
    lines += [each for of in proof.workflow.must if of.name == verdict.name for each in _asked(of.rule, of.description)]
    if verdict.why:
        lines += [f"{sentence(verdict.why[:1].upper() + verdict.why[1:])}.", ""]
    lines += _path(verdict)
    found = proof.reproductions.get(verdict.name)
    if found is not None:
        lines += ["", f"An agent of the real engine went this way: {code(_play(found))}"]
    yield Section("\n".join(lines).rstrip(), Weight.BROKEN)
    if found is not None:
        yield Section(_test(found), Weight.TEST)


def _asked(rule: Rule, description: str) -> Iterator[str]:
    yield f"> {code(rule_text(rule))}{f'<br>{plain(description)}' if description else ''}"
    yield ""


def _path(verdict: Verdict) -> Iterator[str]:
    steps = list(enumerate(verdict.path, start=1))
    if len(steps) > _STEPS:
        left, half = len(steps) - _STEPS, _STEPS // 2
        yield from (f"{number}. {sentence(step_sentence(step))}" for number, step in steps[:half])
        yield f"{half + 1}. ({counted(left, 'step')} more)"
        steps = steps[-half:]
    yield from (f"{number}. {sentence(step_sentence(step))}" for number, step in steps)
    if verdict.cycle:
        yield from ("", "And then again and again, for ever:", "")
        yield from (f"- {sentence(step_sentence(step))}" for step in verdict.cycle[:_STEPS])


def _play(found: Reproduction) -> str:
    again = f", and for ever [{', '.join(found.again)}]" if found.again else ""
    return f"[{', '.join(found.moves)}]{again}"


def _test(found: Reproduction) -> str:
    where = f" ({html_code(found.test_path)})" if found.test_path else ""
    summary = f"<summary>A test that fails until this is mended{where}</summary>"
    return f"<details>{summary}\n\n{fenced(found.test, 'python')}\n\n</details>"


def finding_sections(review: WorkflowReview) -> Iterator[Section]:
    """What ``check`` finds in the new version, and why the old one does not load."""
    shown = [each for each in review.findings if each.code not in _PROOF_CODES or not review.proofs]
    yield from _tables("**What `check` finds**", ("", "code", "where", ""), shown, _finding_row, Weight.FINDINGS)
    title = "**Why the base revision does not load**"
    yield from _tables(title, ("", "code", "where", ""), review.old_findings, _finding_row, Weight.FINDINGS)


def _finding_row(finding: Finding) -> tuple[str, ...]:
    where = code(str(finding.place)) if finding.place else ""
    return _SEVERITIES[finding.severity], finding.code, where, sentence(finding.message)


def difference_sections(difference: Difference, name: str = "") -> Iterator[Section]:
    """What has changed; ``name`` is that of an embedded workflow."""
    if name:
        yield Section(f"#### The embedded workflow {code(name)}", Weight.CHANGES)
    if drawn := picture_of(difference):
        yield Section(_picture(drawn), Weight.PICTURE)
    rows = list(difference.rows)
    for at in range(0, len(rows), _ROWS):
        text = parts.change_table(rows[at : at + _ROWS])
        yield Section(text if at else f"**What has changed**\n\n{text}", Weight.MORE if at else Weight.CHANGES)
    yield Section(parts.properties(difference), Weight.PROPERTIES)
    yield Section(parts.meaning(difference), Weight.MEANING)
    yield Section(parts.agents(difference), Weight.AGENTS)
    for child, each in difference.workflows.items():
        yield from difference_sections(each, f"{name}.{child}" if name else child)


def picture_of(difference: Difference) -> str:
    """Mermaid text; nothing where nothing is drawn, since nothing has changed."""
    return draw_difference(difference, "mermaid").decode() if difference.rows else ""


def _picture(text: str) -> str:
    """A picture as GitHub and GitLab draw it, if it is small enough for them."""
    edges = len(_EDGE.findall(text))
    if len(text) > _LONGEST_PICTURE or edges > _MOST_EDGES:
        return f"The picture is too large for this place ({edges} edges): it is among the files of this review."
    return fenced(text, "mermaid")


def new_sections(workflow: Workflow, proofs: Sequence[ProofReview]) -> Iterator[Section]:
    """The picture and the properties of a workflow that has no earlier version."""
    yield Section(_picture(draw(workflow, "mermaid").decode()), Weight.PICTURE)
    rows = [(proof, verdict) for proof in proofs for verdict in proof.proof.verdicts]
    yield from _tables("**What must hold**", ("property", "", "rule"), rows, _property_row, Weight.PROPERTIES)


def _property_row(proved: tuple[ProofReview, Verdict]) -> tuple[str, ...]:
    proof, verdict = proved
    rules = [rule_text(of.rule) for of in proof.workflow.must if of.name == verdict.name]
    name = ".".join([*proof.child, verdict.name])
    return code(name), parts.verdict_text(verdict), *map(code, rules[:1])


def _tables(
    title: str, columns: Sequence[str], items: Sequence[Item], row: Callable[[Item], Sequence[str]], weight: Weight
) -> Iterator[Section]:
    """A table under a title; what is beyond the first rows can be left out apart."""
    for at in range(0, len(items), _ROWS):
        text = table(columns, map(row, items[at : at + _ROWS]))
        yield Section(text if at else f"{title}\n\n{text}", Weight.MORE if at else weight)
