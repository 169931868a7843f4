"""What the states of ``book_flight`` do. The thinking is in the modules beside; here it meets the agent's data.

Every action may be run again after a crash: it reads the data and the clock, and the one file that is written is
named by the agent and always gets the same text.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from examples.book_flight.airports import distance_km, register
from examples.book_flight.itinerary import markdown, reference
from examples.book_flight.offers import Offer, timetable
from examples.book_flight.trips import Gap, settle_day, settle_place, written
from examples.book_flight.wishes import read_wish
from examples.files import write_whole
from fsm_agent import Context, action

#: Who books closer to departure than this would miss the flight.
_CHECK_IN = timedelta(hours=1)

_UNSAID = {
    "destination": "You have not said where you want to go.",
    "origin": "You have not said where you want to leave from.",
}


@action(inline=True)
def read_goal(ctx: Context) -> Literal["step_complete"]:
    """Take from the traveller's sentence what it says; days count from today in UTC."""
    wish = read_wish(ctx.data.goal, ctx.now.date())
    ctx.data.origin = wish.origin
    ctx.data.destination = wish.destination
    ctx.data.date = wish.day.isoformat() if wish.day else None
    ctx.data.unclear_date = wish.unclear or ""
    return "step_complete"


@action
def settle_trip(ctx: Context) -> Literal["plan_ready", "needs_airport", "needs_date"]:
    """Make airports of places, and ask for the first thing that is missing, ambiguous or impossible."""
    data = ctx.data
    for place, unsaid in _UNSAID.items():
        offered = [each["code"] for each in data.candidates] if data.asking == place else []
        airport = settle_place(data[place], offered=offered, unsaid=unsaid)
        if isinstance(airport, Gap):
            return _ask_airport(ctx, place, airport)
        data[place] = airport.code
    if data.origin == data.destination:
        return _ask_airport(ctx, "destination", Gap(f"From {data.origin} to {data.destination} is no flight."))
    said = date.fromisoformat(data.date) if data.date else None
    day = settle_day(said, said=data.unclear_date, origin=register()[data.origin], now=ctx.now)
    if isinstance(day, Gap):
        return _ask_date(ctx, day.why)
    data.candidates = []
    return "plan_ready"


@action
def find_offers(ctx: Context, *, origin: str, destination: str, day: str) -> Literal["needs_input", "needs_date"]:
    """Look the day's flights up; those that one can still reach are offered."""
    start, end, flight_day = register()[origin], register()[destination], date.fromisoformat(day)
    offers = timetable(start, end, flight_day, after=ctx.now + _CHECK_IN)
    if not offers:
        return _ask_date(ctx, f"The last flight from {origin} to {destination} on {written(flight_day)} has left.")
    ctx.data.options = [offer.to_json() for offer in offers]
    ctx.data.note = f"{origin} to {destination}, {distance_km(start, end):,.0f} km, on {written(flight_day)}:"
    return "needs_input"


@action(inline=True)
def book(ctx: Context) -> Literal["step_complete", "needs_date"]:
    """Book the chosen flight, unless the answer came when it had left."""
    offer = _chosen(ctx)
    if datetime.fromisoformat(offer.departs) <= ctx.now + _CHECK_IN:
        return _ask_date(ctx, f"{offer.carrier} {offer.flight} cannot be reached any more.")
    ctx.data.booking = reference(ctx.agent_id, offer)
    return "step_complete"


@action
def write_itinerary(ctx: Context, *, folder: str) -> Literal["task_complete"]:
    """Write the itinerary into ``folder``, in a file that bears the agent's id."""
    offer, booking = _chosen(ctx), ctx.data.booking
    start, end = register()[ctx.data.origin], register()[ctx.data.destination]
    file = Path(folder, f"{ctx.agent_id}.md")
    write_whole(file, markdown(booking, offer, origin=start, destination=end))
    ctx.data.itinerary = {
        "booking": booking,
        "flight": offer.flight,
        "departs": offer.departs,
        "arrives": offer.arrives,
        "price": offer.price,
        "file": str(file),
    }
    return "task_complete"


def _chosen(ctx: Context) -> Offer:
    return Offer.from_json(ctx.data.plain("options")[ctx.data.choice - 1])


def _ask_airport(ctx: Context, place: str, gap: Gap) -> Literal["needs_airport"]:
    # After a wrong answer to the same question its choice still stands.
    if gap.offered or ctx.data.asking != place:
        ctx.data.candidates = [{"code": airport.code, "label": str(airport)} for airport in gap.offered]
    ctx.data.asking = place
    ctx.data.note = gap.why
    return "needs_airport"


def _ask_date(ctx: Context, why: str) -> Literal["needs_date"]:
    ctx.data.note = why
    return "needs_date"
