"""Keys for sealing: how they are written, read and made. No error ever shows one."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Final

from fsm_agent.domain.text import shortened
from fsm_agent.errors import KeyInvalid

#: of AES-256
KEY_BYTES: Final = 32

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_ODD_ID: Final = "is not allowed: write 1 to 32 letters, digits, '_' or '-', a letter or digit first"
_STANDARD: Final = str.maketrans("-_", "+/")


def read_keys(text: str) -> dict[str, bytes]:
    """``2026a=<base64 of 32 bytes>,2025=<...>`` as keys by id: the first writes, all read. Raises ``KeyInvalid``."""
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        key_id, separator, key = entry.partition("=")
        if not separator:
            raise KeyInvalid(f"entry {number}", "is not written ID=KEY")
        if key_id in keys:
            raise KeyInvalid(f"entry {number}", "repeats the id of another")
        key_id = _checked_id(key_id, f"entry {number}")
        keys[key_id] = _decoded(key, f"entry {number}")
    return keys


def checked_keys(keys: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """``keys``, if they can serve; raises ``KeyInvalid``."""
    for number, (key_id, key) in enumerate(keys.items(), start=1):
        _checked_id(key_id, f"entry {number}")
        _checked_length(key, f"entry {number}")
    return keys


def new_key(key_id: str) -> str:
    """A fresh key as an entry for ``read_keys``; raises ``KeyInvalid`` for an odd id."""
    if not _ID.fullmatch(key_id):
        raise KeyInvalid(f"the id {shortened(key_id)}", _ODD_ID)
    return f"{key_id}={base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def _checked_id(key_id: str, where: str) -> str:
    """An odd id is not shown: it may be a key that stands in the wrong place."""
    if not _ID.fullmatch(key_id):
        raise KeyInvalid(where, f"has an id that {_ODD_ID}")
    return key_id


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().translate(_STANDARD), validate=True)
    except (binascii.Error, ValueError):
        raise KeyInvalid(where, "is not base64") from None
    return _checked_length(key, where)


def _checked_length(key: bytes, where: str) -> bytes:
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise KeyInvalid(where, f"is not {KEY_BYTES} bytes long")
    return key
