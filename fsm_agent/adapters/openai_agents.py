"""A ``Session`` of the OpenAI Agents SDK (``pip install openai-agents``) that is kept in a thread.

    session = ThreadSession(open_store("sqlite:///agents.db"), "room-7")
    await agents.Runner.run(agent, "Hello", session=session)

What the SDK hands over is kept whole: a plain message as a message of ours, whatever else beside words that our agents
can read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fsm_agent.jsontypes import Json
from fsm_agent.message import Message, Role
from fsm_agent.stores.base import Store
from fsm_agent.threads import Thread

if TYPE_CHECKING:
    from agents.items import TResponseInputItem
    from agents.memory import SessionSettings

#: the type of the part that holds an item which is more than a plain message
THEIRS: Final = "openai_agents"
_ROLES: Final[Mapping[str, Role]] = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}
_PLAIN: Final = {"role", "content"}


class ThreadSession:
    """Satisfies ``agents.memory.Session``; ``session_id`` is the name of the thread."""

    def __init__(self, store: Store, session_id: str, *, session_settings: SessionSettings | None = None) -> None:
        self.session_id = session_id
        self.session_settings = session_settings
        self._thread = Thread(store, session_id)

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The items in order; of many the last ones."""
        most = limit if limit is not None else getattr(self.session_settings, "limit", None)
        return [_item(message) for message in await self._thread.messages(last=most)]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add all of them, or none."""
        await self._thread.add([_message(dict(item)) for item in items])

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the last item back."""
        message = await self._thread.pop()
        return None if message is None else _item(message)

    async def clear_session(self) -> None:
        """Take all items back."""
        await self._thread.clear()


def _message(item: dict[str, Any]) -> Message:
    role, content = _ROLES.get(item.get("role", "")), item.get("content")
    if role is not None and item.keys() == _PLAIN and item["role"] == role and isinstance(content, str):
        return Message(role, content)
    whole: dict[str, Json] = {"type": THEIRS, "item": item}
    match item.get("type"):
        case "function_call":
            call = {"type": "tool_call", "id": item["call_id"], "name": item["name"], "arguments": _read(item)}
            return Message(Role.ASSISTANT, "", (call, whole))
        case "function_call_output":
            output = item["output"] if isinstance(item["output"], str) else json.dumps(item["output"])
            result = {"type": "tool_result", "id": item["call_id"], "name": "", "content": output}
            return Message(Role.TOOL, "", (result, whole))
    return Message(role or Role.ASSISTANT, _words(content), (whole,))


def _item(message: Message) -> Any:
    """The item that a message was made of; one that others have said is a plain one."""
    theirs = next((part["item"] for part in message.parts if part.get("type") == THEIRS), None)
    if theirs is not None:
        return dict(theirs)
    role = message.role if message.role in (Role.USER, Role.ASSISTANT, Role.SYSTEM) else Role.SYSTEM
    return {"role": str(role), "content": message.content}


def _read(item: Mapping[str, Any]) -> Json:
    try:
        return json.loads(item["arguments"] or "{}")
    except ValueError:
        return item["arguments"]


def _words(content: Any) -> str:
    """The words in a content of several parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
