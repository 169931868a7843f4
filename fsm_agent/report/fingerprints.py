"""What a finding is known by from one review to the next, whatever lines it moves to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from fsm_agent.domain.finding import Finding
from fsm_agent.report.review import Review, WorkflowReview


class Fingerprinted(NamedTuple):
    """A finding of a review, with 16 hexadecimal digits that no other finding of the review has."""

    review: WorkflowReview
    finding: Finding
    fingerprint: str


def fingerprinted(review: Review) -> Iterator[Fingerprinted]:
    """All findings of the new versions. The fingerprint is made of the workflow, the code and the place in the
    document; where one place has several findings of a code, also of which of them it is."""
    seen: Counter[tuple[str, ...]] = Counter()
    for each in review.workflows:
        for finding in each.findings:
            file = finding.place.file if finding.place else each.file
            inside = "" if file == each.file else file  # a finding in an embedded file
            key = (each.name, inside, finding.code, json.dumps(finding.path))
            digest = hashlib.sha256(json.dumps([*key, seen[key]]).encode()).hexdigest()
            seen[key] += 1
            yield Fingerprinted(each, finding, digest[:16])
