"""The command line with Celery's broker: a worker is woken by it, and says in one sentence that it is away."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.servers.redis import RedisServer
from tests.support.shop import Shop

WORK = """
workflow: work
version: 1
data: {item: {type: string, default: book}}
events: {packed: {}}
initial: working
states:
  working: {do: pack, on: {packed: done, error: failed}}
  done: {final: true}
  failed: {final: true, outcome: failed}
"""


@pytest.fixture
def engine(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FSM_AGENT_ENGINE", f"celery+{redis_url}")
    return f"celery+{redis_url}"


@pytest.fixture
def worker(shop: Shop, engine: str) -> Iterator[subprocess.Popen[str]]:
    """One that has looked for due agents, and will not look again."""
    shop.order()
    process = shop.spawn("worker", "--every", "1h")
    assert process.stderr is not None
    assert f" with {engine}; Ctrl-C stops" in process.stderr.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_worker_is_woken_by_other_commands_and_stops_when_it_is_told(
    shop: Shop, worker: subprocess.Popen[str]
) -> None:
    assert worker.stderr is not None
    sent = shop("--json", "answer", "one", "--event", "approve", "--no-drive")
    assert (sent.code, sent.json["status"], sent.err) == (0, "running", "")
    assert worker.stderr.readline() == "one  done in sent\n"
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert (worker.returncode, said) == (0, "drove 1 agent\n")


def test_a_broker_that_is_away_is_one_sentence_for_a_worker_and_a_warning_for_others(
    shop: Shop, engine: str, redis_server: RedisServer
) -> None:
    shop.write("workflows/work.yaml", WORK)
    redis_server.stop()
    try:
        worker = shop.process("worker")
        run = shop.process("--json", "run", "workflows/work.yaml", "--id", "w", "--no-drive", "--no-input")
    finally:
        redis_server.start()
    assert (worker.code, worker.out, worker.err.count("\n")) == (1, "", 1)
    assert f"engine {engine} does not answer: " in worker.err
    assert (run.code, run.json["state"], run.err.count("\n")) == (0, "working", 1)
    assert "agents that are due cannot be told to Celery at redis://127.0.0.1:" in run.err


def test_a_broker_that_goes_away_later_is_a_warning_and_the_sweep_goes_on(
    shop: Shop, engine: str, redis_server: RedisServer
) -> None:
    worker = shop.spawn("worker", "--every", "100ms")
    assert worker.stderr is not None
    assert "Ctrl-C stops" in worker.stderr.readline()
    redis_server.stop()
    try:
        assert f"engine {engine} does not serve, and the sweep goes on: " in worker.stderr.readline()
        shop.write("workflows/work.yaml", WORK)
        shop("--json", "run", "workflows/work.yaml", "--id", "w", "--no-drive", "--no-input")
        assert worker.stderr.readline() == "w  done in done\n"
    finally:
        redis_server.start()
        worker.kill()
        worker.communicate()
