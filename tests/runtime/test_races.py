"""Two things at once: whatever meets whatever, each step is one, each action has one driver, and no bystander pays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.errors import Conflict, NotAddressee, StoreUnavailable
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from tests.support.runtime import Gate, flow, on_loop, story

WORK = flow("""
    data: {n: {type: integer, default: 0}}
    events: {ok: {}, stop: {}, go_on: {}, again: {}, note: {}}
    initial: working
    on: {note: {assign: {n: data.n + 1}}}
    states:
      working: {do: work, on: {ok: done, stop: resting, again: working}}
      resting: {do: rest, on: {ok: done, go_on: resting}}
      done: {final: true}
""")
ASKING = flow("""
    data: {n: {type: integer, default: 0}}
    events: {ok: {}, yes: {}, note: {}}
    initial: working
    states:
      working: {do: work, on: {ok: asking, yes: {assign: {n: -1}}}}
      asking:
        ask: {prompt: "Go?", events: [yes], to: "'ana'"}
        on: {yes: {assign: {n: data.n + 1}}, note: {assign: {n: data.n + 1}}}
      done: {final: true}
""")

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens an empty store of every kind that comes with us."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url)


@action(name="rest")
async def ok(ctx: Context) -> str:
    await asyncio.sleep(0)
    return "ok"


@action(name="work", inline=True)
def work_at_once(ctx: Context) -> str:
    return "ok"


class SlowToRenew(MemoryStore):
    """The first renewal takes until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on, self.b_has_had_its_turn = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        self.begun.set()
        await self.go_on.wait()
        return await super().renew_all(held, lease)


@on_loop
async def renewing_late() -> None:
    """Agents a and b are about to be renewed when b comes to its end; its caller has gone on to something else."""
    store, gates = SlowToRenew(), {"a": Gate(), "b": Gate()}

    async def work(ctx: Context) -> Any:
        gates[ctx.agent_id].begun.set()
        return await gates[ctx.agent_id].result

    async def start_b_and_go_on() -> str:
        assert (await runner.start(WORK, id="b")).status is Status.DONE
        store.go_on.set()
        for _ in range(10):
            await asyncio.sleep(0)
        return "undisturbed"

    async with Runner(store, actions=[work]) as runner:
        a = asyncio.create_task(runner.start(WORK, id="a"))
        await gates["a"].begun.wait()
        b = asyncio.create_task(start_b_and_go_on())
        await store.begun.wait()
        gates["b"].open("ok")
        assert await b == "undisturbed"
        gates["a"].open("ok")
        await a


def test_a_late_renewal_stops_nobody_whose_work_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 1)
    renewing_late()


@on_loop
async def test_a_lease_that_cannot_be_given_up_makes_no_failure_of_a_cancellation() -> None:
    class Gone(MemoryStore):
        async def release(self, agent_id: str, epoch: int) -> None:
            raise StoreUnavailable("gone")

    gate = Gate()
    async with Runner(Gone(), actions=[gate.as_action()]) as runner:
        started = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        started.cancel()
        with pytest.raises(asyncio.CancelledError):
            await started
        assert story(await runner.history("a")) == ["created created >working"]


@on_loop
async def test_an_action_may_move_its_own_agent_and_what_it_returns_then_comes_too_late(opened: Opener) -> None:
    async def work(ctx: Context) -> str:
        moved = await runner.send(ctx.agent_id, "stop")
        assert moved.status is Status.DONE
        return "ok"

    async with Runner(opened(), actions=[work, ok]) as runner:
        assert (await runner.start(WORK, id="a")).status is Status.DONE
        await asyncio.sleep(0)  # where a cancellation that is still on its way would strike
        assert story(await runner.history("a"))[1:] == ["event stop working>resting", "event ok resting>done"]


@on_loop
async def test_an_action_that_moves_its_own_agent_by_another_task_is_cancelled_with_it() -> None:
    async def work(ctx: Context) -> str:
        await asyncio.gather(runner.send(ctx.agent_id, "stop"))
        return "ok"

    async with Runner(MemoryStore(), actions=[work, ok]) as runner:
        agent = await runner.start(WORK, id="a")
        assert (agent.state, agent.status, (await runner.store.head("a")).lease) == ("resting", Status.RUNNING, None)
        assert (await runner.resume("a")).status is Status.DONE


