"""The findings of a review as the code quality report that GitLab shows in merge requests."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.finding import Severity
from fsm_agent.domain.json import Json
from fsm_agent.report.fingerprints import fingerprinted
from fsm_agent.report.markdown_text import one_line
from fsm_agent.report.review import Review

_SEVERITIES: Final = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}


def to_code_quality(review: Review) -> list[Json]:
    """One entry for each finding; paths are from the top of the repository."""
    found: list[Json] = []
    for each in fingerprinted(review):
        place = each.finding.place
        file = place.file if place else each.review.file
        found.append(
            {
                "description": one_line(f"{each.finding.code}: {each.finding.message}"),
                "check_name": each.finding.code,
                "fingerprint": each.fingerprint,
                "severity": _SEVERITIES[each.finding.severity],
                "location": {"path": review.uris.get(file, file), "lines": {"begin": place.line if place else 1}},
            }
        )
    return found
