"""Where a server is: ``redis://[user:password@]host:port/db``, ``rediss://`` with TLS, ``redis+unix:///socket?db=n``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url

from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.stores.urls import TORN, is_torn

#: How long a server may take to accept a connection.
CONNECT_S: Final = 5.0

_HOW_TO: Final = "write redis://[user:password@]host:port/db, db being a number"


class Address(NamedTuple):
    #: without a password, and without options, which may hold one
    url: str
    connect: Callable[[], AbstractConnection]


def address_of(scheme: str, rest: str) -> Address:
    """Raises ``StoreUrlInvalid``. Connects to nothing."""
    if is_torn(rest):
        raise StoreUrlInvalid(f"a {scheme}:// URL is wrong ({TORN}): {_HOW_TO}")
    try:
        options: dict[str, Any] = {**parse_url(f"{scheme.removeprefix('redis+')}://{rest}")}
        shown = _shown(scheme, rest)
        kind = options.pop("connection_class", Connection)
        settled = {**_SETTLED, **options, "decode_responses": True, "encoding_errors": "surrogatepass"}
        kind(**settled)
    except (ValueError, TypeError) as error:
        how = f"a {scheme}:// URL is wrong ({_reason(error)}): {_HOW_TO}"
        raise StoreUrlInvalid(how) from None  # the error may show a password
    return Address(shown, lambda: kind(**settled))


#: Time limits are those of ``wire``, for a whole trip; what is not ours to say is left out of the greeting.
_SETTLED: Final = {"protocol": 2, "driver_info": None, "socket_timeout": None, "socket_connect_timeout": CONNECT_S}


def _shown(scheme: str, rest: str) -> str:
    parts = urlsplit(f"{scheme}://{rest}")
    if scheme == "redis+unix":
        if not parts.path.strip("/"):
            raise ValueError("it names no socket")
        return f"{scheme}://{parts.path}"
    if not parts.hostname:
        raise ValueError("it names no host")
    if not re.fullmatch(r"(/\d*)?", parts.path):
        raise ValueError("its path is no number")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    who = f"{parts.username or ''}:***@" if parts.password else f"{parts.username}@" if parts.username else ""
    return f"{scheme}://{who}{host}:{parts.port or 6379}/{parts.path.strip('/') or 0}"


def _reason(error: Exception) -> str:
    """An option that redis-py does not know is a ``TypeError`` that names it; other words may hold a password."""
    match error:
        case TypeError():
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            return f"it has the unknown option {unknown[1]!r}" if unknown else "it has an odd option"
        case _ if str(error).startswith("it"):
            return str(error)
        case _:
            return "it cannot be read"
