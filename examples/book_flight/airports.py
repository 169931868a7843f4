"""The world's airports, found by code, city or name, in the public register that ``airportsdata`` carries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from math import asin, cos, radians, sin, sqrt
from typing import Final

import airportsdata

from examples.book_flight.cities import MEANT

#: Mean radius of the Earth in km (IUGG: R1 = (2a + b) / 3 of GRS 80).
_EARTH_RADIUS_KM: Final = 6371.0088

#: More matches than this are no choice to offer: the words were too general.
_MOST_OFFERED: Final = 9

_APOSTROPHE: Final = re.compile(r"['\u2019]")


@dataclass(frozen=True, slots=True)
class Airport:
    """Where flights begin and end; ``code`` is IATA's, ``zone`` an IANA time zone, coordinates are in degrees."""

    code: str
    name: str
    city: str
    region: str
    country: str
    latitude: float
    longitude: float
    zone: str

    def __str__(self) -> str:
        return f"{self.code} - {self.name}, {', '.join(dict.fromkeys((self.city, self.region, self.country)))}"


@dataclass(frozen=True, slots=True)
class Found:
    """What words may mean: one airport, several to choose from, or none and the cities that are spelt alike."""

    airports: tuple[Airport, ...] = ()
    near: tuple[str, ...] = ()


def find(words: str, *, among: Sequence[str] = ()) -> Found:
    """The airports that a traveller may mean by ``words``; of those ``among`` which a choice was offered, if any fits.

    Three capitals are a code. Anything else is a city first, then a code, then part of a name: "Heathrow",
    "London Ontario". What follows a comma narrows the choice, and is given up when nothing fits: "Lyon, France".
    """
    offered = tuple(register()[code] for code in among)
    city, _, region = words.partition(",")
    matches = _named(words, offered) or _named(region, _of_city(city)) or _look_up(words) or _look_up(city)
    if matches and len(matches) <= _MOST_OFFERED:
        return Found(airports=matches)
    return Found(near=_spelt_alike(words))


def distance_km(start: Airport, end: Airport) -> float:
    """Great-circle distance by the haversine formula.

    R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (2), 1984, p. 159. The Earth is taken as a sphere,
    which is wrong by at most 0.6 %.
    """
    north, north_end = radians(start.latitude), radians(end.latitude)
    east = radians(end.longitude - start.longitude)
    haversine = sin((north_end - north) / 2) ** 2 + cos(north) * cos(north_end) * sin(east / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * asin(sqrt(haversine))


@cache
def register() -> Mapping[str, Airport]:
    """Every airport with an IATA code, by code."""
    rows = airportsdata.load("IATA")
    return {
        code: Airport(code, row["name"], row["city"], row["subd"], row["country"], row["lat"], row["lon"], row["tz"])
        for code, row in rows.items()
    }


def spelling(words: str) -> str:
    """Words as they are compared: lower case, no accents, no punctuation, without "airport"."""
    letters = unicodedata.normalize("NFKD", _APOSTROPHE.sub("", words.casefold().replace("ø", "o")))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(word for word in re.findall(r"\w+", bare) if word != "airport")


def _look_up(words: str) -> tuple[Airport, ...]:
    by_code = (register()[code],) if (code := words.strip().upper()) in register() else ()
    if by_code and words.strip().isupper():
        return by_code
    return _of_city(words) or by_code or _named(words, tuple(register().values()))


def _of_city(words: str) -> tuple[Airport, ...]:
    return tuple(register()[code] for code in _cities().get(spelling(words), ()))


def _named(words: str, airports: Sequence[Airport]) -> tuple[Airport, ...]:
    """Those of ``airports`` in whose code, name and place every word occurs."""
    wanted = set(spelling(words).split())
    return tuple(each for each in airports if wanted and wanted <= set(spelling(str(each)).split()))


def _spelt_alike(words: str) -> tuple[str, ...]:
    written = {spelling(each.city): each.city for each in register().values() if each.city}
    written |= {spelling(name): name for names in MEANT.values() for name in names.split(", ")}
    place = spelling(words.partition(",")[0])
    return tuple(dict.fromkeys(written[key] for key in get_close_matches(place, written, n=3, cutoff=0.75)))


@cache
def _cities() -> Mapping[str, tuple[str, ...]]:
    """Spelling of a city or its metropolitan code -> codes; the later source knows better than the earlier."""
    cities: dict[str, tuple[str, ...]] = {}
    for code, airport in register().items():
        key = spelling(airport.city)
        cities[key] = (*cities.get(key, ()), code)
    cities = {key: _served(codes) for key, codes in cities.items() if key}
    for code, metropolis in airportsdata.load_iata_macs().items():
        codes = tuple(each for each in metropolis["airports"] if each in register())
        cities |= {spelling(code): codes, spelling(metropolis["name"]): codes}
    for listed, names in MEANT.items():
        cities |= {spelling(name): tuple(listed.split()) for name in names.split(", ")}
    return cities


def _served(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Of a city's airports the international ones, if it has any: airlines seldom fly to the airfields."""
    return tuple(code for code in codes if "International" in register()[code].name) or codes
