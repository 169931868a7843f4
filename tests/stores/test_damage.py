"""One damaged row is named and left out; all others are listed, weighed, kept and driven as if nothing were wrong.

Real rows are damaged in real files and servers, in each store in its own way.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.errors import AgentDamaged, StoreCorrupt
from fsm_agent.runtime.maintenance.inspection import inspect
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.base import Store
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.redis.keys import agent_keys, space_keys
from fsm_agent.stores.redis.store import RedisStore
from fsm_agent.stores.sealed.store import SealedStore
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.stores.tiered.store import TieredStore
from fsm_agent.stores.urls import open_store
from tests.support.damaged_store import BAD, GOOD, LONG, defects_of, others_go_on, two_agents

KEYS = {"k": b"k" * 32}
#: more milliseconds than any date has
FAR = 99_999_999_999_999_999
Spoil = Callable[[Any], Awaitable[object]]


def sqlite(statement: str) -> Spoil:
    async def spoil(store: SqliteStore) -> None:
        agent = "(SELECT agent FROM heads WHERE id = 'bad')"
        store._db.execute(statement.replace("BAD", agent).replace("FAR", str(FAR)))
        assert store._db.changes()

    return spoil


def postgres(statement: str) -> Spoil:
    async def spoil(store: PostgresStore) -> None:
        agent = "(SELECT agent FROM fsm_agent.agents WHERE namespace = %(namespace)s AND id = 'bad')"
        told = statement.replace("BAD", agent).replace("FAR", str(FAR))
        assert await store._write(f"{told} RETURNING 1".encode(), {})

    return spoil


def redis(*command: str | bytes | int) -> Spoil:
    async def spoil(store: RedisStore) -> None:
        own, space = agent_keys(store.namespace, BAD), space_keys(store.namespace)
        names = {**space._asdict(), **own._asdict()}
        told = [names.get(each.removeprefix("@"), each) if isinstance(each, str) else each for each in command]
        await store._look(told)

    return spoil


def memory(change: Callable[[Any], object]) -> Spoil:
    async def spoil(store: MemoryStore) -> None:
        change(store._agents[BAD])

    return spoil


def redis_moving(state: str = "resting", updated_ms: int = 0) -> Spoil:
    """Another state, or another time of the last step, in the head."""

    async def spoil(store: RedisStore) -> None:
        head = agent_keys(store.namespace, BAD).head
        kept: Any = await store._look(("HGET", head, "moving"))
        (text,) = kept
        was, cold = text.split("\n")
        moved = [state, updated_ms or json.loads(was)[1]]
        await store._look(("HSET", head, "moving", f"{json.dumps(moved)}\n{cold}"))

    return spoil


#: what makes the head unreadable
HEADS: dict[str, tuple[str, Spoil]] = {
    "sqlite: a status that is none": ("heads", sqlite("UPDATE heads SET status = 99 WHERE id = 'bad'")),
    "sqlite: a head that is cut": ("heads", sqlite("UPDATE heads SET cold = '[{\"a' WHERE id = 'bad'")),
    "sqlite: a head with a NUL": ("heads", sqlite("UPDATE heads SET cold = '[' || char(0) || ']' WHERE id = 'bad'")),
    "sqlite: a head that is no list": ("heads", sqlite("UPDATE heads SET cold = '{}' WHERE id = 'bad'")),
    "sqlite: visits that are none": ("heads", sqlite("UPDATE heads SET cold = '[[1]]' WHERE id = 'bad'")),
    "sqlite: no text": ("heads", sqlite("UPDATE heads SET cold = CAST(x'5bff5d' AS TEXT) WHERE id = 'bad'")),
    "sqlite: a state that is no text": (
        "heads",
        sqlite("UPDATE heads SET state = CAST(x'ff' AS TEXT) WHERE id = 'bad'"),
    ),
    "sqlite: no definition": ("definitions", sqlite("DELETE FROM definitions WHERE name = 'long'")),
    "postgres: a status that is none": (
        "agents",
        postgres("UPDATE fsm_agent.agents SET status = 99 WHERE agent = BAD"),
    ),
    "postgres: a head that is cut": (
        "agents",
        postgres("UPDATE fsm_agent.agents SET cold = '[{\"a' WHERE agent = BAD"),
    ),
    "postgres: a head that is no list": (
        "agents",
        postgres("UPDATE fsm_agent.agents SET cold = '{}' WHERE agent = BAD"),
    ),
    "postgres: no definition": (
        "definitions",
        postgres("DELETE FROM fsm_agent.definitions WHERE namespace = %(namespace)s AND name = 'long'"),
    ),
    "redis: a status that is none": ("fsm-agent:", redis("HSET", "@head", "status", "99")),
    "redis: a head that is cut": ("fsm-agent:", redis("HSET", "@head", "moving", '["resting",')),
    "redis: a field that is gone": ("fsm-agent:", redis("HDEL", "@head", "moving")),
    "redis: a version that is no number": ("fsm-agent:", redis("HSET", "@head", "version", "one")),
    "sqlite: a last step beyond all dates": (
        "heads",
        sqlite("UPDATE heads SET updated_ms = FAR WHERE id = 'bad'"),
    ),
    "sqlite: a beginning before all dates": (
        "heads",
        sqlite("UPDATE heads SET created_ms = -FAR WHERE id = 'bad'"),
    ),
    "sqlite: a timer beyond all dates": (
        "heads",
        sqlite("UPDATE heads SET cold = '[null,[[\"resting\",\"99h\",FAR]]]' WHERE id = 'bad'"),
    ),
    "postgres: a last step beyond all dates": (
        "agents",
        postgres("UPDATE fsm_agent.agents SET updated_ms = FAR WHERE agent = BAD"),
    ),
    "postgres: a beginning before all dates": (
        "agents",
        postgres("UPDATE fsm_agent.agents SET created_ms = -FAR WHERE agent = BAD"),
    ),
    "redis: a last step beyond all dates": ("fsm-agent:", redis_moving(updated_ms=FAR)),
    "memory: a head that is gone": ("memory", memory(lambda kept: setattr(kept, "written", None))),
}
#: what no agent of the definition can be, in a head that can be read
UNFIT: dict[str, tuple[str, Spoil]] = {
    "sqlite: a state that is none": ("'nowhere'", sqlite("UPDATE heads SET state = 'nowhere' WHERE id = 'bad'")),
    "sqlite: a version below 1": ("its version is -1,", sqlite("UPDATE heads SET version = -1 WHERE id = 'bad'")),
    "sqlite: a timer of a state that is none": (
        "a timer of state 'nowhere'",
        sqlite("UPDATE heads SET cold = replace(cold, '[\"resting', '[\"nowhere') WHERE id = 'bad'"),
    ),
    "postgres: a state that is none": (
        "'nowhere'",
        postgres("UPDATE fsm_agent.agents SET state = 'nowhere' WHERE agent = BAD"),
    ),
    "postgres: a version below 1": (
        "its version is -1,",
        postgres("UPDATE fsm_agent.agents SET version = -1 WHERE agent = BAD"),
    ),
    "redis: a state that is none": ("'nowhere'", redis_moving(state="nowhere")),
    "redis: a version below 1": ("its version is -1,", redis("HSET", "@head", "version", "-1")),
    "memory: a state that is none": (
        "'nowhere'",
        memory(lambda kept: setattr(kept, "written", kept.written._replace(state="nowhere"))),
    ),
    "memory: a version below 1": (
        "its version is -1,",
        memory(lambda kept: setattr(kept, "written", kept.written._replace(version=-1))),
    ),
}
#: what makes something else of the agent unreadable: a head can be read all the same
PARTS: dict[str, tuple[str, Spoil]] = {
    "sqlite: a step that is gone": (
        "steps",
        sqlite("DELETE FROM steps WHERE agent = BAD AND version = (SELECT max(version) - 1 FROM steps)"),
    ),
    "sqlite: a chain that is broken": (
        "steps",
        sqlite("UPDATE steps SET previous = 0 WHERE agent = BAD AND version = 12"),
    ),
    "sqlite: a last step that is another's": (
        "steps",
        sqlite("UPDATE heads SET last_step = 1 WHERE id = 'bad'"),
    ),
    "sqlite: a kind that is none": ("steps", sqlite("UPDATE steps SET kind = 15 WHERE agent = BAD")),
    "sqlite: a step beyond all dates": (
        "steps",
        sqlite("UPDATE steps SET after_ms = FAR WHERE agent = BAD AND version = 12"),
    ),
    "postgres: a step beyond all dates": (
        "history",
        postgres("UPDATE fsm_agent.history SET at_ms = FAR WHERE agent = BAD AND version = 12"),
    ),
    "sqlite: a delta that is cut": ("steps", sqlite("UPDATE steps SET delta = '{\"n' WHERE agent = BAD")),
    "sqlite: a snapshot that is cut": ("snapshot", sqlite("UPDATE snapshot SET data = '{' WHERE agent = BAD")),
    "sqlite: a snapshot of the future": ("steps", sqlite("UPDATE snapshot SET version = 99 WHERE agent = BAD")),
    "sqlite: an event that is cut": ("queue", sqlite("UPDATE queue SET event = '[' WHERE agent = BAD")),
    "postgres: a step that is gone": (
        "history",
        postgres("DELETE FROM fsm_agent.history WHERE agent = BAD AND version = 12"),
    ),
    "postgres: a kind that is none": ("history", postgres("UPDATE fsm_agent.history SET kind = 15 WHERE agent = BAD")),
    "postgres: a delta that is cut": (
        "history",
        postgres("UPDATE fsm_agent.history SET delta = '{\"n' WHERE agent = BAD"),
    ),
    "postgres: a snapshot that is cut": (
        "snapshot",
        postgres("UPDATE fsm_agent.snapshot SET data = '{' WHERE agent = BAD"),
    ),
    "postgres: an event that is cut": ("queue", postgres("UPDATE fsm_agent.queue SET event = '[' WHERE agent = BAD")),
    "redis: a history that is cut": ("history", redis("RPOP", "@history")),
    "redis: a history that is gone": ("history", redis("DEL", "@history")),
    "redis: a history of another type": ("fsm-agent:", redis("SET", "@history", "words")),
    "redis: a step that is cut": ("history", redis("LSET", "@history", -1, "[1,")),
    "redis: a snapshot that is cut": ("snapshot", redis("SET", "@snapshot", "10 10\n{}\n{")),
    "redis: a snapshot that is no text": ("fsm-agent:", redis("SET", "@snapshot", b"10 10\n{}\n\xff")),
    "memory: a step that is gone": ("memory", memory(lambda kept: kept.steps.pop(-2))),
    "memory: a kind that is none": (
        "memory",
        memory(lambda kept: kept.steps.append(kept.steps.pop()._replace(kind=15))),
    ),
    "memory: a snapshot that is cut": ("memory", memory(lambda kept: setattr(kept, "snapshot", (8, "{}", "{")))),
}


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of an empty store of a kind."""

    def url_of(kind: str) -> str:
        match kind:
            case "memory":
                return "memory://"
            case "sqlite":
                return f"sqlite:///{tmp_path / 'agents.db'}"
            case server:
                url: str = request.getfixturevalue(f"{server}_url")
                return url

    return url_of


