"""The index of the memory store finds whom a look at all agents would find, and looks at no more than it needs."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fsm_agent.domain.agent import Status
from fsm_agent.domain.lease import Claimed, Holder, Lease, lease_runs
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.memory.due_index import DueIndex, TimeQueue
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing.contract.fixtures import LEASE, a_creation, keep_definitions
from tests.support.hypothesis_settings import example_settings
from tests.support.runtime import on_loop

IDS = st.sampled_from("abcdefgh")
TIMES = st.integers(0, 12)
LEASES = st.builds(Lease, st.builds(Holder, st.sampled_from(["here", "there"]), st.just(1), st.just(1)), TIMES)
#: an agent, when it needs somebody, its last step, its lease; all ``None`` is one that is deleted
CHANGES = st.lists(st.tuples(IDS, st.none() | st.just(0) | TIMES, TIMES, st.none() | LEASES), max_size=150)


def longest_due(agents: dict[str, tuple[int | None, int, Lease | None]], now_ms: int) -> list[tuple[int, str]]:
    """Since when, and who."""
    found = []
    for agent_id, (wake_ms, updated_ms, lease) in agents.items():
        if wake_ms is not None and wake_ms <= now_ms and not lease_runs(lease, now_ms):
            since_ms = max(wake_ms, lease.until_ms) if lease else wake_ms or updated_ms
            found.append((since_ms, agent_id))
    return sorted(found)


@example_settings(150)
@given(CHANGES, TIMES, st.integers(0, 9), st.frozensets(IDS))
@example([("a", 0, 3, None), ("b", 0, 4, None), ("a", 0, 5, None)], 9, 9, frozenset("ab"))
def test_it_finds_whom_a_look_at_all_agents_finds(
    changes: list[tuple[str, Any, int, Any]], now_ms: int, limit: int, wanted: frozenset[str]
) -> None:
    index, agents = DueIndex(), dict[str, tuple[int | None, int, Lease | None]]()
    for agent_id, wake_ms, updated_ms, lease in changes:
        agents[agent_id] = (wake_ms, updated_ms, lease)
        index.put(agent_id, wake_ms, updated_ms, lease)
        expected = longest_due(agents, now_ms)
        assert index.longest_due(now_ms, limit) == [each for _, each in expected][:limit]
        chosen = [each for _, each in expected if each in wanted][:limit]
        assert index.longest_due(now_ms, limit, wanted.__contains__) == chosen
    leases = {agent_id: lease for agent_id, (_, _, lease) in agents.items() if lease}
    with closing(index.lapsed(now_ms)) as lapsed:
        assert sorted(lapsed) == sorted(each for each, lease in leases.items() if lease.until_ms <= now_ms)
    for host in ("here", "there", "nowhere"):
        assert sorted(index.held_from(host)) == sorted(
            each for each, lease in leases.items() if lease.holder.host == host
        )
    for agent_id in agents:
        index.forget(agent_id)
    assert index.longest_due(99, 9) == index.held_from("here") == list(index.lapsed(99)) == []


def test_old_entries_are_cleared_away_when_they_are_more_than_the_rest() -> None:
    queue = TimeQueue()
    for at_ms in range(10_000):
        queue.put("a", at_ms)
        queue.put("b", 10_000 - at_ms)
    assert len(queue) < 100
    assert list(queue.upto(None)) == [(1, "b"), (9_999, "a")]


def test_a_look_that_ends_early_leaves_everything_where_it_was() -> None:
    queue = TimeQueue()
    for at_ms, agent_id in enumerate("abc"):
        queue.put(agent_id, at_ms)
    with closing(queue.upto(None)) as looking:
        assert next(looking) == (0, "a")
    assert list(queue.upto(1)) == [(0, "a"), (1, "b")]
    assert list(queue.upto(None)) == [(0, "a"), (1, "b"), (2, "c")]


@on_loop
async def test_of_very_many_who_wait_or_are_held_a_take_looks_at_those_alone_whom_it_takes() -> None:
    store = MemoryStore(clock=FakeClock(NEW_YEAR_MS + 99))
    await keep_definitions(store)
    for number in range(400):
        await store.create(a_creation(f"waits-{number}"))
        await store.create(a_creation(f"held-{number}", status=Status.RUNNING, lease=LEASE))
        await store.create(a_creation(f"due-{number:04}", status=Status.RUNNING))
    looked_at = set[str]()
    store._agents = _Watched(store._agents, looked_at)
    due = [f"due-{number:04}" for number in range(100)]
    assert list(await store.due(NEW_YEAR_MS + 99, 100)) == due
    assert not looked_at
    assert sorted(await store.take(100, LEASE, workflows=["order"])) == [Claimed(agent_id, 2) for agent_id in due]
    assert len(looked_at - set(due)) <= 1, "it may look at one more to know that there are enough"


class _Watched(dict[str, Any]):
    """Notes who is looked at."""

    def __init__(self, agents: dict[str, Any], looked_at: set[str]) -> None:
        super().__init__(agents)
        self._looked_at = looked_at

    def __getitem__(self, agent_id: str) -> Any:
        self._looked_at.add(agent_id)
        return super().__getitem__(agent_id)

    def items(self) -> Any:
        self._looked_at.update(self)
        return super().items()
