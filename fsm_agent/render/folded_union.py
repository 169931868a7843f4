"""A large picture without what is far from any change: that is folded into boxes, which say how many states they hold.

What has changed stays, with the ends of every edge that has changed, and the neighbours of every state that has. The
rest of each compound state, and of the workflow, becomes one box there; edges of the rest become edges of the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fsm_agent.render.graph import Cluster, Edge, Item, Node, NodeKind, walk
from fsm_agent.render.labels import ExitKind
from fsm_agent.render.union import Union
from fsm_agent.render.union_lines import Status

#: a picture of no more states than this is small, and is drawn whole
SMALL: Final = 25
#: a box for fewer states than this would be no smaller than they are
_LEAST: Final = 3


def folded(union: Union) -> Union:
    """The same picture if it is small, else without what is far from any change."""
    states = sum(_count(item) for item in union.graph.items)
    return union if states <= SMALL else _Folder(union).union()


def _count(item: Item) -> int:
    """How many leaves there are."""
    if isinstance(item, Cluster):
        return sum(map(_count, item.items))
    return int(item.kind.is_state)


def _is_start(item: Item) -> bool:
    return isinstance(item, Node) and item.kind is NodeKind.START


class _Folder:
    def __init__(self, union: Union) -> None:
        self._union = union
        self._items = {item.id: item for item in walk(union.graph.items)}
        self._kept = self._near()
        #: id of what is folded away -> id of its box
        self._boxes: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def union(self) -> Union:
        items = tuple(self._shown(self._union.graph.items, ""))
        edges = tuple(self._edges({item.id for item in walk(items)}))
        graph = replace(self._union.graph, items=items, edges=edges)
        return replace(self._union, graph=graph, folded=self._counts)

    def _near(self) -> set[str]:
        """Ids of what is drawn: what has changed, and what is next to it."""
        union = self._union
        changed = {identity for identity in self._items if union.status(identity) is not Status.SAME}
        kept = set(changed)
        for edge in union.graph.edges:
            if union.status(edge.id) is not Status.SAME or edge.source in changed or edge.target in changed:
                kept |= {edge.source, edge.target}
        return kept

    def _is_kept(self, item: Item) -> bool:
        return item.id in self._kept or (isinstance(item, Cluster) and any(map(self._is_kept, item.items)))

    def _shown(self, items: tuple[Item, ...], around: str) -> Iterator[Item]:
        """The items of one level: start dots and notes first, what is kept, and at the end the box for the rest."""
        far = [item for item in items if not self._is_kept(item) and not _is_start(item)]
        if sum(map(_count, far)) < _LEAST:
            far = []
        for item in items:
            if item in far:
                continue
            yield item._replace(items=tuple(self._shown(item.items, item.id))) if isinstance(item, Cluster) else item
        count = sum(map(_count, far))
        if count:
            box = f"folded-{around or 'workflow'}"
            self._counts[box] = count
            self._boxes |= dict.fromkeys((inner.id for inner in walk(tuple(far))), box)
            yield Node(box, NodeKind.FOLDED, f"{count} more states", "")

    def _edges(self, shown: set[str]) -> Iterator[Edge]:
        """What has changed is there; of the rest one edge between two things is enough where one of them is a box."""
        seen: set[tuple[str, str]] = set()
        for edge in self._union.graph.edges:
            source, target = self._boxes.get(edge.source, edge.source), self._boxes.get(edge.target, edge.target)
            if source not in shown or target not in shown:
                continue
            if (source, target) == (edge.source, edge.target):
                yield edge
            elif source != target and (source, target) not in seen:
                seen.add((source, target))
                yield Edge(f"folded-{source}-to-{target}", source, target, ExitKind.EVENT)
