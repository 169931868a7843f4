"""Ten workers and a thousand agents in virtual time: no agent is taken twice, none waits for long while others are
served, and a worker or a store that breaks this is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.simulation import scenarios
from benchmarks.simulation.recorder import Outcome
from benchmarks.simulation.scenarios import Setting, backlog, starts, timers
from benchmarks.simulation.virtual_time import Stuck, in_virtual_time
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.stores.memory.store import MemoryStore

SETTING = Setting(workers=10, agents=1_000, others=100)
#: an agent is due since the step that its creator decided, which the store has a few milliseconds later
COMMITTING_MS = 5.0


def broken(outcome: Outcome, *, most_ms: float) -> set[str]:
    """What of the promises a run has broken."""
    is_kept = {
        "no agent is taken twice": outcome.conflicts == 0,
        "no commit is refused": outcome.refused == 0,
        "nobody starves": outcome.left == 0 and outcome.wait_most_ms <= most_ms,
        "the longest due is taken first": outcome.overtaken_ms <= COMMITTING_MS,
    }
    return {promise for promise, kept in is_kept.items() if not kept}


def test_agents_that_are_due_at_once_are_shared_by_all_workers_and_taken_once() -> None:
    outcome = backlog(SETTING)
    assert broken(outcome, most_ms=100) == set()
    assert outcome.smallest_share >= 0.05
    assert outcome.apart_ms <= 20
    alone = backlog(replace(SETTING, workers=1))
    assert broken(alone, most_ms=1_000) == set()
    assert outcome.agents_s > 4 * alone.agents_s


def test_agents_that_another_process_starts_are_heard_of() -> None:
    outcome = starts(SETTING, starts_s=200)
    assert broken(outcome, most_ms=50) == set()
    assert outcome.wait_p50_ms < 10


def test_timers_are_found_by_whoever_looks_first_though_nobody_rings() -> None:
    outcome = timers(SETTING, within_s=10)
    assert broken(outcome, most_ms=1_000 * SETTING.every_s * 1.1 + 50) == set()


def test_a_seed_makes_the_run() -> None:
    setting = replace(SETTING, agents=200)
    assert starts(setting, starts_s=200) == starts(setting, starts_s=200)
    assert starts(setting, starts_s=200) != starts(replace(setting, seed=8), starts_s=200)


def test_rings_that_are_lost_make_agents_wait_for_the_next_look_and_no_longer() -> None:
    deaf = starts(replace(SETTING, lost=1), starts_s=200)
    assert broken(deaf, most_ms=1_000 * SETTING.every_s * 1.1 + 50) == set()
    assert deaf.wait_p50_ms > 3 * starts(SETTING, starts_s=200).wait_p50_ms


class Generous(MemoryStore):
    """A mutant: what one caller takes, the next one is given, too."""

    last: Sequence[Claimed] = ()

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        given = self.last[:limit]
        self.last = await super().take(limit - len(given), lease, workflows=workflows, without=without)
        return [*given, *self.last]


class NewestFirst(MemoryStore):
    """A mutant: whoever came last is taken first."""

    async def take(self, limit: int, lease: Lease, **filters: Any) -> Sequence[Claimed]:
        due = await self.due(await self.now(), 1_000_000)
        claimed = []
        for agent_id in reversed(due[-limit:]):
            epoch = await self.claim(agent_id, await self.head(agent_id), lease)
            claimed.append(Claimed(agent_id, epoch))
        return claimed


def test_a_take_that_hands_an_agent_to_two_workers_is_noticed() -> None:
    outcome = backlog(replace(SETTING, store=Generous, patience_s=60))
    assert "no agent is taken twice" in broken(outcome, most_ms=100)


def test_a_take_that_prefers_the_newest_is_noticed() -> None:
    outcome = backlog(replace(SETTING, store=NewestFirst, patience_s=60))
    assert broken(outcome, most_ms=100) == {"the longest due is taken first"}


def test_workers_that_never_look_by_themselves_are_noticed_when_rings_are_lost() -> None:
    outcome = starts(replace(SETTING, lost=1, every_s=86_400, patience_s=600), starts_s=200)
    assert broken(outcome, most_ms=2_000) == {"nobody starves"}
    assert outcome.left > 0.9 * SETTING.agents


def test_agents_of_the_workflow_take_as_long_as_their_action_and_the_verbs() -> None:
    outcome = starts(Setting(workers=1, agents=1, every_s=1_000, others=1), starts_s=1)
    assert outcome.wait_most_ms < 20
    assert outcome.seconds > scenarios.ACTION_S


def test_time_passes_only_when_all_tasks_wait_for_it() -> None:
    async def sleep() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(asyncio.sleep(86_400), asyncio.sleep(10))
        return begun, loop.time()

    assert in_virtual_time(sleep, seed=1) == pytest.approx((0, 86_400))


def test_tasks_that_wait_for_each_other_for_ever_are_told_so() -> None:
    with pytest.raises(Stuck):
        in_virtual_time(lambda: asyncio.Event().wait(), seed=1)
