"""Messages of ours and of pydantic-ai: nothing is lost either way, and what is sent is in order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolAvailabilityDeltaPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.usage import RequestUsage

from fsm_agent.domain.message import Message, Role
from fsm_agent.llm.normalise import GO_ON, UNKNOWN_RESULT, to_request
from fsm_agent.llm.pydantic_messages import from_messages, message_of, to_messages

AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)
#: what messages of ours say of when, on whole milliseconds
AT_MS = 1_767_323_045_678


def dumped(history: list[ModelMessage]) -> Any:
    return json.loads(ModelMessagesTypeAdapter.dump_json(history))


def call(call_id: str, name: str = "search", arguments: Any = None) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": {} if arguments is None else arguments}


def result(call_id: str, content: Any = "sunny", *, name: str = "search", is_error: bool = False) -> dict[str, Any]:
    return {"type": "tool_result", "id": call_id, "name": name, "content": content, "is_error": is_error}


HISTORY: list[ModelMessage] = [
    ModelRequest(
        [
            SystemPromptPart("Be kind.", timestamp=AT),
            UserPromptPart(
                ["Look:", ImageUrl("https://example.org/a.png"), BinaryContent(b"\x00\xff", media_type="image/png")]
            ),
        ],
        instructions="Be brief.",
        run_id="r1",
        metadata={"mine": 1},
    ),
    ModelResponse(
        [
            ThinkingPart("Hm.", signature="s1g", provider_name="anthropic"),
            TextPart("I look."),
            ToolCallPart("search", '{"city": "Rome"}', "c1"),
            TextPart("And again."),
            ToolCallPart("search", {"city": "Oslo"}, "c2", id="item-2"),
            ToolCallPart("search", "{broken", "c3"),
            ToolCallPart("search", None, "c4"),
        ],
        usage=RequestUsage(input_tokens=5, output_tokens=6),
        model_name="m",
        provider_name="anthropic",
        finish_reason="tool_call",
        timestamp=AT,
    ),
    ModelRequest(
        [
            ToolReturnPart("search", {"at": [1, None]}, "c1", timestamp=AT),
            ToolReturnPart("search", "no", "c2", outcome="failed", metadata={"x": 1}),
            ToolReturnPart("search", "not allowed", "c3", outcome="denied"),
            UserPromptPart("Well?"),
            ToolAvailabilityDeltaPart(tools_added=["new"]),
        ]
    ),
    ModelRequest([UserPromptPart("Still there?")]),
    ModelRequest([]),
    ModelResponse([]),
    ModelResponse([TextPart("Yes.")], timestamp=AT),
]


def test_a_history_comes_back_as_it_was() -> None:
    messages = to_messages(HISTORY)
    assert dumped(from_messages(messages)) == dumped(HISTORY)
    kept = tuple(message._replace(parts=tuple(json.loads(json.dumps(message.parts)))) for message in messages)
    assert dumped(from_messages(kept)) == dumped(HISTORY), "what was stored as JSON is as good"


def test_a_history_can_be_read_by_people() -> None:
    messages = to_messages(HISTORY)
    assert [(message.role, message.content) for message in messages] == [
        (Role.SYSTEM, "Be kind."),
        (Role.USER, "Look:"),
        (Role.ASSISTANT, "I look.And again."),
        (Role.TOOL, ""),
        (Role.USER, "Well?"),
        (Role.USER, ""),
        (Role.USER, "Still there?"),
        (Role.USER, ""),
        (Role.ASSISTANT, ""),
        (Role.ASSISTANT, "Yes."),
    ]
    assert messages[2].calls == (*messages[3].results, "c4")
    assert [part["arguments"] for part in messages[2].parts[:4]] == [{"city": "Rome"}, {"city": "Oslo"}, "{broken", {}]
    assert [part["is_error"] for part in messages[3].parts[:3]] == [False, True, False]
    assert messages[0].at_ms == AT_MS


def test_a_part_of_a_history_still_makes_sense() -> None:
    """A window may have dropped what came before it."""
    for start in range(len(to_messages(HISTORY))):
        assert from_messages(to_messages(HISTORY)[start:])
        assert to_request(to_messages(HISTORY)[start:])


def test_what_the_library_has_forgotten_is_read_by_its_plain_words() -> None:
    odd = {"type": "pydantic_ai", "parts": [{"verbatim": {"part_kind": "telepathy"}}], "fields": {}}
    [message] = from_messages([Message(Role.ASSISTANT, "Hello.", (odd,))])
    assert [type(part) for part in message.parts] == [TextPart]


MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)
NAMES = st.text("abcdef_1", min_size=1, max_size=6)
CONTENTS = TEXTS | st.lists(TEXTS | st.just(ImageUrl("https://example.org/a.png")), max_size=3)

REQUESTS = st.builds(
    ModelRequest,
    st.lists(
        st.builds(SystemPromptPart, TEXTS, timestamp=MOMENTS)
        | st.builds(UserPromptPart, CONTENTS, timestamp=MOMENTS)
        | st.builds(
            ToolReturnPart,
            NAMES,
            JSON,
            NAMES,
            timestamp=MOMENTS,
            outcome=st.sampled_from(["success", "failed", "denied"]),
        ),
        max_size=4,
    ),
    instructions=st.none() | TEXTS,
    metadata=st.none() | OBJECTS,
    timestamp=st.none() | MOMENTS,
)
RESPONSES = st.builds(
    ModelResponse,
    st.lists(
        st.builds(TextPart, TEXTS, id=st.none() | NAMES)
        | st.builds(ThinkingPart, TEXTS, signature=st.none() | NAMES)
        | st.builds(ToolCallPart, NAMES, st.none() | TEXTS | OBJECTS | OBJECTS.map(json.dumps), NAMES),
        max_size=4,
    ),
    timestamp=MOMENTS,
    model_name=st.none() | NAMES,
    provider_name=st.none() | NAMES,
)


@given(st.lists(REQUESTS | RESPONSES, max_size=4))
def test_any_history_comes_back_as_it_was(history: list[ModelMessage]) -> None:
    assert dumped(from_messages(to_messages(history))) == dumped(history)


PARTS = (
    st.builds(lambda name, arguments, one: call(one, name, arguments), NAMES, OBJECTS | TEXTS, NAMES)
    | st.builds(lambda name, content, one: result(one, content, name=name), NAMES, JSON, NAMES)
    | st.fixed_dictionaries({"type": st.just("image"), "url": TEXTS})
)
MESSAGES = st.builds(
    Message,
    st.sampled_from(Role),
    TEXTS,
    st.lists(PARTS, max_size=3).map(tuple),
    tokens=st.integers(0, 99),
    at_ms=st.integers(0, 4_000_000_000_000),
    by=st.none() | NAMES,
    covers=st.integers(0, 9),
    number=st.just(0),
)


@given(st.lists(MESSAGES, max_size=4).map(tuple))
def test_any_messages_of_ours_come_back_as_they_were(messages: tuple[Message, ...]) -> None:
    assert to_messages(from_messages(messages)) == messages
    assert (
        to_messages(ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(from_messages(messages))))
        == messages
    )


def test_a_response_becomes_the_message_that_the_next_request_repeats() -> None:
    plain = ModelResponse([TextPart("I look."), ToolCallPart("search", '{"city": "Rome"}', "c1")], timestamp=AT)
    assert message_of(plain) == Message(Role.ASSISTANT, "I look.", (call("c1", arguments={"city": "Rome"}),))
    thoughtful = ModelResponse(
        [ThinkingPart("Hm.", signature="s"), TextPart("Yes.")],
        provider_name="anthropic",
        usage=RequestUsage(input_tokens=5, output_tokens=6),
    )
    message = message_of(thoughtful)
    assert (message.content, message.at_ms) == ("Yes.", 0)
    [_, sent, _] = to_request([Message(Role.USER, "Well?"), message, Message(Role.USER, "Sure?")])
    assert isinstance(sent, ModelResponse)
    assert (sent.provider_name, list(sent.parts)) == ("anthropic", list(thoughtful.parts))


def kinds(history: list[ModelMessage]) -> list[list[str]]:
    return [[part.part_kind for part in message.parts] for message in history]


def test_the_system_stands_before_all_and_a_summary_is_a_note() -> None:
    said = [Message(Role.SYSTEM, "You sell."), Message(Role.SUMMARY, "We met."), Message(Role.USER, "And?")]
    [request] = to_request(said, "Be brief.")
    assert isinstance(request, ModelRequest)
    assert request.instructions == "Be brief."
    assert [part.part_kind for part in request.parts] == ["system-prompt", "user-prompt", "user-prompt"]
    assert request.parts[1].content == "What was said before, in short:\nWe met."


def test_results_follow_their_calls_in_the_order_of_the_calls() -> None:
    history = to_request(
        [
            Message(Role.USER, "Where?"),
            Message(Role.ASSISTANT, "", (call("c1"), call("c2"))),
            Message(Role.USER, "Hurry."),
            Message(Role.TOOL, parts=(result("c2", "rain"),)),
            Message(Role.TOOL, parts=(result("c1", "sun", is_error=True),)),
        ]
    )
    assert kinds(history) == [
        ["user-prompt"],
        ["tool-call", "tool-call"],
        ["tool-return", "tool-return", "user-prompt"],
    ]
    first, second, _ = history[2].parts
    assert isinstance(first, ToolReturnPart)
    assert isinstance(second, ToolReturnPart)
    assert (first.tool_call_id, first.content, first.outcome) == ("c1", "sun", "failed")
    assert (second.tool_call_id, second.content, second.outcome) == ("c2", "rain", "success")


def test_an_id_that_is_used_again_has_a_result_each_time() -> None:
    turn = [Message(Role.ASSISTANT, "", (call("c1"),)), Message(Role.TOOL, parts=(result("c1", "one"),))]
    again = [Message(Role.ASSISTANT, "", (call("c1"),)), Message(Role.TOOL, parts=(result("c1", "two"),))]
    history = to_request([*turn, *again])
    assert [message.parts[0].content for message in history if isinstance(message, ModelRequest)] == ["one", "two"]


def test_a_result_belongs_to_the_last_call_under_its_id() -> None:
    """The first was cut off before it had one."""
    first, second = Message(Role.ASSISTANT, "a", (call("c1"),)), Message(Role.ASSISTANT, "b", (call("c1"),))
    history = to_request([first, second, Message(Role.TOOL, parts=(result("c1", "two"),))])
    returned = [part for message in history for part in message.parts if isinstance(part, ToolReturnPart)]
    assert [part.content for part in returned] == [UNKNOWN_RESULT, "two"]


def test_two_calls_under_one_id_get_a_result_each() -> None:
    twice = Message(Role.ASSISTANT, "", (call("c1"), call("c1")))
    [_, answer] = to_request([twice, Message(Role.TOOL, parts=(result("c1", "one"), result("c1", "two")))])
    assert [part.content for part in answer.parts] == ["one", "two"]


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    [_, answer] = to_request([Message(Role.ASSISTANT, "", (call("c1"),))])
    [part] = answer.parts
    assert isinstance(part, ToolReturnPart)
    assert (part.tool_call_id, part.content, part.outcome) == ("c1", UNKNOWN_RESULT, "failed")


def test_a_result_without_its_call_becomes_a_note() -> None:
    [request] = to_request([Message(Role.TOOL, parts=(result("c0", {"at": "Rome"}),)), Message(Role.USER, "Well?")])
    assert [part.content for part in request.parts] == ['Result of search: {"at": "Rome"}', "Well?"]


def test_who_speaks_twice_in_a_row_speaks_once() -> None:
    history = to_request(
        [Message(Role.USER, "a"), Message(Role.USER, "b"), Message(Role.ASSISTANT, "c"), Message(Role.ASSISTANT, "d")]
    )
    assert kinds(history) == [["user-prompt", "user-prompt"], ["text", "text"], ["user-prompt"]]


@pytest.mark.parametrize("said", [[], [Message(Role.ASSISTANT, "Hello.")]])
def test_the_last_word_is_never_the_model_s_own(said: list[Message]) -> None:
    last = to_request(said)[-1]
    assert [part.content for part in last.parts] == [GO_ON]


@given(st.lists(MESSAGES, max_size=6))
def test_any_conversation_is_sent_in_order(messages: list[Message]) -> None:
    history = to_request(messages, "Be brief.")
    assert isinstance(history[-1], ModelRequest)
    assert all(type(one) is not type(other) for one, other in pairwise(history))
    for one, other in zip(history, [*history[1:], None], strict=True):
        if isinstance(one, ModelResponse):
            made = [part.tool_call_id for part in one.parts if isinstance(part, ToolCallPart)]
            given = [part.tool_call_id for part in other.parts if isinstance(part, ToolReturnPart)] if other else []
            assert made == given
    if isinstance(history[0], ModelRequest):
        assert not any(isinstance(part, ToolReturnPart) for part in history[0].parts)


def test_times_are_kept_to_the_millisecond_in_ours_and_wholly_in_theirs() -> None:
    late = AT + timedelta(microseconds=99)
    [message] = to_messages([ModelResponse([TextPart("x")], timestamp=late)])
    assert message.at_ms == AT_MS + (1 if late.microsecond // 1000 > 678 else 0)
    [again] = from_messages([message])
    assert again.timestamp == late
