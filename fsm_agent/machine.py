"""What may happen: the declared table, compiled once and asked by pure look-ups.

``transitions`` is the decision core, used flat: nested states become their leaves, and inherited handlers become
candidates of each leaf. Its event class *selects* only: it asks the guards of its transitions in turn and names the
one that is taken. Nothing is moved, so no callback, queue or error policy of the library is ever involved.
Everything is validated before it is compiled, because unknown names would be accepted there.

Which candidates an event has in a leaf, and in which order, is ``Workflow.candidates``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import transitions

from fsm_agent.guards import Guards
from fsm_agent.jsontypes import Json
from fsm_agent.state import Candidates, State, Transition
from fsm_agent.step import NOTHING, Event
from fsm_agent.workflow import Workflow, lineage

logging.getLogger("transitions").setLevel(logging.ERROR)


class Scene(NamedTuple):
    """What expressions may look at."""

    data: Mapping[str, Json]
    #: ``None`` where nothing has happened, as for the arguments of an action
    event: Event | None
    visits: Mapping[str, int]

    @property
    def facts(self) -> Mapping[str, Json]:
        """What expressions see as ``event``."""
        return NOTHING if self.event is None else self.event.facts


#: a guard that is compiled
Guard: TypeAlias = Callable[[Scene], bool]


@dataclass(frozen=True, slots=True)
class Move:
    """What taking a transition from one leaf means. ``target`` is the leaf where it comes to rest; the paths
    that are left are given innermost first, those that are entered outermost first."""

    transition: Transition
    target: str
    exited: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()

    @property
    def is_internal(self) -> bool:
        return self.transition.target is None


@dataclass(frozen=True, slots=True)
class Taken:
    """A candidate whose guard held."""

    move: Move


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The table has no candidate for this event here."""


@dataclass(frozen=True, slots=True)
class GuardsRefuse:
    """There are candidates, and none of their guards held."""

    guards: tuple[str, ...]


Decision: TypeAlias = Taken | NotAllowed | GuardsRefuse
_NOT_ALLOWED: Final = NotAllowed()


class _Candidate(transitions.Transition):
    """A transition that is selected, and never carried out."""

    def __init__(self, move: Move, source: str, guard: Guard | None) -> None:
        super().__init__(source, move.target)
        self.guard, self.taken = guard, Taken(move)


class _Selector(transitions.core.Event):
    """An event of which only the choice between its transitions is left: the library's own makes an object of what
    happens and goes through callbacks, a queue and a log, which costs twenty times as much."""

    def trigger(self, leaf: str, scene: Scene) -> Taken | None:  # type: ignore[override]
        """The first transition out of ``leaf`` whose guard holds, if there is one."""
        candidates: list[Any] = self.transitions[leaf]
        for candidate in candidates:
            if candidate.guard is None or candidate.guard(scene):
                taken: Taken = candidate.taken
                return taken
        return None


class Machine:
    """The compiled table of one workflow, shared by all its agents; holds no state of any of them."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.guards = Guards(workflow)
        leaves = [leaf.path for leaf in workflow.leaves]
        self._machine: Any = transitions.Machine(
            model=None, states=leaves, initial=leaves[0], auto_transitions=False, send_event=True, queued=False
        )
        self._table: dict[str, dict[str, tuple[Move, ...]]] = {leaf: {} for leaf in leaves}
        for leaf in workflow.leaves:
            for event in workflow.handled(leaf.path):
                self._compile(leaf, event, workflow.candidates(leaf.path, event))
            for state in workflow.chain(leaf.path):
                for timer in state.after:
                    self._compile(leaf, timer_event(state.path, timer.duration.text), timer.transitions)

    def _compile(self, leaf: State, event: str, candidates: Candidates) -> None:
        if not candidates:
            return
        moves = tuple(_move(self.workflow, leaf, each) for each in candidates)
        self._table[leaf.path][event] = moves
        if event not in self._machine.events:
            self._machine.events[event] = _Selector(event, self._machine)
        for move in moves:
            self._machine.events[event].add_transition(_Candidate(move, leaf.path, self._guard(move, event)))

    def _guard(self, move: Move, event: str) -> Guard | None:
        text = move.transition.when
        if text is None:
            return None
        expression = self.guards.compile(text, event="after" if event.startswith(_TIMER) else event)
        if any(name.startswith("event.") for name in expression.mentions):
            return lambda scene: expression.holds(scene.data, scene.facts, scene.visits)
        return lambda scene: expression.holds(scene.data, NOTHING, scene.visits)

    def decide(self, state: str, event: str, scene: Scene) -> Decision:
        """What ``event`` leads to in leaf ``state``; pure. A timer's event is ``timer_event(...)``.

        Raises ``ExpressionFailed`` if a guard that is reached cannot be evaluated.
        """
        moves = self._table[state].get(event)
        if moves is None:
            return _NOT_ALLOWED
        taken: Taken | None = self._machine.events[event].trigger(state, scene)
        return taken or GuardsRefuse(tuple(move.transition.when or "true" for move in moves))

    def moves(self, state: str, event: str) -> tuple[Move, ...]:
        """The candidates of an event in a leaf, in the order in which they are tried."""
        return self._table[state].get(event, ())


_TIMER: Final = "after "


def timer_event(state: str, label: str) -> str:
    """The name under which the table keeps the timer ``label`` of ``state``; no declared event can have it."""
    return f"{_TIMER}{label} in {state}"


def _move(workflow: Workflow, leaf: State, transition: Transition) -> Move:
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
