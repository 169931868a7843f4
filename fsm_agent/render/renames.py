"""A history with the present names of its states, since migrations may have renamed them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fsm_agent.domain.migration import Migration
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow


def named_as_now(workflow: Workflow, steps: Sequence[Step]) -> list[Step]:
    """``steps`` with the names of states in ``workflow``, the present definition of the agent. A migration that a later
    rewind has undone renames nothing."""
    named: list[Step] = []
    renames: list[Callable[[str], str]] = []
    undone_from: int | None = None
    for step in reversed(steps):
        named.append(_renamed(step, renames))
        if step.kind is StepKind.REWOUND:
            undone_from = min(step.payload["version"], step.version if undone_from is None else undone_from)
        is_undone = undone_from is not None and step.version > undone_from
        if step.kind is StepKind.MIGRATED and "from_version" in step.payload and not is_undone:
            renames.insert(0, _renaming(workflow, step))
    return named[::-1]


def _renaming(workflow: Workflow, step: Step) -> Callable[[str], str]:
    """The renames of a migration step. Its own record decides about the agent's state, the workflow about others."""
    facts = step.payload
    since, upto = facts["from_version"], facts.get("to_version", workflow.version)
    own = {**facts.get("states", {}), **({step.source: step.target} if step.source else {})}
    migrations = sorted((each for each in workflow.migrations if since <= each.from_version < upto), key=_age)

    def rename(path: str) -> str:
        if path in own:
            return str(own[path])
        for migration in migrations:
            path = migration.place(path) or path
        return path

    return rename


def _age(migration: Migration) -> int:
    return migration.from_version


def _renamed(step: Step, renames: Sequence[Callable[[str], str]]) -> Step:
    source, target = step.source, step.target
    for rename in renames:
        source, target = source and rename(source), rename(target)
    return step if (source, target) == (step.source, step.target) else step._replace(source=source, target=target)
