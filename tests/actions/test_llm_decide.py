"""``llm.decide`` over real HTTP: what is offered, what is refused, and what becomes of the choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.message import Role
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ActionError
from tests.support.llm_agents import offered, run_agent, runner, sent_messages, thread_messages, unwrapped, why
from tests.support.runtime import flow, on_loop, story
from tests.support.servers.openai_stub import Answer, OpenAIStub, calling, failing, in_order


def deciding(given: str = "{prompt: 'Customer: {{ data.message }}'}", rest: str = "") -> Workflow:
    """A state with events of every kind: plain, with a payload, guarded by data and by the payload, forbidden."""
    return flow(f"""
        description: Looks after customers.
        data:
          message: {{type: string, default: Hi}}
          amount: {{type: [integer, "null"], maximum: 100}}
          reply: string?
          vip: {{type: boolean, default: false}}
          log: {{type: array, items: {{type: integer, maximum: 100}}, default: []}}
        events:
          answer: {{text: string, tone: string?}}
          refund: {{amount: integer}}
          escalate: {{}}
          vips_only: {{}}
          forbidden: {{}}
          stay: {{note: string}}
          elsewhere: {{}}
        initial: outer
        on: {{forbidden: done, cancel: done}}
        states:
          outer:
            initial: deciding
            on: {{escalate: {{target: done, description: Hands over to a person.}}}}
            states:
              deciding:
                description: Read what the customer wants.
                do: llm.decide
                with: {given}
                {rest}
                after: {{1h: done}}
                on:
                  answer: {{target: done, assign: {{reply: event.text}}}}
                  refund:
                    - {{target: done, when: event.amount < 10, assign: {{amount: event.amount}}}}
                    - {{target: paying, when: event.amount > 50, assign: {{amount: event.amount}}, append: {{log: event.amount}}}}
                  vips_only: {{target: done, when: data.vip}}
                  forbidden: null
                  stay: {{assign: {{reply: event.note}}}}
                  error: failed
                  timeout: failed
          paying: {{on: {{elsewhere: done}}}}
          done: {{final: true, output: {{reply: data.reply, amount: data.amount}}}}
          failed: {{final: true, outcome: failed}}
    """)  # noqa: E501


@on_loop
async def test_exactly_the_events_are_offered_that_are_legal_now(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("escalate", {})])
    await run_agent(deciding())
    assert set(offered(stub)) == {"answer", "refund", "escalate", "stay"}
    await run_agent(deciding(), data={"vip": True})
    assert set(offered(stub)) == {"answer", "refund", "escalate", "stay", "vips_only"}
    body = stub.requests[-1].body
    assert body["tool_choice"] == "required"
    assert body["parallel_tool_calls"] is False


@on_loop
async def test_each_has_the_schema_of_its_payload_and_says_where_it_leads(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("escalate", {})])
    await run_agent(deciding())
    assert offered(stub)["answer"] == {
        "type": "object",
        "properties": {"text": {"type": "string"}, "tone": {"type": ["string", "null"]}},
        "required": ["text"],
        "additionalProperties": False,
    }
    says = {tool["function"]["name"]: tool["function"]["description"] for tool in stub.requests[0].body["tools"]}
    assert says == {
        "answer": "leads to done",
        "refund": "leads to done; leads to paying",
        "escalate": "Hands over to a person.; leads to done",
        "stay": "the agent stays where it is",
    }


@on_loop
async def test_the_model_is_told_where_the_agent_is(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("escalate", {})])
    await run_agent(deciding("{prompt: 'Customer: {{ data.message }}', system: Be kind.}"))
    system, user = sent_messages(stub)
    assert "Call exactly one of the tools" in system["content"]
    assert "Workflow w: Looks after customers." in system["content"]
    assert "State outer.deciding: Read what the customer wants." in system["content"]
    assert system["content"].endswith("\n\nBe kind.")
    assert user == {"role": "user", "content": "Customer: Hi"}
    await run_agent(deciding("{}"))
    assert sent_messages(stub)[-1] == {"role": "user", "content": "What happens next?"}


@on_loop
async def test_a_legal_choice_is_taken_with_its_payload(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("answer", text="Hello.")])
    async with runner() as running:
        agent = await running.start(deciding())
        assert (agent.status, agent.output) == (Status.DONE, {"reply": "Hello.", "amount": None})
        [_, step] = await running.history(agent.id)
        assert (step.event, step.payload) == ("answer", {"text": "Hello.", "tone": None})
        assert step.usage.refused == 0


@on_loop
async def test_guards_are_decided_with_the_payload(stub: OpenAIStub) -> None:
    for amount, state in ((5, "done"), (60, "paying")):
        stub.script = in_order([calling("refund", amount=amount)])
        agent = await run_agent(deciding())
        assert (agent.state, agent.data["amount"]) == (state, amount)


ALLOWED = "answer, refund, escalate, stay"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("I would answer."), f"Refused: no tool was called; call exactly one: {ALLOWED}"),
        (
            Answer(calls=({"name": "escalate", "id": "a"}, {"name": "answer", "id": "b"})),
            f"Refused: 2 tools were called; call exactly one: {ALLOWED}",
        ),
        (calling("explode"), f"Refused: event 'explode' is not allowed here; allowed: {ALLOWED}"),
        (calling("elsewhere"), f"Refused: event 'elsewhere' is not allowed here; allowed: {ALLOWED}"),
        (calling("vips_only"), f"Refused: event 'vips_only' is not allowed here; allowed: {ALLOWED}"),
        (calling("forbidden"), f"Refused: event 'forbidden' is not allowed here; allowed: {ALLOWED}"),
        *((calling(name), f"Refused: event {name!r} is not allowed here; allowed: {ALLOWED}")
          for name in ("cancel", "error", "timeout", "after", "created", "")),
        (calling("answer"), "Refused: the payload of event 'answer' is wrong: text must be given"),
        (calling("answer", text=1), "Refused: the payload of event 'answer' is wrong: text"),
        (calling("answer", {"text": "x", "name": "error"}), "Refused: the payload of event 'answer' is wrong: there"),
        (calling("answer", '{"text": "x"'), "Refused: the arguments of 'answer' cannot be read: they must be a JSON"),
        (calling("answer", '["x"]'), "Refused: the arguments of 'answer' cannot be read: they must be a JSON"),
        (calling("refund", amount=20), "Refused: event 'refund' is refused with this payload, because no guard held: "),
        (calling("refund", amount=2**63), "Refused: the arguments of 'refund' cannot be read: they must be a JSON"),
        (calling("refund", amount=101), "Refused: event 'refund' is refused with this payload: the data is wrong: amo"),
    ],
)  # fmt: skip
@on_loop
async def test_anything_else_is_refused_counted_and_told_with_what_is_allowed(
    stub: OpenAIStub, answer: Answer, said: str
) -> None:
    stub.script = in_order([answer, calling("answer", text="Hello.")])
    async with runner() as running:
        agent = await running.start(deciding())
        assert (agent.status, agent.data["reply"]) == (Status.DONE, "Hello.")
        results = [unwrapped(each["content"]) for each in sent_messages(stub)[3:]]
        assert len(results) == max(len(answer.calls), 1)
        assert [result[: len(said)] for result in results] == [said] * len(results)
        assert agent.usage.refused == 1
        assert (await running.history(agent.id))[-1].usage.requests == 2
        assert story(await running.history(agent.id)) == [
            "created created >outer.deciding", "event answer outer.deciding>done",
        ]  # fmt: skip


@on_loop
async def test_in_the_end_it_is_an_error(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("explode"), Answer("No."), calling("vips_only"), calling("escalate")])
    agent = await run_agent(deciding(rest="retry: {attempts: 5, backoff: 1ms}"))
    assert agent.status is Status.FAILED
    assert why(agent) == (
        "NoLegalChoice",
        "model 'openai-chat:gpt-4.1' chose nothing that is legal here in 3 replies; of the last one: event 'vips_only' "
        f"is not allowed here; allowed: {ALLOWED}",
    )
    assert (agent.usage.refused, agent.usage.requests, len(stub.requests)) == (3, 3, 3)


@on_loop
async def test_how_often_it_may_try_is_declared(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("explode")])
    agent = await run_agent(deciding("{tries: 5}"))
    assert (agent.usage.refused, len(stub.requests)) == (5, 5)


@on_loop
async def test_each_try_is_looked_at_before_it_is_paid_for(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer(calls=calling("explode").calls, usage=(60, 0))])
    workflow = flow("""
        events: {go: {}}
        initial: deciding
        states:
          deciding: {do: llm.decide, with: {tries: 9}, on: {go: deciding, error: failed}}
          failed: {final: true, outcome: failed}
        limits: {tokens: 100}
    """)
    agent = await run_agent(workflow)
    assert why(agent)[0] == "BudgetExceeded"
    assert (len(stub.requests), agent.usage.refused, agent.usage.tokens) == (2, 2, 120)


@on_loop
async def test_an_error_of_the_model_is_one_of_the_state(stub: OpenAIStub) -> None:
    stub.script = in_order([failing(503), calling("escalate")])
    agent = await run_agent(deciding(rest="retry: {attempts: 2, backoff: 1ms, on: [ModelUnavailable]}"))
    assert agent.status is Status.DONE
    stub.script = in_order([failing(503)])
    assert why(await run_agent(deciding()))[0] == "ModelUnavailable"


@on_loop
async def test_an_event_that_leaves_the_agent_where_it_is_ends_the_work(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("stay", note="later")])
    agent = await run_agent(deciding())
    assert (agent.state, agent.status, agent.data["reply"]) == ("outer.deciding", Status.WAITING, "later")
    assert len(stub.requests) == 1


@on_loop
async def test_where_nothing_can_be_chosen_nobody_is_asked(stub: OpenAIStub) -> None:
    workflow = flow("""
        events: {go: {}}
        initial: deciding
        states:
          deciding: {do: llm.decide, on: {go: {target: done, when: "1 > 2"}, error: failed}}
          done: {final: true}
          failed: {final: true, outcome: failed}
    """)
    agent = await run_agent(workflow)
    assert why(agent) == (
        ActionError.__name__,
        "nothing can be chosen in state 'deciding': no declared event is possible now",
    )
    assert stub.requests == []


@on_loop
async def test_a_guard_that_fails_on_a_payload_refuses_it(stub: OpenAIStub) -> None:
    workflow = flow("""
        events: {divide: {by_what: integer}}
        initial: deciding
        states:
          deciding: {do: llm.decide, on: {divide: {target: done, when: 10 / event.by_what > 1}}}
          done: {final: true}
    """)
    stub.script = in_order([calling("divide", by_what=0), calling("divide", by_what=2)])
    agent = await run_agent(workflow)
    assert (agent.status, agent.usage.refused) == (Status.DONE, 1)
    assert "divide by zero" in sent_messages(stub)[-1]["content"]


@on_loop
async def test_the_choice_is_remembered_and_what_was_refused_is_not(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("explode"), calling("stay", note="later"), calling("escalate")])
    async with runner() as running:
        workflow = deciding("{prompt: 'Customer: {{ data.message }}', conversation: true}")
        agent = await running.start(workflow, user="ana")
        kept = await thread_messages(running, agent.id)
        assert [(each.role, each.content, each.by) for each in kept] == [
            (Role.USER, "Customer: Hi", "ana"), (Role.ASSISTANT, "", None), (Role.TOOL, "", None),
        ]  # fmt: skip
        assert kept[1].parts[0]["name"] == "stay"
        assert kept[2].results == kept[1].calls
        assert kept[2].parts[0]["content"] == "taken"


@on_loop
async def test_without_a_prompt_the_conversation_is_what_it_decides_on(stub: OpenAIStub) -> None:
    workflow = flow("""
        data: {reply: string?}
        events: {said: {}, end: {}, more: {}}
        initial: replying
        states:
          replying:
            do: llm.generate
            with: {prompt: Say hello., into: reply, conversation: true}
            on: {said: deciding}
          deciding: {do: llm.decide, with: {conversation: true}, on: {end: done, more: replying}}
          done: {final: true}
    """)
    stub.script = in_order(["Hello.", calling("more"), "Hello again.", calling("end")])
    agent = await run_agent(workflow)
    assert agent.status is Status.DONE
    shown = [(each["role"], each.get("content")) for each in sent_messages(stub) if each["role"] != "system"]
    assert shown == [
        ("user", "Say hello."), ("assistant", "Hello."), ("tool", "taken"),
        ("user", "Say hello."), ("assistant", "Hello again."), ("user", "Go on."),
    ]  # fmt: skip


@on_loop
async def test_several_agents_can_decide_on_one_conversation(stub: OpenAIStub) -> None:
    workflow = flow("""
        conversation: {thread: "'room-' + data.room"}
        data: {room: string, message: string}
        events: {end: {}}
        initial: deciding
        states:
          deciding:
            do: llm.decide
            with: {prompt: "{{ data.message }}", conversation: true}
            on: {end: done}
          done: {final: true}
    """)
    stub.script = in_order([calling("end")])
    async with runner() as running:
        for message in ("first", "second"):
            await running.start(workflow, data={"room": "7", "message": message})
        assert [each["content"] for each in sent_messages(stub) if each["role"] == "user"] == ["first", "second"]
        assert len(await running.store.messages("room-7")) == 6


@on_loop
async def test_what_a_model_says_beside_its_choice_is_not_heard(stub: OpenAIStub) -> None:
    stub.script = in_order([Answer("I decide.", calls=calling("escalate").calls)])
    heard: list[Any] = []
    assert (await run_agent(deciding(), listen=heard.append)).status is Status.DONE
    assert heard == []


@on_loop
async def test_it_can_be_tried_with_scripted_models_and_with_none(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("""
- {when: {tool_result: explode}, reply: {call: escalate, arguments: {}}}
- {when: {state: outer.deciding}, reply: {call: explode, arguments: {}}}
""")
    for model in (f"scripted:{script}", "test"):
        agent = await run_agent(deciding(), model=model)
        assert agent.status is Status.DONE
