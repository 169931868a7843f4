"""One token of a YAML file changed, and where a complaint about it may stand."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml
import yamlcore

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\sA-Za-z0-9_]")
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")

#: Below these keys stands what is for people, or for the actions alone.
_FREE = {"workflow", "description", "prompt", "system", "settings", "default", "enum", "retry"}


class Mutation(NamedTuple):
    """``text`` is the file after ``was`` at ``start``, in the 1-based ``lines``, was changed."""

    kind: str
    was: str
    start: int
    lines: range
    text: str

    @property
    def line(self) -> int:
        return self.lines[0]

    def __str__(self) -> str:
        became = self.text.splitlines()[self.line - 1].strip()
        return f"{self.kind} {self.was!r}, so that line {self.line} is {became!r}"


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
    first, last = (text.count("\n", 0, place) + 1 for place in (start, end))
    return Mutation(kind, text[start:end], start, range(first, last + 1), text[:start] + new + text[end:])


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


def words_of(text: str) -> set[str]:
    return set(_WORD.findall(text))


def lines_with(text: str, words: set[str]) -> set[int]:
    return {number for number, line in enumerate(text.splitlines(), 1) if words & words_of(line)}


def is_free(text: str, mutation: Mutation) -> bool:
    """Whether nothing in the file depends on what stood there."""
    path, node, is_key = _scalar_at(text, mutation.start)
    is_literal = not is_key and ('"' in node.value or "'" in node.value)
    is_for_actions = path == ("data",) and not _is_mentioned(mutation.was, text)
    is_name = is_key and (path == ("must",) or "output" in path or path[-1:] == ("properties",))
    return bool(_FREE & set(path)) or is_literal or is_for_actions or is_name


def is_declaration(text: str, mutation: Mutation) -> bool:
    """Whether it was the name of a field or of a part of one, an event, a state or an action, which stands elsewhere
    too: an action under `must`."""
    path, _, is_key = _scalar_at(text, mutation.start)
    if not is_key:
        return path[-1:] in {("required",), ("do",)}
    return path[:1] == ("events",) or path[-1:] in {("data",), ("user",), ("workflows",), ("states",), ("properties",)}


def _is_mentioned(field: str, text: str) -> bool:
    return re.search(rf"data\.{field}\b|(assign|append): \{{.*\b{field}:", text) is not None


def _scalar_at(text: str, start: int) -> tuple[tuple[str, ...], yaml.ScalarNode, bool]:
    """The keys that lead to the scalar, the scalar, and whether it is a key itself."""
    every = _scalars(yaml.compose(text, Loader=yamlcore.CCoreLoader), ())
    return next(found for found in every if found[1].start_mark.index <= start < found[1].end_mark.index)


def _scalars(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], yaml.ScalarNode, bool]]:
    """Every scalar as ``_scalar_at`` gives it."""
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
