"""Engines under faults: workers are killed and frozen, wake-ups dropped, the server dies, and nobody is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent import Runner, open_store
from tests.support.payments import PAYMENT, actions_in, make_folder
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer

from .engine_run import Subject, prove
from .engine_verdict import REQUIRED, Verdict, broken_rules

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
