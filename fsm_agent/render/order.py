"""Which way is forward: the order in which a reader meets the states, from the initial one on.

Graphviz breaks cycles in an order of its own, and then one way back can turn the picture upside down.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm_agent.render.graph import Cluster, Graph, walk


def forward_order(graph: Graph) -> Mapping[str, int]:
    """Id of a node or cluster -> its place; an edge that leads to an earlier place is a way back.

    Depth first, the last finished first: then every edge leads onward but those that close a cycle. A cluster leads to
    what it contains, and from everything in it lead the ways out of the cluster.
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
    """What is met next from each id, the nearest first."""
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
