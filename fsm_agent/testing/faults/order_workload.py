"""The workload: a workflow with everything that can go wrong, and actions that act on a world which remembers.

Each event from outside bears a ``token`` of its own, so that a history says which of them happened, and how often.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from fsm_agent.actions.action import Emission, action
from fsm_agent.actions.context import Context
from fsm_agent.domain.effect import NOT_DONE, EffectMode
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.testing.faults.failpoints import Failpoints
from fsm_agent.testing.faults.journal import Journal, Outcome

VERSIONS: Final = (1, 2)
#: What an operator says of an effect in doubt that was not done.
GIVEN_UP: Final = "given up"

_TEXT: Final = """
workflow: errand
version: %d
data:
  log: {type: array, items: {type: string}, default: []}
  worked: {type: integer, default: 0}
  sums: {type: object, default: {}}
  receipt: string?
events:
  note: {token: string}
  work: {token: string}
  sum: {token: string}
  ask: {token: string}
  reply: {token: string}
  stop: {token: string}
  charged: {receipt: string}
  checked: {}
  summed: {}
initial: idle
on:
  note: {append: {log: event.token}}
  stop: {target: done, append: {log: event.token}}
states:
  idle:
    on:
      work: {target: working, append: {log: event.token}}
      sum: {target: summing, append: {log: event.token}}
      ask: {target: asking, append: {log: event.token}}
  working:
    do: labour
    timeout: 30s
    retry: {attempts: 4, backoff: 10ms, on: [ConnectionError]}
    after: {45s: idle}
    on:
      charged: {target: checking, assign: {receipt: event.receipt}}
      error: idle
      timeout: idle
  checking:
    do: check
    on: {checked: idle, error: idle}
  summing:
    do: add_up
    on: {summed: idle, error: idle}
  asking:
    ask: {prompt: "Go on after {{ size(data.log) }}?", events: [reply]}
    after: {2s: idle, 1h: done}
    on:
      reply: {target: idle, append: {log: event.token}}
  done: {final: true, output: {worked: data.worked}}
"""


def prompt(values: Mapping[str, Any]) -> str:
    """What it asks, as its data stands."""
    return f"Go on after {len(values['log'])}?"


@cache
def errand(version: int) -> Workflow:
    """One of its versions; they differ in nothing but that."""
    return loads(_TEXT % version)


@dataclass(frozen=True)
class World:
    """What is outside, a folder: a file for each thing that was done, a line for each time that it was.

    ``chance`` says how long work takes and when it fails; in a calm world it never does.
    """

    folder: Path
    journal: Journal
    failpoints: Failpoints
    chance: random.Random
    is_calm: bool = False

    async def charge(self, mode: str, *, idempotency_key: str) -> str:
        """Do it, under the key by which it is known; the receipt depends on nothing else."""
        number = self.journal.invoked("execute", {"key": idempotency_key, "mode": mode})
        self.failpoints.reach("execute", "before")
        await asyncio.sleep(self.chance.uniform(0, 0.004))
        with (self.folder / idempotency_key).open("a", encoding="utf-8") as deeds:
            deeds.write(f"{mode} {self.journal.writer} {number}\n")
        self.failpoints.reach("execute", "after")
        self.journal.returned(number, "execute", "ok", {})
        return receipt_of(idempotency_key)

    async def ask(self, mode: str, *, idempotency_key: str) -> Any:
        """What a probe is told: the receipt of what was done."""
        del mode
        return receipt_of(idempotency_key) if (self.folder / idempotency_key).exists() else NOT_DONE

    def verdict(self, key: str) -> str:
        """What an operator says of an effect in doubt."""
        return receipt_of(key) if (self.folder / key).exists() else GIVEN_UP

    async def work(self, longest_s: float) -> None:
        """Take some time, now and then long enough that others take over, and fail now and then."""
        if self.is_calm:
            return
        is_long = self.chance.random() < 0.1
        await asyncio.sleep(self.chance.uniform(0.1, 0.4) if is_long else self.chance.uniform(0, longest_s))
        if self.chance.random() < 0.12:
            raise ConnectionError("the line is busy")

    @contextmanager
    def noting(self, ctx: Context, name: str) -> Iterator[None]:
        """An action at work."""
        facts = {"agent": ctx.agent_id, "name": name, "activation": ctx.activation, "attempt": ctx.attempt}
        number = self.journal.invoked("action", facts)
        self.failpoints.reach("action", "before")
        outcome: Outcome = "failed"
        try:
            yield
            self.failpoints.reach("action", "after")
            outcome = "ok"
        finally:
            self.journal.returned(number, "action", outcome, {})


def receipt_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def deeds_in(folder: Path) -> dict[str, list[str]]:
    """Everything that was ever done: key -> the mode of each time."""
    return {path.name: [line.split()[0] for line in path.read_text().splitlines()] for path in folder.iterdir()}


def actions_in(world: World) -> list[Callable[..., Any]]:
    """The actions of the workflow."""
    modes = list(EffectMode)

    @action(emits=["charged"])
    async def labour(ctx: Context) -> Emission:
        with world.noting(ctx, "labour"):
            await world.work(0.01)
            receipt = await _charged(world, ctx, "charge", modes[ctx.activation % len(modes)])
            await _charged(world, ctx, "tip", EffectMode.IDEMPOTENT)
            await world.work(0.01)
            ctx.data.worked += 1
            return ctx.emit("charged", receipt=receipt)

    @action
    async def check(ctx: Context) -> Literal["checked"]:
        with world.noting(ctx, "check"):
            await asyncio.sleep(0 if world.is_calm else world.chance.uniform(0, 0.01))
            return "checked"

    @action
    def add_up(ctx: Context) -> Literal["summed"]:
        time.sleep(0 if world.is_calm else world.chance.uniform(0, 0.005))  # in a thread of its own
        ctx.data.sums[f"n{len(ctx.data.log) % 7}"] = len(ctx.data.log)
        return "summed"

    return [labour, check, add_up]


async def _charged(world: World, ctx: Context, name: str, mode: EffectMode) -> str:
    probe = world.ask if mode is EffectMode.CHECK else None
    receipt: str = await ctx.effect(name, world.charge, str(mode), mode=mode, probe=probe)
    return receipt
