"""Ways through what is explored: shortest paths, cycles, and groups that lead to each other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.explore import Edge, Exploration
from fsm_agent.proof.rules import BROKEN, Automaton

#: number of a configuration, and the state of the automaton that goes along
Node: TypeAlias = tuple[int, int]
#: node -> the one before it on a shortest path, and the edge between; ``None`` for the first
Tree: TypeAlias = dict[Node, "tuple[Node, Edge] | None"]
Graph: TypeAlias = Mapping[Node, "list[tuple[Edge, Node]]"]


class Product(NamedTuple):
    """What an automaton makes of an exploration."""

    tree: Tree
    #: the shortest path on which the rule is broken
    broken: tuple[Edge, ...] | None
    #: the nodes to which each leads
    graph: dict[Node, list[tuple[Edge, Node]]]


class _Widest:
    """Of nodes that differ only in what is known of the data, those of which least is known: they can do whatever the
    others can."""

    def __init__(self, exploration: Exploration) -> None:
        self._configurations = exploration.configurations
        self._known: dict[Hashable, list[tuple[Masks, Node]]] = {}

    def instead_of(self, node: Node) -> Node:
        """A node that was seen before and covers this one; else itself."""
        leaf, mode, timers, masks, is_parked = self._configurations[node[0]]
        alike = self._known.setdefault((leaf, mode, timers, is_parked, node[1]), [])
        for wider, other in alike:
            if all(mask & ~wide == 0 for mask, wide in zip(masks, wider, strict=True)):
                return other
        alike.append((masks, node))
        return node


def product(exploration: Exploration, step: Automaton, *, only_certain: bool, is_exact: bool = False) -> Product:
    """Go along with every step, the nearest first; the first that breaks the rule ends it. ``only_certain`` leaves out
    what an agent can perhaps not do. Unless it is to be exact, an edge may lead to a node of which less is known."""
    state = step(0, exploration.creation)
    if state == BROKEN:
        return Product({}, (), {})
    first, widest = (0, state), _Widest(exploration)
    tree: Tree = {first: None}
    graph: dict[Node, list[tuple[Edge, Node]]] = {}
    queue = [first]
    for node in queue:
        at, state = node
        ahead = graph[node] = []
        for edge in exploration.out(at):
            if only_certain and not edge.is_certain:
                continue
            following = (edge.target, step(state, edge))
            if following[1] == BROKEN:
                return Product(tree, (*path_to(tree, node), edge), graph)
            if following not in tree and not is_exact:
                following = widest.instead_of(following)
            ahead.append((edge, following))
            if following not in tree:
                tree[following] = (node, edge)
                queue.append(following)
    return Product(tree, None, graph)


def path_to(tree: Tree, node: Node) -> tuple[Edge, ...]:
    path: list[Edge] = []
    while (before := tree[node]) is not None:
        node, edge = before
        path.append(edge)
    return tuple(reversed(path))


def way(graph: Graph, start: Node, goal: Callable[[Edge, Node], bool]) -> tuple[tuple[Edge, ...], Node] | None:
    """A shortest way that ends with an edge to a node which are a goal, and that node."""
    tree: Tree = {start: None}
    queue = [start]
    for node in queue:
        for edge, following in graph.get(node, ()):
            if goal(edge, following):
                return (*path_to(tree, node), edge), following
            if following not in tree:
                tree[following] = (node, edge)
                queue.append(following)
    return None


def components(graph: Graph) -> Iterator[list[Node]]:
    """The largest groups of nodes that lead to each other (Tarjan's algorithm, without recursion)."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    waiting: set[Node] = set()
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        _open(root, index, low, stack, waiting)
        while work:
            node, ahead = work[-1]
            for _, following in ahead:
                if following not in index:
                    _open(following, index, low, stack, waiting)
                    work.append((following, iter(graph.get(following, ()))))
                    break
                if following in waiting:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _close(node, stack, waiting)


def _open(node: Node, index: dict[Node, int], low: dict[Node, int], stack: list[Node], waiting: set[Node]) -> None:
    index[node] = low[node] = len(index)
    stack.append(node)
    waiting.add(node)


def _close(node: Node, stack: list[Node], waiting: set[Node]) -> list[Node]:
    group: list[Node] = []
    while not group or group[-1] != node:
        group.append(stack.pop())
    waiting.difference_update(group)
    return group
