"""Events as text, alone and queued."""

from __future__ import annotations

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event, Queued
from fsm_agent.stores.codec.json_text import decode, encode


def event_parts(event: Event) -> tuple[Json, ...]:
    return (event.name, dict(event.payload), event.by, event.key)


def event_text(event: Event) -> str:
    return encode(event_parts(event))


def queued_text(event: str, version: int) -> str:
    """An ``event_text`` with the version at which the event arrived."""
    return f"{event[:-1]},{version}]"


def queued_of(number: int, text: str) -> Queued:
    *event, version = decode(text)
    return Queued(number, Event(*event), version)


def queued_row(queued: Queued) -> str:
    return queued_text(event_text(queued.event), queued.version)
