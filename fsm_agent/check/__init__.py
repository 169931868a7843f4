"""Checks of a workflow before anything runs: its expressions, its states and events, its actions.

A diagnostic is one function that yields findings of one code; ``ANALYSES`` lists all of them. A finding is proven, or
it is not reported: what depends on data or on people is taken as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from fsm_agent.check import actions as fitting
from fsm_agent.check import events, graph
from fsm_agent.check.builtins import built_in_findings
from fsm_agent.check.codes import Code
from fsm_agent.check.document_checks import below, property_findings
from fsm_agent.check.expressions import expression_findings, long_lists
from fsm_agent.check.implied_findings import without_follow_ups
from fsm_agent.check.merge_policies import merge_findings
from fsm_agent.check.migrations import migration_findings
from fsm_agent.check.reachability import Behaviour
from fsm_agent.check.transition_sites import sites
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow

if TYPE_CHECKING:
    from fsm_agent.check.properties import Prover

__all__ = [
    "Code",
    "behaviour_findings",
    "check_workflow",
    "declaration_findings",
    "expression_findings",
    "proof_findings",
    "value_findings",
]

Analysis: TypeAlias = Callable[[Behaviour], Iterable[Finding]]


def check_workflow(
    workflow: Workflow,
    *,
    actions: Mapping[str, Signature] | None = None,
    tools: Collection[str] | None = None,
    unfound: Mapping[str, str] | None = None,
    doubts: Mapping[str, str] | None = None,
    lacking: Collection[str] = (),
    unread: Mapping[str, str] | None = None,
) -> list[Finding]:
    """All findings, including those of children, in a stable order. ``actions`` are the known actions by the names that
    ``do`` uses, and ``tools`` the known tools; without them every name is trusted. Three mappings have sentences by
    name: ``unfound`` says why there is nothing of this name, ``doubts`` why something about it is unknown, and
    ``unread`` which modules cannot be imported that may have it. ``lacking`` names the extras that are not
    installed."""
    findings = declaration_findings(workflow)
    findings += behaviour_findings(
        workflow, actions=actions, tools=tools, unfound=unfound, doubts=doubts, lacking=lacking, unread=unread
    )
    return _ordered([*findings, *proof_findings(workflow, actions)])


def declaration_findings(workflow: Workflow) -> list[Finding]:
    """Mistakes in the declaration itself. A workflow from the loader has none of them."""
    findings = expression_findings(workflow) + list(merge_findings(workflow))
    findings += [*migration_findings(workflow), *property_findings(workflow)]
    findings += built_in_findings(workflow)
    for name, child in workflow.workflows.items():
        findings += below(("workflows", name), declaration_findings(child))
    return findings


def behaviour_findings(
    workflow: Workflow,
    *,
    actions: Mapping[str, Signature] | None = None,
    tools: Collection[str] | None = None,
    unfound: Mapping[str, str] | None = None,
    doubts: Mapping[str, str] | None = None,
    lacking: Collection[str] = (),
    unread: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Findings about the behaviour of agents and the fit of actions, in a stable order."""
    findings = list(long_lists(workflow))
    behaviour = Behaviour(workflow, actions, tools, unfound or {}, doubts or {}, lacking, unread or {})
    for analysis in _ANALYSES:
        findings += analysis(behaviour)
    findings = without_follow_ups(behaviour, findings)
    unread = fitting.still_unread(behaviour)
    for name, child in workflow.workflows.items():
        of_child = behaviour_findings(
            child, actions=actions, tools=tools, unfound=unfound, doubts=doubts, lacking=lacking, unread=unread
        )
        findings += below(("workflows", name), of_child)
    return _ordered(findings)


def proof_findings(
    workflow: Workflow, actions: Mapping[str, Signature] | None = None, prover: Prover | None = None
) -> list[Finding]:
    """What is found by looking at values, those of children included: what guards make of them, fields that are read
    before they are set, and the properties that some run breaks, or perhaps. All states that an agent can reach are
    looked at, so this may take a second for a large workflow. ``prover`` gives the verdicts; without it they are those
    of the proof alone, which replays nothing."""
    findings = value_findings(workflow, actions)
    if workflow.must:
        from fsm_agent.check.properties import unproved  # imported for workflows that have properties alone

        findings += unproved(workflow, actions or {}, prover)
    for name, child in workflow.workflows.items():
        findings += below(("workflows", name), proof_findings(child, actions, prover))
    return findings


def value_findings(workflow: Workflow, actions: Mapping[str, Signature] | None) -> list[Finding]:
    """What guards make of all values, and which fields are read before they are set. Children are left out."""
    if not workflow.knows_data or not any(site.transition.when or site.transition.assign for site in sites(workflow)):
        return []
    from fsm_agent.check.guards import guard_findings  # imported where values decide something
    from fsm_agent.check.unset_fields import unset_reads
    from fsm_agent.expressions.compiler import Guards

    behaviour, compiler = Behaviour(workflow, actions), Guards(workflow)
    return [*guard_findings(behaviour, compiler), *unset_reads(behaviour, compiler)]


def _ordered(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.code, [str(part) for part in finding.path], finding.message))


def _vacuous_rules(behaviour: Behaviour) -> Iterable[Finding]:
    if not behaviour.workflow.must:
        return ()
    from fsm_agent.check.properties import vacuous_rules  # imported for workflows that have properties alone

    return vacuous_rules(behaviour)


_ANALYSES: Final[tuple[Analysis, ...]] = (
    graph.unreachable_states,
    graph.trapped_states,
    graph.dead_ends,
    graph.unbounded_cycles,
    events.shadowed_transitions,
    events.unhandled_events,
    events.impossible_events,
    events.impossible_timers,
    events.endless_questions,
    fitting.unknown_actions,
    fitting.unknown_arguments,
    fitting.missing_arguments,
    fitting.undeclared_results,
    fitting.unhandled_results,
    fitting.undeclared_writes,
    fitting.unknown_upcasts,
    fitting.unknown_tools,
    fitting.missing_extras,
    fitting.unread_modules,
    fitting.doubts,
    _vacuous_rules,
)
