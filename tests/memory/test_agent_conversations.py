"""Conversations of agents that run: kept with the step or not at all, summarised once, whatever comes between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_agent import BlockingContext, Context, Runner, action, open_store
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message, Role, own_thread
from tests.support.runtime import flow, on_loop

CHAT = flow("""
    data: {text: string?}
    events: {say: {text: string}, said: {}}
    conversation: {max_tokens: 400, strategy: summarise}
    initial: listening
    states:
      listening: {on: {say: {target: answering, assign: {text: event.text}}}}
      answering:
        do: answer
        retry: {attempts: 2, backoff: 1ms}
        on: {said: listening}
""")
WORDS = " ".join(["word"] * 40)


def test_the_same_is_said_by_both_kinds_of_actions(tmp_path: Path) -> None:
    assert talked(tmp_path / "loop.db", is_blocking=False) == talked(tmp_path / "thread.db", is_blocking=True)


def talked(path: Path, *, is_blocking: bool) -> list[Message]:
    """The thread of an agent after twelve turns, each of which fails once behind its window."""
    told: list[int] = []
    failed: set[int] = set()

    def write(messages: list[dict[str, Json]], max_tokens: int) -> str:
        told.append(len(messages))
        return f"summary {len(told)} of {len(messages)}"

    def fail_once(version: int) -> None:
        if version not in failed:
            failed.add(version)
            raise ConnectionError("gone")

    @action(name="answer", emits=["said"])
    async def on_the_loop(ctx: Context) -> str:
        talk = ctx.thread(summarise=write)
        talk.append("user", ctx.data.text)
        shown = await talk.window()
        fail_once(ctx.activation)
        talk.append("assistant", f"read {len(shown)}")
        return "said"

    @action(name="answer", emits=["said"])
    def in_a_thread(ctx: BlockingContext) -> str:
        talk = ctx.thread(summarise=write)
        talk.append("user", ctx.data.text)
        shown = talk.window()
        fail_once(ctx.activation)
        talk.append("assistant", f"read {len(shown)}")
        return "said"

    @on_loop
    async def converse() -> None:
        async with Runner(
            open_store(f"sqlite:///{path}"), actions=[in_a_thread if is_blocking else on_the_loop]
        ) as runner:
            agent = await runner.start(CHAT, id="ana")
            for turn in range(12):
                await runner.send(agent.id, "say", {"text": f"{turn} {WORDS}"})
            kept.extend(await runner.store.messages(own_thread(agent.id)))

    kept: list[Message] = []
    converse()
    assert [each.content[:2].strip() for each in kept if each.role is Role.USER] == [str(turn) for turn in range(12)]
    summaries = [each for each in kept if each.role is Role.SUMMARY]
    assert len(summaries) == len(told) >= 3, "each was paid for once, though every attempt came twice"
    assert len(failed) == 12
    return [each._replace(at_ms=0) for each in kept]


@pytest.mark.parametrize("emitted", ["nonsense", None])
@on_loop
async def test_what_an_action_says_that_ends_badly_is_not_kept(emitted: Any) -> None:
    @action(name="answer", emits=["said"])
    async def answer(ctx: Context) -> Any:
        ctx.conversation.append("user", "lost")
        return emitted

    async with Runner(open_store("memory://"), actions=[answer]) as runner:
        agent = await runner.start(CHAT, "say", {"text": "x"})
        assert await runner.store.messages(own_thread(agent.id)) == []
