"""Coverage: which transitions agents have taken, told from their histories; and how their states fare. Pure.

A tally is of one definition. It follows lives step by step, and asks of each step which transition it took: nothing is
guessed from where a step begins and ends.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fsm_agent.domain.agent import ENDED, Head
from fsm_agent.domain.json import Json
from fsm_agent.domain.leaf_transition import DeclaredTransition, LeafTransition, leaf_transitions, outgoing
from fsm_agent.domain.state import Transition
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.usage import NO_USAGE, Usage, as_row, usage_of
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.replay.fold import Replay
from fsm_agent.engine.replay.taken import taken_by

_FAILURES = frozenset({"error", "timeout"})


class Tally:
    """What has happened to the agents of one definition."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        #: ids of those who are counted
        self.agents: set[str] = set()
        self.taken: Counter[LeafTransition] = Counter()
        #: steps that took one of several transitions, and the history does not tell which
        self.undecided: Counter[tuple[LeafTransition, ...]] = Counter()
        #: state, compounds included -> how often it was entered
        self.visits: Counter[str] = Counter()
        #: leaf -> how long agents stayed, in ms, each time that they left
        self.stays: defaultdict[str, list[int]] = defaultdict(list)
        #: leaf -> agents that are there, and have not ended
        self.here: Counter[str] = Counter()
        #: leaf -> failures of its action, and agents that were parked there
        self.errors: Counter[str] = Counter()
        #: leaf -> what models have cost there
        self.usage: defaultdict[str, Usage] = defaultdict(lambda: NO_USAGE)

    def count(self, agent: str, life: Replay, step: Step, entered_ms: int | None) -> None:
        """Count the step that an agent makes next. ``entered_ms`` is when it came to its leaf, if that is known."""
        self.agents.add(agent)
        names = taken_by(life, step)
        if len(names) == 1:
            self.taken[names[0]] += 1
        elif names:
            self.undecided[names] += 1
        entered = life.entered(step)
        if step.source is not None:
            self._leave(step, entered, entered_ms)
        if step.kind.facts.follows_transition and entered:
            self.visits.update(lineage(step.target)[-entered:])

    def _leave(self, step: Step, entered: int, entered_ms: int | None) -> None:
        source = step.source or ""
        if (entered or step.kind is StepKind.CANCELLED) and entered_ms is not None:
            self.stays[source].append(step.at_ms - entered_ms)
        if step.kind is StepKind.PARKED or (step.kind is StepKind.EVENT and step.event in _FAILURES):
            self.errors[source] += 1
        if step.usage != NO_USAGE:
            self.usage[source] = self.usage[source].plus(step.usage)

    def stands(self, head: Head) -> None:
        """Count where an agent is now."""
        if head.status not in ENDED:
            self.here[head.state] += 1

    def add(self, other: Tally) -> None:
        """Count what another tally of the same definition has counted."""
        self.agents |= other.agents
        self.taken.update(other.taken)
        self.undecided.update(other.undecided)
        for mine, its in ((self.visits, other.visits), (self.here, other.here), (self.errors, other.errors)):
            mine.update(its)
        for leaf, stays in other.stays.items():
            self.stays[leaf] += stays
        for leaf, usage in other.usage.items():
            self.usage[leaf] = self.usage[leaf].plus(usage)

    def to_json(self) -> dict[str, Json]:
        """All of it, for another process."""
        return {
            "workflow": self.workflow.to_json(),
            "agents": sorted(self.agents),
            "taken": [[_plain(name), count] for name, count in self.taken.items()],
            "undecided": [[[_plain(each) for each in names], count] for names, count in self.undecided.items()],
            "visits": dict(self.visits),
            "stays": dict(self.stays),
            "here": dict(self.here),
            "errors": dict(self.errors),
            "usage": {leaf: as_row(usage) for leaf, usage in self.usage.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Json], *, prefix: str = "") -> Tally:
        """``prefix`` tells its agents from those of other processes."""
        tally = cls(Workflow.from_json(document["workflow"]))
        tally.agents = {f"{prefix} {agent}" for agent in document["agents"]}
        tally.taken = Counter({_named(name): count for name, count in document["taken"]})
        tally.undecided = Counter({tuple(map(_named, names)): count for names, count in document["undecided"]})
        tally.visits, tally.here = Counter(document["visits"]), Counter(document["here"])
        tally.errors = Counter(document["errors"])
        tally.stays.update(document["stays"])
        tally.usage.update({leaf: usage_of(row) for leaf, row in document["usage"].items()})
        return tally


def _plain(name: LeafTransition) -> list[Json]:
    return [name.leaf, name.event, list(name.declared), name.target]


def _named(row: Sequence[Json]) -> LeafTransition:
    leaf, event, declared, target = row
    return LeafTransition(leaf, event, DeclaredTransition(*declared), target)


