"""Steps per second: the engine in memory, one agent on disk, a hundred agents at once, a long conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from benchmarks import bars
from benchmarks.bare import bare_triggers
from benchmarks.measure import Row, at_least, at_most, interleave, noted
from benchmarks.place import RAW, Place
from benchmarks.sizes import Sizes
from benchmarks.subjects import DATA, EFFECTING, SPEAKING, TALKING, WORKING, speak, talk, work, work_outside
from fsm_agent import Runner, Store, Workflow, open_store


def engine_in_memory(sizes: Sizes) -> list[Row]:
    steps = sizes.memory_steps
    pair = interleave(lambda: drive_one(open_memory, steps), lambda: bare_triggers(steps), runs=sizes.runs)
    detail = f"{steps / pair.subject:,.0f} steps/s against {steps / pair.yardstick:,.0f} bare triggers/s"
    work = "engine + guard + validation + delta + history, memory store"
    return [at_least(work, bars.ENGINE_IN_MEMORY, pair.yardstick / pair.subject, detail)]


def open_memory() -> Store:
    return open_store("memory://")


def drive_one(
    open_it: Callable[[], Store],
    steps: int,
    workflow: Workflow = WORKING,
    *,
    settle: Callable[[], object] = lambda: None,
) -> float:
    """Seconds for the steps of one agent, which nobody disturbs; ``settle`` is called before they begin."""

    async def drive() -> float:
        async with Runner(open_it(), actions=[work, work_outside]) as runner:
            agent = await runner.start(workflow, data={**DATA, "until": steps})
            settle()
            began = time.perf_counter()
            await runner.send(agent.id, "go")
            return time.perf_counter() - began

    return asyncio.run(drive())


def one_agent_durable(place: Place, sizes: Sizes) -> list[Row]:
    steps, url = sizes.durable_steps, place.fresh()
    with place.raw() as raw:
        pair = interleave(
            lambda: drive_one(lambda: open_store(url), steps, settle=place.settle),
            lambda: raw.commits(steps, settle=partial(place.settle, RAW)),
            runs=sizes.runs,
        )
    detail = f"{steps / pair.subject:,.0f} steps/s against {steps / pair.yardstick:,.0f} raw commits/s"
    work = f"one agent, durable steps, {place.name}"
    return [at_least(work, bars.ONE_AGENT.get(place.name), pair.yardstick / pair.subject, detail + place.said_of_log)]


def hundred_agents(place: Place, sizes: Sizes) -> list[Row]:
    url = place.fresh()
    with place.raw() as raw:
        pair = interleave(
            lambda: drive_many(url, sizes, settle=place.settle),
            lambda: raw.commits(sizes.durable_steps, settle=partial(place.settle, RAW)),
            runs=sizes.runs,
        )
    steps_s = sizes.agents * sizes.steps_each / pair.subject
    commits_s = sizes.durable_steps / pair.yardstick
    detail = f"{steps_s:,.0f} steps/s against {commits_s:,.0f} raw commits/s of one client"
    work = f"{sizes.agents} agents, isolated, {place.name}"
    return [at_least(work, bars.MANY_AGENTS.get(place.name), steps_s / commits_s, detail + place.said_of_log)]


def drive_many(url: str, sizes: Sizes, *, settle: Callable[[], object] = lambda: None) -> float:
    """Seconds for all steps of agents that are driven at once; ``settle`` is called when all of them are there."""

    async def drive() -> float:
        async with Runner(open_store(url), actions=[work]) as runner:
            data = {**DATA, "until": sizes.steps_each}
            agents = await asyncio.gather(*(runner.start(WORKING, data=data) for _ in range(sizes.agents)))
            settle()
            began = time.perf_counter()
            await asyncio.gather(*(runner.send(agent.id, "go") for agent in agents))
            return time.perf_counter() - began

    return asyncio.run(drive())


class Conversation(NamedTuple):
    """What became of one: bytes, and the seconds of each third."""

    weight: int
    thirds: tuple[float, ...]


def long_conversation(place: Place, sizes: Sizes) -> list[Row]:
    """A list in the data, and a thread beside it."""
    return [
        row
        for way, workflow in (("by `append`", TALKING), ("in a thread", SPEAKING))
        for row in _long_conversation(place, sizes, way, workflow)
    ]


def _long_conversation(place: Place, sizes: Sizes, way: str, workflow: Workflow) -> list[Row]:
    ours = converse(place, sizes.messages, workflow)
    third = sizes.messages // 3
    work = f"{sizes.messages:,} messages {way}, {place.name}"
    times = f"last {third:,} steps {ours.thirds[2]:.2f} s, first {third:,} steps {ours.thirds[0]:.2f} s"
    rows = [
        at_most(
            f"{work}: time of the last third against the first",
            bars.CONVERSATION_TIME,
            ours.thirds[2] / ours.thirds[0],
            times,
        )
    ]
    if place.name == "memory":
        return rows
    place.fresh()  # for the scales of a server that has but one memory
    with place.raw() as raw:
        raw.append_all(sizes.messages)
        weight = place.weigh_raw(raw)
    detail = f"{ours.weight / 1e6:.2f} MB against {weight / 1e6:.2f} MB for messages of 200 B, one a step"
    return [at_most(f"{work}: bytes against raw appends", bars.CONVERSATION_BYTES, ours.weight / weight, detail), *rows]


def converse(place: Place, messages: int, workflow: Workflow) -> Conversation:
    return asyncio.run(_converse(place, messages, workflow))


async def _converse(place: Place, messages: int, workflow: Workflow) -> Conversation:
    marks: list[float] = []
    third = messages // 3

    def observe(head: Any) -> None:
        if head.version == max(1, len(marks) * third) and len(marks) <= 3:
            marks.append(time.perf_counter())

    async with Runner(open_store(place.fresh()), actions=[talk, speak], observe=observe) as runner:
        await runner.start(workflow, data={"until": messages})
        weight = place.weigh()
    return Conversation(weight, tuple(after - before for before, after in pairwise(marks)))


def effect_a_step(place: Place, sizes: Sizes) -> list[Row]:
    """An effect is recorded when it begins and when it has ended: two more writes a step."""
    steps, url = sizes.durable_steps, place.fresh()

    def of(workflow: Workflow) -> float:
        return drive_one(lambda: open_store(url), steps, workflow, settle=place.settle)

    pair = interleave(lambda: of(EFFECTING), lambda: of(WORKING), runs=sizes.runs)
    detail = f"{pair.subject / steps * 1e6:,.0f} us against {pair.yardstick / steps * 1e6:,.0f} us for a plain step"
    return [noted(f"a step with an effect against a plain step, {place.name}", pair.subject / pair.yardstick, detail)]


def sealed_steps(place: Place, sizes: Sizes) -> list[Row]:
    """Everything that agents say is encrypted before it is written (AES-256-GCM)."""
    steps, keys = sizes.durable_steps, {"bench": bytes(range(32))}

    def of(sealing: dict[str, bytes] | None) -> float:
        url = place.fresh()
        return drive_one(lambda: open_store(url, keys=sealing), steps, settle=place.settle)

    pair = interleave(lambda: of(keys), lambda: of(None), runs=sizes.runs)
    detail = f"{pair.subject / steps * 1e6:,.0f} us against {pair.yardstick / steps * 1e6:,.0f} us unsealed"
    return [noted(f"a sealed step against a plain one, {place.name}", pair.subject / pair.yardstick, detail)]
