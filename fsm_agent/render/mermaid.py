"""A graph as a Mermaid flowchart, with an overlay or without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node
from fsm_agent.render.mermaid_chart import MermaidChart, parts_of
from fsm_agent.render.overlay import Mark, Overlay
from fsm_agent.render.style import DASHES, EDGES, paint_of, toned

#: dash style -> the lengths of dashes and gaps
GAPS: Final = {"dashed": "6 4", "dotted": "2 4"}


def to_mermaid(graph: Graph, overlay: Overlay | None = None) -> str:
    """Mermaid text with a line feed at its end. With an overlay, unmarked parts are faded."""
    return _Chart(graph, overlay).text()


class _Chart(MermaidChart):
    """One picture: a graph with its overlay."""

    def __init__(self, graph: Graph, overlay: Overlay | None) -> None:
        super().__init__(graph)
        self._overlay = overlay

    def title(self) -> str:
        """Name, version, and as much of the description as fits."""
        graph = self.graph
        facts = ", ".join((graph.name, f"version {graph.version}", *graph.remarks))
        return f"{facts}{f': {graph.description}' if graph.description else ''}"

    def node_texts(self, node: Node) -> Iterator[str]:
        name = f"{paint_of(node).glyph} {node.name}" if node.name else ""
        yield self._badged(name, node)
        yield node.description
        yield from (str(detail) for each in node.compartments for detail in each)

    def cluster_title(self, cluster: Cluster) -> Iterator[str]:
        yield self._badged(cluster.name, cluster)

    def edge_texts(self, edge: Edge) -> Iterator[str]:
        mark = self._mark(edge.id)
        for label in edge.labels:
            yield from parts_of(label)
        yield mark.order if mark else ""

    def arrow(self, edge: Edge) -> str:
        return "-->" if DASHES[edge.kind] == "solid" else "-.->"

    def edge_style(self, edge: Edge) -> str:
        mark = self._mark(edge.id)
        tone = toned(EDGES[edge.kind], mark.emphasis if mark else None)
        dash = f",stroke-dasharray:{GAPS[DASHES[edge.kind]]}" if DASHES[edge.kind] in GAPS else ""
        return f"stroke:{tone.line},stroke-width:{tone.width}px{dash}"

    def node_class(self, item: Item) -> tuple[str, str]:
        """One class for each kind of node, and with an overlay for each kind and emphasis."""
        kind, mark = "compound" if isinstance(item, Cluster) else item.kind, self._mark(item.id)
        tone = toned(paint_of(item), mark.emphasis if mark else None)
        name = f"{kind}-{mark.emphasis}" if mark else str(kind)
        return name, f"fill:{tone.fill},stroke:{tone.line},stroke-width:{tone.width}px,color:{tone.ink}"

    def _badged(self, name: str, item: Item) -> str:
        mark = self._mark(item.id)
        return f"{name} {mark.badge}".rstrip() if mark else name

    def _mark(self, identity: str) -> Mark | None:
        return self._overlay.mark(identity) if self._overlay else None
