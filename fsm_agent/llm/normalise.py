"""A conversation as a request that every provider takes.

Results follow the calls that they belong to, and every call has one; who speaks twice in a row speaks once; and the
last word is never the model's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse, UserPromptPart

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role
from fsm_agent.llm.pydantic_messages import OURS, provenance, request_parts, response_parts

#: what is said for a call of which no result is kept
UNKNOWN_RESULT: Final = "No result is known: the call was not carried out, or its result is lost."
#: what is said where the conversation ends with the model's own words, or is empty
GO_ON: Final = "Go on."


def to_request(messages: Sequence[Message], system: str = "", *, state: str | None = None) -> list[ModelMessage]:
    """The history to send. ``system`` stands before all of it; a summary is a note from the user's side.

    ``state`` is for scripted models: no provider is told.
    """
    history: list[ModelMessage] = []
    for message in _in_order(messages):
        if message.role is Role.ASSISTANT:
            _add_response(history, message)
        else:
            _add_request(history, request_parts(message))
    if not history or isinstance(history[-1], ModelResponse):
        _add_request(history, [UserPromptPart(GO_ON)])
    last = history[-1]
    last.metadata = {OURS: {"state": state}}
    if isinstance(last, ModelRequest):
        last.instructions = system or None
    return history


def _add_request(history: list[ModelMessage], parts: Sequence[ModelRequestPart]) -> None:
    last = history[-1] if history else None
    if isinstance(last, ModelRequest):
        last.parts = [*last.parts, *parts]
    else:
        history.append(ModelRequest(list(parts)))


def _add_response(history: list[ModelMessage], message: Message) -> None:
    parts, origin = response_parts(message), provenance(message)
    last = history[-1] if history else None
    if isinstance(last, ModelResponse) and last.provider_name == origin.get("provider_name"):
        last.parts = [*last.parts, *parts]
    else:
        history.append(ModelResponse(list(parts), **origin))


def _in_order(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages, the results of each call right behind it; one that belongs to none becomes a note."""
    taken: set[int] = set()
    for index, message in enumerate(messages):
        if message.role is Role.ASSISTANT:
            yield message
            if message.calls:
                yield Message(Role.TOOL, parts=tuple(_results(messages, index, taken)))
            continue
        notes = [_note(part) for part in message.parts if part.get("type") == "tool_result" and id(part) not in taken]
        words = "\n".join(filter(None, [message.content, *notes]))
        if not message.results:
            yield message
        elif words:
            yield Message(Role.USER, words)


def _results(messages: Sequence[Message], index: int, taken: set[int]) -> Iterator[Mapping[str, Json]]:
    """The results of the calls in one message, in the order of the calls. Ids may come again in later messages."""
    for call in messages[index].parts:
        if call.get("type") != "tool_call":
            continue
        found = _result_of(str(call["id"]), messages, index, taken)
        if found is None:
            found = {**call, "type": "tool_result", "content": UNKNOWN_RESULT, "is_error": True}
        taken.add(id(found))
        yield {**found, "name": call["name"]}


def _result_of(call_id: str, messages: Sequence[Message], index: int, taken: set[int]) -> Mapping[str, Json] | None:
    """The first result under this id behind the call, and before the id is used again."""
    for message in messages[index + 1 :]:
        if call_id in message.calls:
            return None
        for part in message.parts:
            if part.get("type") == "tool_result" and str(part["id"]) == call_id and id(part) not in taken:
                return part
    return None


def _note(part: Mapping[str, Json]) -> str:
    content = part["content"]
    said = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"Result of {part.get('name', 'a tool')}: {said}"
