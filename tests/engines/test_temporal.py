"""Temporal keeps the contract of engines, with a real server."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker as TemporalWorker

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.engines import open_engine
from fsm_agent.engines.temporal.dispatch import HEARTBEAT, SIGNAL, WORKFLOW
from fsm_agent.engines.temporal.engine import task_queue
from fsm_agent.errors import EngineUnavailable
from fsm_agent.testing import RemoteEngineContract
from fsm_agent.testing.engines import EngineBench
from tests.support.runtime import flow, on_loop
from tests.support.servers.temporal_server import TemporalServer

pytestmark = pytest.mark.server

SOON = flow("""
    initial: napping
    states:
      napping: {after: {1s: resting}}
      resting: {}
""")
TWICE = flow("""
    initial: napping
    states:
      napping: {after: {500ms: dozing}}
      dozing: {after: {500ms: resting}}
      resting: {}
""")
RETRIED = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: fails_once, retry: {attempts: 3, backoff: 1s}, on: {ok: resting}}
      resting: {}
""")


@pytest.fixture(scope="module")
def temporal() -> Iterator[TemporalServer]:
    with TemporalServer() as server:
        yield server


class TestTemporal(RemoteEngineContract):
    @pytest.fixture
    def engine_server(self, temporal: TemporalServer) -> TemporalServer:
        return temporal

    @pytest.fixture
    def engine_url(self, temporal: TemporalServer) -> str:
        return temporal.url()


@on_loop
async def test_what_is_due_soon_is_driven_then_without_a_sweep(temporal: TemporalServer) -> None:
    async with served(temporal, "soon") as bench:
        await bench.runner.start(SOON, id="a", drive=False)
        await bench.until_resting("a")
        await bench.until(lambda: bench.engine.turns["a"] == 1)


@on_loop
async def test_a_backoff_is_waited_for_by_temporal(temporal: TemporalServer) -> None:
    failures = iter([ValueError("not yet")])

    @action(name="fails_once")
    async def fails_once(ctx: Context) -> str:
        for failure in failures:
            raise failure
        return "ok"

    async with served(temporal, "backoff", fails_once) as bench:
        await bench.runner.start(RETRIED, id="a", drive=False)
        await bench.until_resting("a")
        assert bench.engine.turns["a"] == 2


@on_loop
async def test_an_agent_with_nothing_to_do_has_no_workflow_that_runs(temporal: TemporalServer) -> None:
    async with served(temporal, "ended") as bench:
        await bench.start("a")
        await bench.until_resting("a")
        client = await bench.engine.inner._connection.client()  # type: ignore[attr-defined]
        handle = client.get_workflow_handle("fsm-agent/ended/a")
        async with asyncio.timeout(30):
            await handle.result()
        events = [event async for event in handle.fetch_history_events()]
        assert len(events) <= 12


@on_loop
async def test_what_is_due_in_days_starts_no_workflow(temporal: TemporalServer) -> None:
    async with served(temporal, "days") as bench:
        await bench.start("a", "nap")
        client = await bench.engine.inner._connection.client()  # type: ignore[attr-defined]
        with pytest.raises(RPCError) as caught:
            await client.get_workflow_handle("fsm-agent/days/a").describe()
        assert caught.value.status is RPCStatusCode.NOT_FOUND


@on_loop
async def test_a_namespace_that_temporal_does_not_have_is_one_sentence(temporal: TemporalServer) -> None:
    with pytest.raises(EngineUnavailable, match="does not answer: it has no namespace 'nowhere'"):
        async with open_engine(temporal.url("nowhere")):
            pass


