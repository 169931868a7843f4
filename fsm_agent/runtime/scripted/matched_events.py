"""Events whose fields a condition compares with the data, as ``event.by != data.author`` does: only a life as it goes
tells which value makes such a condition come out as on a path."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.samples import samples
from fsm_agent.proof.slots import is_number, is_same
from fsm_agent.proof.verdicts import PathStep
from fsm_agent.runtime.scripted.moves import Move, Says, Sent
from fsm_agent.runtime.scripted.play import play

_COMPARISON: Final = re.compile(r"(event|data)\.(\w+) (==|!=|<=|>=|<|>) (event|data)\.(\w+)")
_TEXT: Final[Schema] = {"type": "string"}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Comparison(NamedTuple):
    """A field of the event and one of the data, and how the comparison of the two came out."""

    of_event: str
    of_data: str
    sign: str
    is_event_first: bool
    is_true: bool

    def comes_out(self, sent: Json, kept: Json) -> bool:
        """Whether these values make it come out so."""
        if self.sign in ("==", "!="):
            return (is_same(sent, kept) is (self.sign == "==")) is self.is_true
        first, second = (sent, kept) if self.is_event_first else (kept, sent)
        return is_number(first) and is_number(second) and _ORDER[self.sign](first, second) is self.is_true


def matched(
    workflow: Workflow, path: Sequence[PathStep], moves: Sequence[Move | None], data: Mapping[str, Json]
) -> list[Move | None] | None:
    """The moves of a path, with values in the events that match the data of a new agent with ``data`` as it goes along.
    ``None`` if nothing is compared so, or an agent cannot go that way."""
    made = list(moves)
    for place, step in enumerate(path):
        move, compared = made[place], tuple(_comparisons(step))
        if compared and isinstance(move, Sent | Says):
            try:
                life = play(workflow, [each for each in made[:place] if each is not None], data=data)
            except FsmAgentError:
                return None
            made[place] = _fitted(workflow, move, compared, life.data)
    return None if made == list(moves) else made


def _comparisons(step: PathStep) -> Iterator[_Comparison]:
    for text, values in step.known.items():
        found = _COMPARISON.fullmatch(text)
        if found is not None and found[1] != found[4] and values in ((True,), (False,)):
            is_first = found[1] == "event"
            fields = (found[2], found[5]) if is_first else (found[5], found[2])
            yield _Comparison(*fields, found[3], is_first, values == (True,))


def _fitted(
    workflow: Workflow, move: Sent | Says, compared: Sequence[_Comparison], data: Mapping[str, Json]
) -> Sent | Says:
    kept = {**data, **(move.data if isinstance(move, Says) else {})}
    for each in compared:
        other = kept.get(each.of_data)
        if each.of_event != "by":
            schema = workflow.events.get(move.event, {}).get(each.of_event, {})
            sent = _value(each, move.payload.get(each.of_event), other, schema)
            move = replace(move, payload={**move.payload, each.of_event: sent})
        elif isinstance(move, Sent):
            by = _value(each, move.by, other, _TEXT)
            move = replace(move, by=by if isinstance(by, str) else None)
    return move


def _value(compared: _Comparison, now: Json, other: Json, schema: Schema) -> Json:
    """What is sent already, if it does; else what the data has, a number beside it, or any other value."""
    near = (other + 1, other - 1) if is_number(other) else ()
    return next((each for each in (now, other, *near, *samples(schema)) if compared.comes_out(each, other)), now)
