"""Values for the next move of a play: a payload, and what an action writes, so that a foretold transition is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final, NamedTuple

from fsm_agent.domain.agent import Head
from fsm_agent.domain.decision import Move, Taken
from fsm_agent.domain.json import Json, is_required
from fsm_agent.domain.leaf_transition import outgoing
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.leaf_moves import LeafMove, leaf_moves
from fsm_agent.engine.program import Program
from fsm_agent.engine.steps import take
from fsm_agent.errors import FsmAgentError
from fsm_agent.expressions.text import template
from fsm_agent.expressions.tree import Node, names_in
from fsm_agent.proof.model import Kind
from fsm_agent.proof.samples import accesses, sample, samples
from fsm_agent.proof.tours import TourStep

#: combinations of values that are tried for one step
_MOST_TRIES: Final = 400
#: values of one field that are tried
_MOST_VALUES: Final = 6
_PEOPLE: Final = ("ana", "ben")


class Unwritten:
    """In place of a value: the field stays as it is."""


class Choice(NamedTuple):
    """What is sent or said in one step."""

    payload: Mapping[str, Json]
    written: Mapping[str, Json]
    by: str | None


class Chooser:
    """Chooses values for steps of one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        #: field -> what an action that may write it shall write, wherever nothing else is wanted of it
        self.hints: Mapping[str, Json] = {}
        self.program = Program(workflow)
        #: for plays, to tell their histories
        self.programs = {workflow.hash: self.program}
        self._workflow = workflow
        self._accesses = accesses(_trees(self.program))

    def initial(self, begins: Mapping[str, tuple[Json, ...]], *, takes_hints: bool) -> dict[str, Json]:
        """The data that an agent is given at its creation: what must be given, and what a tour wants."""
        data: dict[str, Json] = {}
        for name, schema in self._workflow.data.items():
            wanted = self._wanted(name, begins)
            if wanted:
                data[name] = wanted[0]
            elif takes_hints and name in self.hints:
                data[name] = self.hints[name]
            elif is_required(schema):
                data[name] = sample(schema, self._accesses.get(f"data.{name}"))
        return data

    def variants(self, step: TourStep) -> Iterator[Mapping[str, Json]]:
        """Hints with which a step may be possible that was not: other values of what it reads, one combination after
        the other."""
        move = self._move(step)
        if move is None:
            return
        fields = [field for field in self._read_by(step, move) if field not in self.hints]
        values = [samples(self._workflow.data[field], self._accesses.get(f"data.{field}"))[:4] for field in fields]
        for chosen in product(*values):
            yield {**self.hints, **dict(zip(fields, chosen, strict=True))}

    def choose(self, step: TourStep, life: Aggregate) -> Choice | None:
        """The first values with which the engine takes the step's transition; such that what the steps to come want of
        the data is so, if there are any. ``None`` if there are none among those that are tried."""
        move = self._move(step)
        if move is None:
            return None
        second: Choice | None = None
        for choice in islice(self._choices(step, move, life), _MOST_TRIES):
            after = self._after(step, move, choice, life)
            if after is None:
                continue
            if self._suits(step.wanted, after, life.head):
                return choice
            second = second or choice
        return second

    def _move(self, step: TourStep) -> Move | None:
        return next((each.move for each in self._ways(step.source) if each.name == step.transition), None)

    def _ways(self, leaf: str) -> Sequence[LeafMove]:
        return leaf_moves(self.program.machine, leaf)

    # ---------------------------------------------------------------- what is tried

    def _choices(self, step: TourStep, move: Move, life: Aggregate) -> Iterator[Choice]:
        payload = {name: self._payload_values(step, move, name) for name in self._fields(step.event)}
        writes = self._writes(step, move, life) if step.kind is Kind.ACTION else {}
        people = [None] if step.kind is Kind.ACTION else self._people(step, life)
        for written in product(*writes.values()):
            for by, *said in product(people, *payload.values()):
                kept = {name: each for name, each in zip(writes, written, strict=True) if each is not Unwritten}
                given = {name: each for name, each in zip(payload, said, strict=True) if each is not Unwritten}
                yield Choice(given, kept, by)

    def _fields(self, event: str) -> Mapping[str, Any]:
        return self._workflow.events.get(event, {})

    def _payload_values(self, step: TourStep, move: Move, name: str) -> Sequence[Json]:
        schema = self._fields(step.event)[name]
        known = step.known.get(f"event.{name}", ())
        copied = [
            value
            for field, said in move.transition.assign.items()
            if said == f"event.{name}"
            for value in self._wanted(field, step.wanted)
        ]
        pool = samples(schema, self._accesses.get(f"event.{name}"))
        return _distinct((*known, *copied, *pool))[:_MOST_VALUES] or [Unwritten]

    def _writes(self, step: TourStep, move: Move, life: Aggregate) -> dict[str, Sequence[Json]]:
        """Field that the action may write, and that somebody reads -> what it may write there."""
        read = set(self._read_by(step, move)) | self.hints.keys()
        wanted = {**step.wanted, **step.known}
        read |= {field for field in self._workflow.data if any(_mentions(text, field) for text in wanted)}
        now = life.folded.values
        return {field: self._written(field, step, now.get(field)) for field in self._workflow.data if field in read}

    def _read_by(self, step: TourStep, move: Move) -> list[str]:
        """The fields that guards, the transition and the state that it enters read."""
        target, event = self.program.state(move.target), step.event
        texts: list[Json] = [each.move.transition.when for each in self._ways(step.source) if each.event == event]
        texts += [*move.transition.assign.values(), *move.transition.append.values()]
        entry: list[Json] = [*target.output.values(), *target.with_.values()]
        if target.ask is not None:
            entry += [target.ask.to, *_pieces(target.ask.prompt)]
        trees = [self.program.guards.tree(text, event=event) for text in texts if isinstance(text, str)]
        trees += [self.program.guards.tree(text, event=None) for text in entry if isinstance(text, str)]
        read = {field for tree in trees for field in _fields_read(tree)}
        return [field for field in self._workflow.data if field in read]

    def _written(self, field: str, step: TourStep, now: Json) -> Sequence[Json]:
        """What is there already need not be written."""
        wanted = self._wanted(field, step.known) or self._wanted(field, step.wanted)
        wanted = [Unwritten if type(each) is type(now) and each == now else each for each in wanted]
        if field in self.hints and not wanted:
            return [self.hints[field]]
        pool = samples(self._workflow.data[field], self._accesses.get(f"data.{field}"))
        return _distinct((*wanted, Unwritten, *pool))[:_MOST_VALUES]

    def _wanted(self, field: str, known: Mapping[str, tuple[Json, ...]]) -> list[Json]:
        """Values of a field, or lists of a length, that are wanted."""
        lengths = [each for each in known.get(f"size(data.{field})", ()) if isinstance(each, int)]
        lists = samples(self._workflow.data[field], self._accesses.get(f"data.{field}")) if lengths else ()
        item = next((each[0] for each in lists if isinstance(each, list) and each), "x")
        return [*known.get(f"data.{field}", ()), *([item] * length for length in lengths)]

    def _people(self, step: TourStep, life: Aggregate) -> Sequence[str | None]:
        asked = life.head.asked
        if asked is not None and asked.to and step.event in self.program.answers(life.head):
            return list(asked.to)
        around = [each for each in life.folded.values.values() if isinstance(each, str) and 0 < len(each) <= 40]
        said: list[Any] = [*step.known.get("event.by", ()), *_PEOPLE, None, *around]
        return [each for each in _distinct(said) if each is None or isinstance(each, str)][: 2 * _MOST_VALUES]

    # ---------------------------------------------------------------- what comes of it

    def _after(self, step: TourStep, move: Move, choice: Choice, life: Aggregate) -> Mapping[str, Json] | None:
        """The data after the step, if the engine takes the transition; and if what it asks and hands on there has a
        value."""
        program = self.program
        try:
            payload = program.payload_rules.complete(step.event, choice.payload) if step.event != "cancel" else {}
            event, data = Event(step.event, payload, choice.by), life.draft()
            for field, value in choice.written.items():
                data[field] = value
            decision = program.decide(step.source, event, life.context(event, data))
            if not (isinstance(decision, Taken) and decision.move is move):
                return None
            take(life, event, move, data=data, duration_ms=0 if step.kind is Kind.ACTION else None)
            after: Mapping[str, Json] = data.plain()
            if move.entered:
                target = program.state(move.target)
                program.arguments(target, life.context()._replace(data=after))
        except FsmAgentError:
            return None
        return after

    def _suits(self, wanted: Mapping[str, tuple[Json, ...]], after: Mapping[str, Json], head: Head) -> bool:
        for text, examples in wanted.items():
            try:
                value = self.program.guards.compile(text, event=None).evaluate(after, None, head.visits)
            except FsmAgentError:
                return False
            if examples and value not in examples:
                return False
        return True


