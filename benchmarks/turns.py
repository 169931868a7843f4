"""A turn of a conversation - something is said, the window is read, an answer is said, both are kept - in a long thread
and in a short one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from benchmarks import bars
from benchmarks.matter import message
from benchmarks.measure import Row, at_most, interleave
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from fsm_agent import Context, Runner, State, Workflow, action, open_store

#: what a model is shown: some thirty messages of 200 B
WINDOW: Final = 2_000


@action(emits=["recalled"])
async def recall(ctx: Context) -> str:
    """As many messages as the thread is to have."""
    for number in range(ctx.data.until):
        ctx.conversation.append("user", message(number)["content"])
    return "recalled"


@action(emits=["answered"])
async def take_a_turn(ctx: Context) -> str:
    ctx.conversation.append("user", message(ctx.activation)["content"])
    shown = await ctx.conversation.window(WINDOW)
    ctx.conversation.append("assistant", f"{len(shown)} messages are known, {message(-ctx.activation)['content']}")
    return "answered"


CHATTING: Final = Workflow(
    "chatting",
    version=1,
    data={"until": "integer"},
    events={"recalled": {}, "say": {}, "answered": {}},
    initial="recalling",
    states=[
        State("recalling", do=recall, on={"recalled": "listening"}),
        State("listening", on={"say": "answering"}),
        State("answering", do=take_a_turn, on={"answered": "listening"}),
    ],
)


def turns_of_a_conversation(place: Place, sizes: Sizes) -> list[Row]:
    """The long thread is that of one agent, the short one of a new agent in each run, or it would grow."""
    with asyncio.Runner() as loop:
        runner = Runner(open_store(place.fresh()), actions=[recall, take_a_turn])
        loop.run(runner.__aenter__())
        try:
            begin = partial(_begin, runner)
            long = loop.run(begin(sizes.long_thread))
            pair = interleave(
                lambda: loop.run(_talk(runner, long, sizes.turns)),
                lambda: loop.run(_talk(runner, loop.run(begin(sizes.short_thread)), sizes.turns)),
                runs=sizes.runs,
            )
        finally:
            loop.run(runner.__aexit__(None, None, None))
    each, short = (seconds / sizes.turns * 1e3 for seconds in (pair.subject, pair.yardstick))
    detail = f"{each:.2f} ms a turn against {short:.2f} ms, with a window of {WINDOW:,} tokens"
    work = f"a turn of a conversation of {sizes.long_thread:,} messages against {sizes.short_thread:,}, {place.name}"
    return [at_most(work, bars.LONG_THREAD, pair.subject / pair.yardstick, detail)]


async def _begin(runner: Runner, messages: int) -> str:
    """The id of an agent whose thread has so many messages."""
    return (await runner.start(CHATTING, data={"until": messages})).id


async def _talk(runner: Runner, agent_id: str, turns: int) -> float:
    """The seconds of so many turns."""
    began = asyncio.get_running_loop().time()
    for _ in range(turns):
        await runner.send(agent_id, "say")
    return asyncio.get_running_loop().time() - began
