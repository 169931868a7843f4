"""The text of expressions: which names they mention, and where the expressions of a prompt begin and end.

The compiler does not show its syntax tree, so names are found in the text, with string literals and comments masked.
This may find a name too many (a comprehension variable called ``data``), but never one too few.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from fsm_agent.expressions.invalid import ExpressionInvalid
from fsm_agent.expressions.scope import LENGTH, Scope

# Patterns are compiled by the first expression that needs them, since many processes meet none.
_LITERAL: Final = r"""(?sx) //[^\n]*
      | (?<!\w)[bB]?[rR][bB]? (?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
      | \"{3} (?:\\.|[^\\])*? \"{3} | '{3} (?:\\.|[^\\])*? '{3}
      | " (?:\\.|[^"\\\n])* " | ' (?:\\.|[^'\\\n])* '"""
_PATH: Final = r"""(?ax) (?<!\w) (?<![\w)\]}"]\.) (data|event|visits|user|conversation|item|index)
        ((?:\s*\.\s*[A-Za-z_]\w*)*) (\s*\()?"""
_LENGTH: Final = r"""(?ax)
        (?<![\w.]) size\( \s* (?P<argument> (?:data|event|user) (?:\.\w+)+ ) \s* \)
      | (?<![\w.]) (?P<owner> (?:data|event|user) (?:\.\w+)+? ) (?: \.size\( \s* \) | (?= \s* [=!]= \s* null\b ) )"""


class Mention(NamedTuple):
    """A dotted name in an expression, and the position where it begins."""

    name: str
    start: int
    end: int


@lru_cache(maxsize=64)
def masked(text: str) -> str:
    """``text`` with all string literals and comments overwritten by quotes; positions stay the same."""
    return re.sub(_LITERAL, lambda literal: re.sub(r"[^\n]", '"', literal[0]), text)


def mentions(bare: str) -> Iterator[Mention]:
    """The dotted names in masked text that begin with a known root, without the methods called on them."""
    for found in re.finditer(_PATH, bare):
        parts = [found[1], *(part.strip() for part in found[2].split(".")[1:])]
        if found[3] and len(parts) > 1:
            parts.pop()
        yield Mention(".".join(parts), found.start(), found.end())


def mentioned(text: str, known: Container[str]) -> list[str]:
    """The longest known prefix of each dotted name in ``text``, in order, once."""
    found: dict[str, None] = {}
    for mention in mentions(masked(text)):
        name = mention.name
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name:
            found[name] = None
    return list(found)


def with_lengths(text: str, scope: Scope) -> str:
    """``text``, but ``size(data.l)``, ``data.l.size()`` and comparisons of ``data.l`` with null use ``data.l.size``, so
    that a list is not handed over only to be counted."""
    pieces, at = [], 0
    for found in re.finditer(_LENGTH, masked(text)):
        name = found["argument"] or found["owner"]
        if scope.is_list(name):
            pieces += [text[at : found.start()], f"{name}{LENGTH}"]
            at = found.end()
    return "".join([*pieces, text[at:]])


def template(text: str) -> Iterator[tuple[str, int | None]]:
    """The pieces of a prompt: plain text with ``None``, and the inside of each ``{{ }}`` with its index in ``text``."""
    at = 0
    while (opening := text.find("{{", at)) >= 0:
        start = opening + 2
        length = _closing(masked(text[start:]))
        if length is None:
            raise ExpressionInvalid.at(opening, text, "`{{` is not closed by `}}`")
        yield _plain(text, at, opening), None
        yield text[start : start + length], start
        at = start + length + 2
    yield _plain(text, at, len(text)), None


def _plain(text: str, start: int, end: int) -> str:
    """The text between expressions; raises ``ExpressionInvalid`` for a ``}}`` without ``{{``, probably a mistake."""
    stray = text.find("}}", start, end)
    if stray >= 0:
        raise ExpressionInvalid.at(stray, text, "`}}` has no `{{` before it; as plain text it is {{ '}}' }}")
    return text[start:end]


def _closing(bare: str) -> int | None:
    """Index of the first ``}}`` that closes no brace of the expression itself."""
    depth = 0
    for at, mark in enumerate(bare):
        if mark == "{":
            depth += 1
        elif mark == "}" and depth:
            depth -= 1
        elif bare.startswith("}}", at):
            return at
    return None
