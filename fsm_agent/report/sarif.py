"""The findings of a review as SARIF 2.1.0: annotations in the files of a pull request, with the way to a broken
property as steps that can be walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from fsm_agent.domain.finding import Finding, Place, Severity
from fsm_agent.domain.json import Json
from fsm_agent.proof.verdicts import PathStep, Verdict
from fsm_agent.report.fingerprints import Fingerprinted, fingerprinted
from fsm_agent.report.markdown_text import one_line
from fsm_agent.report.proof_text import step_sentence
from fsm_agent.report.review import Review, WorkflowReview

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_HOME: Final = "https://github.com/fsm-agent/fsm-agent"
#: what code scanning shows of a run, and of one way
_MOST_RESULTS: Final = 5_000
_MOST_STEPS: Final = 1_000
#: findings that have a way, in the order of their severity
_ORDER: Final = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
#: where a file is: from the top of the repository
_ROOT: Final = "%SRCROOT%"

#: code -> its entry of docs/checks.md, which begins with a title
Entries = Mapping[str, str]


def to_sarif(review: Review, entries: Entries, *, version: str) -> dict[str, Json]:
    """One run. Of more results than code scanning shows, the gravest are there, and a notification says how many are
    not. ``version`` is that of fsm-agent."""
    found = sorted(fingerprinted(review), key=lambda each: _ORDER.index(each.finding.severity))
    shown = found[:_MOST_RESULTS]
    codes = list(dict.fromkeys(each.finding.code for each in shown))
    driver: dict[str, Json] = {
        "name": "fsm-agent",
        "informationUri": _HOME,
        "semanticVersion": version,
        "rules": [_rule(code, entries.get(code, "")) for code in codes],
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the top of the repository"}}},
        "invocations": [_invocation(len(found) - len(shown))],
        "results": [_Result(review, each).document(codes.index(each.finding.code)) for each in shown],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(left_out: int) -> dict[str, Json]:
    text = f"{left_out} more findings are not shown: `fsm-agent check` has all of them"
    notes: list[Json] = [{"level": "warning", "message": {"text": text}}] if left_out else []
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _rule(code: str, entry: str) -> dict[str, Json]:
    """A rule with the entry of its code as help."""
    title, _, body = entry.partition("\n")
    summary = title.removeprefix("### ").removeprefix(f"{code}: ").strip() or code
    help_text = body.strip() or summary
    return {
        "id": code,
        "shortDescription": {"text": summary},
        "help": {"text": help_text, "markdown": help_text},
        "helpUri": f"{_HOME}/blob/main/docs/checks.md#{_anchor(title)}",
    }


def _anchor(title: str) -> str:
    """The name that GitHub gives to a heading."""
    kept = (each for each in title.removeprefix("### ").lower() if each.isalnum() or each in " -_")
    return quote("".join(kept).strip().replace(" ", "-"))


class _Result:
    """One finding with its review."""

    def __init__(self, review: Review, found: Fingerprinted) -> None:
        self._uris = review.uris
        self._review = found.review
        self._finding = found.finding
        self._fingerprint = found.fingerprint

    def document(self, rule: int) -> dict[str, Json]:
        finding, place = self._finding, self._place
        result: dict[str, Json] = {
            "ruleId": finding.code,
            "ruleIndex": rule,
            "level": str(finding.severity),
            "message": {"text": _message(finding.message)},
            "locations": [{"physicalLocation": self._location(place)}],
            # the second is what code scanning goes by; without it, it would hash the text of the line
            "partialFingerprints": {
                "fsmAgentFinding/v1": self._fingerprint,
                "primaryLocationLineHash": f"{self._fingerprint}:1",
            },
        }
        verdict = verdict_of(self._review, finding)
        if verdict is not None and (verdict.path or verdict.cycle):
            result["codeFlows"] = [self._flow(verdict)]
        return result

    @property
    def _place(self) -> Place:
        return self._finding.place or Place(self._review.file, 1, 1)

    def _location(self, place: Place) -> dict[str, Json]:
        uri = quote(self._uris.get(place.file, place.file))
        return {
            "artifactLocation": {"uri": uri, "uriBaseId": _ROOT},
            "region": {"startLine": place.line, "startColumn": place.column},
        }

    def _flow(self, verdict: Verdict) -> dict[str, Json]:
        steps = [*self._told(verdict.path, step_sentence), *self._told(verdict.cycle, _again)]
        left_out = len(steps) - _MOST_STEPS
        if left_out > 0:
            half = _MOST_STEPS // 2
            gap = self._step(self._place, f"{left_out + 1} steps are not shown")
            steps = [*steps[:half], gap, *steps[-(half - 1) :]]
        return {"threadFlows": [{"locations": steps}]}

    def _told(self, steps: Iterable[PathStep], sentence: Callable[[PathStep], str]) -> Iterator[Json]:
        for step in steps:
            yield self._step(self._place_of(step), sentence(step))

    def _step(self, place: Place, text: str) -> dict[str, Json]:
        return {"location": {"message": {"text": _message(text)}, "physicalLocation": self._location(place)}}

    def _place_of(self, step: PathStep) -> Place:
        """Where a step is declared; those of embedded workflows are told at the property."""
        is_own = self._finding.path[:1] == ("must",) and self._place.file == self._review.file
        return (self._review.place_of(step) if is_own else None) or self._place


def _message(text: str) -> str:
    """One line, in which nothing is a link."""
    return one_line(text).replace("](", "] (")


def _again(step: PathStep) -> str:
    return f"again and again: {step_sentence(step)}"


def verdict_of(review: WorkflowReview, finding: Finding) -> Verdict | None:
    """The verdict that a finding tells; ``None`` for findings about anything else."""
    if finding.path[-2:-1] != ("must",):
        return None
    name, child = finding.path[-1], tuple(finding.path[1:-2:2])
    is_own_file = finding.place is None or finding.place.file == review.file
    for proof in review.proofs:
        is_there = proof.child == child if is_own_file else bool(proof.child)
        for verdict in (*proof.broken, *proof.open) if is_there else ():
            if verdict.name == name:
                return verdict
    return None
