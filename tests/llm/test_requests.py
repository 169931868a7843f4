"""Requests to models over real HTTP: what is sent, what comes back, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.secrets import without_likely_secrets
from fsm_agent.errors import (
    FsmAgentError,
    ModelKeyMissing,
    ModelRateLimited,
    ModelRefused,
    ModelReplyInvalid,
    ModelSettingsInvalid,
    ModelUnavailable,
    ModelUnknown,
)
from fsm_agent.llm import request
from fsm_agent.llm.models import Models
from fsm_agent.llm.request import ask
from fsm_agent.llm.resolve import resolve
from fsm_agent.llm.settings import _OURS, SETTINGS, setting_problems
from fsm_agent.llm.types import Ask, Call, Reply, Tool
from tests.support.servers.openai_stub import (
    CUTS,
    GARBAGE,
    HANGS,
    Answer,
    OpenAIStub,
    Script,
    calling,
    failing,
    refusing_the_key,
    write_script,
)

MODEL = "openai-chat:gpt-4.1"
SEARCH = Tool(
    "search", "Finds cities.", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
ANSWER = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
HELLO = (Message(Role.USER, "Hello?"),)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def is_streamed(request: pytest.FixtureRequest) -> bool:
    streamed: bool = request.param
    return streamed


def put(question: Ask, *, is_streamed: bool = False, on_text: Callable[[str], None] | None = None) -> Reply:
    """The reply to one question in a loop of its own."""

    async def asking() -> Reply:
        async with Models() as models:
            return await models.ask(question, on_text=on_text or (list[str]().append if is_streamed else None))

    return asyncio.run(asking())


def answering(stub: OpenAIStub, *answers: Answer | str | Script) -> None:
    stub.script = lambda request: (
        one(request) if callable(one := answers[min(request.number, len(answers) - 1)]) else one
    )


def test_words_come_back_with_what_they_cost(stub: OpenAIStub, is_streamed: bool) -> None:
    answering(stub, Answer("Hello to you, whoever you are.", usage=(120, 30)))
    reply = put(Ask(MODEL, HELLO, estimated_tokens=99), is_streamed=is_streamed)
    assert (reply.text, reply.calls, reply.finish, reply.model) == (
        "Hello to you, whoever you are.", (), "stop", "gpt-4.1",
    )  # fmt: skip
    usage = reply.usage
    assert (usage.requests, usage.input_tokens, usage.output_tokens, usage.refused) == (1, 120, 30, 0)
    assert (usage.context_tokens, usage.estimated_tokens) == (150, 99)
    assert usage.cost_micros == 120 * 2 + 30 * 8  # dollars per million tokens, by the price list
    assert usage.latency_ms > 0


def test_the_price_of_an_unknown_model_is_0(stub: OpenAIStub) -> None:
    assert put(Ask("openai-chat:my-own", HELLO)).usage.cost_micros == 0


def test_what_is_sent_is_what_was_asked(stub: OpenAIStub) -> None:
    put(Ask(MODEL, HELLO, system="Be brief.", tools=(SEARCH,), settings={"temperature": 0, "max_tokens": 9}))
    [request] = stub.requests
    assert request.path == "/v1/chat/completions"
    assert request.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert (request.body["temperature"], request.body["max_completion_tokens"]) == (0, 9)
    [tool] = request.body["tools"]
    assert (tool["function"]["name"], tool["function"]["description"]) == ("search", "Finds cities.")
    assert "parallel_tool_calls" not in request.body


def test_words_are_handed_over_as_they_come_and_the_reply_is_the_same(stub: OpenAIStub) -> None:
    heard: list[str] = []
    answering(stub, "Once upon a time there was a stream.")
    streamed = put(Ask(MODEL, HELLO), on_text=heard.append)
    whole = put(Ask(MODEL, HELLO))
    assert len(heard) > 2
    assert "".join(heard) == streamed.text == whole.text
    assert streamed.usage._replace(latency_ms=0) == whole.usage._replace(latency_ms=0)
    assert streamed._replace(usage=whole.usage) == whole


def test_calls_come_back_with_their_arguments(stub: OpenAIStub, is_streamed: bool) -> None:
    answering(stub, calling("search", city="Rome", id="c1"))
    reply = put(Ask(MODEL, HELLO, tools=(SEARCH,)), is_streamed=is_streamed)
    assert reply.calls == (Call("c1", "search", {"city": "Rome"}),)
    assert reply.calls[0].is_readable
    assert reply.message.calls == ("c1",)


@pytest.mark.parametrize(
    ("sent", "arguments"),
    [("{not json", "{not json"), ("[1]", "[1]"), ('{"city": NaN}', '{"city": NaN}'), ("", {}), ('"a"', '"a"')],
)
def test_arguments_that_are_no_object_stay_the_text_that_they_are(
    stub: OpenAIStub, is_streamed: bool, sent: str, arguments: Any
) -> None:
    answering(stub, calling("search", sent))
    [call] = put(Ask(MODEL, HELLO, tools=(SEARCH,)), is_streamed=is_streamed).calls
    assert call.arguments == arguments
    assert call.is_readable == isinstance(arguments, dict)


def test_one_call_at_a_time_is_asked_for_and_a_call_is_required_where_words_are_no_answer(stub: OpenAIStub) -> None:
    answering(stub, calling("search", city="Rome"))
    put(Ask(MODEL, HELLO, tools=(SEARCH,), allow_text=False, is_parallel=False))
    body = stub.requests[0].body
    assert (body["parallel_tool_calls"], body["tool_choice"]) == (False, "required")


def test_words_instead_of_a_call_are_for_the_asker_to_judge(stub: OpenAIStub) -> None:
    answering(stub, "I would rather talk.")
    reply = put(Ask(MODEL, HELLO, tools=(SEARCH,), allow_text=False))
    assert (reply.text, reply.calls) == ("I would rather talk.", ())


def test_an_output_is_valid_by_its_schema(stub: OpenAIStub, is_streamed: bool) -> None:
    answering(stub, calling("final_result", answer=42))
    reply = put(Ask(MODEL, HELLO, output=ANSWER), is_streamed=is_streamed)
    assert (reply.output, reply.calls, reply.parts) == ({"answer": 42}, (), ())
    assert reply.message == Message(Role.ASSISTANT, '{"answer": 42}')


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ({"type": "string"}, "Rome"),
        ({"type": ["integer", "null"]}, None),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, 3),
    ],
)
def test_an_output_need_not_be_an_object(stub: OpenAIStub, schema: Any, value: Any) -> None:
    answering(stub, calling("final_result", value=value))
    assert put(Ask(MODEL, HELLO, output=schema)).output == value


def test_with_an_output_asked_for_tools_can_still_be_called_first(stub: OpenAIStub) -> None:
    answering(stub, calling("search", city="Rome"))
    reply = put(Ask(MODEL, HELLO, tools=(SEARCH,), output=ANSWER))
    assert ([call.name for call in reply.calls], reply.output) == (["search"], None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(), "it is empty"),
        (Answer(finish="length"), "it is empty, cut off at `max_tokens`"),
        (Answer("  \n"), "it is empty"),
    ],
)
def test_an_empty_reply_is_none_and_was_paid_for(
    stub: OpenAIStub, is_streamed: bool, answer: Answer, said: str
) -> None:
    answering(stub, answer)
    with pytest.raises(ModelReplyInvalid) as raised:
        put(Ask(MODEL, HELLO), is_streamed=is_streamed)
    assert said in str(raised.value)
    assert (raised.value.usage.input_tokens, raised.value.usage.output_tokens) == (11, 7)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (calling("final_result", answer="many"), """it breaks the schema: answer: "many" is not of type "integer\""""),
        (calling("final_result"), 'it breaks the schema: "answer" is a required property'),
        (calling("final_result", "{oops"), "its values are not JSON: '{oops'"),
        ("Forty-two.", "it says 'Forty-two.' where values are asked for"),
        (Answer("Forty-t", finish="length"), "where values are asked for, cut off at `max_tokens`"),
    ],
)
def test_a_reply_that_breaks_the_schema_is_told_and_was_paid_for(
    stub: OpenAIStub, is_streamed: bool, answer: Answer | str, said: str
) -> None:
    answering(stub, answer)
    with pytest.raises(ModelReplyInvalid) as raised:
        put(Ask(MODEL, HELLO, output=ANSWER), is_streamed=is_streamed)
    assert said in str(raised.value)
    assert raised.value.usage.requests == 1
    assert raised.value.is_retryable


