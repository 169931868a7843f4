"""What guards look at in a step, in words that are true of every value that it may have."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator

from fsm_agent.domain.decision import timer_event
from fsm_agent.proof.explore import Edge, Exploration
from fsm_agent.proof.model import Kind
from fsm_agent.proof.slots import Cell, Gap, Mask, Slot, Special
from fsm_agent.proof.space import Guard


def seen(exploration: Exploration, edge: Edge, asked: Collection[Guard] = ()) -> tuple[str, ...]:
    """What is known of the things at which the guards of a step look, and the conditions in ``asked``."""
    space, event = exploration.model.space, "after" if edge.kind is Kind.TIMER else edge.event
    guards = [*_guards(exploration, edge), *(text for text, of in asked if of == event)]
    places = {place for guard in guards for place in space.places(guard, event)}
    return tuple(
        f"{space.slots[place].text} is {_words(space.slots[place], edge.known[place])}"
        for place in sorted(places)
        if edge.known[place] & space.fresh[place] != space.fresh[place]
    )


def _guards(exploration: Exploration, edge: Edge) -> Iterator[str]:
    """The guards that are asked until a transition is taken."""
    at, machine = exploration.configurations[edge.source], exploration.model.machine
    timers = [timer_event(owner, edge.event) for owner, _ in at.timers]
    names = {Kind.TIMER: timers, Kind.PARK: [edge.event, *timers]}.get(edge.kind, [edge.event])
    for name in names:
        for move in machine.moves(at.leaf, name):
            if move.transition.when is not None:
                yield move.transition.when
            if move == edge.move:
                return


def _words(slot: Slot, mask: Mask) -> str:
    """The words for a value: examples for what an event brings; for data, which have come to be what they are, all that
    they may be."""
    if slot.event is not None and not slot.is_condition:
        return " or ".join(_json(each) for each in slot.examples(mask)) or "not valid"
    return " or ".join(_cell(each, is_integer=slot.is_integer) for each in slot.chosen(mask))


def _cell(cell: Cell, *, is_integer: bool) -> str:
    match cell:
        case Gap(low, high):
            return _range(low, high, is_integer=is_integer)
        case Special.OTHER:
            return "another text"
        case Special.INVALID:
            return "not valid"
        case Special.ERROR:
            return "an error"
    return _json(cell)


def _range(low: float | None, high: float | None, *, is_integer: bool) -> str:
    if low is not None and high is not None and is_integer:
        least, most = math.floor(low) + 1, math.ceil(high) - 1
        return str(least) if least == most else f"{least} to {most}"
    below = "" if high is None or _is_bound(high, -math.inf) else f"less than {_json(high)}"
    above = "" if low is None or _is_bound(low, math.inf) else f"more than {_json(low)}"
    return " and ".join(filter(None, [above, below])) or "any number"


def _is_bound(end: float, inward: float) -> bool:
    """Whether a number stands just outside of what a schema allows, which need not be said."""
    return len(repr(math.nextafter(end, inward))) + 4 < len(repr(end))


def _json(value: Cell) -> str:
    return json.dumps(value, ensure_ascii=False)
