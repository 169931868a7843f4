"""What agents and people say stands in no span and in no metric, whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.instrumented import InstrumentationSettings

from fsm_agent import Context, FsmAgentError, Runner, Surroundings, action, open_store
from fsm_agent.actions.action import Emission
from tests.support.llm_agents import MODEL, generate_workflow
from tests.support.runtime import flow, on_loop
from tests.support.servers.openai_stub import Answer, OpenAIStub, failing, in_order
from tests.support.telemetry import Recorded, parents

SAID = "hunter2-in-the-garden"
WORK = flow("""
    data: {secret: string}
    events: {ok: {}, said: {text: string}, yes: {text: string}}
    initial: working
    states:
      working: {do: work, with: {given: data.secret}, retry: {attempts: 2, backoff: 0s}, on: {ok: asking, said: asking}}
      asking: {ask: {prompt: "Is {{ data.secret }} right?", events: [yes]}, on: {yes: done}}
      done: {final: true, output: {secret: data.secret}}
""")


async def emit_payload(ctx: Context, given: str) -> Any:
    return Emission("said", {"text": given})


async def emit_what_is_no_event(ctx: Context, given: str) -> Any:
    return given


async def raise_it(ctx: Context, given: str) -> Any:
    raise ValueError(given)


async def raise_with_notes(ctx: Context, given: str) -> Any:
    error = KeyError(given)
    error.add_note(given)
    raise error from OSError(given)


async def ask_it(ctx: Context, given: str) -> Any:
    return ctx.ask(f"What is {given}?", ["yes"], to=[given])


async def do_it_outside(ctx: Context, given: str) -> Any:
    def fail(text: str) -> None:
        raise ConnectionError(text)

    await ctx.effect("send", fail, given, mode="at_most_once")


async def write_it(ctx: Context, given: str) -> Any:
    ctx.data.secret = given * 2
    ctx.conversation.append("user", given)
    return "ok"


def block_it(ctx: Context, given: str) -> Any:
    raise PermissionError(given)


ACTIONS = [
    emit_payload, emit_what_is_no_event, raise_it, raise_with_notes, ask_it, do_it_outside, write_it, block_it,
]  # fmt: skip


@pytest.mark.parametrize("function", ACTIONS, ids=lambda function: function.__name__)
@on_loop
async def test_what_an_agent_is_given_and_says_is_not_recorded(function: Any) -> None:
    recorded = Recorded()
    known = action(name="work")(function)
    async with Runner(open_store("memory://"), actions=[known], telemetry=recorded.telemetry) as runner:
        gauges = recorded.telemetry.watch(tally=runner.store.tally, questions=runner.store.count_questions)
        await runner.start(WORK, id="a", data={"secret": SAID}, key=SAID, by=SAID, user=SAID, labels={SAID: SAID})
        for call in (
            runner.answer("a", {"text": SAID}, event="yes", by=SAID),
            runner.answer("a", {"text": [SAID]}, event="yes", by=SAID),
            runner.send("a", SAID, {"text": SAID}),
            runner.unpark("a", by=SAID),
        ):
            with suppress(FsmAgentError):
                await call
        await gauges.refresh()
        assert SAID in str(await runner.store.load("a"))
    text = recorded.text()
    assert "w working" in text
    assert "fsm_agent.steps" in text
    assert SAID not in text


@on_loop
async def test_no_id_of_an_agent_is_in_a_metric() -> None:
    recorded = Recorded()
    known = action(name="work")(emit_payload)
    async with Runner(open_store("memory://"), actions=[known], telemetry=recorded.telemetry) as runner:
        gauges = recorded.telemetry.watch(tally=runner.store.tally, questions=runner.store.count_questions)
        await runner.start(WORK, id="agent-007", data={"secret": SAID})
        with pytest.raises(FsmAgentError):
            await runner.send("agent-007", "ok")
        await gauges.refresh()
    assert "agent-007" in recorded.text()
    assert "agent-007" not in recorded.metrics_text()


@pytest.fixture
def instrumented() -> Iterator[Recorded]:
    """pydantic-ai is instrumented as docs/telemetry.md says."""
    recorded = Recorded()
    PydanticAgent.instrument_all(
        InstrumentationSettings(
            tracer_provider=recorded.tracer_provider, meter_provider=recorded.meter_provider, include_content=False
        )
    )
    yield recorded
    PydanticAgent.instrument_all(False)


@on_loop
async def test_a_request_to_a_model_is_a_span_within_the_attempt(instrumented: Recorded) -> None:
    around = Surroundings(model="test")
    async with Runner(open_store("memory://"), surroundings=around, telemetry=instrumented.telemetry) as runner:
        await runner.start(generate_workflow(f"{{prompt: {SAID}, into: note}}"))
    assert parents(instrumented.spans) == {"w writing": None, "chat test": "w writing"}
    assert SAID not in instrumented.text()


@pytest.mark.long
@pytest.mark.parametrize("is_streamed", [False, True])
def test_and_says_nothing_of_prompts_and_replies(instrumented: Recorded, stub: OpenAIStub, is_streamed: bool) -> None:
    stub.script = in_order([Answer(f"{SAID}, they say", usage=(30, 4)), failing(400, f"you said {SAID}")])
    told: list[str] = []

    @on_loop
    async def ask_twice() -> None:
        around = Surroundings(model=MODEL, listen=(lambda chunk: told.append(chunk.text)) if is_streamed else None)
        async with Runner(open_store("memory://"), surroundings=around, telemetry=instrumented.telemetry) as runner:
            workflow = generate_workflow(f"{{prompt: {SAID}, system: {SAID}, into: note}}")
            agent = await runner.start(workflow)
            assert SAID in agent.data["note"]
            await runner.start(workflow)

    ask_twice()
    assert bool(told) == is_streamed
    assert parents(instrumented.spans) == {"w writing": None, "chat gpt-4.1": "w writing"}
    assert instrumented.outcomes().count("emitted") == 1
    assert instrumented.outcomes().count("failed") == 1
    assert SAID not in instrumented.text()