def test_an_output_that_is_wrapped_must_be(stub: OpenAIStub) -> None:
    answering(stub, calling("final_result", other=1))
    with pytest.raises(ModelReplyInvalid, match="its values lack `value`"):
        put(Ask(MODEL, HELLO, output={"type": "integer"}))


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusing_the_key, ModelKeyMissing, "refuses the key: set OPENAI_API_KEY"),
        (failing(404, "no such model", code="model_not_found"), ModelUnknown, "does not know it ('no such model')"),
        (failing(429, retry_after="7"), ModelRateLimited, "ask again in 7 s"),
        (failing(429), ModelRateLimited, "ask again later"),
        (failing(429, "pay", code="insufficient_quota"), ModelRefused, "status 429, 'pay'"),
        (failing(500), ModelUnavailable, "answers with status 500"),
        (failing(503), ModelUnavailable, "answers with status 503"),
        (failing(408), ModelUnavailable, "answers with status 408"),
        (failing(400, "too long", code="context_length_exceeded"), ModelRefused, "status 400, 'too long'"),
        (failing(403, "not you"), ModelRefused, "status 403, 'not you'"),
        (failing(422, ""), ModelRefused, "status 422"),
        (CUTS, ModelUnavailable, "the connection broke"),
        (GARBAGE, ModelReplyInvalid, "what its provider sent is no"),
        (Answer(garbage="{}"), ModelReplyInvalid, "what its provider sent is no"),
        (Answer(garbage='"text"'), ModelReplyInvalid, "what its provider sent is no"),
        (Answer(garbage=""), ModelReplyInvalid, "what its provider sent is no"),
    ],
    ids=lambda each: "" if isinstance(each, type | str) else getattr(each, "message", "key"),
)
def test_whatever_goes_wrong_is_an_error_of_ours(
    stub: OpenAIStub, is_streamed: bool, answer: Answer | Script, kind: type[FsmAgentError], said: str
) -> None:
    answering(stub, answer)
    with pytest.raises(FsmAgentError) as raised:
        put(Ask(MODEL, HELLO), is_streamed=is_streamed)
    assert type(raised.value) is kind, raised.value
    if not (is_streamed and kind is ModelReplyInvalid):
        assert said in str(raised.value)
    assert raised.value.__cause__ is None
    assert len(stub.requests) == 1, "it must not be repeated behind our back"


