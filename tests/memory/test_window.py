"""What is shown of a conversation: whole groups, within the budget, the system messages and the last group always."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.message import Message, Role
from fsm_agent.errors import ActionError, WindowTooSmall
from fsm_agent.memory.groups import REACH, flat, grouped, known_from, known_until, ties
from fsm_agent.memory.token_counts import Counter
from fsm_agent.memory.window import batch, checked, cut, drop_oldest, due, framed, keep_ends
from tests.support.conversations import MOVES, by_length, call, played, result, total, words

SYSTEM = Message(Role.SYSTEM, "be kind")  # 7 tokens by length
TALK = words("aaaaa", "bbbbb", "ccccc", "ddddd")

talks = st.builds(
    lambda moves, times: played([*moves] * times), st.lists(st.sampled_from(MOVES), max_size=40), st.integers(1, 8)
)


def contents(messages: Sequence[Message]) -> list[str]:
    return [message.content or "/".join([*message.calls, *message.results]) for message in messages]


def shape(messages: Sequence[Message]) -> list[list[str]]:
    return [contents(group) for group in grouped(messages)]


def test_a_call_and_its_results_are_one_group_with_what_was_said_between() -> None:
    a, b = words("a", "b")
    assert shape([a, call("1"), result("1"), b]) == [["a"], ["1", "1"], ["b"]]
    assert shape([call("1", "2"), result("2"), a, result("1"), b]) == [["1/2", "2", "a", "1"], ["b"]]
    assert shape([call("1"), call("2"), result("1"), result("2")]) == [["1", "2", "1", "2"]]
    assert shape([call("1"), result("1"), call("1"), result("1")]) == [["1", "1"]] * 2, "ids may come again"


def test_a_result_without_a_call_is_left_out() -> None:
    a, b = words("a", "b")
    assert shape([result("1"), a]) == [["a"]]
    assert shape([a, call("1"), result("1"), result("1"), b]) == [["a"], ["1", "1"], ["b"]], "one result is enough"
    far = [call("1"), *words(*["w"] * REACH), result("1")]
    assert shape(far) == [["w"]] * REACH, "nobody waits for a result as long as that"
    assert len(grouped([far[0], *far[2:]])) == 1


def test_a_call_without_a_result_stays_at_the_very_end_alone() -> None:
    a, b = words("a", "b")
    assert shape([a, call("1", "2")]) == [["a"], ["1/2"]]
    assert shape([a, call("1", "2"), result("1")]) == [["a"], ["1/2", "1"]]
    assert shape([a, call("1", "2"), result("1"), b]) == [["a"], ["b"]], "half of the results are none"
    assert shape([a, call("1"), b]) == [["a"], ["b"]]


@given(talks)
def test_groups_are_whole_ordered_and_stay_as_they_are(messages: list[Message]) -> None:
    groups = grouped(messages)
    sound = flat(groups)
    places = [next(n for n, each in enumerate(messages) if each is message) for message in sound]
    assert places == sorted(places)
    assert not ties(sound).orphans
    assert grouped(sound) == groups
    left_out = [message for message in messages if not any(message is each for each in sound)]
    assert all(message.calls or message.results for message in left_out), "plain words are never left out"


@given(talks, st.integers(0, 400))
def test_what_is_known_of_groups_from_a_part_is_true_of_the_whole(messages: list[Message], at: int) -> None:
    at = min(at, len(messages))
    newer, older = messages[at:], messages[:at]
    from_ = known_from(newer)
    all_groups = grouped(messages)
    assert all_groups[len(all_groups) - len(grouped(newer[from_:])) :] == grouped(newer[from_:])
    until = known_until(older)
    assert all_groups[: len(grouped(older[:until]))] == grouped(older[:until])


def test_drop_oldest_shows_the_newest_that_fit() -> None:
    assert contents(drop_oldest([SYSTEM, *TALK], 17, by_length)) == ["be kind", "ccccc", "ddddd"]
    assert contents(drop_oldest([SYSTEM, *TALK], 27, by_length)) == ["be kind", *contents(TALK)]
    assert contents(drop_oldest([SYSTEM, *TALK], 12, by_length)) == ["be kind", "ddddd"]
    assert drop_oldest([], 1, by_length) == []


def test_keep_ends_shows_the_first_groups_before_the_newest() -> None:
    assert contents(keep_ends(1)([SYSTEM, *TALK], 17, by_length)) == ["be kind", "aaaaa", "ddddd"]
    assert contents(keep_ends(2)([SYSTEM, *TALK], 25, by_length)) == ["be kind", "aaaaa", "bbbbb", "ddddd"]
    assert contents(keep_ends(9)([SYSTEM, *TALK], 16, by_length)) == ["be kind", "ddddd"]
    assert keep_ends(0)([SYSTEM, *TALK], 17, by_length) == drop_oldest([SYSTEM, *TALK], 17, by_length)


def test_a_window_that_cannot_hold_what_must_be_in_says_so() -> None:
    for choose in (drop_oldest, keep_ends(2)):
        with pytest.raises(WindowTooSmall, match=r"a window of 11 tokens .* system messages take 7 and .* messages 5"):
            choose([SYSTEM, *TALK], 11, by_length)
    with pytest.raises(WindowTooSmall, match="its system messages take 0 and its last messages 2"):
        drop_oldest([*TALK, call("1"), result("1")], 1, by_length)


def test_a_summary_is_cut_to_a_quarter_or_to_what_is_left() -> None:
    long = Message(Role.SUMMARY, "s" * 50, covers=3)
    assert contents(drop_oldest([SYSTEM, long, *TALK], 40, by_length)) == ["be kind", "sssssssss…", *contents(TALK)]
    assert contents(drop_oldest([SYSTEM, long, *TALK], 14, by_length)) == ["be kind", "s…", "ddddd"]
    assert contents(drop_oldest([SYSTEM, long, *TALK], 12, by_length)) == ["be kind", "ddddd"]
    assert cut(long, 50, by_length) is long
    assert cut(long, 1, by_length) is None
    older = Message(Role.SUMMARY, "old")
    assert contents(drop_oldest([older, SYSTEM, long], 80, by_length)) == ["s" * 19 + "…", "be kind"]


def test_what_is_to_be_summarised_leaves_room_for_a_while() -> None:
    frame = framed([SYSTEM, *TALK])
    assert due(frame, 27, by_length) == 0
    assert due(frame, 26, by_length) == 3, "half of 26 - 7 - 6 stays"
    with pytest.raises(WindowTooSmall):
        due(frame, 11, by_length)
    assert due(framed([SYSTEM, *words("x" * 9)]), 16, by_length) == 0, "the last group is never summarised"
    assert contents(flat(batch(frame.groups, 12, by_length))) == ["aaaaa", "bbbbb"]
    assert contents(flat(batch(frame.groups, 1, by_length))) == ["aaaaa"]


@pytest.mark.parametrize(
    ("choose", "refusal"),
    [
        (lambda given: [*given, Message(Role.USER, "z")], "made a message up"),
        (lambda given: [given[0], given[2], given[1]], "changed the order of messages"),
        (lambda given: [given[0], given[1], given[1]], "changed the order of messages"),
        (lambda given: given[1:], "left out a system message of the beginning"),
        (lambda given: [*given[:2], given[3]], "tore a tool call from its results"),
        (lambda given: given[:3], "tore a tool call from its results"),
        (lambda given: given, "returned 14 tokens, and the window has 13"),
        (lambda given: None, "must return a list of messages, and returned a NoneType"),
        (lambda given: [1], "must return a list of messages, and returned a list"),
    ],
)
def test_a_strategy_of_a_user_is_held_to_the_rules(choose: object, refusal: str) -> None:
    given = [SYSTEM, *words("aaaaa"), call("1"), result("1")]
    assert callable(choose)
    with pytest.raises(ActionError, match=f"^strategy 'mine' {refusal}"):
        checked(choose(given), framed(given), 13, by_length, name="mine")


def test_a_strategy_of_a_user_may_leave_out_groups_and_put_a_summary_in() -> None:
    given = [SYSTEM, *words("aaaaa"), call("1"), result("1"), *words("b")]
    mine = [SYSTEM, Message(Role.SUMMARY, "a"), given[2], given[3]]
    assert checked(mine, framed(given), 20, by_length, name="mine") == mine
    assert checked([SYSTEM], framed(given), 20, by_length, name="mine") == [SYSTEM]


def naive(messages: Sequence[Message], max_tokens: int, count: Counter, keep_first: int) -> list[Message]:
    """The rules once more, without thinking of cost: try every number of newest groups, the most first."""
    frame = framed(messages)
    for first in range(min(keep_first, max(len(frame.groups) - 1, 0)), -1, -1):
        for skipped in range(first, max(len(frame.groups), 1)):
            shown = [*frame.system, *flat(frame.groups[:first]), *flat(frame.groups[skipped:])]
            if total(shown, count) <= max_tokens:
                return shown
    raise WindowTooSmall(max_tokens, 0, 0)


@given(talks, st.integers(1, 300), st.integers(0, 4))
def test_windows_are_what_a_naive_reading_of_the_rules_gives(
    messages: list[Message], max_tokens: int, keep_first: int
) -> None:
    try:
        expected = naive(messages, max_tokens, by_length, keep_first)
    except WindowTooSmall:
        with pytest.raises(WindowTooSmall):
            keep_ends(keep_first)(messages, max_tokens, by_length)
    else:
        assert keep_ends(keep_first)(messages, max_tokens, by_length) == expected
