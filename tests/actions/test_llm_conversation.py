"""Conversations that outgrow their window: summaries that a model writes, over real HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.domain.agent import Status
from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.workflow import Workflow
from fsm_agent.memory.token_counts import estimate
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support.llm_agents import MODEL, runner, sent_messages, thread_messages, why
from tests.support.runtime import flow, on_loop
from tests.support.servers.openai_stub import Answer, OpenAIStub, Request, failing

BUDGET = 400
LONG = "Tell me everything about the hotels of Rome. " * 4


def chatting(more: str = "", rest: str = "") -> Workflow:
    return flow(f"""
        conversation: {{max_tokens: {BUDGET}, strategy: summarise{more}}}
        data: {{message: string, reply: string?}}
        events: {{said: {{}}, next: {{message: string}}}}
        initial: replying
        states:
          replying:
            do: llm.generate
            with: {{prompt: "{{{{ data.message }}}}", into: reply, conversation: true}}
            {rest}
            on: {{said: waiting, error: waiting}}
          waiting:
            on: {{next: {{target: replying, assign: {{message: event.message}}}}}}
    """)


def is_summary(request: Request) -> bool:
    return bool(request.body["messages"][0]["content"].startswith("You write the memory"))


def answer(request: Request) -> Answer:
    return Answer("They talk of Rome.", usage=(200, 20)) if is_summary(request) else Answer("Yes.", usage=(0, 0))


@on_loop
async def test_what_no_longer_fits_becomes_a_summary_that_is_paid_for_once_and_counted(stub: OpenAIStub) -> None:
    stub.script = answer
    async with runner(model=None, default_model=MODEL) as running:
        agent = await running.start(chatting(", model: 'openai-chat:cheap'"), data={"message": LONG})
        for number in range(8):
            agent = await running.send(agent.id, "next", {"message": f"{number} {LONG}"})
        summaries = [request for request in stub.requests if is_summary(request)]
        kept = [message for message in await thread_messages(running, agent.id) if message.role is Role.SUMMARY]
        assert 0 < len(summaries) == len(kept) < 9
        assert {request.body["model"] for request in summaries} == {"cheap"}
        assert agent.usage.requests == len(stub.requests) == 9 + len(summaries)
        assert agent.usage.tokens == 220 * len(summaries)
        for request in stub.requests:
            if not is_summary(request):
                shown = [Message(Role.USER, message["content"]) for message in request.body["messages"]]
                assert sum(map(estimate, shown)) <= BUDGET
        assert "They talk of Rome." in sent_messages(stub)[0]["content"]
        assert "user: " in summaries[0].body["messages"][1]["content"]
        assert not (await running.replay(agent.id)).mismatches


@on_loop
async def test_a_summary_on_record_is_not_paid_for_again_and_still_counts(stub: OpenAIStub, tmp_path: Path) -> None:
    stub.script = answer
    url, clock = f"sqlite:///{tmp_path}/agents.db", FakeClock()
    async with runner(url=url, clock=clock) as running:
        agent = await running.start(chatting(), data={"message": LONG})
        while not any(map(is_summary, stub.requests)):
            spent = agent.usage
            last = len(stub.requests)

            async def gone(commit: Any, keep: Any = running.store.commit) -> Any:
                if commit.step.event == "said" and any(map(is_summary, stub.requests)):
                    raise asyncio.CancelledError
                return await keep(commit)

            running.store.commit = gone  # type: ignore[method-assign]
            sending = asyncio.create_task(running.send(agent.id, "next", {"message": LONG}))
            try:
                agent = await sending
            except asyncio.CancelledError:
                break
    asked = len(stub.requests)
    assert asked == last + 2
    clock.advance(seconds=60)
    async with runner(url=url, clock=clock) as running:
        agent = await running.resume(agent.id)
        assert (agent.state, len(stub.requests)) == ("waiting", asked)
        assert (agent.usage.requests, agent.usage.tokens) == (spent.requests + 2, spent.tokens + 220)


@pytest.mark.parametrize(("answers", "kind"), [(failing(503), "ModelUnavailable"), (Answer(""), "ModelReplyInvalid")])
@on_loop
async def test_a_summary_that_cannot_be_had_is_an_error_and_nothing_is_said(
    stub: OpenAIStub, answers: Answer, kind: str
) -> None:
    stub.script = lambda request: answers if is_summary(request) else Answer("Yes.", usage=(0, 0))
    workflow = chatting()
    async with runner() as running:
        agent = await running.start(workflow, data={"message": LONG})
        said = 0
        while not any(map(is_summary, stub.requests)):
            said = len(await thread_messages(running, agent.id))
            agent = await running.send(agent.id, "next", {"message": LONG})
        assert len(await thread_messages(running, agent.id)) == said
        assert (await running.history(agent.id))[-1].payload["type"] == kind


@on_loop
async def test_a_window_that_is_too_small_is_an_error_before_anything_is_paid(stub: OpenAIStub) -> None:
    workflow = flow("""
        conversation: {max_tokens: 20}
        data: {message: string}
        events: {said: {}}
        initial: replying
        states:
          replying:
            do: llm.generate
            with: {prompt: "{{ data.message }}", conversation: true}
            on: {said: done, error: failed}
          done: {final: true}
          failed: {final: true, outcome: failed}
    """)
    async with runner() as running:
        agent = await running.start(workflow, data={"message": LONG})
        assert (agent.status, why(agent)[0]) == (Status.FAILED, "WindowTooSmall")
        assert stub.requests == []


@on_loop
async def test_a_window_is_smaller_where_the_provider_counts_more(stub: OpenAIStub) -> None:
    """What was estimated too low is corrected by what the last request was counted as."""
    workflow = flow(f"""
        conversation: {{max_tokens: {BUDGET}}}
        data: {{message: string}}
        events: {{said: {{}}, next: {{}}}}
        initial: replying
        states:
          replying:
            do: llm.generate
            with: {{prompt: "{{{{ data.message }}}}", conversation: true}}
            on: {{said: waiting}}
          waiting: {{on: {{next: replying}}}}
    """)
    shown: dict[str, int] = {}
    for name, factor in (("right", 1.0), ("more", 2.5)):
        stub.requests.clear()

        def counted(request: Request, factor: float = factor) -> Answer:
            words = [Message(Role.USER, message["content"] or "") for message in request.body["messages"]]
            return Answer("Yes.", usage=(round(sum(map(estimate, words)) * factor), 0))

        stub.script = counted
        async with runner() as running:
            agent = await running.start(workflow, data={"message": LONG})
            for _ in range(9):
                await running.send(agent.id, "next")
            shown[name] = len(sent_messages(stub))
    assert shown["right"] > shown["more"] > 0
