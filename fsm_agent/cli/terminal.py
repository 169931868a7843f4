"""Blocks on a terminal, by rich; imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich import box
from rich.console import Console, RenderableType
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
            return Padding(_facts(block), (1, 0, 0, 1))
        case Table(_, (), empty):
            return Padding(Text(empty, "dim"), (1, 0, 0, 1))
        case Table():
            return _table(block)
        case Prose(title, text, footer):
            frame = {"title_align": "left", "subtitle_align": "left", "border_style": "yellow", "padding": (1, 2)}
            caption = Text(f" {footer} ", "dim") if footer else None
            return Panel(Text(text), title=Text(f" {title} ", "bold yellow"), subtitle=caption, **frame)  # type: ignore[arg-type]


def _facts(facts: Facts) -> Grid:
    grid = Grid(box=None, show_header=False, padding=(0, 2, 0, 0), title_justify="left", title_style="bold")
    grid.title = facts.title or None
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, ink in facts.rows:
        grid.add_row(Text(label), inked(ink))
    return grid


def _table(table: Table) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 2, 0, 1))
    for column in table.columns:
        grid.add_column(column, overflow="fold")
    for row in table.rows:
        grid.add_row(*map(inked, row))
    return grid
