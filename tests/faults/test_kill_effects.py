"""SIGKILL around an effect: what is recorded is not done again, and what is asked for at most once is not either."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from fsm_agent import EffectEntry, open_store
from fsm_agent.domain.agent import Status

from . import payment
from .effort import IS_LONG
from .payer import FileWorld, pay
from .test_crash_effects import AT_MOST_ONCE, CHECKED, IDEMPOTENT
from .test_kill import Victim

KILLS = 60 if IS_LONG else 8


class Payer(Victim):
    """A process that pays in ``folder``."""

    def words(self, deed: str) -> list[str]:
        return ["tests.faults.payer", "."]


def kept(folder: Path) -> list[EffectEntry]:
    """What is on record, read as whoever comes after a kill finds it."""

    async def read() -> list[EffectEntry]:
        async with open_store(f"sqlite:///{folder}/payment.db") as store:
            known = (await store.list()).heads
            return list(await store.effects(payment.ID)) if known else []

    return asyncio.run(read())


def killed_and_finished(folder: Path, victim: Victim) -> Counter[tuple[str, str]]:
    """Kill it, let this process finish, and look whether every promise was kept; returns what was done."""
    victim.kill()
    recorded = {entry.key for entry in kept(folder) if not entry.is_open}
    before = FileWorld(folder).done
    agent = asyncio.run(pay(folder))
    world = FileWorld(folder)
    assert agent.status is Status.DONE
    assert [receipt["what"] for receipt in agent.data["receipts"]] == [
        "charge", "charge again", "ship", "mail", "tip", "ship more", "mail more",
    ]  # fmt: skip
    assert {key for (_, key), times in (world.done - before).items() if times}.isdisjoint(recorded)
    assert {len(world.times(what)) for what in IDEMPOTENT | CHECKED | AT_MOST_ONCE} == {1}
    assert all(world.times(what)[0] <= 2 for what in IDEMPOTENT)
    assert all(world.times(what) == [1] for what in CHECKED | AT_MOST_ONCE)
    return world.done


#: kind of place -> lines of the victim at which it is killed, and how many deeds were done again
PLACES = {
    "in the function, before the deed": [("do:1", 0), ("do:3", 0), ("do:4", 0), ("do:7", 0)],
    "in the function, after the deed": [("done:1", 1), ("done:2", 1), ("done:3", 0), ("done:4", 0), ("done:7", 0)],
    "as it begins": [("commit INSERT OR REPLACE:1", 0), ("commit INSERT OR REPLACE:4", 0)],
    "as its result is recorded": [("commit UPDATE effects SET:1", 1), ("commit UPDATE effects SET:4", 0)],
}


@pytest.mark.parametrize("kind", PLACES)
def test_a_kill_keeps_every_promise_about_effects(tmp_path: Path, kind: str) -> None:
    for number, (place, again) in enumerate(PLACES[kind]):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = killed_and_finished(folder, Payer(folder, halt=place))
        assert done.total() - len(done) == again, place


def test_so_does_a_kill_at_a_random_moment(tmp_path: Path) -> None:
    moments = random.Random(11)  # noqa: S311 - it is no secret
    for number in range(KILLS):
        folder = tmp_path / str(number)
        folder.mkdir()
        victim = Payer(folder)
        victim.listen_to(moments.randrange(1, 130))
        killed_and_finished(folder, victim)
