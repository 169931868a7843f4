"""``llm.generate`` over real HTTP: what is asked, what becomes of the reply, and of everything that is none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.message import Chunk, Role
from fsm_agent.domain.usage import Usage
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support.llm_agents import (
    MODEL,
    generate_workflow,
    offered,
    run_agent,
    runner,
    sent_messages,
    thread_messages,
    why,
)
from tests.support.runtime import flow, on_loop, story
from tests.support.servers.openai_stub import (
    CUTS,
    GARBAGE,
    HANGS,
    Answer,
    OpenAIStub,
    calling,
    failing,
    in_order,
    refusing_the_key,
)


def giving(**values: Any) -> Answer:
    return calling("final_result", values)


@on_loop
async def test_words_go_into_a_text_field(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer("A note.", usage=(30, 4))])
    agent = await run_agent(
        generate_workflow("{prompt: 'Note on {{ data.mood }}', system: 'Be {{ data.mood }}.', into: note}")
    )
    assert (agent.status, agent.data["note"]) == (Status.DONE, "A note.")
    assert sent_messages(stub) == [
        {"role": "system", "content": "Be good."},
        {"role": "user", "content": "Note on good"},
    ]
    assert offered(stub) == {}


@pytest.mark.parametrize(
    ("into", "values", "field", "schema"),
    [
        ("count", {"count": 3}, "count", {"type": ["integer", "null"]}),
        ("count", {"count": None}, "count", {"type": ["integer", "null"]}),
        ("tags", {"tags": ["a", "b"]}, "tags", {"type": "array", "items": {"type": "string"}, "default": []}),
        ("mood", {"mood": "bad"}, "mood", {"enum": ["good", "bad"], "default": "good"}),
        ("city", {"city": "Rome"}, "city", {"type": "string", "maxLength": 5, "default": ""}),
        (
            "tree",
            {"tree": {"name": "a", "below": [{"name": "b"}]}},
            "tree",
            {"anyOf": [{"$ref": "#/$defs/tree.node"}], "default": {"name": "root"}},
        ),
    ],
)  # fmt: skip
@on_loop
async def test_values_are_asked_for_by_the_schema_of_their_field(
    stub: OpenAIStub, into: str, values: dict[str, Any], field: str, schema: dict[str, Any]
) -> None:
    stub.script = in_order([giving(**values)])
    agent = await run_agent(generate_workflow(f"{{prompt: x, into: {into}}}"))
    assert agent.status is Status.DONE, agent.error
    assert agent.data[field] == values[field]
    wanted = offered(stub)["final_result"]
    assert wanted["properties"] == {field: schema}
    assert wanted["required"] == [field]
    assert set(wanted.get("$defs", {})) == ({"tree.node"} if field == "tree" else set())


@on_loop
async def test_several_fields_are_asked_for_at_once_and_each_must_be_given(stub: OpenAIStub) -> None:
    stub.script = in_order([giving(note="n", count=1, tags=["t"])])
    agent = await run_agent(generate_workflow("{prompt: x, into: [note, count, tags]}"))
    assert (agent.data["note"], agent.data["count"], agent.data["tags"]) == ("n", 1, ["t"])
    assert offered(stub)["final_result"]["required"] == ["note", "count", "tags"]


@on_loop
async def test_every_form_can_be_tried_with_the_test_model() -> None:
    for into in ("note", "count", "tags", "mood", "city", "tree", "[note, count, tags, mood, tree]"):
        agent = await run_agent(generate_workflow(f"{{prompt: x, into: {into}}}"), model="test")
        assert agent.status is Status.DONE, agent.error


def test_schemas_that_point_elsewhere_are_moved_whole() -> None:
    from fsm_agent.actions.builtin.llm_output import _moved

    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "default": {"$ref": "#"}, "x": {"$ref": "#/$defs/a~1b/items"}},
        "default": {"$ref": "#/not/a/pointer"},
        "enum": [{"$ref": "#"}],
        "allOf": [{"$ref": "#/properties/x"}, True],
    }
    assert _moved(schema, "f") == {
        "type": "object",
        "properties": {
            "$ref": {"type": "string"},
            "default": {"$ref": "#/properties/f"},
            "x": {"$ref": "#/$defs/f.a~1b/items"},
        },
        "default": {"$ref": "#/not/a/pointer"},
        "enum": [{"$ref": "#"}],
        "allOf": [{"$ref": "#/properties/f/properties/x"}, True],
    }


CHAT = """
    data: {message: string, reply: string?}
    events: {said: {}, next: {message: string}}
    initial: replying
    states:
      replying:
        do: llm.generate
        with: {prompt: "{{ data.message }}", system: Be brief., into: reply, conversation: true}
        on: {said: waiting, error: failed}
      waiting:
        on: {next: {target: replying, assign: {message: event.message}}}
      failed: {final: true, outcome: failed}
