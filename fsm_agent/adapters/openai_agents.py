"""A ``Session`` of the OpenAI Agents SDK (``pip install openai-agents``) that is kept in a shared thread.

    session = ThreadSession(Thread(store, "room-7"))
    await agents.Runner.run(agent, "Hello", session=session)

What an item says in plain words (its role, text, calls, results) is said in ours, so that agents and other libraries
read it. An item that is more than that is kept whole beside them, ``{"type": "openai_agents", "item": {...}}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, Role
from fsm_agent.memory.threads import Thread

if TYPE_CHECKING:
    from agents.items import TResponseInputItem
    from agents.memory import SessionSettings

#: the type of the part that holds an item which is more than plain words
THEIRS: Final = "openai_agents"
_ROLES: Final[Mapping[str, Role]] = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}


class ThreadSession:
    """Satisfies ``agents.memory.Session``; ``session_id`` is the name of the thread. ``by`` is whose words a person's
    are, so that they can be forgotten."""

    def __init__(
        self, thread: Thread, *, session_settings: SessionSettings | None = None, by: str | None = None
    ) -> None:
        self.session_id = thread.name
        self.session_settings = session_settings
        self._thread = thread
        self._by = by

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The items in order; of many the last ones. Summaries are none: what they stand for is there."""
        most = limit if limit is not None else getattr(self.session_settings, "limit", None)
        found: list[Any] = [item for message in await self._thread.messages(last=most) for item in shown(message)]
        return found if most is None else found[max(len(found) - most, 0) :]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add all of them, or none. Raises ``ActionError`` for what no JSON can hold."""
        await self._thread.add([kept(item, by=self._by) for item in items])

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the last item back, and with it what else was said in the same message."""
        while message := await self._thread.pop():
            if items := shown(message):
                return cast("TResponseInputItem", items[-1])
        return None

    async def clear_session(self) -> None:
        """Take all items back."""
        await self._thread.clear()


def kept(item: Mapping[str, Any], *, by: str | None = None) -> Message:
    """An item as it is kept; ``shown`` gives the same one."""
    plain = _plain(item, by)
    if shown(plain) == [item]:
        return plain
    return plain._replace(parts=(*plain.parts, {"type": THEIRS, "item": item}))


def shown(message: Message) -> list[dict[str, Json]]:
    """The items of a message, whoever has said it."""
    theirs = [dict(part["item"]) for part in message.parts if part["type"] == THEIRS]
    return theirs or list(_built(message))


def _plain(item: Mapping[str, Any], by: str | None) -> Message:
    """What everybody understands of it: of reasoning, say, nothing."""
    match item:
        case {"role": str(role)} if role in _ROLES and item.get("type", "message") == "message":
            return Message(_ROLES[role], _text(item.get("content")), by=by if role == "user" else None)
        case {"type": "function_call", "call_id": str(call_id), "name": str(name), "arguments": str(text)}:
            call = {"type": "tool_call", "id": call_id, "name": name, "arguments": _arguments(text)}
            return Message(Role.ASSISTANT, "", (call,))
        case {"type": "function_call_output", "call_id": str(call_id), "output": output}:
            return Message(Role.TOOL, "", ({"type": "tool_result", "id": call_id, "name": "", "content": output},))
    return Message(Role.ASSISTANT)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))


def _arguments(text: str) -> Json:
    """An object if that is what a model has written; else its words."""
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return arguments if isinstance(arguments, dict) else text


def _built(message: Message) -> Iterator[dict[str, Json]]:
    """The items that say the plain words of ours."""
    ties = {part["type"]: part for part in message.parts}
    others = [part for part in message.parts if part["type"] not in PRIVATE_PARTS]
    for part in others:
        if part["type"] == "tool_result":
            yield {"type": "function_call_output", "call_id": part["id"], "output": _output(part.get("content", ""))}
    if message.role is not Role.SUMMARY and (message.content or not ties):
        role = "user" if message.role is Role.TOOL else str(message.role)
        yield {"role": role, "content": _content(message.content, others)}
    for part in others:
        if part["type"] == "tool_call":
            arguments = part.get("arguments", {})
            text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
            name = str(part.get("name", ""))
            yield {"type": "function_call", "call_id": part["id"], "name": name, "arguments": text}


def _output(content: Json) -> Json:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _content(text: str, parts: Sequence[Mapping[str, Json]]) -> Json:
    """The words, and the pictures that chat completions would show with them."""
    pictures: list[Json] = [
        {"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"}
        for part in parts
        if part["type"] == "image_url" and isinstance(part.get("image_url"), Mapping) and "url" in part["image_url"]
    ]
    return [{"type": "input_text", "text": text}, *pictures] if pictures else text
