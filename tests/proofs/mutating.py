"""One token of a YAML file changed, and where a complaint about it may stand."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\sA-Za-z0-9_]")
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")

#: Below these keys stands what is for people, or for the actions alone.
_FREE = {"workflow", "description", "prompt", "default", "enum", "retry"}


class Mutation(NamedTuple):
    """``text`` is the file after ``was`` at ``start``, in the 1-based ``line``, was changed."""

    kind: str
    was: str
    start: int
    line: int
    text: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.was!r}, so that line {self.line} is {self.text.splitlines()[self.line - 1].strip()!r}"
        )


def mutations(text: str, *, misspelt: int, damaged: int, seed: str) -> Iterator[Mutation]:
    """As many, and always the same."""
    chance = random.Random(seed)  # noqa: S311 - it is no secret
    spans = [found.span() for found in _TOKEN.finditer(_COMMENT.sub(lambda found: " " * len(found[0]), text))]
    words = [(start, end) for start, end in spans if end - start > 2 and _WORD.fullmatch(text, start, end)]
    for start, end in chance.choices(words, k=misspelt):
        yield _changed(text, "misspell", start, end, _misspelt(text[start:end], chance))
    for place in chance.choices(range(len(spans) - 1), k=damaged):
        (start, end), (after, until) = spans[place : place + 2]
        match chance.choice(["delete", "replace", "swap"]):
            case "delete":
                yield _changed(text, "delete", start, end, "")
            case "replace":
                other = chance.choice(spans)
                yield _changed(text, "replace", start, end, text[slice(*other)])
            case "swap":
                yield _changed(text, "swap", start, until, text[after:until] + text[end:after] + text[start:end])


def _changed(text: str, kind: str, start: int, end: int, new: str) -> Mutation:
    line = text.count("\n", 0, start) + 1
    return Mutation(kind, text[start:end], start, line, text[:start] + new + text[end:])


def _misspelt(word: str, chance: random.Random) -> str:
    """A letter too few, a letter too many, or two the wrong way round."""
    place = chance.randrange(len(word) - 1)
    before, here, after, rest = word[:place], word[place], word[place + 1], word[place + 2 :]
    options = [before + after + rest, before + here + here + after + rest, before + after + here + rest]
    return chance.choice([option for option in options if option != word])


def node_around(text: str, line: int) -> range:
    """The lines of what ``line`` belongs to: up to the key of the key that it stands under, and all below that."""
    lines = text.splitlines()
    start, depth = line - 1, 0
    while start > 0 and depth < 2:
        here = _indent(lines[start])
        start = next((above for above in range(start - 1, -1, -1) if _indent(lines[above]) < here), 0)
        depth += 1
    end = next(
        (below for below in range(line, len(lines)) if _indent(lines[below]) <= _indent(lines[start])), len(lines)
    )
    return range(start + 1, end + 2)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else 1_000


def lines_with(text: str, words: set[str]) -> set[int]:
    return {number for number, line in enumerate(text.splitlines(), 1) if words & set(_WORD.findall(line))}


def is_free(text: str, mutation: Mutation) -> bool:
    """Whether nothing in the file depends on what stood there."""
    for path, node, is_key in _scalars(yaml.compose(text), ()):
        if node.start_mark.index <= mutation.start < node.end_mark.index:
            is_alone = len(re.findall(rf"\b{mutation.was}\b", text)) == 1
            is_literal = not is_key and '"' in node.value
            return bool(_FREE & set(path)) or is_literal or (is_key and ("output" in path or is_alone))
    return False


def _scalars(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], yaml.ScalarNode, bool]]:
    """Every scalar, the keys that lead to it, and whether it is a key itself."""
    match node:
        case yaml.ScalarNode():
            yield path, node, False
        case yaml.SequenceNode(value=items):
            for item in items:
                yield from _scalars(item, path)
        case yaml.MappingNode(value=entries):
            for key, item in entries:
                yield path, key, True
                yield from _scalars(item, (*path, key.value))
