"""A graph as DOT, the language of Graphviz: the same bytes for the same workflow, in declaration order.

Graphviz only lays out. Everything that is seen is said here, and every node, edge and cluster carries an ``id`` and a
``class`` that survive into SVG.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from fsm_agent.render import palette
from fsm_agent.render.dot_labels import cluster_label, edge_label, node_label, title
from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node, NodeKind
from fsm_agent.render.overlay import Mark, Overlay
from fsm_agent.render.palette import Tone, toned
from fsm_agent.render.text import clean
from fsm_agent.render.wiring import Wiring
from fsm_agent.render.wording import ExitKind, Label

_FONTS: Final = "Helvetica,Arial,sans-serif"
_PLAN: Final = {"compound": "true", "rankdir": "TB", "nodesep": "0.45", "ranksep": "0.45", "pad": "0.25"}
#: Graphviz bends the lines of light edges first: what is expected goes straight, start dots stand above their states.
_WEIGHTS: Final = {None: "200", ExitKind.EVENT: "4", ExitKind.TIMER: "2", ExitKind.ERROR: "1"}
_BREAK: Final = "\n"
_INDENTED: Final = "\n  "
#: Dots look thinner than a line of the same width.
_DOTS: Final = 1.4


def to_dot(graph: Graph, overlay: Overlay | None = None) -> str:
    """DOT text that ends in a line feed; with an overlay, what it does not mark is faded."""
    return _Page(graph, overlay).text()


class _Page:
    """One picture: a graph, and what is laid over it."""

    def __init__(self, graph: Graph, overlay: Overlay | None) -> None:
        self._graph = graph
        self._overlay = overlay
        wiring = Wiring(graph)
        self._ends = {edge.id: wiring.ends(edge) for edge in graph.edges}
        self._labelled = defaultdict[str, list[Edge]](list)
        for edge in graph.edges:
            if (home := self._ends[edge.id].label_home) is not None:
                self._labelled[home].append(edge)

    def text(self) -> str:
        graph = self._graph
        body = [*self._settings(), *map(self._item, graph.items), *self._labels(""), *map(self._edge, graph.edges)]
        return f"digraph workflow {{\n{_indented(body)}}}\n"

    def _settings(self) -> Iterator[str]:
        fonts = {"fontname": _FONTS, "fontcolor": palette.INK}
        identity = {"id": "workflow", "class": "workflow", "tooltip": _tip(self._graph.name)}
        place = {"labelloc": "t", "labeljust": "l"}
        yield _statement("graph", title(self._graph), **identity, bgcolor=palette.PAPER, **_PLAN, **place, **fonts)
        yield _statement("node", shape="box", style="rounded,filled", margin="0.03", width="0.2", height="0.2", **fonts)
        yield _statement("edge", arrowsize="0.75", **fonts)

    def _item(self, item: Item) -> str:
        return self._cluster(item) if isinstance(item, Cluster) else self._node(item)

    def _node(self, node: Node) -> str:
        mark = self._mark(node.id)
        tone = toned(palette.paint_of(node), mark)
        look = {**_identity(node.id, _classes(node), mark), "color": tone.line, "fillcolor": tone.fill}
        if node.kind is NodeKind.START:
            dot = {"shape": "circle", "width": "0.17", "fixedsize": "true", "style": "filled"}
            return _statement(_quoted(node.id), '""', **look, **dot)
        if node.kind is NodeKind.NOTE:
            look |= {"shape": "note", "style": "filled"}
        elif node.kind.is_final:
            look["peripheries"] = "2"
        tip = _tip(node.path, node.description, *(str(detail) for each in node.compartments for detail in each))
        return _statement(_quoted(node.id), node_label(node, tone, mark), **look, penwidth=f"{tone.width}", tooltip=tip)

    def _cluster(self, cluster: Cluster) -> str:
        mark = self._mark(cluster.id)
        tone = toned(palette.paint_of(cluster), mark)
        settings = _statement(
            "graph",
            cluster_label(cluster, tone, mark),
            **_identity(cluster.id, "state compound", mark),
            style="rounded,filled",
            color=tone.line,
            fillcolor=tone.fill,
            penwidth=f"{tone.width}",
            labeljust="l",
            margin="14",
            tooltip=_tip(cluster.path),
        )
        body = [settings, *map(self._item, cluster.items), *self._labels(cluster.id)]
        return f"subgraph {_quoted(f'cluster_{cluster.id}')} {{\n{_indented(body)}}}"

    def _edge(self, edge: Edge) -> str:
        mark, ends = self._mark(edge.id), self._ends[edge.id]
        tone = toned(palette.EDGES[edge.kind], mark)
        look = {**_identity(edge.id, f"transition {edge.kind or 'first'}", mark), **_stroke(edge, tone)}
        upper = {"ltail": f"cluster_{ends.upper_border}"} if ends.upper_border else {}
        lower = {"lhead": f"cluster_{ends.lower_border}"} if ends.lower_border else {}
        if ends.label_home is None:
            label = edge_label(edge, tone, mark) if edge.labels else None
            arrow = {"dir": "back"} if ends.back else {}
            return _statement(_between(ends.upper, ends.lower), label, **look, **arrow, **upper, **lower)
        first, second = ("back", "none") if ends.back else ("none", "forward")
        middle = _label_of(edge)
        above = _statement(_between(ends.upper, middle), **look, **upper, dir=first)
        below = _statement(_between(middle, ends.lower), **{**look, "id": f"{edge.id}--on"}, **lower, dir=second)
        return f"{above}\n{below}"

    def _labels(self, home: str) -> Iterator[str]:
        """Labels that are nodes of the cluster ``home``, because their edges cross borders."""
        for edge in self._labelled[home]:
            name, mark = _label_of(edge), self._mark(edge.id)
            label = edge_label(edge, toned(palette.EDGES[edge.kind], mark), mark)
            look = _identity(name, f"transition label {edge.kind}", mark)
            tip = _tip_of(edge.labels)
            yield _statement(_quoted(name), label, **look, shape="plain", style="", tooltip=tip)

    def _mark(self, identity: str) -> Mark | None:
        return self._overlay.mark(identity) if self._overlay else None


def _classes(node: Node) -> str:
    if node.kind in (NodeKind.START, NodeKind.NOTE):
        return str(node.kind)
    return f"state final {node.kind}" if node.kind.is_final else f"state {node.kind}"


def _identity(identity: str, classes: str, mark: Mark | None) -> dict[str, str]:
    return {"id": identity, "class": f"{classes} {mark.role}" if mark else classes}


def _tip(*lines: str) -> str:
    r"""A tooltip; Graphviz reads ``\n`` in it as a line break, and other backslashes as codes of its own."""
    return r"\n".join([clean(line).replace("\\", "\\\\") for line in lines if line])


@lru_cache(maxsize=4_096)
def _tip_of(labels: tuple[Label, ...]) -> str:
    return _tip(*map(str, labels))


def _label_of(edge: Edge) -> str:
    return f"{edge.id}--label"


def _stroke(edge: Edge, tone: Tone) -> dict[str, str]:
    stroke = {"color": tone.line, "style": palette.DASHES[edge.kind], "penwidth": f"{tone.width}"}
    if edge.kind is ExitKind.TIMER:
        stroke["penwidth"] = f"{tone.width * _DOTS:g}"
    if edge.labels:
        stroke["tooltip"] = stroke["labeltooltip"] = _tip_of(edge.labels)
    return {**stroke, "weight": _WEIGHTS[edge.kind]}


def _between(tail: str, head: str) -> str:
    return f"{_quoted(tail)} -> {_quoted(head)}"


def _statement(subject: str, label: str | None = None, **attributes: str) -> str:
    given = [
        f'{name}="{value}"' if '"' not in value else f"{name}={_quoted(value)}" for name, value in attributes.items()
    ]
    if label is not None:
        given.append(f"label={label}")
    return f"{subject} [{', '.join(given)}];"


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else '"' + text.replace('"', '\\"') + '"'


def _indented(statements: Iterable[str]) -> str:
    return "".join([f"  {each.replace(_BREAK, _INDENTED)}\n" for each in statements])