def with_damage(url: str, spoil: Spoil, look: Callable[[Any, FakeClock], Coroutine[Any, Any, None]]) -> None:
    """Let agents live at ``url``, damage one, and look."""

    async def run() -> None:
        if url == "memory://":
            store = MemoryStore(clock=(clock := FakeClock()))
            await two_agents(store, clock)
        else:
            clock = await two_agents(url)
            store = open_store(url, clock=clock)  # type: ignore[assignment]
        async with store:
            await spoil(store)
            await look(store, clock)

    asyncio.run(run())


@pytest.mark.parametrize("case", HEADS)
def test_an_agent_whose_head_is_damaged_is_named_and_all_others_go_on(case: str, opened: Callable[[str], str]) -> None:
    place, spoil = HEADS[case]

    async def look(store: Store, clock: FakeClock) -> None:
        page = await store.list()
        assert ([head.id for head in page.heads], [each.agent_id for each in page.damaged]) == ([GOOD], [BAD])
        assert page.damaged[0].place.startswith(place)
        for verb in (store.head(BAD), store.load(BAD), store.dump(BAD)):
            with pytest.raises(AgentDamaged, match=f"agent '{BAD}' is damaged in {place}"):
                await verb
        first = await store.list(limit=1)
        second = await store.list(limit=1, after=first.next)
        assert [first.next, second.next] == [BAD, None]
        assert ([each.agent_id for each in first.damaged], [head.id for head in second.heads]) == ([BAD], [GOOD])
        assert (BAD, True) in {(each.agent, each.place.startswith(place)) for each in await defects_of(store)}
        assert await store.now() == clock.ms
        await others_go_on(store, clock)

    with_damage(opened(case.partition(":")[0]), spoil, look)


