"""Colours and glyphs that all renderers share.

The accents are those of Okabe and Ito, which people with any colour vision can tell apart. Each comes with a glyph, a
dash or a double border, so that nothing depends on colour alone. Each colour has one purpose, and one counterpart on a
dark page, so that a style sheet can exchange it in a finished picture.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from fsm_agent.render.graph import Cluster, Item, NodeKind
from fsm_agent.render.labels import DetailKind, ExitKind
from fsm_agent.render.overlay import Emphasis

PAPER: Final = "#ffffff"
INK: Final = "#1f2328"
#: guards, assigns, descriptions
MUTED: Final = "#57606a"
#: lines between compartments
RULE: Final = "#c6ccd3"
#: outlines and edges that an overlay fades
FADED: Final = "#b9c0c8"
#: text that an overlay fades, with a contrast of 4.5 : 1 on white
FADED_INK: Final = "#6e7781"
EDGE: Final = "#4b535c"
#: what a difference shows as new, as gone, and as changed: 4.5 : 1 on their fills
ADDED: Final = "#007a59"
REMOVED: Final = "#b34700"
CHANGED: Final = "#8a6100"
HERE_FILL: Final = "#f0e442"
HERE_INK: Final = "#000000"

_BLUE: Final = "#0072b2"
_ORANGE: Final = "#e69f00"
_GREEN: Final = "#009e73"
_VERMILLION: Final = "#d55e00"
_PURPLE: Final = "#cc79a7"
_GREY: Final = "#7d8590"

#: where a property is broken
BROKEN: Final = "#b3002d"
BROKEN_FILL: Final = "#ffe3e8"


class Paint(NamedTuple):
    """How a kind of node looks; ``glyph`` has the same meaning as the colour."""

    line: str
    fill: str
    glyph: str = ""


NODES: Final[Mapping[NodeKind, Paint]] = {
    NodeKind.START: Paint(INK, INK),
    NodeKind.NOTE: Paint(_GREY, "#fdf9d8", "✱"),
    NodeKind.FOLDED: Paint(_GREY, "#f3f4f6", "⋯"),
    NodeKind.ACTION: Paint(_BLUE, "#e9f3fa", "►"),
    NodeKind.ASK: Paint(_ORANGE, "#fdf2d8", "☻"),
    NodeKind.WAIT: Paint(_GREY, "#f3f4f6", "○"),
    NodeKind.DONE: Paint(_GREEN, "#e2f4ee", "✓"),
    NodeKind.FAILED: Paint(_VERMILLION, "#fbe8dd", "✗"),
    NodeKind.CANCELLED: Paint(_PURPLE, "#f8ebf2", "⊘"),
}

#: how a compound state looks
COMPOUND: Final = Paint("#8c959f", "#f6f8fa")

EDGES: Final[Mapping[ExitKind | None, Paint]] = {
    None: Paint(EDGE, PAPER),
    ExitKind.EVENT: Paint(EDGE, PAPER),
    ExitKind.ERROR: Paint(_VERMILLION, PAPER),
    ExitKind.TIMER: Paint(_BLUE, PAPER),
}

#: dash styles, by the names of Graphviz
DASHES: Final[Mapping[ExitKind | None, str]] = {
    None: "solid",
    ExitKind.EVENT: "solid",
    ExitKind.ERROR: "dashed",
    ExitKind.TIMER: "dotted",
}

DETAIL_GLYPHS: Final[Mapping[DetailKind, str]] = {
    DetailKind.TIMEOUT: "◷",
    DetailKind.RETRY: "↻",
    DetailKind.IGNORES: "⊘",
}


#: how warm a state is that agents have entered, and how wide its lines are, from seldom to most often
_HEAT: Final[Mapping[Emphasis, tuple[str, float]]] = {
    Emphasis.HEAT_1: ("#fdeccd", 1.4),
    Emphasis.HEAT_2: ("#fad18d", 2.2),
    Emphasis.HEAT_3: ("#f2ae55", 3.2),
    Emphasis.HEAT_4: ("#e68a2e", 4.4),
}


class Tone(NamedTuple):
    """The colours of one node, cluster or edge, and the width of its lines in points."""

    line: str
    fill: str
    ink: str = INK
    muted: str = MUTED
    rule: str = RULE
    width: float = 1.2


def paint_of(item: Item) -> Paint:
    return COMPOUND if isinstance(item, Cluster) else NODES[item.kind]


@lru_cache
def toned(paint: Paint, emphasis: Emphasis | None) -> Tone:
    """How something looks with an emphasis; without an overlay there is none."""
    match emphasis:
        case None:
            return Tone(paint.line, paint.fill)
        case Emphasis.VISITED:
            return Tone(paint.line, paint.fill, width=2.4)
        case Emphasis.CURRENT:
            return Tone(INK, HERE_FILL, HERE_INK, HERE_INK, HERE_INK, width=3.6)
        case Emphasis.BROKEN:
            return Tone(BROKEN, BROKEN_FILL, width=3.6)
        case Emphasis.FADED:
            solid = paint.fill == paint.line
            return Tone(FADED, FADED if solid else PAPER, FADED_INK, FADED_INK, FADED)
        case _:
            fill, width = _HEAT[emphasis]
            is_edge = paint.fill == PAPER
            return Tone(paint.line, PAPER if is_edge else fill, INK, INK, paint.line, width)


#: light colour -> dark colour
DARK: Final[Mapping[str, str]] = {
    PAPER: "#0d1117",
    INK: "#e6edf3",
    MUTED: "#a5aeb8",
    RULE: "#3d444d",
    FADED: "#545d68",
    FADED_INK: "#848d97",
    EDGE: "#b1bac4",
    ADDED: "#3fd0a4",
    REMOVED: "#ff9a62",
    CHANGED: "#f0b93a",
    COMPOUND.line: "#656d76",
    COMPOUND.fill: "#151b23",
    HERE_FILL: "#d8cc30",
    HERE_INK: "#010409",
    _BLUE: "#56b4e9",
    _ORANGE: "#e9ad2b",
    _GREEN: "#2fc79a",
    _VERMILLION: "#ff8a4c",
    _PURPLE: "#dc9abf",
    _GREY: "#8b949e",
    "#fdf9d8": "#2a2812",
    "#e9f3fa": "#10283a",
    "#fdf2d8": "#33270c",
    "#f3f4f6": "#1c2128",
    "#e2f4ee": "#0e2b22",
    "#fbe8dd": "#371c0e",
    "#f8ebf2": "#321d29",
    BROKEN: "#ff7088",
    BROKEN_FILL: "#46101d",
    "#fdeccd": "#33260f",
    "#fad18d": "#523a12",
    "#f2ae55": "#754d12",
    "#e68a2e": "#985a10",
}
