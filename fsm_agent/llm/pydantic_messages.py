"""Our messages as those of pydantic-ai, and theirs as ours: nothing is lost either way.

What a message of ours says in plain words (its role, its text, its calls and their results) is said once. What theirs
hold beyond it stands in one more part, ``{"type": "pydantic_ai", ...}``: the differences from what the plain words
give, and parts of other kinds as they are. The other way round, what ours hold beyond theirs stands in ``metadata``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role
from fsm_agent.llm.types import arguments_of

#: the type of the part that holds what is theirs alone
THEIRS: Final = "pydantic_ai"
#: the key in ``metadata`` of what is ours alone
OURS: Final = "fsm_agent"
SUMMARY: Final = "What was said before, in short:\n"

#: what tells a provider that a part of a response is its own, so that it takes it back
_PROVENANCE: Final = ("provider_name", "provider_url", "canonical_system")
_ROLES: Final[Mapping[str, Role]] = {
    "system-prompt": Role.SYSTEM,
    "user-prompt": Role.USER,
    "tool-return": Role.TOOL,
}


def to_messages(history: Sequence[ModelMessage]) -> tuple[Message, ...]:
    """A history of pydantic-ai as messages of ours; ``from_messages`` gives the same history."""
    return tuple(message for each in history for message in _imported(each))


def from_messages(messages: Iterable[Message]) -> list[ModelMessage]:
    """Messages as a history of pydantic-ai, to be kept or shown; ``to_messages`` gives the same messages, but for
    their numbers, which are a thread's to give.

    To be sent, a history must also be in order: that is ``to_request``.
    """
    history: list[ModelMessage] = []
    for message in messages:
        piece = _piece(message)
        last = history[-1] if history else None
        if piece is not None and piece.get("joined") and isinstance(last, ModelRequest):
            last.parts = [*last.parts, *request_parts(message)]
        else:
            history.append(_exported(message))
    return history


def message_of(response: ModelResponse) -> Message:
    """A response as the message that goes into a conversation: what the next request must repeat, and no more."""
    dumped = _dumped(response)
    message = _of_response(dumped)
    entries = _entries(dumped["parts"], _plain(message)["parts"])
    for entry in entries:
        entry.pop("args", None)
    if any(entry.keys() != {"kind"} for entry in entries) or _is_reordered(entries):
        fields = {name: dumped[name] for name in _PROVENANCE if dumped.get(name) is not None}
        message = _with_piece(message, entries, fields, is_joined=False)
    return message._replace(at_ms=0)


def response_parts(message: Message) -> Sequence[ModelResponsePart]:
    """The parts of a response that a message of the assistant is."""
    revived = _revived(message)
    return revived.parts if isinstance(revived, ModelResponse) else ()


def request_parts(message: Message) -> Sequence[ModelRequestPart]:
    """The parts of a request that a message of anybody else is."""
    revived = _revived(message)
    return revived.parts if isinstance(revived, ModelRequest) else ()


def provenance(message: Message) -> Mapping[str, Json]:
    """Which provider a response came from, where it is known and matters."""
    fields: Mapping[str, Json] = (_piece(message) or {}).get("fields", {})
    return {name: fields[name] for name in _PROVENANCE if name in fields}


def _imported(theirs: ModelMessage) -> Iterator[Message]:
    dumped = _dumped(theirs)
    ours = (dumped.get("metadata") or {}).get(OURS)
    if ours is not None:
        dumped["metadata"] = {name: value for name, value in dumped["metadata"].items() if name != OURS} or None
        if ours.get("is_whole"):
            yield _restored(Message(Role.USER), ours)
            return
    if dumped["kind"] == "response":
        groups = [(_of_response(dumped), dumped["parts"])]
    else:
        groups = [(_of_request(parts), parts) for parts in _grouped(dumped["parts"])] or [(Message(Role.USER), [])]
    for index, (message, parts) in enumerate(groups):
        plain = _plain(message)
        entries = _entries(parts, plain["parts"])
        fields = {} if index else {k: v for k, v in dumped.items() if k != "parts" and v != plain.get(k)}
        is_plain = len(entries) == len(plain["parts"]) and all(entry.keys() == {"kind"} for entry in entries)
        is_all = is_plain and not index and not fields
        whole = message if is_all else _with_piece(message, entries, fields, is_joined=bool(index))
        yield _restored(whole, ours) if ours is not None and not index else whole


def _exported(message: Message) -> ModelMessage:
    exported = _revived(message)
    again, *others = _imported(exported)
    if others:
        again = Message(Role.USER)
    beyond = {name: value for name, value in message._asdict().items() if value != getattr(again, name)}
    beyond.pop("number", None)
    if "parts" in beyond:
        beyond["parts"] = [dict(part) for part in message.parts]
    if beyond:
        exported.metadata = {**(exported.metadata or {}), OURS: {**beyond, **({"is_whole": True} if others else {})}}
    return exported


def _restored(message: Message, ours: Mapping[str, Json]) -> Message:
    known = {name: value for name, value in ours.items() if name in Message._fields}
    if "role" in known:
        known["role"] = Role(known["role"])
    if "parts" in known:
        known["parts"] = tuple(known["parts"])
    return message._replace(**known)


def _of_response(dumped: Mapping[str, Json]) -> Message:
    texts = [part["content"] for part in dumped["parts"] if part["part_kind"] == "text"]
    calls = tuple(
        {
            "type": "tool_call",
            "id": part["tool_call_id"],
            "name": part["tool_name"],
            "arguments": arguments_of(part["args"]),
        }
        for part in dumped["parts"]
        if part["part_kind"] == "tool-call"
    )
    return Message(Role.ASSISTANT, "".join(texts), calls, at_ms=_ms(dumped["timestamp"]))


def _grouped(parts: Iterable[Json]) -> Iterator[list[Json]]:
    """A message for each part, but for results of tools that came together."""
    group: list[Json] = []
    for part in parts:
        if group and not (part["part_kind"] == "tool-return" == group[-1]["part_kind"]):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _of_request(parts: Sequence[Json]) -> Message:
    first = parts[0]
    role = _ROLES.get(first["part_kind"], Role.USER)
    at_ms = _ms(first.get("timestamp"))
    if role is not Role.TOOL:
        said = first.get("content") if first["part_kind"] in _ROLES else ""
        texts = [said] if isinstance(said, str) else [each for each in said or () if isinstance(each, str)]
        return Message(role, "\n".join(texts), at_ms=at_ms)
    results = tuple(
        {
            "type": "tool_result",
            "id": part["tool_call_id"],
            "name": part["tool_name"],
            "content": part["content"],
            "is_error": part["outcome"] not in {"success", "denied"},
        }
        for part in parts
    )
    return Message(role, parts=results, at_ms=at_ms)


def _with_piece(message: Message, entries: Sequence[Json], fields: Mapping[str, Json], *, is_joined: bool) -> Message:
    piece: dict[str, Json] = {"type": THEIRS, "parts": list(entries), "fields": dict(fields)}
    if is_joined:
        piece["joined"] = True
    return message._replace(parts=(*message.parts, piece))


def _piece(message: Message) -> Mapping[str, Json] | None:
    return next((part for part in message.parts if part.get("type") == THEIRS), None)


def _entries(parts: Sequence[Json], plain: Sequence[Json]) -> list[dict[str, Json]]:
    """How each part differs from the plain part of its kind that follows; the part itself where none follows."""
    left = list(plain)
    entries: list[dict[str, Json]] = []
    for part in parts:
        match = next((each for each in left if each["part_kind"] == part["part_kind"]), None)
        if match is None:
            entries.append({"verbatim": part})
            continue
        left.remove(match)
        differing = {name: value for name, value in part.items() if name not in match or value != match[name]}
        entries.append({"kind": part["part_kind"], **differing})
    return entries


def _is_reordered(entries: Sequence[Mapping[str, Json]]) -> bool:
    kinds = [entry["kind"] for entry in entries]
    return kinds != sorted(kinds)  # text, then tool-call


def _revived(message: Message) -> ModelMessage:
    """The message with what is theirs; without it where the library has forgotten what it meant."""
    built, piece = _built(message), _piece(message)
    if piece is None:
        return built
    plain = _dumped(built)
    left = list(plain["parts"])
    parts = [_part(entry, left) for entry in piece["parts"]]
    whole = {**plain, **piece["fields"], "parts": [each for each in parts if each is not None]}
    try:
        return ModelMessagesTypeAdapter.validate_python([whole])[0]
    except ValidationError:
        return built


def _part(entry: Mapping[str, Json], left: list[Json]) -> Json:
    if "verbatim" in entry:
        return entry["verbatim"]
    match = next((each for each in left if each["part_kind"] == entry["kind"]), None)
    if match is None:
        return None
    left.remove(match)
    return {**match, **{name: value for name, value in entry.items() if name != "kind"}}


def _plain(message: Message) -> dict[str, Json]:
    """What the plain words of a message give, as it is dumped."""
    return _dumped(_built(message))


def _built(message: Message) -> ModelMessage:
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=message.at_ms)
    if message.role is not Role.ASSISTANT:
        return ModelRequest(list(_asked(message, at)))
    said: list[ModelResponsePart] = [TextPart(message.content)] if message.content else []
    said += [
        ToolCallPart(str(part.get("name", "")), part.get("arguments", {}), str(part["id"]))
        for part in message.parts
        if part.get("type") == "tool_call"
    ]
    return ModelResponse(said, timestamp=at)


def _asked(message: Message, at: datetime) -> Iterator[ModelRequestPart]:
    for part in message.parts:
        if part.get("type") == "tool_result":
            outcome: Any = "failed" if part.get("is_error") else "success"
            yield ToolReturnPart(
                str(part.get("name", "")), part.get("content", ""), str(part["id"]), timestamp=at, outcome=outcome
            )
    if message.role is Role.SYSTEM:
        yield SystemPromptPart(message.content, timestamp=at)
    elif message.role is Role.SUMMARY:
        yield UserPromptPart(f"{SUMMARY}{message.content}", timestamp=at)
    elif message.content or message.role is Role.USER:
        yield UserPromptPart(message.content, timestamp=at)


def _dumped(theirs: ModelMessage) -> dict[str, Json]:
    dumped: list[dict[str, Json]] = ModelMessagesTypeAdapter.dump_python([theirs], mode="json")
    return dumped[0]


def _ms(timestamp: str | None) -> int:
    if timestamp is None:
        return 0
    return (datetime.fromisoformat(timestamp) - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
