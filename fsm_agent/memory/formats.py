"""Messages as others write them: the JSON of chat completions, there and back.

    ours                               theirs
    content, other parts               content: a string, or a list that begins with it
    tool_call {id, name, arguments}    tool_calls [{id, type: function, function: {name, arguments: as a string}}]
    tool_result {id, name, content}    a message of its own: role tool, tool_call_id, name
    by                                 name
    a summary                          a system message whose name is summary

What that has no place for stands under ``fsm_agent`` in the same object, so that nothing is lost on the way back;
``bare`` leaves it out, for those who only read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fsm_agent.data.delta import own
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import PRIVATE_PARTS, Message, Role
from fsm_agent.domain.step import LATEST_MS
from fsm_agent.domain.text import listed, shortened
from fsm_agent.errors import DataInvalid, MessagesInvalid

#: where our own words stand
OURS: Final = "fsm_agent"
#: there, of an object that belongs to the message of the one before it
_CONTINUES: Final = "continues"
_TIES: Final = ("tool_call", "tool_result")
_THEIR_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
_KEYS: Final = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", OURS})


class _Bad(Exception):
    """``where`` is the place inside of one object."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} {why}")


def to_openai(messages: Iterable[Message], *, bare: bool = False) -> list[dict[str, Json]]:
    """One object a message; more where one message holds the results of several tools."""
    written: list[dict[str, Json]] = []
    for message in messages:
        items = _written(message)
        if not bare:
            lost = _lost(message, items[0])
            items[0].update({OURS: lost} if lost else {})
            for item in items[1:]:
                item[OURS] = {_CONTINUES: True}
        written += items
    return written


def from_openai(items: Sequence[Json]) -> list[Message]:
    """Messages to be kept. Raises ``MessagesInvalid`` with every mistake and the index of its object."""
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise MessagesInvalid([f"a list of messages is needed, not {shortened(items)}"])
    messages: list[Message] = []
    problems: list[str] = []
    for index, item in enumerate(items):
        try:
            message = _read(item)
        except _Bad as bad:
            problems.append(f"[{index}]{bad}")
        else:
            messages += [message] if message else []
    if problems:
        raise MessagesInvalid(problems)
    return messages


def renumbered(messages: Iterable[Message], *, after: int = 0) -> list[Message]:
    """Numbered as a thread will number them whose last number is ``after``; summaries still stand for the same."""
    found: list[Message] = []
    new: dict[int, int] = {}
    for number, message in enumerate(messages, start=after + 1):
        if message.number:
            new[message.number] = number
        covers = max((kept for old, kept in new.items() if old <= message.covers), default=0) if message.covers else 0
        found.append(message._replace(number=number, covers=covers))
    return found


def _written(message: Message) -> list[dict[str, Json]]:
    calls = [part for part in message.parts if part["type"] == "tool_call"]
    results = [part for part in message.parts if part["type"] == "tool_result"]
    others = [dict(part) for part in message.parts if part["type"] not in _TIES and part["type"] not in PRIVATE_PARTS]
    items = [_result(part) for part in results]
    if message.content or calls or others or not results:
        items.append(_main(message, calls, others))
    return items


def _main(message: Message, calls: Sequence[Mapping[str, Json]], others: list[Json]) -> dict[str, Json]:
    is_summary = message.role is Role.SUMMARY
    item: dict[str, Json] = {"role": "system" if is_summary else str(message.role), "content": message.content}
    if others:
        is_text = not message.content and not _is_plain_text(others[0])
        item["content"] = others if is_text else [{"type": "text", "text": message.content}, *others]
    if calls:
        item["content"] = item["content"] or None
        item["tool_calls"] = [_call(part) for part in calls]
    if message.role is Role.TOOL:
        item["tool_call_id"] = ""
    if name := "summary" if is_summary else message.by:
        item["name"] = name
    return item


def _call(part: Mapping[str, Json]) -> dict[str, Json]:
    arguments = part.get("arguments", {})
    text = arguments if isinstance(arguments, str) else _as_text(arguments)
    return {"id": part["id"], "type": "function", "function": {"name": str(part.get("name", "")), "arguments": text}}


def _result(part: Mapping[str, Json]) -> dict[str, Json]:
    content = part.get("content", "")
    item = {"role": "tool", "content": content if isinstance(content, str) else _as_text(content)}
    item |= {"name": part["name"]} if isinstance(part.get("name"), str) else {}
    return {**item, "tool_call_id": part["id"]}


def _as_text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_plain_text(part: Mapping[str, Json]) -> bool:
    return part.keys() == {"type", "text"} and part["type"] == "text" and isinstance(part["text"], str)


