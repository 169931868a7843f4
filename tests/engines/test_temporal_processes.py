"""Worker processes under Temporal: others wake them, and nobody is lost when they or the server are killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent.engines import open_engine
from fsm_agent.loading.yaml_file import load
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.runtime import until
from tests.support.servers.temporal_server import TemporalServer
from tests.support.shop import Shop

pytestmark = pytest.mark.server

AT_ONCE = 5
COUNT = """
workflow: count
version: 1
data: {n: {type: integer, default: 0}}
events: {next: {}}
initial: one
states:
  one: {do: add, on: {next: two}}
  two: {do: add, on: {next: three}}
  three: {do: add, on: {next: done}}
  done: {final: true}
"""
ACTIONS = """
import asyncio
import os
from fsm_agent import action

@action(emits=["next"])
async def add(ctx):
    with open("added.log", "a") as log:
        print(ctx.agent_id, ctx.activation, os.getpid(), file=log)
    await asyncio.sleep(0.02)
    ctx.data.n = ctx.data.n + 1
    return "next"
"""


@pytest.fixture(scope="module")
def temporal() -> Iterator[TemporalServer]:
    with TemporalServer() as server:
        yield server


@pytest.fixture
def counting(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, is_empty=True)
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["counting_actions"]\n')
    shop.write("counting_actions.py", ACTIONS)
    shop.write("count.yaml", COUNT)
    return shop


class Workers:
    """Processes at work; what is left of them ends with the test."""

    def __init__(self, shop: Shop, url: str) -> None:
        self._shop = shop
        self._url = url
        self._processes: list[subprocess.Popen[str]] = []

    def spawn(self, every: str, namespace: str) -> subprocess.Popen[str]:
        """Returns when it works."""
        words = ("--engine", self._url, "--every", every, "--at-once", str(AT_ONCE), "--namespace", namespace)
        process = self._shop.spawn("worker", *words)
        self._processes.append(process)
        assert process.stderr is not None
        assert process.stderr.readline().startswith("watching sqlite:///fsm-agent.db with temporal://")
        return process

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate(timeout=30)


@pytest.fixture
def workers(counting: Shop, temporal: TemporalServer) -> Iterator[Workers]:
    workers = Workers(counting, temporal.url())
    yield workers
    workers.end()


def test_a_command_wakes_a_worker_that_does_not_look_by_itself(
    counting: Shop, workers: Workers, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSM_AGENT_ENGINE", temporal.url())
    worker = workers.spawn("1h", "told")
    words = ("--namespace", "told", "--json", "run", "count.yaml", "--id", "a", "--no-drive", "--no-input")
    assert counting.process(*words).json["status"] == "running"
    assert worker.stderr is not None
    assert worker.stderr.readline() == "a  done in done\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0


def test_no_agent_is_lost_when_workers_and_the_server_are_killed(
    counting: Shop, workers: Workers, temporal: TemporalServer
) -> None:
    asyncio.run(_killed(counting, workers, temporal))


async def _killed(shop: Shop, workers: Workers, temporal: TemporalServer) -> None:
    workflow = load(shop.folder / "count.yaml")
    log = shop.folder / "added.log"
    first, _ = (workers.spawn("1s", "killed") for _ in range(2))
    engine = open_engine(temporal.url(), namespace="killed")
    store = open_store(f"sqlite:///{shop.folder / 'fsm-agent.db'}", namespace="killed")
    async with engine, Runner(store, wakeups=engine.wakeups()) as runner:

        async def start(numbers: range) -> None:
            for number in numbers:
                await runner.start(workflow, id=f"a{number}", drive=False)

        await start(range(25))
        await until(lambda: f" {first.pid}\n" in (log.read_text() if log.exists() else ""))
        first.kill()
        await start(range(25, 50))
        temporal.kill()
        await start(range(50, 75))
        temporal.start()
        workers.spawn("1s", "killed")
        await start(range(75, 100))
        agents = [f"a{number}" for number in range(100)]
        async with asyncio.timeout(240):
            while {(await store.head(each)).state for each in agents} != {"done"}:  # noqa: ASYNC110 - others write it
                await asyncio.sleep(0.1)
        ended = [await runner.get(each) for each in agents]
        assert {(agent.data["n"], agent.version) for agent in ended} == {(3, 4)}
        assert all([(await runner.replay(each)).is_verified for each in agents])
    begun = Counter(line.rpartition(" ")[0] for line in log.read_text().splitlines())
    assert len(begun) == 300
    repeated = sum(begun.values()) - len(begun)
    assert repeated <= 2 * AT_ONCE, (
        "more than the killed worker had begun: of what it was told of, and of what it found"
    )
