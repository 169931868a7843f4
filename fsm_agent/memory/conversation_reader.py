"""Reads a conversation from its end, only as far as is needed; the length of the rest makes no difference.

A conversation may consist of several spans. The messages of the present attempt come after all of them. So a message is
found by its span and its number there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from fsm_agent.domain.json import INT64_MAX
from fsm_agent.domain.message import Message, Role, Span
from fsm_agent.memory.groups import grouped, known_from
from fsm_agent.memory.window import Frame

#: how many messages are read at once
BATCH: Final = 50
#: how many are read to find the system messages at the beginning, and how many of those there may be
_FIRST: Final = 4
_MOST_SYSTEM: Final = 64
#: the part of a summary that says whose numbers it ``covers``, where that is not the thread that it stands in
COVERED: Final = "covered"


class Read(Protocol):
    """``Store.messages``."""

    def __call__(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Awaitable[Sequence[Message]]: ...


class Position(NamedTuple):
    """The position of a message: its span, and its number there. Pending messages come after the last span."""

    span: int
    number: int


class PlacedMessage(NamedTuple):
    at: Position
    message: Message


BEGINNING: Final = Position(0, 0)


class LoadedConversation(NamedTuple):
    """The part of a conversation that was read."""

    system: Sequence[Message]
    summary: Message | None
    #: up to here there are system messages of the beginning, and what the summary stands for
    floor: Position
    #: the newest, in order, without summaries; groups are whole
    recent: Sequence[PlacedMessage]
    #: whether that is everything above the floor
    is_whole: bool

    def frame(self) -> Frame:
        return Frame(self.system, self.summary, grouped(texts(self.recent)))

    def summarised(self, summary: Message, floor: Position) -> LoadedConversation:
        """The same, with a summary that covers more."""
        return self._replace(summary=summary, floor=floor, recent=[seen for seen in self.recent if seen.at > floor])


def whole(thread: str) -> tuple[Span, ...]:
    """The spans of a whole thread, including the messages that others will add."""
    return (Span(thread, 0, INT64_MAX),)


def texts(seen: Iterable[PlacedMessage]) -> list[Message]:
    return [each.message for each in seen]


class ConversationReader:
    """Finds messages of a conversation by their positions. ``pending`` may grow meanwhile."""

    def __init__(self, thread: str, spans: Sequence[Span], read: Read, pending: Sequence[Message]) -> None:
        self._thread = thread
        self._spans = tuple(spans)
        self._read = read
        self._pending = pending
        #: behind all that is kept, before all that is pending
        self.end: Final = Position(len(self._spans), 0)

    def pending(self, after: Position = BEGINNING) -> list[PlacedMessage]:
        seen = (PlacedMessage(Position(self.end.span, n), each) for n, each in enumerate(self._pending, start=1))
        return [each for each in seen if each.at > after]

    async def older(self, before: Position, *, after: Position, limit: int) -> list[PlacedMessage]:
        """The newest messages between two positions, at most ``limit``, in order."""
        found: list[PlacedMessage] = []
        for span in reversed(range(after.span, min(before.span + 1, len(self._spans)))):
            found = [*await self._part(span, after, before, limit=limit - len(found), newest=True), *found]
            if len(found) >= limit:
                break
        return found

    async def newer(self, after: Position, *, before: Position, limit: int) -> list[PlacedMessage]:
        """The oldest messages between two positions, at most ``limit``, in order."""
        found: list[PlacedMessage] = []
        for span in range(after.span, min(before.span + 1, len(self._spans))):
            found += await self._part(span, after, before, limit=limit - len(found), newest=False)
            if len(found) >= limit:
                break
        return found

    async def _part(
        self, place: int, after: Position, before: Position, *, limit: int, newest: bool
    ) -> list[PlacedMessage]:
        span = self._spans[place]
        low = max(span.after, after.number if place == after.span else 0)
        high = min(span.upto, before.number - 1 if place == before.span else INT64_MAX)
        if high <= low:
            return []
        upto = None if high == INT64_MAX else high
        kept = await self._read(span.thread, after=low, upto=upto, limit=limit, newest=newest)
        return [PlacedMessage(Position(place, message.number), message) for message in kept]

    async def system(self) -> tuple[list[Message], Position]:
        """The system messages at the beginning, and the position of the last of them."""
        lead: list[Message] = []
        last, is_more = BEGINNING, True
        while is_more and len(lead) < _MOST_SYSTEM:
            seen = await self.newer(last, before=self.end, limit=_FIRST)
            is_more = len(seen) == _FIRST
            for each in seen if is_more else [*seen, *self.pending()]:
                if each.message.role is not Role.SYSTEM:
                    return lead, last
                lead.append(each.message)
                last = each.at
        return lead, last

    async def read_back(self, enough: Callable[[Sequence[Message]], bool] | None = None) -> LoadedConversation:
        """Read from the end until ``enough`` says yes to the newest complete groups, or until everything is read that
        no summary stands for."""
        system, lead = await self.system()
        best = self._best(None, self.pending(lead))
        floor = self._floor(best, lead)
        seen, before, is_whole = _recent(self.pending(), floor), self.end, False
        while not is_whole:
            read = await self.older(before, after=floor, limit=BATCH)
            best = self._best(best, read)
            floor = self._floor(best, lead)
            seen = _recent([*read, *seen], floor)
            is_whole = len(read) < BATCH or read[0].at <= floor
            if not is_whole and enough is not None:
                known = known_from(texts(seen))
                if enough(texts(seen[known:])):
                    return LoadedConversation(system, best and best.message, floor, seen[known:], is_whole=False)
            before = read[0].at if read else before
        return LoadedConversation(system, best and best.message, floor, seen, is_whole=True)

    def _best(self, best: PlacedMessage | None, seen: Iterable[PlacedMessage]) -> PlacedMessage | None:
        """The summary that goes furthest, and the newest of those."""
        summaries = [each for each in seen if each.message.role is Role.SUMMARY]
        return max(
            [*([best] if best else []), *summaries], key=lambda each: (self.covered(each), each.at), default=None
        )

    def _floor(self, summary: PlacedMessage | None, lead: Position) -> Position:
        return max(lead, self.covered(summary)) if summary else lead

    def covered(self, summary: PlacedMessage) -> Position:
        """The position of the last message that a summary stands for."""
        at, message = summary
        named = [str(part["thread"]) for part in message.parts if part.get("type") == COVERED and "thread" in part]
        home = self._spans[at.span].thread if at < self.end else self._thread
        return self.position(named[0] if named else home, message.covers, at)

    def position(self, thread: str, number: int, before: Position) -> Position:
        """The position of the message with this number in a thread."""
        for place in reversed(range(min(before.span + 1, len(self._spans)))):
            span = self._spans[place]
            if span.thread == thread and span.after < number:
                return Position(place, number)
        return BEGINNING

    def named(self, at: Position) -> tuple[str, int]:
        """The thread and the number of the message at a position."""
        return self._spans[at.span].thread, at.number

    async def count(self) -> int:
        """How many messages there are, by their numbers."""
        counted = len(self._pending)
        for place, span in enumerate(self._spans):
            upto = span.upto
            if upto == INT64_MAX:
                newest = await self._part(place, BEGINNING, self.end, limit=1, newest=True)
                upto = max([span.after, *(each.at.number for each in newest)])
            counted += upto - span.after
        return counted


def _recent(seen: Iterable[PlacedMessage], floor: Position) -> list[PlacedMessage]:
    return [each for each in seen if each.at > floor and each.message.role is not Role.SUMMARY]
