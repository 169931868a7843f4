"""AES-256-GCM over JSON: values as sealed text, and back. See ``fsm_agent.data.sealed`` for the form."""

from __future__ import annotations

import os
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fsm_agent.data.sealed import FORM, key_id_of
from fsm_agent.domain.json import Json
from fsm_agent.errors import KeyMissing, StoreCorrupt, StoreUrlInvalid
from fsm_agent.stores.codec import decode, encode
from fsm_agent.stores.sealed.keys import checked_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: 96 random bits: after 2**32 texts under one key two might be equal, and long before that a key is to be replaced.
_NONCE_BYTES: Final = 12
_VERSION: Final = 1
#: The first words of places that no agent has, and whose they are.
MESSAGE: Final = "message"
USER: Final = "user"
_OF_NO_AGENT: Final[Mapping[str, str]] = {MESSAGE: "thread", USER: "user"}


class Seal:
    """The keys of one namespace at work: the first of them writes, all read."""

    def __init__(self, keys: Mapping[str, bytes], namespace: str) -> None:
        """Raises ``KeyInvalid``, and ``StoreUrlInvalid`` if the library is not installed."""
        cipher, self._wrong = _cipher()
        self._ciphers = {key_id: cipher(key) for key_id, key in checked_keys(keys).items()}
        self._key_id = next(iter(self._ciphers))
        self._namespace = namespace

    def close(self, value: Json, owner: str, *place: Json) -> str:
        """``value`` as sealed text that opens only there."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = self._bound(owner, place)
        sealed = self._ciphers[self._key_id].encrypt(nonce, encode(value).encode(), bound)
        return f"{FORM}{self._key_id}:{b2a_base64(nonce + sealed, newline=False).decode()}"

    def open(self, text: Json, owner: str, *place: Json) -> Json:
        """What was sealed there. Raises ``KeyMissing`` without its key, ``StoreCorrupt`` if it does not open."""
        key_id = key_id_of(text)
        if key_id is None:
            raise _not_opened(owner, place, None)
        if key_id not in self._ciphers:
            raise KeyMissing(key_id, self._ciphers, what=_kind(place))
        try:
            raw = a2b_base64(text[len(FORM) + len(key_id) + 1 :], strict_mode=True)
            bound = self._bound(owner, place)
            return decode(self._ciphers[key_id].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound).decode())
        except (NotBase64, ValueError, self._wrong):
            raise _not_opened(owner, place, key_id) from None

    def _bound(self, owner: str, place: tuple[Json, ...]) -> bytes:
        return encode([_VERSION, self._namespace, owner, *place]).encode()


def _not_opened(owner: str, place: tuple[Json, ...], key_id: str | None) -> StoreCorrupt:
    where = " ".join(str(part) for part in place if part is not None)
    what = f"what is kept of {_kind(place)} {owner!r} ({where})"
    if key_id is None:
        return StoreCorrupt(f"{what} is not sealed as it was: it was changed")
    return StoreCorrupt(
        f"{what} does not open with the key {key_id!r}: it was changed or moved, or that is another key of the same id"
    )


def _kind(place: tuple[Json, ...]) -> str:
    """What has a place: an agent, if nothing else does."""
    return _OF_NO_AGENT.get(str(place[0]), "agent")


def _cipher() -> tuple[type[AESGCM], type[Exception]]:
    """The cipher, and what it raises for a text that does not open."""
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise StoreUrlInvalid(
            "sealing needs a library that is not installed: pip install 'fsm-agent[encryption]'"
        ) from error
    return AESGCM, InvalidTag
