"""Whether what has happened to an agent keeps a property: the rules of proofs, asked of a history. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.dialect.terms import TAKEN, Term, TermKind, resolve
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.property import Reaches, Rule, Whenever
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.replay.fold import Replay
from fsm_agent.engine.replay.history import Past
from fsm_agent.errors import ExpressionFailed
from fsm_agent.proof.explore import Edge
from fsm_agent.proof.model import Kind, terms_of_entry
from fsm_agent.proof.rules import BROKEN, Automaton, owed, plain_automaton


def keeps(workflow: Workflow, rule: Rule, past: Past) -> bool:
    """Whether a history keeps a rule. What must still happen counts as broken where nothing brings it about: the agent
    has ended, or it waits and no timer runs."""
    life, state = past.beginning(), 0
    automaton = _automaton(workflow, rule)
    for step in past.steps:
        if isinstance(rule, Whenever) and not _holds(workflow, rule, life, step):
            return False
        life.take(step)
        state = automaton(state, _edge(workflow, step))
        if state == BROKEN:
            return False
    return not isinstance(rule, Reaches) or not state or not _rests(life.head)


def _automaton(workflow: Workflow, rule: Rule) -> Automaton:
    match rule:
        case Reaches():
            return owed(workflow, rule)
        case Whenever():
            return lambda state, _: state
        case _:
            return plain_automaton(workflow, rule)


def _holds(workflow: Workflow, rule: Whenever, life: Replay, step: Step) -> bool:
    """Whether the condition of the rule holds before a step, if the rule speaks of its event."""
    events = resolve(workflow, rule.events, among=TAKEN)
    if events.isdisjoint(_terms(workflow, step)):
        return True
    facts = Event(step.event, step.payload, step.by).facts
    condition = life.aggregate.program.machine.guards.compile(rule.holds, event=step.event)
    try:
        return condition.holds(life.values, facts, life.head.visits)
    except ExpressionFailed:
        return False


def _edge(workflow: Workflow, step: Step) -> Edge:
    """A step as the automata see one: by its terms."""
    terms = frozenset(_terms(workflow, step))
    return Edge(0, 0, Kind.OUTSIDE, step.event, terms, move=None, known=(), is_certain=True)


def _terms(workflow: Workflow, step: Step) -> Iterator[Term]:
    """What happens by a step."""
    if step.kind is StepKind.PARKED:
        yield Term(TermKind.OUTCOME, "parked")
    if step.kind is StepKind.CANCELLED:
        yield from (Term(TermKind.EVENT, "cancel"), Term(TermKind.OUTCOME, "cancelled"))
    if not step.kind.facts.follows_transition:
        return
    is_timer = step.event == "after"
    yield Term(TermKind.TIMER, step.payload["after"]) if is_timer else Term(TermKind.EVENT, step.event)
    if step.entered:
        yield from terms_of_entry(workflow.by_path[step.target], lineage(step.target)[-step.entered :])


def _rests(head: Head) -> bool:
    """Whether nothing happens to the agent unless somebody does something, and a parked one is somebody's business."""
    return head.status in ENDED or (head.status is Status.WAITING and not head.timers)
