"""Messages as chat completions write them: nothing is lost either way, and every mistake is named with its index."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.step import LATEST_MS
from fsm_agent.errors import MessagesInvalid
from fsm_agent.memory.formats import from_openai, renumbered, to_openai
from tests.support.conversations import call, result, words

#: as a client library dumps a conversation
THEIRS: list[dict[str, Any]] = [
    {"role": "system", "content": "You are helpful."},
    {"role": "user", "content": "Weather in Rome and Oslo?", "name": "ana"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "not json"}},
        ],
    },
    {"role": "tool", "content": "18 degrees", "tool_call_id": "c1"},
    {"role": "tool", "content": "3 degrees", "name": "weather", "tool_call_id": "c2"},
    {"role": "assistant", "content": "Rome 18, Oslo 3."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "And here?"},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ],
    },
]

texts = st.text(max_size=20)
numbers = st.integers(0, 2**53)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
calls = st.fixed_dictionaries(
    {"type": st.just("tool_call"), "id": texts, "name": texts, "arguments": st.dictionaries(texts, values) | texts}
)
results = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "id": texts, "content": values},
    optional={"name": texts, "is_error": st.booleans()},
)
others = st.fixed_dictionaries({"type": st.sampled_from(["text", "image", ""])}, optional={"text": values, "x": values})
messages = st.builds(
    Message,
    st.sampled_from(Role),
    texts,
    st.lists(calls | results | others, max_size=4).map(tuple),
    tokens=numbers,
    at_ms=st.integers(0, LATEST_MS),
    by=st.none() | texts,
    covers=numbers,
    number=numbers,
)


def test_a_conversation_of_a_client_library_is_read_and_written_as_it_is() -> None:
    read = from_openai(THEIRS)
    assert to_openai(read) == THEIRS
    assert read[0] == Message(Role.SYSTEM, "You are helpful.")
    assert read[1] == Message(Role.USER, "Weather in Rome and Oslo?", by="ana")
    assert read[2].parts[0] == {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}
    assert read[2].parts[1]["arguments"] == "not json"
    assert read[4].parts == ({"type": "tool_result", "id": "c2", "name": "weather", "content": "3 degrees"},)
    assert read[6].content == "And here?"


@given(st.lists(messages, max_size=5))
def test_nothing_of_ours_is_lost_on_the_way_out_and_back(ours: list[Message]) -> None:
    assert from_openai(json.loads(json.dumps(to_openai(ours)))) == ours


@given(st.lists(messages, max_size=5))
def test_what_is_written_bare_has_none_of_our_words(ours: list[Message]) -> None:
    items = to_openai(ours, bare=True)
    keys = {"role", "content", "name", "tool_calls", "tool_call_id"}
    assert all(item.keys() <= keys for item in items)
    assert {item["role"] for item in items} <= {"system", "user", "assistant", "tool"}
    assert len(items) >= len(ours)


def test_each_result_is_a_message_of_its_own() -> None:
    both = call("1", "2"), result("1", "2")
    written = to_openai(both, bare=True)
    assert [item["role"] for item in written] == ["assistant", "tool", "tool"]
    assert [item.get("tool_call_id") for item in written] == [None, "1", "2"]
    assert from_openai(to_openai(both)) == list(both)


def test_a_summary_is_a_system_message_to_others() -> None:
    summary = Message(Role.SUMMARY, "long ago", covers=4)
    assert to_openai([summary], bare=True) == [{"role": "system", "content": "long ago", "name": "summary"}]
    assert from_openai(to_openai([summary])) == [summary]


def test_what_developers_say_is_the_system_s() -> None:
    assert from_openai([{"role": "developer", "content": "x"}]) == [Message(Role.SYSTEM, "x")]


def test_empty_fields_of_other_libraries_are_passed_over() -> None:
    dumped = {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "tool_calls": None}
    assert from_openai([dumped]) == [Message(Role.ASSISTANT, "x")]


def called(**function: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (7, "[1] must be an object, not 7"),
        ({}, "[1].role cannot be null; there are system, developer, user, assistant, tool"),
        ({"role": "robot"}, "[1].role cannot be 'robot'; there are system, developer, user, assistant, tool"),
        ({"role": "user", "content": 7}, "[1].content must be a string or a list of parts, not 7"),
        ({"role": "user", "content": [{"text": "x"}]}, "[1].content[0] must be an object with a `type`, not"),
        ({"role": "user", "content": "x", "name": 7}, "[1].name must be a string, not 7"),
        ({"role": "tool", "content": "x"}, "[1].tool_call_id must be a string, not null"),
        ({"role": "assistant", "tool_calls": "x"}, "[1].tool_calls must be a list, not 'x'"),
        (
            {"role": "assistant", "tool_calls": [7]},
            "[1].tool_calls[0] must be {id, type: function, function: {name, arguments}}, not 7",
        ),
        (called(name="f"), "[1].tool_calls[0].arguments must be a string, not null"),
        (called(name=1, arguments="{}"), "[1].tool_calls[0].name must be a string, not 1"),
        ({"role": "user", "content": "\ud800"}, "[1] cannot be kept: content[0] is no Unicode text"),
        (
            {"role": "user", "audio": {"id": "a"}},
            "[1] has audio, for which there is no place; there are content, fsm_agent, name, role, tool_call_id,",
        ),
        ({"role": "user", "fsm_agent": 7}, "[1].fsm_agent must be an object, not 7"),
        ({"role": "user", "fsm_agent": {"tokens": -1}}, "[1].fsm_agent.tokens cannot be -1"),
        ({"role": "user", "fsm_agent": {"tokens": True}}, "[1].fsm_agent.tokens cannot be true"),
        ({"role": "user", "fsm_agent": {"at_ms": 10**15}}, "[1].fsm_agent.at_ms is later than the year 9999"),
        ({"role": "user", "fsm_agent": {"role": "robot"}}, "[1].fsm_agent.role cannot be 'robot'"),
        ({"role": "user", "fsm_agent": {"parts": [{"type": "tool_call"}]}}, "[1].fsm_agent.parts cannot be [{"),
        (
            {"role": "user", "fsm_agent": {"mood": 1}},
            "[1].fsm_agent.mood is unknown; there are role, content, parts, tokens, at_ms, by, covers, number",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_the_index_of_its_message(item: Any, problem: str) -> None:
    with pytest.raises(MessagesInvalid) as refused:
        from_openai([{"role": "user", "content": "x"}, item])
    (told,) = refused.value.problems
    assert told.startswith(problem)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(MessagesInvalid, match=r"^the messages cannot be read: \[0\] must be .*; \[2\]\.role cannot be"):
        from_openai([1, {"role": "user"}, {"role": 7}])
    with pytest.raises(MessagesInvalid, match=r'a list of messages is needed, not {"role": "user"}'):
        from_openai({"role": "user"})  # type: ignore[arg-type]


def test_a_summary_stands_for_the_same_messages_in_another_thread() -> None:
    a, b, c = (each._replace(number=number) for each, number in zip(words("a", "b", "c"), (5, 7, 9), strict=True))
    summary = Message(Role.SUMMARY, "s", covers=8, number=12)
    numbered = renumbered([a, b, c, summary], after=20)
    assert [each.number for each in numbered] == [21, 22, 23, 24]
    assert numbered[-1].covers == 22
    assert renumbered(words("a"))[0].number == 1
    assert renumbered([summary._replace(covers=2)])[0].covers == 0, "what it stands for is not there"
