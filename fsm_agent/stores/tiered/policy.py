"""What a ``tiered:`` URL says: two stores, and when agents move."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fsm_agent.domain.state import Duration
from fsm_agent.domain.text import did_you_mean, listed
from fsm_agent.errors import StoreUrlInvalid
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store

_FORM: Final = "write tiered:WARM,COLD with two store URLs, and then, if need be, ,idle=1h ,ended=1m ,hot=1000"
#: A comma that begins a URL or an option; others belong to the URL before them.
_COMMA: Final = re.compile(r",(?=[a-z]+(?:://|=))")


@dataclass(frozen=True, slots=True)
class Tiers:
    """Where agents live, and for how long there."""

    warm: Store
    cold: Store
    #: how long a waiting agent rests before it is archived
    idle_ms: int = 3_600_000
    #: how long one stays that has ended
    ended_ms: int = 60_000
    #: how many agents this process remembers
    hot: int = 1_000


def read_tiers(rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Tiers:
    """The tiers of ``rest``, what follows ``tiered:``; raises ``StoreUrlInvalid``."""
    parts = _COMMA.split(rest)
    urls = [part for part in parts if "://" in part]
    if len(urls) != 2 or parts[:2] != urls or urls[0] == urls[1]:
        raise StoreUrlInvalid(f"a tiered store has two stores, warm and cold, and this URL names {len(urls)}: {_FORM}")
    options = dict(_option(part) for part in parts[2:])
    warm, cold = (open_store(url, namespace=namespace, clock=clock) for url in urls)
    return Tiers(warm, cold, **options)


def _option(part: str) -> tuple[str, Any]:
    name, _, value = part.partition("=")
    try:
        match name:
            case "idle" | "ended":
                return f"{name}_ms", Duration.parse(value).ms
            case "hot":
                return "hot", int(value)
    except ValueError as error:
        raise StoreUrlInvalid(f"option {name!r} of a tiered store: {error}") from None
    known = ["idle", "ended", "hot"]
    if "@" in part:  # a part of a password
        raise StoreUrlInvalid(f"a password in a tiered: URL has a comma: write it as %2C; {_FORM}")
    near = did_you_mean(name, known)
    raise StoreUrlInvalid(f"a tiered store has no option {name!r}{near}; known: {listed(known)}")
