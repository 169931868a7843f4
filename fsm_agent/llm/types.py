"""The words in which a model is asked and answers: plain values, so that a reply can be recorded and read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from fsm_agent.data.delta import own
from fsm_agent.domain.json import Json, Schema
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.text import shortened
from fsm_agent.domain.usage import NO_USAGE, Usage, as_row, usage_of
from fsm_agent.errors import DataInvalid

#: how the name of a model begins that is played from a file
SCRIPTED: Final = "scripted:"


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call; ``schema`` is that of an object with its arguments."""

    name: str
    description: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a model, and what would be an answer to it."""

    #: as the user writes it; errors name it
    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    #: JSON Schema of the answer; ``None`` asks for words, or for calls
    output: Schema | None = None
    #: whether words alone are an answer; never where an output is asked for. Without it a model that can be made to
    #: call a tool is made to, and words are all the same what others may say.
    allow_text: bool = True
    #: as ``fsm_agent.llm.settings`` knows them
    settings: Mapping[str, Json] = field(default_factory=dict)
    #: whether several tools may be called at once
    is_parallel: bool = True
    #: the state of the agent that asks: scripted models may look at it, others are not told
    state: str | None = None
    #: tokens, as they were counted here
    estimated_tokens: int = 0

    def showing(self, messages: Iterable[Message]) -> Ask:
        """The same request, on other messages."""
        return replace(self, messages=tuple(messages))

    def going_on(self, messages: Iterable[Message]) -> Ask:
        """The same request, after what was said since."""
        return self.showing((*self.messages, *messages))


class Call(NamedTuple):
    """A tool that the model wants called. ``arguments`` are an object, or the text itself where that is none."""

    id: str
    name: str
    arguments: dict[str, Json] | str

    @property
    def is_readable(self) -> bool:
        return not isinstance(self.arguments, str)


class Reply(NamedTuple):
    """What a model answered to one request."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    #: where one was asked for, valid by its schema
    output: Json = None
    usage: Usage = NO_USAGE
    #: stop, length, tool_call, content_filter or error; ``None`` where nobody says
    finish: str | None = None
    #: the model as its provider names it
    model: str | None = None
    #: the parts of the message that it is: its calls, and what else belongs into the next request (thinking, say)
    parts: tuple[Mapping[str, Json], ...] = ()

    @property
    def written(self) -> str:
        """Its words, and below them the output as JSON, where one was asked for."""
        given = "" if self.output is None else json.dumps(self.output, ensure_ascii=False)
        return "\n".join(filter(None, (self.text, given)))

    @property
    def message(self) -> Message:
        """The reply as a message of a conversation, without a time."""
        return Message(Role.ASSISTANT, self.written, self.parts)

    def to_json(self) -> dict[str, Json]:
        """The reply as JSON, to be recorded: ``from_json`` gives the same reply."""
        return {
            "text": self.text,
            "calls": [list(call) for call in self.calls],
            "output": self.output,
            "usage": as_row(self.usage),
            "finish": self.finish,
            "model": self.model,
            "parts": [dict(part) for part in self.parts],
        }

    @classmethod
    def from_json(cls, recorded: Mapping[str, Json]) -> Reply:
        """Read what ``to_json`` wrote."""
        return cls(
            recorded["text"],
            tuple(Call(*call) for call in recorded["calls"]),
            recorded["output"],
            usage_of(recorded["usage"]),
            recorded["finish"],
            recorded["model"],
            tuple(recorded["parts"]),
        )


def arguments_of(said: Any) -> dict[str, Json] | str:
    """The arguments of a call as an object of JSON; where they are none, the text that stands for them."""
    if said is None or said == "":
        return {}
    try:
        value = own(json.loads(said) if isinstance(said, str) else said)
    except (ValueError, RecursionError, DataInvalid):
        return said if isinstance(said, str) else shortened(said, 1_000)
    return value if isinstance(value, dict) else json.dumps(value)