@pytest.mark.parametrize("case", UNFIT)
def test_a_head_that_does_not_fit_its_definition_is_damage_like_any_other(
    case: str, opened: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    what, spoil = UNFIT[case]

    async def look(store: Store, clock: FakeClock) -> None:
        runner = Runner(store)
        for is_waiting in (False, True):
            page = await runner.list(waiting=is_waiting)
            assert BAD not in [agent.id for agent in page.agents]
        page = await runner.list()
        assert [(each.agent_id, each.place, what in each.what) for each in page.damaged] == [(BAD, "head", True)]
        for call in (runner.get(BAD), runner.send(BAD, "note"), runner.resume(BAD), runner.cancel(BAD)):
            with pytest.raises(AgentDamaged, match=f"agent '{BAD}' is damaged in head: "):
                await call
        moves = await runner.migrate(replace(LONG, version=2))
        assert ([each.id for each in moves.outcomes], [each.agent_id for each in moves.damaged]) == ([], [BAD])
        inspection = await inspect(store)
        mine = [each for each in inspection.defects if each.agent == BAD and each.place == "head"]
        assert ([what in each.what for each in mine], inspection.agents, inspection.unreadable) == ([True], 2, 1)
        clock.advance(hours=200)
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            await Worker(runner).run_once()
        assert (await runner.get(GOOD)).state == "done"
        assert not any(record.exc_info for record in caplog.records)

    with_damage(opened(case.partition(":")[0]), spoil, look)


@pytest.mark.parametrize("case", PARTS)
def test_an_agent_of_which_something_is_damaged_fails_alone(case: str, opened: Callable[[str], str]) -> None:
    place, spoil = PARTS[case]

    async def look(store: Store, clock: FakeClock) -> None:
        assert [head.id for head in (await store.list()).heads] == [BAD, GOOD]
        with pytest.raises(AgentDamaged) as refused:
            await store.load(BAD)
        assert (refused.value.agent_id, place in refused.value.place) == (BAD, True)
        assert {each.agent for each in await defects_of(store)} == {BAD}
        await others_go_on(store, clock)

    with_damage(opened(case.partition(":")[0]), spoil, look)


def test_a_sealed_store_passes_on_who_is_damaged(tmp_path: Path) -> None:
    async def run() -> None:
        url = f"sqlite:///{tmp_path / 'agents.db'}"
        clock = await two_agents(open_store(url, clock=(told := FakeClock()), keys=KEYS), told)
        async with open_store(url, clock=clock, keys=KEYS) as store:
            assert isinstance(store, SealedStore)
            await HEADS["sqlite: a head that is cut"][1](store._store)
            assert [each.agent_id for each in (await store.list()).damaged] == [BAD]
            await others_go_on(store, clock)
        async with open_store(url, clock=clock, keys={"other": b"o" * 32}) as store:
            found = await defects_of(store)
            assert {each.agent for each in found} >= {BAD, GOOD}
            assert any("sealed under the key 'k', which is not given" in each.what for each in found)
            assert any(each.advice == "add that key to FSM_AGENT_KEYS" for each in found)

    asyncio.run(run())


def test_a_tiered_store_archives_others_past_one_that_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"tiered:sqlite:///{tmp_path / 'warm.db'},sqlite:///{tmp_path / 'cold.db'},idle=1h"

    async def look(store: TieredStore, clock: FakeClock) -> None:
        clock.advance(hours=9)
        await Worker(Runner(store)).run_once()
        clock.advance(minutes=2)
        for _ in range(3):
            await store.tend()
        assert (await store._warm.head(GOOD)).version < 0
        assert caplog.text.count(f"agent {BAD} is not archived: agent '{BAD}' is damaged in steps") == 1
        assert {each.agent for each in await defects_of(store)} == {BAD}

    async def spoil(store: TieredStore) -> None:
        for agent_id in (GOOD, BAD):
            [effect] = await store.effects(agent_id)
            assert await store.end_effect(agent_id, effect._replace(ended_ms=5)), "what is open is not archived"
        await sqlite("DELETE FROM queue WHERE agent = BAD")(store._warm)
        await sqlite("UPDATE heads SET queued = 0, due_since_ms = NULL WHERE id = 'bad'")(store._warm)
        await PARTS["sqlite: a kind that is none"][1](store._warm)

    with_damage(url, spoil, look)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_a_worker_says_once_for_each_reason_why_it_cannot_drive_an_agent(
    kind: str, opened: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    async def look(store: Store, clock: FakeClock) -> None:
        del clock
        with caplog.at_level(logging.WARNING, "fsm_agent"):
            worker = Worker(Runner(store))
            for _ in range(4):
                await worker.run_once()
        assert caplog.text.count(f"agent {BAD} could not be driven") == 1

    case = {"sqlite": "sqlite: a kind that is none", "postgres": "postgres: a kind that is none"}
    with_damage(opened(kind), PARTS[case.get(kind, "redis: a step that is cut")][1], look)


def test_a_worker_that_runs_on_is_not_stopped_by_a_damaged_head(tmp_path: Path) -> None:
    async def look(store: Store, clock: FakeClock) -> None:
        runner, stopped = Runner(store), asyncio.Event()
        running = asyncio.create_task(Worker(runner).run(stopped))
        while (await runner.get(GOOD)).state != "done":
            assert not running.done()
            await asyncio.sleep(0)
        stopped.set()
        await running

    spoil = HEADS["sqlite: a state that is no text"][1]
    with_damage(f"sqlite:///{tmp_path / 'agents.db'}", spoil, look)


def test_an_id_that_is_no_text_is_named_with_its_bytes(tmp_path: Path) -> None:
    async def look(store: Store, clock: FakeClock) -> None:
        page = await store.list()
        assert [each.agent_id for each in page.damaged] == ["b\udcffd"]
        assert [each.agent_id for each in (await store.list(limit=1)).damaged] == ["b\udcffd"]
        after = await store.list(limit=1, after=(await store.list(limit=1)).next)
        assert [head.id for head in after.heads] == [GOOD]
        assert "b\udcffd" in {each.agent for each in await defects_of(store)}
        await others_go_on(store, clock)

    spoil = sqlite("UPDATE heads SET id = CAST(x'62ff64' AS TEXT) WHERE id = 'bad'")
    with_damage(f"sqlite:///{tmp_path / 'agents.db'}", spoil, look)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis", "memory"])
def test_definitions_messages_and_users_that_are_damaged_are_said_to_be(
    kind: str, opened: Callable[[str], str]
) -> None:
    ways: dict[str, list[Spoil]] = {
        "sqlite": [
            sqlite("UPDATE definitions SET definition = '{' WHERE name = 'long'"),
            sqlite("UPDATE messages SET content = '\"'"),
            sqlite("UPDATE user_records SET data = '[]'"),
        ],
        "postgres": [
            postgres("UPDATE fsm_agent.definitions SET definition = '{' WHERE name = 'long'"),
            postgres("UPDATE fsm_agent.messages SET content = '\"'"),
            postgres("UPDATE fsm_agent.user_records SET data = '[]'"),
        ],
        "redis": [
            redis("HSET", "@workflows", LONG.hash, "{"),
            redis("RPUSH", "fsm-agent:{default}:shared:room", '2\n[9]\n"'),
            redis("HSET", "@users", "ana", "1 1\n[]"),
        ],
        "memory": [
            lambda store: _changed(store._definitions, LONG.hash, "{"),
            lambda store: _changed(store._threads._kept["room"].rows, 0, None),
            lambda store: _changed(store._threads._users, "ana", (1, 1, "[]")),
        ],
    }

    async def spoil(store: Any) -> None:
        for way in ways[kind]:
            await way(store)

    async def look(store: Store, clock: FakeClock) -> None:
        for verb in (store.load_workflow(LONG.hash), store.messages("room"), store.user("ana")):
            with pytest.raises(StoreCorrupt, match=r"(definition|thread 'room'|user 'ana').* is damaged in "):
                await verb
        places = " ".join(each.place for each in await defects_of(store))
        assert all(word in places for word in (f"definition {LONG.hash[:12]}", "thread 'room'", "user 'ana'"))
        await others_go_on(store, clock)

    with_damage(opened(kind), spoil, look)


async def _changed(kept: Any, key: Any, value: Any) -> None:
    kept[key] = value


def test_a_definition_that_was_changed_is_found_by_its_hash(tmp_path: Path) -> None:
    async def look(store: Store, clock: FakeClock) -> None:
        del clock
        [defect] = [each for each in await defects_of(store) if "has the hash" in each.what]
        assert (defect.agent, defect.place) == (None, f"definition {LONG.hash[:12]}")
        assert replace(LONG, version=1).hash == LONG.hash

    spoil = sqlite("UPDATE definitions SET definition = replace(definition, '99h', '98h') WHERE name = 'long'")
    with_damage(f"sqlite:///{tmp_path / 'agents.db'}", spoil, look)
