"""The words of conversations: messages, numbered in threads, and which of them an agent sees.

A thread is append-only. Every agent has one of its own, which nobody else writes to; others have names, and whoever
knows the name shares them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import iso

#: before the id of an agent: the name of its own thread, which no other thread can have
_OWN: Final = "@"

#: the names of threads that are shared
THREAD_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
THREAD_RULE: Final = (
    "the name of a thread is 1 to 128 letters, digits, '.', '_', ':', '/' or '-', a letter or digit first"
)

#: types of parts by which one reader of ours remembers what others need not know: where a summary ends, and what the
#: message of a library holds beyond plain words
PRIVATE_PARTS: Final = frozenset({"covered", "langchain", "openai_agents", "pydantic_ai"})


class Role(StrEnum):
    """The author of a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    #: what a tool has returned
    TOOL = "tool"
    #: what stands for older messages, as far as ``Message.covers`` says
    SUMMARY = "summary"


class Message(NamedTuple):
    """One message of a thread.

    ``parts`` are what is no text of its own, each an object with a ``type``: ``tool_call`` {id, name, arguments},
    ``tool_result`` {id, name, content, is_error}, and whatever else a library hands over, kept as it is.
    """

    role: Role
    content: str = ""
    parts: tuple[Mapping[str, Json], ...] = ()
    #: as they were counted when it was written
    tokens: int = 0
    at_ms: int = 0
    #: who said it, where that is known
    by: str | None = None
    #: of a summary: the number of the last message that it stands for
    covers: int = 0
    #: 1 for the first of a thread; 0 until it is kept
    number: int = 0

    @classmethod
    def user(cls, content: str, by: str | None = None) -> "Message":
        return cls(Role.USER, content, by=by)

    @classmethod
    def result(cls, call_id: str, name: str, content: str, *, is_error: bool = False) -> "Message":
        """What a tool has returned to a call."""
        part: dict[str, Json] = {"type": "tool_result", "id": call_id, "name": name, "content": content}
        return cls(Role.TOOL, "", ({**part, "is_error": True} if is_error else part,))

    def to_json(self) -> dict[str, Json]:
        """The message as the command line prints it (a contract)."""
        return {
            "number": self.number,
            "role": str(self.role),
            "by": self.by,
            "content": self.content,
            "parts": [dict(part) for part in self.parts],
            "tokens": self.tokens,
            "covers": self.covers or None,
            "at": iso(self.at_ms),
        }

    @property
    def calls(self) -> tuple[str, ...]:
        """The ids of the tool calls in it."""
        return tuple(str(part["id"]) for part in self.parts if part.get("type") == "tool_call")

    @property
    def results(self) -> tuple[str, ...]:
        """The ids of the tool calls whose results are in it."""
        return tuple(str(part["id"]) for part in self.parts if part.get("type") == "tool_result")

    def tells(self, reader: str) -> bool:
        """Whether there is anything in it for a reader whose own parts are of this type: not where it holds only what
        others remember."""
        return bool(self.content) or not self.parts or any(_is_for(reader, part) for part in self.parts)


def _is_for(reader: str, part: Mapping[str, Json]) -> bool:
    return part.get("type") == reader or part.get("type") not in PRIVATE_PARTS


class Chunk(NamedTuple):
    """What a model is just saying, piece by piece; nothing of it is kept but the whole."""

    agent_id: str
    state: str
    text: str


class Span(NamedTuple):
    """The messages of a thread above the number ``after``, up to ``upto``."""

    thread: str
    after: int
    upto: int


class ThreadSpans(NamedTuple):
    """Which messages are an agent's own conversation: what ``before`` lists, then those of its own thread above
    ``since``. A rewind moves ``since`` beyond what is hidden from then on; a fork begins with its origin's."""

    #: number of the last message in its own thread, hidden ones included
    last: int = 0
    since: int = 0
    before: tuple[Span, ...] = ()

    def spans(self, agent_id: str) -> tuple[Span, ...]:
        """All that is seen, the oldest first."""
        own = Span(own_thread(agent_id), self.since, self.last)
        return (*self.before, own) if own.upto > own.after else self.before

    def grown(self, messages: int) -> "ThreadSpans":
        return self._replace(last=self.last + messages) if messages else self


SILENCE: Final = ThreadSpans()


def own_thread(agent_id: str) -> str:
    """The name of the thread that only this agent writes to."""
    return _OWN + agent_id


def is_own(thread: str) -> bool:
    """Whether a thread is some agent's own."""
    return thread.startswith(_OWN)


def owner_of(thread: str) -> str | None:
    """The id of the agent whose own thread this is; ``None`` if agents may share it."""
    return thread.removeprefix(_OWN) if is_own(thread) else None
