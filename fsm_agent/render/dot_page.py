"""The structure of a picture in DOT, the language of Graphviz: the same bytes for the same graph, in declaration order.

Graphviz only computes the layout. Subclasses of ``DotPage`` decide everything that is seen. Each node, edge and cluster
has an ``id`` and a ``class``, which SVG keeps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from fsm_agent.render import style
from fsm_agent.render.edge_ends import EdgeEnds
from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node, NodeKind
from fsm_agent.render.labels import ExitKind
from fsm_agent.render.text_width import clean

_FONTS: Final = "Helvetica,Arial,sans-serif"
_PLAN: Final = {"compound": "true", "rankdir": "TB", "nodesep": "0.45", "ranksep": "0.45", "pad": "0.25"}
#: Graphviz bends edges with a low weight first. The expected way stays straight, and start dots stay on top.
_WEIGHTS: Final = {None: "200", ExitKind.EVENT: "4", ExitKind.TIMER: "2", ExitKind.ERROR: "1"}
_INDENT: Final = "  "
#: characters of a tooltip: Graphviz reads no text of more than 16,384 bytes
_LONGEST_TIP: Final = 3_000


class DotPage(ABC):
    """One picture: a graph, and how its parts look. The parts are lines of DOT."""

    #: the id and class of the whole picture
    name: ClassVar[str]

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        edge_ends = EdgeEnds(graph)
        self._ends = {edge.id: edge_ends.ends(edge) for edge in graph.edges}
        self._labelled = defaultdict[str, list[Edge]](list)
        for edge in graph.edges:
            if (home := self._ends[edge.id].label_home) is not None:
                self._labelled[home].append(edge)

    def text(self) -> str:
        """DOT text with a line feed at its end."""
        return "\n".join([f"digraph {self.name} {{", *_indented(self._body()), "}", ""])

    @abstractmethod
    def title(self) -> str:
        """The label of the picture."""

    @abstractmethod
    def node_look(self, node: Node) -> str:
        """The attributes of a node but for its id and texts."""

    @abstractmethod
    def node_label(self, node: Node) -> str: ...

    @abstractmethod
    def node_tip(self, node: Node) -> str:
        """The text at the pointer, as ``tip`` makes it."""

    @abstractmethod
    def cluster_look(self, cluster: Cluster) -> str: ...

    @abstractmethod
    def cluster_label(self, cluster: Cluster) -> str: ...

    @abstractmethod
    def stroke(self, edge: Edge) -> str:
        """The attributes of an edge's line."""

    @abstractmethod
    def edge_label(self, edge: Edge) -> str: ...

    @abstractmethod
    def edge_tip(self, edge: Edge) -> str:
        """The text at the pointer in quotes, of an edge that has a label."""

    @abstractmethod
    def label_class(self, edge: Edge) -> str:
        """The class of a label that is a node."""

    def _body(self) -> Iterator[str]:
        yield from self._settings()
        yield from self._items(self.graph.items)
        yield from self._labels("")
        for edge in self.graph.edges:
            yield from self._edge(edge)

    def _settings(self) -> Iterator[str]:
        fonts = {"fontname": _FONTS, "fontcolor": style.INK}
        identity = {"id": self.name, "class": self.name, "tooltip": tip(self.graph.name)}
        place = {"labelloc": "t", "labeljust": "l"}
        page = attributes(**identity, bgcolor=style.PAPER, **_PLAN, **place, **fonts)
        box = attributes(shape="box", style="rounded,filled", margin="0.03", width="0.2", height="0.2", **fonts)
        yield _statement("graph", page, _label(self.title()))
        yield _statement("node", box)
        yield _statement("edge", attributes(arrowsize="0.75", **fonts))

    def _items(self, items: Iterable[Item]) -> Iterator[str]:
        for item in items:
            if isinstance(item, Cluster):
                yield f'subgraph "cluster_{item.id}" {{'
                yield from _indented(self._cluster(item))
                yield "}"
            else:
                yield self._node(item)

    def _node(self, node: Node) -> str:
        look = f'id="{node.id}", {self.node_look(node)}'
        if node.kind is NodeKind.START:
            return _statement(f'"{node.id}"', look, _label('""'))
        tooltip = f"tooltip={quoted(self.node_tip(node))}"
        return _statement(f'"{node.id}"', look, tooltip, _label(self.node_label(node)))

    def _cluster(self, cluster: Cluster) -> Iterator[str]:
        look = f'id="{cluster.id}", {self.cluster_look(cluster)}'
        place = attributes(labeljust="l", margin="14", tooltip=tip(cluster.path))
        yield _statement("graph", look, place, _label(self.cluster_label(cluster)))
        yield from self._items(cluster.items)
        yield from self._labels(cluster.id)

    def _edge(self, edge: Edge) -> Iterator[str]:
        ends = self._ends[edge.id]
        tips = f", tooltip={self.edge_tip(edge)}, labeltooltip={self.edge_tip(edge)}" if edge.labels else ""
        look = f'{self.stroke(edge)}{tips}, weight="{_WEIGHTS[edge.kind]}"'
        upper = f', ltail="cluster_{ends.upper_border}"' if ends.upper_border else ""
        lower = f', lhead="cluster_{ends.lower_border}"' if ends.lower_border else ""
        if ends.label_home is None:
            arrow = ', dir="back"' if ends.back else ""
            label = f", {_label(self.edge_label(edge))}" if edge.labels else ""
            yield f'"{ends.upper}" -> "{ends.lower}" [id="{edge.id}", {look}{arrow}{upper}{lower}{label}];'
            return
        first, second = ("back", "none") if ends.back else ("none", "forward")
        middle = _label_of(edge)
        yield f'"{ends.upper}" -> "{middle}" [id="{edge.id}", {look}{upper}, dir="{first}"];'
        yield f'"{middle}" -> "{ends.lower}" [id="{edge.id}--on", {look}{lower}, dir="{second}"];'

    def _labels(self, home: str) -> Iterator[str]:
        """Labels of edges that cross borders; they are nodes of the cluster ``home``."""
        for edge in self._labelled[home]:
            name = _label_of(edge)
            look = attributes(**{"id": name, "class": self.label_class(edge)})
            shape = f'shape="plain", style="", tooltip={self.edge_tip(edge)}'
            yield _statement(f'"{name}"', look, shape, _label(self.edge_label(edge)))


