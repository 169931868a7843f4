"""The analyses against a walk that shares no code with them: it follows every event under every truth of the guards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.check.events import impossible_events, shadowed_transitions
from fsm_agent.check.graph import dead_ends, trapped_states, unbounded_cycles, unreachable_states
from fsm_agent.check.reachability import Behaviour
from fsm_agent.check.transition_sites import Site
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Duration, Handlers, State, Timer, Transition
from fsm_agent.domain.workflow import Workflow
from tests.support.hypothesis_settings import example_settings

EVENTS = ("go", "stop", "error", "timeout", "cancel")
GUARDS = ("data.p", "data.q")
PATHS = ("a", "b", "c", "c.d", "c.e", "f", "g")
SECOND = Duration.parse("1s")


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Three leaves and a compound state of two at the top, and two final states, whatever leads where."""
    targets = st.sampled_from(PATHS) | st.none()
    transitions = st.tuples(targets, st.sampled_from([*GUARDS, None])).map(lambda chosen: Transition(*chosen))
    lists = st.lists(transitions, min_size=1, max_size=3).map(tuple)
    handlers = st.dictionaries(st.sampled_from(EVENTS), lists | st.none(), max_size=3)

    def leaf(path: str) -> State:
        timers = draw(st.lists(lists, max_size=1).map(lambda chosen: tuple(Timer(SECOND, each) for each in chosen)))
        do = draw(st.none() | st.just("work"))
        timeout = draw(st.none() | st.just(SECOND)) if do else None
        return State(path, do=do, timeout=timeout, on=draw(handlers), after=timers)

    compound = State("c", states=(leaf("c.d"), leaf("c.e")), initial="c.d", on=draw(handlers))
    states = (leaf("a"), leaf("b"), compound, State("f", final=True), State("g", final=True))
    data = {"p": {"type": "boolean"}, "q": {"type": "boolean"}}
    return Workflow("w", 1, "a", states, data=data, events={"go": {}, "stop": {}}, on=draw(handlers))


LEAVES = ("a", "b", "c.d", "c.e")


def levels(workflow: Workflow, leaf: str) -> list[tuple[str, State | Workflow]]:
    tops = {state.path: state for state in workflow.states}
    if leaf in tops:
        return [(leaf, tops[leaf]), ("", workflow)]
    inner = {state.path: state for state in tops["c"].states}
    return [(leaf, inner[leaf]), ("c", tops["c"]), ("", workflow)]


Numbered = tuple[tuple[str, str, int], Transition]


def tried(workflow: Workflow, leaf: str, event: str) -> list[Numbered]:
    """The candidates of one event, each with the place of its declaration."""
    found: list[Numbered] = []
    for owner, level in levels(workflow, leaf):
        chosen = level.on.get(event, ())
        if chosen is None:
            break
        found += [((owner, event, at), each) for at, each in enumerate(chosen)]
    return found + tried(workflow, leaf, "error") if event == "timeout" else found


def taken(candidates: list[Numbered]) -> Iterator[Numbered]:
    """What is taken under each truth of the guards."""
    for truth in product([True, False], repeat=2):
        holds = {None: True, **dict(zip(GUARDS, truth, strict=True))}
        yield from [each for each in candidates if holds[each[1].when]][:1]


def steps(workflow: Workflow, leaf: str) -> Iterator[tuple[str, Numbered]]:
    """Every event that can happen in a leaf, and what it can take there."""
    state = levels(workflow, leaf)[0][1]
    assert isinstance(state, State)
    for event in EVENTS:
        if (event != "error" or state.do) and (event != "timeout" or (state.do and state.timeout)):
            for each in taken(tried(workflow, leaf, event)):
                yield event, each
    for timer in state.after:
        for each in taken([((leaf, "after 1s", at), each) for at, each in enumerate(timer.transitions)]):
            yield "after", each


def is_emergency(step: tuple[str, Numbered]) -> bool:
    (owner, event, _), _ = step[1]
    return owner == "" and event in {"error", "timeout", "cancel"}


def at_rest(target: str) -> str:
    return "c.d" if target == "c" else target


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges = edges | more
    return edges


def edges_of(workflow: Workflow, *, calm: bool) -> set[tuple[str, str]]:
    return {
        (leaf, at_rest(step[1][1].target))
        for leaf in LEAVES
        for step in steps(workflow, leaf)
        if step[1][1].target is not None and not (calm and is_emergency(step))
    }


def about(findings: Iterable[Finding]) -> set[str]:
    """The states that findings are about."""
    return {".".join(map(str, finding.path[1::2])) for finding in findings}


