"""Steps, refusals and durations are counted as they happen; agents and questions when somebody asks for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from fsm_agent import BlockingContext, Context, Refused, Runner, action, open_store, sync
from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import Tally
from fsm_agent.errors import StoreUnavailable
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.telemetry import OpenTelemetry
from fsm_agent.telemetry.instruments import BOUNDARIES_S
from fsm_agent.telemetry.store_gauges import MAX_AGE_S, MOST_STATES, StoreGauges, agent_observations
from tests.support.runtime import flow, on_loop
from tests.support.telemetry import Recorded, labels

WORK = flow("""
    events: {go: {}, ok: {}, yes: {n: integer}, no: {}}
    initial: idle
    states:
      idle: {on: {go: working}}
      working: {do: work, retry: {attempts: 2, backoff: 0s}, on: {ok: asking}}
      asking: {ask: {prompt: Sure?, events: [yes, no], to: "'ana'"}, on: {yes: done, no: failed}}
      done: {final: true}
      failed: {final: true, outcome: failed}
""")


@action(name="work")
async def work(ctx: Context) -> str:
    return "ok"


@on_loop
async def test_steps_are_counted_by_workflow_and_status_and_attempts_are_none() -> None:
    recorded = Recorded()
    outcomes = iter([ValueError("no"), None])

    @action(name="work")
    def fail_once(ctx: BlockingContext) -> str:
        if (error := next(outcomes)) is not None:
            raise error
        return "ok"

    async with Runner(open_store("memory://"), actions=[fail_once], telemetry=recorded.telemetry) as runner:
        await runner.start(WORK, "go", id="a")
        await runner.answer("a", {"n": 1}, event="yes", by="ana")
        steps = len(await runner.history("a"))
        await runner.start(WORK, id="b")
        forked = await runner.fork("a", 1)
        await runner.rewind("b", 1)
        await runner.cancel("b")
    assert forked.version == 1
    counts = recorded.counts("fsm_agent.steps")
    assert counts == {
        labels(workflow="w", status="running"): 2,
        labels(workflow="w", status="waiting"): 4,
        labels(workflow="w", status="done"): 1,
        labels(workflow="w", status="cancelled"): 1,
    }
    assert sum(counts.values()) == steps + 4


@on_loop
async def test_durations_are_in_seconds_with_boundaries_of_our_own() -> None:
    recorded = Recorded()
    async with Runner(open_store("memory://"), actions=[work], telemetry=recorded.telemetry) as runner:
        await runner.start(WORK, "go")
    [(where, point)] = recorded.points("fsm_agent.action.duration").items()
    assert where == labels(workflow="w", state="working", action="work", outcome="emitted")
    assert (point.count, point.explicit_bounds) == (1, BOUNDARIES_S)
    assert 0 < point.sum < 30
    assert (BOUNDARIES_S[0], BOUNDARIES_S[-1], sorted(BOUNDARIES_S)) == (0.005, 600, list(BOUNDARIES_S))


@on_loop
async def test_what_is_refused_is_counted_by_kind_and_no_read_is() -> None:
    recorded = Recorded()
    async with Runner(open_store("memory://"), actions=[work], telemetry=recorded.telemetry) as runner:
        await runner.start(WORK, "go", id="a")
        for call in (
            runner.send("a", "go"),
            runner.answer("a", {"n": "one"}, event="yes", by="ana"),
            runner.answer("a", {"n": 1}, event="yes", by="bob"),
            runner.send("nobody", "go"),
            runner.rewind("a", 99),
            runner.get("nobody"),
        ):
            with pytest.raises(Refused):
                await call
    assert recorded.counts("fsm_agent.refusals") == {
        labels(kind="conflict", error__type="IllegalEvent"): 1,
        labels(kind="invalid", error__type="PayloadInvalid"): 1,
        labels(kind="forbidden", error__type="NotAddressee"): 1,
        labels(kind="not_found", error__type="AgentNotFound"): 1,
        labels(kind="not_found", error__type="VersionMissing"): 1,
    }


def test_a_blocking_runner_counts_the_same() -> None:
    recorded = Recorded()
    with sync.Runner(open_store("memory://"), actions=[work], telemetry=recorded.telemetry) as runner:
        runner.start(WORK, "go", id="a")
        with pytest.raises(Refused):
            runner.send("a", "go")
    assert recorded.counts("fsm_agent.refusals") == {labels(kind="conflict", error__type="IllegalEvent"): 1}
    assert sum(recorded.counts("fsm_agent.steps").values()) == 3


@on_loop
async def test_agents_and_open_questions_are_those_of_the_store() -> None:
    recorded = Recorded()
    async with Runner(open_store("memory://"), actions=[work], telemetry=recorded.telemetry) as runner:
        store = runner.store
        gauges = recorded.telemetry.watch(tally=store.tally, questions=store.count_questions)
        assert recorded.counts("fsm_agent.agents") == {}
        for name in ("a", "b", "c"):
            await runner.start(WORK, "go", id=name)
        await runner.answer("c", event="no", by="ana")
        await gauges.refresh()
    assert recorded.counts("fsm_agent.agents") == {
        labels(workflow="w", status="waiting", state="asking"): 2,
        labels(workflow="w", status="failed"): 1,
    }
    assert recorded.counts("fsm_agent.questions.open") == {frozenset(): 2}


class Counted:
    """A store whose agents are counted, with a clock; it says how often, and fails if it is told to."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.seconds = 0.0
        self.times = 0
        self.error: Exception | None = None
        self.again = asyncio.Event()
        self.gauges = StoreGauges(
            provider.get_meter("test"), tally=self.tally, questions=self.questions, clock=lambda: self.seconds
        )

    async def tally(self) -> Sequence[Tally]:
        self.times += 1
        if self.error is not None:
            raise self.error
        return [Tally("w", "asking", Status.WAITING, self.times)]

    async def questions(self) -> int:
        self.again.set()
        return self.times

    def seen(self) -> list[int]:
        """The numbers that a reader gets."""
        data = self.reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        metrics = [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]
        return [point.value for metric in metrics for point in metric.data.data_points]


