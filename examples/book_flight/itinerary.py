"""The paper of a booking. Everything in it follows from the booking alone, so that writing it again changes nothing."""

from __future__ import annotations

from base64 import b32encode
from datetime import datetime
from hashlib import sha256

from examples.book_flight.airports import Airport, distance_km
from examples.book_flight.offers import Offer
from examples.book_flight.trips import written


def reference(agent_id: str, offer: Offer) -> str:
    """Six letters and digits; one agent that books one flight always gets the same."""
    return b32encode(sha256(f"{agent_id} {offer.flight} {offer.departs}".encode()).digest())[:6].decode()


def markdown(booking: str, offer: Offer, *, origin: Airport, destination: Airport) -> str:
    """The itinerary as a Markdown page."""
    departs, arrives = datetime.fromisoformat(offer.departs), datetime.fromisoformat(offer.arrives)
    rows = {
        "Booking": booking,
        "Flight": f"{offer.carrier} {offer.flight}, {offer.way}",
        "From": f"{departs:%H:%M} {origin}",
        "To": f"{arrives:%H:%M} {destination}, {written(arrives.date())}",
        "Takes": f"{offer.length} for {distance_km(origin, destination):,.0f} km",
        "Price": f"EUR {offer.price}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    heading = f"# {origin.city} to {destination.city}, {written(departs.date())}"
    return f"{heading}\n\n| | |\n|---|---|\n{table}\n"