def _trees(program: Program) -> Iterator[Node | None]:
    """Every expression that reads data: what they reach into, values must have."""
    workflow, guards = program.workflow, program.guards
    for leaf in workflow.leaves:
        for way in outgoing(workflow, leaf):
            event = "after" if way.name.event.startswith("after ") else way.name.event
            said = [way.transition.when, *way.transition.assign.values(), *way.transition.append.values()]
            yield from (guards.tree(each, event=event) for each in said if isinstance(each, str))
        ask = leaf.ask
        said = [*leaf.output.values(), *leaf.with_.values(), ask and ask.to, *_pieces(ask.prompt if ask else "")]
        yield from (guards.tree(each, event=None) for each in said if isinstance(each, str))


def _pieces(prompt: str) -> list[str]:
    """The expressions in a prompt."""
    return [piece for piece, at in template(prompt) if at is not None]


def _fields_read(tree: Node | None) -> Iterator[str]:
    for name in names_in(tree) if tree is not None else ():
        if name.startswith("data."):
            yield name.split(".")[1]


def _mentions(text: str, field: str) -> bool:
    return text in (f"data.{field}", f"size(data.{field})") or f"data.{field}" in text


def _distinct(values: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for value in values:
        if not any(type(value) is type(each) and value == each for each in found):
            found.append(value)
    return found
