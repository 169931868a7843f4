"""The picture of a difference as a Mermaid flowchart. Lines have strong colours and fills are translucent, so that one
text suits light pages and dark ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.render.difference_labels import numbers
from fsm_agent.render.difference_style import COUNTED, GLYPHS, WARNING, counts, versions
from fsm_agent.render.graph import Cluster, Edge, Item, Node, NodeKind
from fsm_agent.render.labels import Label
from fsm_agent.render.mermaid import GAPS
from fsm_agent.render.mermaid_chart import MermaidChart, parts_of
from fsm_agent.render.style import DASHES, paint_of
from fsm_agent.render.union import Piece, Union
from fsm_agent.render.union_lines import Status

_LINES: Final = {
    Status.SAME: "#8c959f",
    Status.ADDED: "#009e73",
    Status.REMOVED: "#d55e00",
    Status.CHANGED: "#b58900",
}
_WIDTHS: Final = {Status.SAME: 1, Status.ADDED: 3, Status.REMOVED: 2, Status.CHANGED: 2}
#: a translucent fill: its opacity in hex, behind the colour
_OPACITY: Final = {Status.SAME: "11", Status.ADDED: "22", Status.REMOVED: "22", Status.CHANGED: "22"}


def to_mermaid(union: Union) -> str:
    """Mermaid text with a line feed at its end."""
    return _Chart(union).text()


class _Chart(MermaidChart):
    def __init__(self, union: Union) -> None:
        super().__init__(union.graph)
        self._union = union

    def title(self) -> str:
        difference = self._union.difference
        told = [f"{GLYPHS[status]} {count} {COUNTED[status]}" for status, count in counts(difference).items()]
        return f"{difference.new.name}, {versions(difference)}: {', '.join(told)}"

    def node_texts(self, node: Node) -> Iterator[str]:
        yield from self._names(node, f"{paint_of(node).glyph} {node.name}".strip() if node.name else "")
        status = self._union.status(node.id)
        is_whole = status in (Status.ADDED, Status.REMOVED)
        if status is Status.ADDED:
            yield node.description
        for line in self._union.lines.get(node.id, ()):
            if is_whole or line.status is not Status.SAME:
                glyph = "" if is_whole else GLYPHS[line.status]
                yield f"{glyph} {line.detail} {numbers(line.numbers)}".strip()

    def cluster_title(self, cluster: Cluster) -> Iterator[str]:
        yield from self._names(cluster, cluster.name)

    def _names(self, item: Item, name: str) -> Iterator[str]:
        glyph = GLYPHS[self._union.status(item.id)]
        yield f"{glyph} {name} {numbers(self._union.numbers.get(item.id, ()))}".strip()
        if item.id in self._union.was:
            yield f"was {self._union.was[item.id].rpartition('.')[2]}"

    def edge_texts(self, edge: Edge) -> Iterator[str]:
        for piece in self._union.pieces[edge.id]:
            yield from _texts(piece)

    def arrow(self, edge: Edge) -> str:
        status = self._union.status(edge.id)
        if status is Status.REMOVED or DASHES[edge.kind] != "solid":
            return "-.->"
        return "-->" if status is Status.SAME else "==>"

    def edge_style(self, edge: Edge) -> str:
        status = self._union.status(edge.id)
        gap = GAPS.get("dashed" if status is Status.REMOVED else DASHES[edge.kind])
        dash = f",stroke-dasharray:{gap}" if gap else ""
        return f"stroke:{_LINES[status]},stroke-width:{_WIDTHS[status]}px{dash}"

    def node_class(self, item: Item) -> tuple[str, str]:
        status = self._union.status(item.id)
        is_start = isinstance(item, Node) and item.kind is NodeKind.START
        fill = _LINES[status] if is_start else f"{_LINES[status]}{_OPACITY[status]}"
        dash = ",stroke-dasharray:6 4" if status is Status.REMOVED else ""
        look = f"fill:{fill},stroke:{_LINES[status]},stroke-width:{_WIDTHS[status]}px{dash}"
        return f"{'start-' if is_start else ''}{status}", look


def _texts(piece: Piece) -> Iterator[str]:
    """The texts of one transition."""
    if piece.status is Status.CHANGED and piece.old is not None and piece.new is not None:
        yield from _changed(piece, piece.old, piece.new)
        return
    event, *rest = parts_of(piece.label)
    yield f"{GLYPHS[piece.status]} {event} {numbers(piece.numbers)}".strip()
    yield from rest[:1] if piece.status is Status.SAME else rest


def _changed(piece: Piece, old: Label, new: Label) -> Iterator[str]:
    minus = GLYPHS[Status.REMOVED]
    if old.event != new.event:
        yield f"{minus} {old.event}"
        yield f"+ {new.event} {numbers(piece.numbers)}".strip()
    else:
        yield f"~ {new.event} {numbers(piece.numbers)}".strip()
    if old.guard != new.guard:
        yield f"{minus} [{old.guard}]" if old.guard else ""
        yield f"+ [{new.guard or 'always'}]"
    if piece.is_guard_lost:
        yield f"{WARNING} the guard is gone"
    yield from (f"{minus} / {effect}" for effect in old.effects if effect not in new.effects)
    yield from (f"+ / {effect}" for effect in new.effects if effect not in old.effects)
    yield piece.note
