"""Any conversation, in any spans, with any strategy: what is shown keeps all the promises, by an exact count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.conversation import ConversationPolicy
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, Span
from fsm_agent.errors import WindowTooSmall
from fsm_agent.memory.conversation import Conversation
from fsm_agent.memory.groups import flat, grouped, ties
from fsm_agent.memory.token_counts import Counter, estimate, exact
from fsm_agent.memory.window import drop_oldest, keep_ends
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.conversations import MOVES, Journal, by_length, kept, played, seen, total
from tests.support.hypothesis_settings import example_settings

EXACT = exact()
HOME = "home"


class Plot(NamedTuple):
    """A conversation to be: what is kept of it and where it is cut, what is pending, how much is shown."""

    said: list[Message]
    cuts: list[int]
    hidden: int
    pending: int
    max_tokens: int
    keep_first: int


#: a counter, and how many tokens are few and many by it
counters = st.sampled_from([by_length, EXACT, estimate])
plots = st.builds(
    Plot,
    st.builds(
        lambda begin, moves, times: played([*begin, *moves * times]),
        st.lists(st.just("system"), max_size=3),
        st.lists(st.sampled_from(MOVES), max_size=30),
        st.integers(1, 9),
    ),
    st.lists(st.integers(0, 250), max_size=5),
    st.integers(0, 3),
    st.integers(0, 12),
    st.integers(1, 2_500),
    st.integers(0, 5),
)


async def placed(store: Store, plot: Plot) -> tuple[tuple[Span, ...], list[Message], list[Message]]:
    """The spans, all that is kept in them, and what is pending."""
    at = max(len(plot.said) - plot.pending, 0)
    spans = await kept(store, plot.said[:at], plot.cuts, plot.hidden)
    return spans, await seen(store, spans), plot.said[at:]


async def in_store(work: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async with open_store("memory://") as store:
        await asyncio.wait_for(work(store), 60)


def is_promised(shown: Sequence[Message], all_of_it: Sequence[Message], max_tokens: int, count: Counter) -> None:
    """Within the budget, whole, in order, with the system messages and the last group."""
    assert total(shown, count) <= max_tokens
    lead = next((n for n, each in enumerate(all_of_it) if each.role is not Role.SYSTEM), len(all_of_it))
    assert list(shown[:lead]) == list(all_of_it[:lead])
    words = [each for each in shown if each.role is not Role.SUMMARY]
    assert not ties(words).orphans
    whole = grouped([each for each in all_of_it[lead:] if each.role is not Role.SUMMARY])
    assert shown[len(shown) - len(whole[-1]) :] == list(whole[-1]) if whole else not words[lead:]
    places = [all_of_it.index(each) for each in words]
    assert all(earlier < later for earlier, later in pairwise(places))
    for group in whole:
        assert len({each in words for each in group}) == 1, "whole or not at all"


@example_settings(150)
@given(plots, counters)
def test_what_is_read_by_the_tail_is_what_the_whole_conversation_gives(plot: Plot, count: Counter) -> None:
    async def check(store: Store) -> None:
        spans, before, pending = await placed(store, plot)
        rule = ConversationPolicy(max_tokens=plot.max_tokens, keep_first=plot.keep_first)
        talk = Conversation(HOME, spans, read=store.messages, pending=pending, rule=rule, count=count)
        both = [*before, *pending]
        for name, choose in (("drop_oldest", drop_oldest), ("keep_ends", keep_ends(plot.keep_first))):
            try:
                expected = choose(both, plot.max_tokens, count)
            except WindowTooSmall:
                expected = None
            try:
                shown = await talk.window(strategy=name)  # type: ignore[arg-type]
            except WindowTooSmall:
                assert expected is None
            else:
                assert shown == expected
                is_promised(shown, both, plot.max_tokens, count)
        assert await talk.tail(7) == both[-7:]
        assert await talk.count() == len(both)

    asyncio.run(in_store(check))


@example_settings(150)
@given(plots, counters, st.integers(1, 4), st.integers(1, 60))
def test_a_summary_stands_for_exactly_what_is_not_shown(plot: Plot, count: Counter, rounds: int, length: int) -> None:
    """Round after round: a window is asked for, what was pending is kept, and more is said."""

    def write(messages: list[dict[str, Json]], max_tokens: int) -> str:
        assert messages
        assert max_tokens >= 0
        return "so far " * length

    async def check(store: Store) -> None:
        spans, before, pending = await placed(store, plot)
        for number in range(rounds):
            talk = Conversation(
                HOME, spans, read=store.messages, pending=pending, count=count, once=Journal(), summarise=write
            )
            both = [*before, *pending]
            try:
                shown = await talk.window(plot.max_tokens, strategy="summarise")
            except WindowTooSmall:
                return
            words = [each for each in both if each.role is not Role.SUMMARY]
            is_promised(shown, words, plot.max_tokens, count)
            stands_for_the_rest(shown, before, [*before, *pending], spans)
            upto = await store.append(HOME, pending)
            spans = (*spans[: -1 if number else None], Span(HOME, 0, upto))
            before = await seen(store, spans)
            pending = played(["ask", "call", "answer", "tell at length"] * number, start=1_000 * (number + 1))

    asyncio.run(in_store(check))


def stands_for_the_rest(
    shown: Sequence[Message], before: Sequence[Message], all_of_it: Sequence[Message], spans: Sequence[Span]
) -> None:
    """What is kept is shown, or stands in the summary, or no provider would take it; and never two of these."""
    summaries = [each for each in all_of_it if each.role is Role.SUMMARY]
    words = [each for each in all_of_it if each.role is not Role.SUMMARY]
    lead = next((n for n, each in enumerate(words) if each.role is not Role.SYSTEM), len(words))
    covered = 0
    for summary in summaries:
        thread = summary.parts[0]["thread"] if summary.parts else HOME
        place = next(n for n, each in enumerate(before) if belongs(n, each, before, spans) == (thread, summary.covers))
        covered = max(covered, len([each for each in before[: place + 1] if each.role is not Role.SUMMARY]))
    rest = words[max(covered, lead) :]
    told = [each for each in shown if each.role is not Role.SUMMARY][lead:]
    sound = flat(grouped(rest))
    dropped = sound[: len(sound) - len(told)]
    assert told == sound[len(dropped) :]
    assert all(is_pending(group) for group in grouped(dropped)) or not dropped, (
        "only what cannot be summarised yet goes"
    )


def is_pending(group: Sequence[Message]) -> bool:
    return any(not each.number for each in group)


def belongs(place: int, message: Message, before: Sequence[Message], spans: Sequence[Span]) -> tuple[str, int]:
    """The thread and the number of a message, by counting through the spans."""
    for span in spans:
        here = [each for each in before[:] if span.after < each.number <= span.upto]
        size = span.upto - span.after
        if place < size:
            assert message in here
            return span.thread, message.number
        place -= size
    raise AssertionError("it is in no span")
