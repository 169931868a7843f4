"""The picture of a difference: both versions at once, laid out once, and what has changed marked.

What is as before is grey: states are a name, edges an event and its guard. What is new is solid and filled, what is
gone dashed and struck, and what has changed has its old text struck above the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from fsm_agent.change.difference import Difference
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import RenderFailed
from fsm_agent.render import difference_labels as labels
from fsm_agent.render import style
from fsm_agent.render.difference_mermaid import to_mermaid
from fsm_agent.render.difference_style import TONES
from fsm_agent.render.dot import DOTS
from fsm_agent.render.dot_page import DotPage, attributes, class_of, quoted, shape_of, tip
from fsm_agent.render.folded_union import folded
from fsm_agent.render.graph import Cluster, Edge, Item, Node, NodeKind
from fsm_agent.render.image import ImageFormat, render_image
from fsm_agent.render.labels import ExitKind
from fsm_agent.render.union import Union, union_of
from fsm_agent.render.union_lines import Status


def picture(difference: Difference, *, is_full: bool = False) -> Union:
    """What is drawn of a difference: with ``is_full`` everything, else of a large workflow what has changed and what is
    next to it."""
    union = without_quiet_notes(union_of(difference))
    return union if is_full else folded(union)


def without_quiet_notes(union: Union) -> Union:
    """Notes that only describe say nothing where nothing about them has changed."""

    def kept(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(
            item._replace(items=kept(item.items)) if isinstance(item, Cluster) else item
            for item in items
            if isinstance(item, Cluster) or not _is_quiet_note(union, item)
        )

    return replace(union, graph=replace(union.graph, items=kept(union.graph.items)))


def _is_quiet_note(union: Union, node: Node) -> bool:
    is_source = any(edge.source == node.id for edge in union.graph.edges)
    return node.kind is NodeKind.NOTE and union.status(node.id) is Status.SAME and not is_source


def to_dot(union: Union) -> str:
    """DOT text with a line feed at its end: the same bytes for the same two versions."""
    return _Page(union).text()


class _Page(DotPage):
    name: ClassVar[str] = "difference"

    def __init__(self, union: Union) -> None:
        super().__init__(union.graph)
        self._union = union

    def title(self) -> str:
        return labels.title(self._union)

    def node_look(self, node: Node) -> str:
        status = self._union.status(node.id)
        tone = TONES[status]
        is_dot = node.kind is NodeKind.START
        fill = tone.line if is_dot else _FOLDED_FILL if node.kind is NodeKind.FOLDED else tone.fill
        look = {"class": f"{class_of(node.kind)} {status}", "color": tone.line, "fillcolor": fill}
        look |= shape_of(node.kind)
        if status is Status.REMOVED and not is_dot:
            look["style"] = "filled,dashed" if node.kind is NodeKind.NOTE else "rounded,filled,dashed"
        if node.kind is NodeKind.FOLDED:
            look["style"] = "rounded,filled,dotted"
        return attributes(**look) if is_dot else attributes(**look, penwidth=f"{tone.width}")

    def node_label(self, node: Node) -> str:
        return labels.node_label(self._union, node)

    def node_tip(self, node: Node) -> str:
        lines = self._union.lines.get(node.id, ())
        return tip(node.path, node.description, *(f"{_SIGNS[line.status]}{line.detail}" for line in lines))

    def cluster_look(self, cluster: Cluster) -> str:
        status = self._union.status(cluster.id)
        tone = TONES[status]
        fill = style.COMPOUND.fill if status in (Status.SAME, Status.CHANGED) else tone.fill
        dashed = ",dashed" if status is Status.REMOVED else ""
        return attributes(
            **{"class": f"state compound {status}", "style": f"rounded,filled{dashed}"},
            color=tone.line,
            fillcolor=fill,
            penwidth=f"{tone.width}",
        )

    def cluster_label(self, cluster: Cluster) -> str:
        return labels.cluster_label(self._union, cluster)

    def stroke(self, edge: Edge) -> str:
        status = self._union.status(edge.id)
        tone = TONES[status]
        width = tone.width if edge.kind is not ExitKind.TIMER else tone.width * DOTS
        look = {"class": f"transition {edge.kind or 'first'} {status}", "color": tone.line}
        dash = "dashed" if status is Status.REMOVED else style.DASHES[edge.kind]
        head = {"arrowhead": "odiamond", "arrowtail": "odiamond"} if status is Status.REMOVED else {}
        return attributes(**look, style=dash, penwidth=f"{width:g}", **head)

    def edge_label(self, edge: Edge) -> str:
        return labels.edge_label(self._union.pieces[edge.id])

    def edge_tip(self, edge: Edge) -> str:
        texts = []
        for piece in self._union.pieces[edge.id]:
            if piece.status is Status.CHANGED and piece.old != piece.new:
                texts += [f"{_SIGNS[Status.REMOVED]}{piece.old}", f"{_SIGNS[Status.ADDED]}{piece.new}"]
            else:
                texts.append(f"{_SIGNS[piece.status]}{piece.label}")
        return quoted(tip(*texts))

    def label_class(self, edge: Edge) -> str:
        return f"transition label {edge.kind} {self._union.status(edge.id)}"


_FOLDED_FILL: Final = style.COMPOUND.fill
_SIGNS: Final = {Status.SAME: "", Status.ADDED: "+ ", Status.REMOVED: "\N{MINUS SIGN} ", Status.CHANGED: "~ "}


@dataclass(frozen=True, slots=True)
class DifferenceFormat:
    """How a picture is made, and how files with it end."""

    suffix: str
    render: Callable[[Union], bytes]


def _image(name: ImageFormat) -> Callable[[Union], bytes]:
    return lambda union: render_image(to_dot(union), name)


DIFFERENCE_FORMATS: Final[Mapping[str, DifferenceFormat]] = {
    "svg": DifferenceFormat(".svg", _image("svg")),
    "png": DifferenceFormat(".png", _image("png")),
    "pdf": DifferenceFormat(".pdf", _image("pdf")),
    "dot": DifferenceFormat(".dot", lambda union: to_dot(union).encode()),
    "mermaid": DifferenceFormat(".mmd", lambda union: to_mermaid(union).encode()),
}


def draw_difference(difference: Difference, format: str, *, is_full: bool = False) -> bytes:  # noqa: A002
    """The picture of a difference; DOT and Mermaid are UTF-8 text, and the same bytes every time.

    Raises ``RenderFailed`` for an unknown format, and where an image cannot be made.
    """
    if format not in DIFFERENCE_FORMATS:
        known = listed(DIFFERENCE_FORMATS)
        raise RenderFailed(f"unknown format {format!r}{did_you_mean(format, DIFFERENCE_FORMATS)}; there are {known}")
    return DIFFERENCE_FORMATS[format].render(picture(difference, is_full=is_full))
