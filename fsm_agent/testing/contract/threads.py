"""Threads grow at their end and are read by their tail; what is remembered of a user is compare-and-set."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from fsm_agent.domain.message import Message, Role, ThreadSpans, own_thread
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import Conflict, UserConflict
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, Bench, a_commit, a_creation, all_of, in_loop
from fsm_agent.testing.contract.values import ODD_TEXTS

ROOM: Final = "room-7"
OWN: Final = own_thread(ID)
ANA: Final = UserRecord("ana", 1, {"name": "Ana", "tags": ["a"]}, NEW_YEAR_MS)
CALL: Final = {"type": "tool_call", "id": "1", "name": "find", "arguments": {"what": [1.5, None]}}


def say(*texts: str, role: Role = Role.USER) -> tuple[Message, ...]:
    return tuple(Message(role, text, tokens=len(text), at_ms=NEW_YEAR_MS) for text in texts)


async def read(store: Store, thread: str = ROOM, **bounds: Any) -> list[tuple[int, str]]:
    return [(message.number, message.content) for message in await store.messages(thread, **bounds)]


class ThreadsContract(Bench):
    @in_loop
    async def test_messages_are_numbered_in_order_and_come_back_whole(self, store: Store) -> None:
        said = [
            Message(role, text, (CALL, {"type": "x"}), 7, NEW_YEAR_MS + at, by, covers=at)
            for at, (role, text, by) in enumerate(zip(Role, ODD_TEXTS, ("ana", None, "", "bob", "é"), strict=False))
        ]
        assert await store.append(ROOM, said) == len(said)
        assert list(await store.messages(ROOM)) == [each._replace(number=at) for at, each in enumerate(said, start=1)]

    @in_loop
    async def test_a_thread_is_read_from_either_end_and_between_numbers(self, store: Store) -> None:
        await store.append(ROOM, say("a", "b", "c", "d", "e"))
        assert await read(store, limit=2) == [(1, "a"), (2, "b")]
        assert await read(store, limit=2, newest=True) == [(4, "d"), (5, "e")]
        assert await read(store, after=1, upto=4) == [(2, "b"), (3, "c"), (4, "d")]
        assert await read(store, after=1, upto=4, limit=1, newest=True) == [(4, "d")]
        assert await read(store, upto=0) == await read(store, after=5) == await read(store, limit=0) == []
        assert await read(store, "nobody's") == []

    @in_loop
    async def test_a_step_says_what_it_says_or_nothing(self, store: Store) -> None:
        await store.create(a_creation())
        said = (AppendedMessages(OWN, say("hello", "there")), AppendedMessages(ROOM, say("to all")))
        await store.commit(a_commit(2, head={"talk": ThreadSpans(last=2)}, said=said))
        assert await read(store, OWN) == [(1, "hello"), (2, "there")]
        before = await all_of(store)
        with pytest.raises(Conflict):
            await store.commit(
                a_commit(2, said=(AppendedMessages(OWN, say("late")), AppendedMessages(ROOM, say("late"))))
            )
        assert await read(store, OWN) == [(1, "hello"), (2, "there")]
        assert await read(store) == [(1, "to all")]
        assert await all_of(store) == before
        assert before[0].head.talk == ThreadSpans(last=2)

    @in_loop
    async def test_many_who_share_a_thread_lose_nothing(self, store: Store) -> None:
        ids = [f"agent-{n}" for n in range(8)]
        for agent_id in ids:
            await store.create(a_creation(agent_id))
        commits = [
            a_commit(2, head={"id": each}, said=(AppendedMessages(ROOM, say(each, f"{each}!")),)) for each in ids
        ]
        await asyncio.gather(*map(store.commit, commits), store.append(ROOM, say("from outside")))
        found = await read(store)
        assert [number for number, _ in found] == list(range(1, 18))
        texts = [text for _, text in found]
        assert sorted(texts) == sorted([*ids, *(f"{each}!" for each in ids), "from outside"])
        assert all(texts[texts.index(each) + 1] == f"{each}!" for each in ids), "what is said at once stays together"

    @in_loop
    async def test_what_is_retracted_is_gone_and_its_numbers_stay_used(self, store: Store) -> None:
        await store.append(ROOM, say("a", "b", "c"))
        assert await store.retract(ROOM, after=2) == 1
        assert await store.retract(ROOM, after=2) == 0
        assert await store.append(ROOM, say("d")) == 4
        assert await read(store) == [(1, "a"), (2, "b"), (4, "d")]
        assert await read(store, limit=2, newest=True) == [(2, "b"), (4, "d")]
        assert await store.retract(ROOM, after=1, upto=3) == 1
        assert await store.retract(ROOM) == 2
        assert await store.retract("nobody's") == 0
        assert await read(store) == []

    @in_loop
    async def test_a_message_is_revised_where_it_stands(self, store: Store) -> None:
        await store.append(ROOM, say("a", "b"))
        revised = Message(Role.TOOL, "?", (CALL,), 1, NEW_YEAR_MS + 9, "bob", covers=1, number=2)
        assert await store.revise(ROOM, [revised, revised._replace(number=7)]) == 1
        assert list(await store.messages(ROOM, after=1)) == [revised]
        assert await read(store, upto=1) == [(1, "a")]

    @in_loop
    async def test_threads_are_listed_but_for_those_of_agents(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2, head={"talk": ThreadSpans(last=1)}, said=(AppendedMessages(OWN, say("mine")),)))
        for name in ("b", "a", "c", "Z", "é"):
            await store.append(name, say("x"))
        assert list(await store.threads()) == ["Z", "a", "b", "c", "é"]
        assert list(await store.threads(limit=2, after="Z")) == ["a", "b"]

    @in_loop
    async def test_an_agents_own_thread_goes_with_it(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(
            a_commit(2, head={"talk": ThreadSpans(last=2)}, said=(AppendedMessages(OWN, say("hello", "there")),))
        )
        whole, size = await store.dump(ID), await store.size(ID)
        assert [message.content for message in whole.messages] == ["hello", "there"]
        assert size.thread >= len("hello" + "there")
        await store.adopt(whole._replace(messages=whole.messages[1:]), replaces=whole.head)
        assert await read(store, OWN) == [(2, "there")]
        await store.commit(a_commit(3, head={"talk": ThreadSpans(last=3)}, said=(AppendedMessages(OWN, say("on")),)))
        assert await read(store, OWN) == [(2, "there"), (3, "on")], "numbers go on, whatever is kept"
        await store.delete(await store.head(ID))
        assert await read(store, OWN) == []
        await store.adopt(whole)
        assert await read(store, OWN) == [(1, "hello"), (2, "there")]

    @in_loop
    async def test_a_user_of_whom_nothing_is_known_is_at_version_0(self, store: Store) -> None:
        assert await store.user("ana") == UserRecord("ana")

    @in_loop
    async def test_a_user_is_remembered_version_by_version(self, store: Store) -> None:
        await store.save_user(ANA)
        assert await store.user("ana") == ANA
        later = ANA._replace(version=2, values={text: text for text in ODD_TEXTS}, updated_ms=NEW_YEAR_MS + 1)
        await store.save_user(later)
        assert await store.user("ana") == later
        for stale in (ANA, later, later._replace(version=4)):
            with pytest.raises(UserConflict, match="'ana' is at version 2"):
                await store.save_user(stale)
        assert await store.user("ana") == later
        assert await store.user("bob") == UserRecord("bob")

    @in_loop
    async def test_users_are_listed_in_order(self, store: Store) -> None:
        assert list(await store.users()) == []
        for name in ("bob", "é", "Ana", "ana"):
            await store.save_user(UserRecord(name, 1))
        assert list(await store.users()) == ["Ana", "ana", "bob", "é"]
        assert list(await store.users(limit=2, after="Ana")) == ["ana", "bob"]

    @in_loop
    async def test_of_many_who_change_a_user_at_once_one_succeeds(self, store: Store) -> None:
        racing = (store.save_user(ANA._replace(values={"n": n})) for n in range(8))
        outcomes = await asyncio.gather(*racing, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["UserConflict"] * 7

    @in_loop
    async def test_a_step_and_what_it_remembers_of_a_user_are_one(self, store: Store) -> None:
        await store.create(a_creation())
        await store.commit(a_commit(2, user=ANA))
        assert await store.user("ana") == ANA
        before = await all_of(store)
        said = (AppendedMessages(OWN, say("lost")), AppendedMessages(ROOM, say("lost")))
        with pytest.raises(UserConflict):
            await store.commit(a_commit(3, user=ANA._replace(values={}), said=said, key="k", epoch=None))
        assert await all_of(store) == before, "a stale user refuses the step"
        assert await read(store, OWN) == await read(store) == []
        with pytest.raises(Conflict):
            await store.commit(a_commit(2, user=ANA._replace(version=2)))
        assert await store.user("ana") == ANA, "a stale step leaves the user alone"
        await store.commit(a_commit(3, user=ANA._replace(version=2, values={}), said=said))
        assert (await store.user("ana")).version == 2
        assert await read(store, OWN) == [(1, "lost")]
