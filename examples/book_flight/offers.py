"""A timetable of invented airlines: the same route and day have the same flights and prices everywhere, always."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from examples.book_flight.airports import Airport, distance_km

_CARRIERS: Final = (
    ("AX", "Auk Airways"),
    ("HL", "Halcyon"),
    ("MD", "Meridian Air"),
    ("NB", "Northern Blue"),
    ("ZP", "Zephyr"),
)
_FLIGHTS_A_DAY: Final = 5
_FIRST_DEPARTURE: Final = time(6)
_BETWEEN: Final = timedelta(minutes=200)
#: Departures are up to 35 of these later than their slot.
_GRID: Final = timedelta(minutes=5)
_CRUISE_KM_PER_MINUTE: Final = 14.0
#: to taxi, climb and land
_GROUND_MINUTES: Final = 35
#: Beyond this an aircraft stops once, to refuel.
_RANGE_KM: Final = 14_000
_STOP_MINUTES: Final = 90


@dataclass(frozen=True, slots=True)
class Offer:
    """One flight for sale. Times are local to the airports, as ISO 8601 with offset; the price is in whole euros."""

    number: int
    flight: str
    carrier: str
    departs: str
    arrives: str
    minutes: int
    stops: int
    price: int

    @property
    def way(self) -> str:
        return f"{self.stops} stop" if self.stops else "direct"

    @property
    def length(self) -> str:
        return f"{self.minutes // 60} h {self.minutes % 60:02} min"

    def __str__(self) -> str:
        start, end = datetime.fromisoformat(self.departs), datetime.fromisoformat(self.arrives)
        days = (end.date() - start.date()).days
        arrival = f"{end:%H:%M}{f' ({days:+} d)' if days else ''}"
        times = f"{start:%H:%M} to {arrival}"
        return f"{self.carrier} {self.flight}, {times}, {self.length}, {self.way}, EUR {self.price}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "label": f"{self.number}. {self}"}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Offer:
        return cls(**{name: value for name, value in document.items() if name != "label"})


def timetable(origin: Airport, destination: Airport, day: date, *, after: datetime) -> tuple[Offer, ...]:
    """The flights of a day that leave later than ``after``, in order of departure, numbered from 1."""
    luck = sha256(f"{origin.code}-{destination.code}-{day}".encode()).digest()
    first = datetime.combine(day, _FIRST_DEPARTURE, ZoneInfo(origin.zone))
    flights = [(first + slot * _BETWEEN + luck[slot] % 36 * _GRID, luck[8 + slot]) for slot in range(_FLIGHTS_A_DAY)]
    leaving = [(departs, byte) for departs, byte in flights if departs > after]
    return tuple(
        _offer(number, departs, byte, origin=origin, destination=destination)
        for number, (departs, byte) in enumerate(leaving, 1)
    )


def _offer(number: int, departs: datetime, luck: int, *, origin: Airport, destination: Airport) -> Offer:
    """``luck``, 0 to 255, chooses the airline and moves the price between 80 and 150 %."""
    distance = distance_km(origin, destination)
    stops = int(distance > _RANGE_KM)
    minutes = 5 * round((_GROUND_MINUTES + distance / _CRUISE_KM_PER_MINUTE + stops * _STOP_MINUTES) / 5)
    # Across a change of clocks, local times must be added to in UTC.
    arrives = (departs.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(ZoneInfo(destination.zone))
    letters, carrier = _CARRIERS[luck % len(_CARRIERS)]
    return Offer(
        number=number,
        flight=f"{letters} {100 + 10 * departs.hour + luck % 10}",
        carrier=carrier,
        departs=departs.isoformat(timespec="minutes"),
        arrives=arrives.isoformat(timespec="minutes"),
        minutes=minutes,
        stops=stops,
        price=round((39 + 0.075 * distance) * (0.8 + 0.7 * luck / 255)),
    )
