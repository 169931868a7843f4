"""Two versions of a workflow in one picture: one graph, and for each of its parts what has changed.

The graph is that of the merged workflow, laid out once. What stands on its edges and in its boxes are pieces: a text of
the old version, of the new one, or of both. Their numbers are those of the rows in the list of changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from fsm_agent.change.alignment import HandlerPair, Pair, bare
from fsm_agent.change.difference import Difference
from fsm_agent.change.transitions import Site
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.graph import Edge, Graph, Item, Node, NodeKind, graph_of, lines_of, walk
from fsm_agent.render.labels import Detail, DetailKind, ExitKind, Label, labels_of, staying
from fsm_agent.render.merged import merged
from fsm_agent.render.union_lines import LinePiece, Status, compared, once


class Piece(NamedTuple):
    """A transition in the picture: on an edge, or as a line inside its state."""

    status: Status
    old: Label | None
    new: Label | None
    #: of the rows that tell of it
    numbers: tuple[int, ...] = ()
    #: what is not seen from the texts
    note: str = ""
    is_guard_lost: bool = False

    @property
    def label(self) -> Label:
        """The text as it is now, or else as it was."""
        label = self.new or self.old
        assert label is not None  # noqa: S101 - one of them is there
        return label


@dataclass(frozen=True)
class Union:
    """The picture of a difference, independent of any renderer. All keys are ids of the graph."""

    difference: Difference
    graph: Graph
    statuses: Mapping[str, Status]
    #: of edges
    pieces: Mapping[str, tuple[Piece, ...]]
    #: of nodes that are in both versions, or of notes
    lines: Mapping[str, tuple[LinePiece, ...]]
    #: of nodes and clusters: rows that tell of the state as a whole, or of what is not seen otherwise
    numbers: Mapping[str, tuple[int, ...]]
    #: what a renamed state was called
    was: Mapping[str, str]
    #: ids of boxes -> how many states they stand for
    folded: Mapping[str, int] = field(default_factory=dict)

    def status(self, identity: str) -> Status:
        return self.statuses.get(identity, Status.SAME)

    @cached_property
    def shown(self) -> frozenset[int]:
        """The numbers that stand somewhere in the picture."""
        on_edges = (piece.numbers for edge in self.graph.edges for piece in self.pieces.get(edge.id, ()))
        ids = [item.id for item in walk(self.graph.items)]
        in_boxes = (line.numbers for each in ids for line in self.lines.get(each, ()))
        at_names = (self.numbers.get(each, ()) for each in ids)
        return frozenset(number for found in (on_edges, in_boxes, at_names) for numbers in found for number in numbers)


def union_of(difference: Difference) -> Union:
    """The whole picture; ``folded`` in ``folding`` leaves out what is far from any change."""
    return _Builder(difference).union()


class _Builder:
    def __init__(self, difference: Difference) -> None:
        self._difference = difference
        self._old, self._new = difference.renamed, difference.new
        self._merged = merged(difference)
        self._graph = graph_of(self._merged)
        #: state, empty for the workflow -> key -> numbers of rows
        self._numbers: dict[str, dict[str, list[int]]] = {}
        for row in difference.rows:
            if row.number is not None and row.change.is_drawn:
                for key in row.change.keys:
                    self._numbers.setdefault(row.change.where, {}).setdefault(key, []).append(row.number)
        self._pieces: dict[str, list[Piece]] = {edge.id: [] for edge in self._graph.edges}
        #: id of a node -> lines for its internal transitions
        self._stays: dict[str, list[LinePiece]] = defaultdict(list)
        #: numbers that stand on an edge or in a line
        self._placed: set[int] = set()
        self._renamed = frozenset(difference.renames.values())

    def union(self) -> Union:
        for site in self._difference.sites:
            for pair in site.pairs:
                for each in pair.pairs:
                    self._place(site, pair, each)
        lines = {node.id: once(list(self._lines(node))) for node in self._nodes()}
        self._placed |= {number for found in lines.values() for line in found for number in line.numbers}
        edges = (*self._graph.edges, *self._first_edges())
        statuses = {**self._item_statuses(lines), **{edge.id: self._edge_status(edge) for edge in edges}}
        badges = {item.id: self._badge(item) for item in walk(self._graph.items)}
        statuses |= {
            identity: Status.CHANGED
            for identity, numbers in badges.items()
            if numbers and statuses[identity] is Status.SAME
        }
        was = {place: path for path, place in self._difference.renames.items()}
        return Union(
            self._difference,
            replace(self._graph, edges=edges),
            statuses,
            {identity: tuple(pieces) for identity, pieces in self._pieces.items()},
            lines,
            badges,
            {self._graph.ids[path]: name for path, name in was.items()},
        )

    def _nodes(self) -> Iterator[Node]:
        return (item for item in walk(self._graph.items) if isinstance(item, Node) and item.kind is not NodeKind.START)

    # ----------------------------------------------------------------- transitions

    def _place(self, site: Site, pair: HandlerPair, each: Pair) -> None:
        """Put a pair of candidates on its edges, or into its state."""
        before, now = pair.transition(each)
        old = None if each.old is None else labels_of(pair.old_label or pair.label, pair.old or ())[each.old]
        new = None if each.new is None else labels_of(pair.new_label or pair.label, pair.new or ())[each.new]
        numbers = self._numbers_of(site, pair, each)
        if before is not None and now is not None and before.target == now.target:
            is_same = not numbers and bare(before) == bare(now)
            is_told = old == new and before.description != now.description
            note = "tried in another place" if _has_moved(pair, each) else "described otherwise" if is_told else ""
            is_lost = before.when is not None and now.when is None
            status = Status.SAME if is_same else Status.CHANGED
            self._put(site, pair, now.target, Piece(status, old, new, numbers, "" if is_same else note, is_lost))
            return
        if before is not None:
            self._put(site, pair, before.target, Piece(Status.REMOVED, old, None, numbers))
        if now is not None:
            self._put(site, pair, now.target, Piece(Status.ADDED, None, new, numbers))

    def _put(self, site: Site, pair: HandlerPair, target: str | None, piece: Piece) -> None:
        self._placed.update(piece.numbers)
        if target is None:
            home = self._graph.notes[site.path] if site.path in self._graph.notes else self._graph.ids[site.path]
            self._stays[home] += _stay_lines(piece)
            return
        kind = ExitKind.TIMER if pair.is_timer else ExitKind.of(pair.event)
        edge = self._graph.between(self._graph.origin(site.path, target), self._graph.ids[target], kind)
        self._pieces[edge.id].append(piece)

    def _numbers_of(self, site: Site, pair: HandlerPair, each: Pair) -> tuple[int, ...]:
        """The numbers of the rows about a candidate, and of those about the handler as a whole."""
        whole = pair.whole_keys if pair.is_timer or _has_moved(pair, each) else ()
        known = self._numbers.get(site.path, {})
        return tuple(sorted({number for key in (*pair.keys(each), *whole) for number in known.get(key, ())}))

    # ----------------------------------------------------------------- lines of boxes

    def _lines(self, node: Node) -> Iterator[LinePiece]:
        if node.kind is NodeKind.NOTE and not node.path:
            yield from self._stays[node.id]
            return
        olds, news = self._details(self._old, node.path), self._details(self._new, node.path)
        for kind in DetailKind:
            if kind is DetailKind.STAYS:
                yield from self._stays[node.id]
            else:
                before, now = ([each for each in details if each.kind is kind] for details in (olds, news))
                yield from compared(before, now, self._numbers.get(node.path, {}))

    def _details(self, workflow: Workflow, path: str) -> list[Detail]:
        state = workflow.by_path.get(path)
        return [] if state is None else [detail for each in lines_of(workflow, state) for detail in each]

    # ----------------------------------------------------------------- statuses

    def _item_statuses(self, lines: Mapping[str, tuple[LinePiece, ...]]) -> dict[str, Status]:
        found: dict[str, Status] = {}
        for item in walk(self._graph.items):
            status = self._status_of_path(item.path) if item.path else Status.SAME
            if isinstance(item, Node) and item.kind is NodeKind.NOTE:
                status = Status.SAME if status is Status.CHANGED else status
            has_changed = any(line.status is not Status.SAME for line in lines.get(item.id, ()))
            found[item.id] = Status.CHANGED if has_changed and status is Status.SAME else status
        return found

    def _status_of_path(self, path: str) -> Status:
        if path not in self._old.by_path:
            return Status.ADDED
        if path not in self._new.by_path:
            return Status.REMOVED
        return Status.CHANGED if path in self._renamed else Status.SAME

    def _edge_status(self, edge: Edge) -> Status:
        if edge.kind is None:
            return self._first_status(edge)
        kinds = {piece.status for piece in self._pieces[edge.id]}
        return next(iter(kinds)) if len(kinds) == 1 else Status.CHANGED

    def _first_status(self, edge: Edge) -> Status:
        """The status of the edge of a start dot: whether both versions begin there."""
        path = self._starts[edge.source]
        before, now = _initial(self._old, path), _initial(self._new, path)
        if before == now:
            return Status.SAME
        return Status.ADDED if now is not None and edge.target == self._graph.ids[now] else Status.REMOVED

    @cached_property
    def _starts(self) -> Mapping[str, str]:
        """Id of a start dot -> the state that it is in."""
        return {
            item.id: item.path
            for item in walk(self._graph.items)
            if isinstance(item, Node) and item.kind is NodeKind.START
        }

    def _first_edges(self) -> Iterator[Edge]:
        """The edges of start dots that the old version alone has."""
        for dot, path in self._starts.items():
            before, now = _initial(self._old, path), _initial(self._new, path)
            if before is not None and now is not None and before != now:
                target = self._graph.ids[before]
                yield Edge(f"first-{dot}-to-{target}--was", dot, target)

    def _badge(self, item: Item) -> tuple[int, ...]:
        """The numbers at a name: rows about the state as a whole, and others that stand nowhere else. Those of the
        workflow stand at its start dot."""
        is_start = isinstance(item, Node) and item.kind is NodeKind.START and not item.path
        if isinstance(item, Node) and not item.kind.is_state and not is_start:
            return ()
        known = self._numbers.get(item.path, {}).values()
        return tuple(sorted({number for numbers in known for number in numbers} - self._placed))


def _initial(workflow: Workflow, path: str) -> str | None:
    if not path:
        return workflow.initial
    return workflow.by_path[path].initial if path in workflow.by_path else None


def _has_moved(pair: HandlerPair, each: Pair) -> bool:
    """Whether a candidate is tried earlier or later among those that both versions have."""
    if each.old is None or each.new is None or not pair.is_reordered:
        return False
    olds, news = sorted(old for old, _ in pair.matched), sorted(new for _, new in pair.matched)
    return olds.index(each.old) != news.index(each.new)


def _stay_lines(piece: Piece) -> Iterator[LinePiece]:
    """The lines for an internal transition."""
    if piece.status is Status.CHANGED and piece.old is not None and piece.new is not None and piece.old != piece.new:
        yield LinePiece(Status.REMOVED, staying(piece.old), piece.numbers)
        yield LinePiece(Status.ADDED, staying(piece.new), piece.numbers)
    else:
        yield LinePiece(piece.status, staying(piece.label), piece.numbers)
