"""Threads outside of agents: said, read, taken back, handed over; and how the command line shows them."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent import ActionError, Context, Refused, Runner, Thread, action, open_store, sync
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, Role, Span, ThreadSpans, own_thread
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.errors import AgentNotFound, KeyMissing, MessagesInvalid, WindowTooSmall
from fsm_agent.memory.conversation_reader import COVERED
from fsm_agent.memory.formats import to_openai
from fsm_agent.stores.base import Store
from fsm_agent.testing.contract.fixtures import ID, a_commit, a_creation, keep_definitions
from tests.support.runtime import flow, on_loop
from tests.support.shop import Shop

LISTENER = flow("""
    events: {said: {}, answered: {}}
    initial: listening
    states:
      listening: {on: {said: answering}}
      answering: {do: answer, on: {answered: listening}}
""")
CALL: dict[str, Json] = {"type": "tool_call", "id": "1", "name": "find", "arguments": {"what": "x"}}


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
async def test_the_newest_is_taken_back_by_one_of_those_who_want_it(every_url: str) -> None:
    async with open_store(every_url) as store:
        room = Thread(store, "room-7")
        for number in range(8):
            await room.append("user", str(number))
        taken = await asyncio.gather(*(Thread(store, "room-7").pop() for _ in range(5)))
        assert sorted(message.content for message in taken if message) == ["3", "4", "5", "6", "7"]
        assert [message.content for message in await room.messages()] == ["0", "1", "2"]
        assert await room.imported(await room.exported()) == 3
        assert await room.clear() == 6
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
    said = AppendedMessages(own_thread(ID), (Message(Role.USER, "mine"),))
    await store.commit(a_commit(2, head={"talk": ThreadSpans(last=1)}, said=(said,)))
    own = Thread.of_agent(store, ID)
    assert [message.content for message in await own.messages()] == ["mine"]
    with pytest.raises(Refused, match=f"conversation of agent '{ID}' is its own"):
        await own.append("user", "not mine")
    for change in (own.pop, own.clear):
        with pytest.raises(Refused, match="only its actions add to it"):
            await change()
    assert len(await own.messages()) == 1


@on_loop
async def test_the_conversation_of_an_agent_is_what_it_sees_of_it(store: Store) -> None:
    """After a rewind and of a fork: what is hidden is not shown, and exports have one row of numbers."""
    await store.append("before", [Message(Role.USER, text) for text in "abc"])
    await keep_definitions(store)
    await store.create(a_creation())
    summary = Message(Role.SUMMARY, "b", ({"type": COVERED, "thread": "before"},), covers=2)
    said = AppendedMessages(own_thread(ID), (Message(Role.USER, "hidden"), summary, Message(Role.USER, "d")))
    talk = ThreadSpans(last=3, since=1, before=(Span("before", 1, 3),))
    await store.commit(a_commit(2, head={"talk": talk}, said=(said,)))
    own = Thread.of_agent(store, ID)
    assert [message.content for message in await own.messages()] == ["b", "c", "b", "d"]
    assert [message.content for message in await own.messages(last=3)] == ["c", "b", "d"]
    assert [message.content for message in await own.window(1_000)] == ["b", "c", "d"]
    assert await Thread(store, "copy").imported(await own.exported()) == 4
    copied = await Thread(store, "copy").messages()
    assert [(message.number, message.content, message.covers, message.parts) for message in copied] == [
        (1, "b", 0, ()),
        (2, "c", 0, ()),
        (3, "b", 1, ()),
        (4, "d", 0, ()),
    ]
    with pytest.raises(AgentNotFound, match="nobody"):
        await Thread.of_agent(store, "nobody").messages()


@on_loop
async def test_a_summary_that_is_imported_stands_for_what_it_stood_for_and_for_nobody_elses(store: Store) -> None:
    room, fresh = Thread(store, "room-7"), Thread(store, "room-8")
    await room.add([Message(Role.USER, text) for text in "abc"])
    await room.add([Message(Role.SUMMARY, "a and b", covers=2), Message(Role.USER, "d")])
    await fresh.append("user", "gone")
    await fresh.clear()
    assert await fresh.imported(await room.exported()) == 5
    assert [(each.number, each.covers) for each in await fresh.messages()] == [(2, 0), (3, 0), (4, 0), (5, 3), (6, 0)]
    assert [each.content for each in await fresh.window(100)] == ["a and b", "c", "d"]
    full = Thread(store, "room-9")
    await full.append("user", "before")
    await full.imported(await room.exported())
    assert [each.covers for each in await full.messages()] == [0] * 6
    assert "before" in [each.content for each in await full.window(200)]


@on_loop
async def test_a_window_keeps_to_its_tokens_and_tears_no_call_from_its_result(store: Store) -> None:
    room = Thread(store, "room-7")
    await room.add([Message(Role.USER, "long " * 50), Message(Role.ASSISTANT, "", (CALL,))])
    await room.add([Message.result("1", "find", "found"), Message(Role.USER, "and?")])
    assert [each.number for each in await room.window(150)] == [2, 3, 4]
    assert [each.number for each in await room.window(30)] == [4]
    assert [each.number for each in await room.window(60, strategy="keep_ends", count=lambda _: 20)] == [1, 4]
    with pytest.raises(WindowTooSmall):
        await room.window(1)


@on_loop
async def test_what_no_store_can_keep_adds_nothing(store: Store) -> None:
    room = Thread(store, "room-7")
    for odd in (
        Message(Role.USER, "x", ({"no": "type"},)),
        Message(Role.USER, "x", ({"type": "x", "y": object()},)),  # type: ignore[dict-item]
        Message(Role.USER, "x", at_ms=10**15),
    ):
        with pytest.raises(ActionError, match="message"):
            await room.add([Message(Role.USER, "fine"), odd])
    assert await room.messages() == []
    assert await room.messages(last=-1) == []


@on_loop
async def test_sealed_messages_are_neither_read_nor_written_beside_without_a_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/agents.db"
    async with open_store(url, keys={"k1": bytes(32)}) as sealed:
        await Thread(sealed, "room-7").append("user", "a secret")
        [message] = await Thread(sealed, "room-7").exported()
        assert message["content"] == "a secret"
    async with open_store(url) as store:
        room = Thread(store, "room-7")
        for read in (room.messages, room.window, room.exported, room.pop):
            with pytest.raises(KeyMissing, match="'k1'"):
                await read()  # type: ignore[operator]
        with pytest.raises(KeyMissing, match="'k1'"):
            await room.imported([{"role": "user", "content": "in clear"}])
        assert len(await store.messages("room-7")) == 1


def test_blocking_code_has_the_same_thread(store: Store) -> None:
    verbs = {
        name: inspect.signature(verb).parameters.keys()
        for name, verb in vars(Thread).items()
        if inspect.iscoroutinefunction(verb) and not name.startswith("_")
    }
    assert verbs == {name: inspect.signature(vars(sync.Thread)[name]).parameters.keys() for name in verbs}
    with sync.Runner(store) as runner:
        room = runner.thread("room-7")
        assert (room.name, room.append("user", "Hi")) == ("room-7", 1)
        assert [message.content for message in room.messages()] == ["Hi"]
        popped = room.pop()
        assert popped is not None
        assert popped.content == "Hi"
        with pytest.raises(Refused, match="is its own"):
            runner.thread("@a").clear()


@on_loop
async def test_parts_that_only_their_own_reader_understands_are_not_handed_to_others(store: Store) -> None:
    room = Thread(store, "room-7")
    parts: list[dict[str, Json]] = [{"type": kind, "x": 1} for kind in sorted(PRIVATE_PARTS)]
    await room.append("user", "Hi", parts=parts)
    [item] = await room.exported()
    assert item["content"] == "Hi"
    assert await Thread(store, "room-8").imported([item]) == 1
    [kept] = await Thread(store, "room-8").messages()
    assert [part["type"] for part in kept.parts] == [each["type"] for each in parts if each["type"] != COVERED]
    assert to_openai([kept], bare=True) == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 129, "nul\0"])
def test_a_thread_has_a_name_that_any_store_can_keep(store: Store, name: str) -> None:
    with pytest.raises(Refused, match="the name of a thread is 1 to 128 letters"):
        Thread(store, name)


MESSAGE = ["number", "role", "by", "content", "parts", "tokens", "covers", "at"]
DOCUMENT: list[Json] = [
    {"role": "user", "content": "Find\x1b[31m\nx", "name": "ana"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "found"},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]},
]


@pytest.fixture
def talk(shop: Shop) -> Shop:
    """A project with a thread, and the document that it came from."""
    shop.write("talk.json", json.dumps(DOCUMENT))
    imported = shop("--json", "thread", "room-7", "--import", "talk.json")
    assert (imported.code, imported.json) == (0, {"thread": "room-7", "imported": 4})
    return shop


def test_the_command_line_shows_what_is_said(talk: Shop) -> None:
    assert talk("--json", "thread").json == {"threads": ["room-7"]}
    shown = talk("--json", "thread", "room-7", "--last", "2").json
    assert list(shown) == ["thread", "messages", "earlier"]
    assert (shown["thread"], shown["earlier"], list(shown["messages"][0])) == ("room-7", True, MESSAGE)
    assert [message["number"] for message in shown["messages"]] == [3, 4]
    assert talk("--json", "thread", "room-7", "--last", "4").json["earlier"] is False
    assert "there are earlier ones" in talk("thread", "room-7", "--last", "1").err
    text = talk("thread", "room-7").out
    assert [line.split("  ")[-1] for line in text.splitlines()] == [
        "SAYS", "Find\ufffd[31m x", 'calls find({"q": "x"})', 'a tool returned "found"', "[image_url]",
    ]  # fmt: skip
    assert "nothing is said there" in talk("thread", "room-8").out


def test_the_command_line_exports_what_it_imports(talk: Shop) -> None:
    exported = talk("--json", "thread", "room-7", "--export", "again.json")
    assert (exported.code, exported.json) == (0, {"thread": "room-7", "exported": 4, "file": "again.json"})
    written = json.loads(talk("thread", "room-7", "--export", "-").out)
    assert [each["role"] for each in written] == ["user", "assistant", "tool", "user"]
    assert written == json.loads((talk.folder / "again.json").read_text())
    assert talk("thread", "room-8", "--import", "again.json").out == "thread    room-8\nimported  4 messages\n"
    first, second = (talk("--json", "thread", room).json["messages"] for room in ("room-7", "room-8"))
    assert first == second


def test_the_command_line_shows_what_an_agent_was_told_and_adds_nothing_to_it(talk: Shop) -> None:
    talk.order()
    assert talk("--json", "thread", "--agent", "one").json == {"thread": "@one", "messages": [], "earlier": False}
    assert talk("--json", "thread", "@one").json["thread"] == "@one"
    assert json.loads(talk("thread", "--agent", "one", "--export", "-").out) == []
    unknown = talk("thread", "--agent", "nobody")
    assert (unknown.code, "no agent 'nobody'" in unknown.err) == (1, True)
    refused = talk("thread", "--agent", "one", "--import", "talk.json")
    assert refused.err == "error: the conversation of agent 'one' is its own: only its actions add to it\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("x", "--agent", "one"), "give one of them"),
        (("x", "--import", "talk.json", "--export", "-"), "give one of them"),
        (("--import", "talk.json"), "which thread is meant"),
        (("--export", "-"), "which thread is meant"),
        (("a b",), "there can be no thread 'a b'"),
        (("x", "--last", "0"), "`--last` takes a whole number from 1, and '0' is none"),
        (("x", "--import", "missing.json"), "missing.json: No such file"),
        (("x", "--export", "nowhere/talk.json"), "nowhere/talk.json: No such file"),
    ],
)
def test_the_command_line_says_what_cannot_be_meant(talk: Shop, words: tuple[str, ...], why: str) -> None:
    refused = talk("thread", *words)
    assert (refused.code, refused.out, why in refused.err) == (1, "", True), refused.err
    assert talk("--json", "thread").json == {"threads": ["room-7"]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no JSON", "talk.json is not JSON (Expecting value, line 1, column 1); nothing was imported"),
        (b"\xff", "talk.json is not UTF-8 text"),
        (b"[" * 100_000, "talk.json is nested too deeply; nothing was imported"),
        (b"{}", "talk.json must hold a list of messages, [{role, content, ...}, ...]"),
        (
            b'[{"role": "user", "content": "fine"}, {"role": "nobody"}, {"role": "tool", "content": ""}]',
            "the messages cannot be read: [1].role cannot be 'nobody'; there are system, developer, user, "
            "assistant, tool; [2].tool_call_id must be a string, not null",
        ),
    ],
)
def test_a_document_with_mistakes_is_refused_whole(shop: Shop, content: bytes, why: str) -> None:
    (shop.folder / "talk.json").write_bytes(content)
    refused = shop("thread", "room-7", "--import", "talk.json")
    assert (refused.code, refused.out, refused.err) == (1, "", f"error: {why}\n")
    assert shop("--json", "thread").json == {"threads": []}


def test_the_command_line_says_that_a_thread_is_sealed(talk: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSM_AGENT_KEYS", talk("keygen").out.strip())
    assert talk("thread", "vault", "--import", "talk.json").code == 0
    assert "Find" in talk("thread", "vault").out
    monkeypatch.delenv("FSM_AGENT_KEYS")
    for words in ((), ("--export", "-"), ("--import", "talk.json")):
        refused = talk("thread", "vault", *words)
        assert (refused.code, refused.out, "sealed" in refused.err) == (1, "", True), refused.err


@on_loop
async def test_an_agent_reads_what_others_have_said_in_a_shared_thread(store: Store) -> None:
    @action(emits=["answered"])
    async def answer(ctx: Context) -> str:
        heard = await ctx.thread("room-7").tail(1)
        ctx.thread("room-7").append("assistant", f"I heard: {heard[0].content}")
        return "answered"

    async with Runner(store, actions=[answer]) as runner:
        room = Thread(store, "room-7")
        await room.append("user", "Hello")
        await runner.start(LISTENER, "said")
        assert [message.content for message in await room.messages()] == ["Hello", "I heard: Hello"]
