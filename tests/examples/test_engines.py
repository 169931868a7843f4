"""The engines among the examples work, with real servers: agents are driven by whom they wake, or by the sweep."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from examples.engines import procrastinate_jobs
from examples.engines.agents import VISIT, work
from fsm_agent import Runner, Worker, open_store
from tests.support.runtime import on_loop
from tests.support.servers.postgres import PostgresServer
from tests.support.wakeups import NotedWakeups

from .engine_processes import Visits

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_actors_of_ray_drive_who_is_woken_and_listen_on_the_loopback_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.examples.engine_processes", f"sqlite:///{tmp_path}/agents.db"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # a short name: sockets are made in it
        environment["RAY_TMPDIR"] = folder
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert len(seen["drove"]) == 2
    assert seen["ours"] not in seen["drove"]
    assert seen["drove what was lost"] == [seen["ours"]]
    assert set(seen["drove after the kill"]).isdisjoint([seen["ours"], *seen["drove"]])
    assert {address.removeprefix("::ffff:") for address in seen["listens at"]} == {"127.0.0.1"}


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.make_database("jobs")


@pytest.mark.server
@on_loop
async def test_jobs_of_procrastinate_drive_who_is_woken_once_each(database: str) -> None:
    async with (
        procrastinate_jobs.open_app(database) as app,
        Runner(open_store(database), wakeups=procrastinate_jobs.JobWakeups(app)) as runner,
        Runner(open_store(database), actions=[work]) as driver,
    ):
        await runner.start(VISIT, "go", id="a", drive=False)
        for _ in range(5):
            await procrastinate_jobs.JobWakeups(app).wake("a")
        waiting = await app.connector.execute_query_all_async("SELECT queueing_lock FROM procrastinate_jobs")
        assert [job["queueing_lock"] for job in waiting] == ["a"]
        procrastinate_jobs.add_task(app, driver)
        serving = asyncio.create_task(
            app.run_worker_async(queues=[procrastinate_jobs.QUEUE], concurrency=9, install_signal_handlers=False)
        )
        assert await Visits(runner).made("b", "c") == {os.getpid()}
        serving.cancel()
        await asyncio.wait([serving])
        assert (await runner.get("a")).state == "resting"


@pytest.mark.server
@on_loop
async def test_what_procrastinate_was_not_told_is_found_by_the_sweep(database: str) -> None:
    stopped = asyncio.Event()
    async with Runner(open_store(database), actions=[work], wakeups=NotedWakeups()) as runner:
        sweep = asyncio.create_task(Worker(runner).run(stopped))
        assert await Visits(runner).made("a") == {os.getpid()}
        stopped.set()
        await sweep


@pytest.mark.long
@pytest.mark.server
def test_the_whole_example_runs_and_stops_when_it_is_told(database: str) -> None:
    command = [sys.executable, "-m", "examples.engines.procrastinate_jobs", database]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        states = asyncio.run(_rested(database))
        assert states == {"resting": 10}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.stderr
    finally:
        process.kill()
        process.communicate()


async def _rested(url: str) -> Any:
    async with Runner(open_store(url)) as runner, asyncio.timeout(60):
        while True:
            heads = (await runner.store.list()).heads
            if len(heads) == 10 and all(head.state == "resting" for head in heads):
                return {"resting": len(heads)}
            await asyncio.sleep(0.05)
