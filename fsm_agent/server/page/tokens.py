"""What the caller may do here, and, for an administrator, which tokens there are. Nothing on it has a secret."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import htpy as h
from starlette.responses import Response

from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import one_line
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import moment
from fsm_agent.server.tokens import Scope, Token

#: scope -> what it allows
_ALLOWS: Final[Mapping[Scope, str]] = MappingProxyType(
    {
        Scope.READ: "look at agents, their histories and workflows",
        Scope.ANSWER: "see open questions, and answer them",
        Scope.OPERATE: "start agents, send them events, cancel, unpark, rewind and fork them",
        Scope.ADMIN: "see all tokens of these namespaces, and speak in the names of others, as a proxy does",
    }
)
_COLUMNS: Final = ("Name", "Allows", "Namespaces", "Made", "Expires", "Id")


async def tokens(visit: Visit) -> Response:
    """``GET /tokens``."""
    known = visit.tokens.all() if visit.tokens else ()
    return page(visit, "Tokens", h.h1["Tokens"], _own(visit, known), _all(visit, known), styles=("tokens.css",))


def _own(visit: Visit, known: Sequence[Token]) -> h.Node:
    """In whose name the caller acts, and what they may do."""
    caller, now = visit.caller, datetime.now(UTC)
    name = h.p["You act as ", h.strong[h.bdi[one_line(caller.name or "(no name)")]], ", and may:"]
    may = h.ul[[h.li[h.code[scope.value], ": ", told] for scope, told in _ALLOWS.items() if caller.may(scope)]]
    where = h.p["In namespace", "s " if len(caller.namespaces) > 1 else " ", _names(caller.namespaces)]
    ends = [h.p["Your token expires: ", _expiry(token, now)] for token in known if token.digest == caller.account]
    return h.section(".card")[name, may, where, ends]


def _all(visit: Visit, known: Sequence[Token]) -> h.Node:
    """Every token that counts where the caller's does."""
    if visit.tokens is None:
        return h.p[
            "There is no file of tokens, so everybody who reaches this server may do all this. ",
            h.code["fsm-agent token new NAME --scope read"],
            " makes the first one; then start the server again.",
        ]
    if not visit.may(Scope.ADMIN):
        return None
    here, now = set(visit.caller.namespaces), datetime.now(UTC)
    head = h.tr[[h.th(scope="col")[name] for name in _COLUMNS]]
    rows = [_row(token, here, now) for token in known if here & set(token.namespaces)]
    return [
        h.h2["All tokens of your namespaces"],
        h.table(".tokens")[h.thead[head], h.tbody[rows]],
        h.p(".hint")[
            "Whoever runs this server makes one with ",
            h.code["fsm-agent token new"],
            ", and takes one away with ",
            h.code["fsm-agent token revoke NAME"],
            ". Both count from the next request on.",
        ],
    ]


def _row(token: Token, here: Collection[str], now: datetime) -> h.Node:
    scopes = ", ".join(scope.value for scope in Scope if scope in token.scopes)
    cells = (
        h.bdi[one_line(token.name)],
        scopes,
        _names([name for name in token.namespaces if name in here]),
        moment(token.created),
        _expiry(token, now),
        h.span(".id")[token.id],
    )
    return h.tr[[h.td(data_name=name)[cell] for name, cell in zip(_COLUMNS, cells, strict=True)]]


def _names(namespaces: Sequence[str]) -> h.Node:
    return [[", " if place else "", h.code[name]] for place, name in enumerate(namespaces)]


def _expiry(token: Token, now: datetime) -> h.Node:
    if token.expires is None:
        return "never"
    return [moment(token.expires), h.span(".problem")[" expired"] if token.is_expired(now) else None]
