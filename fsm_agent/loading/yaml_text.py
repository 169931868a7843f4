"""Text in YAML 1.2 becomes plain values; each mistake has its line and column.

A file is data: nothing in it is imported or evaluated. Its size, its depth and its aliases can only cost a limited
amount of work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Any, Final

import yaml
import yamlcore

from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.composer import QUOTE, TOO_DEEP, Composer
from fsm_agent.dialect.tokens import Token, TokenKind
from fsm_agent.domain.finding import Finding, Place
from fsm_agent.domain.json import Json
from fsm_agent.errors import WorkflowInvalid

#: limit of a file in bytes, and of a text in characters
LARGEST: Final = 1024 * 1024

#: The parser's own limit is far beyond ours, but its look-ahead may reach it first.
_PARSER_TOO_DEEP: Final = "exceeded maximum nesting depth"


def text_of(path: FilePath, what: str = "workflow") -> str:
    """The text of a file; raises ``WorkflowInvalid`` if it cannot be read. ``what`` names the expected content."""
    start = Place(str(path), 1, 1)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: the path has a null character
        why = getattr(error, "strerror", None) or error
        raise _invalid(Code.UNREADABLE, f"the {what} file cannot be read: {why}", start) from None
    if len(content) > LARGEST:
        raise _invalid(Code.TOO_LARGE, f"a {what} may take {LARGEST} bytes, and this file is larger", start)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(str(path), before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        message = f"byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8 text"
        raise _invalid(Code.ENCODING, message, place) from None


def composed(text: str, file: str) -> tuple[Json, Composer]:
    """The document, and the composer with its positions; raises ``WorkflowInvalid`` if the text is no YAML."""
    composer = Composer(_tokens(text), text, file)
    at = composer.positions.at
    if len(text) > LARGEST:
        raise _invalid(Code.TOO_LARGE, f"a workflow may take {LARGEST} characters, and this text is longer", at(0))
    try:
        return composer.document(), composer
    except yaml.reader.ReaderError as error:
        message = f"character U+{error.character:04X} cannot stand in YAML: in double quotes, write it as an escape"
        place = at(max(text.find(chr(error.character)), 0))
        raise _with(composer, Code.SYNTAX, message, place) from None
    except yaml.MarkedYAMLError as error:
        kind = error.problem_mark or error.context_mark
        place = at(kind.index if kind else 0)
        if error.problem == _PARSER_TOO_DEEP:
            raise _with(composer, Code.TOO_DEEP, TOO_DEEP, place) from None
        is_tab = text[kind.index : kind.index + 1] == "\t" if kind else False
        raise _with(composer, Code.SYNTAX, _explained(error, is_tab=is_tab), place) from None
    except UnicodeEncodeError as error:
        raise _with(composer, Code.ENCODING, "half a surrogate pair is no character", at(error.start)) from None


def _tokens(text: str) -> Iterator[Token]:
    loader = yamlcore.CCoreLoader(text)
    plain = _Plain(loader)
    while (event := loader.get_event()) is not None:
        start, end = event.start_mark.index, event.end_mark.index
        match event:
            case yaml.ScalarEvent():
                is_plain = not event.style
                value: Json = plain[event.value] if is_plain and event.tag is None else event.value
                yield Token(TokenKind.SCALAR, start, end, value, event.value, event.anchor, event.tag, is_plain)
            case yaml.AliasEvent():
                yield Token(TokenKind.ALIAS, start, end, anchor=event.anchor)
            case yaml.SequenceStartEvent():
                yield Token(TokenKind.SEQUENCE, start, end, anchor=event.anchor, tag=event.tag)
            case yaml.MappingStartEvent():
                is_flow = bool(event.flow_style)
                yield Token(TokenKind.MAPPING, start, end, anchor=event.anchor, tag=event.tag, is_flow=is_flow)
            case yaml.CollectionEndEvent():
                yield Token(TokenKind.END, start, end)
            case yaml.DocumentStartEvent():
                yield Token(TokenKind.DOCUMENT, start, end)


class _Plain(dict[str, Json]):
    """The meaning of each text without quotes and tag. It is cached, since most of them are repeated in a file."""

    def __init__(self, loader: Any) -> None:
        super().__init__()
        self._loader = loader

    def __missing__(self, text: str) -> Json:
        node = yaml.ScalarNode(self._loader.resolve(yaml.ScalarNode, text, (True, False)), text)
        value: Json = text
        with suppress(ValueError):  # Python refuses integers of more than 4,300 digits: they stay texts
            value = self._loader.construct_object(node)
        self[text] = value
        return value


def _explained(error: yaml.MarkedYAMLError, *, is_tab: bool) -> str:
    """The parser's message as one sentence, with the most likely cause."""
    if is_tab:
        return "this is not YAML: a tab stands where only spaces can indent"
    where = f" {error.context}" if error.context else ""
    return f"this is not YAML: {error.problem}{where}; {QUOTE}"


def _invalid(code: Code, message: str, place: Place) -> WorkflowInvalid:
    return WorkflowInvalid([Finding(code.value, message, place=place)])


def _with(composer: Composer, code: Code, message: str, place: Place) -> WorkflowInvalid:
    """The error, after the findings that were made before it."""
    return WorkflowInvalid([*composer.findings, Finding(code.value, message, place=place)])
