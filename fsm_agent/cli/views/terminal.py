"""Blocks on a terminal, coloured by rich, which is imported only if there is a terminal.

A table has columns if no word breaks. If the terminal is too narrow for that, each row is printed as lines of its own.
A word wider than the terminal is not broken here: the terminal wraps it, so it can be copied in one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.text import Text

from fsm_agent.cli.blocks import BOUND, Block, Facts, Ink, Prose, Table, Tone
from fsm_agent.cli.views.layout import GAP, column_widths, widest_word, wrapped, wrapped_command

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
#: cells of a frame in a line
_FRAME: Final = 4
_MARGIN: Final = 1
#: indent of a value below its label
_BELOW: Final = 1


def print_blocks(blocks: Iterable[Block]) -> None:
    console = Console(highlight=False)
    for block in blocks:
        if isinstance(block, Prose) and _fits_frame(block, console.width):
            console.print(_framed(block, console.width))
            continue
        console.print()
        for line in _lines(block, console.width - _MARGIN):
            console.print(Text(" " * _MARGIN) + line, soft_wrap=True)
    console.print()


def _lines(block: Block, width: int) -> Iterator[Text]:
    match block:
        case Facts(title, rows):
            yield from [Text(title, "bold")] if title else []
            yield from _facts(rows, width)
        case Table(_, (), empty):
            yield Text(empty, "dim")
        case Table():
            yield from _table(block, width)
        case Prose(title, text, footer):
            yield Text(title, "bold yellow")
            yield from map(Text, text.splitlines())
            yield from [Text(footer, "dim")] if footer else []


def _facts(rows: Sequence[tuple[str, Ink]], width: int) -> Iterator[Text]:
    """Labels with their values beside them; a value that would break is printed below its label. A row without label
    continues the row before it."""
    beside = max((cell_len(label) for label, _ in rows), default=0)
    beside += GAP if beside else 0
    indent = beside
    for label, ink in rows:
        text = _text(ink)
        if label:
            is_below = not _stands_in(width - beside, ink, text)
            indent = _BELOW if is_below else beside
            name = Text(label, "dim")
            if is_below:
                yield name
                name = Text()
        else:
            name = Text()
        for line in _wrapped(ink, text, width - indent):
            name.append(" " * (indent - name.cell_len))
            yield name.append(line, STYLES[ink.tone])
            name = Text()


def _stands_in(width: int, ink: Ink, text: str) -> bool:
    """Whether no word would break. Lines of a command end with a blank and a backslash."""
    end = 2 if ink.tone is Tone.COMMAND and cell_len(text) > width else 0
    return widest_word(text, cell_len) + end <= width


def _table(table: Table, width: int) -> Iterator[Text]:
    """The lines of a table; empty columns are left out."""
    telling = [at for at, cells in enumerate(zip(*table.rows, strict=True)) if any(ink.text for ink in cells)]
    names = [table.columns[at] for at in telling]
    rows = [[row[at] for at in telling] for row in table.rows]
    widths = column_widths(
        [[name, *map(_text, cells)] for name, *cells in zip(names, *rows, strict=True)], width, cell_len
    )
    if widths is None:
        yield from _one_below_the_other(names, rows, width)
        return
    yield _row([Ink(name, Tone.STRONG) for name in names], widths)
    yield Text("─" * (sum(widths) + GAP * (len(widths) - 1)), "dim")
    for row in rows:
        yield from _rows(row, widths)


def _one_below_the_other(names: Sequence[str], rows: Sequence[Sequence[Ink]], width: int) -> Iterator[Text]:
    for number, row in enumerate(rows):
        if number:
            yield Text()
        yield from _facts([(name, ink) for name, ink in zip(names, row, strict=True) if ink.text], width)


def _rows(row: Sequence[Ink], widths: Sequence[int]) -> Iterator[Text]:
    """The lines of one row."""
    cells = [_wrapped(ink, _text(ink), width) for ink, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = [lines[number] if number < len(lines) else "" for lines in cells]
        yield _row([ink._replace(text=part, glyph="") for ink, part in zip(row, parts, strict=True)], widths)


def _row(row: Sequence[Ink], widths: Sequence[int]) -> Text:
    line = Text()
    for ink, width in zip(row, widths, strict=True):
        line.append(ink.text, STYLES[ink.tone])
        line.append(" " * (width - cell_len(ink.text) + GAP))
    line.rstrip()
    return line


def _text(ink: Ink) -> str:
    return f"{ink.glyph}{BOUND}{ink.text}" if ink.glyph else ink.text


def _wrapped(ink: Ink, text: str, width: int) -> list[str]:
    wrap = wrapped_command if ink.tone is Tone.COMMAND else wrapped
    return [line.replace(BOUND, " ") for line in wrap(text, width, cell_len)]


def _fits_frame(prose: Prose, width: int) -> bool:
    inside = min(width, _WIDEST_FRAME) - _FRAME
    return all(widest_word(line, cell_len) <= inside for line in prose.text.splitlines())


def _framed(prose: Prose, width: int) -> RenderableType:
    """The text in a frame; the footer is in the lower border if it fits."""
    text, footer = Text(prose.text), Text(f" {prose.footer} ", "dim") if prose.footer else None
    width = min(width, _WIDEST_FRAME)
    if footer is not None and footer.cell_len > width - _FRAME:
        text.append(f"\n\n{prose.footer}", "dim")
        footer = None
    return Panel(
        text,
        title=Text(f" {prose.title} ", "bold yellow"),
        subtitle=footer,
        title_align="left",
        subtitle_align="left",
        border_style="yellow",
        padding=(0, 1),
        width=width,
    )
