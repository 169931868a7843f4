"""The labels of nodes, clusters and edges in a DOT picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from fsm_agent.render.graph import Cluster, Edge, Graph, Node
from fsm_agent.render.html_labels import Line, Run, TextStyle, paragraph, table
from fsm_agent.render.labels import QUOTED, Compartment, Detail, Label
from fsm_agent.render.overlay import Mark
from fsm_agent.render.style import DETAIL_GLYPHS, INK, MUTED, Tone, paint_of
from fsm_agent.render.text_width import clean

#: In points. Lines wrap at these widths; a text with more lines is cut, and the tooltip shows all of it.
_NODE_WIDTH: Final = 250
_EDGE_WIDTH: Final = 165
_TITLE_WIDTH: Final = 640
_MOST_LINES: Final = 5

_NAME_SIZE: Final = 13
_TEXT_SIZE: Final = 10
#: of numbers in circles, which are hard to read when small
_NUMBER_SIZE: Final = 17
#: between two text styles in a line: the room that a wider font may need
_GAP: Final = " " * 4


def title(graph: Graph) -> str:
    """Name, version and description of the workflow."""
    facts = " · ".join((f"version {graph.version}", *graph.remarks))
    head: Line = (
        Run(clean(graph.name), TextStyle(17, INK, bold=True)),
        Run(f"{_GAP}{_GAP}{facts}", TextStyle(11, MUTED)),
    )
    return table([[head, *paragraph(graph.description, TextStyle(11.5, MUTED), width=_TITLE_WIDTH, most=4)]], padding=6)


def node_label(node: Node, tone: Tone, mark: Mark | None) -> str:
    """Name and description on top, and below them one compartment for each subject."""
    name = f"{paint_of(node).glyph} {node.name}" if node.name else ""
    return table([_header(name, node.description, tone, mark), *_compartments(node.compartments, tone)], rule=tone.rule)


def cluster_label(cluster: Cluster, tone: Tone, mark: Mark | None) -> str:
    """Only the name, since edges may cross the label of a cluster; a note inside the cluster shows the rest."""
    return table([_header(cluster.name, "", tone, mark)])


def edge_label(edge: Edge, tone: Tone, mark: Mark | None) -> str:
    """One cell per transition. With an overlay, it also has the versions of the steps that took the edge; of a path
    that is planned its numbers, large and in front."""
    order = mark.order if mark and mark.turns else ""
    return _edge_table(edge.labels, tone, order, is_planned=mark is not None and mark.is_planned)


@lru_cache(maxsize=4_096)  # labels of `error` and `done` are repeated in many states
def _edge_table(labels: tuple[Label, ...], tone: Tone, order: str, *, is_planned: bool) -> str:
    cells = [_transition(label, tone) for label in labels]
    if order and is_planned:
        cells[0][0] = (Run(f"{order} ", TextStyle(_NUMBER_SIZE, tone.line, bold=True)), *cells[0][0])
    elif order:
        cells[0][0] = (*cells[0][0], Run(f"{_GAP}{order}", TextStyle(_TEXT_SIZE, tone.ink)))
    return table(cells, padding=4)


def _header(name: str, description: str, tone: Tone, mark: Mark | None) -> list[Line]:
    look = TextStyle(_NAME_SIZE, tone.ink, bold=True)
    lines = paragraph(name, look, width=_NODE_WIDTH)
    if lines and mark and mark.badge:
        size, ink = (_NUMBER_SIZE, tone.line) if mark.is_planned else (_TEXT_SIZE, tone.ink)
        badge = Run(f"{_GAP}{_GAP}{mark.badge}", TextStyle(size, ink, bold=True))
        lines = (*lines[:-1], (*lines[-1], badge))
    return [*lines, *paragraph(description, TextStyle(_TEXT_SIZE, tone.muted, italic=True), width=_NODE_WIDTH, most=2)]


def _compartments(compartments: tuple[Compartment, ...], tone: Tone) -> list[list[Line]]:
    return [[line for detail in each for line in _detail(detail, tone)] for each in compartments]


@lru_cache(maxsize=4_096)
def _detail(detail: Detail, tone: Tone) -> Sequence[Line]:
    text, muted = TextStyle(_TEXT_SIZE, tone.ink), TextStyle(_TEXT_SIZE, tone.muted)
    if detail.kind in QUOTED:
        quoted = TextStyle(_TEXT_SIZE, tone.ink, italic=True)
        return paragraph(str(detail), quoted, width=_NODE_WIDTH, most=_MOST_LINES)
    word = f"{DETAIL_GLYPHS.get(detail.kind, '')} {detail.kind}  ".lstrip()
    return paragraph(detail.text, text, width=_NODE_WIDTH, most=_MOST_LINES, lead=Run(word, muted))


def _transition(label: Label, tone: Tone) -> list[Line]:
    muted = TextStyle(_TEXT_SIZE, tone.muted)
    bold = TextStyle(_TEXT_SIZE, tone.ink, bold=True)
    lines = list(paragraph(label.event, bold, width=_EDGE_WIDTH))
    if label.note:
        lines[-1] = (*lines[-1], Run(f"{_GAP}{label.note}", bold))
    if label.guard:
        lines += paragraph(f"[{label.guard}]", muted, width=_EDGE_WIDTH, most=_MOST_LINES)
    for effect in label.effects:
        lines += paragraph(f"/ {effect}", muted, width=_EDGE_WIDTH, most=2)
    return lines
