"""What agents are found by in PostgreSQL and Redis: where it is wrong it is said to be, and mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.question import Asked
from fsm_agent.domain.selection import Selection
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS, FakeClock
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres.index import reindex
from fsm_agent.stores.postgres.store import PostgresStore
from fsm_agent.stores.redis.index import time_text
from fsm_agent.stores.redis.keys import agent_keys, space_keys
from fsm_agent.stores.redis.store import RedisStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing.contract.fixtures import PING, a_creation, keep_definitions
from fsm_agent.testing.contract.lives import compare
from fsm_agent.testing.contract.questions import take

Spoil = Callable[[Any], Awaitable[object]]
MADE: Final = time_text(NEW_YEAR_MS)
DUE_MS: Final = NEW_YEAR_MS + 5
DUE: Final = time_text(DUE_MS)


def postgres(statement: str) -> Spoil:
    async def spoil(store: PostgresStore) -> None:
        assert await store._write(f"{statement} RETURNING 1".encode(), {})

    return spoil


def redis(*command: str) -> Spoil:
    async def spoil(store: RedisStore) -> None:
        names = {"INDEX": space_keys(store.namespace).listed, "DUE": space_keys(store.namespace).due}
        names |= {"ASKS": agent_keys(store.namespace, "a").head}
        assert await store._look([names.get(word, word) for word in command]) == [1]

    return spoil


#: kind and what is done -> who is named, and what is said
WRONG: Final[dict[str, tuple[str, str, Spoil]]] = {
    "postgres: a question is not found": (
        "a",
        "it asks, and is not found among those who ask",
        postgres("UPDATE fsm_agent.agents SET asked_due = NULL, asked_to = NULL WHERE id = 'a'"),
    ),
    "postgres: who asks nothing is found": (
        "d",
        "it is found among those who ask, and does not ask",
        postgres("UPDATE fsm_agent.agents SET asked_due = 5, asked_to = 'ana' WHERE id = 'd'"),
    ),
    "postgres: a question is found by somebody else": (
        "a",
        "its question is found by another deadline or by another person",
        postgres("UPDATE fsm_agent.agents SET asked_to = 'bob' WHERE id = 'a'"),
    ),
    "postgres: one of several is not told": (
        "b",
        "its question is not found by those whom it asks",
        postgres("DELETE FROM fsm_agent.addressees WHERE who = 'ana'"),
    ),
    "postgres: somebody is told who is not asked": (
        "b",
        "its question is not found by those whom it asks",
        postgres("UPDATE fsm_agent.addressees SET who = 'Zoë' WHERE who = 'ana'"),
    ),
    "postgres: a label is not found": (
        "a",
        "it is not found by its labels",
        postgres("DELETE FROM fsm_agent.labels WHERE name = 'case' AND id = 'a'"),
    ),
    "postgres: a label has another text": (
        "a",
        "it is not found by its labels",
        postgres("UPDATE fsm_agent.labels SET label = '2', created_ms = 7 WHERE name = 'case' AND id = 'a'"),
    ),
    "postgres: an agent is not found by its age": (
        "b",
        "it is not found by its age",
        postgres("DELETE FROM fsm_agent.creations WHERE id = 'b'"),
    ),
    "postgres: an agent is found as an older one of another workflow": (
        "b",
        "it is not found by its age",
        postgres("UPDATE fsm_agent.creations SET created_ms = 7, name = 'refund' WHERE id = 'b'"),
    ),
    "postgres: an agent is found by another user": (
        "a",
        "it is not found by its user",
        postgres("UPDATE fsm_agent.creations SET serves = 'bob' WHERE id = 'a'"),
    ),
    "postgres: somebody who is gone is found by a label": (
        "",
        "there are rows of agent number 999, and no such agent is kept",
        postgres("INSERT INTO fsm_agent.labels VALUES (999, 1, 'default', 'gone', 'case', '1')"),
    ),
    "postgres: somebody who is gone is found by age": (
        "",
        "there are rows of agent number 999, and no such agent is kept",
        postgres("INSERT INTO fsm_agent.creations VALUES (999, 1, 'default', 'gone', 'order')"),
    ),
    "postgres: an agent is not found when it is due": (
        "d",
        "it is found as due at another time than its head says",
        postgres("UPDATE fsm_agent.agents SET wake_ms = NULL WHERE id = 'd'"),
    ),
    "postgres: an agent is found as due at another time": (
        "a",
        "it is found as due at another time than its head says",
        postgres("UPDATE fsm_agent.agents SET wake_ms = 0 WHERE id = 'a'"),
    ),
    "postgres: who needs nobody is found as due": (
        "b",
        "it is found as due at another time than its head says",
        postgres("UPDATE fsm_agent.agents SET wake_ms = updated_ms WHERE id = 'b'"),
    ),
    "redis: a question is not found": (
        "a",
        "it cannot be found by those whom it asks",
        redis("ZREM", "INDEX", f't"ana"\0{DUE}{MADE}\0a'),
    ),
    "redis: a question is not found among all": (
        "b",
        "it cannot be found among those who ask",
        redis("ZREM", "INDEX", f"qorder\0g{MADE}\0b"),
    ),
    "redis: who asks nothing is found": (
        "d",
        "it is found among those who ask there, and its head says otherwise",
        redis("ZADD", "INDEX", "0", f"qorder\0g{MADE}\0d"),
    ),
    "redis: a step does not know that it answers": (
        "a",
        "its next step does not know by what it is found there",
        redis("HDEL", "ASKS", "asks"),
    ),
    "redis: a label is not found": (
        "a",
        "it cannot be found by its labels",
        redis("ZREM", "INDEX", f'l"case"\0"1"\0{MADE}\0a'),
    ),
    "redis: an agent is not found by its age": (
        "b",
        "it cannot be found by its age",
        redis("ZREM", "INDEX", f"n{MADE}\0b"),
    ),
    "redis: an agent is found by another user": (
        "a",
        "it is found by its user there, and its head says otherwise",
        redis("ZADD", "INDEX", "0", f'u"bob"\0{MADE}\0a'),
    ),
    "redis: an agent is not found by its status": (
        "b",
        "it cannot be found by its status",
        redis("ZREM", "INDEX", "s2\0b"),
    ),
    "redis: an agent is found by another status, too": (
        "b",
        "it is found by its workflow there, and its head says otherwise",
        redis("ZADD", "INDEX", "0", "worder\x004\0b"),
    ),
    "redis: somebody who is gone is found": (
        "gone",
        "it is found there, and there is no such agent",
        redis("ZADD", "INDEX", "0", f"n{MADE}\0gone"),
    ),
    "redis: somebody who is gone is due": (
        "gone",
        "it is found there, and there is no such agent",
        redis("ZADD", "DUE", "5", "gone"),
    ),
}


@pytest.fixture
def url_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    return lambda case: str(request.getfixturevalue(f"{case.partition(':')[0]}_url"))


def with_agents(url: str, use: Callable[[Store], Awaitable[object]]) -> None:
    async def run() -> None:
        async with open_store(url, clock=FakeClock()) as store:
            await keep_definitions(store)
            due = (ArmedTimer("open", "1h", DUE_MS),)
            asked, both = Asked("?", ("ana",)), Asked("?", ("ana", "bob"))
            labels = {"case": "1", "team": "x"}
            await store.create(a_creation("a", asked=asked, timers=due, user="ana", labels=labels))
            await store.create(a_creation("b", asked=both))
            await store.create(a_creation("c-2", asked=Asked("?"), status=Status.DONE))
            await store.create(a_creation("d", timers=due, user="bob"))
            await use(store)

    asyncio.run(run())


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_an_index_is_named_and_mended(case: str, url_of: Callable[[str], str]) -> None:
    agent_id, what, spoil = WRONG[case]

    async def look(store: Store) -> None:
        assert list(await store.inspect()) == []
        await spoil(store)
        found = await store.inspect()
        assert {(each.agent_id, each.is_index) for each in found} == {(agent_id, True)}
        assert what in [each.what for each in found]
        before = [await store.dump(each) for each in ("a", "b", "c-2", "d")]
        assert await store.reindex() == 1
        assert [await store.dump(each) for each in ("a", "b", "c-2", "d")] == before
        await compare(store)
        assert sorted(await store.due(DUE_MS, 9)) == ["a", "d"]
        assert (await store.reindex(), list(await store.inspect())) == (0, [])
        await take(store, "a", status=Status.RUNNING, asked=None, timers=())
        await take(store, "b", asked=None)
        assert (await store.count_questions(), list(await store.inspect())) == (0, [])

    with_agents(url_of(case), look)


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_of_a_head_that_cannot_be_read_nothing_is_said_or_mended_but_its_age(
    kind: str, url_of: Callable[[str], str]
) -> None:
    cut: dict[str, Spoil] = {
        "postgres": postgres("UPDATE fsm_agent.agents SET cold = '[{' WHERE id = 'a'"),
        "redis": lambda store: store._look(("HSET", agent_keys(store.namespace, "a").head, "moving", "[")),
    }

    async def look(store: Store) -> None:
        await cut[kind](store)
        assert [each for each in await store.inspect() if each.is_index] == []
        page = await store.questions(limit=1)
        assert ([each.agent_id for each in page.damaged], page.heads, page.next is None) == (["a"], (), False)
        assert [head.id for head in (await store.questions(after=page.next)).heads] == ["b"]
        assert [each.agent_id for each in (await store.questions(to="ana")).damaged] == ["a"]
        newest = await store.select(Selection(), newest=True)
        assert ([each.agent_id for each in newest.damaged], len(newest.heads)) == (["a"], 3)
        spoilt = WRONG[f"{kind}: an agent is not found by its age"][2]
        await spoilt(store)
        assert await store.reindex() == 1
        assert [each for each in await store.inspect() if each.is_index] == []
        assert sum(each.agents for each in await store.tally()) == 3

    with_agents(url_of(kind), look)


def test_while_it_is_mended_who_is_due_is_not_mended_over_what_came_meanwhile(postgres_url: str) -> None:
    async def look(store: Store) -> None:
        assert isinstance(store, PostgresStore)
        await postgres("UPDATE fsm_agent.agents SET wake_ms = 7 WHERE id = 'b'")(store)
        run, said = store._write, 0

        async def run_while_another_writes(statement: bytes, values: Any) -> Any:
            nonlocal said
            if b"AS told (" in statement:
                said += 1
                await store.enqueue("b", 1, PING)
            return await run(statement, values)

        await reindex(run_while_another_writes, store.namespace)
        assert said == 1
        assert await store.due(NEW_YEAR_MS + 1, 9) == ["b"]
        assert (await store.reindex(), list(await store.inspect())) == (0, [])

    with_agents(postgres_url, look)