def test_a_rate_limit_says_when_to_come_again(stub: OpenAIStub) -> None:
    answering(stub, failing(429, retry_after="7"))
    with pytest.raises(ModelRateLimited) as raised:
        put(Ask(MODEL, HELLO))
    assert raised.value.after_s == 7


@pytest.mark.parametrize("setting", ["timeout", "request_timeout"])
def test_a_provider_that_hangs_is_given_up(stub: OpenAIStub, is_streamed: bool, setting: str) -> None:
    answering(stub, HANGS)
    with pytest.raises(ModelUnavailable, match="it does not answer in time"):
        put(Ask(MODEL, HELLO, settings={setting: 0.2}), is_streamed=is_streamed)
    assert len(stub.requests) == 1


def test_nobody_is_waited_for_without_end(stub: OpenAIStub, is_streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert request.PATIENCE_S == 120
    monkeypatch.setattr(request, "PATIENCE_S", 0.2)
    answering(stub, HANGS)
    with pytest.raises(ModelUnavailable, match="it does not answer in time"):
        put(Ask(MODEL, HELLO), is_streamed=is_streamed)


def test_a_connection_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch, is_streamed: bool) -> None:
    with OpenAIStub() as gone:
        address = gone.url
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(ModelUnavailable, match="the connection is refused"):
        put(Ask(MODEL, HELLO), is_streamed=is_streamed)