class Tracker:
    """Follows one life, and counts each step in the tally of the definition that the agent is pinned to then."""

    def __init__(self, life: Replay, tallies: Mapping[str, Tally], *, name: str = "") -> None:
        """``name`` tells the agent from others of the same id."""
        self.life = life
        self._name = name or life.head.id
        self._tallies = tallies
        self._entered_ms: int | None = None

    def follow(self, step: Step) -> None:
        """Raises what ``Replay.take`` raises."""
        tally = self._tallies.get(self.life.head.definition)
        if tally is not None:
            tally.count(self._name, self.life, step, self._entered_ms)
        if self.life.entered(step) or step.kind.facts.restores:
            self._entered_ms = step.at_ms
        self.life.take(step)


class TransitionCount(NamedTuple):
    """How often a declared transition was taken."""

    declared: DeclaredTransition
    transition: Transition
    #: every leaf that it may be taken in -> how often it was
    leaves: Mapping[str, int]
    #: how often it may have been taken besides: the histories do not tell
    perhaps: int

    @property
    def taken(self) -> int:
        return sum(self.leaves.values())

    @property
    def reached(self) -> int:
        """In how many of its leaves it was taken."""
        return sum(map(bool, self.leaves.values()))

    def to_json(self) -> dict[str, Json]:
        return {
            "in": self.declared.owner or None,
            "event": self.declared.event,
            "number": self.declared.number,
            "target": self.transition.target,
            "guard": self.transition.when,
            "taken": self.taken,
            "perhaps": self.perhaps,
            "leaves": dict(self.leaves),
        }


class StateCount(NamedTuple):
    """How a leaf has fared."""

    path: str
    visits: int
    #: agents that are there now, and have not ended
    here: int
    #: how long agents stayed, in ms: half of them not longer, and 95 of 100; ``None`` if none has left
    dwell_p50_ms: int | None
    dwell_p95_ms: int | None
    errors: int
    usage: Usage

    def to_json(self) -> dict[str, Json]:
        return {**self._asdict(), "usage": self.usage.to_json() if self.usage != NO_USAGE else None}


class Coverage(NamedTuple):
    """What a tally says of a workflow."""

    workflow: Workflow
    agents: int
    transitions: tuple[TransitionCount, ...]
    states: tuple[StateCount, ...]

    @property
    def taken(self) -> int:
        """How many declared transitions were taken."""
        return sum(bool(each.taken) for each in self.transitions)

    @property
    def share(self) -> float:
        """The share of declared transitions that were taken, from 0 to 1."""
        return self.taken / len(self.transitions) if self.transitions else 1.0

    @property
    def never_taken(self) -> tuple[TransitionCount, ...]:
        return tuple(each for each in self.transitions if not each.taken)

    def to_json(self) -> dict[str, Json]:
        inherited = [count for each in self.transitions for count in each.leaves.values()]
        return {
            "name": self.workflow.name,
            "version": self.workflow.version,
            "hash": self.workflow.hash,
            "agents": self.agents,
            "transitions_taken": self.taken,
            "transitions_declared": len(self.transitions),
            "leaf_transitions_taken": sum(map(bool, inherited)),
            "leaf_transitions": len(inherited),
            "transitions": [each.to_json() for each in self.transitions],
            "states": [each.to_json() for each in self.states],
        }


def coverage(tally: Tally) -> Coverage:
    """The tally as it is told: every transition and every leaf in order of declaration."""
    workflow = tally.workflow
    declared: dict[DeclaredTransition, Transition] = {
        each.name.declared: each.transition
        for leaf in workflow.leaves
        if not leaf.final
        for each in outgoing(workflow, leaf)
    }
    leaves: dict[DeclaredTransition, Counter[str]] = {each: Counter() for each in declared}
    for each in leaf_transitions(workflow):
        leaves[each.declared][each.leaf] += tally.taken[each]
    perhaps: Counter[DeclaredTransition] = Counter()
    for names, count in tally.undecided.items():
        perhaps.update(dict.fromkeys({each.declared for each in names}, count))
    order = {path: place for place, path in enumerate(["", *workflow.by_path])}
    counts = [TransitionCount(each, declared[each], leaves[each], perhaps[each]) for each in declared]
    states = tuple(_state(tally, leaf.path) for leaf in workflow.leaves)
    return Coverage(
        workflow, len(tally.agents), tuple(sorted(counts, key=lambda each: order[each.declared.owner])), states
    )


def _state(tally: Tally, path: str) -> StateCount:
    stays = sorted(tally.stays.get(path, ()))
    return StateCount(
        path,
        tally.visits[path],
        tally.here[path],
        _percentile(stays, 0.50),
        _percentile(stays, 0.95),
        tally.errors[path],
        tally.usage.get(path, NO_USAGE),
    )


def _percentile(ordered: Sequence[int], share: float) -> int | None:
    """The smallest value that is not less than so many of all (nearest rank)."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
