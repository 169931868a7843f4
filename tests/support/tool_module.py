"""A module of tools, as an operator would allow it."""

from __future__ import annotations

import threading
from json import dumps  # noqa: F401 - what a module has only imported is no tool of its own
from subprocess import run  # noqa: F401 - nor is this
from typing import Any

from fsm_agent.errors import ToolError

#: (name, argument) of each call
calls: list[tuple[str, Any]] = []
#: lets the plain tool that hangs go on
release = threading.Event()


async def search(city: str, limit: int = 3) -> list[str]:
    """Finds hotels.

    Args:
        city: Where to look.
        limit: How many at most.
    """
    calls.append(("search", city))
    return [f"{city} {number}" for number in range(limit)]


def book(hotel: str, nights: int) -> dict[str, Any]:
    """Books a hotel."""
    calls.append(("book", (hotel, nights)))
    return {"hotel": hotel, "nights": nights}


def pay(amount: int, *, idempotency_key: str) -> str:
    """Pays."""
    calls.append(("pay", (amount, idempotency_key)))
    return "paid"


def refuse(why: str) -> None:
    """Never works."""
    calls.append(("refuse", why))
    raise ToolError(f"that is not possible: {why}")


def fail() -> None:
    """Breaks."""
    calls.append(("fail", None))
    raise ConnectionError("the line is dead")


def hang() -> None:
    """Takes its time."""
    calls.append(("hang", None))
    release.wait(10)


def nothing() -> None:
    """Returns nothing."""


def _hidden() -> None:
    """Is nobody's business."""