def test_a_key_that_the_provider_repeats_is_shown_nowhere(
    stub: OpenAIStub, is_streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fsm_agent")
    key = os.environ["OPENAI_API_KEY"]
    for status in (400, 401, 403, 404, 422):
        answering(stub, lambda request, status=status: failing(status, f"Bad key {key}, Bearer {key}, sk-other-98765"))
        with pytest.raises(FsmAgentError) as raised:
            put(Ask(MODEL, HELLO), is_streamed=is_streamed)
        shown = "".join(traceback.format_exception(raised.value)) + str(raised.value) + repr(raised.value)
        assert key not in shown
        assert "sk-other-98765" not in shown
    assert key not in caplog.text


def test_a_key_of_any_form_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWN_API_KEY", "open sesame")
    assert without_likely_secrets("the word is open sesame, I think", os.environ) == "the word is ***, I think"


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abcdef123", "sk-***************cdef", "Bearer abc.def-123456", "AIzaSyA1234567890abc", "gsk_abcdef12345"],
)
def test_what_looks_like_a_key_is_taken_out(secret: str) -> None:
    assert secret not in without_likely_secrets(f"it said {secret} to me", os.environ)


def test_a_secret_of_the_server_is_taken_out_and_no_name_of_ours() -> None:
    secret = f"fsm_{'a-_b' * 10}cde"
    assert without_likely_secrets(f"Bearer {secret}, {secret}!", {}) == "Bearer ***, ***!"
    ours = "fsm_agent.engine.replay.erased_program fsm_agent_coverage_of_all_that_tests_have_ever_taken_in_2026"
    assert without_likely_secrets(ours, {}) == ours


def test_an_address_is_shown_without_its_password() -> None:
    assert without_likely_secrets("at http://ana:hunter2@host/v1", os.environ) == "at http://***@host/v1"


def test_a_cancellation_passes_through(stub: OpenAIStub, is_streamed: bool) -> None:
    answering(stub, HANGS)

    async def asking() -> None:
        async with Models() as models:
            question = models.ask(Ask(MODEL, HELLO), on_text=list[str]().append if is_streamed else None)
            task = asyncio.ensure_future(question)
            await asyncio.to_thread(stub.arrived.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asking())


def test_what_a_listener_raises_is_not_blamed_on_the_model(stub: OpenAIStub) -> None:
    def listen(words: str) -> None:
        raise KeyError(words)

    with pytest.raises(KeyError, match="Hello"):
        put(Ask(MODEL, HELLO), on_text=listen)


def test_a_connection_is_kept_alive(stub: OpenAIStub) -> None:
    async def asking() -> None:
        async with Models() as models:
            for _ in range(5):
                await models.ask(Ask(MODEL, HELLO))
            await asyncio.gather(*(models.get(MODEL) for _ in range(3)))
            assert await models.get(MODEL) is await models.get(MODEL)

    asyncio.run(asking())
    assert (len(stub.requests), stub.connections) == (5, 1)


def test_models_that_were_closed_open_again(stub: OpenAIStub) -> None:
    async def asking() -> str:
        models = Models()
        await models.ask(Ask(MODEL, HELLO))
        await models.close()
        reply = await models.ask(Ask(MODEL, HELLO))
        await models.close()
        return reply.text

    assert asyncio.run(asking()) == "Hello."


def test_a_reply_that_was_recorded_is_the_same_when_it_is_read(stub: OpenAIStub) -> None:
    answering(
        stub, Answer("Let me see.", calls=calling("search", city="Rome").calls), calling("final_result", answer=1)
    )
    for question in (Ask(MODEL, HELLO, tools=(SEARCH,)), Ask(MODEL, HELLO, output=ANSWER)):
        reply = put(question)
        assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == reply