@on_loop
async def test_a_count_serves_for_ten_seconds_however_many_ask() -> None:
    counted = Counted()
    await asyncio.gather(*(counted.gauges.refresh() for _ in range(3)))
    counted.seconds += MAX_AGE_S - 1
    await counted.gauges.refresh()
    assert (counted.times, counted.seen()) == (1, [1, 1])
    counted.seconds += 1
    await counted.gauges.refresh()
    assert (counted.times, counted.seen()) == (2, [2, 2])


@on_loop
async def test_whoever_reads_an_old_count_has_agents_counted_again() -> None:
    counted = Counted()
    await counted.gauges.refresh()
    counted.again.clear()
    counted.seconds += MAX_AGE_S
    assert counted.seen() == [1, 1]
    await counted.again.wait()
    assert (counted.times, counted.seen()) == (2, [2, 2])


@on_loop
async def test_and_so_does_a_reader_in_a_thread_of_its_own() -> None:
    counted = Counted()
    await counted.gauges.refresh()
    counted.again.clear()
    counted.seconds += MAX_AGE_S
    await asyncio.to_thread(counted.seen)
    await counted.again.wait()
    assert counted.seen() == [2, 2]


@on_loop
async def test_without_a_store_that_answers_there_are_no_numbers_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    counted = Counted()
    await counted.gauges.refresh()
    counted.error = StoreUnavailable("no server")
    counted.seconds += MAX_AGE_S
    await counted.gauges.refresh()
    assert counted.seen() == []
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING] == [
        "agents cannot be counted: no server"
    ]


def test_after_the_loop_has_ended_the_last_count_is_read() -> None:
    counted = Counted()
    asyncio.run(counted.gauges.refresh())
    counted.seconds += MAX_AGE_S
    assert counted.seen() == [1, 1]


def test_there_are_only_so_many_states_and_no_agent_is_left_out() -> None:
    tallies = [Tally("w", f"s{number}", Status.WAITING, number + 1) for number in range(MOST_STATES + 100)]
    tallies += [Tally("w", f"s{number}", Status.DONE, 1) for number in range(10_000)]
    observed = {labels(**(each.attributes or {})): each.value for each in agent_observations(tallies)}
    assert len(observed) == MOST_STATES + 2
    assert observed[labels(workflow="w", status="done")] == 10_000
    assert observed[labels(workflow="w", status="waiting")] == sum(range(1, 101))
    assert labels(workflow="w", status="waiting", state="s100") in observed
    assert sum(observed.values()) == sum(each.agents for each in tallies)


@on_loop
async def test_the_providers_of_the_process_count_where_none_are_given() -> None:
    telemetry = OpenTelemetry()
    async with Runner(MemoryStore(), actions=[work], telemetry=telemetry) as runner:
        assert (await runner.start(WORK, "go")).state == "asking"
