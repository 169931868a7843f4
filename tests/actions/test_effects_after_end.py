"""Where the action has ended, was stopped or was replaced, no effect begins any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import ActionError, BlockingContext, Context, Runner, Store, StoreError, action, open_store
from fsm_agent.actions.effects import Effects, effect_call
from fsm_agent.actions.worker_threads import waiting_on
from fsm_agent.data.data import Data
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.errors import StoreUnavailable
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.testing import FakeClock, drive
from tests.support.payment_service import PAYING, PaymentService, failing
from tests.support.runtime import on_loop, story

Opener = Callable[[], Store]


@pytest.fixture
def opened(every_url: str, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens an empty store of every kind; nobody finds out by a renewal that it was replaced."""
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 3_600_000)
    return lambda: open_store(every_url)


async def taken_over(store: Store) -> Head:
    """Somebody on another host drives the agent ``a`` now."""
    lease = Lease(Holder("elsewhere", 1, 0), await store.now() + LEASE_MS)
    await store.claim("a", await store.head("a"), lease)
    return await store.head("a")


def stunned(service: PaymentService, begun: asyncio.Event, go_on: asyncio.Event, seen: list[str]) -> Any:
    """It is frozen before its effect, and swallows whatever it can."""

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("first", service.charge, 1)
        begun.set()
        await go_on.wait()
        for name in ("second", "third"):
            try:
                await ctx.effect(name, service.charge, 7)
            except Exception:
                seen.append("an exception")
            except asyncio.CancelledError:
                seen.append("stopped")
        return "paid"

    return pay


@on_loop
async def test_a_zombie_that_wakes_up_begins_nothing_and_takes_no_step(opened: Opener) -> None:
    service, seen = PaymentService(), list[str]()
    begun, go_on = asyncio.Event(), asyncio.Event()
    async with Runner(opened(), actions=[stunned(service, begun, go_on, seen)]) as runner:
        driven = asyncio.create_task(runner.start(PAYING, id="a"))
        await begun.wait()
        head = await taken_over(runner.store)
        go_on.set()
        agent = await driven
        assert (agent.status, agent.version, seen) == (Status.RUNNING, 1, ["stopped", "stopped"])
        assert [entry.name for entry in await runner.effects("a")] == ["first"]
        assert (service.charged.total(), await runner.store.head("a")) == (1, head)


@on_loop
async def test_of_two_runners_on_one_store_the_later_does_what_is_left_and_the_earlier_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 3_600_000)
    clock, service, seen = FakeClock(), PaymentService(), list[str]()
    begun, go_on = asyncio.Event(), asyncio.Event()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        for name in ("first", "second", "third"):
            await ctx.effect(name, service.charge, 7 if name != "first" else 1)
        return "paid"

    url = f"sqlite:///{tmp_path / 'agents.db'}"
    zombie = Runner(open_store(url, clock=clock), actions=[stunned(service, begun, go_on, seen)])
    async with zombie, Runner(open_store(url, clock=clock), actions=[pay]) as later:
        driven = asyncio.create_task(zombie.start(PAYING, id="a"))
        await begun.wait()
        clock.ms += LEASE_MS + 1
        assert (await later.resume("a")).status is Status.DONE
        before = await later.effects("a")
        go_on.set()
        assert (await driven).status is Status.DONE
        assert (await later.effects("a"), seen) == (before, ["stopped", "stopped"])
        assert story(await later.history("a"))[1:] == ["event paid paying>done"]
    assert service.charged == {entry.key: 1 for entry in before}


@on_loop
async def test_a_zombie_in_a_thread_is_stopped_too(opened: Opener) -> None:
    service, seen, store = PaymentService(), list[str](), opened()
    begun, go_on = threading.Event(), threading.Event()

    @action(name="pay")
    def pay(ctx: BlockingContext) -> str:
        begun.set()
        go_on.wait(10)
        try:
            ctx.effect("charge", service.charge, 7)
        except Exception:
            seen.append("an exception")
        return "paid"

    async with Runner(store, actions=[pay]) as runner:
        driven = asyncio.create_task(runner.start(PAYING, id="a"))
        await asyncio.to_thread(begun.wait, 10)
        head = await taken_over(store)
        go_on.set()
        assert (await driven).version == 1
        assert (service.charged, seen, list(await store.effects("a")), await store.head("a")) == ({}, [], [], head)


