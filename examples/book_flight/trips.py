"""What a trip still lacks before flights can be looked up, and why: a place that is one airport, a day to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from examples.book_flight.airports import Airport, find


@dataclass(frozen=True, slots=True)
class Gap:
    """What must be asked: ``why`` is a sentence for the traveller, ``offered`` are airports to choose from."""

    why: str
    offered: tuple[Airport, ...] = ()


def settle_place(words: str | None, *, offered: Sequence[str] = (), unsaid: str) -> Airport | Gap:
    """The one airport that ``words`` mean, where the traveller was ``offered`` these codes before."""
    if not words or not words.strip():
        return Gap(unsaid)
    found = find(words, among=offered)
    match found.airports:
        case [airport]:
            return airport
        case []:
            hint = f"; did you mean {' or '.join(found.near)}?" if found.near else "."
            return Gap(f'I know no airport by the name "{words}"{hint}')
        case several:
            return Gap(f'"{words}" has {len(several)} airports:', several)


def settle_day(day: date | None, *, said: str, origin: Airport, now: datetime) -> date | Gap:
    """``day`` if it is not over at ``origin``; ``said`` is a date that was said and cannot be."""
    if day is None:
        return Gap(f'No calendar has the date "{said}".' if said else "You have not said when you want to fly.")
    if day < now.astimezone(ZoneInfo(origin.zone)).date():
        return Gap(f"{written(day)} is over.")
    return day


def written(day: date) -> str:
    """A date as it is read aloud."""
    return f"{day:%A}, {day.day} {day:%B %Y}"
