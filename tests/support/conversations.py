"""Conversations in a real store, in spans as rewinds and forks leave them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, Span
from fsm_agent.memory.token_counts import Counter
from fsm_agent.stores.base import Store

#: what can happen next in a conversation
MOVES: Final = (
    "system",
    "ask",
    "tell",
    "tell at length",
    "call",
    "call two",
    "answer",
    "answer all",
    "orphan",
    "again",
)


def by_length(message: Message) -> int:
    """A counter whose figures can be told in advance."""
    return max(1, len(message.content))


def words(*contents: str, role: Role = Role.USER) -> list[Message]:
    return [Message(role, content) for content in contents]


def call(*ids: str, content: str = "") -> Message:
    parts: list[Json] = [{"type": "tool_call", "id": each, "name": "find", "arguments": {"what": each}} for each in ids]
    return Message(Role.ASSISTANT, content, tuple(parts))


def result(*ids: str, content: str = "found") -> Message:
    parts: list[Json] = [{"type": "tool_result", "id": each, "name": "find", "content": content} for each in ids]
    return Message(Role.TOOL, "", tuple(parts))


def played(moves: Iterable[str], start: int = 0) -> list[Message]:  # noqa: C901 - a line for each move
    """A conversation; its messages differ, and results come in any order, late, twice, or never. Conversations with
    other ``start`` numbers differ, too."""
    found: list[Message] = []
    waiting: list[str] = []
    for number, move in enumerate(moves, start):
        ids = [f"c{number}", f"d{number}"][: 2 if move == "call two" else 1]
        match move:
            case "system":
                found.append(Message(Role.SYSTEM, f"rule {number}"))
            case "ask":
                found.append(Message(Role.USER, f"question {number}?", by="ana"))
            case "tell":
                found.append(Message(Role.ASSISTANT, f"it is {number}"))
            case "tell at length":
                found.append(Message(Role.ASSISTANT, f"{number} reasons: " + "because it is so, " * (number % 40)))
            case "call" | "call two":
                found.append(call(*ids))
                waiting += ids
            case "answer" if waiting:
                found.append(result(waiting.pop(0), content=f"found {number}"))
            case "answer all" if waiting:
                found.append(result(*waiting))
                waiting.clear()
            case "again" if found and found[-1].results:
                found.append(found[-1]._replace(at_ms=number))
            case "orphan":
                found.append(result(f"nobody's {number}"))
    return found


async def kept(
    store: Store, messages: Sequence[Message], cuts: Iterable[int] = (), hidden: int = 0
) -> tuple[Span, ...]:
    """Keep messages piece by piece, cut where ``cuts`` says; returns the spans in which they are found again. Two
    pieces each are of one thread, as a rewind leaves it, with ``hidden`` messages between them; the next two are of
    another, as a fork begins it."""
    edges = [0, *sorted({min(cut, len(messages)) for cut in cuts}), len(messages)]
    spans: list[Span] = []
    for piece, (first, last) in enumerate(pairwise(edges)):
        name = f"thread-{piece // 2}"
        after = (await store.append(name, words(*["hidden"] * (1 + hidden)))) if piece % 2 else 0
        upto = await store.append(name, messages[first:last]) if last > first else after
        spans.append(Span(name, after, upto))
    return tuple(spans)


async def seen(store: Store, spans: Sequence[Span]) -> list[Message]:
    """All that is kept in spans, read at once."""
    return [each for span in spans for each in await store.messages(span.thread, after=span.after, upto=span.upto)]


class Reader:
    """A store's ``messages`` that counts what it hands out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = self.messages = 0

    async def __call__(self, thread: str, **bounds: Any) -> Sequence[Message]:
        found = await self._store.messages(thread, **bounds)
        self.calls += 1
        self.messages += len(found)
        return found


class Journal:
    """Effects as a runner keeps them: by their name and use, with their arguments; ``again`` begins a new attempt."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, int], tuple[Json, Json]] = {}
        self.calls = 0
        self._uses: dict[str, int] = {}

    def again(self) -> None:
        self._uses.clear()

    async def __call__(self, name: str, fn: Callable[..., Any], /, *args: Json) -> Json:
        use = self._uses[name] = self._uses.get(name, 0) + 1
        if (name, use) not in self.done:
            self.calls += 1
            returned = fn(*args)
            self.done[name, use] = (args, await returned if hasattr(returned, "__await__") else returned)
        given, recorded = self.done[name, use]
        assert given == args, "other arguments than before would park the agent"
        return recorded


def total(messages: Iterable[Message], count: Counter) -> int:
    return sum(map(count, messages))
