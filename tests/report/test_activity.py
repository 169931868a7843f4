"""What agents did over time: every step is counted once, and open questions end as they are now."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.selection import asks
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import Refused
from fsm_agent.loading.yaml_file import loads
from fsm_agent.report.activity import Life, Moment, activity
from fsm_agent.runtime.coverage import tally_agents
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.hypothesis_settings import example_settings

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS

#: asks, stays, works, parks and can be brought back
ERRANDS: Final = """
workflow: errands
version: 1
data: {count: {type: integer, default: 0}}
events: {go: {}, note: {}, yes: {}, work: {}, done: {}}
initial: idle
on:
  note: {assign: {count: data.count + 1}}
states:
  idle: {on: {go: asking, work: working}}
  asking:
    ask: {prompt: "Number {{ data.count }}?", events: [yes]}
    after: {1h: lapsed}
    on: {yes: idle, work: working}
  working: {do: fail, on: {done: idle}}
  lapsed: {on: {go: asking}}
"""


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    """Lives within some years, that begin and end at any time."""
    made = []
    for _ in range(draw(st.integers(0, 6))):
        times = sorted(draw(st.lists(st.integers(0, draw(st.sampled_from([1, 10, 400, 2_000])) * DAY_MS), max_size=12)))
        moments = [Moment(at_ms, draw(st.booleans())) for at_ms in times]
        made.append(Life(moments, draw(st.booleans())))
    return made


@given(told=lives(), later_ms=st.integers(-DAY_MS, 40 * DAY_MS), spans=st.integers(1, 60))
def test_each_step_is_counted_once_and_questions_end_as_they_are(told: list[Life], later_ms: int, spans: int) -> None:
    taken = [moment.at_ms for life in told for moment in life.moments]
    now_ms = max(taken, default=0) + later_ms
    seen = activity(told, now_ms=now_ms, spans=spans)
    if not taken:
        assert seen is None
        return
    assert seen is not None
    assert 1 <= len(seen.steps) == len(seen.open_questions) <= spans
    assert seen.begin_ms + len(seen.steps) * seen.span_ms > max(now_ms, *taken)
    assert sum(seen.steps) == sum(at_ms >= seen.begin_ms for at_ms in taken)
    assert min(seen.open_questions) >= 0
    assert seen.open_questions[-1] == sum(life.moments[-1].asks for life in told if life.moments)
    assert max(seen.open_questions) <= len(told)


@given(told=lives())
def test_what_a_year_holds_is_all_counted(told: list[Life]) -> None:
    taken = [moment.at_ms for life in told for moment in life.moments]
    seen = activity(told, now_ms=max(taken, default=0))
    if seen is not None and max(taken) - min(taken) < 365 * DAY_MS:
        assert sum(seen.steps) == len(taken)


@pytest.mark.parametrize(
    ("lasts_ms", "span_ms"),
    [(0, MINUTE_MS), (47 * MINUTE_MS, MINUTE_MS), (48 * MINUTE_MS, 5 * MINUTE_MS), (30 * DAY_MS, DAY_MS)],
)
def test_spans_are_as_long_as_they_must_be(lasts_ms: int, span_ms: int) -> None:
    seen = activity([Life([Moment(0, True), Moment(lasts_ms, False)])], now_ms=lasts_ms)
    assert seen is not None
    assert seen.span_ms == span_ms
    assert sum(seen.steps) == 2


DEEDS: Final = st.sampled_from(["go", "note", "yes", "work", "park", "unpark", "rewind", "wait", "cancel"])


@example_settings(30)
@given(deeds=st.lists(st.lists(DEEDS, max_size=8), min_size=1, max_size=3))
def test_what_real_agents_ask_is_told_as_each_version_asks_it(deeds: list[list[str]]) -> None:
    asyncio.run(_live(loads(ERRANDS), deeds))


async def _live(workflow: Workflow, lives: list[list[str]]) -> None:
    clock = FakeClock(DAY_MS)
    async with Runner(open_store("memory://", clock=clock)) as runner:
        ids = [f"agent-{number}" for number in range(len(lives))]
        for agent_id, deeds in zip(ids, lives, strict=True):
            await runner.start(workflow, id=agent_id)
            for deed in deeds:
                clock.advance(minutes=7)
                await _do(runner, clock, agent_id, deed)
        _, told = await tally_agents(runner.store, workflow, ids)
        for agent_id, life in zip(ids, told, strict=True):
            versions = [step.version for step in await runner.history(agent_id)]
            asked = [(await runner.get(agent_id, at=version)).question is not None for version in versions]
            assert [moment.asks for moment in life.moments] == asked
        seen = activity(told, now_ms=clock.ms)
        assert seen is not None
        assert sum(seen.steps) == sum([len(await runner.history(agent_id)) for agent_id in ids])
        assert seen.open_questions[-1] == sum(asks(head, None) for head in await runner.store.heads(ids))


async def _do(runner: Runner, clock: FakeClock, agent_id: str, deed: str) -> None:
    try:
        match deed:
            case "park":
                await runner.send(agent_id, "work")
            case "unpark":
                await runner.unpark(agent_id)
            case "rewind":
                await runner.rewind(agent_id, 1)
            case "wait":
                clock.advance(hours=2)
                await runner.resume(agent_id)
            case "cancel":
                await runner.cancel(agent_id)
            case event:
                await runner.send(agent_id, event)
    except Refused:
        return  # it cannot be done there
