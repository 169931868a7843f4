"""Readers of ``workflows``: each child workflow is a file of its own, or is written inside the document."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.context import ReadContext, described, subject
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow

#: limit of workflows inside workflows
DEEPEST_CHILD: Final = 8
#: limit of workflows inside one; each is counted as often as it occurs
MOST_CHILDREN: Final = 100


def children(context: ReadContext, value: Json, path: Path) -> dict[str, Workflow] | None:
    if not context.is_a(dict, value, path, "a mapping of names to files or workflows"):
        return None
    found: dict[str, Workflow] = {}
    for name, each in value.items():
        if context.is_name(name, (*path, name)) and len(found) <= MOST_CHILDREN:
            child = _child(context, each, (*path, name))
            if child is not None:
                found[name] = child
    _note_too_many(context, found, path)
    return found


def _child(context: ReadContext, value: Json, path: Path) -> Workflow | None:
    match value:
        case str():
            return _file(context, value, path)
        case dict():
            draft, findings = context.inline(value)
            context.findings += [replace(each, path=(*path, *each.path)) for each in findings]
            return draft
        case _:
            message = f"{subject(path)} must be a file, or a workflow that is written out, and is {described(value)}"
            context.note(Code.WRONG_TYPE, message, path)
            return None


def _file(context: ReadContext, name: str, path: Path) -> Workflow | None:
    resolve = context.resolve_workflow or _resolve_nothing
    try:
        return resolve(name)
    except ValueError as error:
        context.note(Code.CHILD, f"{subject(path)} cannot be {name!r}: {error}", path)
        return None


def _resolve_nothing(_: str) -> Workflow | None:
    raise ValueError("only a file can name another file, and this is none: write the workflow out")


def _note_too_many(context: ReadContext, found: dict[str, Workflow], path: Path) -> None:
    if sum(map(_count, found.values())) > MOST_CHILDREN:
        message = f"{MOST_CHILDREN} workflows may stand within one, each counted as often as it does; these are more"
        context.note(Code.CHILD, message, path)
    elif max(map(_height, found.values()), default=0) > DEEPEST_CHILD:
        context.note(Code.CHILD, f"workflows may stand {DEEPEST_CHILD} deep within one, and these are deeper", path)


def _count(workflow: Workflow) -> int:
    return 1 + sum(map(_count, workflow.workflows.values()))


def _height(workflow: Workflow) -> int:
    return 1 + max(map(_height, workflow.workflows.values()), default=0)
