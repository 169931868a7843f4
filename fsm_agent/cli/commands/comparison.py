"""Two versions of a workflow, from files or from git revisions, and the difference between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.change.difference import Difference, compare
from fsm_agent.cli.input.paths import workflow_file
from fsm_agent.cli.input.revisions import Repository
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import missing_file
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.property import Property
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migrate import Outcome
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_file import load
from fsm_agent.project.action_lookup import look_up
from fsm_agent.proof.verdicts import Proof
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.replayed_proof import prove_and_replay

#: agents that are asked for at once
_PAGE = 200


class Side(NamedTuple):
    """One version: the file that is read, and what it is called in messages."""

    file: Path
    name: str


@contextmanager
def files(old: str, new: str) -> Iterator[tuple[Side, Side]]:
    """Two files. Raises ``click.ClickException`` for one that is not there."""
    yield Side(workflow_file(old), old), Side(workflow_file(new), new)


@contextmanager
def revisions(old: str, new: str | None, path: str) -> Iterator[tuple[Side, Side]]:
    """One file in two revisions; without ``new`` as it is in the working tree. Raises ``click.ClickException`` for what
    is not there."""
    repository = Repository(Path(path))
    with repository.file_of(old, Path(path)) as before:
        was = Side(before, f"{old}:{path}")
        if new is None:
            yield was, Side(workflow_file(path), path)
            return
        with repository.file_of(new, Path(path)) as now:
            yield was, Side(now, f"{new}:{path}")


def difference_between(settings: CommandSettings, sides: tuple[Side, Side], *, imports: bool) -> Difference:
    """Both versions are loaded and compared, and their properties are proved. Raises ``WorkflowInvalid`` for a side
    that does not load, with the places as that side is called."""
    catalogue = settings.catalogue(imports=imports)
    old, new = (loaded(side, catalogue) for side in sides)
    return compare(old, new, prove=prover(catalogue))


def loaded(side: Side, catalogue: Catalogue) -> Workflow:
    """The workflow of a side; raises ``WorkflowInvalid`` with the places as that side is called."""
    try:
        return load(side.file, resolve_model=catalogue.model_schema)
    except WorkflowInvalid as error:
        raise WorkflowInvalid([_placed(finding, side) for finding in error.findings]) from None


def _placed(finding: Finding, side: Side) -> Finding:
    """The finding with its file as people know it: that of a revision was read from a temporary folder."""
    place = finding.place
    if place is None:
        return finding
    within = Path(place.file)
    name = side.name if within == side.file else f"{side.name.rpartition('/')[0]}/{_below(within, side.file.parent)}"
    return replace(finding, place=replace(place, file=name))


def _below(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def prover(catalogue: Catalogue) -> Callable[[Workflow, Sequence[Property]], Proof]:
    """Proves with what the catalogue says of actions, and settles on the real engine what is in doubt."""

    def prove(workflow: Workflow, properties: Sequence[Property]) -> Proof:
        known = look_up(workflow, catalogue, trusts_names=not catalogue.are_listed)
        return prove_and_replay(workflow, properties, signatures=known.actions).proof

    return prove


async def live_outcomes(settings: CommandSettings, workflow: Workflow) -> list[Outcome]:
    """What ``migrate`` says of the agents in the store; nothing is changed, and no store is made."""
    found: list[Outcome] = []
    after: str | None = None
    around: Mapping[str, Any] = {"surroundings": settings.surroundings()}
    store = settings.open_store(None if missing_file(settings.store) is None else "memory://")
    async with Runner(store, actions=settings.actions, **around) as runner:
        while True:
            page = await runner.migrate(workflow, apply=False, by=settings.by, limit=_PAGE, after=after)
            found += [replace(each, reason=settings.in_full(each.reason)) for each in page.outcomes]
            if (after := page.next) is None:
                return found