@on_loop
async def test_who_was_overtaken_between_two_turns_stops_nobody_and_begins_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second event comes after the first one's step, after which its sender lets others have their turn."""
    monkeypatch.setattr("fsm_agent.runtime.command_loop._STEPS_PER_TURN", 2)
    gate, calls = Gate(), []

    async def rest(ctx: Context) -> str:
        calls.append(ctx.activation)
        for _ in range(10):
            await asyncio.sleep(0)
        return "ok"

    async with Runner(MemoryStore(), actions=[gate.as_action(), rest]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        await runner.start(WORK, id="b", drive=False)
        await runner.cancel("b")
        await asyncio.gather(runner.send("a", "stop"), runner.send("a", "go_on"), driven)
        assert (await runner.get("a")).status is Status.DONE
        assert calls == [3]


@on_loop
async def test_a_repeat_at_the_same_time_is_a_duplicate_whatever_version_it_expects(opened: Opener) -> None:
    gate = Gate()
    async with Runner(opened(), actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await gate.begun.wait()
        both = await asyncio.gather(*(runner.send("a", "note", key="k", expect_version=1) for _ in range(2)))
        assert sorted(str(agent.delivery) for agent in both) == ["duplicate", "queued"]
        gate.open("ok")
        await driven
        with pytest.raises(Conflict, match="is at version 3, and version 1 was expected"):
            await runner.send("a", "note", key="other", expect_version=1)


@pytest.mark.parametrize("is_inline", [True, False])
@on_loop
async def test_an_agent_that_never_rests_can_be_cancelled(opened: Opener, is_inline: bool) -> None:
    begun, calls = asyncio.Event(), 0

    def work(ctx: Context) -> str:
        nonlocal calls
        begun.set()
        calls += 1
        return "again" if calls < 20_000 else "ok"

    async def work_async(ctx: Context) -> str:
        return work(ctx)

    known = action(inline=True)(work) if is_inline else action(name="work")(work_async)
    async with Runner(opened(), actions=[known]) as runner:
        driven = asyncio.create_task(runner.start(WORK, id="a"))
        await begun.wait()
        assert (await runner.cancel("a")).delivery in ("applied", "queued")
        assert (await driven).status is Status.CANCELLED
        steps = await runner.history("a")
        assert [step.version for step in steps] == [*range(1, len(steps) + 1)]


class Crowded(MemoryStore):
    """Somebody else is always faster than whoever comes from outside."""

    async def commit(self, commit: Commit) -> Committed:
        if commit.epoch is None:
            raise Conflict(commit.head.id, commit.head.version - 1)
        return await super().commit(commit)


@on_loop
async def test_who_is_never_fast_enough_leaves_the_event_to_whoever_moves_the_agent() -> None:
    async with Runner(Crowded(), actions=[work_at_once]) as runner:
        await runner.start(ASKING, id="a")
        agent = await runner.send("a", "note", key="k")
        assert (agent.data["n"], agent.delivery) == (1, "queued")
        assert (await runner.send("a", "note", key="k")).delivery == "duplicate"
        with pytest.raises(Conflict):
            await runner.send("a", "note", expect_version=3)
        with pytest.raises(Conflict):
            await runner.answer("a", by="ana")
        assert (await runner.cancel("a")).status is Status.CANCELLED
        assert story(await runner.history("a"))[2:] == ["event note asking>asking", "cancelled cancel asking>asking"]


@on_loop
async def test_what_was_queued_is_no_answer_to_a_question_for_somebody_else() -> None:
    gate = Gate()
    async with Runner(MemoryStore(), actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(ASKING, id="a"))
        await gate.begun.wait()
        for by in ("eve", "ana"):
            assert (await runner.send("a", "yes", by=by)).delivery == "queued"
        gate.open("ok")
        assert (await driven).data["n"] == 1
        refused, answered = (await runner.history("a"))[2:]
        assert refused.reason == str(NotAddressee("eve", ["ana"]))
        assert (answered.by, answered.kind) == ("ana", "event")


@on_loop
async def test_nothing_begins_in_a_runner_that_was_closed_whoever_ignores_its_cancellation() -> None:
    begun = asyncio.Event()
    calls: list[str] = []

    async def work(ctx: Context) -> str:
        calls.append(ctx.state)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "again"
        return "ok"

    runner = Runner(MemoryStore(), actions=[work])
    driven = asyncio.create_task(runner.start(WORK, id="a"))
    await begun.wait()
    await runner.close()
    with pytest.raises(asyncio.CancelledError):
        await driven
    head = await runner.store.head("a")
    assert (calls, head.version, head.status, head.lease) == (["working"], 2, Status.RUNNING, None)


@on_loop
async def test_agents_that_cannot_be_driven_keep_a_worker_from_no_other() -> None:
    class Broken(MemoryStore):
        async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
            if agent_id.startswith("bad"):
                raise StoreUnavailable("broken")
            return await super().claim(agent_id, seen, lease)

    gate, stopped = Gate(), asyncio.Event()
    async with Runner(Broken(), actions=[gate.as_action()]) as runner:
        for name in ("bad-1", "bad-2", "good"):
            await runner.start(WORK, id=name, drive=False)
        working = asyncio.create_task(Worker(runner, every=timedelta(milliseconds=1), at_once=2).run(stopped))
        await gate.begun.wait()
        stopped.set()
        await working
