"""Forgetting a person leaves none of their words, and everything else as it was; whoever is cut off is finished."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent import sync
from fsm_agent.data.erased import ERASED
from fsm_agent.domain.agent import Head, Status, child_id
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.migration import Migration
from fsm_agent.domain.record import AgentExport, Commit, Committed, Page
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentErased, Conflict, KeyReuse, Refused
from fsm_agent.runtime.maintenance.erase import KINDS
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from fsm_agent.testing.contract.fixtures import an_effect
from tests.support.hypothesis_settings import example_settings
from tests.support.parent_workflow import LookUp, parent_workflow
from tests.support.runtime import flow, on_loop
from tests.support.user_workflows import TRIP, plan, plan_plainly
from tests.support.workflows import to

WISH = "a week in Patagonia"


@pytest.fixture(params=["memory", "sqlite", "sealed", "tiered"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def at_work(kind: str, folder: Path) -> AsyncIterator[tuple[Runner, FakeClock]]:
    clock = FakeClock()
    url = "memory://" if kind == "memory" else f"sqlite:///{folder}/a.db"
    if kind == "tiered":
        url = f"tiered:sqlite:///{folder}/warm.db,sqlite:///{folder}/cold.db,ended=0s"
    keys = {"k": b"k" * 32} if kind == "sealed" else None
    async with Runner(open_store(url, clock=clock, keys=keys), actions=[plan]) as runner:
        yield runner, clock


async def all_of(store: Store) -> dict[str, AgentExport]:
    return {head.id: await store.dump(head.id) for head in (await store.list(limit=1_000)).heads}


def spelled(dossiers: Any) -> str:
    """Everything that is kept, as one text."""
    return json.dumps(dossiers, default=lambda value: value.__dict__ if hasattr(value, "__dict__") else repr(value))


async def wish(runner: Runner, agent_id: str, user: str | None = "ana", by: str | None = "ana", **extra: Any) -> None:
    await runner.start(
        TRIP, "asked_for", {"wish": WISH, "persons": 2}, id=agent_id, user=user, by=by, key=f"key {agent_id}", **extra
    )


async def check_whole(runner: Runner) -> None:
    for head in (await runner.store.list(limit=1_000)).heads:
        replayed = await runner.replay(head.id)
        assert replayed.mismatches == [], (head.id, replayed.mismatches)


def skeleton(export: AgentExport) -> list[Any]:
    """What of a history must stay."""
    return [
        (step.version, step.kind, step.event, step.source, step.target, step.at_ms, step.entered, step.said, step.usage)
        for step in export.steps
    ]


# --- agents that serve the person


@on_loop
async def test_an_agent_that_served_them_keeps_its_steps_and_none_of_its_words(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, clock):
        await wish(runner, "a")
        await runner.send("a", "noted", {"text": "my number is 555-9876"}, by="ana", key="note")
        clock.advance(days=3)
        await runner.resume("a")
        await runner.send("a", "approved", {"why": "because I said so"}, by="bob")
        before = (await all_of(runner.store))["a"]
        forgotten = await runner.forget("ana", by="operator")
        after = (await all_of(runner.store))["a"]
        assert skeleton(after)[:-1] == skeleton(before)
        assert skeleton(after)[-1][1:5] == (StepKind.ERASED, "forget", "done", "done")
        for word in (WISH, "555", "friend of", "because", "ana", "Patagonia"):
            assert word not in spelled(after).replace("key a", ""), word
        agent = await runner.get("a")
        assert dict(agent.data) == dict.fromkeys(["wish", "notes", "status", "persons", "contacts"], ERASED)
        assert agent.output == {"wish": ERASED, "status": ERASED, "n": ERASED}
        assert (agent.status, agent.user, agent.progress) == (Status.DONE, None, None)
        assert [step.by for step in after.steps] == [None, None, None, None, None, "bob", "operator"]
        assert [(message.role, message.content, message.parts, message.by) for message in after.messages] == [
            (Role.USER, ERASED, (), None),
            (Role.ASSISTANT, ERASED, (), None),
        ]
        assert after.head.usage == before.head.usage
        await check_whole(runner)
        assert forgotten.to_json() == {
            "user": "ana",
            "erased": {
                "agents": 1, "cancelled": 0, "others": 0, "steps": 6, "events": 0, "questions": 0, "effects": 1,
                "messages": 2, "memory": 1,
            },
            "left": [],
            "dry_run": False,
        }  # fmt: skip


@on_loop
async def test_whoever_has_not_ended_is_cancelled_first_on_record(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await wish(runner, "a")
        forgotten = await runner.forget("ana", by="operator")
        head = await runner.store.head("a")
        assert head.status is Status.CANCELLED
        assert (await runner.history("a"))[-1].by == "operator"
        assert forgotten.erased["cancelled"] == 1
        await check_whole(runner)


@on_loop
async def test_who_forgets_themselves_is_not_named_either() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await wish(runner, "a")
        await runner.forget("ana", by="ana")
        assert "ana" not in spelled(await all_of(runner.store))


@on_loop
async def test_a_workflow_that_goes_on_when_cancelled_ends_all_the_same() -> None:
    hangs_on = replace(TRIP, on={**TRIP.on, "cancel": (to("reminded"),)})
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await runner.start(hangs_on, "asked_for", {"wish": WISH, "persons": 1}, id="a", user="ana")
        await runner.forget("ana", by="operator")
        steps = await runner.history("a")
        assert [(step.event, step.kind, step.target) for step in steps[-3:]] == [
            ("cancel", "event", "reminded"),
            ("cancel", "cancelled", "reminded"),
            ("forget", "erased", "reminded"),
        ]
        await check_whole(runner)


@on_loop
async def test_an_error_keeps_its_type_and_loses_its_message(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await runner.start(TRIP, "asked_for", {"wish": "trouble", "persons": 1}, id="a", user="ana")
        await runner.forget("ana")
        agent = await runner.get("a")
        error = agent.error or {}
        assert (error["type"], error["message"]) == ("ValueError", ERASED)
        assert error["place"].startswith("tests/")
        await check_whole(runner)


@on_loop
async def test_a_parked_agent_loses_why_and_what_it_was_parked_with() -> None:
    limited = replace(TRIP, limits=TRIP.limits._replace(steps=4))
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await runner.start(limited, "asked_for", {"wish": WISH, "persons": 1}, id="a", user="ana", by="ana")
        await runner.send("a", "noted", {"text": "first"}, by="ana")
        agent = await runner.send("a", "noted", {"text": "one too many"}, by="ana")
        assert agent.status is Status.PARKED
        await runner.forget("ana")
        assert "one too many" not in spelled(await all_of(runner.store))
        reasons = [step.reason for step in await runner.history("a") if step.kind == "parked"]
        assert reasons == [f"LimitExceeded: {ERASED}"]
        await check_whole(runner)


@on_loop
async def test_a_rewound_and_a_shortened_agent_are_erased_too(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await wish(runner, "a")
        await runner.send("a", "noted", {"text": "later words"}, by="ana")
        await runner.rewind("a", 3, by="ana")
        await wish(runner, "b")
        for number in range(40):
            await runner.send("b", "noted", {"text": f"note {number} " * 20}, by="ana")
        await runner.purge(Retention(history=5), agent_ids=["b"])
        await runner.forget("ana")
        text = spelled(await all_of(runner.store))
        assert all(word not in text for word in (WISH, "later words", "note 1"))
        await check_whole(runner)
        for agent_id, first in (("a", 1), ("b", (await runner.store.origin("b")).head.version)):  # type: ignore[union-attr]
            for version in range(first, (await runner.store.head(agent_id)).version + 1):
                assert "Patagonia" not in repr(await runner.get(agent_id, at=version))


@on_loop
async def test_an_erased_agent_can_neither_come_back_nor_be_forked() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await wish(runner, "a")
        await runner.forget("ana")
        before = await all_of(runner.store)
        for attempt in (runner.rewind("a", 2), runner.fork("a")):
            with pytest.raises(AgentErased, match="agent 'a' is erased, since the person whom it served is forgotten"):
                await attempt
        assert await all_of(runner.store) == before


@on_loop
async def test_what_is_remembered_goes_and_a_later_agent_starts_afresh(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, clock):
        await wish(runner, "a")
        remembered = await runner.store.user("ana")
        assert remembered.values == {"home": f"home of {WISH}"}
        clock.advance(minutes=1)
        await runner.forget("ana")
        now = await runner.store.user("ana")
        assert (now.version, now.values, now.updated_ms) == (remembered.version + 1, {}, clock.ms)
        await runner.start(TRIP, "asked_for", {"wish": "peace", "persons": 1}, id="b", user="ana")
        assert (await runner.store.user("ana")).values == {"home": "home of peace"}


@on_loop
async def test_a_second_run_finds_nothing(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await wish(runner, "a")
        await wish(runner, "others", user="bob")
        await runner.store.append("room", [Message(Role.USER, "hello", by="ana")])
        assert (await runner.forget("ana")).erased.total() > 0
        before = await all_of(runner.store)
        again = await runner.forget("ana")
        assert (again.erased.total(), again.left) == (0, {})
        after = await all_of(runner.store)
        assert after == before


@on_loop
async def test_a_dry_run_says_the_same_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await wish(runner, "a")
        await runner.cancel("a")
        await wish(runner, "others", user="bob")
        await runner.store.append("room", [Message(Role.USER, "hello", by="ana")])
        before, remembered = await all_of(runner.store), await runner.store.user("ana")
        dry = await runner.forget("ana", is_dry=True)
        assert (await all_of(runner.store), await runner.store.user("ana")) == (before, remembered)
        assert (await runner.store.messages("room"))[0].content == "hello"
        assert await runner.forget("ana") == replace(dry, is_dry=False)
        assert set(dry.erased) <= set(KINDS)


@on_loop
async def test_every_backend_forgets_alike(every_url: str) -> None:
    async with Runner(open_store(every_url), actions=[plan_plainly]) as runner:
        store = runner.store
        for agent_id, user in (("hers", "ana"), ("his", "bob")):
            await wish(runner, agent_id, user=user)
            await runner.send(agent_id, "noted", {"text": "555-9876"}, by="ana", key="n")
            await runner.rewind(agent_id, 3)
            await runner.fork(agent_id, 4, id=f"fork-of-{agent_id}")
        await store.save_user(UserRecord("ana", 1, {"home": "here"}))
        for thread in ("room", "hall"):
            await store.append(thread, [Message(Role.USER, "my name is Ana", by="ana"), Message(Role.ASSISTANT, "hi")])
        forgotten = await runner.forget("ana", by="operator")
        assert forgotten.left == {}
        assert [forgotten.erased[each] for each in ("agents", "cancelled", "others", "messages", "memory")] == [
            2, 2, 3, 2, 1,
        ]  # fmt: skip
        kept = await all_of(store)
        assert all(word not in spelled(kept) for word in (WISH, "555-9876", "ana"))
        for thread in ("room", "hall"):
            assert [each.content for each in await store.messages(thread)] == [ERASED, "hi"]
        assert (await store.user("ana")).version == 2
        await check_whole(runner)
        assert (await runner.forget("ana")).erased.total() == 0
        again = await runner.answer("his", {}, event="more", by="bob")
        assert (again.state, again.data["wish"]) == ("idle", ERASED)


# --- labels


#: what stands in the labels of agents, and nowhere else
CASE = "the Patagonia file of Ana Lima"


@on_loop
async def test_an_agent_that_served_them_loses_its_labels_and_is_found_by_none(every_url: str) -> None:
    async with Runner(open_store(every_url, clock=FakeClock()), actions=[plan]) as runner:
        labels = {"case": CASE, "lane": "express"}
        await wish(runner, "a", labels=labels, by="bob")
        await wish(runner, "b", user="bob", labels=labels, by="bob")
        await runner.fork("a", id="c")
        await runner.purge(Retention.read({"history": 1}), agent_ids=["a"])
        await runner.forget("ana", by="operator")
        for agent_id in ("a", "c"):
            assert (await runner.get(agent_id)).labels == {}
            assert (await runner.get(agent_id, at=(await runner.get(agent_id)).version)).labels == {}
        assert [agent.id for agent in (await runner.list(label="case")).agents] == ["b"]
        assert [agent.id for agent in (await runner.list(label=("lane", "express"), newest=True)).agents] == ["b"]
        assert (await runner.get("b")).labels == labels, "bob has given them to an agent of his own"
        kept = await all_of(runner.store)
        assert CASE not in spelled([kept["a"], kept["c"]])
        await check_whole(runner)


@on_loop
async def test_an_agent_of_somebody_else_loses_the_labels_that_they_gave_it(every_url: str) -> None:
    async with Runner(open_store(every_url, clock=FakeClock()), actions=[plan]) as runner:
        labels = {"case": CASE, "state": "planning"}
        await wish(runner, "a", user="bob", by="ana", labels=labels)
        await runner.fork("a", id="b", by="bob")
        await wish(runner, "c", user="bob", by="bob", labels=labels)
        await runner.send("c", "noted", {"text": CASE}, by="ana")
        await runner.forget("ana", is_dry=True)
        assert (await runner.get("a")).labels == labels
        await runner.forget("ana")
        for agent_id in ("a", "b"):
            assert (await runner.get(agent_id)).labels == {"case": ERASED, "state": "planning"}, (
                "a word of the workflow"
            )
        assert (await runner.get("c")).labels == labels
        assert [agent.id for agent in (await runner.list(label=("case", CASE))).agents] == ["c"]
        assert [agent.id for agent in (await runner.list(label=("case", ERASED))).agents] == ["a", "b"]
        kept = await all_of(runner.store)
        assert CASE not in spelled([kept["a"], kept["b"]])
        await check_whole(runner)
        assert (await runner.forget("ana")).erased.total() == 0


@on_loop
async def test_a_fork_loses_labels_also_where_nothing_else_was_theirs() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await runner.start(TRIP, id="a", user="bob", by="ana", labels={"case": CASE})
        await runner.fork("a", id="b", by="bob")
        await runner.fork("b", id="c", by="bob")
        await runner.forget("ana")
        assert CASE not in spelled(await all_of(runner.store))
        assert [agent.labels for agent in (await runner.list()).agents] == [{"case": ERASED}] * 3
        await check_whole(runner)


# --- agents that serve others


@on_loop
async def test_an_agent_of_somebody_else_loses_their_words_and_lives_on(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        await wish(runner, "a", user="bob")
        await runner.send("a", "noted", {"text": "do call me on 555-9876"}, by="ana", key="note")
        await runner.send("a", "noted", {"text": "bob says hello"}, by="bob")
        before = (await all_of(runner.store))["a"]
        forgotten = await runner.forget("ana")
        after = (await all_of(runner.store))["a"]
        assert skeleton(after)[:-1] == skeleton(before)
        assert [step.by for step in after.steps] == [None, None, None, None, "bob", None]
        agent = await runner.get("a")
        assert agent.data["wish"] == ERASED
        assert agent.data["persons"] == 2
        assert agent.data["status"] == "planned", "a word of the workflow"
        assert agent.data["notes"] == [{"text": ERASED}, {"text": "bob says hello"}]
        assert agent.question is not None
        assert agent.question.prompt == f"May it be {ERASED}, 2 of you?"
        assert agent.question.to == (ERASED, "bob")
        assert agent.progress is not None
        assert (agent.progress.goal, agent.progress.done) == (ERASED, 2)
        assert [message.content for message in after.messages] == [ERASED, f"You want {WISH}"], "not said by her"
        assert forgotten.erased["others"] == 1
        assert forgotten.erased["steps"] == 3
        await check_whole(runner)
        ended = await runner.answer("a", {"why": "go"}, event="approved", by="bob")
        assert (ended.status, ended.output) == (Status.DONE, {"wish": ERASED, "status": "go", "n": 2})
        await check_whole(runner)


@on_loop
async def test_what_is_left_of_others_can_be_rewound_and_forked() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await wish(runner, "a", user="bob")
        await runner.send("a", "noted", {"text": "my secret"}, by="ana")
        await runner.rewind("a", 4, by="bob")
        await runner.fork("a", id="b")
        await runner.fork("b", id="c")
        await runner.forget("ana")
        text = spelled([export.steps for export in (await all_of(runner.store)).values()])
        assert "my secret" not in text
        for agent_id in ("a", "b", "c"):
            agent = await runner.get(agent_id)
            assert (agent.data["wish"], agent.data["notes"]) == (ERASED, [{"text": ERASED}])
        await check_whole(runner)
        await runner.rewind("a", 3)
        await runner.fork("a", id="d")
        await check_whole(runner)
        assert (await runner.forget("ana")).erased["steps"] == 0, "the workflow itself asks her again, that is all"


@on_loop
async def test_what_a_rewind_and_a_migration_have_copied_goes_too() -> None:
    renamed = {**{name: schema for name, schema in TRIP.data.items() if name != "wish"}, "dream": TRIP.data["wish"]}
    later = replace(
        flow(
            """
            data: {dream: string?, status: string, notes: [object], persons: integer, contacts: object}
            events: {}
            initial: idle
            states: {idle: {on: {}}, reminded: {}, done: {final: true}}
            """
        ),
        name="trip",
        version=2,
        data=renamed,
        migrations=(Migration(1, rename={"wish": "dream"}),),
    )
    async with Runner(open_store("memory://"), actions=[plan_plainly]) as runner:
        await wish(runner, "a", user="bob")
        await runner.send("a", "more", by="bob")
        await runner.send("a", "asked_for", {"wish": "the sea", "persons": 3}, by="bob")
        await runner.send("a", "more", by="bob")
        await runner.rewind("a", 4, by="bob")
        assert WISH in repr((await runner.history("a"))[-1].delta)
        moves = await runner.migrate(later, ["a"], apply=True)
        assert [str(each.verdict) for each in moves.outcomes] == ["moved"], moves
        await runner.forget("ana")
        assert WISH not in spelled(await all_of(runner.store))
        assert (await runner.get("a")).data["dream"] == ERASED
        assert (await runner.get("a", at=7)).data["wish"] == "the sea", "bob's words stay"
        await check_whole(runner)


TIMED = flow("""
    data: {word: string?}
    events: {said: {word: string}}
    initial: waiting
    states:
      waiting:
        initial: inner
        on: {said: {assign: {word: event.word}}}
        after: {1d: {target: far, when: data.word == "far"}}
        states: {inner: {after: {1d: [{target: near, when: data.word != "far"}]}}}
      near: {after: {1d: waiting}}
      far: {after: {1d: waiting}}
