"""Which direction is forward: the order in which a reader meets the states, beginning with the initial one.

Graphviz breaks cycles in its own order, and then a single way back can turn the picture upside down.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.render.graph import Cluster, Graph, walk


def forward_order(graph: Graph) -> Mapping[str, int]:
    """Id of a node or cluster -> its place; an edge to an earlier place is a way back.

    The order is depth-first, with the last finished first. So all edges lead forward, except those that close a cycle.
    A cluster leads to its contents, and each of its contents leads to the targets of the cluster's edges.
    """
    onward = _onward(graph)
    finished: dict[str, None] = {}
    seen: set[str] = set()
    for root in onward:
        if root in seen:
            continue
        seen.add(root)
        trail = [(root, iter(onward[root]))]
        while trail:
            here, ahead = trail[-1]
            following = next((each for each in ahead if each not in seen), None)
            if following is None:
                finished[here] = None
                trail.pop()
            else:
                seen.add(following)
                trail.append((following, iter(onward[following])))
    return {identity: place for place, identity in enumerate(reversed(finished))}


def _onward(graph: Graph) -> Mapping[str, list[str]]:
    """Id -> the ids that follow it, the nearest first."""
    onward: dict[str, list[str]] = {item.id: [] for item in walk(graph.items)}
    for edge in graph.edges:
        onward[edge.source].append(edge.target)
    for item in walk(graph.items):
        if isinstance(item, Cluster):
            for inner in item.items:
                onward[inner.id] += onward[item.id]
    for item in walk(graph.items):
        if isinstance(item, Cluster):
            onward[item.id] = [item.items[0].id]
    return onward
