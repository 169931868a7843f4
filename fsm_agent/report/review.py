"""What a reviewer is told of a change to workflow files, as one value that every renderer takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from fsm_agent.change.change import Level
from fsm_agent.change.difference import Difference
from fsm_agent.domain.finding import Finding, Place, Severity
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.proof.verdicts import Outcome, PathStep, Proof, Verdict


class FileStatus(StrEnum):
    """What has become of a file since the base revision."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    #: the same workflow in another file
    RENAMED = "renamed"


class Concern(StrEnum):
    """What a reviewer must know of a workflow first; the worst is first."""

    UNREADABLE = "unreadable"
    VIOLATED = "violated"
    MISTAKEN = "mistaken"
    BREAKING = "breaking"
    OPEN = "open"
    CHANGED = "changed"
    FINE = "fine"


class Reproduction(NamedTuple):
    """How an agent of the real engine was made to break a property."""

    #: moves of a play, as Python writes them
    moves: tuple[str, ...]
    #: those that can then be repeated for ever
    again: tuple[str, ...]
    #: the text of a test that fails for as long as that is so
    test: str
    #: where it was written
    test_path: str | None = None


class ProofReview(NamedTuple):
    """What was found about the properties of a workflow of the file."""

    #: the names by which it stands within the workflow of the file; none for that itself
    child: tuple[str, ...]
    workflow: Workflow
    proof: Proof
    #: property -> how it was broken
    reproductions: Mapping[str, Reproduction]
    #: as ``prove`` prints it
    printed: Mapping[str, Json]

    @property
    def broken(self) -> tuple[Verdict, ...]:
        return self._of(Outcome.VIOLATED)

    @property
    def open(self) -> tuple[Verdict, ...]:
        return self._of(Outcome.OPEN)

    def _of(self, outcome: Outcome) -> tuple[Verdict, ...]:
        return tuple(each for each in self.proof.verdicts if each.outcome is outcome)


@dataclass(frozen=True)
class WorkflowReview:
    """One workflow file that differs from the base revision."""

    #: how its files in a folder of reports are called
    name: str
    status: FileStatus
    #: the path of the file now, or what it was if it is gone
    file: str
    #: what its path was in the base revision
    old_file: str | None
    #: either version; ``None`` where there is none, or it does not load
    old: Workflow | None
    new: Workflow | None
    #: what ``check`` finds in the new version
    findings: tuple[Finding, ...] = ()
    #: why the old version does not load
    old_findings: tuple[Finding, ...] = ()
    #: between both versions, where both load
    difference: Difference | None = None
    #: of the new version, its own properties first
    proofs: tuple[ProofReview, ...] = ()
    #: state of the new version and what it handles -> where that stands in the file; without an event the state itself
    places: Mapping[tuple[str, str], Place] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of the workflow, or of its file if no version loads."""
        workflow = self.new or self.old
        return workflow.name if workflow is not None else self.name

    @property
    def is_unreadable(self) -> bool:
        """Whether one of the versions does not load."""
        return bool(self.old_findings) or (self.new is None and self.status is not FileStatus.REMOVED)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.ERROR)

    @property
    def broken(self) -> tuple[tuple[ProofReview, Verdict], ...]:
        """The properties that are violated, each with the proof that says so."""
        return tuple((proof, verdict) for proof in self.proofs for verdict in proof.broken)

    @property
    def is_open(self) -> bool:
        return any(proof.open for proof in self.proofs)

    @property
    def breaking(self) -> int:
        """How many changes break something, those of embedded workflows included."""
        return sum(_breaking(self.difference)) if self.difference else 0

    @property
    def concern(self) -> Concern:
        ranked = (
            (self.is_unreadable, Concern.UNREADABLE),
            (bool(self.broken), Concern.VIOLATED),
            (bool(self.errors), Concern.MISTAKEN),
            (self.breaking > 0 or self.status is FileStatus.REMOVED, Concern.BREAKING),
            (self.is_open, Concern.OPEN),
            (not self._is_fine, Concern.CHANGED),
        )
        return next((concern for holds, concern in ranked if holds), Concern.FINE)

    @property
    def _is_fine(self) -> bool:
        return self.difference is not None and _is_fine(self.difference)

    def place_of(self, step: PathStep) -> Place | None:
        """Where the file says what happens in a step: at the handler, or else at the state."""
        owners = [*reversed(lineage(step.source)), ""]
        keys = [(owner, event) for owner in owners for event in (step.event, f"after {step.event}")]
        return next((self.places[key] for key in [*keys, (step.source, "")] if key in self.places), None)

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.title,
            "file": self.file,
            "old_file": self.old_file,
            "status": str(self.status),
            "concern": str(self.concern),
            "findings": [dict(each.to_json()) for each in self.findings],
            "old_findings": [dict(each.to_json()) for each in self.old_findings],
            "difference": self.difference.to_json() if self.difference else None,
            "proofs": [dict(each.printed) for each in self.proofs],
        }


@dataclass(frozen=True)
class Review:
    """All workflow files under some paths that differ from a base revision."""

    #: by which a report of the same review is recognised, to take its place
    name: str
    #: the base revision, as it was given
    base: str
    #: how many workflow files were looked at
    files: int
    workflows: tuple[WorkflowReview, ...]
    #: file of a finding -> its path from the top of the repository
    uris: Mapping[str, str] = field(default_factory=dict)

    @property
    def concern(self) -> Concern:
        """The worst of its workflows."""
        order = list(Concern)
        return min((each.concern for each in self.workflows), key=order.index, default=Concern.FINE)

    def is_failed(self, *, strict: bool) -> bool:
        """Whether a property is violated, ``check`` finds an error, or a version does not load. With ``strict`` also
        where a verdict is open."""
        return any(
            each.is_unreadable or each.broken or each.errors or (strict and each.is_open) for each in self.workflows
        )

    def to_json(self) -> dict[str, Json]:
        """The review as ``review`` prints it (a contract)."""
        return {
            "name": self.name,
            "base": self.base,
            "files": self.files,
            "concern": str(self.concern),
            "workflows": [each.to_json() for each in self.workflows],
        }


def _breaking(difference: Difference) -> Iterator[bool]:
    yield from (change.level is Level.BREAKS for change in difference.changes)
    for each in difference.workflows.values():
        yield from _breaking(each)


def _is_fine(difference: Difference) -> bool:
    """Whether no agent behaves differently."""
    here = all(change.level is Level.FINE for change in difference.changes)
    return here and all(map(_is_fine, difference.workflows.values()))