@on_loop
async def test_what_moves_the_agent_on_leaves_the_open_effect_in_doubt(opened: Opener) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", hang, mode="at_most_once")
        return "paid"

    async with Runner(opened(), actions=[pay]) as runner:
        driven = asyncio.create_task(runner.start(PAYING, id="a"))
        await begun.wait()
        assert (await runner.send("a", "stop")).state == "resting"
        assert (await driven).state == "resting"
        assert [(entry.name, entry.is_open) for entry in await runner.effects("a")] == [("charge", True)]


class Late:
    """A blocking action that its time-out leaves behind, or an event, in the middle of its first effect."""

    def __init__(self) -> None:
        self.service = PaymentService(after=self._hang)
        self.begun, self.go_on, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.errors: list[Exception] = []

    def _hang(self) -> None:
        self.begun.set()
        self.go_on.wait(10)

    def as_action(self) -> Any:
        @action(name="pay")
        def pay(ctx: BlockingContext) -> str:
            for name in ("first", "second"):
                try:
                    ctx.effect(name, self.service.charge, 7)
                except ActionError as error:
                    self.errors.append(error)
            self.ended.set()
            return "paid"

        return pay


@on_loop
async def test_a_thread_that_was_left_behind_tells_what_it_did_and_begins_nothing_more(opened: Opener) -> None:
    late = Late()
    async with Runner(opened(), actions=[late.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(PAYING, id="a"))
        await asyncio.to_thread(late.begun.wait, 10)
        await runner.send("a", "stop")
        late.go_on.set()
        await asyncio.to_thread(late.ended.wait, 10)
        assert (await driven).state == "resting"
        told = [(entry.name, entry.result) for entry in await runner.effects("a")]
        assert told == [("first", {"amount": 7, "times": 1})]
        assert story(await runner.history("a"))[1:] == ["event stop paying>resting"]
    [error] = late.errors
    assert str(error) == "effect 'second' comes too late: the action of state 'paying' has ended or was stopped"
    assert late.service.charged.total() == 1


@on_loop
async def test_a_task_that_an_action_leaves_behind_begins_nothing(opened: Opener) -> None:
    service, left = PaymentService(), list[asyncio.Task[Any]]()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        async def afterwards() -> Any:
            await asyncio.sleep(0)
            return await ctx.effect("charge", service.charge, 7)

        left.append(asyncio.create_task(afterwards()))
        return "paid"

    async with Runner(opened(), actions=[pay]) as runner:
        assert (await runner.start(PAYING, id="a")).status is Status.DONE
        with pytest.raises(ActionError, match="comes too late"):
            await left[0]
    assert service.charged == {}


@on_loop
async def test_of_two_attempts_that_overlap_the_first_to_record_its_result_is_believed(opened: Opener) -> None:
    """The first was left behind by its time-out in the middle of its effect."""
    async with Runner(opened()) as runner:
        await runner.start(PAYING, id="a", drive=False)
        head, store = await runner.store.head("a"), runner.store
        begun = [asyncio.Event(), asyncio.Event()]
        results = [asyncio.get_running_loop().create_future() for _ in begun]

        async def charge() -> Any:
            attempt = int(begun[0].is_set())
            begun[attempt].set()
            return await results[attempt]

        attempts = []
        for each in begun:
            outside = Effects(store, head, wait=waiting_on(asyncio.get_running_loop()))
            asked = effect_call("charge", charge, probe=None, mode="idempotent", given=(), named={})
            attempts.append(asyncio.create_task(outside.do(asked)))
            await each.wait()
        results[0].set_result("the first")
        assert await attempts[0] == "the first"
        results[1].set_result("the second")
        assert await attempts[1] == "the first"
        assert [entry.result for entry in await runner.effects("a")] == ["the first"]


class Failing(MemoryStore):
    """Fails at one verb of effects."""

    verb = ""

    async def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool = False) -> EffectEntry | None:
        self._fail_at("begin")
        return await super().begin_effect(agent_id, entry, again=again)

    async def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        self._fail_at("end")
        return await super().end_effect(agent_id, entry)

    def _fail_at(self, verb: str) -> None:
        if self.verb == verb:
            raise StoreUnavailable(f"cannot {verb}")


