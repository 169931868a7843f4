"""What the parser of a text hands over, one token after the other."""

from enum import StrEnum, auto
from typing import NamedTuple

from fsm_agent.domain.json import Json


class TokenKind(StrEnum):
    """What a token begins or ends."""

    DOCUMENT = auto()
    SCALAR = auto()
    SEQUENCE = auto()
    MAPPING = auto()
    ALIAS = auto()
    END = auto()


class Token(NamedTuple):
    kind: TokenKind
    #: character indices into the text
    start: int
    end: int
    #: of a scalar, what it means as JSON
    value: Json = None
    #: of a scalar, its text without quotes and escapes
    written: str | None = None
    #: the name of its anchor, or of the anchor that it repeats
    anchor: str | None = None
    tag: str | None = None
    #: a scalar without quotes
    is_plain: bool = False
    #: a mapping in braces
    is_flow: bool = False
