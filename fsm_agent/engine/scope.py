"""The rules as a built-in action can use them while it works: it renders texts, computes values and judges events.

Nothing is decided here: whether an event is legal is decided again, with its payload, when the step is made. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, assert_never

from fsm_agent.data.data import Data, View
from fsm_agent.domain.agent import Head
from fsm_agent.domain.conversation import ConversationPolicy
from fsm_agent.domain.decision import EvaluationContext, GuardsRefuse, Move, NotAllowed, Taken
from fsm_agent.domain.json import Json, Schema, object_schema
from fsm_agent.domain.state import State
from fsm_agent.domain.step import Delta, Event
from fsm_agent.domain.text import listed
from fsm_agent.domain.usage import Usage
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.outputs import AttemptOutputs
from fsm_agent.errors import DataInvalid, PayloadInvalid
from fsm_agent.expressions.values import written

if TYPE_CHECKING:
    from fsm_agent.domain.workflow import Workflow


class Choice(NamedTuple):
    """An event that is legal now, with the JSON Schema of its payload and where it leads."""

    event: str
    schema: Schema
    description: str
    #: where its candidates lead, in order; empty where the agent stays
    targets: tuple[str, ...]


class ActionScope:
    """The rules for one attempt. ``stays`` says whether the driver of the agent stays while a backoff runs."""

    __slots__ = ("_aggregate", "_data", "_outputs", "stays")

    def __init__(self, aggregate: Aggregate, data: Data, outputs: AttemptOutputs, *, stays: bool) -> None:
        self._aggregate = aggregate
        self._data = data
        self._outputs = outputs
        self.stays = stays

    @property
    def workflow(self) -> Workflow:
        return self._aggregate.program.workflow

    @property
    def head(self) -> Head:
        return self._aggregate.head

    @property
    def state(self) -> State:
        return self._aggregate.program.state(self._aggregate.head.state)

    @property
    def spent(self) -> Usage:
        """The usage of models so far, this attempt included."""
        return self._aggregate.head.usage.plus(self._outputs.usage)

    @property
    def recall(self) -> ConversationPolicy:
        """Which thread the conversation is, by name, and how much of it a model is shown. Raises
        ``ExpressionFailed``."""
        rule = self.workflow.conversation
        return rule._replace(thread=self._aggregate.program.thread(rule, self.context))

    @property
    def context(self) -> EvaluationContext:
        return self._aggregate.context(None, self._data)

    def needs(self, text: str) -> frozenset[str]:
        """The names that a prompt mentions, with dots."""
        prompt = self._aggregate.program.guards.prompt(text, recalls=True)
        return frozenset(name for expression in prompt.expressions for name in expression.mentions)

    def mentions(self, value: Json) -> frozenset[str]:
        """The names that an argument mentions: a string is CEL, anything else mentions none."""
        if not isinstance(value, str):
            return frozenset()
        return self._aggregate.program.guards.compile(value, event=None, recalls=True).mentions

    def render(
        self, text: str, recalled: Mapping[str, Mapping[str, Json]], *, write: Callable[[Json], str] = written
    ) -> str:
        """A prompt as text; ``recalled`` holds the values of ``user`` and ``conversation`` that it mentions. Raises
        ``ExpressionFailed``."""
        data, _, visits = self.context
        return self._aggregate.program.guards.prompt(text, recalls=True).render(
            data, visits, recalled=recalled, write=write
        )

    def value(self, value: Json, recalled: Mapping[str, Json]) -> Json:
        """A string is CEL, anything else is itself."""
        if not isinstance(value, str):
            return value
        data, _, visits = self.context
        expression = self._aggregate.program.guards.compile(value, event=None, recalls=True)
        return expression.evaluate(data, None, visits, recalled=recalled)

    def schema(self, field: str) -> Schema:
        """The JSON Schema of a data field."""
        return self.workflow.data[field]

    def problems(self, field: str, value: Json) -> list[str]:
        """What is wrong with the value of a data field."""
        return self._aggregate.program.data_rules.problems(field, value)

    def choices(self) -> tuple[Choice, ...]:
        """The declared events that are legal now, in the order of their declaration: a guard that looks at no payload
        is asked, one that does may yet hold. Raises ``ExpressionFailed``."""
        return tuple(self._choices())

    def _choices(self) -> Iterator[Choice]:
        program, state = self._aggregate.program, self._aggregate.head.state
        for event in program.workflow.allowed(state):
            moves = program.machine.moves(state, event) if event in program.workflow.events else ()
            open_ = [move for move in moves if self._may_hold(move.transition.when, event)]
            if open_:
                said = " ".join(move.transition.description for move in open_ if move.transition.description)
                targets = tuple(move.target for move in open_ if not move.is_internal)
                yield Choice(event, object_schema(program.workflow.payload_fields(event)), said, targets)

    def _may_hold(self, when: str | None, event: str) -> bool:
        if when is None:
            return True
        guard = self._aggregate.program.guards.compile(when, event=event)
        if any(name.partition(".")[0] == "event" for name in guard.mentions):
            return True
        data, _, visits = self.context
        return guard.holds(data, None, visits)

    def judge(self, event: str, payload: Json) -> str | None:
        """Why an event would not be taken now; ``None`` if it would. Raises ``ExpressionFailed``."""
        program, state = self._aggregate.program, self._aggregate.head.state
        names = [choice.event for choice in self._choices()]
        if event not in names:
            return f"event {event!r} is not allowed here; allowed: {listed(names)}"
        if not isinstance(payload, Mapping):
            return f"the payload of {event!r} must be an object"
        try:
            whole = Event(event, program.payload_rules.complete(event, payload))
        except PayloadInvalid as error:
            return str(error)
        match program.decide(state, whole, self._aggregate.context(whole, self._data)):
            case Taken(move):
                return self._why_data_invalid(whole, move)
            case GuardsRefuse(guards):
                return f"event {event!r} is refused with this payload, because no guard held: {listed(guards)}"
            case NotAllowed():
                return f"event {event!r} is not allowed here; allowed: {listed(names)}"
            case never:
                assert_never(never)

    def _why_data_invalid(self, event: Event, move: Move) -> str | None:
        """Why the data would be wrong after a move."""
        program, view = self._aggregate.program, View(self._data)
        try:
            written = program.changes(move, event, view, self._aggregate.head.visits)
            delta = Delta(written.assign, append={name: [item] for name, item in written.append.items()})
            lists = {name: [*(view[name] or ()), item] for name, item in written.append.items()}
            program.data_rules.check(delta, {**view, **written.assign, **lists})
        except DataInvalid as error:
            return f"event {event.name!r} is refused with this payload: {error}"
        return None
