"""A path that a proof has found, made to happen on the real engine; and the test that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

from fsm_agent.domain.json import Json, Schema, is_required
from fsm_agent.domain.property import Property
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError
from fsm_agent.proof.model import Kind
from fsm_agent.proof.verdicts import PathStep
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Passes, Says, Sent
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


def reproduced(workflow: Workflow, of: Property, path: Sequence[PathStep]) -> Play | None:
    """A play along the path in which the property is broken; ``None`` if none of those that were tried breaks it."""
    data = {name: _sample(schema) for name, schema in workflow.data.items() if is_required(schema)}
    for moves in islice(_ways(workflow, path), _MOST_TRIES):
        try:
            life = play(workflow, moves, data=data)
            if not life.keeps(of):
                return life
        except FsmAgentError:  # an agent cannot go that way
            continue
    return None


def test_of(file: str, name: str, life: Play) -> str:
    """A test that fails for as long as the workflow in ``file`` lets an agent break the property ``name`` by these
    moves."""
    used = {"sent", "says", "fails", "passes", "cancels"} & {repr(move).partition("(")[0] for move in life.given}
    moves = "".join(f"        {move!r},\n" for move in life.given)
    data = f"            data={dict(life.initial_data)!r},\n" if life.initial_data else ""
    return f'''"""Written by `fsm-agent prove`: an agent of {file} breaks `{name}`."""

from fsm_agent.errors import Refused
from fsm_agent.testing import {", ".join(sorted({"play", *used}))}


def test_{name}() -> None:
    moves = [
{moves}    ]
    try:
        life = play(
            {file!r},
            moves,
{data}        )
    except Refused:
        return  # no agent can go this way any more
    assert life.keeps({name!r})
'''


def _ways(workflow: Workflow, path: Sequence[PathStep]) -> Iterator[list[Move]]:
    """The path as moves, with one choice of values after the other."""
    steps = [step for step in path if step.kind not in (Kind.PARK, Kind.UNPARK)]
    for chosen in product(*(list(_moves(workflow, step)) for step in steps)):
        yield list(chosen)


def _moves(workflow: Workflow, step: PathStep) -> Iterator[Move]:
    """What may have happened by a step, with the values that its guards may have seen."""
    match step.kind:
        case Kind.FAILURE:
            yield Fails(timeout=step.event == "timeout")
        case Kind.TIMER:
            yield Passes(Duration.parse(step.event.removeprefix("after ")))
        case Kind.CANCEL:
            yield Cancels()
        case _:
            yield from _events(workflow, step)


def _events(workflow: Workflow, step: PathStep) -> Iterator[Move]:
    fields = workflow.events.get(step.event, {})
    needed = {name: _sample(schema) for name, schema in fields.items() if is_required(schema)}
    event, data = _examples(step.known, "event"), _examples(step.known, "data")
    for values in _choices(event):
        payload = {**needed, **{name: value for name, value in values.items() if name in fields}}
        by = values.get("by")
        if step.kind is Kind.OUTSIDE:
            yield Sent(step.event, payload, by if isinstance(by, str) else None)
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
