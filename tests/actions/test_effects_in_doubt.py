"""An operator says what became of an effect in doubt: one recorded step, and the agent goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fsm_agent import Context, Runner, Store, action, open_store, sync
from fsm_agent.domain.agent import Status
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.errors import EffectNotOpen, NotParked, Refused
from tests.support.payment_service import PAYING, PaymentService, failing
from tests.support.runtime import flow, on_loop, story
from tests.support.shop import Shop

Opener = Callable[[], Store]


@pytest.fixture
def opened(every_url: str) -> Opener:
    """Opens an empty store of every kind."""
    return lambda: open_store(every_url)


def payer(service: PaymentService) -> Any:
    """Charges twice, at most once each."""

    @action(name="pay")
    async def pay(ctx: Context) -> str:
        await ctx.effect("charge", service.charge, 7, mode="at_most_once")
        ctx.data.receipt = await ctx.effect("tip", service.charge, 1, mode="at_most_once")
        return "paid"

    return pay


@on_loop
async def test_a_result_is_recorded_with_the_step_that_lets_the_agent_go_on(opened: Opener) -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))
    async with Runner(opened(), actions=[payer(service)]) as runner:
        await runner.start(PAYING, id="a")
        [charge] = await runner.effects("a")
        agent = await runner.unpark("a", effect=charge.key, result={"amount": 7}, by="ann")
        assert (agent.status, agent.delivery) == (Status.DONE, "applied")
        assert [entry.result for entry in await runner.effects("a")] == [{"amount": 7}, {"amount": 1, "times": 1}]
        assert service.charged[charge.key] == 1
        steps = await runner.history("a")
        assert story(steps)[1:] == [
            "parked error paying>paying",
            "unparked settle paying>paying",
            "event paid paying>done",
        ]
        assert (steps[2].kind, steps[2].by) == (StepKind.UNPARKED, "ann")
        assert steps[2].payload == {"effect": charge.key, "was_done": True, "result": {"amount": 7}}


@on_loop
async def test_what_was_not_done_is_done_and_what_else_is_open_parks_again(opened: Opener) -> None:
    service = PaymentService(after=failing(2, ConnectionError("no answer")))
    async with Runner(opened(), actions=[payer(service)]) as runner:
        await runner.start(PAYING, id="a")
        [charge] = await runner.effects("a")
        agent = await runner.unpark("a", effect=charge.key, not_done=True)
        assert (agent.status, service.charged[charge.key]) == (Status.PARKED, 2)
        agent = await runner.unpark("a", effect=charge.key, result=None)
        assert (agent.status, service.charged[charge.key]) == (Status.DONE, 2)
        assert [step.payload for step in await runner.history("a") if step.event == "settle"] == [
            {"effect": charge.key, "was_done": False},
            {"effect": charge.key, "was_done": True, "result": None},
        ]


@on_loop
async def test_without_driving_the_agent_is_left_to_a_worker(opened: Opener) -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))
    async with Runner(opened(), actions=[payer(service)]) as runner:
        await runner.start(PAYING, id="a")
        [charge] = await runner.effects("a")
        agent = await runner.unpark("a", effect=charge.key, result=1, drive=False)
        assert (agent.status, agent.error) == (Status.RUNNING, None)
        assert (await runner.resume("a")).status is Status.DONE


@on_loop
async def test_what_is_not_in_doubt_cannot_be_settled_and_nothing_changes(opened: Opener) -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))
    async with Runner(opened(), actions=[payer(service)]) as runner:
        await runner.start(PAYING, id="a")
        before = await runner.get("a")
        [charge] = await runner.effects("a")
        with pytest.raises(EffectNotOpen, match=rf"agent 'a' has no open effect 'x'; open: charge \({charge.key}\)"):
            await runner.unpark("a", effect="x", result=1)
        for wrong in (
            {"effect": charge.key},
            {"effect": charge.key, "result": 1, "not_done": True},
            {"effect": charge.key, "result": 1, "event": "paid"},
            {"result": 1},
            {"not_done": True},
        ):
            with pytest.raises(Refused, match="an effect is settled by `effect` with either `result` or `not_done`"):
                await runner.unpark("a", **wrong)
        with pytest.raises(Refused, match="the result is an object of type object, and only JSON can be kept"):
            await runner.unpark("a", effect=charge.key, result=object())
        assert (await runner.get("a"), list(await runner.effects("a"))) == (before, [charge])
        await runner.unpark("a", effect=charge.key, result=1)
        with pytest.raises(NotParked):
            await runner.unpark("a", effect=charge.key, result=1)


@on_loop
async def test_an_agent_that_is_parked_with_an_event_is_not_parked_for_an_effect(opened: Opener) -> None:
    limited = flow("""
        events: {go: {}}
        initial: a
        states: {a: {on: {go: b}}, b: {on: {go: a}}}
        limits: {visits: {b: 1}}
    """)
    async with Runner(opened()) as runner:
        await runner.start(limited, id="a")
        for _ in range(3):
            agent = await runner.send("a", "go")
        assert agent.status is Status.PARKED
        with pytest.raises(Refused, match="agent 'a' is parked with event 'go', and not for an effect"):
            await runner.unpark("a", effect="x", not_done=True)


def test_the_blocking_runner_settles_too() -> None:
    service = PaymentService(after=failing(1, ConnectionError("no answer")))
    with sync.Runner(open_store("memory://"), actions=[payer(service)]) as runner:
        runner.start(PAYING, id="a")
        [charge] = runner.effects("a")
        assert runner.unpark("a", effect=charge.key, result=1).status is Status.DONE


ACTIONS = """
from pathlib import Path
from fsm_agent import BlockingContext, action

