"""Random workflows of nested states, and walks through any workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from fsm_agent.domain.decision import timer_event
from fsm_agent.domain.state import Duration, State, Timer, Transition
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.engine.machine import Machine

EVENTS = ("go", "stop", "pay")
GUARDS = ('event.by == "ana"', 'event.by == "ben"')
STEPS = 20


class Happening(NamedTuple):
    """An event of a walk, and which guards hold there."""

    #: as the table of a workflow has it
    event: str
    #: state and milliseconds, of a timer
    timer: tuple[str, int] | None
    holds: Mapping[str, bool]


class Walked(NamedTuple):
    """Leaf after leaf, and how often each state was entered."""

    trail: list[str]
    visits: dict[str, int]


def random_workflow(random: Random) -> Workflow:
    writer = _Writer(random)
    states = writer.states("", 1, random.randint(2, 4))
    paths = [path for state in states for path in _paths(state)]
    writer.targets = [None, *paths, *paths, *paths, "end"]
    states = tuple(writer.with_transitions(state) for state in states)
    return Workflow(
        "w",
        1,
        states[0].path,
        (*states, State("end", final=True)),
        events={event: {} for event in EVENTS},
        on={"pay": (writer.transition(),), **({"error": (writer.transition(),)} if random.random() < 0.5 else {})},
    )


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0
        self.targets: list[str | None] = []

    def states(self, prefix: str, depth: int, count: int) -> tuple[State, ...]:
        found = []
        for _ in range(count):
            self._count += 1
            path = f"{prefix}s{self._count}"
            is_compound = depth < 4 and self._random.random() < 0.45
            inner = self.states(f"{path}.", depth + 1, self._random.randint(2, 3)) if is_compound else ()
            found.append(State(path, states=inner, initial=self._random.choice(inner).path if inner else None))
        return tuple(found)

    def with_transitions(self, state: State) -> State:
        random = self._random
        do = "work" if state.is_leaf and random.random() < 0.4 else None
        on = {event: self._candidates() for event in (*EVENTS, "error", "timeout", "cancel") if random.random() < 0.35}
        lengths = [length for length in ("1s", "5m") if random.random() < 0.25]
        return state._replace(
            on={event: None if random.random() < 0.1 else chosen for event, chosen in on.items()},
            after=tuple(Timer(Duration.parse(length), self._candidates()) for length in lengths),
            do=do,
            timeout=Duration.parse("1m") if do and random.random() < 0.5 else None,
            states=tuple(self.with_transitions(child) for child in state.states),
        )

    def _candidates(self) -> tuple[Transition, ...]:
        return tuple(self.transition() for _ in range(self._random.choice([1, 1, 2])))

    def transition(self) -> Transition:
        return Transition(self._random.choice(self.targets), self._random.choice([None, *GUARDS]))


def _paths(state: State) -> Iterator[str]:
    yield state.path
    for child in state.states:
        yield from _paths(child)


# --------------------------------------------------------------------------- walks


def random_walk(workflow: Workflow, machine: Machine, random: Random) -> list[Happening]:
    walk: list[Happening] = []
    leaf = workflow.leaf(workflow.initial).path
    guards = sorted(guards_of(workflow))
    for _ in range(STEPS):
        holds = {guard: random.random() < 0.5 for guard in guards}
        walk.append(_happening(workflow, leaf, random, holds))
        leaf = _after(machine, leaf, walk[-1])[0]
    return walk


def _happening(workflow: Workflow, leaf: str, random: Random, holds: Mapping[str, bool]) -> Happening:
    timers = [(state, timer) for state in workflow.chain(leaf) for timer in state.after]
    if timers and random.random() < 0.3:
        state, timer = random.choice(timers)
        return Happening(timer_event(state.path, timer.duration.text), (state.path, timer.duration.ms), holds)
    handled = list(workflow.handled(leaf)) if random.random() < 0.85 else []
    event = random.choice(handled or [*workflow.events, "cancel"])
    if event == "timeout" and workflow.by_path[leaf].timeout is None:
        event = "error"  # an action that may take any time never takes too long
    return Happening(event, None, holds)


def walked(workflow: Workflow, machine: Machine, walk: list[Happening]) -> Walked:
    """What the engine's own table says, each guard being true or false as the walk says."""
    leaf = workflow.leaf(workflow.initial).path
    trail, visits = [leaf], dict.fromkeys(lineage(leaf), 1)
    for each in walk:
        leaf, entered = _after(machine, leaf, each)
        for path in entered:
            visits[path] = visits.get(path, 0) + 1
        trail.append(leaf)
    return Walked(trail, visits)


def _after(machine: Machine, leaf: str, each: Happening) -> tuple[str, tuple[str, ...]]:
    """The leaf after an event, and the states that are entered."""
    for move in machine.moves(leaf, each.event):
        if move.transition.when is None or each.holds[move.transition.when]:
            return move.target, move.entered
    return leaf, ()


def guards_of(workflow: Workflow) -> set[str]:
    states = [workflow, *workflow.by_path.values()]
    handlers = [chosen for state in states for chosen in state.on.values()]
    handlers += [timer.transitions for state in workflow.by_path.values() for timer in state.after]
    return {each.when for chosen in handlers for each in chosen or () if each.when is not None}
