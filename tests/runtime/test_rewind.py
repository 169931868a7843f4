"""Going back: an earlier version comes back as one more step, or goes on as another agent; nothing written changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import ArmedTimer, Head, Status
from fsm_agent.domain.effect import EffectEntry, EffectMode
from fsm_agent.domain.question import Asked
from fsm_agent.domain.record import Commit, Origin
from fsm_agent.domain.step import EMPTY_DELTA, Delta, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.replay.history import Past
from fsm_agent.engine.replay.verify import verify
from fsm_agent.errors import AgentExists, Conflict, HistoryBroken, IdInvalid, IllegalEvent, KeyReuse, VersionMissing
from fsm_agent.runtime.replay import load_past
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.runtime import Gate, flow, on_loop, story

ORDER = flow("""
    data: {item: string?, notes: {type: array, items: {type: string}, default: []}}
    events: {order: {item: string}, note: {text: string}, pay: {}, paid: {}}
    initial: shop
    states:
      shop:
        initial: browsing
        on: {note: {append: {notes: event.text}}}
        after: {30d: gone}
        states:
          browsing: {on: {order: {target: asking, assign: {item: event.item}}}}
          asking:
            ask: {prompt: "Pay for {{ data.item }}?", events: [pay]}
            after: {1h: {append: {notes: "'are you there?'"}}, 3d: gone}
            on: {pay: paying}
          paying: {do: pay, on: {paid: done}}
      done: {final: true, output: {item: data.item}}
      gone: {final: true, outcome: cancelled}
    limits: {visits: {shop.asking: 1}}
""")
BOUNDED = flow("""
    events: {go: {}}
    initial: here
    states: {here: {on: {go: there}}, there: {on: {go: here}}}
    limits: {steps: 2}
