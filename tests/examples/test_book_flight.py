"""The domain of the flight booking, without any agent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples.book_flight.airports import distance_km, find, register
from examples.book_flight.cities import MEANT
from examples.book_flight.itinerary import markdown, reference
from examples.book_flight.offers import Offer, timetable
from examples.book_flight.trips import Gap, settle_day, settle_place
from examples.book_flight.wishes import Wish, read_wish

TODAY = date(2026, 11, 23)  # a Monday
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def codes(words: str, *among: str) -> str:
    return " ".join(airport.code for airport in find(words, among=among).airports)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("NYC", "JFK LGA EWR"),
        ("new york", "JFK LGA EWR"),
        ("London", "LCY LGW LHR LTN STN"),
        ("London, Ontario", "YXU"),
        ("Paris, France", "CDG ORY"),
        ("Lyon, France", "LYS"),
        ("JFK", "JFK"),
        ("ber", "BER"),
        ("NIS", "NIS"),
        ("Nis", "INI"),
        ("Heathrow airport", "LHR"),
        ("New York JFK", "JFK"),
        ("O\u2019Hare", "ORD"),
        ("Köln", "CGN"),
        ("Koeln", "CGN"),
        ("São Paulo", "CGH GRU VCP"),
        ("Los Angeles", "LAX"),
        ("Portland", "PDX PWM"),
        ("portland maine", "PWM"),
    ],
)
def test_a_place_is_found_by_code_city_or_name(words: str, expected: str) -> None:
    assert codes(words) == expected


@pytest.mark.parametrize(("misspelt", "near"), [("Lodnon", "London"), ("Nwe York", "New York"), ("Tokio", "Tokyo")])
def test_a_misspelt_city_is_not_guessed_but_suggested(misspelt: str, near: str) -> None:
    found = find(misspelt)
    assert (found.airports, found.near[0]) == ((), near)


@pytest.mark.parametrize("words", ["", "   ", "?!", "International", "xqzw"])
def test_words_that_say_nothing_find_nothing(words: str) -> None:
    assert find(words).airports == ()


def test_an_answer_is_sought_among_what_was_offered_first() -> None:
    assert codes("Kennedy", "JFK", "LGA", "EWR") == "JFK"
    assert codes("Kennedy") != "JFK"
    assert codes("BER", "JFK", "LGA", "EWR") == "BER"


def test_every_airport_that_a_city_is_said_to_mean_exists() -> None:
    assert {code for listed in MEANT for code in listed.split()} <= set(register())


@pytest.mark.parametrize(
    ("start", "end", "km"),
    [("JFK", "LHR", 5555), ("SFO", "JFK", 4162), ("SIN", "EWR", 15345), ("SYD", "SCL", 11347), ("BER", "BER", 0)],
)
def test_a_distance_is_within_what_a_sphere_allows_of_the_geodesic(start: str, end: str, km: int) -> None:
    assert distance_km(register()[start], register()[end]) == pytest.approx(km, rel=0.006)


@pytest.mark.parametrize(
    ("sentence", "wish"),
    [
        ("Book a flight to NYC", Wish(None, "NYC")),
        ("from San Francisco to New York next Monday", Wish("San Francisco", "New York", date(2026, 11, 30))),
        ("fly BER to JFK on 2027-02-05", Wish("BER", "JFK", date(2027, 2, 5))),
        ("BER-JFK tomorrow", Wish("BER", "JFK", date(2026, 11, 24))),
        ("Rome \u2192 Oslo today", Wish("Rome", "Oslo", date(2026, 11, 23))),
        ("I need to get from Paris to Rome in 2 weeks", Wish("Paris", "Rome", date(2026, 12, 7))),
        ("to New York from SFO day after tomorrow, please", Wish("SFO", "New York", date(2026, 11, 25))),
        (
            "Can you book me a flight to Lyon, France for the 5th of March?",
            Wish(None, "Lyon, France", date(2027, 3, 5)),
        ),
        ("5.2.2027 from Berlin to Oslo", Wish("Berlin", "Oslo", date(2027, 2, 5))),
        ("Feb 5th, 2028 to Sun Valley", Wish(None, "Sun Valley", date(2028, 2, 5))),
        ("to Rome on 29 February", Wish(None, "Rome", date(2028, 2, 29))),
        ("to Rome on 30 February", Wish(None, "Rome", None, "30 February")),
        ("to Rome on 2026-13-01", Wish(None, "Rome", None, "2026-13-01")),
        ("to Rome in 999999999 weeks", Wish(None, "Rome", None, "in 999999999 weeks")),
        ("from SFO", Wish("SFO")),
        ("NYC", Wish(None, "NYC")),
        ("Book a flight, please.", Wish()),
        ("", Wish()),
    ],
)
def test_a_sentence_is_read_as_a_wish(sentence: str, wish: Wish) -> None:
    assert read_wish(sentence, TODAY) == wish


@given(st.text(max_size=60), st.dates(min_value=date(1970, 1, 1), max_value=date(9000, 1, 1)))
def test_any_sentence_on_any_day_is_read_without_failing(sentence: str, today: date) -> None:
    wish = read_wish(sentence, today)
    assert wish.destination is None or wish.destination.strip()


@given(st.sampled_from(["Monday", "next tuesday", "this Sunday"]), st.dates(max_value=date(9000, 1, 1)))
def test_a_weekday_is_one_of_the_next_seven_days(said: str, today: date) -> None:
    day = read_wish(f"to Rome {said}", today).day
    assert day is not None
    assert 1 <= (day - today).days <= 7
    assert f"{day:%A}".casefold() in said.casefold()


def test_the_timetable_of_a_route_and_day_is_always_the_same() -> None:
    route = register()["BER"], register()["JFK"], date(2027, 2, 5)
    offers = timetable(*route, after=NOON)
    assert offers == timetable(*route, after=NOON)
    assert [offer.number for offer in offers] == [1, 2, 3, 4, 5]
    assert str(offers[0]) == "Halcyon HL 181, 08:25 to 10:35, 8 h 10 min, direct, EUR 672"


def test_flights_that_have_left_are_not_offered_and_the_rest_is_numbered_from_one() -> None:
    route = register()["BER"], register()["HAM"], date(2027, 2, 5)
    every = timetable(*route, after=NOON)
    later = timetable(*route, after=datetime.fromisoformat(every[1].departs))
    assert [offer.number for offer in later] == [1, 2, 3]
    assert [offer.flight for offer in later] == [offer.flight for offer in every[2:]]


@example("JFK", "LHR", date(2026, 3, 7))  # over the night in which New York changes its clocks
@given(
    st.sampled_from(["BER", "JFK", "SYD", "SIN", "AKL", "HNL"]),
    st.sampled_from(["LHR", "EWR", "SCL", "NRT"]),
    st.dates(min_value=date(2026, 1, 1), max_value=date(2040, 1, 1)),
)
def test_every_offer_takes_the_time_between_its_local_times_and_costs_something(
    start: str, end: str, day: date
) -> None:
    for offer in timetable(register()[start], register()[end], day, after=datetime(2025, 1, 1, tzinfo=UTC)):
        departs, arrives = datetime.fromisoformat(offer.departs), datetime.fromisoformat(offer.arrives)
        assert departs.date() == day
        assert arrives - departs == timedelta(minutes=offer.minutes)
        assert offer.price > 0
        assert Offer.from_json(offer.to_json()) == offer


def test_what_a_place_lacks_is_said_in_a_sentence() -> None:
    assert settle_place(None, unsaid="Where to?") == Gap("Where to?")
    gap = settle_place("Lodnon", unsaid="")
    assert gap == Gap('I know no airport by the name "Lodnon"; did you mean London?')
    several = settle_place("NYC", unsaid="")
    assert isinstance(several, Gap)
    assert several.why == '"NYC" has 3 airports:'
    assert settle_place("Newark", offered=["JFK", "LGA", "EWR"], unsaid="") == register()["EWR"]


def test_a_day_is_over_when_it_is_over_where_the_flight_begins() -> None:
    late = datetime(2026, 11, 24, 3, tzinfo=UTC)
    assert settle_day(TODAY, said="", origin=register()["SFO"], now=late) == TODAY
    assert settle_day(TODAY, said="", origin=register()["BER"], now=late) == Gap("Monday, 23 November 2026 is over.")
    assert settle_day(None, said="30 February", origin=register()["BER"], now=late) == Gap(
        'No calendar has the date "30 February".'
    )


def test_a_booking_has_one_reference_and_one_text() -> None:
    route = register()["BER"], register()["JFK"]
    offer, other = timetable(*route, date(2027, 2, 5), after=NOON)[:2]
    booking = reference("agent-1", offer)
    assert booking == reference("agent-1", offer)
    assert len({booking, reference("agent-2", offer), reference("agent-1", other)}) == 3
    page = markdown(booking, offer, origin=route[0], destination=route[1])
    assert page.startswith("# Berlin to New York, Friday, 5 February 2027\n")
    assert f"| Booking | {booking} |" in page
    assert "| Takes | 8 h 10 min for 6,390 km |" in page
