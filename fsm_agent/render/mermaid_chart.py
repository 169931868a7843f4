"""The structure of a picture as a Mermaid flowchart, which README pages can show: the same bytes for the same graph.

It is no state diagram, because only in a flowchart may an edge join states of different clusters, and only there can
states inside clusters have classes. Subclasses of ``MermaidChart`` decide how the parts look.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Final

from fsm_agent.render.graph import Cluster, Edge, Graph, Item, Node, NodeKind, walk
from fsm_agent.render.labels import Label
from fsm_agent.render.text_width import clean, wrap

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


def escaped(text: str) -> str:
    r"""One line of text for a label; risky characters become entities, such as ``#58;`` for a colon.

    A similar character replaces the backslash, since Mermaid breaks lines at ``\n`` even if it comes from an entity.
    """
    return _RISKY.sub(lambda found: f"#{ord(found[0])};", clean(text).replace("\\", _BACKSLASH))


def parts_of(label: Label) -> tuple[str, ...]:
    """The texts of a transition, each for lines of its own."""
    guard = f"[{label.guard}]" if label.guard else ""
    event = f"{label.event}  {label.note}" if label.note else label.event
    return (event, guard, *(f"/ {effect}" for effect in label.effects))


class MermaidChart(ABC):
    """One picture: a graph, and how its parts look."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._clusters = {item.id: item for item in walk(graph.items) if isinstance(item, Cluster)}

    def text(self) -> str:
        """Mermaid text with a line feed at its end."""
        heading = json.dumps(self._heading(), ensure_ascii=False)
        body = indent("\n".join(self._statements()), "  ")
        return f"{_FRONT.format(heading=heading)}flowchart TB\n{body}\n"

    @abstractmethod
    def title(self) -> str:
        """The heading, of which only a line is shown."""

    @abstractmethod
    def node_texts(self, node: Node) -> Iterable[str]:
        """The texts inside a node."""

    @abstractmethod
    def cluster_title(self, cluster: Cluster) -> Iterable[str]: ...

    @abstractmethod
    def edge_texts(self, edge: Edge) -> Iterable[str]:
        """The texts of an edge that has labels."""

    @abstractmethod
    def arrow(self, edge: Edge) -> str:
        """The arrow between the ends of an edge."""

    @abstractmethod
    def edge_style(self, edge: Edge) -> str:
        """What follows ``linkStyle`` and the number of the edge."""

    @abstractmethod
    def node_class(self, item: Item) -> tuple[str, str]:
        """The name of a class, and what follows in its definition."""

    def _heading(self) -> str:
        return wrap(self.title(), width=3 * _WIDTH, size=_SIZE, most=1)[0]

    def _statements(self) -> Iterator[str]:
        yield from map(self._item, self.graph.items)
        yield from map(self._edge, self.graph.edges)
        yield from self._edge_styles()
        yield from self._node_styles()

    def _item(self, item: Item) -> str:
        return self._cluster(item) if isinstance(item, Cluster) else self._node(item)

    def _node(self, node: Node) -> str:
        if node.kind is NodeKind.START:
            return f'{node.id}((" "))'
        text = _label(*self.node_texts(node))
        if node.kind.is_final:
            return f"{node.id}[[{text}]]"
        return f"{node.id}[{text}]" if node.kind is NodeKind.NOTE else f"{node.id}({text})"

    def _cluster(self, cluster: Cluster) -> str:
        body = indent("\n".join(map(self._item, cluster.items)), "  ")
        return f"subgraph {cluster.id}[{_label(*self.cluster_title(cluster))}]\n{body}\nend"

    def _edge(self, edge: Edge) -> str:
        arrow = self.arrow(edge)
        if not edge.labels:
            return f"{edge.source} {arrow} {edge.target}"
        return f"{edge.source} {arrow}|{_label(*self.edge_texts(edge), width=_EDGE_WIDTH)}| {self._arrival(edge)}"

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
        for number, edge in enumerate(self.graph.edges):
            by_look.setdefault(self.edge_style(edge), []).append(str(number))
        for style, numbers in by_look.items():
            yield f"linkStyle {','.join(numbers)} {style}"

    def _node_styles(self) -> Iterator[str]:
        """One class for all items that look the same."""
        by_class: dict[str, tuple[str, list[str]]] = {}
        for item in walk(self.graph.items):
            name, look = self.node_class(item)
            by_class.setdefault(name, (look, []))[1].append(item.id)
        for name, (look, identities) in by_class.items():
            yield f"classDef {name} {look}"
            yield f"class {','.join(identities)} {name}"


def _label(*texts: str, width: int = _WIDTH) -> str:
    """A quoted label; long text is wrapped."""
    lines = (line for text in texts for line in wrap(text, width=width, size=_SIZE, most=_MOST_LINES))
    return f'"{_BREAK.join(map(escaped, lines))}"'