""")
EFFECT = ["key", "name", "use", "activation", "mode", "begun_at", "ended_at", "result"]
HOUR, DAY = 3_600_000, 86_400_000


class Till:
    """The action ``pay``: notes its activation, and what it did to the world."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.activations: list[int] = []

    def as_action(self) -> Any:
        @action(name="pay")
        async def pay(ctx: Context) -> str:
            self.activations.append(ctx.activation)
            epoch, now_ms = (await self.store.head(ctx.agent_id)).epoch, await self.store.now()
            for use, ended_ms in ((1, now_ms), (2, None)):
                entry = EffectEntry(
                    f"key-{ctx.activation}-{use}", ctx.activation, "charge", use, EffectMode.CHECK, "", epoch, now_ms
                )
                await self.store.begin_effect(ctx.agent_id, entry)
                if ended_ms:
                    await self.store.end_effect(ctx.agent_id, entry._replace(ended_ms=ended_ms, result={"ok": True}))
            return "paid"

        return pay


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def new_runner(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Callable[[], Runner]:
    def opened() -> Runner:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
        store = open_store(url, clock=clock)
        return Runner(store, actions=[Till(store).as_action()])

    return opened


async def _paid(runner: Runner, clock: FakeClock) -> None:
    """1 browsing, 2 asking, 3 reminded after an hour, 4 paying, 5 done."""
    await runner.start(ORDER, "order", {"item": "tea"}, id="a", by="ana")
    clock.ms += HOUR
    await runner.resume("a")
    assert (await runner.answer("a", {}, key="pay-1", by="ana")).status is Status.DONE


def _due(head: Head, clock: FakeClock) -> dict[tuple[str, str], int]:
    return {(timer.state, timer.label): timer.due_ms - clock.ms for timer in head.timers}


@on_loop
async def test_a_rewind_is_one_more_step_that_brings_state_data_and_visits_back(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        before, then = list(await runner.history("a")), await runner.get("a", at=3)
        clock.ms += DAY
        agent = (await runner.rewind("a", 3, by="op")).agent
        head, steps = await runner.store.head("a"), list(await runner.history("a"))
        assert steps[:5] == before
        assert story(steps[5:]) == ["rewound rewind done>shop.asking"]
        assert (steps[5].payload["version"], steps[5].by, steps[5].entered) == (3, "op", 0)
        assert (agent.state, agent.status, agent.data, agent.output) == (then.state, then.status, then.data, None)
        assert (head.visits, head.rewound, agent.version) == ({"shop": 1, "shop.browsing": 1, "shop.asking": 1}, 6, 6)
        assert agent.question is not None
        assert agent.question.prompt == "Pay for tea?"
        assert (await runner.answer("a", {}, key="pay-1", by="ana")).delivery == "duplicate", "keys stay used"
        assert (await runner.answer("a", {}, key="pay-2", by="ana")).version == 8, "and events are taken as ever"


@on_loop
async def test_timers_that_were_armed_then_run_from_now_and_one_that_had_its_turn_stays_away(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        clock.ms += 5 * DAY
        await runner.rewind("a", 3)
        assert _due(await runner.store.head("a"), clock) == {("shop", "30d"): 30 * DAY, ("shop.asking", "3d"): 3 * DAY}
        await runner.rewind("a", 2)
        assert _due(await runner.store.head("a"), clock)["shop.asking", "1h"] == HOUR


@on_loop
async def test_a_state_with_an_action_waits_for_an_operator_and_begins_under_a_new_activation(
    clock: FakeClock,
) -> None:
    store = open_store("memory://", clock=clock)
    till = Till(store)
    async with Runner(store, actions=[till.as_action()]) as runner:
        await _paid(runner, clock)
        agent = (await runner.rewind("a", 4)).agent
        assert (agent.status, agent.state) == (Status.PARKED, "shop.paying")
        assert agent.error == {
            "type": "Rewound",
            "message": "rewound to version 4, and once it is unparked it begins the work of state 'shop.paying'",
        }
        assert (await runner.unpark("a")).status is Status.DONE
        assert till.activations == [4, 6]


@on_loop
async def test_what_actions_did_since_stays_done_and_is_named(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        clock.ms += 1
        for version in (2, 4):
            effects = (await runner.rewind("a", version)).effects
            assert [(entry.key, entry.is_open, entry.result) for entry in effects] == [
                ("key-4-1", False, {"ok": True}),
                ("key-4-2", True, None),
            ]
        rewound = await runner.rewind("a", 5)
        assert (rewound.effects, rewound.agent.status, rewound.agent.output) == ((), Status.DONE, {"item": "tea"})
        document = (await runner.rewind("a", 4)).to_json()
        assert [list(effect) for effect in document["effects"]] == [EFFECT, EFFECT]
        assert [(effect["key"], effect["result"]) for effect in document["effects"]] == [
            ("key-4-1", {"ok": True}),
            ("key-4-2", None),
        ]
        assert document["version"] == 9


@on_loop
async def test_an_action_at_work_is_stopped_and_its_late_event_comes_to_nothing() -> None:
    gate = Gate()
    work = flow("""
        events: {go: {}, ok: {}}
        initial: idle
        states: {idle: {on: {go: working}}, working: {do: work, on: {ok: idle}}}
    """)
    async with Runner(open_store("memory://"), actions=[gate.as_action()]) as runner:
        driven = asyncio.create_task(runner.start(work, "go", id="a"))
        await gate.begun.wait()
        agent = (await runner.rewind("a", 2, drive=False)).agent
        assert (agent.status, agent.version) == (Status.PARKED, 3)
        gate.open("ok")
        assert (await driven).version == 3
        assert gate.was_cancelled
        assert story(await runner.history("a"))[-1] == "rewound rewind working>working"


@on_loop
async def test_one_that_is_driven_elsewhere_is_taken_away_from_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    async with Runner(open_store(url)) as elsewhere, Runner(open_store(url)) as here:
        await elsewhere.start(ORDER, "order", {"item": "tea"}, id="a")
        await elsewhere.answer("a", {}, drive=False)
        head = await elsewhere.store.head("a")
        await here.rewind("a", 1)
        step = Step(4, StepKind.EVENT, "paid", {}, "shop.paying", "done", head.updated_ms)
        with pytest.raises(Conflict):
            await elsewhere.store.commit(Commit(head._replace(version=4), step, head.epoch))
        assert (await here.get("a")).state == "shop.browsing"


@on_loop
async def test_a_rewind_on_another_version_than_expected_changes_nothing(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        with pytest.raises(Conflict, match="agent 'a' is at version 5, and version 4 was expected: since then"):
            await runner.rewind("a", 2, expect_version=4)
        assert (await runner.get("a")).version == 5
        assert (await runner.rewind("a", 2, expect_version=5)).agent.version == 6


@on_loop
async def test_versions_that_are_not_there_are_told_from_those_that_are_forgotten(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        for version in (0, 6, -1):
            with pytest.raises(VersionMissing, match=rf"agent 'a' has no version {version}; there are versions 1 to 5"):
                await runner.rewind("a", version)
        then, seen = await runner.get("a", at=3), await runner.store.head("a")
        await runner.rewind("a", 3)
        await _shorten(runner, 3)
        with pytest.raises(VersionMissing, match=r"version 2 of agent 'a' is forgotten.*; there are versions 3 to 6"):
            await runner.get("a", at=2)
        assert await runner.get("a", at=3) == then
        assert (await runner.replay("a")).mismatches == []
        await _shorten(runner, 4)
        replayed = await runner.replay("a", to=4)
        assert (replayed.first, replayed.last, replayed.mismatches) == (4, 6, [])
        assert replayed.agent is not None
        assert replayed.agent.status is Status.RUNNING
        assert (await runner.rewind("a", 5)).agent.output == {"item": "tea"}
        assert seen.version == 5


async def _shorten(runner: Runner, version: int) -> None:
    then = (await load_past(runner.store, "a")).at(version)
    await runner.store.shorten(await runner.store.head("a"), Origin(then.head, then.folded.values))


@on_loop
async def test_the_event_with_which_an_agent_was_parked_is_dropped_on_record(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await runner.start(BOUNDED, "go", id="a")
        assert (await runner.send("a", "go")).delivery == "queued"
        agent = (await runner.rewind("a", 2)).agent
        assert (agent.status, agent.state, agent.version) == (Status.WAITING, "there", 4), "limits do not bind it"
        assert (await runner.history("a"))[-1].reason == "event 'go', with which it was parked, is refused"
        assert (await runner.replay("a")).mismatches == []


@on_loop
async def test_a_fork_is_another_agent_with_keys_of_its_own(new_runner: Callable[[], Runner], clock: FakeClock) -> None:
    async with new_runner() as runner:
        await _paid(runner, clock)
        before = await runner.store.dump("a")
        clock.ms += DAY
        fork = await runner.fork("a", 3, id="b", key="fork-1", by="op")
        assert (fork.id, fork.version, fork.state, fork.status) == ("b", 1, "shop.asking", Status.WAITING)
        assert (fork.data, fork.created_at.timestamp() * 1000) == ((await runner.get("a", at=3)).data, clock.ms)
        assert fork.question is not None
        assert (fork.question.deadline, fork.question.prompt) == (fork.created_at + timedelta(days=3), "Pay for tea?")
        assert story(await runner.history("b")) == ["forked fork >shop.asking"]
        assert (await runner.answer("b", {}, key="pay-1", by="ana")).status is Status.DONE
        assert await runner.store.dump("a") == before
        assert (await runner.fork("a", 3, key="fork-1")).delivery == "duplicate"
        assert (await runner.replay("b")).mismatches == []
        with pytest.raises(KeyReuse):
            await runner.fork("a", 2, key="fork-1")
        with pytest.raises(AgentExists):
            await runner.fork("a", 2, id="b")
        with pytest.raises(IdInvalid):
            await runner.fork("a", id="no id")
        with pytest.raises(VersionMissing):
            await runner.fork("a", 9)


@on_loop
async def test_a_fork_of_the_present_version_of_one_that_works_waits_for_an_operator(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await runner.start(ORDER, "order", {"item": "tea"}, id="a")
        await runner.answer("a", {}, drive=False)
        fork = await runner.fork("a")
        begins = "once it is unparked it begins the work of state 'shop.paying'"
        assert fork.error == {"type": "Forked", "message": f"forked from agent 'a' at version 3, and {begins}"}
        with pytest.raises(IllegalEvent):
            await runner.send(fork.id, "note", {"text": "x"})
        assert (await runner.unpark(fork.id)).status is Status.DONE
        assert (await runner.get("a")).status is Status.RUNNING
        ended = await runner.fork(fork.id)
        assert (ended.status, ended.output, ended.version) == (Status.DONE, {"item": "tea"}, 1)
        assert (await runner.replay(ended.id)).mismatches == []


NEWER = flow("""
    data: {item: string?, price: {type: integer, default: 0}}
    events: {order: {item: string}, pay: {}}
    initial: market
    states:
      market: {on: {order: {target: till, assign: {item: event.item}}}}
      till:
        ask: {prompt: "Pay {{ data.price }} for {{ data.item }}?", events: [pay]}
        after: {60m: market, 7d: market}
        on: {pay: market}
""")


@on_loop
async def test_a_rewind_is_the_way_back_from_another_definition(
    new_runner: Callable[[], Runner], clock: FakeClock
) -> None:
    async with new_runner() as runner:
        await runner.start(ORDER, "order", {"item": "tea"}, id="a")
        await _migrate(runner)
        moved = await runner.get("a", at=3)
        assert (moved.state, moved.question and moved.question.prompt) == ("till", "Pay 7 for tea?")
        assert (await runner.replay("a")).mismatches == []
        back = (await runner.rewind("a", 2)).agent
        assert (back.workflow, back.state, back.data) == ("w", "shop.asking", {"item": "tea", "notes": []})
        assert (await runner.store.head("a")).definition == ORDER.hash
        assert (await runner.answer("a", {})).status is Status.DONE
        assert (await runner.fork("a", 3, id="b")).data == {"item": "tea", "price": 7}
        assert (await runner.send("b", "pay")).state == "market"
        for agent_id in ("a", "b"):
            assert (await runner.replay(agent_id)).mismatches == []


async def _migrate(runner: Runner) -> None:
    """As a migration would: timers of the same length go on, and what is new runs from now."""
    store, head = runner.store, await runner.store.head("a")
    await store.save_workflow(NEWER.hash, NEWER.to_json())
    facts = {"from": head.definition, "to": NEWER.hash, "from_version": 1, "to_version": 1, "visits": {"till": 1}}
    delta = Delta({"price": 7}, ("notes",))
    step = Step(3, StepKind.MIGRATED, "migrate", facts, head.state, "till", head.updated_ms, delta)
    due_ms = {"60m": head.updated_ms + HOUR, "7d": head.updated_ms + 7 * DAY}
    moved = head._replace(
        definition=NEWER.hash,
        state="till",
        version=3,
        visits={"till": 1},
        timers=tuple(ArmedTimer("till", label, due) for label, due in due_ms.items()),
        asked=Asked("Pay 7 for tea?"),
    )
    await store.commit(Commit(moved, step, None, repins=True))


@on_loop
async def test_a_history_that_an_earlier_version_wrote_is_verified_but_for_visits(clock: FakeClock) -> None:
    store = open_store("memory://", clock=clock)
    async with Runner(store, actions=[Till(store).as_action()]) as runner:
        await _paid(runner, clock)
        past = await load_past(store, "a")
    unsaid = replace(past, steps=[step._replace(entered=0) for step in past.steps])
    verdict = verify(unsaid)
    assert (verdict.is_guessed, verdict.mismatches) == (True, [])
    altered = replace(unsaid, steps=[*unsaid.steps[:1], unsaid.steps[1]._replace(delta=EMPTY_DELTA), *unsaid.steps[2:]])
    assert [str(each) for each in verify(altered).mismatches] == [
        'output: the history tells {"item": null}, the store says {"item": "tea"}',
        "data field 'item' is otherwise in the store: the history tells null",
    ]


@on_loop
async def test_each_thing_that_does_not_add_up_is_named(clock: FakeClock) -> None:
    store = open_store("memory://", clock=clock)
    async with Runner(store, actions=[Till(store).as_action()]) as runner:
        await _paid(runner, clock)
        await runner.rewind("a", 2)
        past = await load_past(store, "a")
    one, two, three, four, five, back = past.steps
    for steps, complaints in [
        ((one, three, four, five, back), ["version 3: it follows version 1, and no version may be missing or double"]),
        (
            (one, two, three._replace(at_ms=0), four, five, back),
            ["version 3: its time is 1970-01-01T00:00:00.000+00:00, and the step before it was taken at 2026-01-01T00"],
        ),
        (
            (one, two, three, four, five._replace(target="gone"), back),
            ["version 5: no transition of 'shop.paying' for 'paid' leads to 'gone' by entering 1"],
        ),
        (
            (one, two, three, four, five, back._replace(payload={**back.payload, "visits": {}})),
            [
                'version 6: it brings back {"definition":',
                "visits: the history tells none, the store says 1 of 'shop', 1 of",
            ],
        ),
        (
            (one, two._replace(delta=Delta({"item": "jam"})), three, four, five, back),
            [
                'question: the history tells question 6, "Pay for jam?", the store says question 6, "Pay for tea?"',
                "data field 'item' is otherwise in the store",
            ],
        ),
        (
            (one, two, three, four, five, back._replace(delta=EMPTY_DELTA)),
            [
                "version 6: data field 'notes' was otherwise at version 2",
                "data field 'notes' is otherwise in the store",
            ],
        ),
        (
            (one, two, three._replace(payload={"after": "3d"}), four, five, back),
            ["version 3: it cannot have happened as it is told, and nothing after it: no timer '3d' was due"],
        ),
        ((one, two, three, four, five), ["the history ends at version 5, and the agent is at 6"]),
    ]:
        said = [str(each) for each in verify(replace(past, steps=steps)).mismatches]
        assert [each for each in complaints if not any(line.startswith(each) for line in said)] == [], said


def test_rows_that_make_no_sense_are_an_error_that_says_where_to_look(clock: FakeClock) -> None:
    async def broken() -> Past:
        store = open_store("memory://", clock=clock)
        async with Runner(store, actions=[Till(store).as_action()]) as runner:
            await _paid(runner, clock)
            past = await load_past(store, "a")
        return replace(past, steps=[past.steps[0], past.steps[1]._replace(target="nowhere"), *past.steps[2:]])

    past = asyncio.run(broken())
    assert past.at(1).head.state == "shop.browsing"
    with pytest.raises(HistoryBroken, match=r"version 2 of agent .* since it names .nowhere., which"):
        past.at(3)