"""


@on_loop
async def test_with_the_conversation_the_model_is_shown_what_was_said_before(stub: OpenAIStub) -> None:
    stub.script = in_order(["Hello Ana.", "Ana."])
    async with runner() as running:
        agent = await running.start(flow(CHAT), data={"message": "I am Ana."}, user="ana")
        agent = await running.send(agent.id, "next", {"message": "Who am I?"})
        assert agent.data["reply"] == "Ana."
        assert sent_messages(stub) == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "I am Ana."},
            {"role": "assistant", "content": "Hello Ana."},
            {"role": "user", "content": "Who am I?"},
        ]
        kept = await thread_messages(running, agent.id)
        assert [(each.role, each.content, each.by) for each in kept] == [
            (Role.USER, "I am Ana.", "ana"), (Role.ASSISTANT, "Hello Ana.", None),
            (Role.USER, "Who am I?", "ana"), (Role.ASSISTANT, "Ana.", None),
        ]  # fmt: skip
        assert [step.said for step in await running.history(agent.id)] == [0, 2, 0, 2]
        assert not (await running.replay(agent.id)).mismatches


@on_loop
async def test_without_it_nothing_is_shown_and_nothing_is_kept(stub: OpenAIStub) -> None:
    workflow = flow(CHAT.replace(", conversation: true", ""))
    async with runner() as running:
        agent = await running.start(workflow, data={"message": "I am Ana."})
        await running.send(agent.id, "next", {"message": "Who am I?"})
        assert [each["content"] for each in sent_messages(stub)] == ["Be brief.", "Who am I?"]
        assert await thread_messages(running, agent.id) == []


@on_loop
async def test_prompt_and_reply_are_kept_with_the_step_or_not_at_all(stub: OpenAIStub) -> None:
    stub.script = in_order([failing(400, "no"), "Hello."])
    async with runner() as running:
        agent = await running.start(flow(CHAT), data={"message": "I am Ana."})
        assert agent.status is Status.FAILED
        assert await thread_messages(running, agent.id) == []


@on_loop
async def test_an_output_is_remembered_as_its_json(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer("Let me see.", calls=giving(count=3).calls)])
    async with runner() as running:
        agent = await running.start(generate_workflow("{prompt: How many?, into: count, conversation: true}"))
        assert [each.content for each in await thread_messages(running, agent.id)] == [
            "How many?",
            'Let me see.\n{"count": 3}',
        ]
        assert all(not each.calls for each in await thread_messages(running, agent.id))


@on_loop
async def test_a_prompt_may_mention_the_user_and_the_conversation(stub: OpenAIStub) -> None:
    workflow = flow("""
        user: {name: string?}
        data: {reply: string?}
        events: {said: {}, again: {}}
        initial: replying
        states:
          replying:
            do: llm.generate
            with:
              prompt: "{{ user.name }} {{ conversation.count }} <{{ conversation.last }}> <{{ conversation.text }}>"
              into: reply
              conversation: true
            on: {said: waiting}
          waiting: {on: {again: replying}}
    """)
    stub.script = in_order(["Hello."])
    async with runner() as running:
        agent = await running.start(workflow, user="ana")
        await running.send(agent.id, "again")
        first, second = sent_messages(stub, 0)[-1]["content"], sent_messages(stub)[-1]["content"]
        assert first == "none 0 <> <>"
        assert second == "none 2 <Hello.> <user: none 0 <> <>\nassistant: Hello.>"


@on_loop
async def test_words_are_heard_as_they_come(stub: OpenAIStub) -> None:
    stub.script = in_order(["Once upon a time there was a stream."])
    heard: list[Chunk] = []
    agent = await run_agent(generate_workflow("{prompt: x, into: note}"), listen=heard.append)
    assert len(heard) > 2
    assert "".join(chunk.text for chunk in heard) == agent.data["note"]
    assert {(chunk.agent_id, chunk.state) for chunk in heard} == {(agent.id, "writing")}


@on_loop
async def test_what_it_took_is_in_the_step_and_adds_up_in_the_agent(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer("One.", usage=(1_000, 100)), Answer("Two.", usage=(2_000, 200))])
    async with runner() as running:
        agent = await running.start(flow(CHAT), data={"message": "x"})
        agent = await running.send(agent.id, "next", {"message": "y"})
        steps = await running.history(agent.id)
        first, second = steps[1].usage, steps[3].usage
        assert (first.requests, first.input_tokens, first.output_tokens) == (1, 1_000, 100)
        assert first.cost_micros == 1_000 * 2 + 100 * 8
        assert steps[0].usage == steps[2].usage == Usage()
        head = await running.store.head(agent.id)
        assert head.usage == first.plus(second)
        assert (head.usage.tokens, head.usage.context_tokens) == (3_300, 2_200)
        assert agent.usage == head.usage


@on_loop
async def test_estimates_are_held_against_what_a_provider_counts_and_nobody_else(
    stub: OpenAIStub, tmp_path: Path
) -> None:
    stub.script = in_order([Answer("One two three.", usage=(400, 40))])
    counted = (await run_agent(flow(CHAT), data={"message": "x " * 100})).usage
    assert counted.context_tokens == 440
    assert counted.estimated_tokens > 100
    script = tmp_path / "script.yaml"
    script.write_text("- {when: {last: stated}, reply: Yes., usage: {input: 70, output: 7}}\n- reply: No.\n")
    for model in ("test", f"scripted:{script}"):
        for listen in (None, lambda chunk: None):
            guessed = (await run_agent(flow(CHAT), data={"message": "x"}, model=model, listen=listen)).usage
            assert guessed.tokens > 0
            assert guessed.context_tokens == 0
            if model != "test":
                stated = (await run_agent(flow(CHAT), data={"message": "stated"}, model=model, listen=listen)).usage
                assert (stated.context_tokens, stated.input_tokens, stated.output_tokens) == (77, 70, 7)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (refusing_the_key, "ModelKeyMissing", "refuses the key: set OPENAI_API_KEY"),
        (failing(404, "no such model"), "ModelUnknown", "its provider does not know it"),
        (failing(429, "slow down"), "ModelRateLimited", "takes no more requests now"),
        (failing(503), "ModelUnavailable", "answers with status 503"),
        (failing(400, "too long"), "ModelRefused", "too long"),
        (CUTS, "ModelUnavailable", "the connection broke"),
        (GARBAGE, "ModelReplyInvalid", "not JSON"),
        (Answer(""), "ModelReplyInvalid", "it is empty"),
        (Answer("Three."), "ModelReplyInvalid", "it says 'Three.' where values are asked for"),
        (giving(count="three"), "ModelReplyInvalid", "it breaks the schema"),
        (giving(count=1, more=2), "ModelReplyInvalid", "it breaks the schema"),
        (calling("final_result", '{"count": 3'), "ModelReplyInvalid", "its values are not JSON"),
        (calling("erase", {}), "ModelReplyInvalid", "it calls 'erase' where nothing can be called"),
    ],
)  # fmt: skip
@on_loop
async def test_what_goes_wrong_becomes_an_error_with_its_reason(
    stub: OpenAIStub, answer: Any, kind: str, said: str
) -> None:
    stub.script = in_order([answer])
    agent = await run_agent(generate_workflow("{prompt: x, into: count}"))
    assert agent.status is Status.FAILED
    assert why(agent)[0] == kind
    assert said in why(agent)[1]
    assert "sk-test" not in why(agent)[1]
    assert len(stub.requests) == 1


@on_loop
async def test_nobody_who_listens_and_no_model_or_key_are_errors_too(
    stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = await run_agent(generate_workflow("{prompt: x}"), model=None)
    assert why(nobody)[0] == "ModelUnknown"
    assert "no model is named" in why(nobody)[1]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    gone = await run_agent(generate_workflow("{prompt: x}"))
    assert why(gone)[1] == (
        f"model {MODEL!r} cannot be reached now: the connection is refused; the same request may be answered later"
    )
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    keyless = await run_agent(generate_workflow("{prompt: x}"))
    assert why(keyless)[1] == f"model {MODEL!r} needs a key: set the environment variable OPENAI_API_KEY"


@on_loop
async def test_the_model_is_the_operators_then_the_actions_then_the_projects(
    stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, bare = generate_workflow("{prompt: x, model: 'openai-chat:own'}"), generate_workflow("{prompt: x}")
    given = {"default_model": "openai-chat:project"}
    await run_agent(own, **given)
    await run_agent(own, model=None, **given)
    await run_agent(bare, model=None, **given)
    monkeypatch.setenv("FSM_AGENT_MODEL", "openai-chat:environment")
    await run_agent(bare, model=None, **given)
    assert [request.body["model"] for request in stub.requests] == ["gpt-4.1", "own", "project", "environment"]


RETRIED = "retry: {attempts: 3, backoff: 1ms, on: [ModelUnavailable, ModelReplyInvalid]}"


@on_loop
async def test_only_errors_that_are_named_are_tried_again(stub: OpenAIStub) -> None:
    stub.script = in_order([failing(503), failing(503), "Hello."])
    agent = await run_agent(generate_workflow("{prompt: x, into: note}", RETRIED))
    assert (agent.status, agent.data["note"], len(stub.requests)) == (Status.DONE, "Hello.", 3)
    stub.requests.clear()
    stub.script = in_order([failing(429), "Hello."])
    agent = await run_agent(generate_workflow("{prompt: x, into: note}", RETRIED))
    assert (agent.status, len(stub.requests)) == (Status.FAILED, 1)


@on_loop
async def test_a_reply_that_cannot_be_used_is_paid_for_and_counted(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer("", usage=(10, 1)), Answer("", usage=(10, 2)), Answer("Hello.", usage=(10, 4))])
    agent = await run_agent(generate_workflow("{prompt: x, into: note}", RETRIED))
    assert (agent.status, len(stub.requests)) == (Status.DONE, 3)
    assert (agent.usage.requests, agent.usage.output_tokens) == (3, 7)


@on_loop
async def test_a_provider_says_when_it_wants_to_be_asked_again(stub: OpenAIStub) -> None:
    stub.script = in_order([failing(429, retry_after="2"), "Hello."])
    workflow = generate_workflow("{prompt: x, into: note}", "retry: {attempts: 2, backoff: 1ms}")
    async with runner() as running:
        waits: list[int] = []
        sleep = running._executor.sleep

        async def asleep(head: Any, until_ms: int) -> int:
            waits.append(until_ms - head.updated_ms)
            return until_ms

        running._executor.sleep = asleep  # type: ignore[method-assign]
        agent = await running.start(workflow)
        running._executor.sleep = sleep  # type: ignore[method-assign]
    assert agent.status is Status.DONE
    assert len(waits) == 1
    assert waits[0] >= 2_000


@on_loop
async def test_a_model_that_hangs_is_a_timeout_of_the_state(stub: OpenAIStub) -> None:
    stub.script = in_order([HANGS])
    agent = await run_agent(generate_workflow("{prompt: x}", "timeout: 200ms"))
    assert agent.status is Status.FAILED
    assert why(agent)[1] == "action 'llm.generate' took longer than 200 ms"


@on_loop
async def test_a_reply_on_record_is_not_paid_for_again_when_the_process_was_gone_before_the_step(
    stub: OpenAIStub, tmp_path: Path
) -> None:
    stub.script = in_order([Answer("Hello.", usage=(50, 5))])
    url, clock = f"sqlite:///{tmp_path}/agents.db", FakeClock()
    async with runner(url=url, clock=clock) as running:
        agent = await running.start(generate_workflow("{prompt: x, into: note}"), drive=False)

        async def gone(*_: Any, **__: Any) -> Any:
            raise asyncio.CancelledError

        running.store.commit = gone  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await running.resume(agent.id)
        [entry] = await running.effects(agent.id)
        assert (entry.name, entry.is_open) == ("model", False)
    clock.advance(seconds=60)
    async with runner(url=url, clock=clock) as running:
        agent = await running.resume(agent.id)
        assert (agent.status, agent.data["note"]) == (Status.DONE, "Hello.")
        assert (agent.usage.requests, agent.usage.tokens) == (1, 55)
    assert len(stub.requests) == 1


BOUNDED = """
    data: {reply: string?}
    events: {said: {}, again: {}}
    initial: replying
    states:
      replying:
        do: llm.generate
        with: {prompt: x, into: reply}
        on: {said: waiting}
      waiting: {on: {again: replying}}
