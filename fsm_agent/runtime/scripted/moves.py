"""The moves of a play: what a person, an action or time may do. Each is printed as it is written in a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration


@dataclass(frozen=True, slots=True)
class Sent:
    """Somebody sends an event, also while an action works."""

    event: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    by: str | None = None

    def __repr__(self) -> str:
        by = [f"by={self.by!r}"] if self.by is not None else []
        return f"sent({', '.join([repr(self.event), *_named(self.payload), *by])})"


@dataclass(frozen=True, slots=True)
class Says:
    """The action at work writes data, and names an event."""

    event: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    data: Mapping[str, Json] = field(default_factory=dict)

    def __repr__(self) -> str:
        data = [f"data={dict(self.data)!r}"] if self.data else []
        return f"says({', '.join([repr(self.event), *_named(self.payload), *data])})"


@dataclass(frozen=True, slots=True)
class Fails:
    """The action at work fails as often as it is tried; with ``timeout`` since its time is out."""

    timeout: bool = False

    def __repr__(self) -> str:
        return "fails(timeout=True)" if self.timeout else "fails()"


@dataclass(frozen=True, slots=True)
class Passes:
    """Time passes, with all that falls due in it."""

    duration: Duration

    def __repr__(self) -> str:
        return f"passes({self.duration.text!r})"


@dataclass(frozen=True, slots=True)
class Cancels:
    """Somebody cancels the agent."""

    by: str | None = None

    def __repr__(self) -> str:
        return f"cancels(by={self.by!r})" if self.by is not None else "cancels()"


@dataclass(frozen=True, slots=True)
class Unparks:
    """An operator lets a parked agent try again."""

    by: str | None = None

    def __repr__(self) -> str:
        return f"unparks(by={self.by!r})" if self.by is not None else "unparks()"


Move: TypeAlias = Sent | Says | Fails | Passes | Cancels | Unparks


def sent(event: str, /, *, by: str | None = None, **payload: Json) -> Sent:
    return Sent(event, payload, by)


def says(event: str, /, *, data: Mapping[str, Json] | None = None, **payload: Json) -> Says:
    return Says(event, payload, data or {})


def fails(*, timeout: bool = False) -> Fails:
    return Fails(timeout)


def passes(duration: str) -> Passes:
    """``duration`` is written as in a workflow: ``3d``, ``90s``. Raises ``ValueError``."""
    return Passes(Duration.parse(duration))


def cancels(*, by: str | None = None) -> Cancels:
    return Cancels(by)


def unparks(*, by: str | None = None) -> Unparks:
    return Unparks(by)


def _named(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values.items()]
