"""Threads for programs outside of any agent: they read and write the same conversations as actions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fsm_agent.data.arguments import check, check_optional
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.conversation import PLAIN_RECALL, Strategy
from fsm_agent.domain.json import INT64_MAX, Json
from fsm_agent.domain.message import THREAD_NAME, THREAD_RULE, Message, Role, Span, is_own, own_thread, owner_of
from fsm_agent.domain.step import LATEST_MS
from fsm_agent.errors import ActionError, Refused
from fsm_agent.memory.conversation import Conversation, new_message
from fsm_agent.memory.conversation_reader import (
    BEGINNING,
    COVERED,
    ConversationReader,
    PlacedMessage,
    Position,
    texts,
    whole,
)
from fsm_agent.memory.formats import from_openai, renumbered, to_openai
from fsm_agent.memory.token_counts import Counter, estimate
from fsm_agent.memory.window import Choose
from fsm_agent.stores.base import Store

#: how often the newest message is looked for again when somebody else has just taken it
_PATIENCE: Final = 100


class Thread:
    """A thread of ``store`` by its name. The conversation of an agent is named ``@`` and its id; it can be read, and
    only the agent adds to it. Raises ``KeyMissing`` if a message is sealed and its key is not given."""

    def __init__(self, store: Store, name: str) -> None:
        check(thread=name)
        if not is_own(name) and THREAD_NAME.fullmatch(name) is None:
            raise Refused(f"there can be no thread {name!r}: {THREAD_RULE}")
        self._store = store
        self.name: Final = name

    @classmethod
    def of_agent(cls, store: Store, agent_id: str) -> Thread:
        """The conversation of an agent as the agent sees it: without the messages that a rewind hides, and for a fork
        with those of its origin."""
        return cls(store, own_thread(agent_id))

    async def messages(self, *, last: int | None = None) -> list[Message]:
        """All stored messages, or the last ones, in order."""
        check_optional(last=last)
        if last is None:
            return texts((await self._seen())[1])
        return texts(await self.page(max(last, 0)))

    async def page(self, limit: int, *, before: Position | None = None) -> list[PlacedMessage]:
        """The last messages, or the last before a position, at most ``limit``, in order, with their positions."""
        reader = self._reader(await self._spans())
        return await reader.older(before or reader.end, after=BEGINNING, limit=limit)

    async def window(
        self,
        max_tokens: int = PLAIN_RECALL.max_tokens,
        *,
        strategy: Strategy | Choose = PLAIN_RECALL.strategy,
        count: Counter = estimate,
    ) -> list[Message]:
        """The messages to show to a model, like ``Conversation.window``; only summaries that agents have written are
        used. Raises ``WindowTooSmall`` if not even the last messages fit."""
        thread = Conversation(self.name, await self._spans(), read=self._read, pending=[], count=count)
        return await thread.window(max_tokens, strategy=strategy)

    async def append(
        self,
        role: Role | str,
        content: str = "",
        *,
        parts: Iterable[Mapping[str, Json]] = (),
        by: str | None = None,
    ) -> int:
        """Add a message; returns its number. Raises ``ActionError`` if it is no valid message."""
        return await self.add([new_message(role, content, parts=parts, by=by)])

    async def add(self, messages: Sequence[Message]) -> int:
        """Add complete messages, all or none; returns the number of the last, 0 if there are none. Raises
        ``ActionError`` if one is no valid message."""
        self._refuse_own()
        if not messages:
            return 0
        now_ms = await self._store.now()
        return await self._store.append(self.name, [_dated(message, now_ms) for message in messages])

    async def pop(self) -> Message | None:
        """Remove the newest message, and return it. Of several callers at once, each gets another message."""
        self._refuse_own()
        for _ in range(_PATIENCE):
            newest = await self.messages(last=1)
            if not newest:
                return None
            number = newest[0].number
            if await self._store.retract(self.name, after=number - 1, upto=number):
                return newest[0]
        raise Refused(f"thread {self.name!r} is emptied faster than it can be read; try again")

    async def clear(self) -> int:
        """Remove all messages; returns how many there were. Their numbers are not used again."""
        self._refuse_own()
        return await self._store.retract(self.name)

    async def exported(self) -> list[dict[str, Json]]:
        """The messages in the format of chat completions, numbered from 1; ``imported`` reads them back unchanged."""
        reader, seen = await self._seen()
        positions = [each.at for each in seen]
        return to_openai(
            _alone(each.message, number, bisect_right(positions, reader.covered(each)))
            for number, each in enumerate(seen, start=1)
        )

    async def imported(self, items: Sequence[Json]) -> int:
        """Add messages in this format; returns how many. Raises ``MessagesInvalid`` with every mistake, and then adds
        nothing. If the thread is not empty, imported summaries stand for no messages."""
        self._refuse_own()
        messages = from_openai(items)
        is_first = not await self.messages(last=1)
        last = await self.add([message._replace(covers=0) for message in messages])
        if is_first:
            await self._cover(messages, last - len(messages))
        return len(messages)

    async def _cover(self, messages: Sequence[Message], after: int) -> None:
        """Have summaries stand for what they stood for, now that the numbers are known."""
        covers = {message.number: message.covers for message in renumbered(messages, after=after) if message.covers}
        if covers:
            kept = await self._read(self.name, after=after, upto=max(covers))
            revised = [each._replace(covers=covers[each.number]) for each in kept if each.number in covers]
            await self._store.revise(self.name, revised)

    async def _seen(self) -> tuple[ConversationReader, list[PlacedMessage]]:
        """All that is kept, and where it stands."""
        spans = await self._spans()
        seen = [
            PlacedMessage(Position(place, message.number), message)
            for place, span in enumerate(spans)
            for message in await self._read(
                span.thread, after=span.after, upto=None if span.upto == INT64_MAX else span.upto
            )
        ]
        return self._reader(spans), seen

    def _reader(self, spans: Sequence[Span]) -> ConversationReader:
        return ConversationReader(self.name, spans, self._read, ())

    async def _spans(self) -> Sequence[Span]:
        agent_id = owner_of(self.name)
        if agent_id is None:
            return whole(self.name)
        return (await self._store.head(agent_id)).talk.spans(agent_id)

    async def _read(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        kept = await self._store.messages(thread, after=after, upto=upto, limit=limit, newest=newest)
        for message in kept:
            for part in message.parts:
                refuse_sealed(part)
        return kept

    def _refuse_own(self) -> None:
        if is_own(self.name):
            raise Refused(f"the conversation of agent {owner_of(self.name)!r} is its own: only its actions add to it")


def _dated(message: Message, now_ms: int) -> Message:
    """With its time and its tokens, where it has none. Raises ``ActionError`` for what is no message."""
    checked = new_message(message.role, message.content, parts=message.parts, by=message.by)
    if type(message.at_ms) is not int or not 0 <= message.at_ms <= LATEST_MS:
        raise ActionError("the time of a message must be milliseconds since 1970, no later than the year 9999")
    dated = checked._replace(at_ms=message.at_ms or now_ms, covers=message.covers)
    return dated._replace(tokens=message.tokens or estimate(dated))


def _alone(message: Message, number: int, covers: int) -> Message:
    """A message for those who have nothing but the document that it stands in."""
    parts = tuple(part for part in message.parts if part["type"] != COVERED)
    return message._replace(number=number, parts=parts, covers=covers if message.covers else 0)
