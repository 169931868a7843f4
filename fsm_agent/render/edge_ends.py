"""The nodes that an edge joins, also for clusters and for ways back.

Graphviz joins nodes only, puts tails above heads, and keeps labels away only from the borders of clusters. So one node
stands for its cluster, a way back is written from its head to its tail, and the label of an edge that crosses a border
becomes a node.
"""

from typing import NamedTuple

from fsm_agent.render.graph import Cluster, Edge, Graph, Item, walk
from fsm_agent.render.order import forward_order


class Ends(NamedTuple):
    """An edge as Graphviz gets it: from its upper node to its lower one."""

    upper: str
    lower: str
    #: the cluster at whose border the line begins, or empty
    upper_border: str
    #: the cluster at whose border the line ends, or empty
    lower_border: str
    #: whether the arrow points up
    back: bool
    #: the cluster in which the label is a node (empty: none); ``None`` if the edge crosses no border
    label_home: str | None


class EdgeEnds:
    """The ends of all edges of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._items = {item.id: item for item in walk(graph.items)}
        self._order = forward_order(graph)
        self._around: dict[str, tuple[str, ...]] = {}
        self._enclose(graph.items, ())

    def ends(self, edge: Edge) -> Ends:
        """The nodes that the edge joins. If a node stands for its cluster, the line ends at the cluster's border."""
        back = self._order[edge.target] < self._order[edge.source]
        tail = self._first(edge.source) if back else self._last(edge.source)
        head = self._first(edge.target)
        left = edge.source if tail != edge.source else ""
        entered = edge.target if head != edge.target and edge.target not in self._around[tail] else ""
        home = self._shared_home(tail, head) if edge.labels else None
        if back:
            return Ends(head, tail, entered, left, back, home)
        return Ends(tail, head, left, entered, back, home)

    def _shared_home(self, one: str, other: str) -> str | None:
        """The innermost cluster around two nodes; ``None`` if there is no border between them."""
        if self._around[one] == self._around[other]:
            return None
        shared = [mine for mine, theirs in zip(self._around[one], self._around[other], strict=False) if mine == theirs]
        return shared[-1] if shared else ""

    def _enclose(self, items: tuple[Item, ...], around: tuple[str, ...]) -> None:
        for item in items:
            self._around[item.id] = around
            if isinstance(item, Cluster):
                self._enclose(item.items, (*around, item.id))

    def _first(self, identity: str) -> str:
        """The node for a cluster at which an edge arrives, or a way back begins: its start dot."""
        item = self._items[identity]
        return item.items[0].id if isinstance(item, Cluster) else identity

    def _last(self, identity: str) -> str:
        """The node for a cluster from which an edge leads forward: its last leaf, which is lowest in the picture."""
        item = self._items[identity]
        return self._last(item.items[-1].id) if isinstance(item, Cluster) else identity
