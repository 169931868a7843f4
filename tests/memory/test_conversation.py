"""A conversation in a store: said, read by its tail, shown within a budget, summarised once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from fsm_agent.actions.worker_threads import in_thread, waiting_on
from fsm_agent.domain.conversation import ConversationPolicy
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, Span
from fsm_agent.engine.outputs import AttemptOutputs
from fsm_agent.errors import ActionError, WindowTooSmall
from fsm_agent.memory.conversation import BlockingConversation, Conversation
from fsm_agent.memory.conversation_reader import BATCH, whole
from fsm_agent.memory.token_counts import estimate
from fsm_agent.memory.window import keep_ends
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.conversations import Journal, Reader, by_length, call, kept, result, words
from tests.support.runtime import on_loop

ROOM = "room"
SYSTEM = Message(Role.SYSTEM, "be kind")  # 7 tokens by length


def talking(store: Store, spans: Sequence[Span] = (), **given: Any) -> Conversation:
    settings = {"read": store.messages, "pending": [], "count": by_length, **given}
    return Conversation(ROOM, spans or whole(ROOM), **settings)


def contents(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]


async def short(messages: list[dict[str, Json]], max_tokens: int) -> str:
    """Whom it has read about."""
    return "-".join(str(message["content"])[0] for message in messages)[:max_tokens]


@on_loop
async def test_what_is_said_is_recorded_with_its_tokens_and_nothing_is_written() -> None:
    async with open_store("memory://") as store:
        notes = AttemptOutputs()
        talk = talking(store, pending=notes.pending(ROOM), at_ms=7)
        said = talk.append("user", "hello", by="ana")
        talk.append(Role.ASSISTANT, parts=[{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}])
        assert said == Message(Role.USER, "hello", tokens=5, at_ms=7, by="ana")
        assert notes.messages == {ROOM: [said, (await talk.tail(1))[0]]}
        assert await store.messages(ROOM) == []
        assert await talk.count() == 2


@on_loop
async def test_what_is_pending_comes_after_what_is_kept() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [SYSTEM, *words("a", "b", "c")])
        talk = talking(store, pending=words("d"))
        talk.append("user", "e")
        assert contents(await talk.window(100)) == ["be kind", "a", "b", "c", "d", "e"]
        assert contents(await talk.tail(3)) == ["c", "d", "e"]
        assert contents(await talk.tail(1)) == ["e"]
        assert await talk.tail(0) == await talk.tail(-1) == []
        assert await talk.system() == [SYSTEM._replace(number=1)]
        assert await talk.count() == 6


@on_loop
async def test_a_conversation_that_only_begins_has_its_system_message_pending() -> None:
    async with open_store("memory://") as store:
        talk = talking(store)
        assert await talk.window(5) == await talk.tail(9) == await talk.system() == []
        talk.append("system", "be kind")
        talk.append("user", "aaa")
        talk.append("user", "bbb")
        assert contents(await talk.system()) == ["be kind"]
        assert contents(await talk.window(10)) == ["be kind", "bbb"]


@on_loop
async def test_spans_are_read_as_one_and_what_lies_between_them_is_hidden() -> None:
    async with open_store("memory://") as store:
        said = [SYSTEM, *words(*"abcdefgh")]
        spans = await kept(store, said, cuts=[3, 5, 5, 7], hidden=2)
        talk = talking(store, spans)
        assert contents(await talk.window(100)) == contents(said)
        assert contents(await talk.tail(5)) == list("defgh")
        assert await talk.count() == 9


@on_loop
async def test_the_strategies_are_those_of_the_workflow_unless_another_is_named() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [SYSTEM, *words(*"abcdef")])
        talk = talking(store, rule=ConversationPolicy(max_tokens=10, strategy="keep_ends", keep_first=2))
        assert contents(await talk.window()) == ["be kind", "a", "b", "f"]
        assert contents(await talk.window(11)) == ["be kind", "a", "b", "e", "f"]
        assert contents(await talk.window(strategy="drop_oldest")) == ["be kind", "d", "e", "f"]
        assert contents(await talk.window(9, count=lambda _: 3)) == ["be kind", "a", "f"]


@on_loop
async def test_a_user_s_own_strategy_chooses_and_is_held_to_the_rules() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [SYSTEM, *words(*"abcdef")])
        talk = talking(store)

        def every_other(messages: Sequence[Message], max_tokens: int, count: Any) -> list[Message]:
            return [messages[0], *messages[1::2]]

        assert contents(await talk.window(10, strategy=every_other)) == ["be kind", "a", "c", "e"]
        with pytest.raises(ActionError, match="strategy 'every_other' returned 10 tokens, and the window has 9"):
            await talk.window(9, strategy=every_other)


@pytest.mark.parametrize("budget", [0, -1, True, 1.5, "9"])
@on_loop
async def test_a_budget_is_a_positive_number(budget: Any) -> None:
    async with open_store("memory://") as store:
        with pytest.raises(ActionError, match="a window has a positive number of tokens, not"):
            await talking(store).window(budget)


@on_loop
async def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    async with open_store("memory://") as store:
        with pytest.raises(
            ActionError, match="'drop' is unknown; there are drop_oldest, keep_ends, summarise, or a function"
        ):
            await talking(store).window(strategy="drop")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"role": "robot"}, "a message has no role 'robot'; there are system, user, assistant, tool, summary"),
        ({"role": "user", "content": 5}, "content and `by` of a message are texts, not 5"),
        ({"role": "user", "by": 5}, "content and `by` of a message are texts, not 5"),
        ({"role": "user", "content": "\ud800"}, "a message cannot be kept: .*no Unicode text"),
        (
            {"role": "user", "parts": [{"type": "x", "n": float("nan")}]},
            r"a message cannot be kept: parts\[0\]\.n is nan, ",
        ),
        ({"role": "user", "parts": [7]}, "a message cannot be kept: "),
        ({"role": "user", "parts": [{"id": "1"}]}, 'a part of a message needs a `type`, and {"id": "1"} has none'),
        ({"role": "user", "parts": [{"type": "tool_call"}]}, "a part of type 'tool_call' needs the `id` of the call"),
    ],
)
@on_loop
async def test_what_is_no_message_is_refused(given: dict[str, Any], sentence: str) -> None:
    async with open_store("memory://") as store:
        pending: list[Message] = []
        with pytest.raises(ActionError, match=f"^{sentence}"):
            talking(store, pending=pending).append(**given)
        assert pending == []


@on_loop
async def test_what_is_said_cannot_be_changed_afterwards() -> None:
    async with open_store("memory://") as store:
        part = {"type": "image", "urls": ["a"]}
        said = talking(store).append("user", parts=[part])
        part["urls"] = []
        assert said.parts == ({"type": "image", "urls": ["a"]},)


@on_loop
async def test_a_conversation_is_summarised_when_it_outgrows_its_window() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [SYSTEM, *words("a aa", "b bb", "c cc", "d dd", "e ee", "f ff")])
        journal, pending = Journal(), words("g gg")
        rule = ConversationPolicy(max_tokens=30, strategy="summarise")
        talk = talking(store, pending=pending, rule=rule, once=journal, summarise=short)
        shown = await talk.window()
        summary = Message(Role.SUMMARY, "a-b-c-d", tokens=7, covers=6)
        assert pending[1:] == [summary]
        assert shown == [SYSTEM._replace(number=1), summary, Message(Role.USER, "f ff", number=7), pending[0]]
        assert await talk.window() == shown, "the same window is shown again"
        assert journal.calls == 1, "and nobody is paid twice"
        assert await talk.system() == [SYSTEM._replace(number=1)]


@on_loop
async def test_a_summary_rolls_on_with_the_previous_one_as_its_beginning() -> None:
    async with open_store("memory://") as store:
        journal = Journal()
        told: list[list[str]] = []

        def write(messages: list[dict[str, Json]], max_tokens: int) -> str:
            told.append([str(message["content"]) for message in messages])
            assert max_tokens == 5
            return f"S{len(told)}"

        covered: list[int] = []
        for number in range(30):
            pending = words(f"word {number:02}")
            talk = talking(store, pending=pending, once=journal, summarise=write)
            shown = await talk.window(20, strategy="summarise")
            assert sum(map(by_length, shown)) <= 20
            covered += [each.covers for each in pending if each.role is Role.SUMMARY]
            journal.again()
            journal.done.clear()
            await store.append(ROOM, pending)
        assert told[0] == ["word 00", "word 01"]
        assert told[1][0] == "S1"
        assert covered == sorted(covered)
        said = [content for each in told for content in each if content.startswith("word")]
        assert said == [f"word {number:02}" for number in range(len(said))], "each message is summarised once, in order"


@on_loop
async def test_a_retry_finds_the_summary_on_record_whatever_others_have_said_meanwhile() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words(*"abcdefgh"))
        journal = Journal()
        first, second = [], []
        for pending in (first, second):
            journal.again()
            talk = talking(store, pending=pending, once=journal, summarise=short)
            await talk.window(7, strategy="summarise")
            await store.append(ROOM, words("x", "y"))
        assert first[0] == second[0]
        assert [name for name, _ in journal.done] == ["summarise room"] * len(journal.done)
        assert all(args == (ROOM,) for args, _ in journal.done.values()), "arguments are small and stay the same"


@on_loop
async def test_a_summary_of_somebody_else_that_goes_further_is_taken() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [*words(*"abcdefgh"), Message(Role.SUMMARY, "ours", covers=6)])
        await store.append(ROOM, [Message(Role.SUMMARY, "theirs", covers=4), *words("i")])
        assert contents(await talking(store).window(99)) == ["ours", "g", "h", "i"]
        journal = Journal()
        journal.done["summarise room", 1] = ((ROOM,), {"thread": ROOM, "covers": 3, "content": "stale"})
        pending: list[Message] = words(*"jklmnopqrstuvwxyz")
        talk = talking(store, pending=pending, once=journal, summarise=short)
        shown = await talk.window(21, strategy="summarise")
        assert "stale" not in contents(pending)
        assert sum(map(by_length, shown)) <= 21


@on_loop
async def test_a_fork_s_summary_stands_for_messages_of_its_origin() -> None:
    async with open_store("memory://") as store:
        await store.append("origin", words(*"abcdefgh", "hidden"))
        await store.append(ROOM, words("i", "j"))
        spans = (Span("origin", 0, 8), Span(ROOM, 0, 2))
        pending: list[Message] = []
        talk = talking(store, spans, pending=pending, once=Journal(), summarise=short)
        shown = contents(await talk.window(8, strategy="summarise"))
        (summary,) = pending
        assert summary.parts == ({"type": "covered", "thread": "origin"},)
        assert summary.covers == 7
        assert shown == ["a-", "h", "i", "j"]
        await store.append(ROOM, pending)
        later = talking(store, (spans[0], Span(ROOM, 0, 3)))
        assert contents(await later.window(99)) == shown


@on_loop
async def test_what_this_attempt_has_said_is_never_summarised() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words("a", "b"))
        journal = Journal()
        pending = words(*"cdefghijkl")
        talk = talking(store, pending=pending, once=journal, summarise=short)
        shown = contents(await talk.window(8, strategy="summarise"))
        assert pending[-1].covers == 2
        assert shown[-6:] == list("ghijkl")
        assert journal.calls == 1


@on_loop
async def test_without_somebody_who_summarises_that_is_said() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words(*"abcdefgh"))
        with pytest.raises(ActionError, match="'room' cannot be summarised: no runner keeps its effects"):
            await talking(store).window(4, strategy="summarise")
        with pytest.raises(ActionError, match="'room' cannot be summarised: no function or model that writes"):
            await talking(store, once=Journal()).window(4, strategy="summarise")
        assert contents(await talking(store).window(8, strategy="summarise")) == list("abcdefgh"), "it is not needed"


@pytest.mark.parametrize("text", [None, "", " \n", 7])
@on_loop
async def test_a_summary_is_a_text(text: Any) -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words(*"abcdefgh"))
        talk = talking(store, once=Journal(), summarise=lambda *_: text)
        with pytest.raises(ActionError, match=r"^a summary must be a text, and .* was returned$"):
            await talk.window(4, strategy="summarise")


@on_loop
async def test_nobody_pays_for_a_summary_where_not_even_the_last_messages_fit() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words(*"abc", "too long"))
        journal = Journal()
        with pytest.raises(WindowTooSmall):
            await talking(store, once=journal, summarise=short).window(7, strategy="summarise")
        assert journal.calls == 0


@on_loop
async def test_a_summary_that_is_too_long_is_cut() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, words(*"abcdefghijklmnopqrst"))
        pending: list[Message] = []
        talk = talking(store, pending=pending, once=Journal(), summarise=lambda *_: "s" * 500)
        shown = await talk.window(16, strategy="summarise")
        assert contents(shown)[0] == "sss…"
        assert len(pending[-1].content) == 500, "what was paid for is kept whole"


@on_loop
async def test_a_torn_group_never_shows_however_much_is_read() -> None:
    async with open_store("memory://") as store:
        filler = words(*["w" * 10] * 60)
        await store.append(ROOM, [*filler, call("1", content="look"), *filler, result("1"), *words("end")])
        shown = await talking(store).window(100)
        assert contents(shown) == ["end"], "the call is further away than what fits"
        assert len(await talking(store).window(10_000)) == 123


@pytest.mark.parametrize("keep_first", [49, 50, 51, 70, 120])
@on_loop
async def test_the_first_groups_are_read_in_as_many_goes_as_it_takes(keep_first: int) -> None:
    async with open_store("memory://") as store:
        said = [*words(*["w"] * (BATCH - 1)), call("1"), result("1"), *words(*["x"] * 400)]
        await store.append(ROOM, said)
        talk = talking(store, rule=ConversationPolicy(max_tokens=150, strategy="keep_ends", keep_first=keep_first))
        assert await talk.window() == keep_ends(keep_first)(await store.messages(ROOM), 150, by_length)


@on_loop
async def test_a_result_nobody_asked_for_at_the_end_does_not_hide_what_was_said_before() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [*words(*["w" * 10] * 500), result("1")])
        assert len(await talking(store).window(100)) == 10


@pytest.mark.parametrize("strategy", ["drop_oldest", "keep_ends"])
@on_loop
async def test_a_window_reads_as_many_messages_of_ten_thousand_as_of_a_hundred(strategy: Any, every_url: str) -> None:
    async with open_store(every_url) as store:
        costs = []
        for length in (100, 10_000):
            name = f"of-{length}"
            for first in range(0, length, 1_000):
                numbers = range(first, min(first + 1_000, length))
                await store.append(name, [Message(Role.USER, f"{number:05} " + "word " * 30) for number in numbers])
            reader = Reader(store)
            talk = Conversation(
                name, whole(name), read=reader, pending=words("hi"), rule=ConversationPolicy(keep_first=3)
            )
            shown = await talk.window(2_000, strategy=strategy)
            assert sum(map(estimate, shown)) <= 2_000
            assert await talk.count() == length + 1
            costs.append((reader.calls, reader.messages))
        assert costs[0] == costs[1]
        assert costs[0][1] <= 160


@on_loop
async def test_a_summarised_conversation_reads_what_was_said_since() -> None:
    async with open_store("memory://") as store:
        costs = []
        for length in (100, 10_000):
            name = f"of-{length}"
            summary = Message(Role.SUMMARY, "long ago", covers=length - 20)
            await store.append(name, [*words(*["w"] * length), summary])
            reader = Reader(store)
            talk = Conversation(name, whole(name), read=reader, pending=[], count=by_length)
            assert len(await talk.window(100, strategy="summarise")) == 21
            costs.append((reader.calls, reader.messages))
        assert costs[0] == costs[1]


@on_loop
async def test_a_thread_waits_for_what_it_reads_and_hears_the_same() -> None:
    async with open_store("memory://") as store:
        await store.append(ROOM, [SYSTEM, *words(*"abcdefgh")])
        journal = Journal()
        inner = talking(store, once=journal, summarise=short)
        talk = BlockingConversation(inner, waiting_on(asyncio.get_running_loop()))

        def work() -> list[Any]:
            assert threading.current_thread() is not threading.main_thread()
            talk.append("user", "i")
            shown = talk.window(12, strategy="summarise")
            return [shown, talk.tail(2), talk.system(), talk.count(), talk.thread]

        shown, tail, system, count, thread = await in_thread(work, "work")
        assert shown == await inner.window(12, strategy="summarise")
        assert (tail, system, count, thread) == (await inner.tail(2), await inner.system(), 11, ROOM)
        assert journal.calls == 1
