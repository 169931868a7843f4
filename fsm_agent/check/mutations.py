"""Small changes of what a workflow means, one at a time: each is what somebody might write by mistake.

| what | how it changes |
|---|---|
| a transition | it is left out; it leads to the next state, to the one before, or nowhere |
| two of them | they change places, or their targets do |
| a guard | it is left out, or negated; one operator or number in it is another one |
| an assign, an append | it is left out; a literal is another one |
| a timer | it is left out; its length is another one |
| a state | it begins elsewhere inside; its timeout is left out; it ends otherwise |
| a question | it is for anybody; one event less answers it |
| the workflow | it begins elsewhere; a limit is left out |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Final, NamedTuple

from fsm_agent.dialect.writer import to_document
from fsm_agent.domain.finding import Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.expressions.text import masked

#: token of a guard -> what stands there instead
_OTHERS: Final[Mapping[str, str]] = {
    "<=": "<",
    "<": "<=",
    ">=": ">",
    ">": ">=",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "true": "false",
    "false": "true",
    "+": "-",
}
_TOKEN: Final = re.compile(r"<=|>=|==|!=|&&|\|\||(?<=\s)[<>+](?=\s)|\b(?:true|false)\b|(?<![\w.\"'])\d+(?![\w.\"'])")
_OUTCOMES: Final[Mapping[str, str]] = {"done": "failed", "failed": "done", "cancelled": "done"}
#: so many characters of an expression are shown on either side of what is changed in it
_AROUND: Final = 24
_HOUR_MS: Final = 3_600_000


class Mutation(NamedTuple):
    """A workflow with one change."""

    #: where, in a document in which every transition is in a list
    path: Path
    #: what is changed, in words
    change: str
    document: Json


def mutations(workflow: Workflow) -> Iterator[Mutation]:
    """Every change of a workflow, in the order of its document. Those inside of its children are not made."""
    document = _spelt_out(to_document(workflow))
    leaves = [path for path, state in workflow.by_path.items() if state.is_leaf]
    yield from _Changes(document, leaves).all()


def _spelt_out(document: Json) -> Json:
    """A document in which every transition is a mapping in a list."""
    found = {**document, "on": _handlers(document.get("on", {}))}
    found["states"] = {name: _state(state) for name, state in document["states"].items()}
    return found


def _state(state: Json) -> Json:
    inner = {name: _state(child) for name, child in state.get("states", {}).items()}
    spelt = {key: _handlers(state[key]) for key in ("on", "after") if key in state}
    return {**state, **spelt, **({"states": inner} if inner else {})}


def _handlers(on: Json) -> Json:
    return {event: None if chosen is None else list(map(_transition, _listed(chosen))) for event, chosen in on.items()}


def _listed(chosen: Json) -> list[Json]:
    return chosen if isinstance(chosen, list) else [chosen]


def _transition(written: Json) -> Json:
    return {"target": written} if isinstance(written, str) else dict(written)


class _Changes:
    def __init__(self, document: Json, leaves: list[str]) -> None:
        self._document = document
        self._leaves = leaves

    def all(self) -> Iterator[Mutation]:
        for name in self._document["states"]:
            if name != self._document["initial"]:
                yield self._set(("initial",), name, f"it begins in `{name}`")
                break
        for limit, value in self._document.get("limits", {}).items():
            for path in value if limit == "visits" else [None]:
                where = ("limits", limit) if path is None else ("limits", limit, path)
                yield self._drop(where, f"the limit of {path or limit} is left out")
        yield from self._handled((), self._document["on"])
        for name, state in self._document["states"].items():
            yield from self._of_state(("states", name), name, state)

    def _of_state(self, at: Path, path: str, state: Json) -> Iterator[Mutation]:
        if "initial" in state and len(state["states"]) > 1:
            other = next(name for name in state["states"] if name != state["initial"])
            yield self._set((*at, "initial"), other, f"`{path}` begins in `{other}`")
        if "timeout" in state:
            yield self._drop((*at, "timeout"), f"the timeout of `{path}` is left out")
        if "to" in state.get("ask", {}):
            yield self._drop((*at, "ask", "to"), f"the question of `{path}` is for anybody")
        for event in state.get("ask", {}).get("events", ()):
            if len(state["ask"]["events"]) > 1:
                left = [each for each in state["ask"]["events"] if each != event]
                yield self._set((*at, "ask", "events"), left, f"`{event}` does not answer the question of `{path}`")
        if state.get("final"):
            other = _OUTCOMES[state.get("outcome", "done")]
            yield self._set((*at, "outcome"), other, f"`{path}` is {other}")
        yield from self._handled(at, state.get("on", {}))
        yield from self._timed(at, state.get("after", {}))
        for name, child in state.get("states", {}).items():
            yield from self._of_state((*at, "states", name), f"{path}.{name}", child)

    def _timed(self, at: Path, after: Json) -> Iterator[Mutation]:
        for length, candidates in after.items():
            where = (*at, "after", length)
            yield self._drop(where, f"the timer {length} is left out")
            other = _other_length(length)
            if other not in after:
                changed = deepcopy(self._document)
                timers = _at(changed, (*at, "after"))
                moved = {other if key == length else key: value for key, value in timers.items()}
                timers.clear()
                timers.update(moved)
                yield Mutation(where, f"the timer {length} takes {other}", changed)
            yield from self._candidates(where, candidates)

    def _handled(self, at: Path, on: Json) -> Iterator[Mutation]:
        handled = [(event, chosen) for event, chosen in on.items() if chosen]
        for event, candidates in handled:
            yield from self._candidates((*at, "on", event), candidates)
        for (event, chosen), (other, others) in pairwise(handled):
            one, two = chosen[0].get("target"), others[0].get("target")
            if one and two and one != two:
                changed = deepcopy(self._document)
                _at(changed, (*at, "on", event, 0))["target"] = two
                _at(changed, (*at, "on", other, 0))["target"] = one
                where = (*at, "on", event, 0, "target")
                yield Mutation(where, f"`{event}` leads to `{two}`, and `{other}` to `{one}`", changed)

    def _candidates(self, at: Path, candidates: list[Json]) -> Iterator[Mutation]:
        what = f"`{at[-1]}`" if at[-2] == "on" else f"the timer {at[-1]}"
        for index, transition in enumerate(candidates):
            where = (*at, index)
            way = f"{what} to `{transition['target']}`" if "target" in transition else f"{what}, which stays,"
            if len(candidates) > 1:
                yield self._drop(where, f"{way} is left out")
            elif at[-2] == "on":
                yield self._drop(at, f"{way} is left out")
            if "target" in transition:
                yield from self._elsewhere((*where, "target"), transition["target"], what)
            yield from self._guards((*where, "when"), transition.get("when"), what)
            yield from self._writes(where, transition, what)
        for index in range(len(candidates) - 1):
            order = list(range(len(candidates)))
            order[index : index + 2] = [index + 1, index]
            swapped = [candidates[place] for place in order]
            yield self._set(at, swapped, f"two transitions of {what} change places", where=(*at, index))

    def _elsewhere(self, at: Path, target: str, what: str) -> Iterator[Mutation]:
        """To the leaf that is declared next, to the one before, and to none."""
        inside = [leaf for leaf in self._leaves if not f"{leaf}.".startswith(f"{target}.")]
        after = [leaf for leaf in self._leaves if f"{leaf}.".startswith(f"{target}.")]
        place = self._leaves.index(after[-1])
        following = [leaf for leaf in self._leaves[place + 1 :] if leaf in inside]
        before = [leaf for leaf in self._leaves[:place] if leaf in inside]
        for other in [*following[:1], *reversed(before), *following[1:]][:2]:
            yield self._set(at, other, f"{what} leads to `{other}`, not to `{target}`")
        yield self._drop(at, f"{what} leads nowhere, not to `{target}`")

    def _guards(self, at: Path, guard: str | None, what: str) -> Iterator[Mutation]:
        if guard is None:
            return
        yield self._drop(at, f"{what} has no guard: `{guard}`")
        yield self._set(at, f"!({guard})", f"the guard of {what} is negated: `!({guard})`")
        for text, change in _texts(guard):
            yield self._set(at, text, f"the guard of {what} has {change}")

    def _writes(self, at: Path, transition: Json, what: str) -> Iterator[Mutation]:
        for key in ("assign", "append"):
            for field, value in transition.get(key, {}).items():
                where = (*at, key, field)
                yield self._drop(where, f"{what} does not set `{field}`")
                for other, change in _values(value):
                    yield self._set(where, other, f"{what} sets `{field}` with {change}")

    def _set(self, at: Path, value: Json, change: str, *, where: Path | None = None) -> Mutation:
        changed = deepcopy(self._document)
        _at(changed, at[:-1])[at[-1]] = deepcopy(value)
        return Mutation(where or at, change, changed)

    def _drop(self, at: Path, change: str) -> Mutation:
        changed = deepcopy(self._document)
        del _at(changed, at[:-1])[at[-1]]
        return Mutation(at, change, changed)


def _at(document: Json, path: Path) -> Json:
    for key in path:
        document = document[key]
    return document


def _texts(text: str) -> Iterator[tuple[str, str]]:
    """An expression with one token changed, and how."""
    for found in _TOKEN.finditer(masked(text)):
        start, end = found.span()
        other = _OTHERS.get(found[0]) or str(int(found[0]) + 1)
        around = " ".join(text[max(0, start - _AROUND) : end + _AROUND].split())
        yield f"{text[:start]}{other}{text[end:]}", f"`{other}` instead of `{found[0]}` in `{around}`"


def _values(value: Json) -> Iterator[tuple[Json, str]]:
    match value:
        case bool() | int() | float():
            other = (not value) if isinstance(value, bool) else value + 1
            yield other, f"`{json.dumps(other)}` instead of `{json.dumps(value)}`"
        case str():
            yield from _texts(value)


def _other_length(length: str) -> str:
    """A length as it might be mistaken: in another unit."""
    unit = "d" if Duration.parse(length).ms < _HOUR_MS else "m"
    return re.sub(r"[a-z]+", unit, length, count=1)