def class_of(kind: NodeKind) -> str:
    """The words of a node's class."""
    if not kind.is_state:
        return str(kind)
    return f"state final {kind}" if kind.is_final else f"state {kind}"


def shape_of(kind: NodeKind) -> dict[str, str]:
    """The attributes that make the outline of a kind of node, where it is not that of a state."""
    if kind is NodeKind.START:
        return {"shape": "circle", "width": "0.17", "fixedsize": "true", "style": "filled"}
    if kind is NodeKind.NOTE:
        return {"shape": "note", "style": "filled"}
    return {"peripheries": "2"} if kind.is_final else {}


def tip(*lines: str) -> str:
    r"""A tooltip. Graphviz reads ``\n`` in it as a line break, and other backslashes as its own codes."""
    text = "\n".join([clean(line) for line in lines if line])
    if len(text) > _LONGEST_TIP:
        text = f"{text[: _LONGEST_TIP - 1]}…"
    return text.replace("\\", "\\\\").replace("\n", r"\n")


def quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else '"' + text.replace('"', '\\"') + '"'


def attributes(**named: str) -> str:
    return ", ".join([f"{name}={quoted(value)}" for name, value in named.items()])


def _label_of(edge: Edge) -> str:
    return f"{edge.id}--label"


def _statement(subject: str, *parts: str) -> str:
    return f"{subject} [{', '.join(parts)}];"


def _label(text: str) -> str:
    """The label as an attribute; it is HTML-like, or already in quotes."""
    return f"label={text}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)