@pytest.mark.parametrize(("verb", "done"), [("begin", 0), ("end", 1)])
def test_a_store_that_fails_is_no_failure_of_the_action(verb: str, done: int) -> None:
    """Whatever the action makes of it, no step is taken; who comes later goes on as after a crash."""
    clock, service = FakeClock(), PaymentService()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        with suppress(StoreError):
            await ctx.effect("charge", service.charge, 7)
        return "paid"

    async def tell() -> None:
        store = Failing(clock=clock)
        store.verb = verb
        async with Runner(store, actions=[pay]) as runner:
            with pytest.raises(StoreUnavailable, match=f"cannot {verb}"):
                await runner.start(PAYING, id="a")
            assert ((await store.head("a")).version, service.charged.total()) == (1, done)
            store.verb = ""
            clock.ms += LEASE_MS + 1
            assert (await runner.resume("a")).status is Status.DONE
            assert service.charged.total() == done + 1

    asyncio.run(tell())


@pytest.mark.parametrize("kind", ["async", "blocking"])
def test_a_scripted_drive_does_effects_too_without_a_loop(kind: str) -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))

    async def pay(ctx: Context) -> str:
        ctx.data.receipt = await ctx.effect("charge", service.charge, 7)
        await ctx.effect("soon", service.charge_soon, 7)
        return "paid"

    def pay_blocking(ctx: BlockingContext) -> str:
        ctx.data.receipt = ctx.effect("charge", service.charge, 7)
        ctx.effect("soon", service.charge_soon, 7)
        return "paid"

    run = drive(PAYING, actions={"pay": pay if kind == "async" else pay_blocking})
    assert run.agent.output == {"receipt": {"amount": 7, "times": 2}}
    assert run.status is Status.DONE


def test_a_scripted_drive_parks_in_doubt() -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))

    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", service.charge, 7, mode="at_most_once")
        return "paid"

    assert drive(PAYING, actions={"pay": pay}).status is Status.PARKED


def test_inline_and_by_hand_there_are_no_effects() -> None:
    @action(name="pay", inline=True)
    def pay(ctx: Any) -> str:
        ctx.effect("charge", print)
        return "paid"

    async def tell() -> str:
        async with Runner(open_store("memory://"), actions=[pay]) as runner:
            agent = await runner.start(PAYING)
            assert agent.error is not None
            return str(agent.error["message"])

    assert asyncio.run(tell()) == "effect 'charge' cannot be done inline in state 'paying': leave `inline=True` away"
    by_hand = BlockingContext("a", "paying", Data({}), 1, 1, {}, 0)
    with pytest.raises(ActionError, match=r"needs a runner or `testing.drive`, and this context was made by hand"):
        by_hand.effect("charge", print)


def test_a_blocking_action_that_gives_a_coroutine_cannot_wait_for_itself() -> None:
    @action(name="pay")
    def pay(ctx: BlockingContext) -> Any:
        async def later() -> str:
            ctx.effect("charge", print)
            return "paid"

        return later()

    async def tell() -> str:
        async with Runner(open_store("memory://"), actions=[pay]) as runner:
            agent = await runner.start(PAYING)
            assert agent.error is not None
            return str(agent.error["message"])

    told = asyncio.run(tell())
    assert told == "a blocking `effect` would wait for itself here; make the action an `async def`"
