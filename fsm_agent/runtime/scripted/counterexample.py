"""A path that a proof has found, made to happen on the real engine; and the test that shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, product
from typing import Any, Final, NamedTuple

from fsm_agent.domain.json import Json, Schema, is_required
from fsm_agent.domain.property import Property, Reaches, Rule
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.model import Kind
from fsm_agent.proof.prover import GIVEN
from fsm_agent.proof.verdicts import PathStep, Verdict
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Passes, Says, Sent, Unparks
from fsm_agent.runtime.scripted.play import Play, play

#: combinations of values that are tried
_MOST_TRIES: Final = 64
#: a value of each type, where a schema says no more
_SAMPLES: Final[Mapping[str, Json]] = {
    "string": "x",
    "integer": 1,
    "number": 1.0,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}


class Counterexample(NamedTuple):
    """A life in which an agent breaks a property, or begins to: then ``round`` goes on for ever."""

    life: Play
    round: tuple[Move, ...] = ()


class _Try(NamedTuple):
    data: Mapping[str, Json]
    moves: Sequence[Move]
    round: tuple[Move, ...] = ()


def reproduced(workflow: Workflow, of: Property, verdict: Verdict) -> Counterexample | None:
    """A play along the path of a verdict in which the property is broken; ``None`` if none of those that were tried
    breaks it."""
    tries = _tries(workflow, of.rule, verdict)
    with _quiet():
        for data, moves, again in islice(tries, _MOST_TRIES):
            try:
                life = play(workflow, moves, data=data)
                if life.goes_round(again, of) if again else not life.keeps(of):
                    return Counterexample(play(workflow, moves, data=data) if again else life, again)
            except FsmAgentError:  # an agent cannot go that way
                continue
    return None


def test_of(file: str, name: str, found: Counterexample, *, child: Sequence[str]) -> str:
    """A test that fails for as long as the workflow in ``file`` lets an agent break the property ``name`` by these
    moves. ``child`` are the names by which the workflow stands within that of the file."""
    life = found.life
    used = {"sent", "says", "fails", "passes", "cancels", "unparks"} & {
        repr(move).partition("(")[0] for move in (*life.given, *found.round)
    }
    data = f", data={dict(life.initial_data)!r}" if life.initial_data else ""
    inner = "".join(f".workflows[{each!r}]" for each in child)
    again = f"    again = {_listed(found.round)}\n" if found.round else ""
    judged = f"not life.goes_round(again, {name!r})" if found.round else f"life.keeps({name!r})"
    return f"""{marker(file, name)}

from fsm_agent import Workflow
from fsm_agent.errors import Refused
from fsm_agent.testing import {", ".join(sorted({"play", *used}))}


def test_{name}() -> None:
    workflow = Workflow.load({file!r}){inner}
    moves = {_listed(life.given)}
{again}    try:
        life = play(workflow, moves{data})
        is_kept = {judged}
    except Refused:
        return  # no agent can go this way any more
    assert is_kept
