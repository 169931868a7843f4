"""``llm.agent`` over real HTTP: tools, what goes wrong with them, and people who are asked before they are called."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import NOT_DONE, Runner
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.message import Role
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support import tool_module
from tests.support.llm_agents import offered, run_agent, runner, sent_messages, thread_messages, unwrapped, why
from tests.support.runtime import flow, on_loop, story
from tests.support.servers.openai_stub import Answer, OpenAIStub, calling, failing, in_order

TOOL_MODULE = {"modules": ["tests.support.tool_module"]}


@pytest.fixture(autouse=True)
def _no_calls() -> Iterator[None]:
    tool_module.calls.clear()
    tool_module.release.clear()
    yield
    tool_module.release.set()


def working(given: str, rest: str = "", *, extra: str = "") -> Workflow:
    return flow(f"""
        data: {{task: {{type: string, default: Find a hotel.}}, answer: string?, count: integer?, note: string?}}
        events: {{done: {{}}, yes: {{}}, no: {{reason: string?}}, other: {{}}}}
        initial: working
        states:
          working:
            do: llm.agent
            with: {{prompt: "{{{{ data.task }}}}", emit: done, {given}}}
            {rest}
            on: {{done: end, yes: working, no: working, other: working, error: failed, timeout: failed}}
          end: {{final: true, output: {{answer: data.answer, count: data.count}}}}
          failed: {{final: true, outcome: failed}}
        {extra}
    """)


ALL = "tools: [search, book, pay, refuse, fail, hang, nothing], into: answer"
ASKING = "tools: [search, {tool: book, approval: required}, pay], approval: {approve: yes, deny: no}, into: answer"


BOOKS = calling("book", hotel="Rome", nights=2)


def both(*calls: tuple[str, dict[str, Any]], text: str = "") -> Answer:
    return Answer(text, calls=tuple({"id": None, "name": name, "arguments": given} for name, given in calls))


@on_loop
async def test_a_model_calls_tools_until_it_has_an_answer(stub: OpenAIStub) -> None:
    stub.script = in_order(
        [calling("search", city="Rome", limit=1), calling("book", hotel="Rome 0", nights=2), "Booked."]
    )
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ALL), user="ana")
        assert agent.output == {"answer": "Booked.", "count": None}
        assert tool_module.calls == [("search", "Rome"), ("book", ("Rome 0", 2))]
        assert [each["content"] for each in sent_messages(stub) if each["role"] == "tool"] == [
            '["Rome 0"]', '{"hotel":"Rome 0","nights":2}',
        ]  # fmt: skip
        assert [entry.name for entry in await running.effects(agent.id)] == ["model"] * 3 + ["tool book", "tool search"]
        assert [(each.role, each.by) for each in await thread_messages(running, agent.id)] == [
            (Role.USER, "ana"), (Role.ASSISTANT, None), (Role.TOOL, None), (Role.ASSISTANT, None), (Role.TOOL, None),
            (Role.ASSISTANT, None),
        ]  # fmt: skip
        assert (agent.usage.requests, (await running.history(agent.id))[-1].said) == (3, 6)
        assert not (await running.replay(agent.id)).mismatches


@on_loop
async def test_a_tool_is_described_by_its_docstring_and_hints_and_its_key_is_not_the_models_to_give(
    stub: OpenAIStub,
) -> None:
    stub.script = in_order([calling("pay", amount=3), calling("pay", amount=3), "Done."])
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ALL))
        schemas = offered(stub)
        assert schemas["search"]["properties"]["city"] == {"type": "string", "description": "Where to look."}
        assert schemas["search"]["required"] == ["city"]
        assert set(schemas["pay"]["properties"]) == {"amount"}
        paid = [entry for entry in await running.effects(agent.id) if entry.name == "tool pay"]
        assert tool_module.calls == [("pay", (3, entry.key)) for entry in paid]
        assert len(paid) == 2


@on_loop
async def test_typed_values_are_an_answer_too(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("search", city="Rome"), calling("final_result", count=3)])
    agent = await run_agent(working("tools: [search], into: count"), **TOOL_MODULE)
    assert agent.output == {"answer": None, "count": 3}
    assert set(offered(stub)) == {"search", "final_result"}


@on_loop
async def test_several_calls_are_made_in_their_order(stub: OpenAIStub) -> None:
    stub.script = in_order([both(("search", {"city": "Rome"}), ("nothing", {}), ("search", {"city": "Oslo"})), "Done."])
    agent = await run_agent(working(ALL), **TOOL_MODULE)
    assert agent.status is Status.DONE
    assert tool_module.calls == [("search", "Rome"), ("search", "Oslo")]
    assert [each["content"] for each in sent_messages(stub) if each["role"] == "tool"][1] == "null"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (calling("serch", city="Rome"), "there is no tool 'serch' (did you mean `search`?); there are search, book"),
        (calling("search", town="Rome"), "the arguments of 'search' are wrong: city: Field required; town: Extra"),
        (calling("search", city="Rome", town="x"), "the arguments of 'search' are wrong: town: "),
        (calling("book", hotel="x", nights="many"), "the arguments of 'book' are wrong: nights: Input should be a"),
        (calling("search", '{"city": "Rome"'), "the arguments of 'search' cannot be read: they must be a JSON object"),
        (calling("pay", amount=1, idempotency_key="mine"), "the arguments of 'pay' are wrong: idempotency_key: "),
    ],
)  # fmt: skip
@on_loop
async def test_a_call_that_cannot_be_made_is_told_to_the_model_and_counted(
    stub: OpenAIStub, call: Answer, said: str
) -> None:
    stub.script = in_order([call, "Done."])
    agent = await run_agent(working(ALL), **TOOL_MODULE)
    assert (agent.status, agent.usage.refused) == (Status.DONE, 1)
    assert unwrapped(sent_messages(stub)[-1]["content"]).startswith(said)
    assert tool_module.calls == []


@on_loop
async def test_what_a_tool_says_is_wrong_is_told_to_the_model_and_is_on_record(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("refuse", why="closed"), "Done."])
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ALL))
        assert (agent.status, agent.usage.refused) == (Status.DONE, 0)
        assert unwrapped(sent_messages(stub)[-1]["content"]) == "that is not possible: closed"
        [entry] = [each for each in await running.effects(agent.id) if each.name == "tool refuse"]
        assert entry.result == {"text": "that is not possible: closed", "is_error": True}


@on_loop
async def test_a_tool_that_raises_fails_the_attempt_which_is_retried_as_declared(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("search", city="Rome"), calling("fail"), "Done."])
    retried = working(ALL, "retry: {attempts: 3, backoff: 1ms, on: [ConnectionError]}")
    agent = await run_agent(retried, **TOOL_MODULE)
    assert why(agent) == ("ConnectionError", "the line is dead")
    assert tool_module.calls == [("search", "Rome"), *[("fail", None)] * 3]
    assert (len(stub.requests), agent.usage.requests) == (2, 2)
    stub.requests.clear()
    assert why(await run_agent(working(ALL), **TOOL_MODULE))[0] == "ConnectionError"
    assert len(tool_module.calls) == 6


@on_loop
async def test_an_error_of_the_model_in_the_midst_costs_nothing_twice(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("search", city="Rome"), failing(503), "Done."])
    agent = await run_agent(working(ALL, "retry: {attempts: 2, backoff: 1ms, on: [ModelUnavailable]}"), **TOOL_MODULE)
    assert (agent.status, len(stub.requests), agent.usage.requests) == (Status.DONE, 3, 2)
    assert tool_module.calls == [("search", "Rome")]


@on_loop
async def test_a_tool_that_hangs_is_a_timeout_of_the_state(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("hang"), "Done."])
    agent = await run_agent(working(ALL, "timeout: 300ms"), **TOOL_MODULE)
    assert agent.status is Status.FAILED
    assert why(agent)[1] == "action 'llm.agent' took longer than 300 ms"


@on_loop
async def test_a_tool_is_found_only_in_allowed_modules_and_only_if_it_is_their_own(stub: OpenAIStub) -> None:
    wrong = {
        "run": "no tool 'run' in tests.support.tool_module",
        "dumps": "no tool 'dumps' in tests.support.tool_module",
        "_hidden": "no tool '_hidden' in tests.support.tool_module",
        "tests.support.tool_module:run": "no tool 'tests.support.tool_module:run' in tests.support.tool_module",
        "os:system": "module 'os' is not allowed",
        "calls": "no tool 'calls' in tests.support.tool_module",
    }
    for name, said in wrong.items():
        kind, message = why(await run_agent(working(f"tools: ['{name}']"), **TOOL_MODULE))
        assert kind in ("ActionError", "ModuleNotAllowed", "ToolMissing")
        assert message.startswith(said)
    agent = await run_agent(working("tools: ['tests.support.tool_module:search']"), **TOOL_MODULE)
    assert agent.status is Status.DONE
    assert stub.requests[-1].body["tools"][0]["function"]["name"] == "search"


@on_loop
async def test_tools_can_be_handed_over(stub: OpenAIStub) -> None:
    def greet(name: str) -> str:
        """Greets."""
        return f"Hello {name}."

    stub.script = in_order([calling("greet", {"name": "Ana"}), "Done."])
    agent = await run_agent(working("tools: [greet]"), tools=[greet])
    assert agent.status is Status.DONE
    assert sent_messages(stub)[-1]["content"] == "Hello Ana."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tools: [search, 'tests.support.tool_module:search']", "the name of tool 'search' is another's too"),
        ("tools: [search], rounds: 2", "the model had no answer after 2 replies; raise `rounds`, or ask for less"),
    ],
)
@on_loop
async def test_what_cannot_go_on_says_so(stub: OpenAIStub, given: str, said: str) -> None:
    stub.script = in_order([calling("search", city="Rome")])
    assert why(await run_agent(working(given), **TOOL_MODULE))[1].startswith(said)
    assert len(tool_module.calls) == (1 if "rounds" in given else 0)


@on_loop
async def test_a_function_that_no_json_can_fill_is_no_tool(stub: OpenAIStub) -> None:
    def odd(callback: type[Exception] | Any, other: Runner) -> None:
        """Odd."""

    kind, message = why(await run_agent(working("tools: [odd]"), tools=[odd]))
    assert kind == "ActionError"
    assert message.startswith("function 'odd' cannot be a tool: ")


@on_loop
async def test_two_calls_of_one_id_could_not_be_told_apart(stub: OpenAIStub) -> None:
    twice = Answer(calls=tuple({"id": "same", "name": "search", "arguments": {"city": city}} for city in ("a", "b")))
    stub.script = in_order([twice, "Done."])
    agent = await run_agent(working(ALL, "retry: {attempts: 2, backoff: 1ms}"), **TOOL_MODULE)
    assert (agent.status, agent.usage.requests, tool_module.calls) == (Status.DONE, 2, [])
    stub.requests.clear()
    stub.script = in_order([twice])
    assert why(await run_agent(working(ALL), **TOOL_MODULE))[0] == "ModelReplyInvalid"


# People who are asked


@on_loop
async def test_a_person_is_asked_before_a_call_and_told_all_of_it(stub: OpenAIStub) -> None:
    stub.script = in_order([calling("book", hotel="Rom Süd " * 300, nights=2), "Booked."])
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ASKING))
        assert agent.status is Status.WAITING
        assert agent.question is not None
        hotel = "Rom Süd " * 300
        assert agent.question.prompt == f'May the agent call `book` with {{"hotel": "{hotel}", "nights": 2}}?'
        assert set(agent.question.events) == {"yes", "no"}
        assert tool_module.calls == []
        agent = await running.answer(agent.id, event="yes", by="ben")
        assert (agent.status, agent.output) == (Status.DONE, {"answer": "Booked.", "count": None})
        assert tool_module.calls == [("book", (hotel, 2))]
        assert story(await running.history(agent.id)) == [
            "created created >working", "asked ask working>working", "event yes working>working",
            "event done working>end",
        ]  # fmt: skip
        assert agent.usage.requests == len(stub.requests) == 2
        assert not (await running.replay(agent.id)).mismatches


@on_loop
async def test_whoever_forbids_a_call_is_quoted_to_the_model(stub: OpenAIStub) -> None:
    for payload, said in (({"reason": "too dear"}, ": too dear"), ({}, "")):
        stub.requests.clear()
        stub.script = in_order([BOOKS, "Then not."])
        async with runner(**TOOL_MODULE) as running:
            agent = await running.start(working(ASKING))
            agent = await running.answer(agent.id, payload, event="no")
            assert (agent.status, agent.data["answer"]) == (Status.DONE, "Then not.")
            assert unwrapped(sent_messages(stub)[-1]["content"]) == f"a person does not allow this call{said}"
            assert tool_module.calls == []


@on_loop
async def test_of_several_calls_only_those_are_asked_about_that_need_it_one_after_the_other(stub: OpenAIStub) -> None:
    first, second = {"hotel": "Rome", "nights": 1}, {"hotel": "Oslo", "nights": 2}
    stub.script = in_order(
        [both(("book", first), ("search", {"city": "Rome"}), ("book", second), ("book", {"hotel": 1})), "Done."]
    )
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ASKING))
        assert tool_module.calls == [("search", "Rome")]
        assert agent.question is not None
        assert '"Rome"' in agent.question.prompt
        agent = await running.answer(agent.id, event="yes")
        assert agent.question is not None
        assert '"Oslo"' in agent.question.prompt
        assert tool_module.calls == [("search", "Rome"), ("book", ("Rome", 1))]
        agent = await running.answer(agent.id, {"reason": "no"}, event="no")
        assert agent.status is Status.DONE
        assert tool_module.calls == [("search", "Rome"), ("book", ("Rome", 1))]
        assert len(stub.requests) == 2
        results = [unwrapped(each["content"])[:16] for each in sent_messages(stub) if each["role"] == "tool"]
        assert results == ['{"hotel":"Rome",', '["Rome 0","Rome ', "a person does no", "the arguments of"]
        assert agent.usage.refused == 1


@on_loop
async def test_the_answer_may_come_to_another_process(stub: OpenAIStub, tmp_path: Path) -> None:
    stub.script = in_order([BOOKS, "Booked."])
    url = f"sqlite:///{tmp_path}/agents.db"
    async with runner(url=url, **TOOL_MODULE) as running:
        agent = await running.start(working(ASKING))
    async with runner(url=url, **TOOL_MODULE) as running:
        agent = await running.answer(agent.id, event="yes")
        assert (agent.status, tool_module.calls) == (Status.DONE, [("book", ("Rome", 2))])


@on_loop
async def test_another_event_is_no_answer_and_the_call_is_not_made(stub: OpenAIStub) -> None:
    stub.script = in_order([BOOKS, "Something else."])
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ASKING))
        agent = await running.send(agent.id, "other")
        assert (agent.status, agent.data["answer"], tool_module.calls) == (Status.DONE, "Something else.", [])
        assert [each["role"] for each in sent_messages(stub)] == ["user", "user"]


@on_loop
async def test_in_a_shared_thread_nobody_elses_call_is_made(stub: OpenAIStub) -> None:
    """Two agents ask at once; each answer is about the call of its own agent."""
    shared = working(ASKING, extra="conversation: {thread: \"'room'\"}")
    stub.script = in_order(
        [calling("book", id="1", hotel="Rome", nights=1), calling("book", id="1", hotel="Oslo", nights=2), "Done."]
    )
    async with runner(**TOOL_MODULE) as running:
        first, second = await running.start(shared), await running.start(shared)
        first = await running.answer(first.id, event="yes")
        assert (first.status, tool_module.calls) == (Status.DONE, [("book", ("Rome", 1))])
        second = await running.answer(second.id, event="yes")
        assert (second.status, tool_module.calls) == (Status.DONE, [("book", ("Rome", 1)), ("book", ("Oslo", 2))])


@on_loop
async def test_a_call_is_found_again_behind_more_results_than_a_window_has(stub: OpenAIStub) -> None:
    many = [("search", {"city": str(number), "limit": 0}) for number in range(100)]
    stub.script = in_order([both(*many, ("book", {"hotel": "Rome", "nights": 1})), "Done."])
    async with runner(**TOOL_MODULE) as running:
        agent = await running.start(working(ASKING))
        agent = await running.answer(agent.id, event="yes")
        assert agent.status is Status.DONE
        assert tool_module.calls[-1] == ("book", ("Rome", 1))
        assert len(tool_module.calls) == 101


# Crashes


async def crashed(running: Runner, workflow: Workflow, at: str) -> Agent:
    """Start an agent in a process that is gone when the result of effect ``at`` is to be recorded."""
    agent = await running.start(workflow, drive=False)
    end = running.store.end_effect

    async def gone(agent_id: str, entry: Any) -> bool:
        if entry.name == at:
            asyncio.get_running_loop().call_soon(driving.cancel)  # by somebody else than the action itself
            await asyncio.sleep(0)
        return await end(agent_id, entry)

    running.store.end_effect = gone  # type: ignore[method-assign]
    driving = asyncio.create_task(running.resume(agent.id))
    with pytest.raises(asyncio.CancelledError):
        await driving
    return agent


@on_loop
async def test_what_was_asked_for_at_most_once_parks_in_doubt_after_a_crash(stub: OpenAIStub, tmp_path: Path) -> None:
    stub.script = in_order([BOOKS, "Booked."])
    workflow = working("tools: [{tool: book, mode: at_most_once}], into: answer")
    url, clock = f"sqlite:///{tmp_path}/agents.db", FakeClock()
    async with runner(url=url, clock=clock, **TOOL_MODULE) as running:
        agent = await crashed(running, workflow, "tool book")
    clock.advance(seconds=60)
    async with runner(url=url, clock=clock, **TOOL_MODULE) as running:
        agent = await running.resume(agent.id)
        assert (agent.status, why(agent)[0]) == (Status.PARKED, "EffectInDoubt")
        assert len(tool_module.calls) == 1
        [doubtful] = [each for each in await running.effects(agent.id) if each.is_open]
        result = {"text": "booked by hand", "is_error": False}
        agent = await running.unpark(agent.id, effect=doubtful.key, result=result)
        assert (agent.status, agent.data["answer"]) == (Status.DONE, "Booked.")
        assert sent_messages(stub)[-1]["content"] == "booked by hand"
        assert (len(tool_module.calls), len(stub.requests), agent.usage.requests) == (1, 2, 2)
        assert doubtful.result is not NOT_DONE


@on_loop
async def test_what_is_idempotent_is_called_again_under_its_key(stub: OpenAIStub, tmp_path: Path) -> None:
    stub.script = in_order([calling("pay", amount=3), "Paid."])
    url, clock = f"sqlite:///{tmp_path}/agents.db", FakeClock()
    async with runner(url=url, clock=clock, **TOOL_MODULE) as running:
        agent = await crashed(running, working(ALL), "tool pay")
    clock.advance(seconds=60)
    async with runner(url=url, clock=clock, **TOOL_MODULE) as running:
        agent = await running.resume(agent.id)
    assert agent.status is Status.DONE
    assert len(tool_module.calls) == 2
    assert len(set(tool_module.calls)) == 1
