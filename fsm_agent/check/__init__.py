"""What can be said of a workflow before anything runs: its expressions, its states and events, its actions.

A diagnostic is one function that yields findings of one code; ``ANALYSES`` is all of them. Everything here is a
proof or says nothing: what depends on data or on people is taken to be possible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeAlias

from fsm_agent.check.behaviour import Behaviour
from fsm_agent.check.builtins import built_in_findings
from fsm_agent.check.codes import Code
from fsm_agent.check.examine import below
from fsm_agent.check.expressions import expression_findings, long_lists
from fsm_agent.check.merging import merge_findings
from fsm_agent.check.migrations import migration_findings
from fsm_agent.finding import Finding
from fsm_agent.guards import Guards
from fsm_agent.signature import Signature
from fsm_agent.workflow import Workflow

__all__ = ["Code", "check_workflow", "expression_findings"]

Analysis: TypeAlias = Callable[[Behaviour], Iterable[Finding]]


def check_workflow(
    workflow: Workflow,
    *,
    actions: Mapping[str, Signature] | None = None,
    tools: Collection[str] | None = None,
    unfound: Mapping[str, str] | None = None,
) -> list[Finding]:
    """All findings, in a stable order, those of children included. ``actions`` are those there are, by the names that
    ``do`` uses, and ``tools`` those that models can be given; without it every name is trusted. ``unfound`` says, where
    it is known, why a name leads to nothing."""
    guards = Guards(workflow)
    findings = expression_findings(workflow, guards=guards) + list(merge_findings(workflow))
    if not findings:
        findings += long_lists(workflow, guards)
    findings += migration_findings(workflow)
    findings += built_in_findings(workflow)
    behaviour = Behaviour(workflow, actions, tools, unfound or {})
    for analysis in _analyses():
        findings += analysis(behaviour)
    for name, child in workflow.workflows.items():
        of_child = check_workflow(child, actions=actions, tools=tools, unfound=unfound)
        findings += below(("workflows", name), of_child)
    return sorted(findings, key=lambda finding: (finding.code, [str(part) for part in finding.path], finding.message))


def _analyses() -> tuple[Analysis, ...]:
    # The graph library takes a third of a second to import, and expressions alone do not need it.
    from fsm_agent.check import actions, events, graph

    return (
        graph.unreachable_states,
        graph.trapped_states,
        graph.dead_ends,
        graph.unbounded_cycles,
        events.shadowed_transitions,
        events.unhandled_events,
        events.impossible_events,
        events.impossible_timers,
        events.endless_questions,
        actions.unknown_actions,
        actions.unknown_arguments,
        actions.missing_arguments,
        actions.undeclared_results,
        actions.unhandled_results,
        actions.unknown_upcasts,
        actions.unknown_tools,
    )
