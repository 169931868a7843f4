"""Tokens of the server, as documents and as blocks. Neither has a secret or a whole digest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from fsm_agent.cli.blocks import Block, Ink, Table, Tone
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import listed
from fsm_agent.report.times import when
from fsm_agent.server.tokens import Scope, Token

_COLUMNS = ("name", "namespaces", "scopes", "created", "expires", "id")


def token_json(token: Token, now: datetime) -> dict[str, Json]:
    return {
        "name": token.name,
        "id": token.id,
        "namespaces": list(token.namespaces),
        "scopes": list(_scopes(token)),
        "created": _iso(token.created),
        "expires": token.expires and _iso(token.expires),
        "expired": token.is_expired(now),
    }


def token_blocks(tokens: Iterable[Token], now: datetime) -> Iterator[Block]:
    yield Table(_COLUMNS, [_row(token, now) for token in tokens], "there are no tokens")


def _row(token: Token, now: datetime) -> list[Ink]:
    return [
        Ink(token.name, Tone.STRONG),
        Ink(listed(token.namespaces)),
        Ink(listed(_scopes(token))),
        Ink(when(token.created)),
        _expiry(token, now),
        Ink(token.id, Tone.QUIET),
    ]


def _expiry(token: Token, now: datetime) -> Ink:
    if token.expires is None:
        return Ink("never", Tone.QUIET)
    return Ink(f"{when(token.expires)}, expired", Tone.BAD) if token.is_expired(now) else Ink(when(token.expires))


def _scopes(token: Token) -> Iterator[str]:
    """In the order in which they are declared."""
    return (scope.value for scope in Scope if scope in token.scopes)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")