def _lost(message: Message, item: Mapping[str, Json]) -> dict[str, Json]:
    """The parts that would be read otherwise than they are."""
    read = _standard(item)
    fields = {name: mine for name, mine in message._asdict().items() if mine != getattr(read, name)}
    if "role" in fields:
        fields["role"] = str(message.role)
    if "parts" in fields:
        fields["parts"] = [dict(part) for part in message.parts]
    return fields


def _read(item: Json) -> Message | None:
    """The message of one object; ``None`` if it belongs to the one before."""
    if not isinstance(item, Mapping):
        raise _Bad("", f"must be an object, not {shortened(item)}")
    if odd := sorted(str(key) for key, value in item.items() if key not in _KEYS and value not in (None, [], {})):
        raise _Bad("", f"has {listed(odd)}, for which there is no place; there are {listed(sorted(_KEYS))}")
    ours = item.get(OURS) or {}
    if not isinstance(ours, Mapping):
        raise _Bad(f".{OURS}", f"must be an object, not {shortened(ours)}")
    if ours.get(_CONTINUES):
        return None
    message = _standard(item)
    for name, value in ours.items():
        message = message._replace(**{name: _field(name, value)})
    try:
        own([message.content, message.by, list(message.parts)], "content")
    except DataInvalid as error:
        raise _Bad("", f"cannot be kept: {'; '.join(error.problems)}") from None
    return message


def _field(name: str, value: Json) -> Any:
    """A field of ours."""
    where = f".{OURS}.{name}"
    match name, value:
        case "role", str() if value in list(Role):
            return Role(value)
        case "parts", list() if all(_is_part(part) for part in value):
            return tuple(value)
        case "content", str():
            return value
        case "by", str() | None:
            return value
        case "at_ms", int() if value > LATEST_MS:
            raise _Bad(where, "is later than the year 9999")
        case (("tokens" | "at_ms" | "covers" | "number"), int()) if not isinstance(value, bool) and value >= 0:
            return value
        case _ if name in Message._fields:
            raise _Bad(where, f"cannot be {shortened(value)}")
    raise _Bad(where, f"is unknown; there are {listed(Message._fields)}")


def _is_part(part: Json) -> bool:
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        return False
    return part["type"] not in _TIES or isinstance(part.get("id"), str)


def _standard(item: Mapping[str, Json]) -> Message:
    """What an object says without our words."""
    role = item.get("role")
    if not isinstance(role, str) or role not in _THEIR_ROLES:
        raise _Bad(".role", f"cannot be {shortened(role)}; there are {listed(_THEIR_ROLES)}")
    name = item.get("name")
    if not (name is None or isinstance(name, str)):
        raise _Bad(".name", f"must be a string, not {shortened(name)}")
    content, others = _content(item.get("content"))
    if role == "tool":
        return Message(Role.TOOL, parts=(_tool_result(item, name, content, others),))
    calls = item.get("tool_calls") or []
    if not isinstance(calls, list):
        raise _Bad(".tool_calls", f"must be a list, not {shortened(calls)}")
    called = [_tool_call(call, f".tool_calls[{index}]") for index, call in enumerate(calls)]
    return Message(_THEIR_ROLES[role], content, (*others, *called), by=name)


def _content(content: Json) -> tuple[str, list[Json]]:
    """The text, and what else there is."""
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise _Bad(".content", f"must be a string or a list of parts, not {shortened(content)}")
    for index, part in enumerate(content):
        if not _is_part(part) or part["type"] in _TIES:
            raise _Bad(f".content[{index}]", f"must be an object with a `type`, not {shortened(part)}")
    if content and _is_plain_text(content[0]):
        return content[0]["text"], content[1:]
    return "", content


def _tool_result(item: Mapping[str, Json], name: str | None, content: str, others: list[Json]) -> dict[str, Json]:
    call = item.get("tool_call_id")
    if not isinstance(call, str):
        raise _Bad(".tool_call_id", f"must be a string, not {shortened(call)}")
    part = {"type": "tool_result", "id": call} | ({} if name is None else {"name": name})
    return {**part, "content": item["content"] if others else content}


def _tool_call(call: Json, where: str) -> dict[str, Json]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or call.get("type", "function") != "function":
        raise _Bad(where, f"must be {{id, type: function, function: {{name, arguments}}}}, not {shortened(call)}")
    texts = {"id": call.get("id"), "name": function.get("name"), "arguments": function.get("arguments")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise _Bad(f"{where}.{key}", f"must be a string, not {shortened(value)}")
    return {"type": "tool_call", **texts, "arguments": _arguments(str(texts["arguments"]))}


def _arguments(text: str) -> Json:
    """An object if that is what a model has written; else its words."""
    try:
        arguments = own(json.loads(text))
    except (ValueError, DataInvalid, RecursionError):
        return text
    return arguments if isinstance(arguments, dict) else text
