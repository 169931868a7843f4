"""Tells who asks, and whether they may: by a token, by the cookie of the page, by a proxy; on loopback nobody need say.

Rules:

- Without a tokens file everybody who reaches the server may do everything, in the name of its operator; that is why it
  listens on loopback only.
- With one, a request carries a token: as ``Authorization: Bearer``, or as the cookie that the page's login has set.
- An identity header says in whose name a proxy asks. With a tokens file, the proxy's own token must come with it, and
  have the scope ``admin``: else anybody with a token could speak in any name. Whom it names gets the token's other
  scopes. Two headers are refused: one would be the browser's. Without the scope a token speaks in its own name only.
- A browser sends a cookie, or nothing, along with what other sites make it ask. So what changes anything must come from
  the page itself, unless a bearer token proves that a program meant it. The token of a proxy proves nothing: the proxy
  adds it to whatever a browser asks.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from fsm_agent.data.arguments import why_blank
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope

logger = logging.getLogger("fsm_agent")

COOKIE: Final = "fsm_agent_token"
_LOCAL_NAMES: Final = ("localhost", "ip6-localhost")
#: what a ``Host`` header may be made of
_HOST: Final = re.compile(r"[\w.:\[\]-]*")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: characters of a name in an identity header
_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks, and what they may do."""

    #: in whose name; ``None`` if the operator has no name
    name: str | None
    namespaces: tuple[str, ...]
    scopes: frozenset[Scope]
    #: what requests are counted by
    account: str
    #: whether a token said so, which the caller could throw away
    has_cookie: bool = False

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


class Access:
    """Tells who asks. Raises ``HttpProblem``: 401 without a valid token, 403 from another site, 421 to another host."""

    def __init__(
        self,
        *,
        tokens: TokenFile | None,
        operator: str | None,
        namespaces: tuple[str, ...],
        identity_header: str | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        self.tokens = tokens
        self._operator = operator
        self._namespaces = namespaces
        self._identity_header = identity_header
        self._hosts = frozenset(host.lower() for host in hosts)

    @property
    def asks_for_tokens(self) -> bool:
        return self.tokens is not None

    def caller(self, request: Request) -> Caller:
        """The caller of a request."""
        self.require_host(request)
        bearer = _bearer(request)
        is_meant = bearer is not None and self._identity_header is None
        if not is_meant and request.method not in _SAFE_METHODS:
            require_same_site(request)
        return self._proxied(request, self._caller(request, bearer))

    def require_host(self, request: Request) -> None:
        """Refuse a name that is not ours: a page elsewhere may have made a browser believe that it is us."""
        host = _host_of(request.headers.get("host", ""))
        if not (is_loopback(host) or host in self._hosts):
            logger.info("a request to the host %r was refused: `--allowed-host` names those that are served", host)
            raise HttpProblem(421, "host-unknown", f"this server is not {host!r}")

    def _caller(self, request: Request, bearer: str | None) -> Caller:
        if self.tokens is None:
            client = request.client.host if request.client else ""
            return Caller(self._operator, self._namespaces, frozenset(Scope), client)
        secret = bearer if bearer is not None else request.cookies.get(COOKIE)
        caller = self.of_secret(secret)
        if caller is None:
            why = "the token has expired" if secret and self.tokens.find_any(secret) else "a valid token is needed"
            raise HttpProblem(401, "unauthorized", f"{why}: send one as `Authorization: Bearer fsm_...`")
        return caller

    def of_secret(self, secret: str | None) -> Caller | None:
        """The caller with this token; ``None`` if there is none, or it has expired."""
        if self.tokens is None or not secret:
            return None
        token = self.tokens.find(secret, datetime.now(UTC))
        if token is None:
            return None
        served = tuple(name for name in token.namespaces if name in self._namespaces)
        return Caller(token.name, served, token.scopes, token.digest, has_cookie=True)

    def _proxied(self, request: Request, caller: Caller) -> Caller:
        if self._identity_header is None:
            return caller
        names = [_decoded(name) for name in request.headers.getlist(self._identity_header)]
        if self.tokens is not None and not caller.may(Scope.ADMIN):
            if names:
                told = f"only a token with the scope 'admin' may say in whose name it asks, by {self._identity_header}"
                raise HttpProblem(403, "scope-missing", told)
            return caller
        if (why := _why_nobody(names)) is not None:
            raise HttpProblem(401, "unauthorized", f"the header {self._identity_header} must say who asks: it {why}")
        scopes = caller.scopes if self.tokens is None else caller.scopes - {Scope.ADMIN}
        return Caller(names[0], caller.namespaces, scopes, f"{caller.account} {names[0]}")


def _why_nobody(names: list[str]) -> str | None:
    """Why an identity header names nobody; ``None`` if it does."""
    if len(names) != 1:
        return f"stands there {len(names)} times" if names else "is missing"
    if len(names[0]) > _LONGEST_NAME or not names[0].isprintable():
        return f"has more than {_LONGEST_NAME} characters, or some that cannot be read"
    return why_blank(names[0])


def _decoded(header: str) -> str:
    """The text of a header: most programs write UTF-8, which is read as Latin-1."""
    try:
        return header.encode("latin-1").decode()
    except ValueError:
        return header


def _bearer(request: Request) -> str | None:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


def require_same_site(request: Request) -> None:
    """Refuse what a page of another site makes a browser ask."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
    elif (origin := request.headers.get("origin")) is None or _origin_host(origin) == request.headers.get("host", ""):
        return
    raise HttpProblem(403, "cross-site", "a page of another site may not ask for this")


def is_encrypted(request: Request) -> bool:
    """Whether the browser speaks TLS. Of a proxy that ends it, only the header knows. It may say what it likes: it only
    keeps a cookie of whoever sends it from going over the wire in clear."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return request.url.scheme == "https" or told == "https"


def _origin_host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _host_of(header: str) -> str:
    """The name in a ``Host`` header, without the port, in lower case."""
    if not _HOST.fullmatch(header):
        return ""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


@lru_cache(maxsize=100)
def is_loopback(host: str) -> bool:
    """Whether a host is this machine, seen from itself."""
    if host in _LOCAL_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
