"""A worker process under Temporal: commands of others wake it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.temporal_server import TemporalServer
from tests.support.shop import Shop

pytestmark = pytest.mark.server

COUNT = """
workflow: count
version: 1
data: {n: {type: integer, default: 0}}
events: {next: {}}
initial: counting
states:
  counting: {do: add, on: {next: done}}
  done: {final: true}
"""
ACTIONS = """
from fsm_agent import action

@action(emits=["next"])
async def add(ctx):
    ctx.data.n = ctx.data.n + 1
    return "next"
"""


@pytest.fixture
def counting(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, is_empty=True)
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["counting_actions"]\n')
    shop.write("counting_actions.py", ACTIONS)
    shop.write("count.yaml", COUNT)
    return shop


@pytest.fixture
def engine_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with TemporalServer() as server:
        monkeypatch.setenv("FSM_AGENT_ENGINE", server.url())
        yield server.url()


@pytest.fixture
def worker(counting: Shop, engine_url: str) -> Iterator[subprocess.Popen[str]]:
    """It does not look by itself."""
    process = counting.spawn("worker", "--engine", engine_url, "--every", "1h", "--namespace", "told")
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_a_command_wakes_a_worker_that_does_not_look_by_itself(counting: Shop, worker: subprocess.Popen[str]) -> None:
    assert worker.stderr is not None
    assert worker.stderr.readline().startswith("watching sqlite:///fsm-agent.db with temporal://")
    words = ("--namespace", "told", "--json", "run", "count.yaml", "--id", "a", "--no-drive", "--no-input")
    assert counting.process(*words).json["status"] == "running"
    assert worker.stderr.readline() == "a  done in done\n"
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0