def test_the_model_called_test_needs_nobody(is_streamed: bool) -> None:
    assert put(Ask("test", HELLO), is_streamed=is_streamed).text == "success (no tool calls)"
    assert put(Ask("test", HELLO, output=ANSWER), is_streamed=is_streamed).output == {"answer": 0}


def test_the_model_called_test_calls_the_first_tool_where_words_are_no_answer(is_streamed: bool) -> None:
    other = Tool("other", "", {"type": "object", "properties": {}})
    said = (*HELLO, Message(Role.ASSISTANT, "Yes?"), Message(Role.USER, "Choose."))
    question = Ask("test", said, tools=(SEARCH, other), allow_text=False, is_parallel=False)
    assert [call.name for call in put(question, is_streamed=is_streamed).calls] == ["search"]
    both = Ask("test", HELLO, tools=(SEARCH, other))
    assert [call.name for call in put(both, is_streamed=is_streamed).calls] == ["search", "other"]
    one = Ask("test", HELLO, tools=(SEARCH, other), is_parallel=False)
    assert [call.name for call in put(one, is_streamed=is_streamed).calls] == ["search"]


def test_a_wrong_setting_is_told_with_those_there_are(stub: OpenAIStub) -> None:
    with pytest.raises(ModelSettingsInvalid) as raised:
        put(Ask(MODEL, HELLO, settings={"temprature": 1, "max_tokens": "many", "max_retries": 3}))
    assert str(raised.value).startswith(
        "the settings of the model are wrong: there is no `temprature` (did you mean `temperature`?); there are cache, "
    )
    assert 'max_tokens: "many" is not of type "integer"' in str(raised.value)
    assert "`max_retries` is not to be set: the `retry` of the state says how often it is asked" in str(raised.value)
    assert stub.requests == []


def test_good_settings_have_no_problems() -> None:
    assert list(setting_problems({"temperature": 0.5, "thinking": "low", "stop_sequences": ["."]})) == []


def test_the_settings_are_those_of_the_library_but_for_ours() -> None:
    from pydantic_ai.settings import ModelSettings

    assert set(SETTINGS) | set(_OURS) | {"framing_announcement"} == set(ModelSettings.__annotations__)


def test_a_model_can_be_asked_without_keeping_it() -> None:
    from pydantic_ai.models.test import TestModel

    assert asyncio.run(ask(TestModel(custom_output_text="Hi."), Ask("test", HELLO))).text == "Hi."


def test_a_model_that_nobody_opened_lets_go_of_its_connections(stub: OpenAIStub, is_streamed: bool) -> None:
    model: Any = resolve(MODEL)
    for _ in range(2):
        asyncio.run(ask(model, Ask(MODEL, HELLO), on_text=list[str]().append if is_streamed else None))
        assert model.client.is_closed()
    assert stub.connections == 2


def test_the_stub_serves_as_a_process_and_keeps_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = write_script(tmp_path / "script.json", [calling("search", city="Rome"), "Done."])
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "tests.support.servers.openai_stub", "--script", script, "--journal", journal]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{served.stdout.readline().strip()}/v1")
        first = put(Ask(MODEL, HELLO, tools=(SEARCH,)))
        assert put(Ask(MODEL, HELLO, tools=(SEARCH,))).calls == first.calls, "by turn, not by number"
        result = Message(Role.TOOL, parts=({"type": "tool_result", "id": first.calls[0].id, "name": "search",
                                            "content": "sunny", "is_error": False},))  # fmt: skip
        assert put(Ask(MODEL, (*HELLO, first.message, result), tools=(SEARCH,))).text == "Done."
        served.communicate("")
    assert served.returncode == 0
    assert [json.loads(line)["number"] for line in journal.read_text().splitlines()] == [0, 1, 2]
