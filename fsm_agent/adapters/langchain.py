"""A chat message history of LangChain (``pip install 'fsm-agent[langchain]'``) that is kept in a shared thread.

    with sync.Runner(open_store("sqlite:///agents.db")) as runner:
        chain = RunnableWithMessageHistory(model, lambda session_id: ThreadHistory(runner.thread(session_id)))

What a message says in plain words (its role, text, calls, results) is said in ours, so that agents and other libraries
read it. What theirs hold beyond it stands in one more part, ``{"type": "langchain", "fields": {...}}``: it is not lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

try:
    from langchain_core.chat_history import BaseChatMessageHistory
    from langchain_core.messages import (
        AIMessage,
        BaseMessage,
        BaseMessageChunk,
        HumanMessage,
        SystemMessage,
        ToolMessage,
        message_chunk_to_message,
        messages_from_dict,
    )
except ImportError:
    raise ImportError(
        "fsm_agent.adapters.langchain needs a library that is not installed: pip install 'fsm-agent[langchain]'"
    ) from None

from fsm_agent import sync
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, Role
from fsm_agent.domain.text import listed
from fsm_agent.errors import ActionError
from fsm_agent.memory.threads import Thread

#: the type of the part that holds what is theirs alone
THEIRS: Final = "langchain"
_ROLES: Final[Mapping[str, Role]] = {
    "human": Role.USER,
    "ai": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "tool": Role.TOOL,
    "chat": Role.USER,
    "function": Role.USER,
}
_TIES: Final = ("tool_call", "tool_result")
#: blocks of a content that are no words, and that other libraries know
_MEDIA: Final = ("image_url", "image", "input_audio", "audio", "file", "video")


class ThreadHistory(BaseChatMessageHistory):
    """The messages of a thread. Over a thread of ``fsm_agent.sync`` it serves blocking and async code; over one of
    ``fsm_agent``, the async code of the loop that its store lives on.

    With ``max_tokens`` no more is shown than that, as in ``Thread.window``. ``by`` is whose words a person's are, so
    that they can be forgotten.
    """

    def __init__(self, thread: Thread | sync.Thread, *, max_tokens: int | None = None, by: str | None = None) -> None:
        super().__init__()
        self._thread = thread
        self._max_tokens = max_tokens
        self._by = by

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # a property too in each that reads something
        """What is kept, in order; all of it without summaries, since what they stand for is there."""
        thread = self._blocking()
        if self._max_tokens is None:
            return _whole(thread.messages())
        return shown(thread.window(self._max_tokens))

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add all of them, or none. Raises ``ActionError`` for what no JSON can hold."""
        self._blocking().add(self._kept(messages))

    def clear(self) -> None:
        """Take all messages back."""
        self._blocking().clear()

    async def aget_messages(self) -> list[BaseMessage]:
        """Like ``messages``."""
        if isinstance(self._thread, sync.Thread):
            return await super().aget_messages()
        if self._max_tokens is None:
            return _whole(await self._thread.messages())
        return shown(await self._thread.window(self._max_tokens))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Like ``add_messages``."""
        if isinstance(self._thread, sync.Thread):
            await super().aadd_messages(messages)
        else:
            await self._thread.add(self._kept(messages))

    async def aclear(self) -> None:
        """Like ``clear``."""
        if isinstance(self._thread, sync.Thread):
            await super().aclear()
        else:
            await self._thread.clear()

    def _blocking(self) -> sync.Thread:
        if isinstance(self._thread, sync.Thread):
            return self._thread
        raise RuntimeError(
            f"thread {self._thread.name!r} is read by async code only, as in `chain.ainvoke`; for blocking code, give "
            "the history a thread of fsm_agent.sync: `runner.thread(name)`"
        )

    def _kept(self, messages: Iterable[BaseMessage]) -> list[Message]:
        return [kept(message, by=self._by) for message in messages]


def kept(message: BaseMessage, *, by: str | None = None) -> Message:
    """A message as it is kept; ``shown`` gives the same one. A chunk is kept as the message that it is part of."""
    whole = message_chunk_to_message(message) if isinstance(message, BaseMessageChunk) else message
    if whole.type not in _ROLES:
        raise ActionError(f"a thread has no place for a message of type {whole.type!r}; there are {listed(_ROLES)}")
    theirs, plain = whole.model_dump(), _plain(whole, by)
    given = _built(plain).model_dump()
    beyond = {name: value for name, value in theirs.items() if name not in given or given[name] != value}
    if not beyond:
        return plain
    fields = theirs if theirs["type"] != given["type"] else beyond
    return plain._replace(parts=(*plain.parts, {"type": THEIRS, "fields": fields}))


def shown(messages: Iterable[Message]) -> list[BaseMessage]:
    """Messages as LangChain has them, whoever has said them: one each, but for several results of tools in one."""
    return [each for message in messages if message.tells(THEIRS) for each in _shown(message)]


def _whole(messages: Iterable[Message]) -> list[BaseMessage]:
    return shown(message for message in messages if message.role is not Role.SUMMARY)


def _shown(message: Message) -> Iterator[BaseMessage]:
    theirs = next((part["fields"] for part in message.parts if part["type"] == THEIRS), None)
    if theirs is not None:
        yield _revived(_built(message), theirs)
        return
    results = [part for part in message.parts if part["type"] == "tool_result"]
    yield from (_built(message._replace(content="", parts=(part,))) for part in results)
    rest = tuple(part for part in message.parts if part["type"] not in PRIVATE_PARTS and part not in results)
    if message.content or rest or not results:
        yield _built(message._replace(role=Role.USER if results else message.role, parts=rest))


def _revived(built: BaseMessage, theirs: Mapping[str, Json]) -> BaseMessage:
    """The message with what is theirs; without it where the library has forgotten what it meant."""
    fields = dict(theirs) if "type" in theirs else {**built.model_dump(), **theirs}
    try:
        return messages_from_dict([{"type": fields["type"], "data": fields}])[0]
    except (TypeError, ValueError):
        return built


def _plain(message: BaseMessage, by: str | None) -> Message:
    """The message in the plain words that every adapter understands."""
    role, content, name = _ROLES[message.type], message.content, message.name
    text = content if isinstance(content, str) else "".join(_texts(content))
    if isinstance(message, ToolMessage):
        result: dict[str, Json] = {
            "type": "tool_result",
            "id": message.tool_call_id,
            "name": name or "",
            "content": content,
        }
        return Message(role, "", ({**result, "is_error": True} if message.status == "error" else result,))
    parts = [block for block in content if isinstance(block, dict) and block.get("type") in _MEDIA]
    if isinstance(message, AIMessage):
        called = [*message.tool_calls, *message.invalid_tool_calls]
        parts += [_call(call) for call in called]
    return Message(role, text, tuple(parts), by=name or (by if role is Role.USER else None))


def _texts(content: Sequence[str | Mapping[str, Any]]) -> Iterator[str]:
    for block in content:
        if isinstance(block, str):
            yield block
        elif block.get("type") == "text":
            yield str(block.get("text") or "")


def _call(call: Mapping[str, Any]) -> dict[str, Json]:
    """The tool that a model has called; arguments that are no JSON stay text."""
    return {"type": "tool_call", "id": call["id"] or "", "name": call["name"] or "", "arguments": call["args"]}


def _built(message: Message) -> BaseMessage:
    """A message that says the plain words of ours, and no more."""
    others = [dict(part) for part in message.parts if part["type"] not in (*_TIES, *PRIVATE_PARTS)]
    said = [{"type": "text", "text": message.content}] if message.content else []
    content: Any = [*said, *others] if others else message.content
    match message.role:
        case Role.ASSISTANT:
            return _spoken(content, message)
        case Role.TOOL:
            return _returned(message)
        case Role.SYSTEM:
            return SystemMessage(content, name=message.by)
        case Role.SUMMARY:
            return SystemMessage(content, name="summary")
        case _:
            return HumanMessage(content, name=message.by)


def _spoken(content: Any, message: Message) -> AIMessage:
    calls = [part for part in message.parts if part["type"] == "tool_call"]
    named = [{"id": part["id"], "name": part.get("name", ""), "args": part.get("arguments", {})} for part in calls]
    return AIMessage(
        content,
        name=message.by,
        tool_calls=[call for call in named if isinstance(call["args"], dict)],
        invalid_tool_calls=[{**call, "error": None} for call in named if not isinstance(call["args"], dict)],
    )


def _returned(message: Message) -> ToolMessage:
    result: Mapping[str, Json] = next((part for part in message.parts if part["type"] == "tool_result"), {})
    content = result.get("content", message.content)
    if not (
        isinstance(content, str)
        or (isinstance(content, list) and all(isinstance(each, str | dict) for each in content))
    ):
        content = json.dumps(content, ensure_ascii=False)
    return ToolMessage(
        content,
        tool_call_id=str(result.get("id", "")),
        name=result.get("name") or None,
        status="error" if result.get("is_error") else "success",
    )