def charge(amount):
    with Path("charged").open("a") as file:
        file.write("x")
    raise ConnectionError("no answer")

@action
def deliver(ctx: BlockingContext):
    ctx.effect("charge", charge, 7, mode="at_most_once")
    return "packed"
"""

WORK = """
workflow: work
version: 1
events: {packed: {}, stop: {}}
initial: working
states:
  working:
    do: deliver
    retry: {attempts: 2, backoff: 1ms}
    on: {packed: done, stop: done}
  done: {final: true}
"""
EFFECT = ["key", "name", "use", "activation", "mode", "begun_at", "ended_at", "result"]


@pytest.fixture
def doubtful(shop: Shop) -> Shop:
    """A project with an agent ``one`` that is parked in doubt."""
    shop.write("shop_actions.py", ACTIONS)
    shop.write("work.yaml", WORK)
    parked = shop("--json", "run", "work.yaml", "--id", "one")
    assert (parked.json["status"], parked.json["error"]["type"], parked.code) == ("parked", "EffectInDoubt", 4)
    return shop


def key_of(shop: Shop) -> str:
    [effect] = shop("--json", "effects", "one").json["effects"]
    return str(effect["key"])


def test_the_command_line_lists_effects_and_says_what_to_type(doubtful: Shop) -> None:
    document = doubtful("--json", "effects", "one").json
    assert list(document) == ["id", "effects"]
    [effect] = document["effects"]
    assert list(effect) == EFFECT
    told = {name: effect[name] for name in ("name", "use", "activation", "mode", "ended_at", "result")}
    assert told == {
        "name": "charge", "use": 1, "activation": 1, "mode": "at_most_once", "ended_at": None, "result": None,
    }  # fmt: skip
    key = effect["key"]
    table = doubtful("effects", "one").out
    assert "in doubt" in table
    assert f"fsm-agent unpark one --effect {key} --result '\"RESULT\"'" in table
    assert f"fsm-agent unpark one --effect {key} --not-done" in table
    shown = doubtful("show", "one").out
    assert "fsm-agent effects one" in shown
    assert key in doubtful("--json", "show", "one").json["error"]["message"]


def test_the_command_line_settles(doubtful: Shop) -> None:
    settled = doubtful("--json", "unpark", "one", "--effect", key_of(doubtful), "--result", "null")
    assert (settled.json["status"], settled.code) == ("done", 0)
    assert (doubtful.folder / "charged").read_text() == "x"
    assert "null" in doubtful("effects", "one").out


def test_the_command_line_has_it_done_after_all(doubtful: Shop) -> None:
    again = doubtful("--json", "unpark", "one", "--effect", key_of(doubtful), "--not-done")
    assert (again.json["status"], again.code) == ("parked", 4)
    assert (doubtful.folder / "charged").read_text() == "xx"


def test_an_agent_that_has_moved_on_still_shows_what_is_in_doubt(doubtful: Shop) -> None:
    assert doubtful("--json", "unpark", "one", "--event", "stop").json["state"] == "done"
    table = doubtful("effects", "one").out
    assert "in doubt" in table
    assert "unpark" not in table
    assert doubtful("effects", "nobody").code == 1


@pytest.mark.parametrize(
    ("words", "sentence", "code"),
    [
        ([], "say how it goes on, with --retry, with --event EVENT or with --effect KEY", 2),
        (["--retry", "--effect", "k"], "--retry and --effect exclude each other", 1),
        (["--event", "stop", "--effect", "k"], "--event and --effect exclude each other", 1),
        (["--retry", "--result", "1"], "--result and --not-done say what became of an effect, and need --effect", 1),
        (["--retry", "--not-done"], "--result and --not-done say what became of an effect, and need --effect", 1),
        (["--retry", "--payload", "{}"], "--payload is that of an event, and needs --event", 1),
        (["--effect", "k"], "--effect needs either --result JSON, if it was done, or --not-done", 1),
        (["--effect", "k", "--result", "1", "--not-done"], "--effect needs either --result JSON", 1),
        (["--effect", "k", "--result", "{"], "'{' is not JSON", 1),
        (["--effect", "k", "--not-done"], "agent 'one' has no open effect 'k'; open: charge (", 1),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    doubtful: Shop, words: list[str], sentence: str, code: int
) -> None:
    refused = doubtful("unpark", "one", *words)
    assert (refused.code, refused.out) == (code, "")
    assert sentence in refused.err
    assert (doubtful.folder / "charged").read_text() == "x"
