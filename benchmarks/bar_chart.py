"""Horizontal bars as SVG: one panel for each backend, each bar with its name and its figure beside it.

Written by hand, since a chart is a hundred lines and a library for it is larger than this project. The same figures
always give the same text, so that a committed plot can be held against the page that it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 600
_LEFT, _RIGHT = 192, 512  # of the bars; names stand before, figures behind
_ROW, _BAR, _PANEL, _TOP = 22, 14, 34, 66

#: The palette of Okabe and Ito, which colour-blind people tell apart; a name beside each bar says the same.
COLOURS: Final[Mapping[str, str]] = {
    "fsm-agent": "#009e73",
    "Burr": "#e69f00",
    "DBOS": "#56b4e9",
    "LangGraph": "#cc79a7",
    "LangGraph, DeltaChannel": "#cc79a7",
}
_OTHERS: Final = "#8c959f"

#: of all plots; it follows the reader's choice of light or dark
STYLE: Final = """<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.panel, .ours { font-weight: 600 }
.note, .tick { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 }
.paper { fill: #ffffff }
.figure { paint-order: stroke; stroke: #ffffff; stroke-width: 5px }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.note, .tick { fill: #9198a1 }
.grid { stroke: #3d444d }
.paper { fill: #0d1117 }
.figure { stroke: #0d1117 }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Bar:
    """``text`` is the figure as a reader wants it."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """From the value at the left edge of the bars to the one at the right; ``ticks`` are values and their words."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False

    def x(self, value: float) -> float:
        low, high, at = (math.log10(each) if self.is_log else each for each in (self.low, self.high, value))
        return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, (at - low) / (high - low))), 1)


def bar_chart(title: str, note: str, panels: Mapping[str, Sequence[Bar]], scale: Scale) -> str:
    """An SVG document. The panels and their bars stand in the order given."""
    height = _TOP + sum(_PANEL + _ROW * len(bars) for bars in panels.values()) + 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(_said(panels))}</desc>",
            STYLE,
            f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="6"/>',
            f'<text class="title" x="20" y="30">{escape(title)}</text>',
            f'<text class="note" x="20" y="49">{escape(note)}</text>',
            *_grid(scale, bottom=height - 24),
            *_panels(panels, scale),
            "</svg>\n",
        ]
    )


def _said(panels: Mapping[str, Sequence[Bar]]) -> str:
    """For whoever hears the plot."""
    return ". ".join(f"{name}: {', '.join(f'{bar.name} {bar.text}' for bar in bars)}" for name, bars in panels.items())


def _grid(scale: Scale, *, bottom: int) -> Iterator[str]:
    for value, word in scale.ticks:
        x = scale.x(value)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{x}" y="{bottom + 15}" text-anchor="middle">{escape(word)}</text>'


def _panels(panels: Mapping[str, Sequence[Bar]], scale: Scale) -> Iterator[str]:
    top = _TOP
    for name, bars in panels.items():
        yield f'<text class="panel" x="20" y="{top + 20}">{escape(name)}</text>'
        top += _PANEL - 6
        for bar in bars:
            yield from _bar(bar, scale, top)
            top += _ROW
        top += 6


def _bar(bar: Bar, scale: Scale, top: int) -> Iterator[str]:
    end, middle = scale.x(bar.value), top + _ROW // 2 + 4
    kind = "ours" if bar.name == "fsm-agent" else "theirs"
    colour = COLOURS.get(bar.name, _OTHERS)
    yield f'<text class="{kind}" x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(bar.name)}</text>'
    yield (
        f'<rect x="{_LEFT}" y="{top + (_ROW - _BAR) // 2}" width="{max(1.0, round(end - _LEFT, 1))}" height="{_BAR}" '
        f'rx="2" fill="{colour}"/>'
    )
    yield f'<text class="figure {kind}" x="{end + 6}" y="{middle}">{escape(bar.text)}</text>'
