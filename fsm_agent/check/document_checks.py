"""All checks of a document before it runs: the rules of the dialect, expressions, built-in actions, migrations and
properties."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from fsm_agent.check.builtins import built_in_findings
from fsm_agent.check.codes import Code
from fsm_agent.check.expressions import expression_findings
from fsm_agent.check.merge_policies import merge_findings
from fsm_agent.check.migrations import migration_findings
from fsm_agent.dialect.codes import Code as Unread
from fsm_agent.dialect.reader import ResolveModel, ResolveWorkflow, is_invalid, read_draft
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow


def examine(
    document: Json, *, resolve_model: ResolveModel | None = None, resolve_workflow: ResolveWorkflow | None = None
) -> tuple[Workflow | None, list[Finding]]:
    """Like ``read_document``, but expressions are checked too, even beside other mistakes."""
    draft, findings = read_draft(document, resolve_model=resolve_model, resolve_workflow=resolve_workflow)
    if draft is not None:
        findings += _further(draft, document, findings)
    return None if is_invalid(findings) else draft, findings


#: mistakes through which an event, or a whole `on`, is not read; and mistakes that they may only seem to cause
_HIDING_EVENTS: Final = frozenset({Unread.UNKNOWN_EVENT, Unread.UNKNOWN_KEY})
_FOR_EVENTS: Final = frozenset({Code.NO_EVENT, Code.NO_CHOICE, Code.NO_APPROVAL})


def _further(draft: Workflow, document: Json, found: list[Finding]) -> list[Finding]:
    """Findings of a draft with these mistakes, and of the workflows that are written inside it."""
    unread = {each.path[1] for each in found if each.path[:1] in {("data",), ("user",)} and len(each.path) > 1}
    findings = list(migration_findings(draft)) if not is_invalid(found) else []
    if not is_invalid([each for each in found if each.path[:1] != ("must",)]):
        findings += property_findings(draft)
    findings += expression_findings(draft)
    findings += [each for each in merge_findings(draft) if str(each.path[1]).removeprefix("user.") not in unread]
    children = document.get("workflows", {})
    for name, child in draft.workflows.items():
        if isinstance(written := children[name], dict):
            path: Path = ("workflows", name)
            inside = [replace(each, path=each.path[2:]) for each in found if each.path[:2] == path]
            findings += below(path, _further(child, written, inside))
    hidden = set[str]()
    if any(each.path[:1] == ("events",) or each.code in _HIDING_EVENTS for each in found):
        hidden |= _FOR_EVENTS
    are_all_read = isinstance(children, dict) and len(draft.workflows) == len(children)
    knows_children = are_all_read and not any(each.path[:1] == ("workflows",) for each in [*found, *findings])
    findings += [each for each in built_in_findings(draft, knows_children=knows_children) if each.code not in hidden]
    return findings


def property_findings(workflow: Workflow) -> Iterable[Finding]:
    """What is wrong with the terms of properties, in a workflow whose states and events are known."""
    if not workflow.must:
        return ()
    from fsm_agent.check.properties import term_findings  # imported for workflows that have properties alone

    return term_findings(workflow)


def below(path: Path, findings: list[Finding]) -> Iterator[Finding]:
    """The findings of a workflow at ``path`` inside another one."""
    return (replace(each, path=(*path, *each.path)) for each in findings)
