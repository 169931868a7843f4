"""Blocks on a terminal, by rich; imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from fsm_agent.cli.sheet import Block, Facts, Ink, Prose, Table, Tone

STYLES: Final = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.QUIET: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "bold red",
    Tone.BUSY: "blue",
    Tone.ASKING: "bold yellow",
    Tone.COMMAND: "cyan",
}

_WIDEST_FRAME: Final = 100
#: what a narrow terminal leaves a column at least: a short word
_NARROWEST: Final = 8


def print_blocks(blocks: Iterable[Block]) -> None:
    console = Console(highlight=False)
    for block in blocks:
        console.print(_drawn(block))
    console.print()


def inked(ink: Ink) -> Text:
    return Text(f"{ink.glyph} {ink.text}" if ink.glyph else ink.text, STYLES[ink.tone], overflow="fold")


def _drawn(block: Block) -> RenderableType:
    match block:
        case Facts():
            title = [Text(block.title, "bold")] if block.title else []
            return Padding(Group(*title, _facts(block)), (1, 0, 0, 1))
        case Table(_, (), empty):
            return Padding(Text(empty, "dim"), (1, 0, 0, 1))
        case Table():
            return Padding(_table(block), (1, 0, 0, 1))
        case Prose(title, text, footer):
            return _framed(title, text, footer)


def _framed(title: str, text: str, footer: str) -> RenderableType:
    return Panel(
        Text(text),
        title=Text(f" {title} ", "bold yellow"),
        subtitle=Text(f" {footer} ", "dim") if footer else None,
        title_align="left",
        subtitle_align="left",
        border_style="yellow",
        padding=(0, 1),
        width=min(Console().width, _WIDEST_FRAME),
    )


def _facts(facts: Facts) -> Grid:
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, ink in facts.rows:
        grid.add_row(Text(label), inked(ink))
    return grid


def _table(table: Table) -> Grid:
    """Columns that say nothing are left out: a terminal is narrow."""
    grid = Grid(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    telling = [index for index, cells in enumerate(zip(*table.rows, strict=True)) if any(ink.text for ink in cells)]
    for index in telling:
        widest = max(len(row[index].text) + 2 * bool(row[index].glyph) for row in table.rows)
        grid.add_column(table.columns[index], overflow="fold", min_width=min(widest, _NARROWEST))
    for row in table.rows:
        grid.add_row(*(inked(row[index]) for index in telling))
    return grid
