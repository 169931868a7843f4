"""What agents work on here: realistic data of about 500 bytes, and messages of 200. Peers import this as well, from an
environment without fsm-agent, so it imports nothing."""

from __future__ import annotations

import random
from typing import Any

DATA: dict[str, Any] = {
    "goal": "Book a flight to NYC for two, with a window seat and no more than one stop on the way",
    "count": 0,
    "until": 0,
    "customer": {"id": "user_456", "name": "Ana Lovelace", "tier": "gold", "email": "ana@example.org"},
    "options": [
        {"flight": "SB 101", "price": 412, "stops": 0, "departs": "2027-02-05T08:10"},
        {"flight": "NW 88", "price": 377, "stops": 1, "departs": "2027-02-05T11:45"},
        {"flight": "SB 309", "price": 455, "stops": 0, "departs": "2027-02-05T18:20"},
    ],
    "note": "",
}

_TALK = (
    "the flight that leaves in morning is cheaper but has a stop of two hours and window seats are gone on later one "
    "would you rather pay forty more for direct connection or keep first offer until tomorrow evening at same price"
)
_WORDS = tuple(_TALK.split())


def note(count: int) -> str:
    """What a step writes beside the counter."""
    return f"compared the prices of offer {count} with those of the day before"


def message(number: int) -> dict[str, str]:
    """A message of 200 bytes as JSON. No two are alike, and a server that compresses finds in them what it finds in
    any text."""
    chosen = random.Random(number).choices(_WORDS, k=60)  # noqa: S311 - a benchmark needs no secrets
    return {"role": "user", "content": " ".join(chosen)[:168]}