"""


def marker(file: str, name: str) -> str:
    """The first line of a test, by which its writer knows it again."""
    return f"# Written by `fsm-agent prove`: an agent of {file!r} breaks {name!r}."


def _listed(moves: Iterable[Move]) -> str:
    """Moves as the text of a list, each in a line of its own."""
    return "[\n" + "".join(f"        {move!r},\n" for move in moves) + "    ]"


@contextmanager
def _quiet() -> Iterator[None]:
    """What fails in a play has to fail: nothing of it is logged."""
    logger = logging.getLogger("fsm_agent")
    is_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = is_disabled


def _tries(workflow: Workflow, rule: Rule, verdict: Verdict) -> Iterator[_Try]:
    """The path as moves, with one choice of values after the other; once more where an agent takes its time."""
    for data in _beginnings(workflow, verdict):
        for chosen in _ways(workflow, (*verdict.path, *verdict.cycle)):
            length = len(verdict.path)
            yield _Try(data, chosen[:length], tuple(chosen[length:]))
    if isinstance(rule, Reaches) and rule.within is not None:
        too_long = Passes(Duration(f"{rule.within.ms + 1}ms", rule.within.ms + 1))
        for data in _beginnings(workflow, verdict):
            for chosen in _ways(workflow, verdict.path, is_slow=True):
                yield _Try(data, chosen)
                for end in range(len(chosen), -1, -1):
                    yield _Try(data, [*chosen[:end], too_long])


def _beginnings(workflow: Workflow, verdict: Verdict) -> Iterator[dict[str, Json]]:
    """Data with which an agent may begin: what is needed; and what is first seen of them, if agents need not begin
    with their defaults."""
    needed = {name: _sample(schema) for name, schema in workflow.data.items() if is_required(schema)}
    if GIVEN not in verdict.assumptions or not verdict.path:
        yield needed
        return
    seen: dict[str, tuple[Json, ...]] = {}
    for step in verdict.path:
        seen = {name: each for name, each in _examples(step.known, "data").items() if name in workflow.data} | seen
    for values in _choices(seen):
        yield needed | values
    yield needed


def _ways(workflow: Workflow, path: Sequence[PathStep], *, is_slow: bool = False) -> Iterator[list[Move]]:
    """The path as moves, with one choice of values after the other. A slow action takes all the time that it has."""
    for chosen in product(*(list(_moves(workflow, step)) for step in path)):
        moves: list[Move] = []
        for step, move in zip(path, chosen, strict=True):
            timeout = workflow.by_path[step.source].timeout
            if is_slow and step.kind is Kind.ACTION and timeout is not None:
                moves.append(Passes(Duration(f"{timeout.ms - 1}ms", timeout.ms - 1)))
            moves.append(move)
        yield moves


def _moves(workflow: Workflow, step: PathStep) -> Iterator[Move]:
    """What may have happened by a step, with the values that its guards may have seen."""
    match step.kind:
        case Kind.PARK if step.event not in workflow.events:
            yield _lapse(step.event)
        case Kind.FAILURE | Kind.TIMER:
            yield _lapse(step.event)
        case Kind.CANCEL:
            yield Cancels()
        case Kind.UNPARK:
            yield Unparks()
        case Kind.OUTSIDE if step.event == "cancel":
            yield Cancels()
        case _:
            yield from _events(workflow, step)


def _lapse(event: str) -> Move:
    """An action that fails, or a timer that fires."""
    if event in ("error", "timeout"):
        return Fails(timeout=event == "timeout")
    return Passes(Duration.parse(event.removeprefix("after ")))


def _events(workflow: Workflow, step: PathStep) -> Iterator[Move]:
    fields = workflow.events.get(step.event, {})
    needed = {name: _sample(schema) for name, schema in fields.items() if is_required(schema)}
    event, data = _examples(step.known, "event"), _examples(step.known, "data")
    for values in _choices(event):
        payload = {**needed, **{name: value for name, value in values.items() if name in fields}}
        by = values.get("by")
        if step.kind is not Kind.ACTION:
            yield Sent(step.event, payload, by if isinstance(by, str) else None)
        if step.kind is Kind.OUTSIDE:
            continue
        for written in _choices({name: each for name, each in data.items() if name in workflow.data}):
            yield Says(step.event, payload, written)


def _examples(known: Mapping[str, tuple[Json, ...]], root: str) -> dict[str, tuple[Json, ...]]:
    """The examples of plain fields of ``data`` or of ``event``."""
    found = {name.removeprefix(f"{root}."): each for name, each in known.items() if name.startswith(f"{root}.")}
    return {name: each for name, each in found.items() if name.isidentifier() and each}


def _choices(examples: Mapping[str, tuple[Json, ...]]) -> Iterator[dict[str, Any]]:
    for values in product(*examples.values()):
        yield dict(zip(examples, values, strict=True))


def _sample(schema: Schema) -> Json:
    """Some value that a schema takes, as far as that can be told without looking far."""
    if schema.get("enum"):
        first: Json = schema["enum"][0]
        return first
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    least = schema.get("minimum")
    return least if least is not None and kind in ("integer", "number") else _SAMPLES.get(kind, "x")