@on_loop
async def test_the_environment_says_where_temporal_is_if_the_url_does_not(
    temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{temporal.port}")
    async with open_engine("temporal://"):
        pass
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    with pytest.raises(EngineUnavailable, match="'nowhere'"):
        async with open_engine("temporal://"):
            pass


@on_loop
async def test_an_outage_interrupts_no_action_and_is_told_once(
    temporal: TemporalServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(temporal, "outage") as bench:
        bench.gate.clear()
        await bench.start("a")
        await bench.until(lambda: bench.begun == ["a"])
        await asyncio.to_thread(temporal.kill)
        await asyncio.sleep(HEARTBEAT.total_seconds() + 1)  # the server counts the worker as dead when it is back
        await asyncio.to_thread(temporal.start)
        await bench.heard()
        bench.gate.set()
        await bench.until_resting("a")
        assert bench.begun == ["a"]
        assert (await bench.store.head("a")).attempts == 0
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [line for line in told if not line.startswith("agents that are due cannot be told to temporal://")] == []
    assert len(told) <= 1


@workflow.defn(name=WORKFLOW, sandboxed=False)
class OtherDispatch:
    """What another version might do: it waits before anything else."""

    @workflow.signal(name=SIGNAL)
    def wake(self, at_ms: int = 0) -> None:
        """It takes no notice."""

    @workflow.run
    async def run(self, _: str, __: int | None = None) -> None:
        await workflow.sleep(3_600)


@on_loop
async def test_a_workflow_of_another_version_ends_and_the_next_wake_up_begins_it_anew(
    temporal: TemporalServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(temporal.url(), namespace="versions") as engine:
        bench = EngineBench(engine, "versions")
        client = await engine._connection.client()  # type: ignore[attr-defined]
        handle = client.get_workflow_handle("fsm-agent/versions/a")
        other = TemporalWorker(
            client, task_queue=task_queue("versions"), workflows=[OtherDispatch], max_cached_workflows=0
        )
        async with bench.runner, asyncio.timeout(60):
            async with other:
                await bench.start("a")
                while EventType.EVENT_TYPE_TIMER_STARTED not in await event_types(handle):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            async with bench.serving():
                await bench.wakeups.wake("a")
                while (await handle.describe()).status is not WorkflowExecutionStatus.FAILED:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert bench.engine.turns["a"] == 0
                await bench.wakeups.wake("a")
                await bench.until_resting("a")
    said = "Temporal ends a workflow that another version of fsm-agent has begun; the next wake-up begins it anew"
    assert said in caplog.messages


@on_loop
async def test_a_workflow_whose_history_is_long_goes_on_in_a_new_one() -> None:
    with TemporalServer({"limit.historyCount.suggestContinueAsNew": "4"}) as server:
        async with served(server, "long") as bench:
            await bench.runner.start(TWICE, id="a", drive=False)
            await bench.until_resting("a")
            client = await bench.engine.inner._connection.client()  # type: ignore[attr-defined]
            async with asyncio.timeout(30):
                await client.get_workflow_handle("fsm-agent/long/a").result()
                while len(await statuses(client, "fsm-agent/long/a")) < 2:  # noqa: ASYNC110 - a list that comes later
                    await asyncio.sleep(0.05)
            assert WorkflowExecutionStatus.CONTINUED_AS_NEW in await statuses(client, "fsm-agent/long/a")
            assert bench.engine.turns["a"] == 2


async def statuses(client: Client, workflow_id: str) -> list[WorkflowExecutionStatus | None]:
    return [each.status async for each in client.list_workflows(f"WorkflowId = '{workflow_id}'")]


async def event_types(handle: WorkflowHandle[Any, Any]) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]


@asynccontextmanager
async def served(server: TemporalServer, namespace: str, *actions: Any) -> AsyncGenerator[EngineBench]:
    """Temporal serves, and nobody sweeps."""
    async with open_engine(server.url(), namespace=namespace) as engine:
        bench = EngineBench(engine, namespace, *actions)
        async with bench.runner, bench.serving():
            yield bench


@pytest.mark.parametrize(
    ("scheme", "library", "extra"), [("temporal", "temporalio", "temporal"), ("celery+redis", "kombu", "celery")]
)
def test_without_its_library_the_url_says_what_to_install(scheme: str, library: str, extra: str) -> None:
    probe = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from fsm_agent.engines import open_engine\n"
        f"open_engine('{scheme}://host')"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        f"fsm_agent.errors.engines.EngineUrlInvalid: a {scheme}:// engine needs a library that is not installed: "
        f"pip install 'fsm-agent[{extra}]'"
    )
