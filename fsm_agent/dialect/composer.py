"""The composer makes one document from the tokens of a text, with the position of every node.

It limits what a text can cost: how deep it nests, and how many values it holds after aliases are followed. Mistakes are
noted, and reading goes on with the most likely meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.keys import DEEPEST
from fsm_agent.dialect.positions import NodeSpan, Positions
from fsm_agent.dialect.tokens import Token, TokenKind
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.errors import WorkflowInvalid

#: limit of values in a document; a value is counted each time an alias repeats it
MOST_VALUES: Final = 50_000
TOO_DEEP: Final = f"a file may nest {DEEPEST} levels deep, and here it is deeper"

#: limit of characters of a split expression that is joined again
LONGEST_SPLIT: Final = 1_000

QUOTE: Final = "if it belongs to an expression or a text, quote the expression, as in when: 'size(data.names) > 0'"


@dataclass(slots=True)
class Composer:
    tokens: Iterator[Token]
    text: str
    file: str
    spans: dict[Path, NodeSpan] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    #: paths of values that were misread, so that no other finding is needed there
    explained: set[Path] = field(default_factory=set)
    #: path of an alias -> path of its anchor
    aliases: dict[Path, Path] = field(default_factory=dict)
    _values: int = 0
    #: anchor -> its value, the number of values in it, and its path
    _anchors: dict[str, tuple[Json, int, Path | None]] = field(default_factory=dict)

    @property
    def positions(self) -> Positions:
        return Positions(self.text, self.file, self.spans, self.aliases)

    def is_explained(self, path: Path) -> bool:
        """Whether no other finding is needed at the path, or at the anchor that an alias repeats there."""
        _, *repeated = self.positions.texts(path)
        return path in self.explained or not self.explained.isdisjoint(repeated)

    def document(self) -> Json:
        """The document of the text; raises ``WorkflowInvalid`` if reading cannot go on."""
        if next(self.tokens, None) is None:
            self._stop(Code.NOT_ONE_DOCUMENT, "there is no workflow here: the text is empty", 0)
        document = self._value(next(self.tokens), (), 0)
        if (after := next(self.tokens, None)) is not None:
            message = "a second document begins here, and a file declares one workflow: put it into a file of its own"
            self._stop(Code.NOT_ONE_DOCUMENT, message, after.start)
        return document

    def _value(self, token: Token, path: Path | None, depth: int, key: int | None = None) -> Json:
        """The value that begins at ``token``. If ``path`` is ``None``, the value and its position are dropped."""
        before = self._values
        self._count(1, token, depth)
        match token.kind:
            case TokenKind.ALIAS:
                value = self._repeated(token, path, depth)
            case TokenKind.SEQUENCE:
                value = self._sequence(path, depth)
            case TokenKind.MAPPING:
                value = self._mapping(token, path, depth)
            case _:
                value = token.value if token.tag is None else self.text[token.start : token.end]
        if path is not None:
            self.spans[path] = NodeSpan(token.start, token.end, key, token.written)
        if token.tag is not None:
            tag = shortened(token.tag)
            self._note(Code.TAG, f"{tag} is read as a YAML tag, and a workflow has none: {QUOTE}", token, path)
        if token.anchor is not None and token.kind is not TokenKind.ALIAS:
            self._anchors[token.anchor] = value, self._values - before, path
        return value

    def _sequence(self, path: Path | None, depth: int) -> list[Json]:
        items: list[Json] = []
        while (token := next(self.tokens)).kind is not TokenKind.END:
            items.append(self._value(token, _below(path, len(items)), depth + 1))
        return items

    def _mapping(self, opening: Token, path: Path | None, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        last = ""
        while (key_token := next(self.tokens)).kind is not TokenKind.END:
            key = self._value(key_token, None, depth + 1)
            token = next(self.tokens)
            if opening.is_flow and _is_rest(token) and isinstance(key, str) and _is_open(found.get(last)):
                found[last] = self._rejoined(found[last], key, key_token, _below(path, last))
            elif self._is_new_key(key, key_token, found, path):
                last = key
                found[key] = self._value(token, _below(path, key), depth + 1, key_token.start)
            else:
                self._value(token, None, depth + 1)
        return found

    def _is_new_key(self, key: Json, token: Token, found: dict[str, Json], path: Path | None) -> bool:
        if isinstance(key, (dict, list)):
            message = f"a {'mapping' if isinstance(key, dict) else 'list'} stands where a key is wanted: {QUOTE}"
            self._note(Code.KEY_NOT_TEXT, message, token, path)
        elif not isinstance(key, str):
            message = f"a key must be text, and {self.text[token.start : token.end] or 'nothing'} is not: quote it"
            self._note(Code.KEY_NOT_TEXT, message, token, None)
        elif key in found:
            where = _below(path, key)
            first = f" in line {self.positions.line(self.spans[where])}" if where in self.spans else ""
            message = f"key {shortened(key)} stands here twice, first{first}: keep one of them"
            self._note(Code.DUPLICATE_KEY, message, token, None)
        else:
            return True
        return False

    def _rejoined(self, text: str, rest: str, token: Token, path: Path | None) -> str:
        """The expression that a comma has split, joined again so that the whole can be checked."""
        whole = f"{text}, {rest}"
        if path is not None and (span := self.spans.get(path)) is not None:
            if path not in self.explained:
                message = f"{shortened(text)} ends at a comma, because it stands in braces: quote the expression"
                self._note(Code.SPLIT_EXPRESSION, message, token._replace(start=span.start), path)
            self.spans[path] = span._replace(end=token.end, value=whole)
        return whole

    def _repeated(self, token: Token, path: Path | None, depth: int) -> Json:
        if token.anchor not in self._anchors:
            message = f"`*{token.anchor}` is read as an alias, and no anchor has that name: {QUOTE}"
            self._note(Code.ALIAS, message, token, path)
            return None
        value, values, anchored = self._anchors[token.anchor]
        if path is not None and anchored is not None:
            self.aliases[path] = anchored
        self._count(values, token, depth)
        return value

    def _count(self, values: int, token: Token, depth: int) -> None:
        self._values += values
        if depth > DEEPEST:
            self._stop(Code.TOO_DEEP, TOO_DEEP, token.start)
        if self._values > MOST_VALUES:
            message = f"a file may hold {MOST_VALUES} values, each alias counted in full, and here it has more"
            self._stop(Code.TOO_LARGE, message, token.start)

    def _note(self, code: Code, message: str, token: Token, path: Path | None) -> None:
        self.findings.append(Finding(code.value, message, path or (), place=self.positions.at(token.start)))
        if path is not None:
            self.explained.add(path)

    def _stop(self, code: Code, message: str, index: int) -> None:
        raise WorkflowInvalid([*self.findings, Finding(code.value, message, place=self.positions.at(index))])


def _below(path: Path | None, part: str | int) -> Path | None:
    return None if path is None else (*path, part)


def _is_rest(token: Token) -> bool:
    """Whether a key has no value: so looks the part of a split expression after its comma."""
    return token.kind is TokenKind.SCALAR and token.is_plain and token.start == token.end


def _is_open(text: Json) -> bool:
    """Whether brackets or quotes are open at the end of a text."""
    if not isinstance(text, str) or len(text) > LONGEST_SPLIT:
        return False
    brackets = sum(text.count(each) for each in "([") - sum(text.count(each) for each in ")]")
    return brackets > 0 or text.count("'") % 2 == 1 or text.count('"') % 2 == 1
