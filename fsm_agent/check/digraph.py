"""Directed graphs: reachable nodes, shortest paths, and cycles.

A graph maps each node to its successors, and each successor to a label of the edge. All functions take time in
proportion to the nodes and edges, and follow their order, so that the same graph always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias, TypeVar

Edge = TypeVar("Edge")

#: node -> successor -> the edge
Digraph: TypeAlias = Mapping[str, Mapping[str, Edge]]
#: reached node -> the node before it on a shortest path; ``None`` for the nodes where the search began
Tree: TypeAlias = Mapping[str, str | None]


def digraph(edges: Iterable[tuple[str, str, Edge]]) -> Digraph[Edge]:
    """The graph of these edges (source, target, label). Of several edges between two nodes the first counts."""
    graph: dict[str, dict[str, Edge]] = {}
    for source, target, edge in edges:
        graph.setdefault(source, {}).setdefault(target, edge)
        graph.setdefault(target, {})
    return graph


def within(graph: Digraph[Edge], nodes: Collection[str]) -> Digraph[Edge]:
    """The part of a graph that consists of these nodes; ``nodes`` is a set or a mapping."""
    return {
        node: {each: edge for each, edge in graph.get(node, {}).items() if each in nodes}
        for node in graph
        if node in nodes
    }


def turned(graph: Digraph[Edge]) -> Digraph[Edge]:
    """The graph with all edges reversed."""
    edges = ((target, source, edge) for source, ahead in graph.items() for target, edge in ahead.items())
    return {**{node: {} for node in graph}, **digraph(edges)}


def search(graph: Digraph[Edge], starts: Iterable[str]) -> Tree:
    """All nodes that can be reached, the starts included, the nearest first."""
    before: dict[str, str | None] = dict.fromkeys(starts)
    queue = list(before)
    for node in queue:
        for each in graph.get(node, ()):
            if each not in before:
                before[each] = node
                queue.append(each)
    return before


def way_to(tree: Tree, node: str) -> list[str]:
    """A shortest path from where the search began; raises ``KeyError`` if there is none."""
    way, before = [node], tree[node]
    while before is not None:
        way.append(before)
        before = tree[before]
    return way[::-1]


def shortest_cycle(graph: Digraph[Edge], node: str) -> list[str]:
    """A shortest path from ``node`` back to itself; only ``node`` if there is none."""
    tree = search(graph, [node])
    last = next((each for each in tree if node in graph.get(each, ())), None)
    return [node] if last is None else [*way_to(tree, last), node]


def strong_components(graph: Digraph[Edge]) -> list[frozenset[str]]:
    """The largest groups of nodes that lead to each other; a group comes after those to which it leads."""
    finished = _finished(graph)
    backward = turned(graph)
    found: list[frozenset[str]] = []
    seen: set[str] = set()
    for node in reversed(finished):
        if node not in seen:
            group = _unseen(backward, node, seen)
            found.append(frozenset(group))
    return found[::-1]


def weak_components(graph: Digraph[Edge]) -> list[frozenset[str]]:
    """The groups of nodes that are connected, whatever the direction of their edges."""
    backward = turned(graph)
    both = {node: {**graph[node], **backward[node]} for node in graph}
    seen: set[str] = set()
    return [frozenset(_unseen(both, node, seen)) for node in graph if node not in seen]


def _finished(graph: Digraph[Edge]) -> list[str]:
    """All nodes, depth first, each after its successors."""
    finished: list[str] = []
    seen: set[str] = set()
    for root in graph:
        if root in seen:
            continue
        seen.add(root)
        trail = [(root, iter(graph[root]))]
        while trail:
            here, ahead = trail[-1]
            following = next((each for each in ahead if each not in seen), None)
            if following is None:
                finished.append(here)
                trail.pop()
            else:
                seen.add(following)
                trail.append((following, iter(graph[following])))
    return finished


def _unseen(graph: Digraph[Edge], start: str, seen: set[str]) -> list[str]:
    """The nodes that can be reached from ``start`` and are not in ``seen``; they are added to it."""
    seen.add(start)
    group = [start]
    for node in group:
        for each in graph[node]:
            if each not in seen:
                seen.add(each)
                group.append(each)
    return group
