"""Each attempt of an action is one span, and what the action does happens within it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, get_args

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from fsm_agent import BlockingContext, Context, Runner, Worker, action, open_store, sync
from fsm_agent.actions.registry import Actions
from fsm_agent.data.data import Data
from fsm_agent.domain.agent import Head, Status
from fsm_agent.engine.commands import Act, Acted, Paused
from fsm_agent.errors import StoreUnavailable
from fsm_agent.runtime.action_executor import ActionExecutor
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.telemetry.attempts import OUTCOMES, outcome_of_exception
from fsm_agent.testing import FakeClock
from tests.support.parent_workflow import parent_workflow
from tests.support.runtime import Gate, flow, on_loop
from tests.support.telemetry import Recorded, parents

WORK = flow("""
    events: {ok: {}, yes: {}}
    initial: working
    states:
      working: {do: work, on: {ok: done, yes: done, error: failed, timeout: failed}}
      done: {final: true}
      failed: {final: true, outcome: failed}
""")
PATIENT = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, retry: {attempts: 3, backoff: 0s}, on: {ok: done}}
      done: {final: true}
""")


@action(name="work")
async def work(ctx: Context) -> str:
    return "ok"


async def worked(workflow: Any, *actions: Any, **how: Any) -> Recorded:
    """What is recorded of one agent, ``a``."""
    recorded = Recorded()
    async with Runner(open_store("memory://"), actions=actions, telemetry=recorded.telemetry, **how) as runner:
        await runner.start(workflow, id="a")
    return recorded


@on_loop
async def test_an_attempt_is_a_span() -> None:
    [span] = (await worked(WORK, work)).spans
    assert (span.name, span.kind, span.status.status_code) == ("w working", SpanKind.INTERNAL, StatusCode.UNSET)
    assert span.attributes == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.provider.name": "fsm_agent",
        "gen_ai.workflow.name": "w",
        "gen_ai.agent.name": "w",
        "gen_ai.conversation.id": "a",
        "fsm_agent.workflow.version": 1,
        "fsm_agent.state": "working",
        "fsm_agent.action": "work",
        "fsm_agent.version": 1,
        "fsm_agent.activation": 1,
        "fsm_agent.attempt": 1,
        "fsm_agent.outcome": "emitted",
    }
    assert (span.instrumentation_scope and span.instrumentation_scope.name) == "fsm_agent"


@on_loop
async def test_each_retry_is_a_span_of_its_own_and_a_failure_is_an_error() -> None:
    outcomes = iter([ValueError("no"), KeyError("never"), None])

    @action(name="work")
    def fail_twice(ctx: BlockingContext) -> str:
        if (error := next(outcomes)) is not None:
            raise error
        return "ok"

    spans = (await worked(PATIENT, fail_twice)).spans
    told = [(span.attributes or {}) for span in spans]
    assert [each["fsm_agent.attempt"] for each in told] == [1, 2, 3]
    assert [each.get("error.type") for each in told] == ["ValueError", "KeyError", None]
    assert [each["fsm_agent.outcome"] for each in told] == ["failed", "failed", "emitted"]
    assert [span.status.status_code for span in spans] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [(span.status.description, span.events) for span in spans] == [(None, ())] * 3


@pytest.mark.parametrize("kind", ["async", "thread", "inline"])
@on_loop
async def test_a_span_of_the_action_itself_is_within_it(kind: str) -> None:
    recorded = Recorded()
    tracer = recorded.tracer_provider.get_tracer("users")

    def look(ctx: Any) -> str:
        with tracer.start_as_current_span("look"):
            return "ok"

    async def look_async(ctx: Context) -> str:
        await asyncio.sleep(0)
        return look(ctx)

    known = {
        "async": action(name="work")(look_async),
        "thread": action(name="work")(look),
        "inline": action(name="work", inline=True)(look),
    }
    async with Runner(open_store("memory://"), actions=[known[kind]], telemetry=recorded.telemetry) as runner:
        await runner.start(WORK)
    assert parents(recorded.spans) == {"w working": None, "look": "w working"}


