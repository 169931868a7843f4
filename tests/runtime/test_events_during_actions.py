"""While an action runs: what moves the agent ends it, what does not waits for it, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.errors import IllegalEvent, LimitExceeded
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import Gate, flow, on_loop, story

WORK = flow("""
    data: {notes: {type: array, items: {type: string}, default: []}, n: {type: integer, default: 0, maximum: 3}}
    events: {ok: {}, stop: {}, note: {text: string}, more: {n: integer}, odd: {}, only_here: {}}
    initial: working
    on: {note: {append: {notes: event.text}}, cancel: cancelled}
    states:
      working:
        do: work
        after: {1h: late, 10m: {append: {notes: "'nagged'"}}}
        on:
          ok: resting
          stop: resting
          more: {assign: {n: event.n}}
          odd: {when: data.n == 0 || 1 / (data.n - data.n) > 0, assign: {n: 0}}
          only_here: {assign: {n: 1}}
      resting: {on: {ok: done}}
      done: {final: true}
      late: {final: true, outcome: failed}
      cancelled: {final: true, outcome: cancelled}
""")

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens an empty store of every kind that comes with us, on a clock that stands still."""
    # what must be told at once is not found out later
    monkeypatch.setattr("fsm_agent.runtime.action_executor.renewal_ms", lambda _: 3_600_000)
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    return lambda: open_store(url, clock=FakeClock())


class Working:
    """An agent ``a`` whose action runs until its gate is opened."""

    def __init__(self, store: Store, **known: Any) -> None:
        self.gate = Gate()
        self.runner = Runner(store, actions=[self.gate.as_action(**known)])

    async def __aenter__(self) -> Working:
        self.started = asyncio.create_task(self.runner.start(WORK, id="a"))
        await self.gate.begun.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.started.cancel()
        await asyncio.gather(self.started, return_exceptions=True)
        await self.runner.close()

    async def finish(self, event: Any) -> Agent:
        self.gate.open(event)
        return await self.started

    async def story(self) -> list[str]:
        return story(await self.runner.history("a"))[1:]


@on_loop
async def test_an_event_that_moves_the_agent_commits_at_once_and_cancels_the_action(opened: Opener) -> None:
    async with Working(opened()) as it:
        epoch = (await it.runner.store.head("a")).epoch
        agent = await it.runner.send("a", "stop")
        assert (agent.state, agent.delivery) == ("resting", "applied")
        superseded = await it.started
        assert (superseded.state, it.gate.was_cancelled) == ("resting", True)
        assert (await it.runner.store.head("a")).epoch > epoch
        assert await it.story() == ["event stop working>resting"]


@on_loop
async def test_cancel_reaches_a_running_action(opened: Opener) -> None:
    async with Working(opened()) as it:
        assert (await it.runner.cancel("a", by="op")).status is Status.CANCELLED
        assert (await it.started).status is Status.CANCELLED
        assert it.gate.was_cancelled


@on_loop
async def test_an_internal_event_is_queued_and_decided_after_the_action_s_event_in_order(opened: Opener) -> None:
    async with Working(opened()) as it:
        for text in ("first", "second"):
            agent = await it.runner.send("a", "note", {"text": text}, by="ana", key=text)
            assert (agent.delivery, agent.status, agent.data["notes"]) == ("queued", Status.RUNNING, [])
        assert (await it.runner.send("a", "note", {"text": "first"}, key="first")).delivery == "duplicate"
        agent = await it.finish("ok")
        assert (agent.state, agent.data["notes"]) == ("resting", ["first", "second"])
        assert await it.story() == [
            "event ok working>resting", "event note resting>resting", "event note resting>resting",
        ]  # fmt: skip
        record = await it.runner.store.load("a", key="second")
        assert record.outcome is not None
        assert (record.outcome.version, record.head.queued) == (4, 0)


@on_loop
async def test_a_queued_event_that_has_become_impossible_is_refused_on_record(opened: Opener) -> None:
    async with Working(opened()) as it:
        assert (await it.runner.send("a", "more", {"n": 2}, key="k")).delivery == "queued"
        agent = await it.finish("ok")
        assert (agent.state, agent.data["n"]) == ("resting", 0)
        assert await it.story() == ["event ok working>resting", "refused more resting>resting"]
        assert (await it.runner.history("a"))[-1].reason == "not allowed in state 'resting'"
        assert (await it.runner.send("a", "more", {"n": 2}, key="k")).delivery == "duplicate"


@on_loop
async def test_an_internal_event_that_is_illegal_now_is_refused_at_once(opened: Opener) -> None:
    async with Working(opened()) as it:
        for wrong in ({"event": "more", "payload": {"n": 4}}, {"event": "note"}):
            with pytest.raises(Exception, match="wrong"):
                await it.runner.send("a", **wrong)
        assert (await it.runner.store.head("a")).queued == 0


