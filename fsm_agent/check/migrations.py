"""Whether migrations lead to something that this version has. Names of older versions are trusted, since they are not
known here. A name that a later migration changes again is followed to its end."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.check.codes import Code
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.domain.workflow import Workflow


def migration_findings(workflow: Workflow) -> list[Finding]:
    """Mistakes in the migrations of a workflow whose states and fields are known."""
    findings: list[Finding] = []
    for index, migration in enumerate(workflow.migrations):
        path: Path = ("migrations", index)
        later = [each for each in workflow.migrations if each.from_version > migration.from_version]
        later.sort(key=_age)
        findings += _not_older(workflow, index, path)
        findings += _unknown_states(workflow, migration, later, path)
        findings += _unknown_fields(workflow, migration, later, path)
        findings += _contradictions(migration, path)
    return findings


def _age(migration: Migration) -> int:
    return migration.from_version


def _not_older(workflow: Workflow, index: int, path: Path) -> Iterator[Finding]:
    """Versions that are not older than this one, or that have a migration already."""
    since = workflow.migrations[index].from_version
    if since >= workflow.version:
        message = f"a migration comes from an older version than {workflow.version}, and this one from {since}"
        yield Code.NOT_OLDER.found(message, (*path, "from"))
    if any(each.from_version == since for each in workflow.migrations[:index]):
        yield Code.CONTRADICTION.found(f"there are two migrations from version {since}: make one of them", path)


def _unknown_states(workflow: Workflow, migration: Migration, later: list[Migration], path: Path) -> Iterator[Finding]:
    for old, named in migration.states.items():
        place = _placed(named, later)
        if place is not None and place not in workflow.by_path:
            then = f", which becomes `{place}`" if place != named else ""
            near = did_you_mean(place, workflow.by_path) or f"; there are {listed(workflow.by_path)}"
            message = f"`{old}` becomes `{named}`{then}, and there is no such state{near}"
            yield Code.UNKNOWN_PLACE.found(message, (*path, "states", old))


def _placed(place: str, later: list[Migration]) -> str | None:
    """The final name of a state; ``None`` if a later migration mentions it, and so is responsible for it."""
    for each in later:
        if place in each.states:
            return None
        place = each.place(place) or place
    return place


def _unknown_fields(workflow: Workflow, migration: Migration, later: list[Migration], path: Path) -> Iterator[Finding]:
    """Fields that are filled here, but in the end are neither declared, nor dropped, nor given to a function."""
    if not workflow.knows_data or any(each.upcast for each in [migration, *later]):
        return
    renamed = [(new, ("rename", old)) for old, new in migration.rename.items()]
    for name, where in [*renamed, *((name, ("default", name)) for name in migration.default)]:
        field = _followed(name, later)
        if field is not None and field not in workflow.data:
            near = did_you_mean(field, workflow.data) or f"; declared: {listed(workflow.data)}"
            message = f"there is no data field `{field}`{near}"
            yield Code.UNKNOWN_GOAL.found(message, (*path, "data", *where), at_key=where[0] == "default")


def _followed(name: str, later: list[Migration]) -> str | None:
    """The final name of a field; ``None`` if it is dropped on the way."""
    for each in later:
        if name in each.drop:
            return None
        name = each.rename.get(name, name)
    return name


def _contradictions(migration: Migration, path: Path) -> Iterator[Finding]:
    """Fields for which the migration says two different things."""
    goals: dict[str, str] = {}
    for old, new in migration.rename.items():
        where = (*path, "data", "rename", old)
        if old in migration.drop:
            message = f"`{old}` is dropped before it could be renamed: leave one of the two out"
            yield Code.CONTRADICTION.found(message, where, at_key=True)
        if new in goals:
            message = f"`{old}` and `{goals[new]}` cannot both become `{new}`: drop one of them, or write an `upcast`"
            yield Code.CONTRADICTION.found(message, where)
        goals.setdefault(new, old)