@on_loop
async def test_and_so_is_that_of_an_effect_whatever_thread_does_it() -> None:
    recorded = Recorded()
    tracer = recorded.tracer_provider.get_tracer("users")

    def pay() -> None:
        with tracer.start_as_current_span("pay"):
            return

    async def post() -> None:
        pay()

    @action(name="work")
    async def async_work(ctx: Context) -> str:
        await ctx.effect("pay", pay)
        await ctx.effect("post", post)
        return "ok"

    @action(name="work")
    def thread_work(ctx: BlockingContext) -> str:
        ctx.effect("pay", pay)
        return "ok"

    for known in (async_work, thread_work):
        async with Runner(open_store("memory://"), actions=[known], telemetry=recorded.telemetry) as runner:
            await runner.start(WORK)
    paid = [span for span in recorded.spans if span.name == "pay"]
    attempts = [span for span in recorded.spans if span.name == "w working"]
    around = [attempts[0], attempts[0], attempts[1]]
    assert [span.parent and span.parent.span_id for span in paid] == [each.context.span_id for each in around]


@on_loop
async def test_the_work_of_children_is_within_that_of_their_parent() -> None:
    recorded = Recorded()

    @action(name="look")
    async def look(ctx: Context) -> str:
        await asyncio.sleep(0)
        return "found"

    async with Runner(open_store("memory://"), actions=[look], telemetry=recorded.telemetry) as runner:
        agent = await runner.start(parent_workflow(), "go", data={"topics": ["a", "b"]}, id="one")
    assert agent.status is Status.DONE
    [parent, *children] = recorded.spans
    assert [span.name for span in recorded.spans] == ["w running", "child looking", "child looking"]
    assert {span.parent and span.parent.span_id for span in children} == {parent.context.span_id}
    assert {(span.attributes or {})["gen_ai.conversation.id"] for span in children} == {"one.2.1", "one.2.2"}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_blocking_code_gets_the_same_spans_within_its_own(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded()
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    with sync.Runner(open_store(url), actions=[work], telemetry=recorded.telemetry) as runner:
        with recorded.tracer_provider.get_tracer("users").start_as_current_span("request") as request:
            runner.start(WORK, id="a")
            assert trace.get_current_span() is request
        runner.start(WORK, id="b")
        assert not trace.get_current_span().get_span_context().is_valid
    told = [(span.name, span.parent is None) for span in recorded.spans]
    assert told == [("request", True), ("w working", False), ("w working", True)]
    assert [entry for entry in caplog.records if entry.levelno > logging.INFO] == []


@on_loop
async def test_a_worker_makes_spans_too() -> None:
    recorded, clock = Recorded(), FakeClock()
    store = MemoryStore(clock=clock)
    async with Runner(store, actions=[work], telemetry=recorded.telemetry) as runner:
        for name in ("a", "b"):
            await runner.start(WORK, id=name, drive=False)
        assert recorded.spans == []
        await Worker(runner).run_once()
    assert {(span.attributes or {})["gen_ai.conversation.id"] for span in recorded.spans} == {"a", "b"}
    assert [span.parent for span in recorded.spans] == [None, None]


@on_loop
async def test_a_question_a_pause_and_a_missing_action_have_outcomes_of_their_own() -> None:
    @action(name="work")
    async def ask(ctx: Context) -> Any:
        return ctx.ask("Sure?", ["yes"])

    waiting = flow("""
        events: {ok: {}}
        initial: working
        states:
          working: {do: wait, with: {for: 1d}, on: {ok: done}}
          done: {final: true}
    """)
    assert (await worked(WORK, ask)).outcomes() == ["asked"]
    assert (await worked(waiting)).outcomes() == ["paused"]
    [span] = (await worked(WORK)).spans
    assert (span.attributes or {})["fsm_agent.outcome"] == "missing"
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "ActionMissing")


@on_loop
async def test_an_attempt_that_takes_too_long_has_timed_out() -> None:
    hasty = flow("""
        events: {ok: {}}
        initial: working
        states:
          working: {do: work, timeout: 1ms, on: {ok: done, timeout: failed}}
          done: {final: true}
          failed: {final: true, outcome: failed}
    """)

    @action(name="work")
    async def dawdle(ctx: Context) -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    [span] = (await worked(hasty, dawdle)).spans
    assert (span.attributes or {})["fsm_agent.outcome"] == "timed_out"
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "TimeoutError")