""")


@pytest.mark.parametrize("word", ["far", "anything"])
@on_loop
async def test_which_timer_has_fired_is_told_without_its_guard(word: str) -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        for agent_id, user in (("hers", "ana"), ("his", "bob")):
            await runner.start(TIMED, id=agent_id, user=user)
            await runner.send(agent_id, "said", {"word": word}, by="ana")
        for _ in range(3):
            clock.advance(days=1)
            for agent_id in ("hers", "his"):
                await runner.resume(agent_id)
        states = [step.target for step in await runner.history("hers")]
        assert ("far" if word == "far" else "near") in states
        await runner.forget("ana")
        await check_whole(runner)


@on_loop
async def test_no_fingerprint_is_left_by_which_words_could_be_guessed(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        for agent_id, user in (("hers", "ana"), ("his", "bob")):
            await wish(runner, agent_id, user=user)
            await runner.send(agent_id, "noted", {"text": "555"}, by="ana", key="n1")
            await runner.send(agent_id, "noted", {"text": "mine"}, by="bob", key="n2")
        await runner.forget("ana")
        kept = await all_of(runner.store)
        prints = {agent_id: [each.fingerprint for each in export.keys.values()] for agent_id, export in kept.items()}
        assert prints["hers"] == ["", ""]
        assert (prints["his"][0], prints["his"][1][:6]) == ("", "noted ")
        assert [export.start for export in kept.values()] == [("key hers", ""), ("key his", "")]
        assert [entry.fingerprint for entry in kept["hers"].effects] == [""]
        with pytest.raises(KeyReuse):
            await runner.send("his", "noted", {"text": "555"}, by="ana", key="n1")
        again = await runner.send("his", "noted", {"text": "mine"}, by="bob", key="n2")
        assert again.delivery == "duplicate"


@on_loop
async def test_an_effect_that_is_open_cannot_bring_its_result_back() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        store = runner.store
        await wish(runner, "a")
        entry = an_effect(epoch=(await store.head("a")).epoch)
        await store.begin_effect("a", entry)
        await runner.forget("ana")
        assert await store.end_effect("a", entry._replace(ended_ms=1, result=WISH)) is False
        assert WISH not in spelled(await all_of(store))


@on_loop
async def test_an_agent_of_others_with_an_open_effect_is_left_until_that_is_known() -> None:
    async with Runner(open_store("memory://"), actions=[plan_plainly]) as runner:
        store = runner.store
        await wish(runner, "a", user="bob")
        await store.begin_effect("a", an_effect(epoch=(await store.head("a")).epoch))
        forgotten = await runner.forget("ana")
        assert forgotten.left == {"a": "an effect of it is open; try again when that has ended or is settled"}
        assert (await runner.get("a")).data["wish"] == WISH


@on_loop
async def test_a_history_that_cannot_be_told_again_is_left_and_named() -> None:
    async with Runner(open_store("memory://"), actions=[plan_plainly]) as runner:
        await wish(runner, "a", user="bob")
        await wish(runner, "b", user="bob")
        export = await runner.store.dump("a")
        broken = export._replace(steps=(export.steps[0], export.steps[1]._replace(target="nowhere"), export.steps[2]))
        await runner.store.adopt(broken, replaces=export.head)
        forgotten = await runner.forget("ana")
        assert list(forgotten.left) == ["a"]
        assert "`fsm-agent replay a` says what is wrong with its history" in forgotten.left["a"]
        assert (await runner.get("b")).data["wish"] == ERASED


@on_loop
async def test_what_quotes_them_goes_with_their_words() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await runner.start(TRIP, "asked_for", {"wish": "trouble", "persons": 1}, id="a", user="bob", by="ana")
        before = (await runner.get("a")).error or {}
        assert before["message"] == "nobody can have trouble"
        await runner.forget("ana")
        assert (await runner.get("a")).error == {**before, "message": ERASED}
        await check_whole(runner)


@on_loop
async def test_what_waits_to_be_decided_is_erased_too() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        store = runner.store
        await runner.start(TRIP, "asked_for", {"wish": "x", "persons": 1}, id="a", user="bob", drive=False)
        await runner.send("a", "noted", {"text": "in the queue"}, by="ana", key="q", drive=False)
        assert [queued.event.by for queued in (await store.load("a")).queue] == ["ana"]
        forgotten = await runner.forget("ana")
        assert forgotten.erased["events"] == 1
        (queued,) = (await store.load("a")).queue
        assert (queued.event.name, queued.event.payload, queued.event.by) == ("noted", {"text": ERASED}, None)
        agent = await runner.resume("a")
        assert agent.data["notes"] == [{"text": ERASED}]
        await check_whole(runner)


@on_loop
async def test_their_messages_go_from_shared_threads_and_with_them_what_sums_them_up(kind: str, tmp_path: Path) -> None:
    async with at_work(kind, tmp_path) as (runner, _):
        store = runner.store
        call = ({"type": "text", "text": "here"},)
        await store.append(
            "room",
            [
                Message(Role.USER, "before", by="bob"),
                Message(Role.SUMMARY, "bob said before", covers=1),
                Message(Role.USER, "I am Ana", call, by="ana"),
                Message(Role.ASSISTANT, "hello"),
                Message(Role.SUMMARY, "Ana came", covers=4),
            ],
        )
        await store.append("other", [Message(Role.USER, "nothing", by="bob")])
        forgotten = await runner.forget("ana")
        assert [(each.content, each.parts, each.by) for each in await store.messages("room")] == [
            ("before", (), "bob"),
            ("bob said before", (), None),
            (ERASED, (), None),
            ("hello", (), None),
            (ERASED, (), None),
        ]
        assert (await store.messages("other"))[0].content == "nothing"
        assert forgotten.erased["messages"] == 2


@on_loop
async def test_whoever_never_spoke_is_nobody_and_nothing_changes() -> None:
    async with Runner(open_store("memory://"), actions=[plan]) as runner:
        await wish(runner, "a")
        before = await all_of(runner.store)
        assert (await runner.forget("nobody")).erased.total() == 0
        assert await all_of(runner.store) == before


# --- who moves, who is held, who is cut off


@on_loop
async def test_who_is_held_is_left_and_says_by_whom() -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[plan]) as runner:
        await wish(runner, "a", user="bob")
        await runner.store.claim("a", await runner.store.head("a"), Lease(Holder("there", 1, 1), clock.ms + 1))
        forgotten = await runner.forget("ana")
        assert forgotten.left == {"a": "it is driven by process 1 on there now; try again"}
        assert forgotten.erased["others"] == 0
        clock.advance(seconds=1)
        assert (await runner.forget("ana")).left == {}
        assert (await runner.get("a")).data["wish"] == ERASED


class Slow(MemoryStore):
    """A store in which a rewind takes its time from the decision to the write."""

    def __init__(self) -> None:
        super().__init__()
        self.is_decided, self.may_be_written = asyncio.Event(), asyncio.Event()
        self.may_be_written.set()

    async def commit(self, commit: Commit) -> Committed:
        if commit.step.kind is StepKind.REWOUND:
            self.is_decided.set()
            await self.may_be_written.wait()
        return await super().commit(commit)


@on_loop
async def test_nobody_writes_words_back_that_they_read_before_the_erasure() -> None:
    store = Slow()
    async with Runner(store, actions=[plan]) as runner:
        await wish(runner, "a", user="bob")
        agent = await runner.send("a", "noted", {"text": "my secret"}, by="ana")
        await runner.rewind("a", agent.version - 1, by="bob")
        store.is_decided.clear()
        store.may_be_written.clear()
        rewinding = asyncio.create_task(runner.rewind("a", agent.version, by="bob"))
        await store.is_decided.wait()
        await runner.forget("ana")
        store.may_be_written.set()
        assert (await rewinding).agent.data["notes"] == [{"text": ERASED}]
        assert "my secret" not in spelled((await all_of(runner.store))["a"])
        await check_whole(runner)


class Hasty(MemoryStore):
    """A store in which agents move while they are looked at, so many times."""

    moves = 3

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        if replaces is not None and self.moves > 0:
            self.moves -= 1
            raise Conflict(export.head.id, export.head.version)
        await super().adopt(export, replaces=replaces)


@on_loop
async def test_who_moves_meanwhile_is_taken_again() -> None:
    async with Runner(Hasty(), actions=[plan_plainly]) as runner:
        await wish(runner, "a")
        await wish(runner, "b", user="bob")
        forgotten = await runner.forget("ana")
        assert (forgotten.left, forgotten.erased["agents"], forgotten.erased["others"]) == ({}, 1, 1)
        assert forgotten.erased["cancelled"] == 1
        assert WISH not in spelled([export.steps for export in (await all_of(runner.store)).values()])


class Mortal(MemoryStore):
    """A store whose process dies at the n-th write of ``forget``."""

    left = 10**9

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    async def adopt(self, export: AgentExport, *, replaces: Head | None = None) -> None:
        self._live()
        await super().adopt(export, replaces=replaces)

    async def revise(self, thread: str, messages: Any) -> int:
        self._live()
        return await super().revise(thread, messages)

    async def save_user(self, user: Any) -> None:
        self._live()
        await super().save_user(user)


@pytest.mark.parametrize("writes", range(7))
def test_a_run_that_is_cut_off_anywhere_is_finished_by_the_next(writes: int) -> None:
    store = Mortal()

    async def begin() -> None:
        runner = Runner(store, actions=[plan_plainly])
        for agent_id in ("a", "b"):
            await wish(runner, agent_id)
        await wish(runner, "c", user="bob")
        await runner.fork("c", id="d")
        await store.append("room", [Message(Role.USER, "hello", by="ana")])
        await store.save_user(UserRecord("ana", 1, {"home": WISH}))
        store.left = writes
        await runner.forget("ana")

    async def finish() -> None:
        store.left = 10**9
        async with Runner(store, actions=[plan_plainly]) as runner:
            await runner.forget("ana")
            await check_whole(runner)
            kept = await all_of(store)
            said = [[export.steps, export.head, export.snapshot, export.queue] for export in kept.values()]
            assert WISH not in spelled(said)
            assert (await store.messages("room"))[0].content == ERASED
            assert (await store.user("ana")).values == {}
            assert (await runner.forget("ana")).erased.total() == 0

    with suppress(KeyboardInterrupt):
        asyncio.run(begin())
    asyncio.run(finish())


def test_blocking_code_forgets_too() -> None:
    with sync.Runner(open_store("memory://"), actions=[plan_plainly]) as runner:
        runner.start(TRIP, "asked_for", {"wish": WISH, "persons": 1}, id="a", user="ana")
        assert runner.forget("ana", is_dry=True).erased["agents"] == 1
        assert runner.forget("ana", by="operator").erased["cancelled"] == 1


# --- whatever happened


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["asked_for", "noted", "approved", "more", "days", "rewind"]), st.sampled_from(["ana", "bob"])
    ),
    max_size=10,
)


@example_settings(60)
@given(DEEDS, st.sampled_from(["ana", "bob"]), st.booleans())
def test_whatever_was_said_none_of_it_is_left_and_every_history_adds_up(
    deeds: list[tuple[str, str]], user: str, is_forked: bool
) -> None:
    async def compare() -> None:
        clock = FakeClock()
        async with Runner(
            open_store("memory://", clock=clock), actions=[plan if user == "ana" else plan_plainly]
        ) as runner:
            await runner.start(TRIP, id="a", user=user)
            said = set()
            for number, (what, by) in enumerate(deeds):
                word = f"word-{number}-of-{by}"
                said |= {word} if by == "ana" or user == "ana" else set()
                await _do(runner, clock, what, by, word)
            if is_forked:
                await runner.fork("a", id="b")
            before = {agent_id: skeleton(export) for agent_id, export in (await all_of(runner.store)).items()}
            await runner.forget("ana")
            after = await all_of(runner.store)
            for agent_id, export in after.items():
                assert skeleton(export)[: len(before[agent_id])] == before[agent_id]
                told = [export.steps, export.snapshot, export.head.asked, export.head.output, export.head.progress]
                text = spelled(told)
                assert [word for word in said if word in text] == []
            await check_whole(runner)

    asyncio.run(compare())


async def _do(runner: Runner, clock: FakeClock, what: str, by: str, word: str) -> None:
    payloads: Mapping[str, Any] = {
        "asked_for": {"wish": word, "persons": 1},
        "noted": {"text": word},
        "approved": {"why": word},
    }
    try:
        match what:
            case "days":
                clock.advance(days=3)
                await runner.resume("a")
            case "rewind":
                await runner.rewind("a", max(1, (await runner.store.head("a")).version - 2), by=by)
            case _:
                await runner.send("a", what, payloads.get(what, {}), by=by)
    except Refused:
        return


class LateList(MemoryStore):
    """Its lists do not have the agents that began after they were read: here, all children."""

    async def list_in(
        self, statuses: Collection[Status], *, workflow: str | None = None, limit: int = 50, after: str | None = None
    ) -> Page:
        page = await super().list_in(statuses, workflow=workflow, limit=limit, after=after)
        return page._replace(heads=tuple(head for head in page.heads if head.parent is None))


@on_loop
async def test_children_that_begin_while_agents_are_listed_are_erased_with_their_parent() -> None:
    async with Runner(LateList(), actions=[LookUp().as_action()]) as runner:
        await runner.start(parent_workflow(), "go", data={"topics": ["hidden"]}, id="p", user="ana")
        child = child_id("p", 2, 1)
        assert "hidden" in repr(await runner.store.dump(child))
        report = await runner.forget("ana")
        assert (report.erased["agents"], report.left) == (2, {})
        assert "hidden" not in repr(await runner.store.dump(child)).lower()
