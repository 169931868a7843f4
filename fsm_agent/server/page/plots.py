"""Plots as SVG inside a page: their colours are those of the stylesheet, and a table beside them says the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import htpy as h

from fsm_agent.domain.step import moment
from fsm_agent.report.activity import Activity
from fsm_agent.report.times import lasting

_WIDTH: Final = 480
_HEIGHT: Final = 120
#: of a bar
_WIDEST: Final = 40
#: room for the numbers at the left, and for the times below
_LEFT: Final = 32
_BELOW: Final = 18


class Dwell(NamedTuple):
    """How long agents stay in a state, in ms: half of them at most ``p50_ms``, 95 of 100 at most ``p95_ms``."""

    state: str
    p50_ms: int
    p95_ms: int


def steps_plot(told: Activity) -> h.Node:
    """Bars: how many steps were taken in each span."""
    return _figure(
        told,
        "Steps",
        told.steps,
        [
            h.rect(".bar", x=f"{x}", y=f"{top}", width=f"{width}", height=f"{_HEIGHT - top:.1f}")[
                h.title[f"{at}: {count}"]
            ]
            for x, width, top, count, at in _columns(told, told.steps)
        ],
    )


def questions_plot(told: Activity) -> h.Node:
    """A line: how many questions were open at the end of each span."""
    columns = _columns(told, told.open_questions)
    ends = [(x + width / 2, top) for x, width, top, _, _ in columns]
    if len(ends) == 1:  # of one point nobody would see a line
        ends = [(_LEFT, ends[0][1]), (_WIDTH, ends[0][1])]
    line = " ".join(f"{x:.1f},{top:.1f}" for x, top in ends)
    return _figure(told, "Open questions", told.open_questions, [h.polyline(".line", points=line)])


def _columns(told: Activity, counts: Sequence[int]) -> list[tuple[float, float, float, int, str]]:
    """For each span: where it stands, its width, the top of its bar, its count, and its time in words."""
    most = max(*counts, 1)
    width = (_WIDTH - _LEFT) / len(counts)
    return [
        (
            round(_LEFT + place * width, 1),
            round(min(max(width - 1, 0.5), _WIDEST), 1),
            round(_HEIGHT - (_HEIGHT - 8) * count / most, 1),
            count,
            f"{moment(told.begin_ms + place * told.span_ms):%Y-%m-%d %H:%M}",
        )
        for place, count in enumerate(counts)
    ]


def _figure(told: Activity, title: str, counts: Sequence[int], marks: Sequence[h.Node]) -> h.Node:
    begin, end = moment(told.begin_ms), moment(told.begin_ms + told.span_ms * len(counts))
    sentence = (
        f"{title} from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC: at most {max(counts)}, last {counts[-1]}"
    )
    return h.figure(".plot")[
        h.figcaption[title, " ", h.span(".hint")[f"each {lasting(told.span_ms)}"]],
        h.svg(viewBox=f"0 0 {_WIDTH} {_HEIGHT + _BELOW}", role="img", aria_label=sentence)[
            h.line(".axis", x1=_LEFT, y1=_HEIGHT, x2=_WIDTH, y2=_HEIGHT),
            h.text(x=_LEFT - 4, y=12, text_anchor="end")[str(max(counts))],
            h.text(x=_LEFT - 4, y=_HEIGHT, text_anchor="end")["0"],
            h.text(x=_LEFT, y=_HEIGHT + 14)[_short(begin, told.span_ms)],
            h.text(x=_WIDTH, y=_HEIGHT + 14, text_anchor="end")["now"],
            marks,
        ],
    ]


def _short(at: datetime, span_ms: int) -> str:
    return f"{at:%d %b %H:%M}" if span_ms < 24 * 3_600_000 else f"{at:%d %b %Y}"


def dwell_plot(states: Sequence[Dwell]) -> h.Node:
    """Bars on a logarithmic scale: how long half and 95 of 100 stay in each state."""
    longest = max(state.p95_ms for state in states)

    def share(ms: int) -> str:
        return f"{100 * math.log1p(ms) / math.log1p(max(longest, 1)):.1f}"

    rows = [
        h.tr[
            h.th(scope="row", dir="auto")[state.state],
            h.td[
                h.svg(".dwell", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")[
                    h.rect(".p95", x=0, y=1, width=share(state.p95_ms), height=8),
                    h.rect(".p50", x=0, y=1, width=share(state.p50_ms), height=8),
                ]
            ],
            h.td(".number")[lasting(state.p50_ms)],
            h.td(".number")[lasting(state.p95_ms)],
        ]
        for state in states
    ]
    head = h.tr[
        h.th["State"], h.th(".wide")["Time in it (logarithmic)"], h.th["half leave within"], h.th["95 % within"]
    ]
    return h.table(".dwells")[h.thead[head], h.tbody[rows]]