@on_loop
async def test_an_effect_in_doubt_is_an_error() -> None:
    @action(name="work")
    async def pay(ctx: Context) -> str:
        def fail() -> None:
            raise ConnectionError("no line")

        await ctx.effect("pay", fail, mode="at_most_once")
        return "ok"

    recorded = await worked(PATIENT, pay)
    assert recorded.outcomes() == ["failed", "in_doubt"]
    span = recorded.spans[-1]
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "EffectInDoubt")


@on_loop
async def test_an_attempt_that_is_stopped_is_no_error() -> None:
    recorded = Recorded()
    store = open_store("memory://")
    gate = Gate()
    async with Runner(store, actions=[gate.as_action()], telemetry=recorded.telemetry) as runner:
        driving = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        await runner.cancel("a")
        await driving
        gate.begun.clear()
        stopped = asyncio.create_task(runner.start(WORK, id="b"))
        await gate.begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert recorded.outcomes() == ["superseded", "cancelled"]
    assert [(span.status.status_code, span.events) for span in recorded.spans] == [(StatusCode.UNSET, ())] * 2


class LostStore(MemoryStore):
    """Loses its server while an action works."""

    is_lost = False

    async def now(self) -> int:
        if self.is_lost:
            raise StoreUnavailable("no server")
        return await super().now()


@on_loop
async def test_a_store_that_fails_meanwhile_is_an_error() -> None:
    recorded, store = Recorded(), LostStore()

    @action(name="work", inline=True)
    def lose(ctx: Context) -> str:
        store.is_lost = True
        return "ok"

    runner = Runner(store, actions=[lose], telemetry=recorded.telemetry)
    with pytest.raises(StoreUnavailable):
        await runner.start(WORK)
    [span] = recorded.spans
    assert (span.attributes or {})["fsm_agent.outcome"] == "failed"
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "StoreUnavailable")
    assert (span.status.description, span.events) == (None, ())


class ListingExecutor:
    """An executor that lists what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def act(self, command: Act) -> Acted:
        self.asked.append(("act", command))
        return Paused(1, 2)

    async def sleep(self, head: Head, until_ms: int) -> int:
        self.asked.append(("sleep", head, until_ms))
        return until_ms + 1

    def interrupt(self, agent_id: str, epoch: int) -> None:
        self.asked.append(("interrupt", agent_id, epoch))

    def drain(self) -> None:
        self.asked.append(("drain",))

    async def settled(self, agent_id: str) -> None:
        self.asked.append(("settled", agent_id))

    async def close(self) -> None:
        self.asked.append(("close",))


@on_loop
async def test_all_that_an_executor_is_asked_for_reaches_it() -> None:
    recorded, inner = Recorded(), ListingExecutor()
    traced = recorded.telemetry.traced(inner)
    head = Head("a", "w", 1, "hash", "working", Status.RUNNING, 1, 0, 0)
    nothing: Any = None
    command = Act(head, "work", {}, Data({}), 0, 2, None, None, nothing, nothing)
    assert await traced.act(command) == Paused(1, 2)
    assert await traced.sleep(head, 5) == 6
    traced.interrupt("a", 7)
    traced.drain()
    await traced.settled("a")
    await traced.close()
    assert inner.asked == [
        ("act", command), ("sleep", head, 5), ("interrupt", "a", 7), ("drain",), ("settled", "a"), ("close",),
    ]  # fmt: skip
    assert recorded.outcomes() == ["paused"]


def test_every_reply_of_an_executor_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(get_args(Acted))
    assert outcome_of_exception(KeyboardInterrupt()).name == "cancelled"


@on_loop
async def test_an_executor_that_is_given_is_traced_and_closed() -> None:
    recorded = Recorded()
    store, actions = MemoryStore(), Actions([work])
    given = ActionExecutor(store, actions)
    async with Runner(store, actions=actions, executor=given, telemetry=recorded.telemetry) as runner:
        await runner.start(WORK)
    assert recorded.outcomes() == ["emitted"]
    with pytest.raises(asyncio.CancelledError):
        await runner.start(WORK)
