"""Lines as SVG, both axes logarithmic: each line has its name at its end. Who hears the plot is told every figure.

Written by hand for the reason that ``bar_chart`` gives, and in its style.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

from benchmarks.bar_chart import STYLE

#: x and y
Point: TypeAlias = tuple[float, float]
Lines: TypeAlias = Mapping[str, Sequence[Point]]

_WIDTH, _HEIGHT = 600, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 452, 72, 320
#: names of lines do not come nearer to each other
_APART: Final = 16
#: of Okabe and Ito, as in ``bar_chart``
_COLOURS: Final = ("#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#0072b2", "#d55e00")


@dataclass(frozen=True, slots=True)
class Axis:
    """What it shows, and from where to where it goes: powers of ten, at which its lines stand."""

    name: str
    low: int
    high: int

    def part(self, value: float) -> float:
        return (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> Iterator[float]:
        return (10.0**decade for decade in range(self.low, self.high + 1))


def axis(name: str, values: Sequence[float]) -> Axis:
    """One on which all the values have a place."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Axis(name, low, max(high, low + 1))


def line_chart(title: str, note: str, lines: Lines, across: Axis, up: Axis) -> str:
    """An SVG document. The lines have their colours in the order given."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(_said(lines, across, up))}</desc>",
            STYLE,
            f'<rect class="paper" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>',
            f'<text class="title" x="20" y="30">{escape(title)}</text>',
            f'<text class="note" x="20" y="49">{escape(note)}</text>',
            *_grid(across, up),
            *_drawn(lines, across, up),
            "</svg>\n",
        ]
    )


def _said(lines: Lines, across: Axis, up: Axis) -> str:
    words = (f"{name}: {', '.join(f'{x:,g}: {y:,g}' for x, y in points)}" for name, points in lines.items())
    return f"{up.name} by {across.name}. {'. '.join(words)}"


def _x(at: Axis, value: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * at.part(value), 1)


def _y(at: Axis, value: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * at.part(value), 1)


def _grid(across: Axis, up: Axis) -> Iterator[str]:
    for value in across.ticks():
        x = _x(across, value)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_BOTTOM}"/>'
        yield f'<text class="tick" x="{x}" y="{_BOTTOM + 16}" text-anchor="middle">{value:,g}</text>'
    for value in up.ticks():
        y = _y(up, value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value:,g}</text>'
    yield (
        f'<text class="note" x="{(_LEFT + _RIGHT) / 2:g}" y="{_BOTTOM + 36}" text-anchor="middle">'
        f"{escape(across.name)}</text>"
    )


def _drawn(lines: Lines, across: Axis, up: Axis) -> Iterator[str]:
    places = _places_of_names([_y(up, points[-1][1]) for points in lines.values()])
    for number, ((name, points), place) in enumerate(zip(lines.items(), places, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        at = [(_x(across, x), _y(up, y)) for x, y in points]
        path = " ".join(f"{x},{y}" for x, y in at)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in at)
        end = at[-1][0] + 12
        yield f'<circle cx="{end}" cy="{place}" r="4" fill="{colour}"/>'
        yield f'<text class="tick" x="{end + 9}" y="{place + 4}">{escape(name)}</text>'


def _places_of_names(wanted: Sequence[float]) -> list[float]:
    """Where names stand: where their lines end, or below the one before if that is too near."""
    places = dict.fromkeys(range(len(wanted)), 0.0)
    last = -math.inf
    for number in sorted(places, key=lambda each: wanted[each]):
        last = places[number] = round(max(wanted[number], last + _APART), 1)
    return list(places.values())
