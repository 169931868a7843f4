"""Temporal keeps the contract of engines, with a real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.engines import open_engine
from fsm_agent.engines.temporal.dispatch import HEARTBEAT
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
async def test_an_outage_interrupts_no_action(temporal: TemporalServer) -> None:
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


@asynccontextmanager
async def served(server: TemporalServer, namespace: str, *actions: Any) -> AsyncGenerator[EngineBench]:
    """Temporal serves, and nobody sweeps."""
    async with open_engine(server.url(), namespace=namespace) as engine:
        bench = EngineBench(engine, namespace, *actions)
        async with bench.runner, bench.serving():
            yield bench


def test_without_its_library_the_url_says_what_to_install() -> None:
    probe = (
        "import sys; sys.modules['temporalio'] = None\n"
        "from fsm_agent.engines import open_engine\n"
        "open_engine('temporal://host')"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr.splitlines()[-1] == (
        "fsm_agent.errors.engines.EngineUrlInvalid: a temporal:// engine needs a library that is not installed: "
        "pip install 'fsm-agent[temporal]'"
    )
