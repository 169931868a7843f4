"""Engines under faults: workers are killed and frozen, wake-ups dropped, the server dies, and nobody is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer

from .engine_run import Subject, prove
from .engine_verdict import REQUIRED, Verdict

OURS = (sys.executable, "-m", "tests.faults.engine_worker")
OF_CELERY = (
    *(sys.executable, "-m", "celery", "-A", "tests.support.celery_app", "worker"),
    *("--pool=threads", "--concurrency=8", "--without-mingle", "--without-gossip", "--without-heartbeat"),
)


class Broker(RedisServer):
    """What is in its queues is lost when it is killed."""

    def restart(self) -> None:
        self.start()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as server:
        yield server


@pytest.fixture
def store(postgres: PostgresServer) -> str:
    return postgres.make_database("engine_faults")


@pytest.mark.parametrize("worker", [OURS, OF_CELERY], ids=["our worker", "Celery's worker"])
def test_nobody_is_lost_and_nothing_is_done_twice(
    worker: tuple[str, ...], broker: Broker, store: str, tmp_path: Path
) -> None:
    subject = Subject(f"celery+{broker.url()}", broker, [worker] * 2)
    verdict = asyncio.run(prove(subject, store, tmp_path, seconds=8))
    print(verdict.hits)  # noqa: T201 - shown by `pytest -rP`
    assert verdict.broken == []
    assert verdict.missing == []


def test_workers_that_do_not_sweep_lose_agents(broker: Broker, store: str, tmp_path: Path) -> None:
    subject = Subject(f"celery+{broker.url()}", broker, [OURS] * 2)
    verdict = asyncio.run(prove(subject, store, tmp_path, seconds=4, patience_s=5, mutant=True))
    assert "agents are not at rest" in verdict.broken[0]


def test_a_run_in_which_nothing_was_hit_proves_nothing() -> None:
    assert Verdict([], dict.fromkeys(REQUIRED, 1)).is_proven
    for name in REQUIRED:
        verdict = Verdict([], {**dict.fromkeys(REQUIRED, 1), name: 0})
        assert (verdict.is_proven, verdict.missing) == (False, [name])
