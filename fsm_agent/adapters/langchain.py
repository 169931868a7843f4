"""A chat message history of LangChain (``pip install langchain-core``) that is kept in a thread.

    history = ThreadHistory(open_store("sqlite:///agents.db"), "room-7")
    chain = RunnableWithMessageHistory(runnable, lambda session_id: ThreadHistory(store, session_id))

LangChain calls it from any thread and any loop: the store is spoken to on a loop of its own, in a thread that all
histories of a store share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)

from fsm_agent.jsontypes import Json
from fsm_agent.message import Message, Role
from fsm_agent.stores.base import Store
from fsm_agent.sync import Portal
from fsm_agent.threads import Thread

Result = TypeVar("Result")

#: the type of the part that holds a message which ours cannot say in plain words
THEIRS: Final = "langchain"

#: a store belongs to one loop
_PORTALS: Final[WeakKeyDictionary[Store, Portal]] = WeakKeyDictionary()


class ThreadHistory(BaseChatMessageHistory):
    """The messages of one thread; ``session_id`` is its name. The store is to be used for nothing else."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._thread = Thread(store, session_id)
        self._portal = _portal_of(store)

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]  # as its other implementations do
        """All of them, in order."""
        return [_theirs(message) for message in self._portal.call(self._thread.messages())]

    async def aget_messages(self) -> list[BaseMessage]:
        return [_theirs(message) for message in await self._there(self._thread.messages())]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add all of them, or none."""
        self._portal.call(self._thread.add(_ours(messages)))

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        await self._there(self._thread.add(_ours(messages)))

    def clear(self) -> None:
        """Take all messages back."""
        self._portal.call(self._thread.clear())

    async def aclear(self) -> None:
        await self._there(self._thread.clear())

    async def _there(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(self._portal.begin(work))


def _portal_of(store: Store) -> Portal:
    portal = _PORTALS.get(store)
    if portal is None:
        portal = _PORTALS[store] = Portal()
    return portal


def close(store: Store) -> None:
    """Close a store that histories have used, and end its thread."""
    portal = _PORTALS.pop(store, None)
    if portal is not None:
        portal.call(store.close())
        portal.close()


def _ours(messages: Iterable[BaseMessage]) -> list[Message]:
    return [_our(message) for message in messages]


def _our(message: BaseMessage) -> Message:
    """Said in plain words as far as those go; what they leave out stands beside them, whole."""
    plain = _plain(message)
    whole = message_to_dict(message)
    if message_to_dict(_said(plain)) == whole:
        return plain
    return plain._replace(parts=(*plain.parts, {"type": THEIRS, "message": whole}))


def _plain(message: BaseMessage) -> Message:
    text, name = message.text if isinstance(message.content, list) else message.content, message.name
    match message:
        case ToolMessage():
            result: dict[str, Json] = {
                "type": "tool_result",
                "id": message.tool_call_id,
                "name": name or "",
                "content": str(text),
            }
            return Message(Role.TOOL, "", (result,))
        case AIMessage():
            calls = tuple(_call(call) for call in message.tool_calls)
            return Message(Role.ASSISTANT, str(text), calls)
        case SystemMessage():
            return Message(Role.SYSTEM, str(text))
        case _:
            return Message(Role.USER, str(text), by=name)


def _call(call: Mapping[str, Any]) -> dict[str, Json]:
    return {"type": "tool_call", "id": call["id"] or "", "name": call["name"], "arguments": call["args"]}


def _theirs(message: Message) -> BaseMessage:
    """The message as it was handed over; one that others have said in plain words."""
    whole = next((part["message"] for part in message.parts if part.get("type") == THEIRS), None)
    return _said(message) if whole is None else messages_from_dict([dict(whole)])[0]


def _said(message: Message) -> BaseMessage:
    match message.role:
        case Role.USER:
            return HumanMessage(message.content, name=message.by)
        case Role.ASSISTANT:
            calls = [part for part in message.parts if part.get("type") == "tool_call"]
            named = [{"id": part["id"], "name": part["name"], "args": part["arguments"]} for part in calls]
            return AIMessage(message.content, tool_calls=named)
        case Role.TOOL:
            result = next((part for part in message.parts if part.get("type") == "tool_result"), {})
            content = str(result.get("content", message.content))
            return ToolMessage(content, tool_call_id=str(result.get("id", "")), name=result.get("name") or None)
        case _:
            return SystemMessage(message.content)
