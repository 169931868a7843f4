"""Blocks as aligned text for pipes and files: no escapes, and two spaces between columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fsm_agent.cli.blocks import BOUND, Block, Facts, Prose, Table


def plain_text(blocks: Iterable[Block]) -> str:
    """All blocks, with an empty line between two."""
    return "\n\n".join("\n".join(_lines(block)) for block in blocks)


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Facts(title, rows):
            indent = "  " if title else ""
            yield from [f"{title}:"] if title else []
            yield from (indent + line for line in _aligned([[label, ink.text] for label, ink in rows]))
        case Table(columns, rows, empty):
            heading = [column.upper() for column in columns]
            yield from (
                _aligned([heading, *([ink.text.replace(BOUND, " ") for ink in row] for row in rows)])
                if rows
                else [empty]
            )
        case Prose(title, text, footer):
            yield f"{title}:"
            yield from (f"  {line}".rstrip() for line in text.splitlines())
            yield from [f"  ({footer})"] if footer else []


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
