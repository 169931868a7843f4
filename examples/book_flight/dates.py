"""Dates as travellers say them: "2027-02-05", "5 February", "Feb 5th, 2027", "next Monday", "in 3 weeks"."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAMED_DAYS: Final = ("today", "tomorrow", "day after tomorrow")


@dataclass(frozen=True, slots=True)
class SaidDate:
    """A date found in a sentence: ``day`` is ``None`` where no calendar has it, ``rest`` is the sentence without it."""

    words: str
    day: date | None
    rest: str


def find_date(text: str, today: date) -> SaidDate | None:
    """The date in ``text``, said on ``today``. A calendar day goes before what counts from today."""
    for form, read in _FORMS:
        if match := form.search(text):
            rest = f"{text[: match.start()]} {text[match.end() :]}"
            return SaidDate(match["said"], read(match, today), " ".join(rest.split()))
    return None


def _calendar_day(said: re.Match[str], today: date) -> date | None:
    """A day and a month; without a year the next such day, ``today`` included."""
    day, month, year = int(said["day"]), _month(said["month"]), said["year"]
    # A 29 February without a year is at most eight years away: 2100 is no leap year.
    years = [int(year)] if year else range(today.year, today.year + 9)
    days = (date(each, month, day) for each in years if 1 <= month <= 12 and 1 <= day <= monthrange(each, month)[1])
    return next((each for each in days if year or each >= today), None)


def _month(text: str) -> int:
    if text.isdecimal():
        return int(text)
    return next(number for number, name in enumerate(_MONTHS, 1) if name.casefold().startswith(text[:3].casefold()))


def _weekday(said: re.Match[str], today: date) -> date:
    """The first such day after ``today``, whether "next" was said or not."""
    ahead = (_WEEKDAYS.index(said["weekday"].casefold()) - today.weekday() - 1) % 7 + 1
    return today + timedelta(days=ahead)


def _in_some_days(said: re.Match[str], today: date) -> date | None:
    days = int(said["count"]) * (7 if said["unit"].casefold().startswith("week") else 1)
    return today + timedelta(days=days) if days <= (date.max - today).days else None


def _named_day(said: re.Match[str], today: date) -> date:
    return today + timedelta(days=_NAMED_DAYS.index(said["named"].casefold()))


_YEAR: Final = r"(?P<year>[12]\d{3})"
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)}|{'|'.join(name[:3] for name in _MONTHS)})"
_LEAD: Final = r"(?:\b(?:on|for|this|next|the|leaving|departing)\s+)*"

_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], date | None]], ...]] = tuple(
    (re.compile(rf"{_LEAD}\b(?P<said>{form})\b", re.IGNORECASE), read)
    for form, read in (
        (rf"{_YEAR}-(?P<month>\d{{2}})-(?P<day>\d{{2}})", _calendar_day),
        (rf"(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{_YEAR}", _calendar_day),
        (rf"{_DAY}\.?\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?", _calendar_day),
        (rf"{_MONTH}\s{_DAY}(?:,?\s{_YEAR})?", _calendar_day),
        (r"in\s(?P<count>\d{1,9})\s(?P<unit>days?|weeks?)", _in_some_days),
        (rf"(?P<named>{'|'.join(reversed(_NAMED_DAYS))})", _named_day),
        (rf"(?P<weekday>{'|'.join(_WEEKDAYS)})", _weekday),
    )
)
