"""A path that a proof has found, as moves of a play: with the values that guards may have seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

from fsm_agent.domain.json import Json, is_required
from fsm_agent.domain.property import Reaches, Rule
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.proof.environment import written_by
from fsm_agent.proof.model import Kind
from fsm_agent.proof.prover import GIVEN
from fsm_agent.proof.samples import sample
from fsm_agent.proof.verdicts import PathStep, Verdict
from fsm_agent.runtime.scripted.executor import REAL
from fsm_agent.runtime.scripted.matched_events import matched
from fsm_agent.runtime.scripted.moves import Cancels, Fails, Move, Passes, Says, Sent, Unparks

#: an example of a list is no longer than this
_LONGEST_LIST: Final = 50


class Life(NamedTuple):
    """What an agent begins with, what then happens, and what happens again and again after it."""

    data: Mapping[str, Json]
    moves: Sequence[Move]
    round: tuple[Move, ...] = ()


def lives_along(
    workflow: Workflow, rule: Rule, verdict: Verdict, signatures: Mapping[str, Signature]
) -> Iterator[Life]:
    """The path of a verdict as moves, with one choice of values after the other, each also with events that match the
    data; then those in which an agent takes its time, if ``rule`` has a deadline."""
    path = _Path(workflow, signatures)
    for data in _beginnings(workflow, verdict):
        for chosen in path.ways((*verdict.path, *verdict.cycle)):
            there, again = chosen[: len(verdict.path)], chosen[len(verdict.path) :]
            yield Life(data, _made(there), tuple(_made(again)))
            if (fitting := matched(workflow, verdict.path, there, data)) is not None:
                yield Life(data, _made(fitting), tuple(_made(again)))
    if isinstance(rule, Reaches) and rule.within is not None:
        for data in _beginnings(workflow, verdict):
            for chosen in path.ways(verdict.path, is_slow=True):
                slow = _made(chosen)
                yield Life(data, slow)
                for end in range(len(slow), -1, -1):
                    yield Life(data, [*slow[:end], _passes_ms(rule.within.ms + 1)])


def _made(moves: Iterable[Move | None]) -> list[Move]:
    return [move for move in moves if move is not None]


def _passes_ms(ms: int) -> Passes:
    return Passes(Duration(f"{ms}ms", ms))


def _beginnings(workflow: Workflow, verdict: Verdict) -> Iterator[dict[str, Json]]:
    """Data with which an agent may begin: what is needed; and what is first seen of them, if agents need not begin
    with their defaults."""
    needed = {name: sample(schema) for name, schema in workflow.data.items() if is_required(schema)}
    if GIVEN not in verdict.assumptions or not verdict.path:
        yield needed
        return
    seen: dict[str, tuple[Json, ...]] = {}
    for step in verdict.path:
        seen = _data_examples(workflow, step) | seen
    for values in _choices(seen):
        yield needed | values
    yield needed


class _Path:
    """A path of a proof as moves of a play."""

    def __init__(self, workflow: Workflow, signatures: Mapping[str, Signature]) -> None:
        self._workflow = workflow
        self._signatures = signatures

    def ways(self, path: Sequence[PathStep], *, is_slow: bool = False) -> Iterator[list[Move | None]]:
        """A move for each step, with one choice of values after the other; ``None`` for what comes by itself. A slow
        action takes all the time that it has: then there are more moves."""
        for chosen in product(*(list(self._moves(step, data)) for step, data in self._with_writes(path))):
            moves: list[Move | None] = []
            for step, move in zip(path, chosen, strict=True):
                timeout = self._workflow.by_path[step.source].timeout
                if is_slow and step.kind is Kind.ACTION and timeout is not None:
                    moves.append(_passes_ms(timeout.ms - 1))
                moves.append(move)
            yield moves

    def _with_writes(self, path: Sequence[PathStep]) -> list[tuple[PathStep, Mapping[str, tuple[Json, ...]]]]:
        """Each step, and examples of what its action may have written: what is seen then, or else what is seen next.
        What an event brings that is kept is what is seen next, too."""
        found: list[tuple[PathStep, Mapping[str, tuple[Json, ...]]]] = []
        later: dict[str, tuple[Json, ...]] = {}
        for step in reversed(path):
            seen_next, later = later, later | _data_examples(self._workflow, step)
            fields, kept = self._written(step), self._kept(step)
            brought = {f"event.{name}": seen_next[field] for field, name in kept.items() if field in seen_next}
            known = {**brought, **step.known}
            found.append((step._replace(known=known), {name: each for name, each in later.items() if name in fields}))
            later = {name: each for name, each in later.items() if name not in {*fields, *kept}}
        return found[::-1]

    def _kept(self, step: PathStep) -> Mapping[str, str]:
        """Field of the data -> the field of the event that a step writes there as it is."""
        kept: dict[str, str] = {}
        for each in self._workflow.candidates(step.source, step.event) if step.event in self._workflow.events else ():
            for field, value in each.assign.items():
                name = str(value).removeprefix("event.")
                if value == f"event.{name}" and name in self._workflow.events[step.event]:
                    kept[field] = name
        return kept

    def _written(self, step: PathStep) -> Collection[str]:
        if step.kind not in (Kind.ACTION, Kind.PARK) or self._workflow.by_path[step.source].do is None:
            return ()
        return written_by(self._workflow, self._workflow.by_path[step.source], self._signatures)

    def _moves(self, step: PathStep, data: Mapping[str, tuple[Json, ...]]) -> Iterator[Move | None]:
        """What may have happened by a step, with the values that its guards may have seen."""
        leaf = self._workflow.by_path[step.source]
        match step.kind:
            case Kind.ACTION if leaf.do in REAL:  # a question is asked by itself
                yield Passes(Duration.parse(leaf.with_["for"])) if "for" in leaf.with_ else None
            case Kind.PARK if step.event not in self._workflow.events:
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
                yield from self._events(step, data)

    def _events(self, step: PathStep, data: Mapping[str, tuple[Json, ...]]) -> Iterator[Move]:
        fields = self._workflow.events.get(step.event, {})
        needed = {name: sample(schema) for name, schema in fields.items() if is_required(schema)}
        own = {name: each for name, each in _data_examples(self._workflow, step).items() if name in data}
        for values in _choices(_examples(step.known, "event")):
            payload = {**needed, **{name: value for name, value in values.items() if name in fields}}
            by = values.get("by")
            if step.kind is not Kind.ACTION:
                yield Sent(step.event, payload, by if isinstance(by, str) else None)
            if step.kind is Kind.OUTSIDE:
                continue
            for examples in [data] if own == data else [data, own]:
                for written in _choices(examples):
                    yield Says(step.event, payload, written)


def _lapse(event: str) -> Move:
    """An action that fails, or a timer that fires."""
    if event in ("error", "timeout"):
        return Fails(timeout=event == "timeout")
    return Passes(Duration.parse(event.removeprefix("after ")))


def _data_examples(workflow: Workflow, step: PathStep) -> dict[str, tuple[Json, ...]]:
    """Examples of the data that guards saw at a step; of lists those of the right length."""
    found = {name: each for name, each in _examples(step.known, "data").items() if name in workflow.data}
    for text, lengths in step.known.items():
        field = text.removeprefix("size(data.").removesuffix(")")
        if text == f"size(data.{field})" and field in workflow.data:
            item = sample(workflow.data[field].get("items", {}))
            found[field] = tuple(None if each is None else [item] * min(each, _LONGEST_LIST) for each in lengths)
    return found


def _examples(known: Mapping[str, tuple[Json, ...]], root: str) -> dict[str, tuple[Json, ...]]:
    """The examples of plain fields of ``data`` or of ``event``."""
    found = {name.removeprefix(f"{root}."): each for name, each in known.items() if name.startswith(f"{root}.")}
    return {name: each for name, each in found.items() if name.isidentifier() and each}


def _choices(examples: Mapping[str, tuple[Json, ...]]) -> Iterator[dict[str, Any]]:
    for values in product(*examples.values()):
        yield dict(zip(examples, values, strict=True))
