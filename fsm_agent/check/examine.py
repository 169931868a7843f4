"""All that can be said of a document before it runs: what it may not say, where its expressions go wrong, whether its
built-in actions can work, and whether its migrations lead anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fsm_agent.check.builtins import built_in_findings
from fsm_agent.check.codes import Code
from fsm_agent.check.expressions import expression_findings
from fsm_agent.check.merging import merge_findings
from fsm_agent.check.migrations import migration_findings
from fsm_agent.dialect.read import ResolveModel, ResolveWorkflow, is_invalid, read_draft
from fsm_agent.finding import Finding, Path
from fsm_agent.jsontypes import Json
from fsm_agent.workflow import Workflow

#: While one of these has mistakes, nobody knows what names it gives to built-in actions.
_NAMING: Final = frozenset({("data",), ("events",), ("workflows",)})


def examine(
    document: Json, *, resolve_model: ResolveModel | None = None, resolve_workflow: ResolveWorkflow | None = None
) -> tuple[Workflow | None, list[Finding]]:
    """As ``read_document``, with the findings of the expressions, even of those beside other mistakes."""
    draft, findings = read_draft(document, resolve_model=resolve_model, resolve_workflow=resolve_workflow)
    if draft is not None:
        findings += _further(draft, document, findings)
    return None if is_invalid(findings) else draft, findings


def _further(draft: Workflow, document: Json, found: list[Finding]) -> list[Finding]:
    """What can be said of a draft with these mistakes, and of the workflows that are written out within it."""
    unread = {each.path[1] for each in found if each.path[:1] in {("data",), ("user",)} and len(each.path) > 1}
    findings = list(migration_findings(draft)) if not is_invalid(found) else []
    findings += expression_findings(draft)
    findings += [each for each in merge_findings(draft) if str(each.path[1]).removeprefix("user.") not in unread]
    children = document.get("workflows")
    hides_children = isinstance(children, dict) and len(draft.workflows) < len(children)  # a file has mistakes
    for name, child in draft.workflows.items():
        if isinstance(written := children[name], dict):
            path: Path = ("workflows", name)
            inside = [replace(each, path=each.path[2:]) for each in found if each.path[:2] == path]
            findings += below(path, _further(child, written, inside))
    if not any(each.path[:1] in _NAMING for each in [*found, *findings]):
        about = built_in_findings(draft)
        findings += [each for each in about if not (hides_children and each.code == Code.UNKNOWN_CHILD)]
    return findings


def below(path: Path, findings: list[Finding]) -> Iterator[Finding]:
    """The findings of a workflow that stands at ``path`` of another one."""
    return (replace(each, path=(*path, *each.path)) for each in findings)
