"""The engine, the compiled machine and a naive model never disagree, whatever the workflow and the events."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.data.delta import fold
from fsm_agent.dialect import read_document
from fsm_agent.domain.agent import ENDED
from fsm_agent.domain.decision import EvaluationContext, GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.step import Event
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import Refused
from fsm_agent.testing.scripted import Drive
from tests.support.hypothesis_settings import example_settings

from .model import Model, Rejected
from .outcomes import Outcome
from .random_workflows import DATA, EVENTS, FINALS, OPERATIONS, OUTCOMES, documents
from .transition_table import Table, choose

PAYLOADS: dict[str, dict[str, Any]] = {"give": {"x": 2}}


class Pair:
    """The same agent twice: in the package and in the model."""

    def __init__(self, document: dict[str, Any], script: list[Any]) -> None:
        workflow, findings = read_document(document)
        assert workflow is not None, findings
        self.script, self.calls = script, 0
        #: of each event, why it was refused, if it was
        self.refusals: list[str | None] = []
        self.machine = Machine(workflow)
        self.run = Drive(workflow, {"work": self._work}, {})
        self.start_ms = self.run.agent.created_at.timestamp() * 1000
        self.table = Table(document)
        self.model = Model(self.table, script, round(self.start_ms))

    def _work(self, ctx: Any) -> Any:
        self.calls += 1
        return self.script[(self.calls - 1) % len(self.script)].play(ctx)

    def do(self, operation: tuple[Any, ...]) -> None:
        match operation:
            case ("send", number, x):
                event = self._pick(number)
                payload = {"x": x} if event == "give" and x else {}
                self._both(lambda: self.run.send(event, **payload), lambda: self.model.send(event, payload))
            case ("cancel",):
                self._both(self.run.cancel, lambda: self.model.send("cancel", {}))
            case ("unpark",):
                self._both(self.run.unpark, self.model.unpark)
            case ("advance", seconds):
                self.run.advance(seconds=seconds)
                self.model.advance(self.model.now_ms + seconds * 1000)
            case ("sleep", seconds):
                self.run.clock.advance(seconds=seconds)
                self.model.now_ms += seconds * 1000

    def _pick(self, number: int) -> str:
        """An event by number: mostly one that the state takes, sometimes one that it does not, or that nobody knows."""
        taken = [event for event in EVENTS if self.table.candidates(self.model.leaf, event)]
        pool = [*taken, *taken, *EVENTS, "unknown"]
        return pool[number % len(pool)]

    def _both(self, ours: Any, theirs: Any) -> None:
        """Both take it, or both refuse it for the same reason; and what is refused changes nothing."""
        before, fires = self.facts(), self._has_due()
        refused = refused_too = None
        try:
            ours()
        except Refused as error:
            refused = type(error).__name__
        try:
            theirs()
        except Rejected as rejected:
            refused_too = str(rejected)
        assert refused == refused_too
        if refused and not fires:
            assert self.facts() == before
        self.refusals.append(refused)

    def _has_due(self) -> bool:
        return any(timer.due_ms <= self.run.clock.ms for timer in self.run.head.timers)

    def facts(self) -> tuple[Any, ...]:
        return self.run.head, self.run.history, dict(self.run.data)

    def agree(self) -> None:
        self._agree_on_agent()
        self._agree_on_what_may_happen()
        self._history_adds_up()

    def _agree_on_agent(self) -> None:
        run, model, head = self.run, self.model, self.run.head
        assert (run.state, str(run.status), head.version) == (model.leaf, model.status, model.version)
        assert dict(head.visits) == model.visits
        assert dict(run.data) == model.data
        armed = {(timer.state, timer.label, timer.due_ms) for timer in head.timers}
        if run.status not in ENDED:
            assert armed == {(timer.state, timer.label, timer.due_ms) for timer in model.timers}
        assert run.clock.ms == model.now_ms
        assert self.calls == model.calls
        if run.status == "waiting":
            assert run.prompt == model.prompt
            assert run.agent.question is None or run.agent.question.id == model.question
        assert head.lease is None

    def _agree_on_what_may_happen(self) -> None:
        for event in (*EVENTS, "error", "timeout", "cancel", "after"):
            payload = PAYLOADS.get(event, {})
            context = EvaluationContext(self.model.data, Event(event, payload), self.model.visits)
            offered = self.table.candidates(self.model.leaf, event)
            expected = choose(offered, payload, self.model.data, self.model.visits)
            match self.machine.decide(self.model.leaf, event, context):
                case Taken(move):
                    assert expected is not None
                    way = self.table.way(self.model.leaf, expected)
                    assert (move.target, list(move.exited), list(move.entered)) == way
                    assert move.is_internal == expected.is_internal
                case GuardsRefuse(guards):
                    assert expected is None
                    assert list(guards) == [each.said["when"] for each in offered]
                case NotAllowed():
                    assert not offered

    def _history_adds_up(self) -> None:
        steps = self.run.history
        assert [step.version for step in steps] == list(range(1, self.run.head.version + 1))
        assert fold(None, steps).values == dict(self.run.data)
        assert steps[0].kind is StepKind.CREATED
        assert steps[-1].target == self.run.state
        assert all(earlier.target == later.source for earlier, later in pairwise(steps))


@example_settings(150)
@given(documents(), st.lists(OUTCOMES, min_size=1, max_size=6), st.lists(OPERATIONS, min_size=4, max_size=20))
def test_engine_machine_and_model_never_disagree(document: Any, script: list[Any], operations: list[Any]) -> None:
    pair = Pair(document, script)
    pair.agree()
    for operation in operations:
        pair.do(operation)
        pair.agree()
    for refusal in pair.refusals:
        note(f"refused: {refusal}")
    note(f"in the end {pair.model.status}")


GO = ("send", 0, 0)
TIMED = {"after": {"1s": "b"}}
GOES_ON = {"on": {"go": {"assign": {"n": 1}}, "back": "done"}}
SPOILT = {"1s": {"assign": {"n": "data.n + 1"}}}

#: What the search found once: states, limits, what the action says, what is done.
FOUND = {
    "a late event that stays is taken before the work begins": (
        {"a": TIMED, "b": {"do": "work", **GOES_ON}},
        {},
        [Outcome("back")],
        [("sleep", 1), GO],
    ),
    "cancel goes beyond the limits": (
        {"a": {"on": {"go": "b", "cancel": "gone"}}, "b": {"on": {"go": "a", "cancel": "gone"}}},
        {"steps": 2},
        [Outcome("go")],
        [GO, GO, ("cancel",)],
    ),
    "an operator's leave is for one step, and what was exceeded then is not held against the next": (
        {"a": {"on": {"go": "b"}}, "b": {"on": {"go": "a"}}},
        {"visits": {"b": 1}},
        [Outcome("go")],
        [GO, GO, GO, ("unpark",), GO, GO, ("unpark",), GO],
    ),
    "work that is done is not done again when an operator comes": (
        {"a": {"do": "work", "on": {"go": {"assign": {"n": 3}}}, "after": SPOILT}},
        {},
        [Outcome("go")],
        [("advance", 1), ("unpark",)],
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_once_stays_right(found: str) -> None:
    states, limits, script, operations = FOUND[found]
    head = {"workflow": "found", "version": 1, "data": DATA, "events": EVENTS, "initial": "a"}
    pair = Pair({**head, "states": states | FINALS, "limits": limits}, script)
    for operation in operations:
        pair.do(operation)
        pair.agree()
