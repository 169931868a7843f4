"""The file that keeps the tokens of the server.

Rules:

- The file is read again whenever it has changed, without a restart. A token that is revoked is refused from the next
  request on. If the file is deleted, all are.
- If the file cannot be read any more, the tokens that were read before stay valid, and that is logged: a slip in an
  editor locks nobody out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fsm_agent.errors import FsmAgentError, SettingsInvalid, TokenExists, TokenNotFound
from fsm_agent.server import private_file
from fsm_agent.server.tokens import Token, content_of, digest_of, read_tokens

logger = logging.getLogger(__name__)


class _Loaded(NamedTuple):
    """The tokens of a file, and the signature that it had."""

    signature: private_file.Signature
    by_digest: Mapping[str, Token]


class TokenFile:
    """The tokens in a file of mode 600. Without a file there are none.

    A server calls ``all`` once when it starts, which raises for a file that cannot serve, and then ``find`` at each
    request. ``add`` and ``revoke`` wait for the disk, and for whoever else changes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loaded: _Loaded | None = None
        #: the signature of the file for which an error is logged
        self._reported: private_file.Signature | None = None

    def find(self, secret: str, now: datetime) -> Token | None:
        """The token with this secret, unless it has expired. Raises ``SettingsInvalid`` if the file was never readable.

        A plain look-up is safe here. The time that it takes may tell something about the digests that are kept, and
        nobody can make a secret from a digest.
        """
        token = self.find_any(secret)
        return None if token is None or token.is_expired(now) else token

    def find_any(self, secret: str) -> Token | None:
        """The token with this secret, expired or not, so that a server can say why it refuses one."""
        return self._current().get(digest_of(secret))

    def all(self) -> tuple[Token, ...]:
        """All tokens, in the order in which they were made. Raises ``SettingsInvalid`` for a file that cannot serve."""
        try:
            content = private_file.read(self.path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SettingsInvalid(f"the tokens in {self.path} cannot be read: {error.strerror}") from error
        try:
            return read_tokens(content)
        except FsmAgentError as error:
            raise SettingsInvalid(f"the tokens in {self.path} cannot be used: {error}") from error

    def add(self, token: Token) -> None:
        """Keep one more. Raises ``TokenExists`` if there is one of its name, and ``SettingsInvalid``."""

        def added(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            if any(each.name == token.name for each in tokens):
                raise TokenExists(token.name)
            return (*tokens, token)

        self._change(added)

    def revoke(self, name: str) -> Token:
        """Take one away, and return it. Raises ``TokenNotFound``, and ``SettingsInvalid``."""
        revoked: list[Token] = []

        def rest(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
            revoked.extend(each for each in tokens if each.name == name)
            if not revoked:
                raise TokenNotFound(name, [each.name for each in tokens])
            return tuple(each for each in tokens if each.name != name)

        self._change(rest)
        return revoked[0]

    def _change(self, change: Callable[[tuple[Token, ...]], tuple[Token, ...]]) -> None:
        """Replace the tokens by what ``change`` makes of them, while nobody else does."""
        try:
            target = Path(os.path.realpath(self.path))  # a link stays one
            with private_file.locked(target):
                private_file.replace(target, content_of(change(self.all())))
        except OSError as error:
            raise SettingsInvalid(f"the tokens in {self.path} cannot be written: {error.strerror}") from error

    def _current(self) -> Mapping[str, Token]:
        """The tokens by digest: those of the file, or those of before if it cannot be read any more."""
        signature = private_file.signature(self.path)
        if self._loaded is not None and self._loaded.signature == signature:
            return self._loaded.by_digest
        try:
            by_digest = {token.digest: token for token in self.all()}
        except SettingsInvalid as error:
            if self._loaded is None:
                raise
            self._report(error, signature)
            return self._loaded.by_digest
        self._loaded = _Loaded(signature, by_digest)
        return by_digest

    def _report(self, error: SettingsInvalid, signature: private_file.Signature) -> None:
        """Log an error once, and not at every request."""
        if signature != self._reported:
            self._reported = signature
            logger.error("%s; the tokens that were read before stay valid", error, extra={"action": "tokens_not_read"})
