"""Values for which two versions decide differently, instead of guards for people to compare.

Both versions are decided over one view of the data: what their guards compare falls into cells, and no guard tells two
values of a cell apart (see ``proof.slots``). So the cells say whether there is any difference, and where.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from fsm_agent.change.alignment import bare, unguarded
from fsm_agent.change.quotations import quoted
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.expressions.compiler import Guards
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.slots import Slot, Special
from fsm_agent.proof.space import Space

#: how many ways to decide are looked at
_MOST: Final = 3_000


class Result(NamedTuple):
    """What an event leads to: a transition is taken, or all guards refuse, or one of them fails."""

    taken: Transition | None = None
    is_failure: bool = False

    def __str__(self) -> str:
        if self.is_failure:
            return "an error"
        if self.taken is None:
            return "refused"
        return quoted(self.taken.target) if self.taken.target is not None else "no other state"


REFUSED: Final = Result()
_FAILURE: Final = Result(is_failure=True)


class Example(NamedTuple):
    """Values, and what they led to before and lead to now."""

    #: text of what guards look at -> a value, where one can be named
    values: Mapping[str, Json]
    #: the same as pieces of a sentence, also where no value can be named
    conditions: tuple[str, ...]
    before: Result
    now: Result

    def __str__(self) -> str:
        given = f"for {', '.join(self.conditions)}: " if self.conditions else ""
        return f"{given}{self.before} before, {self.now} now"

    def to_json(self) -> dict[str, Json]:
        before, now = (str(each).strip("`") for each in (self.before, self.now))
        return {"values": dict(self.values), "when": list(self.conditions), "before": before, "now": now}


class Comparison(NamedTuple):
    """How two versions of the candidates of an event differ."""

    #: one example for each pair of results that differ
    examples: tuple[Example, ...] = ()
    #: whether it is certain that they decide alike, whatever the values
    is_same: bool = False


class Decider:
    """Decides the candidates of both versions over values that both know. It compiles each expression once."""

    def __init__(self, old: Workflow, new: Workflow) -> None:
        events = {event: {**old.events.get(event, {}), **fields} for event, fields in new.events.items()}
        self._joint = replace(new, data={**old.data, **new.data}, events={**old.events, **events})
        self._guards = Guards(self._joint)

    def compare(self, event: str, olds: Candidates, news: Candidates) -> Comparison:
        """Candidates in the order in which they are tried; ``event`` is the one that guards see."""
        olds, news = tuple(map(bare, olds)), tuple(map(bare, news))
        if olds == news:
            return Comparison(is_same=True)
        space = Space(self._joint, self._guards, [(each.when, event) for each in (*olds, *news) if each.when])
        guards = [each.when for each in (*olds, *news) if each.when is not None]
        if any(space.tree(guard, event) is None for guard in guards):
            return Comparison()
        ways = list(islice(_differing(space, event, olds, news), _MOST + 1))
        found: dict[tuple[str, str], Example] = {}
        for before, now, known in ways:
            if before != now and str(before) != str(now) and (example := _example(space, before, now, known)):
                found.setdefault((str(before), str(now)), example)
        is_same = len(ways) <= _MOST and all(before == now for before, now, _ in ways)
        return Comparison(tuple(found.values()), is_same)


def _differing(space: Space, event: str, olds: Candidates, news: Candidates) -> Iterator[tuple[Result, Result, Masks]]:
    """Every way in which both can decide at once, each with what is known then."""
    fresh = tuple(slot.any for slot in space.slots)
    for before, known in _decided(space, event, olds, fresh):
        for now, more in _decided(space, event, news, known):
            yield before, now, more


def _decided(space: Space, event: str, candidates: Candidates, known: Masks) -> Iterator[tuple[Result, Masks]]:
    if not candidates:
        yield REFUSED, known
        return
    first, rest = candidates[0], candidates[1:]
    if first.when is None:
        yield Result(unguarded(first)), known
        return
    for truth, left in space.split(first.when, event)(known):
        if truth is None:
            yield _FAILURE, left
        elif truth:
            yield Result(unguarded(first)), left
        else:
            yield from _decided(space, event, rest, left)


def _example(space: Space, before: Result, now: Result, known: Masks) -> Example | None:
    """Values for which this happens; ``None`` if it is not certain that there are any."""
    places = [place for place, slot in enumerate(space.slots) if known[place] != slot.any]
    doubtful = [place for place in places if place not in space.certain]
    if doubtful and not _can_be(space, places, doubtful, known):
        return None
    values: dict[str, Json] = {}
    conditions: list[str] = []
    for place in places:
        slot, cells = space.slots[place], space.slots[place].chosen(known[place])
        examples = slot.examples(known[place])
        if slot.is_condition:
            conditions.append(f"{quoted(slot.text)} {_truth(cells[0])}")
        elif examples:
            values[slot.text] = examples[0]
            conditions.append(f"{quoted(f'{slot.text} = {json.dumps(examples[0], ensure_ascii=False)}')}")
        else:
            conditions.append(f"another text in {quoted(slot.text)}")
    return Example(values, tuple(conditions), before, now)


def _truth(cell: object) -> str:
    return "is true" if cell is True else "is false"


def _can_be(space: Space, places: list[int], doubtful: list[int], known: Masks) -> bool:
    """Whether slots that hang together, or whose conditions cannot be looked into, can have these values: surely only
    if there is one of them, which depends on nothing that another one depends on."""
    (first, *others) = doubtful
    slot = space.slots[first]
    fields = _depends_on(slot)
    shares = any(fields & _depends_on(space.slots[place]) for place in places if place != first)
    cells = slot.chosen(known[first])
    return not others and not shares and any(not isinstance(cell, Special) for cell in cells)


def _depends_on(slot: Slot) -> frozenset[str]:
    return slot.fields | ({f"event {slot.event}"} if slot.event is not None else frozenset())
