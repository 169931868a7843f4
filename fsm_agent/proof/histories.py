"""Whether what has happened to an agent keeps a property: the rules of proofs, asked of a history. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from fsm_agent.dialect.terms import TAKEN, Term, TermKind, resolve
from fsm_agent.domain.agent import ENDED, Head, Status
from fsm_agent.domain.property import Reaches, Rule, Whenever
from fsm_agent.domain.step import Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.machine import Machine
from fsm_agent.engine.replay.fold import Replay
from fsm_agent.engine.replay.history import Past
from fsm_agent.errors import ExpressionFailed
from fsm_agent.proof.explore import Edge
from fsm_agent.proof.model import Kind, terms_of_entry
from fsm_agent.proof.rules import BROKEN, Automaton, owed, plain_automaton


def keeps(workflow: Workflow, rule: Rule, past: Past, now_ms: int | None = None) -> bool:
    """Whether a history keeps a rule. What must still happen counts as broken where nothing brings it about (the agent
    has ended, or it waits and no timer runs), and where ``within`` is over, at ``now_ms`` if that is given."""
    life, state, debt = past.beginning(), 0, _Debt()
    automaton = _automaton(workflow, rule)
    for step in past.steps:
        if not isinstance(rule, Whenever):
            life.take(step)
        elif not _taken_and_held(workflow, rule, life, step):
            return False
        state = automaton(state, _edge(workflow, step))
        if state == BROKEN:
            return False
        debt.take(step, is_owed=bool(state))
    if not isinstance(rule, Reaches):
        return True
    is_late = rule.within is not None and debt.longest_ms(now_ms) > rule.within.ms
    return not is_late and not (state and _rests(life.head))


def owes(workflow: Workflow, rule: Reaches, past: Past) -> bool:
    """Whether what a rule wants is still to come at the end of a history."""
    state, automaton = 0, owed(workflow, rule)
    for step in past.steps:
        state = automaton(state, _edge(workflow, step))
    return bool(state)


class _Debt:
    """For how long something is owed; the time of an operator does not count."""

    def __init__(self) -> None:
        self._longest_ms = self._since_ms = self._last_ms = 0
        self._is_owed = self._is_parked = False

    def take(self, step: Step, *, is_owed: bool) -> None:
        self._pass(step.at_ms)
        if is_owed and not self._is_owed:
            self._since_ms = step.at_ms
        self._is_owed, self._is_parked = is_owed, step.kind is StepKind.PARKED

    def longest_ms(self, now_ms: int | None) -> int:
        if now_ms is not None:
            self._pass(now_ms)
        return self._longest_ms

    def _pass(self, at_ms: int) -> None:
        if self._is_owed and self._is_parked:
            self._since_ms += at_ms - self._last_ms
        elif self._is_owed:
            self._longest_ms = max(self._longest_ms, at_ms - self._since_ms)
        self._last_ms = at_ms


def _automaton(workflow: Workflow, rule: Rule) -> Automaton:
    match rule:
        case Reaches():
            return owed(workflow, rule)
        case Whenever():
            return lambda state, _: state
        case _:
            return plain_automaton(workflow, rule)


def _taken_and_held(workflow: Workflow, rule: Whenever, life: Replay, step: Step) -> bool:
    """Take a step: whether the condition of the rule holds as its guards saw it, if the rule speaks of its event."""
    if resolve(workflow, rule.events, among=TAKEN).isdisjoint(_terms(workflow, step)):
        life.take(step)
        return True
    machine = life.aggregate.program.machine
    before, visits = deepcopy(dict(life.values)), dict(life.head.visits)
    life.take(step)
    assigned = _assigned(machine, step)
    seen = {name: before.get(name) if name in assigned else value for name, value in life.values.items()}
    facts = Event(step.event, step.payload, step.by).facts
    try:
        return machine.guards.compile(rule.holds, event=step.event).holds(seen, facts, visits)
    except ExpressionFailed:
        return False


def _assigned(machine: Machine, step: Step) -> frozenset[str]:
    """The fields that the transition of a step writes: whatever else has changed, its action wrote before guards were
    asked."""
    moves = () if step.source is None else machine.moves(step.source, step.event)
    taken = [move.transition for move in moves if move.target == step.target]
    return frozenset(name for each in taken for name in (*each.assign, *each.append))


def _edge(workflow: Workflow, step: Step) -> Edge:
    """A step as the automata see one: by its terms."""
    terms = frozenset(_terms(workflow, step))
    return Edge(0, 0, Kind.OUTSIDE, step.event, terms, move=None, known=(), is_certain=True)


def _terms(workflow: Workflow, step: Step) -> Iterator[Term]:
    """The terms that are true of a step."""
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
