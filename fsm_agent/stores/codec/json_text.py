"""The one place where values become text, and text values."""

from __future__ import annotations

import json
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from typing import Any, Final

from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.errors import StoreCorrupt

_encode_ascii: Final = json.JSONEncoder(check_circular=False, allow_nan=False, separators=(",", ":")).encode
#: ``JSONEncoder.encode`` builds its C encoder anew at every call, which costs more than what a step encodes.
#: markers, default, encoder, indent, key and item separators, sort_keys, skipkeys, allow_nan
_chunks: Final = c_make_encoder(None, None, encode_basestring, None, ":", ",", False, False, False)  # noqa: FBT003
_decode: Final = json.JSONDecoder().decode


def encode(value: Json) -> str:
    """``value`` as compact JSON; raises ``ValueError`` for NaN and infinity."""
    text = "".join(_chunks(value, 0))
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair is a valid Python string, and UTF-8 has no bytes for it
        return _encode_ascii(value)
    return text


def decode(text: str) -> Json:
    """The value that ``encode`` made this text of; raises ``StoreCorrupt`` for what is no JSON."""
    try:
        return _decode(text)
    except ValueError as error:
        raise StoreCorrupt(f"what a store keeps is damaged, {shortened(text)} is no JSON: restore a backup") from error


def weight(value: Any) -> int:
    """Bytes of the text in rows, and eight for each number."""
    match value:
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case list() | tuple():
            return sum(map(weight, value))
        case int():
            return 8
        case _:
            return 0
