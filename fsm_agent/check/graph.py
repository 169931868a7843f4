"""Which states agents can reach, and whether they can leave them again: analyses of the graph of leaves.

Each function is one diagnostic. A state gets no second finding besides a graver one: an unreachable state has no other,
and a dead end counts as an end, since it has its own finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise

from fsm_agent.check.codes import Code
from fsm_agent.check.digraph import (
    Digraph,
    search,
    shortest_cycle,
    strong_components,
    turned,
    way_to,
    weak_components,
    within,
)
from fsm_agent.check.reachability import Behaviour, Way, moves
from fsm_agent.check.transition_sites import state_path
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.state import State
from fsm_agent.domain.text import listed
from fsm_agent.domain.workflow import Limits, lineage


def unreachable_states(behaviour: Behaviour) -> Iterator[Finding]:
    """The outermost states that no agent ever enters."""
    entered = {path for leaf in behaviour.reached for path in lineage(leaf)}
    missed = [
        path
        for path, state in behaviour.workflow.by_path.items()
        if path not in entered and (state.parent is None or state.parent in entered)
    ]
    inward = _inward(behaviour, missed) if missed else {}
    for path in missed:
        why = f"only {listed(sorted(inward[path]))} leads to it" if inward[path] else "no transition leads to it"
        yield Code.UNREACHABLE.found(f"state `{path}` is never entered: {why}", state_path(path))


def _inward(behaviour: Behaviour, paths: list[str]) -> Mapping[str, Collection[str]]:
    """For each of these states the leaves outside that have a transition into it."""
    found: dict[str, set[str]] = {path: set() for path in paths}
    for way in behaviour.ways:
        around = lineage(way.source)
        for path in lineage(way.target):
            if path in found and path not in around:
                found[path].add(way.source)
    return found


def dead_ends(behaviour: Behaviour) -> Iterator[Finding]:
    """States that are not final and have no transition out."""
    for path in _dead_ends(behaviour):
        work = (
            "its action can only fail" if behaviour.workflow.by_path[path].do else "an agent would stay there for ever"
        )
        message = f"nothing leads out of state `{path}`, {work}: add a transition under its `on`, or make it final"
        yield Code.DEAD_END.found(message, state_path(path), witness=_way_to(behaviour, path))


def trapped_states(behaviour: Behaviour) -> Iterator[Finding]:
    """Groups of connected states from which no final state can be reached."""
    graph = moves(way for way in behaviour.ways if not way.is_emergency)
    ends = behaviour.finals | set(_dead_ends(behaviour))
    saved = search(turned(graph), sorted(ends))
    lost = behaviour.reached.keys() - saved.keys()
    trapped = {leaf.path: None for leaf in behaviour.leaves if leaf.path in lost}
    for group in weak_components(within(graph, trapped)):
        inside = within(graph, group)
        names = [path for path in trapped if path in group]
        last = _first_at_the_end(inside, names)
        witness = _way_to(behaviour, last) + _told(inside, shortest_cycle(inside, last))[1:]
        told = listed(f"`{path}`" for path in names)
        message = f"no final state can be reached from {told}{_but_emergencies(behaviour, group)}"
        yield Code.TRAPPED.found(f"{message}: {drawn(witness)}", state_path(last), witness=witness)


def _first_at_the_end(graph: Digraph[Way], names: list[str]) -> str:
    """The first of these nodes in a group that no edge leaves."""
    last = {
        node
        for group in strong_components(graph)
        if all(each in group for member in group for each in graph[member])
        for node in group
    }
    return next(name for name in names if name in last)


def unbounded_cycles(behaviour: Behaviour) -> Iterator[Finding]:
    """Actions that can follow each other for ever, without a wait, timer or limit between them."""
    limits = behaviour.workflow.limits
    if limits.steps is not None or limits.wall_time is not None:
        return
    free = list(_unlimited(behaviour, limits))
    graph = moves(free)
    groups = [group for group in strong_components(graph) if len(group) > 1 or _leads_to_itself(graph, group)]
    inside = _ways_inside(groups, free)
    for at, group in enumerate(groups):
        first = min(group, key=behaviour.order.__getitem__)
        if not _is_timed(behaviour, inside[at]):
            witness = _told(graph, shortest_cycle(within(graph, group), first))
            message = f"nothing bounds the cycle {drawn(witness)}: set `limits` (steps, or visits of one of its states)"
            yield Code.UNBOUNDED.found(message, state_path(first), witness=witness)


def _unlimited(behaviour: Behaviour, limits: Limits) -> Iterator[Way]:
    """The ways from action to action that an agent may take without limit."""
    emits = {
        leaf.path: ({"error"} if _is_bounded(leaf, limits) else behaviour.emits(leaf) | {"error"})
        for leaf in behaviour.leaves
        if leaf.do and leaf.path in behaviour.reached
    }
    for way in behaviour.ways:
        is_limited = way.is_internal or way.is_counted or any(map(way.enters, limits.visits))
        if not is_limited and way.target in emits and way.event in emits.get(way.source, ()):
            yield way


def _leads_to_itself(graph: Digraph[Way], group: frozenset[str]) -> bool:
    return any(node in graph[node] for node in group)


def _ways_inside(groups: list[frozenset[str]], ways: Iterable[Way]) -> Mapping[int, list[Way]]:
    """Number of a group -> the ways that stay in it."""
    number = {node: at for at, group in enumerate(groups) for node in group}
    found = defaultdict[int, list[Way]](list)
    for way in ways:
        if way.source in number and number[way.source] == number.get(way.target):
            found[number[way.source]].append(way)
    return found


def _is_bounded(leaf: State, limits: Limits) -> bool:
    """Whether an action takes time by itself, or uses something that is limited for agents."""
    is_model = str(leaf.do).startswith("llm.") and (limits.tokens is not None or limits.cost is not None)
    return leaf.do == "wait" or is_model


def _dead_ends(behaviour: Behaviour) -> list[str]:
    leading_out = {way.source for way in behaviour.ways if not (way.is_internal or way.is_emergency)}
    return [leaf.path for leaf in behaviour.leaves if leaf.path in behaviour.reached and leaf.path not in leading_out]


def _but_emergencies(behaviour: Behaviour, group: Collection[str]) -> str:
    events = {way.event for way in behaviour.ways if way.is_emergency and way.source in group}
    return f" but by the workflow's own {' and '.join(sorted(events))}" if events else ""


def _is_timed(behaviour: Behaviour, ways: list[Way]) -> bool:
    """Whether the ways stay inside a state with a timer that goes on and leads out in the end."""
    for state in behaviour.workflow.chain(ways[0].source):
        path = state.path
        exits = [
            each.target and path not in lineage(each.target)[:-1] for timer in state.after for each in timer.transitions
        ]
        if any(exits) and all(path in lineage(way.source) and not way.enters(path) for way in ways):
            return True
    return False


def _way_to(behaviour: Behaviour, leaf: str) -> tuple[str, ...]:
    """A shortest way from the beginning: states and events, alternating."""
    return _told(behaviour.graph, way_to(behaviour.reached, leaf))


def _told(graph: Digraph[Way], nodes: list[str]) -> tuple[str, ...]:
    return (
        nodes[0],
        *(part for source, target in pairwise(nodes) for part in (graph[source][target].event, target)),
    )


def drawn(witness: tuple[str, ...]) -> str:
    """The witness as text: ``a -event-> b``."""
    return witness[0] + "".join(
        f" -{event}-> {state}" for event, state in zip(witness[1::2], witness[2::2], strict=True)
    )
