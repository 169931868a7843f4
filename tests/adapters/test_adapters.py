"""Threads for other libraries, each tested against the library itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from fsm_agent import ActionError, Thread, open_store, sync
from fsm_agent.adapters import langchain, openai_agents
from fsm_agent.adapters.langchain import ThreadHistory
from fsm_agent.adapters.openai_agents import ThreadSession
from fsm_agent.adapters.pydantic_ai import history_of, remember
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, Role
from fsm_agent.llm import pydantic_messages
from fsm_agent.memory import conversation_reader
from fsm_agent.stores.base import Store
from tests.support.runtime import on_loop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LangChain would have its users elsewhere; they are still there
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import (
        AIMessage,
        AIMessageChunk,
        BaseMessage,
        ChatMessage,
        FunctionMessage,
        HumanMessage,
        RemoveMessage,
        SystemMessage,
        ToolMessage,
    )
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
    from langchain_core.runnables.history import RunnableWithMessageHistory

PICTURE: Final[dict[str, Any]] = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
TEXT: Final = {"type": "text", "text": "What is this?"}
CALL: Final[dict[str, Any]] = {"id": "1", "name": "find", "args": {"what": ["x", 1.5, None]}}
USED: Final[Any] = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}

#: said in plain words alone
PLAIN: Final[Sequence[BaseMessage]] = (
    SystemMessage("Be brief."),
    HumanMessage("Hello", name="ana"),
    HumanMessage([TEXT, PICTURE]),
    HumanMessage([PICTURE]),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("found", tool_call_id="1", name="find"),
    ToolMessage([TEXT, PICTURE], tool_call_id="1", status="error"),
    AIMessage("Done.", name="helper"),
    AIMessage("", invalid_tool_calls=[{"id": "2", "name": "find", "args": "{no JSON", "error": None}]),
)
#: more than plain words
RICH: Final[Sequence[BaseMessage]] = (
    AIMessage("Done.", id="run--1", response_metadata={"model": "m"}, usage_metadata=USED),
    AIMessage("Odd", additional_kwargs={"refusal": None, "audio": {"id": "a"}}),
    AIMessage([{"type": "thinking", "thinking": "hm", "signature": "s=="}, {"type": "text", "text": "Yes"}, "."]),
    AIMessage("", tool_calls=[{"id": None, "name": "find", "args": {}}]),
    ToolMessage("x", tool_call_id="1", artifact={"raw": [1]}, additional_kwargs={"k": "v"}),
    HumanMessage("Hi", id="m1", example=True),
    ChatMessage("Order!", role="moderator"),
    FunctionMessage("3", name="add"),
    SystemMessage(["one", "two"]),
)

ITEMS: Final[Sequence[Any]] = (
    {"role": "user", "content": "Hello"},
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "What is "}, {"type": "input_text", "text": "this?"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x=="},
    {"type": "function_call", "call_id": "1", "name": "find", "arguments": '{"what": "x"}'},
    {"type": "function_call", "call_id": "2", "name": "find", "arguments": "no JSON", "id": "fc_2"},
    {"type": "function_call_output", "call_id": "1", "output": "found"},
    {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "found"}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "message", "role": "nobody we know"},
    {"id": "m1", "type": "message", "role": "assistant", "status": "completed",
     "content": [{"type": "output_text", "text": "Done.", "annotations": []}]},
)  # fmt: skip

#: what our own agents say
OURS: Final = (
    Message(Role.SYSTEM, "Be kind."),
    Message(Role.USER, "Find x and y", by="ana"),
    Message(
        Role.ASSISTANT,
        "Wait.",
        (
            {"type": "tool_call", "id": "1", "name": "find", "arguments": {"what": "x"}},
            {"type": "tool_call", "id": "2", "name": "find", "arguments": "no JSON"},
        ),
    ),
    Message(
        Role.TOOL,
        "",
        (
            {"type": "tool_result", "id": "1", "name": "find", "content": {"found": [1]}},
            {"type": "tool_result", "id": "2", "content": "not JSON", "is_error": True},
        ),
    ),
    Message(Role.SUMMARY, "They look for x and y.", covers=4),
    Message(Role.ASSISTANT, "x is 1."),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/agents.db"


@pytest.fixture
def runner(url: str) -> Iterator[sync.Runner]:
    with sync.Runner(open_store(url)) as runner:
        yield runner


def test_each_knows_its_own_parts_and_formats_know_them_all() -> None:
    theirs = {langchain.THEIRS, openai_agents.THEIRS, pydantic_messages.THEIRS, conversation_reader.COVERED}
    assert theirs == PRIVATE_PARTS


@pytest.mark.parametrize("module", ["langchain", "pydantic_ai"])
def test_without_its_library_an_adapter_says_what_to_install(module: str) -> None:
    library, extra = {"langchain": ("langchain_core", "langchain"), "pydantic_ai": ("pydantic_ai", "llm")}[module]
    script = f"import sys; sys.modules['{library}'] = None; import fsm_agent.adapters.{module}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: fsm_agent.adapters.{module} needs a library that is not installed: pip install "
        f"'fsm-agent[{extra}]'"
    )


def test_a_session_needs_no_library_to_be_imported() -> None:
    script = "import sys; import fsm_agent.adapters.openai_agents; sys.exit('agents' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


class TestLangChain:
    @pytest.mark.parametrize("message", [*PLAIN, *RICH], ids=lambda message: message.type)
    def test_a_message_comes_back_as_it_was(self, message: BaseMessage) -> None:
        kept = langchain.kept(message)
        assert any(part["type"] == langchain.THEIRS for part in kept.parts) is (message in RICH)
        [shown] = langchain.shown([kept])
        assert (type(shown), shown) == (type(message), message)

    def test_a_history_is_there_in_another_process(self, runner: sync.Runner, url: str) -> None:
        history = ThreadHistory(runner.thread("room-7"))
        history.add_messages([*PLAIN, *RICH])
        script = (
            "from fsm_agent import open_store, sync\n"
            "from fsm_agent.adapters.langchain import ThreadHistory\n"
            f"with sync.Runner(open_store({url!r})) as runner:\n"
            "    history = ThreadHistory(runner.thread('room-7'))\n"
            "    history.add_user_message(f'{len(history.messages)} messages')\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
        assert history.messages == [*PLAIN, *RICH, HumanMessage("18 messages")]
        history.clear()
        assert history.messages == []

    def test_others_read_it_in_plain_words(self) -> None:
        [system, ana, picture, _, call, result, failed, *_] = [langchain.kept(each) for each in PLAIN]
        assert system == Message(Role.SYSTEM, "Be brief.")
        assert ana == Message(Role.USER, "Hello", by="ana")
        assert picture == Message(Role.USER, "What is this?", (PICTURE,))
        assert (call.role, call.calls) == (Role.ASSISTANT, ("1",))
        assert result == Message.result("1", "find", "found")
        assert failed.parts[0]["is_error"] is True
        assert [langchain.kept(each).content for each in RICH[:3]] == ["Done.", "Odd", "Yes."]

    def test_it_reads_what_our_agents_have_said(self) -> None:
        shown = langchain.shown(OURS)
        assert [message.type for message in shown] == ["system", "human", "ai", "tool", "tool", "system", "ai"]
        ai: Any = shown[2]
        assert ([call["id"] for call in ai.tool_calls], ai.invalid_tool_calls[0]["args"]) == (["1"], "no JSON")
        assert [message.content for message in shown[3:]] == [
            '{"found": [1]}', "not JSON", "They look for x and y.", "x is 1.",
        ]  # fmt: skip
        assert [getattr(message, "status", None) for message in shown[3:5]] == ["success", "error"]

    def test_what_only_others_understand_is_no_message_for_it(self) -> None:
        reasoning = openai_agents.kept(ITEMS[3])
        assert langchain.shown([reasoning, Message(Role.ASSISTANT, "")]) == [AIMessage("")]

    def test_what_the_library_has_forgotten_is_shown_in_plain_words(self) -> None:
        odd: dict[str, Json] = {"type": langchain.THEIRS, "fields": {"type": "gone", "x": 1}}
        assert langchain.shown([Message(Role.USER, "Hi", (odd,))]) == [HumanMessage("Hi")]

    def test_a_chunk_is_kept_as_a_message(self) -> None:
        assert langchain.shown([langchain.kept(AIMessageChunk("Hi", id="1"))]) == [AIMessage("Hi", id="1")]

    def test_what_no_thread_can_keep_is_refused_whole(self, runner: sync.Runner) -> None:
        history = ThreadHistory(runner.thread("room-7"))
        for odd, why in (
            (RemoveMessage(id="1"), "no place for a message of type 'remove'"),
            (ToolMessage("x", tool_call_id="1", artifact=object()), "a message cannot be kept: .*artifact"),
        ):
            with pytest.raises(ActionError, match=why):
                history.add_messages([HumanMessage("fine"), odd])
        assert history.messages == []

    def test_a_history_shows_no_more_than_it_may_and_says_whose_words_they_are(self, runner: sync.Runner) -> None:
        room = runner.thread("room-7")
        history = ThreadHistory(room, max_tokens=60, by="ana")
        history.add_messages([HumanMessage("long " * 100), AIMessage("short"), HumanMessage("Hi", name="bob")])
        assert [message.content for message in history.messages] == ["short", "Hi"]
        assert [message.by for message in room.messages()] == ["ana", None, "bob"]
        assert ThreadHistory(room).messages[0] == HumanMessage("long " * 100)

    def test_summaries_are_shown_only_where_not_all_is(self, runner: sync.Runner) -> None:
        room = runner.thread("room-7")
        room.add(OURS)
        assert "They look for x and y." not in [message.content for message in ThreadHistory(room).messages]
        shown = [message.content for message in ThreadHistory(room, max_tokens=500).messages]
        assert shown == ["Be kind.", "They look for x and y.", "x is 1."]

    def test_two_histories_of_a_thread_lose_nothing(self, runner: sync.Runner) -> None:
        async def talk(history: ThreadHistory, name: str) -> None:
            for n in range(10):
                await history.aadd_messages([HumanMessage(f"{name}{n}"), AIMessage(f"{name}{n}!")])

        async def both() -> list[str]:
            one, two = (ThreadHistory(runner.thread("room-7")) for _ in range(2))
            await asyncio.gather(talk(one, "a"), talk(two, "b"))
            return [str(message.content) for message in await one.aget_messages()]

        said = asyncio.run(both())
        assert sorted(said) == sorted(f"{name}{n}{end}" for name in "ab" for n in range(10) for end in ("", "!"))
        assert all(said[said.index(each) + 1] == f"{each}!" for each in said if not each.endswith("!"))
        asyncio.run(ThreadHistory(runner.thread("room-7")).aclear())
        assert runner.thread("room-7").messages() == []

    @pytest.mark.parametrize("key", [None, "past"])
    def test_a_chain_remembers(self, runner: sync.Runner, key: str | None) -> None:
        model = GenericFakeChatModel(messages=iter([AIMessage("Hello, Ana."), AIMessage("You are Ana.")]))
        chain = _chain(model, lambda room: ThreadHistory(runner.thread(room)), key)
        for text in ("I am Ana.", "Who am I?"):
            said: Any = {"text": text} if key else [HumanMessage(text)]
            chain.invoke(said, config={"configurable": {"session_id": "room-7"}})
        history = ThreadHistory(runner.thread("room-7"))
        assert [message.content for message in history.messages] == [
            "I am Ana.", "Hello, Ana.", "Who am I?", "You are Ana.",
        ]  # fmt: skip
        assert ThreadHistory(runner.thread("room-8")).messages == []

    @on_loop
    async def test_an_async_chain_remembers_on_the_loop_of_its_store(self) -> None:
        model = GenericFakeChatModel(messages=iter([AIMessage("Hello, Ana."), AIMessage("You are Ana.")]))
        async with open_store("memory://") as store:
            chain = _chain(model, lambda room: ThreadHistory(Thread(store, room)), None)
            for text in ("I am Ana.", "Who am I?"):
                await chain.ainvoke([HumanMessage(text)], config={"configurable": {"session_id": "room-7"}})
            history = ThreadHistory(Thread(store, "room-7"), max_tokens=1_000)
            assert len(await history.aget_messages()) == 4
            with pytest.raises(RuntimeError, match="thread 'room-7' is read by async code only"):
                assert history.messages
            await history.aclear()
            assert await history.aget_messages() == []


def _chain(model: Any, histories: Any, key: str | None) -> Any:
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("past"), ("human", "{text}")])
    keys: dict[str, Any] = {"input_messages_key": "text", "history_messages_key": key} if key else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RunnableWithMessageHistory(prompt | model if key else model, histories, **keys)


class TestAgentsSdk:
    @pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.get("type", item.get("role"))))
    def test_an_item_comes_back_as_it_was(self, item: Any) -> None:
        assert openai_agents.shown(openai_agents.kept(item)) == [item]

    @on_loop
    async def test_a_session_keeps_what_it_is_given(self) -> None:
        from agents.memory import Session, SessionSettings

        async with open_store("memory://") as store:
            session = ThreadSession(Thread(store, "room-7"))
            assert isinstance(session, Session)
            assert session.session_id == "room-7"
            await session.add_items(list(ITEMS))
            assert await session.get_items() == list(ITEMS)
            assert await session.get_items(2) == list(ITEMS[-2:])
            assert await session.get_items(0) == []
            two = ThreadSession(Thread(store, "room-7"), session_settings=SessionSettings(limit=1))
            assert await two.get_items() == [ITEMS[-1]]
            assert await session.pop_item() == ITEMS[-1]
            assert await two.get_items(100) == list(ITEMS[:-1])
            await session.clear_session()
            assert await session.get_items() == []
            assert await session.pop_item() is None
            with pytest.raises(ActionError, match="a message cannot be kept"):
                await session.add_items([{"role": "user", "content": object()}])  # type: ignore[list-item]

    def test_others_read_it_in_plain_words(self) -> None:
        kept = [openai_agents.kept(item, by="ana") for item in ITEMS]
        assert kept[:2] == [Message(Role.USER, "Hello", by="ana"), kept[1]]
        assert [(each.role, each.content) for each in kept[1:4]] == [
            (Role.SYSTEM, "Be brief."), (Role.USER, "What is this?"), (Role.ASSISTANT, ""),
        ]  # fmt: skip
        assert kept[4].parts[0]["arguments"] == {"what": "x"}
        assert ([each.calls for each in kept[4:6]], kept[6].results) == ([("1",), ("2",)], ("1",))
        assert kept[-1].content == "Done."

    def test_it_reads_what_our_agents_have_said(self) -> None:
        picture = Message(Role.USER, "See", (PICTURE,))
        assert [item for message in (*OURS, picture) for item in openai_agents.shown(message)] == [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Find x and y"},
            {"role": "assistant", "content": "Wait."},
            {"type": "function_call", "call_id": "1", "name": "find", "arguments": '{"what": "x"}'},
            {"type": "function_call", "call_id": "2", "name": "find", "arguments": "no JSON"},
            {"type": "function_call_output", "call_id": "1", "output": '{"found": [1]}'},
            {"type": "function_call_output", "call_id": "2", "output": "not JSON"},
            {"role": "assistant", "content": "x is 1."},
            {"role": "user", "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "https://example.com/x.png", "detail": "auto"},
            ]},
        ]  # fmt: skip

    @on_loop
    async def test_the_last_item_is_never_a_summary(self) -> None:
        async with open_store("memory://") as store:
            room = Thread(store, "room-7")
            await room.add([Message(Role.USER, "Hi"), Message(Role.SUMMARY, "They said hi.", covers=1)])
            assert await ThreadSession(room).pop_item() == {"role": "user", "content": "Hi"}

    @on_loop
    async def test_two_sessions_of_a_thread_lose_nothing_and_pop_each_item_once(self) -> None:
        async with open_store("memory://") as store:
            one, two = (ThreadSession(Thread(store, "room-7")) for _ in range(2))
            sessions = [one, two] * 10
            await asyncio.gather(
                *(each.add_items([{"role": "user", "content": str(n)}]) for n, each in enumerate(sessions))
            )
            popped: list[Any] = await asyncio.gather(*(each.pop_item() for each in sessions))
            assert sorted(int(item["content"]) for item in popped) == list(range(20))
            assert await one.get_items() == []

    @on_loop
    async def test_an_agent_with_a_tool_remembers_over_two_runs(self, url: str) -> None:
        from agents import Agent, Runner, function_tool, set_tracing_disabled

        set_tracing_disabled(True)

        @function_tool
        def find(what: str) -> str:
            return f"found {what}"

        model = _parrot()
        for _ in range(2):
            async with open_store(url) as store:  # as two processes would
                session = ThreadSession(Thread(store, "room-7"), by="ana")
                result = await Runner.run(Agent("parrot", model=model, tools=[find]), "Hello", session=session)
        assert (model.seen, result.final_output) == ([1, 3, 5, 7], "7 items")
        async with open_store(url) as store:
            said = await Thread(store, "room-7").messages()
        run = [(Role.USER, "Hello", "ana"), (Role.ASSISTANT, "", None), (Role.TOOL, "", None)]
        assert [(message.role, message.content, message.by) for message in said] == [
            *run, (Role.ASSISTANT, "3 items", None), *run, (Role.ASSISTANT, "7 items", None),
        ]  # fmt: skip
        assert said[2].parts[0]["content"] == "found x"


def _parrot() -> Any:
    """A model that calls a tool, and then says how many items it has been shown."""
    from agents.items import ModelResponse
    from agents.models.interface import Model
    from agents.usage import Usage
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

    class Parrot(Model):
        def __init__(self) -> None:
            self.seen: list[int] = []

        async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: A002
            self.seen.append(len(input))
            name = f"m{len(input)}"
            said: Any
            if input[-1].get("type") == "function_call_output":
                text = ResponseOutputText(text=f"{len(input)} items", type="output_text", annotations=[])
                said = ResponseOutputMessage(
                    id=name, content=[text], role="assistant", status="completed", type="message"
                )
            else:
                said = ResponseFunctionToolCall(
                    call_id=name, name="find", arguments='{"what": "x"}', type="function_call"
                )
            return ModelResponse(output=[said], usage=Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("nobody streams here")

    return Parrot()


class TestPydanticAi:
    @on_loop
    async def test_an_agent_remembers_over_two_runs(self, url: str) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
        from pydantic_ai.models.function import AgentInfo, FunctionModel

        def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            if len(messages) % 4 == 1:
                return ModelResponse([ToolCallPart("find", {"what": "x"})])
            return ModelResponse([TextPart(f"after {len(messages)}")])

        agent = Agent(FunctionModel(answer))

        @agent.tool_plain
        def find(what: str) -> str:
            return f"found {what}"

        outputs = []
        for _ in range(2):
            async with open_store(url) as store:
                room = Thread(store, "room-7")
                result = await agent.run("Hello", message_history=await history_of(room))
                await remember(room, result.new_messages(), by="ana")
                outputs.append(result.output)
                assert await history_of(room) == result.all_messages()
                assert len(await history_of(room, max_tokens=500)) < len(await history_of(room))
                assert {message.by for message in await room.messages()} == {"ana", None}
        assert outputs == ["after 3", "after 7"]

    @on_loop
    async def test_its_test_model_goes_on_from_what_others_have_said(self) -> None:
        from pydantic_ai import Agent
        from pydantic_ai.models.test import TestModel

        async with open_store("memory://") as store:
            room = Thread(store, "room-7")
            await room.add(OURS)
            await room.add([langchain.kept(each) for each in (*PLAIN, *RICH)])
            await room.add([openai_agents.kept(each) for each in ITEMS])
            before = await history_of(room)
            assert not any(isinstance(each.parts, list) and not each.parts for each in before)
            result = await Agent(TestModel(custom_output_text="Yes.")).run("Well?", message_history=before)
            assert result.output == "Yes."
            await remember(room, result.new_messages())
            assert [message.content for message in await room.messages(last=2)] == ["Well?", "Yes."]


@pytest.mark.parametrize("kind", ["langchain", "openai_agents", "pydantic_ai"])
@on_loop
async def test_what_one_library_has_said_the_others_and_a_document_tell(kind: str) -> None:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

    async with open_store("memory://") as store:
        room = Thread(store, "room-7")
        match kind:
            case "langchain":
                await ThreadHistory(room).aadd_messages([HumanMessage("Hi", id="1"), AIMessage("Hello.", id="2")])
            case "openai_agents":
                await ThreadSession(room).add_items([ITEMS[0] | {"content": "Hi"}, _said_by_sdk("Hello.")])
            case _:
                said = [ModelRequest([UserPromptPart("Hi")]), ModelResponse([TextPart("Hello.", id="2")])]
                await remember(room, said)
        await _told_alike(store, room)


def _said_by_sdk(text: str) -> Any:
    return {**ITEMS[-1], "content": [{"type": "output_text", "text": text, "annotations": []}]}


async def _told_alike(store: Store, room: Thread) -> None:
    assert [str(each.content) for each in await ThreadHistory(room).aget_messages()] == ["Hi", "Hello."]
    items: list[Any] = await ThreadSession(room).get_items()
    assert [item["role"] for item in items] == ["user", "assistant"]
    history: list[Any] = await history_of(room)
    assert [each.parts[0].content for each in history] == ["Hi", "Hello."]
    document = await room.exported()
    assert [(item["role"], item["content"]) for item in document] == [("user", "Hi"), ("assistant", "Hello.")]
    copy = Thread(store, "copy")
    await copy.imported(document)
    assert await copy.messages() == await room.messages()
    assert await ThreadSession(copy).get_items() == items
