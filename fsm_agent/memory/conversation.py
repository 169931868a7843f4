"""The conversation of an action: it is read from its end, and a model is never shown more than the window.

Nothing is written here. New messages go to a list, and the step of the action's event commits them, or nothing does. A
summary is a message too. Its text is an effect in the journal, so that a retry finds it there.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from fsm_agent.data.arguments import why_blank
from fsm_agent.data.delta import own
from fsm_agent.domain.conversation import PLAIN_RECALL, ConversationPolicy, Strategy
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, Span, is_own
from fsm_agent.domain.text import listed, shortened
from fsm_agent.domain.usage import NO_USAGE, Usage, as_row, usage_of
from fsm_agent.errors import ActionError, DataInvalid
from fsm_agent.memory.conversation_reader import (
    BATCH,
    BEGINNING,
    COVERED,
    ConversationReader,
    LoadedConversation,
    PlacedMessage,
    Position,
    Read,
    texts,
)
from fsm_agent.memory.formats import to_openai
from fsm_agent.memory.groups import Group, flat, grouped, known_until
from fsm_agent.memory.token_counts import Counter, estimate, remembering
from fsm_agent.memory.window import Choose, batch, checked, due, filled, share, weight


class Written(NamedTuple):
    """A summary, and the usage of the model that wrote it."""

    text: str
    usage: Usage = NO_USAGE


#: (messages as OpenAI-style dicts, max_tokens) -> the text of their summary. The previous summary comes first.
Summarise: TypeAlias = Callable[[list[dict[str, Json]], int], str | Written | Awaitable[str | Written]]

_STRATEGIES: Final = ("drop_oldest", "keep_ends", "summarise")


class Once(Protocol):
    """``Context.effect``: do something once, whatever attempts and crashes come between."""

    def __call__(self, name: str, fn: Callable[..., Any], /, *args: Json) -> Awaitable[Json]: ...


class Conversation:
    """The conversation of an ``async def`` action.

    ``spans`` are its stored parts, the oldest first. ``thread`` is where ``pending`` will be stored, after them.
    ``read`` is the store's ``messages``. Without ``once`` there are no summaries. ``spend`` gets the usage of each
    summary, also of one that is on record.
    """

    def __init__(
        self,
        thread: str,
        spans: Sequence[Span],
        *,
        read: Read,
        pending: list[Message],
        rule: ConversationPolicy = PLAIN_RECALL,
        count: Counter = estimate,
        once: Once | None = None,
        summarise: Summarise | None = None,
        spend: Callable[[Usage], None] = lambda _: None,
        at_ms: int = 0,
    ) -> None:
        self.thread: Final = thread
        self._reader = ConversationReader(thread, spans, read, pending)
        self._pending = pending
        self._rule = rule
        self._count = count
        self._once = once
        self._summarise = summarise
        self._spend = spend
        self._at_ms = at_ms

    def append(
        self,
        role: Role | str,
        content: str = "",
        *,
        parts: Iterable[Mapping[str, Json]] = (),
        by: str | None = None,
    ) -> Message:
        """Add a message; it is stored with the step of the action's event. Raises ``ActionError`` if it is no valid
        message."""
        return self._say(new_message(role, content, parts=parts, by=by))

    async def window(
        self, max_tokens: int | None = None, *, strategy: Strategy | Choose | None = None, count: Counter | None = None
    ) -> list[Message]:
        """The messages to show to a model: never more than ``max_tokens`` by ``count``, and never a tool call without
        its results. Arguments that are not given are as the workflow declares. Raises ``WindowTooSmall`` if not even
        the system messages and the last group fit."""
        budget = self._rule.max_tokens if max_tokens is None else max_tokens
        if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
            raise ActionError(f"a window has a positive number of tokens, not {shortened(budget)}")
        known = remembering(count or self._count)
        match self._rule.strategy if strategy is None else strategy:
            case "drop_oldest":
                return filled((await self._newest(budget, known)).frame(), budget, known)
            case "keep_ends":
                loaded = await self._with_first(await self._newest(budget, known), budget, known)
                return filled(loaded.frame(), budget, known, self._rule.keep_first)
            case "summarise":
                return filled((await self._rolled(budget, known)).frame(), budget, known)
            case str() as unknown:
                raise ActionError(f"strategy {unknown!r} is unknown; there are {listed(_STRATEGIES)}, or a function")
            case choose:
                frame = (await self._newest(budget, known)).frame()
                name = getattr(choose, "__name__", type(choose).__name__)
                return checked(choose(frame.messages(), budget, known), frame, budget, known, name=name)

    async def tail(self, n: int) -> list[Message]:
        """The last ``n`` messages, unchanged."""
        pending = self._reader.pending()[-n:] if n > 0 else []
        missing = n - len(pending)
        kept = await self._reader.older(self._reader.end, after=BEGINNING, limit=missing) if missing > 0 else []
        return texts([*kept, *pending])

    async def system(self) -> list[Message]:
        """The system messages at the beginning."""
        return (await self._reader.system())[0]

    async def count(self) -> int:
        """How many messages there are. In a shared thread, retracted messages count too."""
        return await self._reader.count()

    def _say(self, message: Message) -> Message:
        counted = message._replace(at_ms=self._at_ms)
        counted = counted._replace(tokens=self._count(counted))
        self._pending.append(counted)
        return counted

    async def _newest(self, budget: int, count: Counter) -> LoadedConversation:
        """The newest messages, a little more than the budget holds."""
        return await self._reader.read_back(lambda newest: weight(flat(grouped(newest)), count) > budget)

    async def _with_first(self, loaded: LoadedConversation, budget: int, count: Counter) -> LoadedConversation:
        """The same, with the first groups of the conversation."""
        first: list[PlacedMessage] = []
        before = loaded.recent[0].at if loaded.recent else self._reader.end
        while not loaded.is_whole:
            after = first[-1].at if first else loaded.floor
            read = await self._reader.newer(after, before=before, limit=BATCH)
            first += [each for each in read if each.message.role is not Role.SUMMARY]
            if len(read) < BATCH:
                return loaded._replace(recent=[*first, *loaded.recent], is_whole=True)
            known = first[: known_until(texts(first))]
            groups = grouped(texts(known))
            if len(groups) >= self._rule.keep_first or weight(flat(groups), count) > budget:
                chosen = {id(message) for message in flat(groups[: self._rule.keep_first])}
                first = [each for each in known if id(each.message) in chosen]
                return loaded._replace(recent=[*first, *loaded.recent])
        return loaded

    async def _rolled(self, budget: int, count: Counter) -> LoadedConversation:
        """All messages since the last summary, after as many new summaries as are needed to fit the budget. Messages of
        this attempt have no number yet, so no summary can stand for them."""
        loaded = await self._reader.read_back()
        while True:
            frame = loaded.frame()
            excess = frame.groups[: due(frame, budget, count)]
            positions = {id(seen.message): seen.at for seen in loaded.recent}
            kept = [group for group in excess if all(positions[id(each)] < self._reader.end for each in group)]
            if not kept:
                return loaded
            oldest = batch(kept, budget, count)
            loaded = await self._summarised(loaded, oldest, positions[id(oldest[-1][-1])], budget)

    async def _summarised(
        self, loaded: LoadedConversation, oldest: Sequence[Group], upto: Position, budget: int
    ) -> LoadedConversation:
        """The conversation after a summary of the previous summary and the oldest groups, which end at ``upto``.

        A retry gets the summary that is on record, even if messages were added to the thread meanwhile. So the
        arguments of the effect do not say what is summarised; its result does.
        """
        if self._once is None or self._summarise is None:
            lack = (
                "no function or model that writes summaries is given" if self._once else "no runner keeps its effects"
            )
            raise ActionError(f"the conversation {self.thread!r} cannot be summarised: {lack}")
        messages = to_openai([*([loaded.summary] if loaded.summary else []), *flat(oldest)], bare=True)
        thread, number = self._reader.named(upto)
        write = _writing(self._summarise, messages, share(budget), {"thread": thread, "covers": number})
        name = "summarise" if is_own(self.thread) else f"summarise {self.thread}"
        written = await self._once(name, write, self.thread)
        self._spend(usage_of(written.get("usage", [])))
        reaches = self._reader.position(written["thread"], written["covers"], self._reader.end)
        if reaches <= loaded.floor:  # somebody else's goes further by now
            return loaded
        parts = () if written["thread"] == self.thread else ({"type": COVERED, "thread": written["thread"]},)
        summary = Message(Role.SUMMARY, written["content"], parts, covers=written["covers"])
        return loaded.summarised(self._say(summary), reaches)


class BlockingConversation:
    """The conversation of a plain ``def`` action: the same, and ``wait`` runs it on the event loop."""

    def __init__(self, conversation: Conversation, wait: Callable[[Any], Any]) -> None:
        self.thread: Final = conversation.thread
        self._conversation = conversation
        self._wait = wait

    def append(
        self,
        role: Role | str,
        content: str = "",
        *,
        parts: Iterable[Mapping[str, Json]] = (),
        by: str | None = None,
    ) -> Message:
        """Like ``Conversation.append``."""
        return self._conversation.append(role, content, parts=parts, by=by)

    def window(
        self, max_tokens: int | None = None, *, strategy: Strategy | Choose | None = None, count: Counter | None = None
    ) -> list[Message]:
        """Like ``Conversation.window``, blocking."""
        shown: list[Message] = self._wait(self._conversation.window(max_tokens, strategy=strategy, count=count))
        return shown

    def tail(self, n: int) -> list[Message]:
        """Like ``Conversation.tail``, blocking."""
        last: list[Message] = self._wait(self._conversation.tail(n))
        return last

    def system(self) -> list[Message]:
        """Like ``Conversation.system``, blocking."""
        lead: list[Message] = self._wait(self._conversation.system())
        return lead

    def count(self) -> int:
        """Like ``Conversation.count``, blocking."""
        counted: int = self._wait(self._conversation.count())
        return counted


def new_message(
    role: Role | str, content: str = "", *, parts: Iterable[Mapping[str, Json]] = (), by: str | None = None
) -> Message:
    """A message that can be stored. Raises ``ActionError`` if it is no valid message."""
    if role not in list(Role):
        raise ActionError(f"a message has no role {shortened(role)}; there are {listed(Role)}")
    if not isinstance(content, str) or not (by is None or isinstance(by, str)):
        raise ActionError(
            f"content and `by` of a message are texts, not {shortened(by if isinstance(content, str) else content)}"
        )
    if by is not None and (why := why_blank(by)) is not None:
        raise ActionError(f"`by` of a message {why}; give it a text, or leave it out")
    try:
        plain = own([dict(part) for part in parts], "parts")
        own([content, by], "content")
    except DataInvalid as error:
        raise ActionError(f"a message cannot be kept: {'; '.join(error.problems)}") from None
    except (TypeError, ValueError) as error:
        raise ActionError(f"a message cannot be kept: {error}") from None
    for part in plain:
        if not isinstance(part.get("type"), str):
            raise ActionError(f"a part of a message needs a `type`, and {shortened(part)} has none")
        if part["type"] in ("tool_call", "tool_result") and not isinstance(part.get("id"), str):
            raise ActionError(f"a part of type {part['type']!r} needs the `id` of the call: {shortened(part)} has none")
    return Message(Role(role), content, tuple(plain), by=by)


def _writing(
    summarise: Summarise, messages: list[dict[str, Json]], max_tokens: int, covered: dict[str, Json]
) -> Callable[[str], Any]:
    """The effect; a plain function stays one, so that it gets a thread."""

    def packed(new_message: object) -> Json:
        text, usage = new_message if isinstance(new_message, Written) else Written(new_message)  # type: ignore[arg-type]
        if not isinstance(text, str) or not text.strip():
            raise ActionError(f"a summary must be a text, and {shortened(text)} was returned")
        return {**covered, "content": text, "usage": as_row(usage)}

    async def awaited(text: Any) -> Json:
        return packed(await text)

    async def write_on_loop(_thread: str) -> Json:
        return packed(await summarise(messages, max_tokens))  # type: ignore[misc]

    def write(_thread: str) -> Json:
        text = summarise(messages, max_tokens)
        return awaited(text) if inspect.isawaitable(text) else packed(text)

    return write_on_loop if inspect.iscoroutinefunction(summarise) else write
