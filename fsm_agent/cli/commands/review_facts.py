"""All that ``review`` tells of workflow files, gathered into one value before anything is written."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.change.difference import Difference, compare
from fsm_agent.check.transition_sites import sites, state_path
from fsm_agent.cli.commands.check import inspect
from fsm_agent.cli.commands.comparison import Side, live_outcomes, loaded
from fsm_agent.cli.commands.prove import family, vacuous, write_tests
from fsm_agent.cli.input.changed_files import FilePair, Located, files_since
from fsm_agent.cli.logs import unread_modules_once
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views.proofs import Proven
from fsm_agent.domain.finding import Finding, Place
from fsm_agent.domain.property import Property
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_text import composed, text_of
from fsm_agent.project.action_lookup import look_up
from fsm_agent.proof.verdicts import Proof, Verdict
from fsm_agent.report.review import FileStatus, ProofReview, Reproduction, Review, WorkflowReview
from fsm_agent.runtime.scripted.counterexample import test_of
from fsm_agent.runtime.scripted.replayed_proof import ReplayedProof, prove_and_replay


class Wanted(NamedTuple):
    """The facts that are asked for."""

    base: str
    paths: Sequence[str]
    #: by which a report is recognised
    name: str
    #: whether the store says what becomes of the agents that are alive
    is_live: bool
    imports: bool
    #: where tests of broken properties are written; nowhere if ``None``
    tests: Path | None


def gather(settings: CommandSettings, wanted: Wanted) -> Review:
    """Look at every workflow file that differs from the base revision: check it, compare both versions, prove both.

    Raises ``click.ClickException`` for a path or a revision that is not there. A version that does not load is part of
    the review.
    """
    with unread_modules_once() as texts, files_since(wanted.base, wanted.paths) as located:
        reviewer = _Reviewer(settings, wanted, settings.catalogue(imports=wanted.imports))
        reviews = tuple(reviewer.reviews(located.pairs))
        texts += [finding.message for each in reviews for finding in each.findings]
        uris = dict(_uris(located, reviews))
    return Review(wanted.name, wanted.base, len(located.pairs), reviews, uris)


class _Version(NamedTuple):
    """One version of a file, or why it does not load."""

    workflow: Workflow | None
    mistakes: tuple[Finding, ...] = ()


class _Changed(NamedTuple):
    """A file whose workflow is another one than in the base revision, or stands elsewhere."""

    pair: FilePair
    old: _Version
    new: _Version

    @property
    def status(self) -> FileStatus:
        if self.pair.new is None:
            return FileStatus.REMOVED
        if self.pair.old is None:
            return FileStatus.ADDED
        return FileStatus.CHANGED if self.pair.name == self.pair.old_name else FileStatus.RENAMED


class _Reviewer:
    """Reviews files one after the other, and proves nothing twice."""

    def __init__(self, settings: CommandSettings, wanted: Wanted, catalogue: Catalogue) -> None:
        self._settings = settings
        self._wanted = wanted
        self._catalogue = catalogue
        self._proofs = _Proofs(catalogue)

    def reviews(self, pairs: Iterable[FilePair]) -> Iterator[WorkflowReview]:
        names: set[str] = set()
        for changed in _with_renames(list(self._changed(pairs))):
            name = _free_name(changed, names)
            names.add(name)
            yield self._review(changed, name)

    def _changed(self, pairs: Iterable[FilePair]) -> Iterator[_Changed]:
        for pair in pairs:
            if pair.is_certainly_same:
                continue
            changed = _Changed(pair, self._version(pair.old, self._old_name(pair)), self._version(pair.new, pair.name))
            if pair.old is None or pair.new is None or changed.old.workflow != changed.new.workflow or _differ(pair):
                yield changed

    def _old_name(self, pair: FilePair) -> str:
        return f"{self._wanted.base}:{pair.old_name}"

    def _version(self, file: Path | None, name: str) -> _Version:
        if file is None:
            return _Version(None)
        try:
            return _Version(loaded(Side(file, name), self._catalogue))
        except WorkflowInvalid as error:
            return _Version(None, tuple(error.findings))

    def _review(self, changed: _Changed, name: str) -> WorkflowReview:
        pair, new = changed.pair, changed.new.workflow
        findings = () if pair.new is None else tuple(self._findings(pair.new))
        return WorkflowReview(
            name,
            changed.status,
            pair.name,
            pair.old_name,
            changed.old.workflow,
            new,
            findings,
            changed.old.mistakes,
            None if new is None else self._difference(changed.old.workflow, new),
            () if pair.new is None or new is None else tuple(self._proof_reviews(pair.new, new, findings)),
            {} if pair.new is None or new is None else _places(pair.new, new),
        )

    def _findings(self, file: Path) -> list[Finding]:
        trusts_names = not self._catalogue.are_listed
        return inspect(file, self._catalogue, trusts_names=trusts_names, prover=self._proofs.verdicts)[1]

    def _difference(self, old: Workflow | None, new: Workflow) -> Difference | None:
        if old is None:
            return None
        difference = compare(old, new, prove=self._proofs.proof)
        if not self._wanted.is_live:
            return difference
        return difference.with_live(asyncio.run(live_outcomes(self._settings, new)))

    def _proof_reviews(self, file: Path, workflow: Workflow, findings: Sequence[Finding]) -> Iterator[ProofReview]:
        known = self._proofs.signatures(workflow)
        for child, each in family(workflow):
            if each.must:
                proof, found = self._proofs.replayed(each, each.must, known)
                proven = Proven(file, child, each, proof, found, vacuous(findings, child), {}, {})
                if self._wanted.tests is not None and found:
                    proven = proven._replace(tests=write_tests(self._wanted.tests, proven))
                yield ProofReview(child, each, proof, dict(_reproductions(proven)), proven.to_json())


class _Proofs:
    """Proofs that are replayed on the real engine; each is made once, whoever asks for it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: list[tuple[Workflow, tuple[Property, ...], ReplayedProof]] = []

    def signatures(self, workflow: Workflow) -> Mapping[str, Signature]:
        return look_up(workflow, self._catalogue, trusts_names=not self._catalogue.are_listed).actions

    def replayed(
        self, workflow: Workflow, properties: Sequence[Property], signatures: Mapping[str, Signature]
    ) -> ReplayedProof:
        for known, asked, proof in self._known:
            if asked == tuple(properties) and known == workflow:
                return proof
        made = prove_and_replay(workflow, properties, signatures=signatures)
        self._known.append((workflow, tuple(properties), made))
        return made

    def verdicts(
        self, workflow: Workflow, properties: Sequence[Property], signatures: Mapping[str, Signature]
    ) -> Sequence[Verdict]:
        """The verdicts that ``check`` prints."""
        return self.replayed(workflow, properties, signatures).proof.verdicts

    def proof(self, workflow: Workflow, properties: Sequence[Property]) -> Proof:
        """The proof that a comparison needs."""
        return self.replayed(workflow, properties, self.signatures(workflow)).proof


