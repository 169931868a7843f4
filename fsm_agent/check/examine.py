"""All that can be said of a document before it runs: what it may not say, where its expressions go wrong, and whether
its migrations lead anywhere."""

from __future__ import annotations

from fsm_agent.check.expressions import expression_findings
from fsm_agent.check.merging import merge_findings
from fsm_agent.check.migrations import migration_findings
from fsm_agent.dialect.read import ResolveModel, is_invalid, read_draft
from fsm_agent.finding import Finding
from fsm_agent.jsontypes import Json
from fsm_agent.workflow import Workflow


def examine(document: Json, *, resolve_model: ResolveModel | None = None) -> tuple[Workflow | None, list[Finding]]:
    """As ``read_document``, with the findings of the expressions, even of those beside other mistakes."""
    draft, findings = read_draft(document, resolve_model=resolve_model)
    if draft is not None:
        unread = {each.path[1] for each in findings if each.path[:1] == ("data",) and len(each.path) > 1}
        if not is_invalid(findings):  # where a migration leads can be said once states and fields are known for sure
            findings += migration_findings(draft)
        findings += expression_findings(draft)
        findings += [each for each in merge_findings(draft) if each.path[1] not in unread]
    return None if is_invalid(findings) else draft, findings
