"""Tokens of the server: who may do what, in which namespaces, and until when.

Rules:

- A secret is shown once, when its token is made, and is kept nowhere. What is kept is its SHA-256 digest. A secret has
  256 random bits, which nobody can guess, so a slow hash would protect it no better.
- Scopes are exactly those that were given: none of them implies another. Who has only ``operate`` may start agents and
  not read them, and ``admin`` alone allows nothing of the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fsm_agent.domain.state import Duration
from fsm_agent.domain.text import did_you_mean, listed, shortened
from fsm_agent.errors import ArgumentInvalid, SettingsInvalid
from fsm_agent.project.defaults import DEFAULT_NAMESPACE
from fsm_agent.stores.urls import check_namespace

#: what every secret begins with, so that scanners of source code recognise one
PREFIX: Final = "fsm_"
_SECRET_BYTES: Final = 32
_LONGEST_NAME: Final = 128
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
#: length of the end of a digest that tells tokens apart for people
_ID_LENGTH: Final = 8
#: of the file
_VERSION: Final = 1


class Scope(StrEnum):
    """What a token allows; none of them implies another."""

    #: look at agents, their histories and workflows
    READ = "read"
    #: see open questions, and answer them
    ANSWER = "answer"
    #: start agents, send them events, cancel, unpark, rewind and fork them
    OPERATE = "operate"
    #: see which tokens there are, and speak in the names of others, as a proxy does that signs people in
    ADMIN = "admin"


class Token(NamedTuple):
    """A named right to use the server."""

    #: in whose name everything is done with it: the ``by`` of steps
    name: str
    namespaces: tuple[str, ...]
    scopes: frozenset[Scope]
    created: datetime
    #: ``None`` is never
    expires: datetime | None
    #: SHA-256 of the secret, in hex
    digest: str

    @property
    def id(self) -> str:
        """A short text for lists; it gives nothing of the secret away."""
        return self.digest[-_ID_LENGTH:]

    def is_expired(self, now: datetime) -> bool:
        return self.expires is not None and now >= self.expires


class NewToken(NamedTuple):
    """A token and its secret, which is kept nowhere."""

    token: Token
    secret: str


def new_token(
    name: str,
    *,
    scopes: Iterable[str],
    namespaces: Iterable[str] = (DEFAULT_NAMESPACE,),
    lifetime: Duration | None = None,
    now: datetime,
) -> NewToken:
    """Make a token and its secret. Raises ``ArgumentInvalid``, and ``StoreUrlInvalid`` for an odd namespace."""
    import secrets

    secret = f"{PREFIX}{secrets.token_urlsafe(_SECRET_BYTES)}"
    token = Token(_name(name), _namespaces(namespaces), _scopes(scopes), now, _end(now, lifetime), digest_of(secret))
    return NewToken(token, secret)


def digest_of(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _end(now: datetime, lifetime: Duration | None) -> datetime | None:
    if lifetime is None:
        return None
    if lifetime.ms == 0:
        raise ArgumentInvalid(f"a token that expires after {lifetime} could never be used: give it more, such as 90d")
    try:
        return now + timedelta(milliseconds=lifetime.ms)
    except OverflowError:
        raise ArgumentInvalid(f"no date is {lifetime} away: give less, or leave it out for ever") from None


def content_of(tokens: Iterable[Token]) -> bytes:
    document = {"version": _VERSION, "tokens": [_entry(token) for token in tokens]}
    return f"{json.dumps(document, ensure_ascii=False, indent=2)}\n".encode()


def _entry(token: Token) -> dict[str, Any]:
    return {
        **token._asdict(),
        "namespaces": list(token.namespaces),
        "scopes": [scope for scope in Scope if scope in token.scopes],
        "created": token.created.isoformat(),
        "expires": token.expires and token.expires.isoformat(),
    }


def read_tokens(content: bytes) -> tuple[Token, ...]:
    """The tokens of a file. Raises an error of ours."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise SettingsInvalid("it is no JSON document") from None
    match document:
        case {"version": 1, "tokens": [*entries], **rest} if not rest:
            tokens = tuple(map(_token, entries))
        case {"version": int(version)} if version != _VERSION:
            raise SettingsInvalid(f"it has version {version}, and this fsm-agent reads version {_VERSION}")
        case _:
            raise SettingsInvalid(f'it must be {{"version": {_VERSION}, "tokens": [...]}}')
    for what, values in (("name", [each.name for each in tokens]), ("digest", [each.digest for each in tokens])):
        if len(set(values)) < len(values):
            raise SettingsInvalid(f"two of them have the same {what}")
    return tokens


def _token(entry: Any) -> Token:
    if not isinstance(entry, dict) or entry.keys() != set(Token._fields):
        raise SettingsInvalid(f"each must have {listed(Token._fields)}, and nothing else")
    return Token(
        _name(entry["name"]),
        _namespaces(entry["namespaces"]),
        _scopes(entry["scopes"]),
        _time("created", entry["created"]),
        None if entry["expires"] is None else _time("expires", entry["expires"]),
        _hex(entry["digest"]),
    )


def _name(name: object) -> str:
    if isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= _LONGEST_NAME:
        return name
    raise ArgumentInvalid(
        f"{shortened(name)} names no token: write 1 to {_LONGEST_NAME} printable characters, and not only blanks"
    )


def _namespaces(namespaces: object) -> tuple[str, ...]:
    names = _texts("namespaces", namespaces)
    for name in names:
        check_namespace(name)
    return names


def _scopes(scopes: object) -> frozenset[Scope]:
    texts = _texts("scopes", scopes)
    if unknown := [text for text in texts if text not in set(Scope)]:
        near = did_you_mean(unknown[0], Scope)
        raise ArgumentInvalid(f"there is no scope {shortened(unknown[0])}{near}; there are {listed(Scope)}")
    return frozenset(map(Scope, texts))


def _texts(what: str, values: object) -> tuple[str, ...]:
    """Texts, at least one, each once."""
    found = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []
    if not found or not all(isinstance(each, str) for each in found):
        raise ArgumentInvalid(f"the {what} of a token must be a list of at least one text")
    return tuple(dict.fromkeys(found))


def _time(what: str, value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        time = None
    raise ArgumentInvalid(f"{what} is {shortened(value)}, and must be a time such as 2027-01-31T12:00:00+00:00")


def _hex(value: object) -> str:
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value
    raise ArgumentInvalid("a digest must be the SHA-256 of a secret, in 64 hex digits")
