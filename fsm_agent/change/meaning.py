"""What a change means, leaf by leaf: the candidates that are tried there, inherited or not, before and now.

A handler that moves from a parent into all its children changes nothing here. Candidates behind one without a guard are
never tried, and so they do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from fsm_agent.change.alignment import HandlerPair, all_bare
from fsm_agent.change.examples import Comparison, Decider, Example
from fsm_agent.change.quotations import quoted, quoted_list
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates
from fsm_agent.domain.workflow import Workflow

#: of how many states the names stand in a sentence
_NAMED = 3


class Effect(StrEnum):
    """What has become of an event in a state."""

    TAKES = "takes"
    REFUSES = "refuses"
    DECIDES = "decides"
    #: a timer is there, is gone, or is as long as it was not
    WAITS = "waits"


class Meaning(NamedTuple):
    """What is different now in some states for one event, or one timer."""

    #: leaves, under their new names; of a timer the state that has it
    states: tuple[str, ...]
    #: a timer is ``after 3d``
    event: str
    effect: Effect
    text: str
    examples: tuple[Example, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "states": list(self.states),
            "event": self.event,
            "effect": str(self.effect),
            "text": self.text,
            "examples": [example.to_json() for example in self.examples],
        }


class _Case(NamedTuple):
    """The candidates of one event, which several leaves share."""

    event: str
    old: Candidates
    new: Candidates


class Meanings:
    """The effective candidates of all leaves that both versions have; the old one has the new names."""

    def __init__(self, old: Workflow, new: Workflow, decider: Decider) -> None:
        self._old, self._new, self._decider = old, new, decider
        #: event and where its handlers stand, in both versions -> what the leaves there share
        self._cases: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Case] = {}
        self._comparisons: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Comparison] = {}
        self._leaves: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
        self._by_leaf: dict[tuple[str, str], tuple[str, tuple[str, ...], tuple[str, ...]]] = {}
        for leaf in new.leaves:
            if leaf.path in old.by_path and old.by_path[leaf.path].is_leaf:
                self._look_at(leaf.path)

    def _look_at(self, leaf: str) -> None:
        befores, nows = _handled(self._old, leaf), _handled(self._new, leaf)
        for event in dict.fromkeys([*nows, *befores]):
            key = (event, befores.get(event, ()), nows.get(event, ()))
            if key not in self._cases:
                olds = _effective(self._old, leaf, event) if key[1] else ()
                news = _effective(self._new, leaf, event) if key[2] else ()
                self._cases[key] = _Case(event, olds, news)
                self._comparisons[key] = self._decider.compare(event, olds, news)
            if not self._comparisons[key].is_same:
                self._leaves.setdefault(key, []).append(leaf)
                self._by_leaf[leaf, event] = key

    def of(self, leaf: str, event: str) -> Comparison | None:
        """How a leaf decides an event differently; ``None`` if it decides as before."""
        key = self._by_leaf.get((leaf, event))
        return None if key is None else self._comparisons[key]

    def events(self) -> Iterator[Meaning]:
        """What is different, events first in the order of the leaves."""
        for key, leaves in self._leaves.items():
            case, comparison = self._cases[key], self._comparisons[key]
            effect = Effect.REFUSES if not case.new else Effect.TAKES if not case.old else Effect.DECIDES
            text = _sentence(leaves, case, effect, comparison.examples)
            yield Meaning(tuple(leaves), case.event, effect, text, comparison.examples)

    def timers(self, sites: Iterable[tuple[str, Iterable[HandlerPair]]]) -> Iterator[Meaning]:
        """What is different about timers; ``sites`` are states, each with its handlers in both versions."""
        for path, pairs in sites:
            if path in self._new.by_path and path in self._old.by_path:
                found = (_timer_meaning(self._decider, path, pair) for pair in pairs if pair.is_timer)
                yield from (each for each in found if each is not None)


def _handled(workflow: Workflow, leaf: str) -> dict[str, tuple[str, ...]]:
    """Event -> the states in whose handlers it is looked up; empty if it is not handled."""
    if workflow.by_path[leaf].final:
        return {}
    places: dict[str, list[str]] = {}
    for state in workflow.chain(leaf):
        for event in state.on:
            places.setdefault(event, []).append(state.path)
    for event in workflow.on:
        places.setdefault(event, []).append("")
    if "error" in places:  # a timeout that nothing takes is an error
        places["timeout"] = [*places.get("timeout", ()), "as", *places["error"]]
    return {event: tuple(found) for event, found in places.items() if workflow.candidates(leaf, event)}


def _effective(workflow: Workflow, leaf: str, event: str) -> Candidates:
    candidates = all_bare(workflow.candidates(leaf, event)) or ()
    last = next((place for place, each in enumerate(candidates) if each.when is None), len(candidates))
    return candidates[: last + 1]


def _sentence(leaves: list[str], case: _Case, effect: Effect, examples: tuple[Example, ...]) -> str:
    who, is_one = _subject(leaves), len(leaves) == 1
    event = quoted(case.event)
    if effect is Effect.REFUSES:
        return f"{who} {_refuses(case.event, is_one=is_one)}"
    if effect is Effect.TAKES:
        targets = quoted_list(dict.fromkeys(each.target for each in case.new if each.target is not None))
        return f"{who} {'takes' if is_one else 'take'} {event} now{f', to {targets}' if targets != 'nothing' else ''}"
    said = f": {'; '.join(map(str, examples[:3]))}" if examples else ""
    how = "otherwise" if examples or _leads(case.old) != _leads(case.new) else _writes(case)
    return f"{who} {'decides' if is_one else 'decide'} {event} {how}{said}"


def _leads(candidates: Candidates) -> list[tuple[str | None, str | None]]:
    return [(each.when, each.target) for each in candidates]


def _writes(case: _Case) -> str:
    fields = [each for one in (*case.old, *case.new) for each in (*one.assign, *one.append)]
    return f"as before, and writes {quoted_list(dict.fromkeys(f'data.{each}' for each in fields))} otherwise"


def _refuses(event: str, *, is_one: bool) -> str:
    if event in _UNHANDLED:
        return f"{'handles' if is_one else 'handle'} no {quoted(event)} any more: {_UNHANDLED[event]}"
    return f"{'refuses' if is_one else 'refuse'} {quoted(event)} now"


#: what happens where a built-in event is not handled
_UNHANDLED = {
    "error": "it parks the agent",
    "timeout": "it parks the agent",
    "cancel": "the agent just ends",
}


def _subject(leaves: list[str]) -> str:
    named = ", ".join(map(quoted, leaves[:_NAMED]))
    more = len(leaves) - _NAMED
    return f"{named} and {more} more" if more > 0 else named


def _timer_meaning(decider: Decider, path: str, pair: HandlerPair) -> Meaning | None:
    """What is different about one timer; ``None`` if nothing is."""
    where, event = quoted(path), pair.label
    now, before = (quoted(label.partition(" ")[2]) if label else "" for label in (pair.new_label, pair.old_label))
    if not before:
        leads = quoted_list(dict.fromkeys(each.target for each in pair.new or () if each.target))
        then = "" if leads == "nothing" else f": then comes {leads}"
        return Meaning((path,), event, Effect.WAITS, f"the time in {where} is up after {now}{then}")
    if not now:
        return Meaning((path,), event, Effect.WAITS, f"nothing happens in {where} after {before} any more")
    comparison = decider.compare("after", pair.old or (), pair.new or ())
    said = f": {'; '.join(map(str, comparison.examples[:3]))}" if comparison.examples else ""
    if not pair.is_as_long:
        text = f"the time in {where} is up after {now}, not after {before}{said}"
        return Meaning((path,), event, Effect.WAITS, text, comparison.examples)
    if comparison.is_same:
        return None
    text = f"when {now} are over, {where} decides otherwise{said}"
    return Meaning((path,), event, Effect.DECIDES, text, comparison.examples)
