"""Tours: ways through a workflow that together cover its states, its transitions, or its pairs of transitions. Pure.

Each tour begins with a new agent and goes on, step by step, to the nearest thing that no tour has covered yet, until
nothing more lies ahead of it. That is greedy and no optimum, but it is quick, and tours that are a little longer do no
harm. What a tour needs of the data is found from its end to its beginning: what a guard wants of a field must be
written before, by the last action that can.

A tour is a plan. Whoever plays it on the real engine says how far that went; what was covered is struck off, and an
edge that an agent could not take is avoided from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import LeafTransition, leaf_transitions
from fsm_agent.engine.leaf_moves import leaf_moves
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.explore import Edge, Exploration, Mode
from fsm_agent.proof.model import Choice, Kind
from fsm_agent.proof.slots import Mask
from fsm_agent.proof.writes import Writes


class Cover(StrEnum):
    """The things that tours are to cover."""

    STATES = "states"
    TRANSITIONS = "transitions"
    #: two transitions, one right after the other
    PAIRS = "pairs"


#: a leaf, a transition, or two of them
Goal: TypeAlias = str | LeafTransition | tuple[LeafTransition, LeafTransition]
#: a tour that is as long goes on no further
_LONGEST: Final = 40
_NO_WRITES = Writes()


class _Node(NamedTuple):
    """Where a tour is."""

    #: number of a configuration
    at: int
    #: for pairs, the transition that led there
    last: LeafTransition | None


class TourStep(NamedTuple):
    """One step of a tour."""

    source: str
    kind: Kind
    #: its name; of a timer its duration
    event: str
    #: ``None`` for a timer whose guards all refuse
    transition: LeafTransition | None
    #: in CEL -> examples of what guards, and the steps to come, need at this moment
    known: Mapping[str, tuple[Json, ...]]
    #: in CEL -> examples of what the steps to come need of the data after it
    wanted: Mapping[str, tuple[Json, ...]]


class Tour(NamedTuple):
    """A way through the workflow."""

    #: what its last step covers
    goal: Goal | None
    #: in CEL -> examples of what the steps need of the data at creation
    begins: Mapping[str, tuple[Json, ...]]
    steps: tuple[TourStep, ...]
    edges: tuple[Edge, ...]


def goals(exploration: Exploration, cover: Cover) -> tuple[Goal, ...]:
    """Everything that there is to be covered, in order of declaration."""
    workflow = exploration.model.workflow
    transitions = leaf_transitions(workflow)
    match cover:
        case Cover.STATES:
            return tuple(leaf.path for leaf in workflow.leaves)
        case Cover.TRANSITIONS:
            return transitions
        case Cover.PAIRS:
            after = {leaf.path: [each for each in transitions if each.leaf == leaf.path] for leaf in workflow.leaves}
            return tuple((first, second) for first in transitions for second in after[first.target])


def covered(transitions: Collection[LeafTransition], initial: str, cover: Cover) -> Iterator[Goal]:
    """What a life covers that begins in the leaf ``initial`` and takes these transitions, in this order."""
    match cover:
        case Cover.STATES:
            yield initial
            yield from (each.target for each in transitions)
        case Cover.TRANSITIONS:
            yield from transitions
        case Cover.PAIRS:
            yield from pairwise(transitions)


class Planner:
    """Plans one tour after the other. ``left`` is what is still to be covered."""

    def __init__(self, exploration: Exploration, cover: Cover, left: Collection[Goal]) -> None:
        self._exploration = exploration
        self._cover = cover
        self.left = dict.fromkeys(left)
        machine = exploration.model.machine
        #: by identity, since two candidates may be equal
        self._names = {
            id(each.move): each.name for leaf in machine.workflow.leaves for each in leaf_moves(machine, leaf.path)
        }
        self._avoided: set[Hashable] = set()

    def plan(self, *, is_direct: bool = False) -> Tour | None:
        """The next tour; ``None`` if nothing that is left can be reached any more. A direct one ends where it has
        covered one thing."""
        left, node, goal = dict(self.left), _Node(0, None), None
        path: list[Edge] = []
        if self._cover is Cover.STATES:
            left.pop(self._exploration.configurations[0].leaf, None)
        while left and len(path) < _LONGEST and (way := self._way(node, left)) is not None:
            for edge in way:
                goal = self._goal(node, edge)
                if goal is not None:
                    left.pop(goal, None)
                node = self._after(node, edge)
            path += way
            if is_direct:
                break
        return self._tour(goal, tuple(path)) if len(left) < len(self.left) else None

    def strike(self, found: Collection[Goal]) -> bool:
        """What is covered now; whether anything of that is new."""
        new = [goal for goal in found if goal in self.left]
        for goal in new:
            self.left.pop(goal, None)
        return bool(new)

    def give_up(self, goal: Goal) -> None:
        self.left.pop(goal, None)

    def avoid(self, edge: Edge) -> None:
        """An agent could not take this edge."""
        self._avoided.add(_key(edge))

    def name(self, edge: Edge) -> LeafTransition | None:
        return None if edge.move is None else self._names[id(edge.move)]

    # ------------------------------------------------------------ the way there

    def _way(self, start: _Node, left: Mapping[Goal, None]) -> list[Edge] | None:
        """A shortest way to something that is left."""
        before: dict[_Node, tuple[_Node, Edge] | None] = {start: None}
        queue = [start]
        for node in queue:
            for edge in self._exploration.out(node.at):
                if not self._can_be_taken(edge):
                    continue
                if self._goal(node, edge) in left:
                    return [*_path(before, node), edge]
                following = self._after(node, edge)
                if following not in before:
                    before[following] = (node, edge)
                    queue.append(following)
        return None

    def _goal(self, node: _Node, edge: Edge) -> Goal | None:
        name = self.name(edge)
        if name is None:
            return None
        match self._cover:
            case Cover.STATES:
                return name.target
            case Cover.TRANSITIONS:
                return name
            case Cover.PAIRS:
                return None if node.last is None else (node.last, name)

    def _after(self, node: _Node, edge: Edge) -> _Node:
        if self._cover is not Cover.PAIRS:
            return _Node(edge.target, None)
        return _Node(edge.target, self.name(edge) or node.last)

    def _can_be_taken(self, edge: Edge) -> bool:
        """Whether a tour may go along an edge: not where an agent parks or is cancelled, and not where what is sent has
        to wait until the action ends."""
        if _key(edge) in self._avoided:
            return False
        if edge.move is None:
            return edge.kind is Kind.TIMER
        at, model = self._exploration.configurations[edge.source], self._exploration.model
        is_at_work = at.mode is Mode.WORK and not model.surroundings(at.leaf).asks
        return not (edge.kind is Kind.OUTSIDE and edge.move.is_internal and is_at_work)

    # ----------------------------------------------------------- what it needs

    def _tour(self, goal: Goal | None, path: tuple[Edge, ...]) -> Tour:
        """From the end to the beginning: what a step needs, the one before it must leave."""
        space, at = self._exploration.model.space, self._exploration.configurations
        fresh = tuple(slot.any for slot in space.slots)
        steps, want = [], fresh
        for edge in reversed(path):
            needed = self._needed(edge, want)
            wanted = space.known(tuple(mask & any_ for mask, any_ in zip(want, fresh, strict=True)))
            leaf = at[edge.source].leaf
            steps.append(TourStep(leaf, edge.kind, edge.event, self.name(edge), space.known(needed), wanted))
            want = self._before(edge, needed, fresh)
        return Tour(goal, space.known(want), tuple(reversed(steps)), path)

    def _needed(self, edge: Edge, after: Masks) -> Masks:
        """What must be known when the guards of an edge are asked, so that they lead along it and to ``after``."""
        space, masks = self._exploration.model.space, list(edge.known)
        changes = dict(self._writes(edge).changes)
        for place, slot in enumerate(space.slots):
            if place in changes:
                _narrow(masks, changes[place], after[place])
            elif slot.event is None and slot.visits is None:
                masks[place] = masks[place] & after[place] or masks[place]
        return tuple(masks)

    def _before(self, edge: Edge, needed: Masks, fresh: Masks) -> Masks:
        """What the steps before an edge must leave: nothing where its action writes, or where only its event tells."""
        space, model = self._exploration.model.space, self._exploration.model
        leaf = self._exploration.configurations[edge.source].leaf
        written = set(model.surroundings(leaf).writes) if edge.kind is Kind.ACTION else set()
        return tuple(
            any_ if slot.event is not None or slot.visits is not None or slot.fields & written else mask & any_ or any_
            for slot, mask, any_ in zip(space.slots, needed, fresh, strict=True)
        )

    def _writes(self, edge: Edge) -> Writes:
        if edge.move is None:
            return _NO_WRITES
        return next(choice.writes for choice in self._choices(edge) if choice.move is edge.move)

    def _choices(self, edge: Edge) -> Iterator[Choice]:
        model, at = self._exploration.model, self._exploration.configurations[edge.source]
        if edge.kind is not Kind.TIMER:
            yield from model.choices(at.leaf, edge.kind, edge.event)
            return
        for owner, fired in at.timers:
            yield from model.clock(at.leaf, owner, fired).choices


def _narrow(masks: list[Mask], new: Callable[[Masks], Mask], after: Mask) -> None:
    """Leave out the values of a slot from which what is written cannot become what is wanted."""
    for place, mask in enumerate(masks):
        kept = 0
        for bit in range(mask.bit_length()):
            one = 1 << bit
            if mask & one and new((*masks[:place], one, *masks[place + 1 :])) & after:
                kept |= one
        masks[place] = kept or mask


def _key(edge: Edge) -> Hashable:
    return edge.source, edge.target, edge.kind, edge.event, id(edge.move), edge.known


def _path(before: Mapping[_Node, tuple[_Node, Edge] | None], node: _Node) -> list[Edge]:
    path: list[Edge] = []
    while (step := before[node]) is not None:
        node, edge = step
        path.append(edge)
    return path[::-1]
