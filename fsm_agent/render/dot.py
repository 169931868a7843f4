"""A graph as DOT, the language of Graphviz: the same bytes for the same workflow, in declaration order.

Graphviz only computes the layout. This module decides everything that is seen. Each node, edge and cluster has an
``id`` and a ``class``, which SVG keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from fsm_agent.render import style
from fsm_agent.render.dot_labels import cluster_label, edge_label, node_label, title
from fsm_agent.render.edge_ends import EdgeEnds
from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node, NodeKind
from fsm_agent.render.labels import ExitKind, Label
from fsm_agent.render.overlay import Emphasis, Mark, Overlay
from fsm_agent.render.style import toned
from fsm_agent.render.text_width import clean

_FONTS: Final = "Helvetica,Arial,sans-serif"
_PLAN: Final = {"compound": "true", "rankdir": "TB", "nodesep": "0.45", "ranksep": "0.45", "pad": "0.25"}
#: Graphviz bends edges with a low weight first. The expected way stays straight, and start dots stay on top.
_WEIGHTS: Final = {None: "200", ExitKind.EVENT: "4", ExitKind.TIMER: "2", ExitKind.ERROR: "1"}
_INDENT: Final = "  "
#: dots look thinner than a line of the same width
_DOTS: Final = 1.4


def to_dot(graph: Graph, overlay: Overlay | None = None) -> str:
    """DOT text with a line feed at its end. With an overlay, unmarked parts are faded."""
    return _Page(graph, overlay).text()


class _Page:
    """One picture: a graph with its overlay. Its parts are lines of DOT."""

    def __init__(self, graph: Graph, overlay: Overlay | None) -> None:
        self._graph = graph
        self._overlay = overlay
        edge_ends = EdgeEnds(graph)
        self._ends = {edge.id: edge_ends.ends(edge) for edge in graph.edges}
        self._labelled = defaultdict[str, list[Edge]](list)
        for edge in graph.edges:
            if (home := self._ends[edge.id].label_home) is not None:
                self._labelled[home].append(edge)

    def text(self) -> str:
        return "\n".join(["digraph workflow {", *_indented(self._body()), "}", ""])

    def _body(self) -> Iterator[str]:
        yield from self._settings()
        yield from self._items(self._graph.items)
        yield from self._labels("")
        for edge in self._graph.edges:
            yield from self._edge(edge)

    def _settings(self) -> Iterator[str]:
        fonts = {"fontname": _FONTS, "fontcolor": style.INK}
        identity = {"id": "workflow", "class": "workflow", "tooltip": _tip(self._graph.name)}
        place = {"labelloc": "t", "labeljust": "l"}
        page = _attributes(**identity, bgcolor=style.PAPER, **_PLAN, **place, **fonts)
        box = _attributes(shape="box", style="rounded,filled", margin="0.03", width="0.2", height="0.2", **fonts)
        yield _statement("graph", page, _label(title(self._graph)))
        yield _statement("node", box)
        yield _statement("edge", _attributes(arrowsize="0.75", **fonts))

    def _items(self, items: Iterable[Item]) -> Iterator[str]:
        for item in items:
            if isinstance(item, Cluster):
                yield f'subgraph "cluster_{item.id}" {{'
                yield from _indented(self._cluster(item))
                yield "}"
            else:
                yield self._node(item)

    def _node(self, node: Node) -> str:
        mark = self._mark(node.id)
        look = f'id="{node.id}", {_node_look(node.kind, _role(mark))}'
        if node.kind is NodeKind.START:
            return _statement(f'"{node.id}"', look, _label('""'))
        tip = _tip(node.path, node.description, *(str(detail) for each in node.compartments for detail in each))
        label = node_label(node, toned(style.paint_of(node), _role(mark)), mark)
        return _statement(f'"{node.id}"', look, f"tooltip={_quoted(tip)}", _label(label))

    def _cluster(self, cluster: Cluster) -> Iterator[str]:
        mark = self._mark(cluster.id)
        tone = toned(style.paint_of(cluster), _role(mark))
        look = _attributes(
            **{"id": cluster.id, "class": _class("state compound", _role(mark)), "style": "rounded,filled"},
            color=tone.line,
            fillcolor=tone.fill,
            penwidth=f"{tone.width}",
            labeljust="l",
            margin="14",
            tooltip=_tip(cluster.path),
        )
        yield _statement("graph", look, _label(cluster_label(cluster, tone, mark)))
        yield from self._items(cluster.items)
        yield from self._labels(cluster.id)

    def _edge(self, edge: Edge) -> Iterator[str]:
        mark, ends = self._mark(edge.id), self._ends[edge.id]
        tip = _tips(edge.labels) if edge.labels else ""
        look = f'{_stroke(edge.kind, _role(mark))}{tip}, weight="{_WEIGHTS[edge.kind]}"'
        upper = f', ltail="cluster_{ends.upper_border}"' if ends.upper_border else ""
        lower = f', lhead="cluster_{ends.lower_border}"' if ends.lower_border else ""
        if ends.label_home is None:
            arrow = ', dir="back"' if ends.back else ""
            label = f", {_label(self._edge_label(edge, mark))}" if edge.labels else ""
            yield f'"{ends.upper}" -> "{ends.lower}" [id="{edge.id}", {look}{arrow}{upper}{lower}{label}];'
            return
        first, second = ("back", "none") if ends.back else ("none", "forward")
        middle = _label_of(edge)
        yield f'"{ends.upper}" -> "{middle}" [id="{edge.id}", {look}{upper}, dir="{first}"];'
        yield f'"{middle}" -> "{ends.lower}" [id="{edge.id}--on", {look}{lower}, dir="{second}"];'

    def _labels(self, home: str) -> Iterator[str]:
        """Labels of edges that cross borders; they are nodes of the cluster ``home``."""
        for edge in self._labelled[home]:
            name, mark = _label_of(edge), self._mark(edge.id)
            look = _attributes(**{"id": name, "class": _class(f"transition label {edge.kind}", _role(mark))})
            tip = f'shape="plain", style="", tooltip={_tip_of(edge.labels)}'
            yield _statement(f'"{name}"', look, tip, _label(self._edge_label(edge, mark)))

    def _edge_label(self, edge: Edge, mark: Mark | None) -> str:
        return edge_label(edge, toned(style.EDGES[edge.kind], _role(mark)), mark)

    def _mark(self, identity: str) -> Mark | None:
        return self._overlay.mark(identity) if self._overlay else None


def _role(mark: Mark | None) -> Emphasis | None:
    return mark.emphasis if mark else None


def _class(words: str, emphasis: Emphasis | None) -> str:
    return f"{words} {emphasis}" if emphasis else words


def _classes(kind: NodeKind) -> str:
    if not kind.is_state:
        return str(kind)
    return f"state final {kind}" if kind.is_final else f"state {kind}"


@lru_cache
def _node_look(kind: NodeKind, emphasis: Emphasis | None) -> str:
    """The attributes that all nodes of a kind share."""
    tone = toned(style.NODES[kind], emphasis)
    look = {"class": _class(_classes(kind), emphasis), "color": tone.line, "fillcolor": tone.fill}
    if kind is NodeKind.START:
        return _attributes(**look, shape="circle", width="0.17", fixedsize="true", style="filled")
    if kind is NodeKind.NOTE:
        look |= {"shape": "note", "style": "filled"}
    elif kind.is_final:
        look["peripheries"] = "2"
    return _attributes(**look, penwidth=f"{tone.width}")


@lru_cache
def _stroke(kind: ExitKind | None, emphasis: Emphasis | None) -> str:
    """The attributes that all edges of a kind share."""
    tone = toned(style.EDGES[kind], emphasis)
    width = tone.width if kind is not ExitKind.TIMER else tone.width * _DOTS
    look = {"class": _class(f"transition {kind or 'first'}", emphasis), "color": tone.line}
    return _attributes(**look, style=style.DASHES[kind], penwidth=f"{width:g}")


def _tip(*lines: str) -> str:
    r"""A tooltip. Graphviz reads ``\n`` in it as a line break, and other backslashes as its own codes."""
    return r"\n".join([clean(line).replace("\\", "\\\\") for line in lines if line])


@lru_cache(maxsize=4_096)
def _tip_of(labels: tuple[Label, ...]) -> str:
    return _quoted(_tip(*map(str, labels)))


def _tips(labels: tuple[Label, ...]) -> str:
    return f", tooltip={_tip_of(labels)}, labeltooltip={_tip_of(labels)}"


def _label_of(edge: Edge) -> str:
    return f"{edge.id}--label"


def _statement(subject: str, *attributes: str) -> str:
    return f"{subject} [{', '.join(attributes)}];"


def _attributes(**named: str) -> str:
    return ", ".join([f"{name}={_quoted(value)}" for name, value in named.items()])


def _label(text: str) -> str:
    """The label as an attribute; it is HTML-like, or already in quotes."""
    return f"label={text}"


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else '"' + text.replace('"', '\\"') + '"'


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)
