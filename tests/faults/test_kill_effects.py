"""SIGKILL around an effect: what is recorded is not done again, and what is asked for at most once is not either."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from fsm_agent import EffectEntry, open_store
from fsm_agent.domain.agent import Status
from tests.support.hypothesis_settings import IS_LONG

from . import payment
from .payment_process import FileService, pay
from .test_crash_effects import AT_MOST_ONCE, CHECKED, IDEMPOTENT
from .test_kill import KilledProcess

KILLS = 60 if IS_LONG else 8


class PaymentProcess(KilledProcess):
    """A process that pays in ``folder``."""

    def command(self, operation: str) -> list[str]:
        return ["tests.faults.payment_process", "."]


def effects_in(folder: Path) -> list[EffectEntry]:
    """The effects that the killed process left."""

    async def read() -> list[EffectEntry]:
        async with open_store(f"sqlite:///{folder}/payment.db") as store:
            known = (await store.list()).heads
            return list(await store.effects(payment.ID)) if known else []

    return asyncio.run(read())


def kill_and_finish(folder: Path, process: KilledProcess) -> Counter[tuple[str, str]]:
    """Kill the process, finish in this one, and check every promise; returns what was executed."""
    process.kill()
    recorded = {entry.key for entry in effects_in(folder) if not entry.is_open}
    before = FileService(folder).done
    agent = asyncio.run(pay(folder))
    service = FileService(folder)
    assert agent.status is Status.DONE
    assert [receipt["what"] for receipt in agent.data["receipts"]] == [
        "charge", "charge again", "ship", "mail", "tip", "ship more", "mail more",
    ]  # fmt: skip
    assert {key for (_, key), times in (service.done - before).items() if times}.isdisjoint(recorded)
    assert {len(service.times(what)) for what in IDEMPOTENT | CHECKED | AT_MOST_ONCE} == {1}
    assert all(service.times(what)[0] <= 2 for what in IDEMPOTENT)
    assert all(service.times(what) == [1] for what in CHECKED | AT_MOST_ONCE)
    return service.done


#: kind of place -> lines of the process at which it is killed, and how many effects were executed again
KILL_POINTS = {
    "in the function, before the operation": [("do:1", 0), ("do:3", 0), ("do:4", 0), ("do:7", 0)],
    "in the function, after the operation": [("done:1", 1), ("done:2", 1), ("done:3", 0), ("done:4", 0), ("done:7", 0)],
    "as it begins": [("commit INSERT OR REPLACE:1", 0), ("commit INSERT OR REPLACE:4", 0)],
    "as its result is recorded": [("commit UPDATE effects SET:1", 1), ("commit UPDATE effects SET:4", 0)],
}


@pytest.mark.parametrize("kind", KILL_POINTS)
def test_a_kill_keeps_every_promise_about_effects(tmp_path: Path, kind: str) -> None:
    for number, (point, again) in enumerate(KILL_POINTS[kind]):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = kill_and_finish(folder, PaymentProcess(folder, halt=point))
        assert done.total() - len(done) == again, point


def test_so_does_a_kill_at_a_random_moment(tmp_path: Path) -> None:
    moments = random.Random(11)  # noqa: S311 - it is no secret
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = PaymentProcess(folder)
        process.listen_to(moments.randrange(1, 130))
        kill_and_finish(folder, process)
