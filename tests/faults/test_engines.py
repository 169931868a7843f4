"""Engines, and the bell alone, under faults: workers are killed, frozen and restarted, wake-ups dropped, the server
dies, and nobody is lost."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent import Runner, open_store
from tests.support.payments import PAYMENT, actions_in, make_folder
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer
from tests.support.servers.temporal_server import TemporalServer

from .engine_run import Subject, prove
from .engine_verdict import REQUIRED, Verdict, broken_rules

PATIENCE_S = 60
DATABASE = "engine_faults"
_END_LISTENING = (
    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = '{DATABASE}'"  # noqa: S608
)
OURS = (sys.executable, "-m", "tests.faults.engine_worker")
OF_CELERY = (
    *(sys.executable, "-m", "celery", "-A", "tests.support.celery_app", "worker"),
    *("--pool=threads", "--concurrency=8", "--without-mingle", "--without-gossip", "--without-heartbeat"),
)


class ListeningSessions:
    """The sessions that hear the bell, in a database where nobody else listens. From ``kill`` to ``restart`` none is
    left for long."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._ending = threading.Thread()

    def kill(self) -> None:
        """Returns when one was ended: workers that do not listen have no bell to lose."""
        until_s = time.monotonic() + PATIENCE_S
        while not self._server.execute(_END_LISTENING):
            assert time.monotonic() < until_s, "no worker listens"
        self._is_over.clear()
        self._ending = threading.Thread(target=self._go_on)
        self._ending.start()

    def restart(self) -> None:
        self._is_over.set()
        self._ending.join()

    def _go_on(self) -> None:
        while not self._is_over.wait(0.02):
            self._server.execute(_END_LISTENING)


@pytest.fixture
def broker() -> Iterator[RedisServer]:
    """What is in its queues is lost when it is killed."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def store(postgres: PostgresServer) -> str:
    return postgres.make_database(DATABASE)


@pytest.fixture
def bell(postgres: PostgresServer) -> Subject:
    """No engine at all."""
    return Subject("", ListeningSessions(postgres), [OURS] * 2)


@pytest.fixture
def celery(broker: RedisServer) -> Subject:
    return Subject(f"celery+{broker.url()}", broker, [OURS] * 2)


@pytest.fixture
def celery_itself(broker: RedisServer) -> Subject:
    """Under Celery's own workers."""
    return Subject(f"celery+{broker.url()}", broker, [OF_CELERY] * 2)


@pytest.fixture
def temporal() -> Iterator[Subject]:
    with TemporalServer() as server:
        yield Subject(server.url(), server, [OURS] * 2)


@pytest.mark.parametrize("name", ["bell", "celery", "celery_itself", "temporal"])
def test_nobody_is_lost_and_nothing_is_done_twice(
    name: str, request: pytest.FixtureRequest, store: str, tmp_path: Path
) -> None:
    verdict = asyncio.run(prove(request.getfixturevalue(name), store, tmp_path, seconds=8))
    print(verdict.hits)  # noqa: T201 - shown by `pytest -rP`
    assert verdict.broken == []
    assert verdict.missing == []


def test_workers_that_do_not_sweep_lose_agents(celery: Subject, store: str, tmp_path: Path) -> None:
    changed = {"MUTANT": "no sweep"}
    verdict = asyncio.run(prove(celery, store, tmp_path, seconds=4, patience_s=5, required=(), **changed))
    assert "agents are not at rest" in verdict.broken[0]


def test_workers_that_do_not_drain_park_agents(bell: Subject, store: str, tmp_path: Path) -> None:
    required = ["effects in flight at a restart"]
    verdict = asyncio.run(prove(bell, store, tmp_path, seconds=1, required=required, DRAIN_S="0"))
    print(verdict.hits)  # noqa: T201 - shown by `pytest -rP`
    assert "was parked by the restart of a worker" in verdict.broken[0]


@pytest.mark.parametrize(
    ("times", "due", "said"),
    [
        (1, 1, []),
        (2, 1, ["effect pay of agent a was done 2 times"]),
        (0, 1, ["effect pay of agent a was done 0 times"]),
        (1, 2, ["agent a is in resting and has paid 1 times, not 2"]),
    ],
)
def test_what_is_done_twice_or_not_at_all_is_told(times: int, due: int, said: list[str], tmp_path: Path) -> None:
    service = make_folder(tmp_path)

    async def run() -> list[str]:
        async with Runner(open_store("memory://"), actions=actions_in(service)) as runner:
            await runner.start(PAYMENT, id="a")
            [pay] = [entry for entry in await runner.effects("a") if entry.name == "pay"]
            (service / "done" / pay.key).write_text("pay\n" * times)
            return [sentence async for sentence in broken_rules(runner, {"a": due}, service, [])]

    assert asyncio.run(run()) == said


def test_a_run_in_which_nothing_was_hit_proves_nothing() -> None:
    assert Verdict([], dict.fromkeys(REQUIRED, 1)).is_proven
    for name in REQUIRED:
        verdict = Verdict([], {**dict.fromkeys(REQUIRED, 1), name: 0})
        assert (verdict.is_proven, verdict.missing) == (False, [name])
