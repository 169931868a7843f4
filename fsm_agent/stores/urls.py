"""A store is chosen by its URL; its module, and the driver behind it, are imported only then."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final, NamedTuple

from fsm_agent.data.arguments import check
from fsm_agent.domain.text import did_you_mean, listed, shortened
from fsm_agent.errors import FsmAgentError, StoreUrlInvalid
from fsm_agent.stores.base import Store


class Backend(NamedTuple):
    """A class by name, and the extra that installs the library behind it (``None``: it comes with fsm-agent)."""

    module: str
    name: str
    extra: str | None

    def load(self, needs: str, error: type[FsmAgentError]) -> Any:
        """The class. Raises ``error``, which begins with what ``needs`` says, if its library is not installed."""
        try:
            module = import_module(self.module)
        except ImportError as why:
            if self.extra is None:
                raise
            raise error(f"{needs} that is not installed: pip install 'fsm-agent[{self.extra}]'") from why
        return getattr(module, self.name)


#: scheme -> backend
BACKENDS: Final[dict[str, Backend]] = {
    "memory": Backend("fsm_agent.stores.memory.store", "MemoryStore", None),
    "sqlite": Backend("fsm_agent.stores.sqlite.store", "SqliteStore", None),
    "redis": Backend("fsm_agent.stores.redis.store", "RedisStore", "redis"),
    "rediss": Backend("fsm_agent.stores.redis.store", "TlsRedisStore", "redis"),
    "redis+unix": Backend("fsm_agent.stores.redis.store", "LocalRedisStore", "redis"),
    "tiered": Backend("fsm_agent.stores.tiered.store", "TieredStore", None),
    "postgresql": Backend("fsm_agent.stores.postgres.store", "PostgresStore", "postgres"),
    "postgres": Backend("fsm_agent.stores.postgres.store", "PostgresStore", "postgres"),
}

_NAMESPACE: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"

#: What stands before the place in a URL, also in one that is mistyped.
_START: Final = r"(?i)(?:[a-z]\w*:)?[a-z][\w+.-]*:/+|[a-z][\w+.-]*//+|/+"
#: A comma that begins the second URL of a tiered store.
_SECOND: Final = r"(?i),(?=[a-z][\w+.-]*:/)"
#: What is called like a secret where no option should stand; its value is all that stands before the next option.
_HIDDEN_WORD: Final = r"(?i)((?:^|\s)[^\s?&;=@/]*(?:pass|pwd|secret|token)[^\s?&;=@/,]*=)[^&]*"
#: An option, which drivers call as they like and people mistype: its value is shown if its name is known.
_OPTION: Final = r"([?&;]([^?&;=@/,]*)=)([^&]*)"
_HARMLESS: Final = frozenset({
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "db", "dbname", "gssencmode",
    "health_check_interval", "host", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle",
    "keepalives_interval", "load_balance_hosts", "max_connections", "pool_size", "port", "protocol",
    "retry_on_timeout", "service", "socket_connect_timeout", "socket_keepalive", "socket_timeout",
    "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_check_hostname", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "ssl_min_version", "sslcompression", "sslcrl", "sslmode", "sslnegotiation",
    "sslrootcert", "sslsni", "target_session_attrs", "tcp_user_timeout", "user", "username",
})  # fmt: skip
#: What such a value may be, and behind it the options of a tiered store.
_PLAIN_VALUE: Final = r"[\w.:/+%~*-]*(?:,[\w.:/+%~*-]+)*(?:,(?:idle|ended|hot)=\w*)*"
_HOST: Final = r"(?:\[[^\]/@]*\]|[^/?#@:,]*)(?::\d*)?"
#: A place in which no password can stand: hosts with their ports, a path, options.
_PLACE: Final = rf"{_HOST}(?:,{_HOST})*(?:/[^?#@]*)?(?:\?[^?&=@]+=[^&]*(?:&[^?&=@]+=[^&]*)*)?"
_COLON: Final = "(?i):|%3a"


def open_store(
    url: str,
    *,
    namespace: str = "default",
    clock: Callable[[], int] | None = None,
    keys: Mapping[str, bytes] | None = None,
) -> Store:
    """The store at ``url``: ``memory://``, ``sqlite:///relative.db`` or ``sqlite:////absolute.db``,
    ``postgresql://user@host:port/database``, or, with two stores, ``tiered:WARM,COLD``.

    ``clock`` gives milliseconds since the epoch in place of the wall clock. With ``keys`` (id -> 32 bytes; the first
    writes, all read) what agents say is kept sealed. Raises ``StoreUrlInvalid`` for an unknown scheme, a missing folder
    or an odd namespace, and another ``StoreError`` for a file or a key that cannot serve.
    """
    check(url=url, namespace=namespace)
    scheme, separator, rest = url.partition(":" if url.startswith("tiered:") else "://")
    if not separator or scheme not in BACKENDS:
        known = ["tiered:" if each == "tiered" else f"{each}://" for each in BACKENDS]
        near = did_you_mean(f"{url.partition(':')[0]}://", known)
        raise StoreUrlInvalid(f"store URL {without_password(url)!r} has no known scheme{near}; known: {listed(known)}")
    check_namespace(namespace)
    seal = _sealing(keys, namespace) if keys else None
    kind: type[Store] = BACKENDS[scheme].load(f"a {scheme}:// store needs a driver", StoreUrlInvalid)
    store = kind.from_url(rest, namespace=namespace, clock=clock)
    return seal(store) if seal else store


def check_namespace(namespace: str) -> None:
    """Raise ``StoreUrlInvalid`` if no store can have such a namespace."""
    if not re.fullmatch(_NAMESPACE, namespace):
        raise StoreUrlInvalid(
            f"namespace {shortened(namespace)} is not allowed: write 1 to 128 letters, digits, '.', '_' or '-', "
            "a letter or digit first"
        )


def _sealing(keys: Mapping[str, bytes], namespace: str) -> Callable[[Store], Store]:
    """What seals a store; raises before one is opened."""
    from fsm_agent.stores.sealed.cipher import Seal
    from fsm_agent.stores.sealed.store import SealedStore

    return partial(SealedStore, seal=Seal(keys, namespace))


def without_password(url: str) -> str:
    """``url`` as it may be shown, also where it cannot be parsed: what may be a password in it is masked."""
    return ",".join(map(_masked, re.split(_SECOND, url)))


def _masked(url: str) -> str:
    start = found[0] if (found := re.match(_START, url)) else ""
    rest = re.sub(_OPTION, _shown_option, re.sub(_HIDDEN_WORD, r"\1***", url[len(start) :]))
    if re.fullmatch(_PLACE, rest):
        return start + rest
    if found := re.fullmatch(f"([^/?#@:]*):[^/?#@]*@({_PLACE})", rest):
        return f"{start}{found[1]}:***@{found[2]}"
    who, at, place = rest.rpartition("@")
    if not at and start.endswith("///"):  # a file
        return start + rest
    user, *password = re.split(_COLON, who if at else rest, maxsplit=1)
    return f"{start}{user}{':***' if password else ''}{at}{place if at else ''}"


def _shown_option(found: re.Match[str]) -> str:
    whole, start, name, value = found[0], *found.groups()
    is_plain = name.lower() in _HARMLESS and re.fullmatch(_PLAIN_VALUE, value) is not None
    return whole if is_plain else f"{start}***"


def is_torn(rest: str) -> bool:
    """Whether what follows ``://`` has an '@' behind its host and none before it: then a driver takes a part of the
    password for the host, and would show it."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return "@" in rest and "@" not in authority and re.fullmatch(_PLACE, rest) is None


#: what ``is_torn`` is said to be
TORN: Final = "an '@' stands behind its host: in a password write '/' as %2F, '?' as %3F, '#' as %23"