@on_loop
async def test_what_the_running_action_will_say_cannot_be_sent_from_outside(opened: Opener) -> None:
    async with Working(opened(), emits=["ok", "stop"]) as it:
        with pytest.raises(
            IllegalEvent, match="because only action 'work' may name it; allowed: note, more, odd, only_here"
        ):
            await it.runner.send("a", "ok")
        assert (await it.runner.send("a", "note", {"text": "x"})).delivery == "queued"
        assert (await it.finish("ok")).state == "resting"
        assert (await it.runner.send("a", "ok")).state == "done"


@on_loop
async def test_an_event_that_moves_the_agent_comes_before_those_that_wait(opened: Opener) -> None:
    async with Working(opened()) as it:
        await it.runner.send("a", "note", {"text": "x"})
        agent = await it.runner.send("a", "stop")
        assert (agent.state, agent.data["notes"]) == ("resting", ["x"])
        assert await it.story() == ["event stop working>resting", "event note resting>resting"]


@on_loop
async def test_what_waits_for_an_agent_that_has_ended_is_refused_on_record(opened: Opener) -> None:
    async with Working(opened()) as it:
        await it.runner.send("a", "note", {"text": "x"})
        await it.runner.cancel("a")
        assert await it.story() == ["event cancel working>cancelled", "refused note cancelled>cancelled"]
        assert (await it.runner.store.head("a")).wake_ms is None


@on_loop
async def test_what_was_queued_by_then_is_decided_before_what_comes_later(opened: Opener) -> None:
    """The driver dies between the action's event and the queue; the next sender finds the queue first."""
    store = opened()
    async with Working(store) as it:
        await it.runner.send("a", "note", {"text": "first"})
        await it.runner.send("a", "stop", drive=False)
        assert (await store.head("a")).queued == 1
        agent = await Runner(store).send("a", "note", {"text": "second"})
        assert (agent.delivery, agent.data["notes"]) == ("applied", ["first", "second"])


@on_loop
async def test_an_event_for_work_that_nobody_does_brings_somebody_to_do_it() -> None:
    async def work(ctx: Context) -> str:
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        await runner.start(WORK, id="a", drive=False)
        agent = await runner.send("a", "note", {"text": "x"})
        assert (agent.delivery, agent.state, agent.data["notes"]) == ("queued", "resting", ["x"])


@on_loop
async def test_a_timer_that_takes_the_agent_out_of_its_work_stops_the_action(opened: Opener) -> None:
    clock = FakeClock()
    async with Working(open_store("memory://", clock=clock)) as it:
        clock.advance(hours=1)
        with pytest.raises(IllegalEvent, match="because the agent has failed"):
            await it.runner.send("a", "note", {"text": "late"})
        assert (await it.started).state == "late"
        assert it.gate.was_cancelled
        assert await it.story() == ["event after working>late"]


@on_loop
async def test_an_internal_timer_waits_for_the_action() -> None:
    clock = FakeClock()
    async with Working(open_store("memory://", clock=clock)) as it:
        clock.advance(minutes=10)
        await it.runner.send("a", "note", {"text": "x"})
        agent = await it.finish("stop")
        assert (agent.state, agent.data["notes"]) == ("resting", ["x"]), "leaving the state has cleared it"


@on_loop
async def test_an_action_may_send_to_its_own_agent() -> None:
    async def work(ctx: Context) -> str:
        await runner.send(ctx.agent_id, "note", {"text": "from inside"})
        return "ok"

    async with Runner(open_store("memory://"), actions=[work]) as runner:
        agent = await runner.start(WORK)
        assert agent.data["notes"] == ["from inside"]


@on_loop
async def test_a_queued_event_that_would_exceed_a_limit_waits_with_the_parked_agent() -> None:
    limited = flow("""
        data: {n: {type: integer, default: 0}}
        events: {ok: {}, note: {}}
        initial: working
        states:
          working: {do: work, on: {ok: resting, note: {assign: {n: data.n + 1}}}}
          resting: {on: {note: {assign: {n: data.n + 1}}}}
        limits: {steps: 2}
    """)
    gate = Gate()
    async with Runner(open_store("memory://"), actions=[gate.as_action()]) as runner:
        started = asyncio.create_task(runner.start(limited, id="a"))
        await gate.begun.wait()
        await runner.send("a", "note")
        gate.open("ok")
        agent = await started
        assert (agent.state, agent.status, agent.error and agent.error["type"]) == (
            "resting", Status.PARKED, LimitExceeded.__name__,
        )  # fmt: skip
        head = await runner.store.head("a")
        assert (head.queued, head.wake_ms) == (1, None)
        agent = await runner.unpark("a")
        assert (agent.status, agent.data["n"]) == (Status.WAITING, 1)
