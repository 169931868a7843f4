"""``ctx.effect``: what is recorded is not done again, and what is open is treated as its mode says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import pytest

from fsm_agent import BlockingContext, Context, EffectInDoubt, Runner, Store, action, open_store
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectMode
from tests.support.payment_service import PAYING, PaymentService, failing
from tests.support.runtime import on_loop, story

Opener = Callable[[], Store]
MODES = ["idempotent", "check", "at_most_once"]


@pytest.fixture
def opened(every_url: str) -> Opener:
    """Opens an empty store of every kind."""
    return lambda: open_store(every_url)


def payer(service: PaymentService, *, attempts: int = 1, **options: Any) -> Any:
    """Charges twice under one name, and fails until its last attempt."""
    options |= {"probe": service.look} if options.get("mode") == "check" else {}

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        first = await ctx.effect("charge", service.charge, 7, **options)
        ctx.data.receipt = await ctx.effect("charge", service.charge_soon, 8, **options)
        assert first["amount"] == 7
        if ctx.attempt < attempts:
            raise ConnectionError("after it was done")
        return "paid"

    return pay


async def run(store: Store, *actions: Any, agent_id: str = "a") -> Agent:
    async with Runner(store, actions=actions) as runner:
        return await runner.start(PAYING, id=agent_id)


@pytest.mark.parametrize("mode", MODES)
def test_a_recorded_result_is_returned_and_nothing_is_done_again(opened: Opener, mode: str) -> None:
    @on_loop
    async def tell() -> None:
        service, store = PaymentService(), opened()
        async with Runner(store, actions=[payer(service, attempts=3, mode=mode)]) as runner:
            agent = await runner.start(PAYING, id="a")
            assert agent.output == {"receipt": {"amount": 8, "times": 1}}
            first, second = await runner.effects("a")
            assert service.charged == {first.key: 1, second.key: 1}
            assert service.probed == {}
            assert (first.name, first.use, second.use, first.mode) == ("charge", 1, 2, EffectMode(mode))
            assert (first.result, first.activation) == ({"amount": 7, "times": 1}, 1)

    tell()


@on_loop
async def test_an_open_idempotent_effect_is_done_again_under_the_same_key(opened: Opener) -> None:
    service = PaymentService(after=failing(2, ConnectionError("no answer")))
    agent = await run(opened(), payer(service))
    assert agent.status is Status.DONE
    assert sorted(service.charged.values()) == [1, 3]


@on_loop
async def test_an_open_checked_effect_is_done_again_only_if_the_probe_says_that_it_was_not(opened: Opener) -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))
    agent = await run(opened(), payer(service, mode="check"))
    assert agent.status is Status.DONE
    assert list(service.charged.values()) == [1, 1]
    assert list(service.probed.values()) == [1]

    undone, calls = PaymentService(), [ConnectionError("never got there")]

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        def charge(amount: int, idempotency_key: str) -> Any:
            if calls:
                raise calls.pop()
            return undone.charge(amount, idempotency_key=idempotency_key)

        ctx.data.receipt = await ctx.effect("charge", charge, 7, mode="check", probe=undone.look)
        return "paid"

    assert (await run(opened(), pay, agent_id="b")).output == {"receipt": {"amount": 7, "times": 1}}
    assert list(undone.probed.values()) == [1]


@on_loop
async def test_an_open_at_most_once_effect_parks_the_agent_and_says_how_it_goes_on(opened: Opener) -> None:
    service, store = PaymentService(after=failing(1, ConnectionError("no answer"))), opened()
    async with Runner(store, actions=[payer(service, mode="at_most_once")]) as runner:
        agent = await runner.start(PAYING, id="a")
        [entry] = await runner.effects("a")
        assert (agent.status, entry.is_open, service.charged) == (Status.PARKED, True, {entry.key: 1})
        assert agent.error is not None
        assert agent.error["type"] == "EffectInDoubt"
        assert agent.error["message"].startswith("effect 'charge' of agent 'a' was begun at 20")
        assert (
            f"find out, and tell `unpark` of the effect {entry.key} its result, or that it was not done; the attempt "
            "before failed at tests/support/payment_service.py:"
        ) in agent.error["message"]
        assert agent.error["message"].endswith(": ConnectionError: no answer")
        assert story(await runner.history("a"))[-1] == "parked error paying>paying"
        assert (await runner.unpark("a")).status is Status.PARKED, "nobody has said what became of it"
        assert service.charged == {entry.key: 1}


@on_loop
async def test_an_action_that_swallows_the_doubt_parks_the_agent_all_the_same(opened: Opener) -> None:
    service, said = PaymentService(after=failing(1, ConnectionError("no answer"))), []

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        for amount in (7, 8):
            try:
                await ctx.effect("charge", service.charge, amount, mode="at_most_once")
            except EffectInDoubt as error:
                said.append(str(error))
        return "paid"

    agent = await run(opened(), pay)
    assert agent.status is Status.PARKED
    assert len(set(said)) == 1
    assert len(said) == 2, "and it is told so at each of its later effects"
    assert service.charged.total() == 1


@on_loop
async def test_other_arguments_under_one_key_park_the_agent(opened: Opener) -> None:
    service = PaymentService()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", service.charge, ctx.attempt)
        raise ConnectionError

    agent = await run(opened(), pay)
    assert (agent.status, service.charged.total()) == (Status.PARKED, 1)
    assert agent.error is not None
    assert agent.error["type"] == "EffectMismatch"
    assert "was begun with other arguments" in agent.error["message"]


@on_loop
async def test_another_activation_another_name_and_another_agent_have_keys_of_their_own(opened: Opener) -> None:
    service, store = PaymentService(), opened()

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        ctx.data.n += 1
        for name in ("charge", "tip"):
            await ctx.effect(name, service.charge, 7)
        return "paid" if ctx.data.n == 2 else "again"

    async with Runner(store, actions=[pay]) as runner:
        for agent_id in "ab":
            await runner.start(PAYING, id=agent_id)
        told = [(entry.activation, entry.name, entry.use) for entry in await runner.effects("a")]
    assert told == [(1, "charge", 1), (1, "tip", 1), (2, "charge", 1), (2, "tip", 1)]
    assert (len(service.charged), service.charged.total()) == (8, 8)


@on_loop
async def test_the_key_goes_only_to_a_function_that_names_it(opened: Opener) -> None:
    given: list[Any] = []

    def told(idempotency_key: str) -> None:
        given.append(idempotency_key)

    class Mail:
        async def __call__(self, to: str, idempotency_key: str) -> None:
            given.append((to, idempotency_key))

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("any keyword", lambda *args, **named: given.append((args, named)), 1, x=2)
        await ctx.effect("of its own", told, idempotency_key="mine")
        await ctx.effect("partial", partial(lambda a, b: given.append((a, b)), 1), 2)
        assert await ctx.effect("in C", divmod, 7, 2) == [3, 1]
        await ctx.effect("mail", Mail(), "ana")
        return "paid"

    store = opened()
    async with Runner(store, actions=[pay]) as runner:
        assert (await runner.start(PAYING, id="a")).status is Status.DONE
        [mail] = [entry for entry in await runner.effects("a") if entry.name == "mail"]
    assert given == [((1,), {"x": 2}), "mine", (1, 2), ("ana", mail.key)]


@on_loop
async def test_a_function_gets_plain_copies_and_so_does_the_action(opened: Opener) -> None:
    class Colour(StrEnum):
        RED = "red"

    def spoil(receipt: Any, colour: str, pair: list[int]) -> Any:
        assert (type(receipt), type(colour), pair) == (dict, str, [1, 2])
        receipt["spoilt"] = True
        return {"pair": (1, 2), "colour": Colour.RED}

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        ctx.data.receipt = {"amount": 7}
        assert await ctx.effect("spoil", spoil, ctx.data.receipt, Colour.RED, (1, 2)) == {
            "pair": [1, 2],
            "colour": "red",
        }
        return "paid"

    assert (await run(opened(), pay)).output == {"receipt": {"amount": 7}}


@pytest.mark.parametrize(
    ("args", "options", "sentence"),
    [
        ((object(),), {}, "effect 'x' cannot be kept: arguments[0] is an object of type object"),
        ((), {"amount": {1, 2}}, "effect 'x' cannot be kept: arguments.amount is {1, 2} of type set"),
        ((), {"mode": "once"}, "effect 'x' cannot be done in mode 'once'; there are idempotent, at_most_once, check"),
        ((), {"mode": "check"}, "effect 'x': mode 'check' needs a `probe`"),
        ((), {"probe": print}, "effect 'x': mode 'check' needs a `probe`, which is a function, and no other does"),
    ],
)
def test_what_cannot_be_meant_is_an_error_and_nothing_is_done(
    args: tuple[Any, ...], options: dict[str, Any], sentence: str
) -> None:
    done: list[Any] = []

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("x", lambda *_, **__: done.append(1), *args, **options)
        return "paid"

    agent = asyncio.run(run(open_store("memory://"), pay))
    assert agent.error is not None
    assert (agent.status, agent.error["type"], done) == (Status.FAILED, "ActionError", [])
    assert sentence in agent.error["message"]


def test_a_result_that_is_no_json_is_an_error_and_stays_open() -> None:
    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", object)
        return "paid"

    async def tell() -> None:
        async with Runner(open_store("memory://"), actions=[pay]) as runner:
            agent = await runner.start(PAYING, id="a")
            assert agent.error is not None
            assert "the result of effect 'charge' is an object of type object" in agent.error["message"]
            assert agent.error["message"].endswith("it was done, and no result is recorded")
            assert [entry.is_open for entry in await runner.effects("a")] == [True]

    asyncio.run(tell())


def test_a_plain_function_blocks_nobody_and_a_blocking_action_has_its_own_thread() -> None:
    where: dict[str, str] = {}

    def note(name: str) -> None:
        where[name] = threading.current_thread().name

    async def note_soon(name: str) -> None:
        note(name)

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("plain", note, "plain")
        await ctx.effect("coroutine", note_soon, "coroutine")
        return "again" if ctx.visits["paying"] < 2 else "paid"

    @action(name="pay")
    def pay_blocking(ctx: BlockingContext) -> str:
        note("action")
        ctx.effect("plain", note, "blocking plain")
        ctx.effect("coroutine", note_soon, "blocking coroutine")
        return "paid"

    for each in (pay, pay_blocking):
        assert asyncio.run(run(open_store("memory://"), each)).status is Status.DONE
    here = threading.current_thread().name
    assert where["plain"] == "effect 'plain'"
    assert where["coroutine"] == where["blocking coroutine"] == here
    assert where["blocking plain"] == where["action"] == "action 'pay'"
