"""An engine is chosen by its URL; its module, and the library behind it, are imported only then."""

from __future__ import annotations

from typing import Final, Protocol

from fsm_agent.data.arguments import check
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.engines.base import Engine
from fsm_agent.errors import EngineUrlInvalid
from fsm_agent.stores.urls import Backend, check_namespace, without_password


class FromUrl(Protocol):
    """A class of engines."""

    def from_url(self, url: str, *, namespace: str) -> Engine: ...


#: scheme -> engine
ENGINES: Final[dict[str, Backend]] = {
    "local": Backend("fsm_agent.engines.local", "LocalEngine", None),
    "temporal": Backend("fsm_agent.engines.temporal.engine", "TemporalEngine", "temporal"),
    "celery+redis": Backend("fsm_agent.engines.celery.engine", "CeleryEngine", "celery"),
    "celery+rediss": Backend("fsm_agent.engines.celery.engine", "CeleryEngine", "celery"),
}


def open_engine(url: str, *, namespace: str = "default") -> Engine:
    """The engine at ``url``, for the agents of a namespace. It is not connected yet.

    Raises ``EngineUrlInvalid`` for an unknown scheme or a library that is not installed, and ``StoreUrlInvalid`` for an
    odd namespace.
    """
    check(url=url, namespace=namespace)
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in ENGINES:
        known = [f"{each}://" for each in ENGINES]
        near = did_you_mean(f"{url.partition(':')[0]}://", known)
        raise EngineUrlInvalid(
            f"engine URL {without_password(url)!r} has no known scheme{near}; known: {listed(known)}"
        )
    check_namespace(namespace)
    kind: FromUrl = ENGINES[scheme].load(f"a {scheme}:// engine needs a library", EngineUrlInvalid)
    return kind.from_url(url, namespace=namespace)
