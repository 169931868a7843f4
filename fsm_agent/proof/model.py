"""What may happen in each leaf of a workflow, made ready to be explored: candidates with their guards and writes."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum, auto
from functools import cached_property
from typing import NamedTuple

from fsm_agent.dialect.terms import Term, TermKind
from fsm_agent.domain.decision import Move, timer_event
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.proof.conditions import Split, always
from fsm_agent.proof.environment import (
    Knowledge,
    Surroundings,
    can_misfit_on_entry,
    guards_of,
    surroundings,
)
from fsm_agent.proof.space import Guard, Space
from fsm_agent.proof.writes import Writes, writes_of


class Kind(StrEnum):
    """The cause of a step."""

    #: an action names an event
    ACTION = auto()
    #: an action fails, or takes too long
    FAILURE = auto()
    TIMER = auto()
    #: somebody sends an event
    OUTSIDE = auto()
    #: somebody cancels an agent whose workflow does not handle that
    CANCEL = auto()
    #: what happened cannot be handled: the agent waits for an operator
    PARK = auto()
    #: an operator lets it go on
    UNPARK = auto()


class Choice(NamedTuple):
    """A candidate of an event in a leaf."""

    split: Split
    move: Move
    writes: Writes
    #: what happens if it is taken
    terms: frozenset[Term]
    #: whether taking it may fail instead: for what it writes, for what is asked on entry, for a limit
    can_park: bool
    #: whether each outcome of its guard, and of those before it, is one that can be
    is_certain: bool


class Clock(NamedTuple):
    """A timer of a state, in a leaf."""

    label: str
    choices: tuple[Choice, ...]


class Model:
    """One workflow. With ``conditions``, guards and these are looked into; without (``None``) only control counts."""

    def __init__(
        self, workflow: Workflow, machine: Machine, known: Knowledge, conditions: Iterable[Guard] | None
    ) -> None:
        self.workflow = workflow
        self.machine = machine
        self._known = known
        tracked = () if conditions is None else (*guards_of(workflow), *conditions)
        self.space = Space(workflow, machine.guards, tracked)
        self._choices: dict[tuple[str, Kind, str], tuple[Choice, ...]] = {}
        self._surroundings: dict[str, Surroundings] = {}
        self._clocks: dict[tuple[str, str, int], Clock] = {}
        self._entry: dict[str, tuple[frozenset[Term], bool]] = {}

    def surroundings(self, path: str) -> Surroundings:
        if path not in self._surroundings:
            leaf = self.workflow.by_path[path]
            self._surroundings[path] = surroundings(self.workflow, leaf, self._known, self.space)
        return self._surroundings[path]

    @cached_property
    def timers(self) -> dict[str, tuple[int, ...]]:
        """State -> its timers in the order in which they fire: by time, and of equal ones as they are declared."""
        return {
            path: tuple(sorted(range(len(state.after)), key=lambda at, state=state: (state.after[at].duration.ms, at)))  # type: ignore[misc]
            for path, state in self.workflow.by_path.items()
            if state.after
        }

    def choices(self, path: str, kind: Kind, event: str) -> tuple[Choice, ...]:
        """The candidates of an event in a leaf, in the order in which they are tried."""
        key = (path, kind, event)
        if key not in self._choices:
            moves = self.machine.moves(path, event)
            self._choices[key] = self._compiled(moves, kind, event, Term(TermKind.EVENT, event))
        return self._choices[key]

    def clock(self, path: str, owner: str, fired: int) -> Clock:
        """The timer of a state that fires next, as it is in a leaf."""
        key = (path, owner, fired)
        if key not in self._clocks:
            label = self.workflow.by_path[owner].after[self.timers[owner][fired]].duration.text
            moves = self.machine.moves(path, timer_event(owner, label))
            self._clocks[key] = Clock(label, self._compiled(moves, Kind.TIMER, "after", Term(TermKind.TIMER, label)))
        return self._clocks[key]

    def _compiled(self, moves: tuple[Move, ...], kind: Kind, event: str, happened: Term) -> tuple[Choice, ...]:
        found, is_certain = [], True
        for move in moves:
            guard = move.transition.when
            is_certain = is_certain and (guard is None or self.space.is_certain(guard, event))
            writes = writes_of(self.space, move.transition, event, is_sent=kind is Kind.OUTSIDE)
            entry, can_misfit = self.entry(move)
            can_park = writes.can_fail or can_misfit or self._is_limited(move, event)
            split = always if guard is None else self.space.split(guard, event)
            found.append(Choice(split, move, writes, entry | {happened}, can_park, is_certain and not can_misfit))
        return tuple(found)

    def entry(self, move: Move) -> tuple[frozenset[Term], bool]:
        """What happens when a move enters states, and whether that may fail."""
        if not move.entered:
            return frozenset(), False
        leaf = self.workflow.by_path[move.target]
        return terms_of_entry(leaf, move.entered), can_misfit_on_entry(self.space, leaf)

    def _is_limited(self, move: Move, event: str) -> bool:
        """Whether a limit may park the agent instead."""
        limits = self.workflow.limits
        if event == "cancel":
            return False
        works = bool(move.entered) and self.workflow.by_path[move.target].do is not None
        is_counted = not limits.visits.keys().isdisjoint(move.entered)
        return limits.steps is not None or is_counted or (limits.wall_time is not None and works)


def terms_of_entry(leaf: State, entered: tuple[str, ...]) -> frozenset[Term]:
    terms = {Term(TermKind.STATE, path) for path in entered}
    if leaf.do is not None:
        terms.add(Term(TermKind.ACTION, leaf.do))
    if leaf.final:
        terms.add(Term(TermKind.OUTCOME, leaf.outcome))
    return frozenset(terms)
