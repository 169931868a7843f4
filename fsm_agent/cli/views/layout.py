"""The layout of text in a width: lines break between words, and never inside a word.

So an id, a key or a command can be read and copied in one piece.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Final

#: cells between two columns
GAP: Final = 2

Measure = Callable[[str], int]


def wrapped(text: str, width: int, measure: Measure) -> list[str]:
    """``text`` in lines of ``width`` cells; a word that is wider has a line of its own."""
    return _filled(text.split(" "), width, measure)


def wrapped_command(command: str, width: int, measure: Measure) -> list[str]:
    """A command line in lines that a shell reads as one: each line but the last ends with a backslash."""
    words = [shlex.quote(word) for word in shlex.split(command)]
    if measure(command) <= width or shlex.join(shlex.split(command)) != command:
        return [command]
    lines = _filled(words, width - 2, measure)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _filled(words: Sequence[str], width: int, measure: Measure) -> list[str]:
    lines, used = [words[0]], measure(words[0])
    for word in words[1:]:
        taken = measure(word)
        if used + 1 + taken <= width:
            lines[-1], used = f"{lines[-1]} {word}", used + 1 + taken
        else:
            lines.append(word)
            used = taken
    return lines


def widest_word(text: str, measure: Measure) -> int:
    return max(map(measure, text.split(" ")), default=0)


def column_widths(columns: Sequence[Sequence[str]], width: int, measure: Measure) -> list[int] | None:
    """The width of each column if all fit beside each other; ``None`` if a word would break."""
    room = width - GAP * (len(columns) - 1)
    least = [max(widest_word(cell, measure) for cell in column) for column in columns]
    if sum(least) > room:
        return None
    widths = [min(max(map(measure, column)), room) for column in columns]
    while sum(widths) > room:
        spare = [(now, at) for at, now in enumerate(widths) if now > least[at]]
        widths[max(spare)[1]] -= 1
    return widths
