"""Where agents can get to, and whether they can get out again: analyses of the graph of leaves.

Each function is one diagnostic. What already has a graver fault is not reported twice: an unreachable state is
nothing else, and a dead end counts as an end, because it has a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import networkx as nx

from fsm_agent.check.behaviour import Behaviour, Way
from fsm_agent.check.codes import Code
from fsm_agent.check.sites import state_path
from fsm_agent.finding import Finding
from fsm_agent.state import State
from fsm_agent.wording import listed
from fsm_agent.workflow import Limits, lineage

#: Leaves; an edge carries the first of its ways as ``way``.
Graph: TypeAlias = Any


def unreachable_states(behaviour: Behaviour) -> Iterator[Finding]:
    """The outermost states that no agent ever enters."""
    entered = {path for leaf in reached(behaviour) for path in lineage(leaf)}
    for path, state in behaviour.workflow.by_path.items():
        if path in entered or not (state.parent is None or state.parent in entered):
            continue
        inward = [
            way.source for way in behaviour.ways if path in lineage(way.target) and path not in lineage(way.source)
        ]
        why = f"only {listed(sorted(set(inward)))} leads to it" if inward else "no transition leads to it"
        yield Code.UNREACHABLE.found(f"state `{path}` is never entered: {why}", state_path(path))


def dead_ends(behaviour: Behaviour) -> Iterator[Finding]:
    """States that are not final and have nothing that leads out."""
    for path in _dead_ends(behaviour):
        work = (
            "its action can only fail" if behaviour.workflow.by_path[path].do else "an agent would stay there for ever"
        )
        message = f"nothing leads out of state `{path}`, {work}: add a transition under its `on`, or make it final"
        yield Code.DEAD_END.found(message, state_path(path), witness=_way_to(behaviour, path))


def trapped_states(behaviour: Behaviour) -> Iterator[Finding]:
    """Groups of connected states from which no final state can be reached."""
    graph = _graph(way for way in behaviour.ways if not way.is_emergency)
    ends = behaviour.finals | set(_dead_ends(behaviour))
    saved = {leaf for end in ends if end in graph for leaf in nx.ancestors(graph, end)} | ends
    lost = reached(behaviour) - saved
    trapped = [leaf.path for leaf in behaviour.leaves if leaf.path in lost]
    for group in nx.weakly_connected_components(graph.subgraph(trapped)):
        names = [f"`{path}`" for path in trapped if path in group]
        inside = graph.subgraph(group)
        last = next(path for path in trapped if path in group and nx.descendants(inside, path) <= _around(inside, path))
        witness = _way_to(behaviour, last) + _cycle(inside, last)[1:]
        message = f"no final state can be reached from {listed(names)}{_but_emergencies(behaviour, group)}"
        yield Code.TRAPPED.found(f"{message}: {_drawn(witness)}", state_path(last), witness=witness)


def unbounded_cycles(behaviour: Behaviour) -> Iterator[Finding]:
    """Actions that can follow each other for ever, with no wait, timer or limit between them."""
    limits = behaviour.workflow.limits
    if limits.steps is not None or limits.wall_time is not None:
        return
    there = reached(behaviour)
    emits = {
        leaf.path: ({"error"} if _is_bounded(leaf, limits) else behaviour.emits(leaf) | {"error"})
        for leaf in behaviour.leaves
        if leaf.do and leaf.path in there
    }
    free = [
        way
        for way in behaviour.ways
        if way.event in emits.get(way.source, ()) and way.target in emits
        if not (way.is_internal or way.is_counted or any(map(way.enters, limits.visits)))
    ]
    graph = _graph(free)
    for group in nx.strongly_connected_components(graph):
        first = next(leaf.path for leaf in behaviour.leaves if leaf.path in group)
        witness = _cycle(graph.subgraph(group), first)
        inside = [way for way in free if {way.source, way.target} <= group]
        if len(witness) > 1 and not _is_timed(behaviour, inside):
            message = (
                f"nothing bounds the cycle {_drawn(witness)}: set `limits` (steps, or visits of one of its states)"
            )
            yield Code.UNBOUNDED.found(message, state_path(first), witness=witness)


def _is_bounded(leaf: State, limits: Limits) -> bool:
    """Whether what an action does takes time by itself, or of something that agents have only so much of."""
    is_model = str(leaf.do).startswith("llm.") and (limits.tokens is not None or limits.cost is not None)
    return leaf.do == "wait" or is_model


def reached(behaviour: Behaviour) -> frozenset[str]:
    """The leaves that an agent can come to."""
    start = behaviour.workflow.leaf(behaviour.workflow.initial).path
    graph = _graph(behaviour.ways)
    return frozenset({start} | (nx.descendants(graph, start) if start in graph else set()))


def _dead_ends(behaviour: Behaviour) -> list[str]:
    leading_out = {way.source for way in behaviour.ways if not (way.is_internal or way.is_emergency)}
    there = reached(behaviour)
    return [leaf.path for leaf in behaviour.leaves if leaf.path in there and leaf.path not in leading_out]


def _but_emergencies(behaviour: Behaviour, group: Iterable[str]) -> str:
    inside = set(group)
    events = {way.event for way in behaviour.ways if way.is_emergency and way.source in inside}
    return f" but by the workflow's own {' and '.join(sorted(events))}" if events else ""


def _is_timed(behaviour: Behaviour, ways: list[Way]) -> bool:
    """Whether the ways stay inside a state whose timer runs on meanwhile, and leads out in the end."""
    for path, state in behaviour.workflow.by_path.items():
        exits = [
            each.target and path not in lineage(each.target)[:-1] for timer in state.after for each in timer.transitions
        ]
        if any(exits) and all(path in lineage(way.source) and not way.enters(path) for way in ways):
            return True
    return False


def _graph(ways: Iterable[Way]) -> Graph:
    graph: Graph = nx.DiGraph()
    for way in ways:
        if not way.is_internal and not graph.has_edge(way.source, way.target):
            graph.add_edge(way.source, way.target, way=way)
    return graph


def _around(graph: Graph, node: str) -> set[str]:
    """The nodes that lie on a common cycle with ``node``, and itself."""
    around: set[str] = nx.descendants(graph, node) & nx.ancestors(graph, node)
    return around | {node}


def _cycle(graph: Graph, node: str) -> tuple[str, ...]:
    """A shortest way from ``node`` back to itself, states and events in turn; ``node`` alone if there is none."""
    ways = [nx.shortest_path(graph, each, node) for each in graph.successors(node) if nx.has_path(graph, each, node)]
    return _told(graph, [node, *min(ways, key=len)]) if ways else (node,)


def _way_to(behaviour: Behaviour, leaf: str) -> tuple[str, ...]:
    """A shortest way from the beginning, states and events in turn."""
    start = behaviour.workflow.leaf(behaviour.workflow.initial).path
    graph = _graph(behaviour.ways)
    return _told(graph, nx.shortest_path(graph, start, leaf)) if start != leaf else (start,)


def _told(graph: Graph, nodes: list[str]) -> tuple[str, ...]:
    return (
        nodes[0],
        *(part for source, target in pairwise(nodes) for part in (graph[source][target]["way"].event, target)),
    )


def _drawn(witness: tuple[str, ...]) -> str:
    """``a -event-> b``."""
    return witness[0] + "".join(
        f" -{event}-> {state}" for event, state in zip(witness[1::2], witness[2::2], strict=True)
    )