"""


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("tokens: 55", "limit tokens = 55 is reached: 55 are spent; raise the limit, or ask for less"),
        ("cost: 0.00014", "limit cost = $0.00014 is reached: $0.00014 are spent; raise the limit, or ask for less"),
    ],
)
@on_loop
async def test_what_may_be_spent_is_looked_at_before_a_request(stub: OpenAIStub, limit: str, said: str) -> None:
    stub.script = in_order([Answer("Hello.", usage=(50, 5))])
    async with runner() as running:
        agent = await running.start(flow(f"{BOUNDED}    limits: {{{limit}}}\n"))
        assert agent.status is Status.WAITING
        agent = await running.send(agent.id, "again")
        assert agent.status is Status.PARKED
        assert why(agent) == ("BudgetExceeded", said)
        assert len(stub.requests) == 1
        agent = await running.unpark(agent.id)
        assert (agent.status, len(stub.requests)) == (Status.WAITING, 2)
        agent = await running.send(agent.id, "again")
        assert (agent.status, len(stub.requests)) == (Status.PARKED, 2)
        assert story(await running.history(agent.id))[-1] == "parked error replying>replying"


@on_loop
async def test_an_agent_works_no_longer_than_its_wall_time(stub: OpenAIStub) -> None:
    stub.script = in_order([HANGS])
    workflow = flow(f"{BOUNDED}    limits: {{wall_time: 300ms}}\n")
    agent = await run_agent(workflow)
    assert agent.status is Status.PARKED
    assert why(agent)[0] == "BudgetExceeded"
    assert "limits.wall_time" in why(agent)[1]


@on_loop
async def test_what_was_paid_before_an_agent_was_parked_counts_once(stub: OpenAIStub) -> None:
    """The attempt after ``unpark`` hears what is on record, and that is in the history already."""
    stub.script = in_order([Answer("", usage=(10, 1)), Answer("Hello.", usage=(20, 2))])
    async with runner() as running:
        agent = await running.start(flow(BOUNDED))
        assert (agent.status, agent.usage.tokens) == (Status.PARKED, 11)
        agent = await running.unpark(agent.id)
        assert (agent.status, agent.data["reply"]) == (Status.WAITING, "Hello.")
        assert (agent.usage.requests, agent.usage.tokens) == (2, 33)
        assert not (await running.replay(agent.id)).mismatches


@on_loop
async def test_settings_are_the_models(stub: OpenAIStub) -> None:
    await run_agent(generate_workflow("{prompt: x, settings: {temperature: 0.5, max_tokens: 7}}"))
    body = stub.requests[0].body
    assert (body["temperature"], body["max_completion_tokens"]) == (0.5, 7)
    agent = await run_agent(generate_workflow("{prompt: x, settings: {temprature: 0.5}}"))
    assert "did you mean `temperature`?" in why(agent)[1]
    assert json.dumps(agent.to_json())