def _differ(pair: FilePair) -> bool:
    """Whether both versions are there, and their texts differ."""
    return pair.old is not None and pair.new is not None and pair.old.read_bytes() != pair.new.read_bytes()


def _with_renames(changes: Sequence[_Changed]) -> Iterator[_Changed]:
    """The changes, with a file that is gone and a new one as one change where both have a workflow of the same name."""
    gone = {each.old.workflow.name: each for each in changes if each.pair.new is None and each.old.workflow}
    moved: list[_Changed] = []
    for each in changes:
        new = each.new.workflow
        if each.pair.old is None and new is not None and new.name in gone:
            before = gone.pop(new.name)
            moved.append(before)
            yield _Changed(each.pair._replace(old=before.pair.old, old_name=before.pair.old_name), before.old, each.new)
        elif each.pair.new is not None:
            yield each
    yield from (each for each in changes if each.pair.new is None and not any(each is other for other in moved))


def _free_name(changed: _Changed, taken: Collection[str]) -> str:
    """A name for files of reports: that of the workflow, with a number where another file has the same."""
    workflow = changed.new.workflow or changed.old.workflow
    name = Path(changed.pair.name).stem if workflow is None else workflow.name
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _reproductions(proven: Proven) -> Iterator[tuple[str, Reproduction]]:
    for name, found in proven.found.items():
        test = test_of(str(proven.file), name, found, child=proven.child)
        written = proven.tests.get(name)
        moves, again = tuple(map(repr, found.life.given)), tuple(map(repr, found.round))
        yield name, Reproduction(moves, again, test, written.path if written else None)


def _places(file: Path, workflow: Workflow) -> dict[tuple[str, str], Place]:
    """Where each state and each handler stands in its file, under the path of its state (none for the workflow's own)
    and its event (none for a state)."""
    positions = composed(text_of(file).removeprefix("\ufeff"), str(file))[1].positions
    paths = {state_path(path): (path, "") for path in workflow.by_path}
    paths |= {site.path[:-1]: (site.owner or "", site.event) for site in sites(workflow)}
    return {key: positions.place(Finding("", "", path, at_key=True)) for path, key in paths.items()}


def _uris(located: Located, reviews: Sequence[WorkflowReview]) -> Iterator[tuple[str, str]]:
    """File as messages call it -> its path from the top of the repository."""
    for review in reviews:
        places = [*(each.place for each in review.findings), *review.places.values()]
        for file in {review.file, *(place.file for place in places if place is not None)}:
            yield file, str(located.repository.name(Path(file)))
