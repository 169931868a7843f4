"""A graph as a Mermaid flowchart, which README pages can show: the same bytes for the same workflow.

It is no state diagram, because only in a flowchart may an edge join states of different clusters, and only there can
states inside clusters have classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from textwrap import indent
from typing import Final

from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node, NodeKind, walk
from fsm_agent.render.labels import Label
from fsm_agent.render.overlay import Mark, Overlay
from fsm_agent.render.style import DASHES, EDGES, Tone, paint_of, toned
from fsm_agent.render.text_width import clean, wrap

_GAPS: Final = {"dashed": "6 4", "dotted": "2 4"}
#: In points, as in the pictures of Graphviz. Lines beyond ``_MOST_LINES`` are cut.
_WIDTH: Final = 240
_EDGE_WIDTH: Final = 140
_SIZE: Final = 10
_MOST_LINES: Final = 5
#: our lines are wrapped already, and Mermaid must not wrap them again
_FRONT: Final = "---\ntitle: {heading}\nconfig:\n  flowchart:\n    wrappingWidth: 600\n---\n"
_BACKSLASH: Final = "\N{SET MINUS}"
_BREAK: Final = "<br/>"
#: characters that Mermaid, or Markdown in its labels, might take for syntax: all of ASCII but letters, digits and a few
#: marks, and those marks where they could begin a list, an emphasis or a link
_RISKY: Final = re.compile(
    r"(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<![^\W_])[_-]|[_-](?![^\W_])|\](?=\()|[^\w\s,()/?!='\[\].\-\u0080-\U0010ffff]"
)


def to_mermaid(graph: Graph, overlay: Overlay | None = None) -> str:
    """Mermaid text with a line feed at its end. With an overlay, unmarked parts are faded."""
    heading = json.dumps(_heading(graph), ensure_ascii=False)
    body = indent("\n".join(_Chart(graph, overlay).statements()), "  ")
    return f"{_FRONT.format(heading=heading)}flowchart TB\n{body}\n"


def escaped(text: str) -> str:
    r"""One line of text for a label; risky characters become entities, such as ``#58;`` for a colon.

    A similar character replaces the backslash, since Mermaid breaks lines at ``\n`` even if it comes from an entity.
    """
    return _RISKY.sub(lambda found: f"#{ord(found[0])};", clean(text).replace("\\", _BACKSLASH))


class _Chart:
    """One picture: a graph with its overlay."""

    def __init__(self, graph: Graph, overlay: Overlay | None) -> None:
        self._graph = graph
        self._overlay = overlay
        self._clusters = {item.id: item for item in walk(graph.items) if isinstance(item, Cluster)}

    def statements(self) -> Iterator[str]:
        yield from map(self._item, self._graph.items)
        yield from map(self._edge, self._graph.edges)
        yield from self._edge_styles()
        yield from self._node_styles()

    def _item(self, item: Item) -> str:
        return self._cluster(item) if isinstance(item, Cluster) else self._node(item)

    def _node(self, node: Node) -> str:
        if node.kind is NodeKind.START:
            return f'{node.id}((" "))'
        name = f"{paint_of(node).glyph} {node.name}" if node.name else ""
        details = (str(detail) for each in node.compartments for detail in each)
        text = _label(self._badged(name, node), node.description, *details)
        if node.kind.is_final:
            return f"{node.id}[[{text}]]"
        return f"{node.id}[{text}]" if node.kind is NodeKind.NOTE else f"{node.id}({text})"

    def _cluster(self, cluster: Cluster) -> str:
        title = _label(self._badged(cluster.name, cluster))
        body = indent("\n".join(map(self._item, cluster.items)), "  ")
        return f"subgraph {cluster.id}[{title}]\n{body}\nend"

    def _edge(self, edge: Edge) -> str:
        arrow = "-->" if DASHES[edge.kind] == "solid" else "-.->"
        if not edge.labels:
            return f"{edge.source} {arrow} {edge.target}"
        mark = self._mark(edge.id)
        order = mark.order if mark else ""
        parts = (part for label in edge.labels for part in _parts(label))
        return f"{edge.source} {arrow}|{_label(*parts, order, width=_EDGE_WIDTH)}| {self._arrival(edge)}"

    def _arrival(self, edge: Edge) -> str:
        """The id where an edge ends. From inside a cluster to that cluster, this is its start dot, since Mermaid cannot
        draw a line to the border from there."""
        around = self._clusters.get(edge.target)
        if around and any(inner.id == edge.source for inner in walk(around.items)):
            return around.items[0].id
        return edge.target

    def _edge_styles(self) -> Iterator[str]:
        """One line for all edges that look the same; Mermaid identifies edges by number."""
        by_look: dict[str, list[str]] = {}
        for number, edge in enumerate(self._graph.edges):
            mark = self._mark(edge.id)
            tone = toned(EDGES[edge.kind], mark.emphasis if mark else None)
            dash = f",stroke-dasharray:{_GAPS[DASHES[edge.kind]]}" if DASHES[edge.kind] in _GAPS else ""
            by_look.setdefault(f"stroke:{tone.line},stroke-width:{tone.width}px{dash}", []).append(str(number))
        for style, numbers in by_look.items():
            yield f"linkStyle {','.join(numbers)} {style}"

    def _node_styles(self) -> Iterator[str]:
        """One class for each kind of node, and with an overlay for each kind and emphasis."""
        by_class: dict[str, tuple[Tone, list[str]]] = {}
        for item in walk(self._graph.items):
            kind, mark = "compound" if isinstance(item, Cluster) else item.kind, self._mark(item.id)
            tone = toned(paint_of(item), mark.emphasis if mark else None)
            by_class.setdefault(f"{kind}-{mark.emphasis}" if mark else kind, (tone, []))[1].append(item.id)
        for name, (tone, identities) in by_class.items():
            yield f"classDef {name} fill:{tone.fill},stroke:{tone.line},stroke-width:{tone.width}px,color:{tone.ink}"
            yield f"class {','.join(identities)} {name}"

    def _badged(self, name: str, item: Item) -> str:
        mark = self._mark(item.id)
        return f"{name} {mark.badge}".rstrip() if mark else name

    def _mark(self, identity: str) -> Mark | None:
        return self._overlay.mark(identity) if self._overlay else None


def _heading(graph: Graph) -> str:
    """One line: name, version, and as much of the description as fits."""
    facts = ", ".join((graph.name, f"version {graph.version}", *graph.remarks))
    about = f": {graph.description}" if graph.description else ""
    return wrap(f"{facts}{about}", width=3 * _WIDTH, size=_SIZE, most=1)[0]


def _parts(label: Label) -> tuple[str, ...]:
    guard = f"[{label.guard}]" if label.guard else ""
    event = f"{label.event}  {label.note}" if label.note else label.event
    return (event, guard, *(f"/ {effect}" for effect in label.effects))


def _label(*texts: str, width: int = _WIDTH) -> str:
    """A quoted label; long text is wrapped."""
    lines = (line for text in texts for line in wrap(text, width=width, size=_SIZE, most=_MOST_LINES))
    return f'"{_BREAK.join(map(escaped, lines))}"'
