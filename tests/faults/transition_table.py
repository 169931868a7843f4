"""The transition table, read from the raw document as naively as possible.

It shares no code with the package. Names are resolved, ancestors found and guards evaluated in its own way, and
nothing is fast, so that where the two disagree one of them is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Values = Mapping[str, Any]
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Choice(NamedTuple):
    """A transition, and the state (``""``: the workflow) in which it is declared, where its names are resolved."""

    said: Values
    source: str

    @property
    def is_internal(self) -> bool:
        return "target" not in self.said


class Way(NamedTuple):
    """The leaf after a transition; what is left, innermost first; what is entered, outermost first."""

    leaf: str
    left: list[str]
    entered: list[str]


class Table:
    """Every state of ``document`` by its dotted path, and what may happen there."""

    def __init__(self, document: Values) -> None:
        self.document = document
        self.states = dict(walk(document["states"]))
        every_timer = [(path, label) for path, body in self.states.items() for label in body.get("after", {})]
        #: (state, label) -> place in the declaration
        self.order = {timer: place for place, timer in enumerate(every_timer)}

    def rest(self, path: str) -> str:
        """The leaf in which entering ``path`` ends."""
        while "states" in self.states[path]:
            path = f"{path}.{self.states[path]['initial']}"
        return path

    def candidates(self, leaf: str, event: str) -> list[Choice]:
        """What may happen at ``event`` in ``leaf``, in the order of trying."""
        if self.states[leaf].get("final"):
            return []
        found: list[Choice] = []
        for source in [*reversed(upward(leaf)), ""]:
            on = (self.states[source] if source else self.document).get("on", {})
            if event in on:
                if on[event] is None:
                    break
                found += choices(on[event], source)
        return found + (self.candidates(leaf, "error") if event == "timeout" else [])

    def timer(self, state: str, label: str) -> list[Choice]:
        return choices(self.states[state]["after"][label], state)

    def way(self, leaf: str, choice: Choice) -> Way:
        if choice.is_internal:
            return Way(leaf, [], [])
        [target] = meanings(self.states, choice.said["target"], choice.source)
        end = self.rest(target)
        stays = set(upward(leaf)[:-1]) & set(upward(target)[:-1])
        left = [path for path in reversed(upward(leaf)) if path not in stays]
        return Way(end, left, [path for path in upward(end) if path not in stays])


def walk(states: Values, above: str = "") -> Iterator[tuple[str, Values]]:
    for name, body in states.items():
        yield above + name, body
        yield from walk(body.get("states", {}), f"{above}{name}.")


def upward(path: str) -> list[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``."""
    above = path.rpartition(".")[0]
    return [*upward(above), path] if above else [path] if path else []


def meanings(states: Values, name: str, source: str) -> list[str]:
    """Which states ``name`` can mean in ``source``: a sibling, or a sibling of an ancestor; dotted is absolute."""
    if "." in name:
        return [name] if name in states else []
    beside = [*(f"{above}.{name}" for above in upward(source)[:-1]), name]
    return [path for path in beside if path in states]


def choices(said: Any, source: str) -> list[Choice]:
    listed = said if isinstance(said, list) else [said]
    return [Choice({"target": each} if isinstance(each, str) else each, source) for each in listed]


def choose(offered: list[Choice], payload: Values, data: Values, visits: Mapping[str, int]) -> Choice | None:
    """The first whose guard holds."""
    return next((each for each in offered if holds(each.said.get("when"), payload, data, visits)), None)


def holds(guard: str | None, payload: Values, data: Values, visits: Mapping[str, int]) -> bool:
    if guard is None:
        return True
    if visited := re.fullmatch(r'visits\["(.+)"\] >= (\d)', guard):
        return visits.get(visited[1], 0) >= int(visited[2])
    if compared := re.fullmatch(r"(data\.n|event\.x) < (\d)", guard):
        return bool((data["n"] if compared[1] == "data.n" else payload["x"]) < int(compared[2]))
    return bool(data["flag"]) is (guard == "data.flag")


def value(said: Any, payload: Values, data: Values) -> Any:
    """A literal, or one of the expressions that the documents use."""
    match said:
        case "event.x":
            return payload["x"]
        case "data.n":
            return data["n"]
        case "data.n + 1":
            return data["n"] + 1
        case "!data.flag":
            return not data["flag"]
    return said


def milliseconds(duration: str) -> int:
    return int(duration[:-1]) * UNIT_MS[duration[-1]]
