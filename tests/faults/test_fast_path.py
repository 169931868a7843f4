"""The steady path never differs from the general one: whatever is declared, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.step import Step
from fsm_agent.engine.commands import Act, Command
from fsm_agent.engine.program import FastPathAction, Program
from fsm_agent.errors import Refused
from tests.support.hypothesis_settings import example_settings

from .agent_recorder import AgentRecorder
from .outcomes import Outcome
from .random_workflows import DATA, OPERATIONS, OUTCOMES

Body = dict[str, Any]

FINALS: Body = {"done": {"final": True, "output": {"n": "data.n"}}, "lost": {"final": True, "outcome": "failed"}}
#: What a transition does: most states are at work, so that most go on from one attempt to the next.
TRANSITIONS = st.sampled_from(
    [
        "busy",
        "busy",
        "idle",
        "asking",
        "done",
        {"assign": {"flag": "!data.flag"}},
        {"append": {"notes": "data.n"}},
        {"target": "busy", "assign": {"n": "data.n + 1"}},
        {"target": "other", "when": "data.n < 3"},
        [{"target": "other", "when": "data.flag"}, "busy"],
    ]
)
TIMERS = st.one_of(st.just({}), st.just({}), st.dictionaries(st.sampled_from(["1s", "10s"]), TRANSITIONS, max_size=1))


@st.composite
def _working(draw: Any) -> Body:
    """A state with an action, and whatever may be declared of it."""
    events = ["go", "back", "give", "error", "timeout", "cancel"]
    state: Body = {"do": "work", "on": {event: draw(TRANSITIONS) for event in draw(st.sets(st.sampled_from(events)))}}
    state["on"].setdefault("go", draw(TRANSITIONS))
    state["after"] = draw(TIMERS)
    if draw(st.booleans()):
        state["retry"] = {"attempts": 2, "backoff": draw(st.sampled_from(["1s", "10s"]))}
    if draw(st.integers(0, 3)) == 0:
        state["timeout"] = "10s"
    return state


@st.composite
def workflows(draw: Any) -> Body:
    """A workflow that is mostly at work; some declare what keeps it off the steady path."""
    document: Body = {
        "workflow": "busy",
        "version": 1,
        "data": DATA,
        "events": {"go": {}, "give": {"x": "integer"}, "back": {}},
        "initial": "busy",
        "on": draw(st.sampled_from([{}, {"back": "lost"}, {"give": {"assign": {"n": "event.x"}}}])),
        "states": {
            "busy": draw(_working()),
            "other": draw(_working()),
            "idle": {"on": {"go": draw(TRANSITIONS)}, "after": draw(TIMERS)},
            "asking": {"ask": {"prompt": "n is {{ data.n }}", "events": ["go"]}, "on": {"go": draw(TRANSITIONS)}},
            **FINALS,
        },
        "limits": {"steps": draw(st.integers(5, 25))},
    }
    match draw(st.integers(0, 8)):
        case 0:
            document["limits"]["wall_time"] = draw(st.sampled_from(["1s", "1h"]))
        case 1:
            document["user"] = {"name": "string?"}
    return document


class Steps(dict[str, FastPathAction]):
    """Counts how often an agent was found in a state that has a steady action."""

    found = 0

    def get(self, leaf: str, default: Any = None) -> Any:
        action = super().get(leaf, default)
        self.found += action is not None
        return action


class BusyRecorder(AgentRecorder):
    """Records an agent to which others send ``concurrent`` events while its action works; ``None`` is no event."""

    def __init__(
        self, document: Body, script: Sequence[Outcome], concurrent: Sequence[str | None], *, is_steady: bool
    ) -> None:
        super().__init__(document, script, "memory://")
        self._concurrent = concurrent
        #: each attempt as the engine requested it
        self.attempts: list[tuple[Any, ...]] = []
        self._perform = self._loop.perform
        self._loop.perform = self._note  # type: ignore[method-assign]
        program: Program = self._loop.programs.program(self.workflow)
        self.steps = Steps(program.fast_path_actions if is_steady else {})
        program.fast_path_actions = self.steps

    async def _note(self, effect: Command) -> Any:
        if isinstance(effect, Act):
            head, do, arguments, data, *times, _, _ = effect
            self.attempts.append((head, do, dict(arguments), data.plain(), *times))
        return await self._perform(effect)

    async def _work(self, ctx: Any) -> Any:
        event = self._concurrent[(len(self.attempts) - 1) % len(self._concurrent)]
        if event == "time":
            self.clock.advance(seconds=3)
        elif event is not None:
            try:
                await self.runner.send(ctx.agent_id, event, {"x": 2} if event == "give" else {})
            except Refused:
                self.attempts.append((event, "refused"))
        return super()._work(ctx)

    async def run_and_read(self, operations: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
        """Everything that was recorded: a view of each version, attempts, histories and heads."""
        await self.run(operations)
        histories: list[Sequence[Step]] = [await self.runner.history(agent_id) for agent_id in self.ids]
        heads = [await self.runner.store.head(agent_id) for agent_id in self.ids]
        return self.seen, self.attempts, histories, heads


def _both(
    document: Body, script: list[Outcome], concurrent: list[str | None], operations: list[tuple[Any, ...]]
) -> int:
    """Live twice, on both paths; how often the steady one was open."""
    steady, general = (BusyRecorder(document, script, concurrent, is_steady=is_steady) for is_steady in (True, False))
    assert asyncio.run(steady.run_and_read(operations)) == asyncio.run(general.run_and_read(operations))
    assert general.steps.found == 0
    return steady.steps.found


@given(
    document=workflows(),
    script=st.lists(OUTCOMES, min_size=1, max_size=6),
    concurrent=st.lists(st.sampled_from([None, None, "go", "give", "back", "time"]), min_size=1, max_size=5),
    operations=st.lists(OPERATIONS, max_size=8),
)
@example_settings(80)
def test_both_paths_make_the_same_steps_of_the_same_agents(
    document: Body, script: list[Outcome], concurrent: list[str | None], operations: list[tuple[Any, ...]]
) -> None:
    note(f"found on the steady path: {min(_both(document, script, concurrent, operations), 3)} times or more")


END: Body = {"final": True}
BUSY: Body = {"do": "work", "on": {"go": {"target": "busy", "when": "data.n < 4"}, "back": "end"}}
AT_WORK: Body = {
    "workflow": "w",
    "version": 1,
    "data": DATA,
    "events": {"go": {}, "give": {"x": "integer"}, "back": {}},
    "initial": "busy",
    "states": {"busy": BUSY, "end": END},
}
GO, FAIL = Outcome("go", adds=1), Outcome("error")
INTERNAL = {"give": {"assign": {"n": "event.x"}}}


def _at_work(**more: Any) -> Body:
    busy = {**BUSY, **more, "on": {**BUSY["on"], **more.get("on", {})}}
    return {**AT_WORK, "states": {"busy": busy, "end": END}}


def _timed(label: str) -> Body:
    """The timer is that of the parent, which is not left when its only child is entered again."""
    return {
        **AT_WORK,
        "initial": "all",
        "states": {"all": {"initial": "busy", "after": {label: "end"}, "states": {"busy": BUSY}}, "end": END},
    }


def test_a_state_that_only_works_is_on_the_steady_path() -> None:
    assert _both(AT_WORK, [GO, GO, GO, Outcome("back")], [None], []) >= 3  # the first attempt is the general path's


@pytest.mark.parametrize(
    ("document", "script", "concurrent"),
    [
        (_at_work(on=INTERNAL), [GO], [None, "give"]),
        (_timed("2s"), [GO], [None, "time"]),
        (_at_work(retry={"attempts": 2, "backoff": "10s"}, after={}), [GO, FAIL], [None]),
        ({**AT_WORK, "limits": {"wall_time": "2s"}}, [GO], [None, "time"]),
        (_at_work(**{"with": {"depth": 2}}), [GO], [None]),
    ],
    ids=[
        "an event is queued",
        "a timer falls due",
        "an attempt is made again",
        "its time is bounded",
        "it is given something",
    ],
)
def test_what_happens_meanwhile_is_decided_before_the_next_attempt(
    document: Body, script: list[Outcome], concurrent: list[str | None]
) -> None:
    _both(document, script, concurrent, [("advance", 60)])
