"""How sealed text is told from clear text: its form, and nothing of keys.

    sealed:1:<key id>:<base64 of nonce (12 bytes), ciphertext and tag (16 bytes)>

The form is version 1. The cipher is AES-256-GCM over compact JSON; bound to it as associated data is the JSON list
``[1, namespace, agent id, place...]``, so that no text can be moved to another agent, version or field. For a message
it is ``[1, namespace, thread, "message", role, time, by]``, for a user ``[1, namespace, name, "user", version]``.

Sealed text stands under ``~``, which no data field, payload field or JSON Pointer can be called: nobody can write
something that is taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fsm_agent.domain.json import Json
from fsm_agent.errors import KeyMissing

MARK: Final = "~"
FORM: Final = "sealed:1:"


def key_id_of(text: Json) -> str | None:
    """The id of the key that sealed ``text``; ``None`` if it is not sealed."""
    if not isinstance(text, str) or not text.startswith(FORM):
        return None
    return text[len(FORM) :].partition(":")[0]


def sealed_text(value: Json) -> str | None:
    """The sealed text under ``MARK``, if ``value`` holds nothing else; otherwise ``None``."""
    if not isinstance(value, Mapping) or len(value) != 1 or MARK not in value:
        return None
    text = value[MARK]
    return text if key_id_of(text) is not None else None


def refuse_sealed(values: Mapping[str, Json]) -> None:
    """Raises ``KeyMissing`` if ``values`` are still sealed, since they must not be used as data."""
    if MARK in values and (key_id := key_id_of(values[MARK])) is not None:
        raise KeyMissing(key_id)
