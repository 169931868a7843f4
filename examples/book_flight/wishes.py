"""What a traveller wishes, read from a sentence: from where, to where, and when.

A small grammar, not a model of language: "Book a flight to NYC", "from San Francisco to New York next Monday",
"fly BER to JFK on 2027-02-05". What it does not understand it leaves open, and the agent asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from examples.book_flight.dates import find_date


@dataclass(frozen=True, slots=True)
class Wish:
    """What was said, places in the traveller's words. ``unclear`` is a date that no calendar has."""

    origin: str | None = None
    destination: str | None = None
    day: date | None = None
    unclear: str | None = None


def read_wish(sentence: str, today: date) -> Wish:
    """Understand ``sentence``, said on ``today``."""
    text = " ".join(sentence.split())
    said = find_date(text, today)
    if said is None:
        return Wish(*_places(text))
    return Wish(*_places(said.rest), said.day, None if said.day else said.words)


_CODES: Final = re.compile(r"\b([A-Z]{3})\s?[-/\u2013\u2014]\s?([A-Z]{3})\b")
_ARROW: Final = re.compile(r"\s*(?:->|→)\s*")
_OPENING: Final = re.compile(
    r"\A(?:(?:(?:can|could|would|will) (?:you|i|we)|i'd|please|hi|hello|hey|i|we|want|wish|like|need|have|must|to|"
    r"book|find|get|buy|reserve|me|us|an?|the|cheap|flights?|fly|flying|tickets?|trip|travel|go|going)\b[\s,]*)+",
    re.IGNORECASE,
)
_CLOSING: Final = re.compile(r"[\s,]*\b(?:please|thanks|thank you|for (?:me|us|one))[\s.!]*$", re.IGNORECASE)

_ROUTES: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?:from )?(?P<origin>.+?) to (?P<destination>.+)",
        r"(?P<destination>.+?) from (?P<origin>.+)",
        r"from (?P<origin>.+)",
        r"(?P<destination>.+)",
    )
)


def _places(text: str) -> tuple[str | None, str | None]:
    """Origin and destination, once the date is out of the way."""
    text = _ARROW.sub(" to ", _CODES.sub(r"\1 to \2", text))
    text = _CLOSING.sub("", _OPENING.sub("", text)).strip(" ,.;!?")
    said = next((match.groupdict() for route in _ROUTES if (match := route.fullmatch(text))), {})
    origin, destination = (said.get(place, "").strip(" ,.;!?") or None for place in ("origin", "destination"))
    return origin, destination
