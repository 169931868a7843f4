"""A review as Markdown: the comment of a pull request, or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from fsm_agent.report import difference_markdown as parts
from fsm_agent.report.markdown_text import code, table
from fsm_agent.report.review import Concern, FileStatus, Review, WorkflowReview
from fsm_agent.report.review_sections import (
    broken_sections,
    counted,
    difference_sections,
    finding_sections,
    new_sections,
)
from fsm_agent.report.sections import COMMENT, Room, Section, Weight, fitted

#: workflows that the overview names; what is told of more of them is left out first
_MOST_WORKFLOWS: Final = 50
_SIGNS: Final = {
    Concern.UNREADABLE: "✗",
    Concern.VIOLATED: "✗",
    Concern.MISTAKEN: "✗",
    Concern.BREAKING: "⚠",
    Concern.OPEN: "?",
    Concern.CHANGED: "●",
    Concern.FINE: "✓",
}
_HEADLINES: Final = {
    Concern.BREAKING: "is gone",
    Concern.OPEN: "may break a property",
    Concern.CHANGED: "behaves differently",
    Concern.FINE: "behaves as before",
}
#: what becomes of the agents of a file that is gone
_REMOVAL: Final = (
    "Agents that are alive go on by the definition that they began with, which the store keeps. "
    "Nobody can start one any more."
)


def marker(name: str) -> str:
    """The hidden first line of a report, by which a later one of the same name finds it."""
    shown = re.sub(r"[^\w./ -]|-(?=-)|-$", "_", name)
    return f"<!-- fsm-agent review: {shown} -->"


def to_markdown(review: Review, *, room: Room = COMMENT, artifact: str = "") -> str:
    """The report. Where it has no ``room``, parts are left out; ``artifact`` is the address of the whole report."""
    return fitted(list(_sections(review)), room, lambda count: _note(count, artifact))


def _note(count: int, artifact: str) -> str:
    parts_left = f"{count} part{'' if count == 1 else 's'} of this report {'is' if count == 1 else 'are'} left out here"
    where = f"[the files of this review](<{_address(artifact)}>)" if artifact else "the files of this review"
    return f"> {parts_left}, since there is no room for more: {where} have all of it."


def _address(text: str) -> str:
    return re.sub(r"[\s<>\\]", lambda found: f"%{ord(found[0]):02X}", text)


def _sections(review: Review) -> Iterator[Section]:
    yield Section(f"{marker(review.name)}\n## {_title(review)}", Weight.HEADING)
    workflows = sorted(review.workflows, key=lambda each: list(Concern).index(each.concern))
    yield Section(_overview(review, workflows), Weight.BROKEN)
    for place, each in enumerate(workflows):
        title = [Section(f"### {verdict_line(each)}", Weight.HEADING)] if len(workflows) > 1 else []
        for section in (*title, *_workflow_sections(each)):
            yield section if place < _MOST_WORKFLOWS else section._replace(weight=Weight.MORE)


def _title(review: Review) -> str:
    worst = [each for each in review.workflows if each.concern is review.concern]
    if not worst:
        return f"{_SIGNS[review.concern]} No workflow has changed"
    more = f", and {len(review.workflows) - 1} more" if len(review.workflows) > 1 else ""
    return f"{verdict_line(worst[0])}{more}"


def verdict_line(review: WorkflowReview) -> str:
    """What a reviewer must know of a workflow first, with its sign and its name."""
    return f"{_SIGNS[review.concern]} {code(review.title)} {headline(review)}"


def headline(review: WorkflowReview) -> str:
    """What a reviewer must know of a workflow first; it goes on from its name."""
    match review.concern:
        case Concern.UNREADABLE:
            return "does not load" if review.new is None else "of the base revision does not load"
        case Concern.VIOLATED:
            names = [code(verdict.name) for _, verdict in review.broken]
            return f"breaks {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        case Concern.MISTAKEN:
            return f"has {counted(len(review.errors), 'mistake')}"
        case Concern.BREAKING if review.breaking:
            verb = "breaks" if review.breaking == 1 else "break"
            return f"has {counted(review.breaking, 'change')} that {verb} something"
        case concern:
            return "is new" if review.status is FileStatus.ADDED else _HEADLINES[concern]


def _overview(review: Review, workflows: Sequence[WorkflowReview]) -> str:
    looked = f"{counted(review.files, 'workflow file')} looked at, {len(workflows)} changed since"
    line = f"{looked} {code(review.base)}."
    if len(workflows) < 2:
        return line
    rows = ((f"{_SIGNS[each.concern]} {code(each.title)}", headline(each), _file(each)) for each in workflows)
    return f"{line}\n\n{table(('workflow', '', 'file'), islice(rows, _MOST_WORKFLOWS))}"


def _file(review: WorkflowReview) -> str:
    match review.status:
        case FileStatus.RENAMED:
            return f"{code(review.old_file or '')} → {code(review.file)}"
        case FileStatus.CHANGED:
            return code(review.file)
        case status:
            return f"{code(review.file)}, {status}"


def _workflow_sections(review: WorkflowReview) -> Iterator[Section]:
    versions = f", {parts.versions(review.difference)}" if review.difference else ""
    yield Section(f"{_file(review)}{versions}", Weight.HEADING)
    for proof in review.proofs:
        for verdict in (*proof.broken, *proof.open):
            yield from broken_sections(proof, verdict)
    yield from finding_sections(review)
    if review.difference is not None:
        yield from difference_sections(review.difference)
    elif review.new is not None:
        yield from new_sections(review.new, review.proofs)
    elif review.status is FileStatus.REMOVED:
        yield Section(_REMOVAL, Weight.AGENTS)
