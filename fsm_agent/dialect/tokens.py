"""The tokens that the parser of a text produces."""

from enum import StrEnum, auto
from typing import NamedTuple

from fsm_agent.domain.json import Json


class TokenKind(StrEnum):
    """The kind of a token: what begins or ends with it."""

    DOCUMENT = auto()
    SCALAR = auto()
    SEQUENCE = auto()
    MAPPING = auto()
    ALIAS = auto()
    END = auto()


class Token(NamedTuple):
    kind: TokenKind
    #: character indices in the text
    start: int
    end: int
    #: value of a scalar as JSON
    value: Json = None
    #: text of a scalar, without quotes and escapes
    written: str | None = None
    #: name of the node's anchor, or of the anchor that an alias repeats
    anchor: str | None = None
    tag: str | None = None
    #: whether a scalar has no quotes
    is_plain: bool = False
    #: whether a mapping is in braces
    is_flow: bool = False
