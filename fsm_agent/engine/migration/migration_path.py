"""The way from an older version of a workflow to a newer one, as its migrations describe it. Pure, but for ``upcast``
functions, which are the user's and must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fsm_agent.data.delta import own
from fsm_agent.domain.json import Json
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.text import shortened
from fsm_agent.engine.program import Program
from fsm_agent.errors import DataInvalid

#: old data in, new data out
Upcaster: TypeAlias = Callable[[dict[str, Json]], Mapping[str, Json]]


class Stranding(Exception):
    """An agent cannot be moved, and the message says why not. Never leaves the engine."""


class Destination(NamedTuple):
    """What becomes of a state on its way."""

    #: what it is called at the end
    path: str
    #: what it is called when the last migration finds it, which is the name that this one can give a new one
    last_path: str
    #: whether a migration names it
    is_declared: bool


@dataclass(frozen=True)
class Route:
    """The way to ``program``: its ``migrations``, in the order in which they are applied."""

    program: Program
    migrations: tuple[Migration, ...] = ()
    upcasters: Mapping[str, Upcaster] = field(default_factory=dict)

    def since(self, version: int) -> Route:
        """The part of the way that is left for an agent of an older version."""
        left = [each for each in self.migrations if each.from_version >= version]
        return Route(self.program, tuple(sorted(left, key=_age)), self.upcasters)

    def destination(self, path: str) -> Destination:
        """Where a state leads to at the end of the way."""
        found, is_declared = path, False
        for migration in self.migrations:
            found = path
            if (place := migration.place(path)) is not None:
                path, is_declared = place, True
        return Destination(path, found, is_declared=is_declared)

    def carried(self, values: Mapping[str, Json]) -> dict[str, Json]:
        """The data at the end of the way, whether it fits there or not; raises ``Stranding``."""
        carried = dict(values)
        for migration in self.migrations:
            carried = _carried(carried, migration)
            if migration.upcast is not None:
                carried = _upcast(carried, migration.upcast, self.upcasters[migration.upcast])
        return carried


def _age(migration: Migration) -> int:
    return migration.from_version


def _carried(values: dict[str, Json], migration: Migration) -> dict[str, Json]:
    """Fields are dropped, then renamed all at once, then filled up."""
    kept = {name: value for name, value in values.items() if name not in migration.drop}
    carried: dict[str, Json] = {}
    for name, value in kept.items():
        new = migration.rename.get(name, name)
        if new in carried or (new != name and new in kept and new not in migration.rename):
            raise Stranding(f"`rename` would put `{name}` in the place of `{new}`, which has a value: drop one of them")
        carried[new] = value
    for name, value in migration.default.items():
        if carried.get(name) is None:
            carried[name] = own(value, name)
    return carried


def _upcast(values: dict[str, Json], name: str, upcast: Upcaster) -> dict[str, Json]:
    """What a function of the user makes of the data; it gets a copy, and may do with it what it likes."""
    try:
        made: Any = upcast(own(values))
    except (Exception, SystemExit) as error:
        raise Stranding(f"upcast {name!r} raised {type(error).__name__}: {error}") from None
    if not isinstance(made, dict):
        raise Stranding(f"upcast {name!r} returned {shortened(made)}, and must return a dict")
    try:
        owned: dict[str, Json] = own(made)
    except DataInvalid as error:
        raise Stranding(f"upcast {name!r} returned what cannot be kept: {'; '.join(error.problems)}") from None
    return owned
