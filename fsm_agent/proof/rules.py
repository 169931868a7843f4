"""Rules that something must never happen, each as an automaton that goes along with the steps of an agent.

| rule | in the logic of time | states of the automaton |
|---|---|---|
| never X | G not X | one |
| never X before Y | not X W Y; Y in the same step counts as before | waiting, free for ever |
| never X after A | G(A -> next G not X) | free, forbidden for ever |
| never X from A until B | G(A -> next(not X W B)) | free, forbidden |
| at most n of X from A | | how many there were; A counts from nothing again |
| whenever E holds C | G(E -> C), C as guards see it, before the assigns | one |

What must happen is judged by ``owed``: whether something is still to come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from fsm_agent.dialect.terms import Term, resolve
from fsm_agent.domain.property import AtMost, Never, Reaches, Whenever
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.explore import Edge
from fsm_agent.proof.space import Guard, Space

Happened: TypeAlias = frozenset[Term]
#: state and what happens -> the next state
Automaton: TypeAlias = Callable[[int, Edge], int]

#: the state of an automaton whose rule is broken; all begin with 0
BROKEN: Final = -1


def automaton(
    workflow: Workflow, rule: Never | AtMost | Whenever, space: Space, *, only_certain: bool = False
) -> Automaton:
    """Raises ``ValueError`` for a term that names nothing. ``only_certain`` leaves out what breaks a condition perhaps,
    and perhaps not."""
    if isinstance(rule, Whenever):
        return _whenever(workflow, rule, space, only_certain=only_certain)
    return plain_automaton(workflow, rule)


def plain_automaton(workflow: Workflow, rule: Never | AtMost) -> Automaton:
    """The automaton of a rule that speaks of no data."""
    return _never(workflow, rule) if isinstance(rule, Never) else _at_most(workflow, rule)


def conditions_of(workflow: Workflow, rule: Whenever) -> list[Guard]:
    """What a rule asks, and of which event."""
    return [(rule.holds, term.event) for term in resolve(workflow, rule.events)]


def failing(workflow: Workflow, rule: Whenever, space: Space, edge: Edge) -> Masks:
    """What is known where the condition of a rule fails at an edge that breaks it."""
    happened = sorted(resolve(workflow, rule.events) & edge.terms)
    ways = (way for term in happened for way in space.split(rule.holds, term.event)(space.valid(edge.known, unless=())))
    return next((known for truth, known in ways if truth is not True), edge.known)


def owed(workflow: Workflow, rule: Reaches) -> Automaton:
    """1 while something that must happen is still to come."""
    goal, since = resolve(workflow, rule.terms), resolve(workflow, rule.since or ("event created",))

    def step(state: int, edge: Edge) -> int:
        if not goal.isdisjoint(edge.terms):
            return 0
        return state or int(not since.isdisjoint(edge.terms))

    return step


def _never(workflow: Workflow, rule: Never) -> Automaton:
    banned = resolve(workflow, rule.terms)
    if rule.before:
        return _before(banned, resolve(workflow, rule.before))
    if rule.after or rule.since:
        return _between(banned, resolve(workflow, rule.after or rule.since), resolve(workflow, rule.until))

    def step(_: int, edge: Edge) -> int:
        return 0 if banned.isdisjoint(edge.terms) else BROKEN

    return step


def _before(banned: Happened, freeing: Happened) -> Automaton:
    def step(state: int, edge: Edge) -> int:
        if state == 1 or not freeing.isdisjoint(edge.terms):
            return 1
        return 0 if banned.isdisjoint(edge.terms) else BROKEN

    return step


def _between(banned: Happened, since: Happened, until: Happened) -> Automaton:
    def step(state: int, edge: Edge) -> int:
        begins = not since.isdisjoint(edge.terms)
        if state == 0 or not until.isdisjoint(edge.terms):
            return int(begins)
        return 1 if banned.isdisjoint(edge.terms) else BROKEN

    return step


def _at_most(workflow: Workflow, rule: AtMost) -> Automaton:
    counted, since = resolve(workflow, rule.terms), resolve(workflow, rule.since)

    def step(state: int, edge: Edge) -> int:
        count = 0 if not since.isdisjoint(edge.terms) else state
        if counted.isdisjoint(edge.terms):
            return count
        return count + 1 if count < rule.count else BROKEN

    return step


def _whenever(workflow: Workflow, rule: Whenever, space: Space, *, only_certain: bool) -> Automaton:
    """An error counts as broken, and so does what is not known."""
    events = resolve(workflow, rule.events)
    splits = {
        term: space.split(rule.holds, term.event)
        for term in events
        if not only_certain or space.is_certain(rule.holds, term.event)
    }

    def step(_: int, edge: Edge) -> int:
        known = space.valid(edge.known, unless=()) if only_certain else edge.known
        for term in splits.keys() & edge.terms:
            if any(truth is not True for truth, _ in splits[term](known)):
                return BROKEN
        return 0

    return step
