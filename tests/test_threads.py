"""Threads outside of agents: said, read, taken back, handed over; and how the command line shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent import ActionError, Refused, Thread, open_store
from fsm_agent.errors import MessagesInvalid
from fsm_agent.message import Message, Role, Talk, own_thread
from fsm_agent.record import Said
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.bench import ID, a_commit, a_creation, keep_definitions
from tests.running import on_loop
from tests.shop import Shop

CALL = {"type": "tool_call", "id": "1", "name": "find", "arguments": {"what": "x"}}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/agents.db")
    yield store
    asyncio.run(store.close())


@on_loop
async def test_what_is_said_is_dated_counted_and_read_from_the_end(store: Store) -> None:
    room = Thread(store, "room-7")
    assert await room.append("user", "Hello there", by="ana") == 1
    assert await room.add([Message(Role.ASSISTANT, "", (CALL,)), Message.result("1", "find", "found")]) == 3
    first, *_ = await room.messages()
    assert (first.number, first.content, first.by) == (1, "Hello there", "ana")
    assert first.tokens > 2
    assert first.at_ms > 0
    assert [message.number for message in await room.messages(last=2)] == [2, 3]
    assert await room.add([]) == 0


@on_loop
async def test_the_newest_is_taken_back_by_one_of_those_who_want_it(store: Store) -> None:
    room = Thread(store, "room-7")
    for number in range(8):
        await room.append("user", str(number))
    taken = await asyncio.gather(*(Thread(store, "room-7").pop() for _ in range(5)))
    assert sorted(message.content for message in taken if message) == ["3", "4", "5", "6", "7"]
    assert [message.content for message in await room.messages()] == ["0", "1", "2"]
    assert await room.clear() == 3
    assert await room.pop() is None


@on_loop
async def test_what_is_exported_is_imported_as_it_was(store: Store) -> None:
    room, other = Thread(store, "room-7"), Thread(store, "room-8")
    await room.add([Message(Role.USER, "Hi", by="ana"), Message(Role.ASSISTANT, "", (CALL,))])
    assert await other.imported(await room.exported()) == 2
    assert await other.messages() == await room.messages()


@on_loop
async def test_a_document_with_mistakes_adds_nothing(store: Store) -> None:
    room = Thread(store, "room-7")
    with pytest.raises(MessagesInvalid, match=r"\[1\].*\[2\]"):
        await room.imported([{"role": "user", "content": "x"}, {"role": "nobody"}, {"content": "y"}])
    with pytest.raises(ActionError, match="no role 'nobody'"):
        await room.append("nobody", "x")
    assert await room.messages() == []


@on_loop
async def test_the_conversation_of_an_agent_is_read_and_left_alone(store: Store) -> None:
    await keep_definitions(store)
    await store.create(a_creation())
    said = Said(own_thread(ID), (Message(Role.USER, "mine"),))
    await store.commit(a_commit(2, head={"talk": Talk(last=1)}, said=(said,)))
    own = Thread.of_agent(store, ID)
    assert [message.content for message in await own.messages()] == ["mine"]
    with pytest.raises(Refused, match=f"conversation of agent '{ID}' is its own"):
        await own.append("user", "not mine")
    for change in (own.pop, own.clear):
        with pytest.raises(Refused, match="only its actions add to it"):
            await change()
    assert len(await own.messages()) == 1


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 129, "nul\0"])
def test_a_thread_has_a_name_that_any_store_can_keep(store: Store, name: str) -> None:
    with pytest.raises(Refused, match="the name of a thread is 1 to 128 letters"):
        Thread(store, name)


def test_the_command_line_imports_shows_and_exports(shop: Shop) -> None:
    document = [
        {"role": "user", "content": "Find x", "name": "ana"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "found"},
    ]
    (shop.folder / "talk.json").write_text(json.dumps(document))
    assert shop("--json", "thread", "room-7", "--import", "talk.json").json == {"added": 3}
    assert shop("--json", "thread").json == {"threads": ["room-7"]}
    shown = shop("--json", "thread", "room-7", "--last", "2").json
    assert shown["thread"] == "room-7"
    assert list(shown["messages"][0]) == ["number", "role", "by", "content", "parts", "tokens", "covers", "at"]
    assert [message["number"] for message in shown["messages"]] == [2, 3]
    text = shop("thread", "room-7").out
    assert "user (ana)" in text
    assert 'calls find({"q": "x"})' in text
    assert "returned found" in text
    written = json.loads(shop("thread", "room-7", "--export", "-").out)
    assert [each["role"] for each in written] == ["user", "assistant", "tool"]
    assert shop("thread", "room-7", "--export", "again.json").code == 0
    assert shop("thread", "room-8", "--import", "again.json").code == 0
    first, second = (shop("--json", "thread", room).json["messages"] for room in ("room-7", "room-8"))
    assert first == second


def test_the_command_line_shows_what_an_agent_was_told(shop: Shop) -> None:
    shop.order()
    assert shop("--json", "thread", "--agent", "one").json == {"thread": "one", "messages": []}
    assert "nothing was said yet" in shop("thread", "--agent", "one").out
    unknown = shop("thread", "--agent", "nobody")
    assert (unknown.code, "no agent 'nobody'" in unknown.err) == (1, True)
    assert shop("thread", "x", "--agent", "one").code == 1


@pytest.mark.parametrize("content", ["no JSON", "{}", '[{"role": "nobody"}]'])
def test_a_file_that_cannot_be_read_adds_nothing(shop: Shop, content: str) -> None:
    (shop.folder / "talk.json").write_text(content)
    refused = shop("thread", "room-7", "--import", "talk.json")
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert shop("--json", "thread").json == {"threads": []}
    assert shop("thread", "room-7", "--import", "missing.json").code == 1
