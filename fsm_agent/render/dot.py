"""A graph as DOT, the language of Graphviz: the same bytes for the same workflow, in declaration order."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Final

from fsm_agent.render import style
from fsm_agent.render.dot_labels import cluster_label, edge_label, node_label, title
from fsm_agent.render.dot_page import DotPage, attributes, class_of, quoted, shape_of, tip
from fsm_agent.render.graph import Cluster, Edge, Graph, Node, NodeKind
from fsm_agent.render.labels import ExitKind, Label
from fsm_agent.render.overlay import Emphasis, Mark, Overlay
from fsm_agent.render.style import toned

#: dots look thinner than a line of the same width
DOTS: Final = 1.4


def to_dot(graph: Graph, overlay: Overlay | None = None) -> str:
    """DOT text with a line feed at its end. With an overlay, unmarked parts are faded."""
    return _Page(graph, overlay).text()


class _Page(DotPage):
    """One picture: a graph with its overlay."""

    name: ClassVar[str] = "workflow"

    def __init__(self, graph: Graph, overlay: Overlay | None) -> None:
        super().__init__(graph)
        self._overlay = overlay

    def title(self) -> str:
        return title(self.graph)

    def node_look(self, node: Node) -> str:
        return _node_look(node.kind, _role(self._mark(node.id)))

    def node_label(self, node: Node) -> str:
        mark = self._mark(node.id)
        return node_label(node, toned(style.paint_of(node), _role(mark)), mark)

    def node_tip(self, node: Node) -> str:
        return tip(node.path, node.description, *(str(detail) for each in node.compartments for detail in each))

    def cluster_look(self, cluster: Cluster) -> str:
        mark = self._mark(cluster.id)
        tone = toned(style.paint_of(cluster), _role(mark))
        return attributes(
            **{"class": _class("state compound", _role(mark)), "style": "rounded,filled"},
            color=tone.line,
            fillcolor=tone.fill,
            penwidth=f"{tone.width}",
        )

    def cluster_label(self, cluster: Cluster) -> str:
        mark = self._mark(cluster.id)
        return cluster_label(cluster, toned(style.paint_of(cluster), _role(mark)), mark)

    def stroke(self, edge: Edge) -> str:
        return _stroke(edge.kind, _role(self._mark(edge.id)))

    def edge_label(self, edge: Edge) -> str:
        mark = self._mark(edge.id)
        return edge_label(edge, toned(style.EDGES[edge.kind], _role(mark)), mark)

    def edge_tip(self, edge: Edge) -> str:
        return _tip_of(edge.labels)

    def label_class(self, edge: Edge) -> str:
        return _class(f"transition label {edge.kind}", _role(self._mark(edge.id)))

    def _mark(self, identity: str) -> Mark | None:
        return self._overlay.mark(identity) if self._overlay else None


def _role(mark: Mark | None) -> Emphasis | None:
    return mark.emphasis if mark else None


def _class(words: str, emphasis: Emphasis | None) -> str:
    return f"{words} {emphasis}" if emphasis else words


@lru_cache
def _node_look(kind: NodeKind, emphasis: Emphasis | None) -> str:
    """The attributes that all nodes of a kind share."""
    tone = toned(style.NODES[kind], emphasis)
    look = {"class": _class(class_of(kind), emphasis), "color": tone.line, "fillcolor": tone.fill, **shape_of(kind)}
    return attributes(**look) if kind is NodeKind.START else attributes(**look, penwidth=f"{tone.width}")


@lru_cache
def _stroke(kind: ExitKind | None, emphasis: Emphasis | None) -> str:
    """The attributes that all edges of a kind share."""
    tone = toned(style.EDGES[kind], emphasis)
    width = tone.width if kind is not ExitKind.TIMER else tone.width * DOTS
    look = {"class": _class(f"transition {kind or 'first'}", emphasis), "color": tone.line}
    return attributes(**look, style=style.DASHES[kind], penwidth=f"{width:g}")


@lru_cache(maxsize=4_096)
def _tip_of(labels: tuple[Label, ...]) -> str:
    return quoted(tip(*map(str, labels)))
