"""Threads for other libraries, each tested against the library itself."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Thread, open_store
from fsm_agent.adapters.openai_agents import ThreadSession
from fsm_agent.adapters.pydantic_ai import history_of, remember
from fsm_agent.message import Message, Role
from fsm_agent.stores.base import Store
from tests.running import on_loop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LangChain would have its users elsewhere; they are still there
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
    from langchain_core.runnables.history import RunnableWithMessageHistory

    from fsm_agent.adapters.langchain import ThreadHistory, close

LANGCHAIN: Sequence[BaseMessage] = (
    SystemMessage("Be brief."),
    HumanMessage("Hello", name="ana"),
    HumanMessage([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}]),
    AIMessage("", tool_calls=[{"id": "1", "name": "find", "args": {"what": "x"}}]),
    ToolMessage("found", tool_call_id="1", name="find"),
    ToolMessage("broken", tool_call_id="2", status="error", artifact={"raw": [1]}),
    AIMessage("Done.", response_metadata={"model": "m"},
              usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    AIMessage("Odd", additional_kwargs={"reasoning": "because"}, id="msg-1"),
)  # fmt: skip
ITEMS: Sequence[Any] = (
    {"role": "user", "content": "Hello"},
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "What is "}, {"type": "input_text", "text": "this?"}]},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "function_call", "call_id": "1", "name": "find", "arguments": '{"what": "x"}'},
    {"type": "function_call", "call_id": "2", "name": "find", "arguments": "no JSON"},
    {"type": "function_call_output", "call_id": "1", "output": "found"},
    {"id": "m1", "type": "message", "role": "assistant", "status": "completed",
     "content": [{"type": "output_text", "text": "Done.", "annotations": []}]},
)  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/agents.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    close(store)


def test_a_history_of_langchain_comes_back_whole_in_another_process(store: Store, url: str) -> None:
    history = ThreadHistory(store, "room-7")
    history.add_messages(LANGCHAIN)
    assert history.messages == list(LANGCHAIN)
    again = open_store(url)
    assert ThreadHistory(again, "room-7").messages == list(LANGCHAIN)
    close(again)
    history.clear()
    assert history.messages == []


def test_a_history_of_langchain_is_in_plain_words_for_others(store: Store) -> None:
    ThreadHistory(store, "room-7").add_messages(LANGCHAIN[:5])
    plain = ThreadHistory(store, "room-7")._portal.call(Thread(store, "room-7").messages())
    assert [message.role for message in plain] == [Role.SYSTEM, Role.USER, Role.USER, Role.ASSISTANT, Role.TOOL]
    assert plain[1]._replace(number=0, at_ms=0, tokens=0) == Message(Role.USER, "Hello", by="ana")
    assert plain[2].content == "What is this?"
    assert (plain[3].calls, plain[4].results) == (("1",), ("1",))


@on_loop
async def test_a_history_of_langchain_is_used_from_any_loop(store: Store) -> None:
    one, two = ThreadHistory(store, "room-7"), ThreadHistory(store, "room-7")
    await asyncio.gather(*(each.aadd_messages([HumanMessage(f"{n}")]) for n in range(10) for each in (one, two)))
    said = [str(message.content) for message in await one.aget_messages()]
    assert sorted(said) == sorted([f"{n}" for n in range(10)] * 2)
    await two.aclear()
    assert await one.aget_messages() == []


def test_a_chain_of_langchain_remembers(store: Store) -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("Hello, Ana."), AIMessage("You are Ana.")]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = RunnableWithMessageHistory(model, lambda room: ThreadHistory(store, room))
    to_room: Any = {"configurable": {"session_id": "room-7"}}
    chain.invoke([HumanMessage("I am Ana.")], config=to_room)
    chain.invoke([HumanMessage("Who am I?")], config=to_room)
    said = [message.content for message in ThreadHistory(store, "room-7").messages]
    assert said == ["I am Ana.", "Hello, Ana.", "Who am I?", "You are Ana."]


@on_loop
async def test_a_session_of_the_agents_sdk_keeps_what_it_is_given() -> None:
    from agents.memory import Session, SessionSettings

    store = open_store("memory://")
    session = ThreadSession(store, "room-7")
    assert isinstance(session, Session)
    await session.add_items(list(ITEMS))
    assert await session.get_items() == list(ITEMS)
    assert await session.get_items(2) == list(ITEMS[-2:])
    assert await ThreadSession(store, "room-7", session_settings=SessionSettings(limit=1)).get_items() == [ITEMS[-1]]
    assert await session.pop_item() == ITEMS[-1]
    assert await session.get_items() == list(ITEMS[:-1])
    words = [message.content for message in await Thread(store, "room-7").messages()]
    assert words[:3] == ["Hello", "Be brief.", "What is this?"]
    await session.clear_session()
    assert await session.get_items() == []
    assert await session.pop_item() is None


@on_loop
async def test_what_others_have_said_is_plain_to_the_agents_sdk() -> None:
    store = open_store("memory://")
    await Thread(store, "room-7").append("user", "Hi", by="ana")
    await Thread(store, "room-7").append("summary", "They have said hi.")
    items = await ThreadSession(store, "room-7").get_items()
    assert items == [{"role": "user", "content": "Hi"}, {"role": "system", "content": "They have said hi."}]


@on_loop
async def test_an_agent_of_the_agents_sdk_remembers_over_two_runs(url: str) -> None:
    from agents import Agent, Runner, set_tracing_disabled
    from agents.items import ModelResponse
    from agents.models.interface import Model
    from agents.usage import Usage
    from openai.types.responses import ResponseOutputMessage, ResponseOutputText

    set_tracing_disabled(True)
    seen: list[int] = []

    class Parrot(Model):
        async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: A002
            seen.append(len(input))
            text = ResponseOutputText(text=f"{len(input)} items", type="output_text", annotations=[])
            message = ResponseOutputMessage(
                id="m", content=[text], role="assistant", status="completed", type="message"
            )
            return ModelResponse(output=[message], usage=Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("nobody streams here")

    for _ in range(2):
        async with open_store(url) as store:  # as two processes would
            await Runner.run(Agent("parrot", model=Parrot()), "Hello", session=ThreadSession(store, "room-7"))
    assert seen == [1, 3]
    async with open_store(url) as store:
        said = [(message.role, message.content) for message in await Thread(store, "room-7").messages()]
    assert said == [
        (Role.USER, "Hello"),
        (Role.ASSISTANT, "1 items"),
        (Role.USER, "Hello"),
        (Role.ASSISTANT, "3 items"),
    ]


@on_loop
async def test_an_agent_of_pydantic_ai_remembers_over_two_runs(url: str) -> None:
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
            await remember(room, result.new_messages())
            outputs.append(result.output)
            assert await history_of(room) == result.all_messages()
    assert outputs == ["after 3", "after 7"]
