"""What is told of a tidied folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from examples.tidy_repo.linter import Finding

#: What a page can hold; the rest is a number.
_MOST_LISTED: Final = 200

Fixes = Sequence[Mapping[str, Any]]


def counted(left: Sequence[Finding]) -> dict[str, Any]:
    """What remains, in few words: how many findings, and one line for those that are alike."""
    alike = Counter((each.file, each.rule or "no rule", each.message) for each in left)
    lines = [f"{file}: {rule} {message} ({times})" for (file, rule, message), times in alike.items()]
    return {"findings": len(left), "lines": lines[:_MOST_LISTED]}


def summary(fixed: Fixes, skipped: Fixes, left: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of files that were changed, and of findings."""
    return {
        "files": len({each["file"] for each in fixed}),
        "fixed": sum(each["findings"] for each in fixed),
        "skipped": sum(each["findings"] for each in skipped),
        "remaining": left["findings"],
    }


def markdown(fixed: Fixes, skipped: Fixes, left: Mapping[str, Any]) -> str:
    """The report as a page, the same for the same facts."""
    numbers = summary(fixed, skipped, left)
    lines = [
        "# Tidied",
        "",
        f"Findings fixed: {numbers['fixed']}, in {numbers['files']} files; left by decision: {numbers['skipped']}; "
        f"remaining: {numbers['remaining']}.",
        *_section("Fixed", [_line(each) for each in fixed]),
        *_section("Left by decision", [_line(each) for each in skipped]),
        *_section("Remaining", left["lines"]),
    ]
    return "\n".join(lines) + "\n"


def _line(fix: Mapping[str, Any]) -> str:
    return f"{fix['file']}: {fix['rule']} {fix['message']} ({fix['findings']}{', unsafe' if fix['unsafe'] else ''})"


def _section(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {heading}", "", *(f"- {line}" for line in lines)] if lines else []