@example_settings(150)
@given(workflows())
def test_reachability_agrees_with_a_walk(workflow: Workflow) -> None:
    behaviour = Behaviour(workflow)
    reached = {"a"} | {end for start, end in closure(edges_of(workflow, calm=False)) if start == "a"}
    entered = reached | ({"c"} if reached & {"c.d", "c.e"} else set())
    outermost = {path for path in PATHS if path not in entered and ("." not in path or "c" in entered)}
    assert about(unreachable_states(behaviour)) == outermost

    calm = edges_of(workflow, calm=True)
    dead = {leaf for leaf in LEAVES if leaf in reached and not any(start == leaf for start, _ in calm)}
    assert about(dead_ends(behaviour)) == dead

    ends = dead | {"f", "g"}
    trapped = {leaf for leaf in LEAVES if leaf in reached - dead} - {a for a, b in closure(calm) if b in ends}
    told = {leaf for finding in trapped_states(behaviour) for leaf in LEAVES if f"`{leaf}`" in finding.message}
    assert told == trapped


@example_settings(150)
@given(workflows())
def test_a_transition_is_shadowed_if_and_only_if_nothing_ever_takes_it(workflow: Workflow) -> None:
    taken_somewhere = {
        place for leaf in LEAVES for event in EVENTS for place, _ in taken(tried(workflow, leaf, event))
    } | {step[1][0] for leaf in LEAVES for step in steps(workflow, leaf)}
    declared = {
        (owner, event, at)
        for leaf in LEAVES
        for owner, level in levels(workflow, leaf)
        for event, chosen in level.on.items()
        for at in range(len(chosen or ()))
    } | {
        (state.path, "after 1s", at)
        for leaf in LEAVES
        if isinstance(state := levels(workflow, leaf)[0][1], State)
        for timer in state.after
        for at in range(len(timer.transitions))
    }
    shadowed = {finding.path for finding in shadowed_transitions(Behaviour(workflow))}
    assert len(shadowed) == len(declared - taken_somewhere)


@example_settings(150)
@given(workflows(), st.frozensets(st.sampled_from(["go", "stop"])))
def test_a_cycle_of_actions_is_found_wherever_there_is_one(workflow: Workflow, emits: frozenset[str]) -> None:
    reached = {"a"} | {end for start, end in closure(edges_of(workflow, calm=False)) if start == "a"}
    working = {leaf for leaf in LEAVES if leaf in reached and getattr(levels(workflow, leaf)[0][1], "do", None)}
    busy = {
        (leaf, at_rest(transition.target))
        for leaf in working
        for event, (_, transition) in steps(workflow, leaf)
        if event in emits | {"error"} and transition.target is not None and at_rest(transition.target) in working
    }
    around = closure(busy)
    cycles = {frozenset(b for b in working if {(a, b), (b, a)} <= around) for a in working if (a, a) in around}
    behaviour = Behaviour(workflow, {"work": Signature(emits=emits)})
    witnesses = [finding.witness for finding in unbounded_cycles(behaviour)]
    assert len(witnesses) == len(cycles)
    for witness in witnesses:
        assert witness[0] == witness[-1]
        assert all(pair in busy for pair in zip(witness[::2], witness[2::2], strict=False))


@given(workflows())
def test_candidates_are_those_of_the_workflow_itself(workflow: Workflow) -> None:
    behaviour = Behaviour(workflow)

    def transitions(sites: list[Site]) -> tuple[Transition, ...]:
        return tuple(site.transition for site in sites)

    for leaf in LEAVES:
        for event in EVENTS:
            assert transitions(behaviour.candidates(leaf, event)) == workflow.candidates(leaf, event)


@given(workflows())
def test_problems_are_impossible_exactly_where_no_state_below_can_cause_them(workflow: Workflow) -> None:
    found = {finding.path for finding in impossible_events(Behaviour(workflow))}
    expected = set()
    for owner, path in ((workflow, ()), *((state, ("states", state.path)) for state in workflow.states)):
        inner = [state for state in workflow.states if owner is workflow or state is owner]
        below = [leaf for state in inner for leaf in (state.states or (state,))]
        expected |= {(*path, "on", event) for event in impossible(owner.on, below)}
    for leaf in workflow.states[2].states:
        path = ("states", "c", "states", leaf.name)
        expected |= {(*path, "on", event) for event in impossible(leaf.on, (leaf,))}
    assert found == expected


def impossible(on: Handlers, leaves: Iterable[State]) -> Iterator[str]:
    """Which problems are handled and cannot happen in any of these leaves."""
    if on.get("error") and not any(leaf.do for leaf in leaves):
        yield "error"
    if on.get("timeout") and not any(leaf.do and leaf.timeout for leaf in leaves):
        yield "timeout"
