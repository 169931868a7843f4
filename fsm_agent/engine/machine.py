"""What may happen: the declared table, compiled once and asked by pure look-ups.

``transitions`` is the decision core, used flat: nested states become their leaves, and inherited handlers become
candidates of each leaf. Its machine holds the table, and what it holds is read off once, row by row: to decide is to
look up a row and to ask its guards in turn. Nothing is triggered, so no callback, queue or error policy of the
library is ever involved, and nothing is paid for them. Everything is validated before it is compiled, because unknown
names would be accepted there.

Which candidates an event has in a leaf, and in which order, is ``Workflow.candidates``.
"""

from __future__ import annotations

from typing import Any

import transitions

from fsm_agent.domain.decision import (
    NOT_ALLOWED,
    TIMER,
    Decision,
    EvaluationContext,
    GuardsRefuse,
    Move,
    Taken,
    timer_event,
)
from fsm_agent.domain.state import Candidates, State, Transition
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.expressions.compiler import Expression, Guards


class _Candidate(transitions.Transition):
    """A transition that is selected, and never carried out."""

    def __init__(self, move: Move, source: str, guard: Expression | None) -> None:
        super().__init__(source, move.target)
        self.guard, self.taken = guard, Taken(move)
        self.reads_event = guard is not None and any(name.startswith("event.") for name in guard.mentions)


class Machine:
    """The compiled table of one workflow, shared by all its agents; holds no state of any of them."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.guards = Guards(workflow)
        leaves = [leaf.path for leaf in workflow.leaves]
        self._machine: Any = transitions.Machine(
            model=None, states=leaves, initial=leaves[0], auto_transitions=False, send_event=True, queued=False
        )
        for leaf in workflow.leaves:
            for event in workflow.handled(leaf.path):
                self._compile(leaf, event, workflow.candidates(leaf.path, event))
            for state in workflow.chain(leaf.path):
                for timer in state.after:
                    self._compile(leaf, timer_event(state.path, timer.duration.text), timer.transitions)

        self._rows = {leaf: self._row(leaf) for leaf in leaves}

    def _compile(self, leaf: State, event: str, candidates: Candidates) -> None:
        for each in candidates:
            if event not in self._machine.events:
                self._machine.events[event] = transitions.core.Event(event, self._machine)
            candidate = _Candidate(move_from(self.workflow, leaf, each), leaf.path, self._guard(each, event))
            self._machine.events[event].add_transition(candidate)

    def _row(self, leaf: str) -> dict[str, tuple[_Candidate, ...]]:
        """What the machine has for a leaf: event -> candidates, in the order in which they are tried."""
        events = self._machine.events.items()
        return {name: tuple(event.transitions[leaf]) for name, event in events if event.transitions.get(leaf)}

    def _guard(self, transition: Transition, event: str) -> Expression | None:
        if transition.when is None:
            return None
        return self.guards.compile(transition.when, event="after" if event.startswith(TIMER) else event)

    def decide(self, state: str, event: str, context: EvaluationContext) -> Decision:
        """What ``event`` leads to in leaf ``state``; pure. A timer's event is ``timer_event(...)``.

        Raises ``ExpressionFailed`` if a guard that is reached cannot be evaluated.
        """
        candidates = self._rows[state].get(event)
        if candidates is None:
            return NOT_ALLOWED
        for candidate in candidates:
            guard, facts = candidate.guard, context.facts if candidate.reads_event else NOTHING
            if guard is None or guard.holds(context.data, facts, context.visits):
                return candidate.taken
        return GuardsRefuse(tuple(candidate.taken.move.transition.when or "true" for candidate in candidates))

    def moves(self, state: str, event: str) -> tuple[Move, ...]:
        """The candidates of an event in a leaf, in the order in which they are tried."""
        return tuple(candidate.taken.move for candidate in self._rows[state].get(event, ()))


def move_from(workflow: Workflow, leaf: State, transition: Transition) -> Move:
    """Leave up to the least common ancestor of leaf and target, enter ``initial`` downward.

    The ancestor is a proper one of both, so that a self-target, and a target that is an own ancestor, is left and
    entered again.
    """
    if transition.target is None:
        return Move(transition, leaf.path)
    target = workflow.leaf(transition.target)
    old, named, new = lineage(leaf.path), lineage(transition.target), lineage(target.path)
    shared = 0
    while shared < min(len(old), len(named)) - 1 and old[shared] == named[shared]:
        shared += 1
    return Move(transition, target.path, tuple(reversed(old[shared:])), new[shared:])
