"""The order workload: a workflow with retries, timers, questions and effects, and a service on which the effects act.

Each event from outside has a ``token`` of its own, so that a history shows which events happened, and how often.
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
#: The result that an operator gives to an effect in doubt that was not executed.
GIVEN_UP: Final = "given up"

_TEXT: Final = """
workflow: order
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
    do: pay
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
    """The question of the workflow for this data."""
    return f"Go on after {len(values['log'])}?"


@cache
def order_workflow(version: int) -> Workflow:
    """One of two versions, which differ in their number only."""
    return loads(_TEXT % version)


@dataclass(frozen=True)
class ExternalService:
    """The service on which effects act. It is a folder, with a file for each effect and a line for each execution.

    ``rng`` decides how long work takes and when it fails. If the service ``is_calm``, work takes no time and succeeds.
    """

    folder: Path
    journal: Journal
    failpoints: Failpoints
    rng: random.Random
    is_calm: bool = False

    async def charge(self, mode: str, *, idempotency_key: str) -> str:
        """Execute the effect with this key; the receipt depends on the key alone."""
        number = self.journal.begin("execute", {"key": idempotency_key, "mode": mode})
        self.failpoints.reach("execute", "before")
        await asyncio.sleep(self.rng.uniform(0, 0.004))
        with (self.folder / idempotency_key).open("a", encoding="utf-8") as file:
            file.write(f"{mode} {self.journal.writer} {number}\n")
        self.failpoints.reach("execute", "after")
        self.journal.end(number, "execute", "ok", {})
        return receipt_of(idempotency_key)

    async def probe(self, mode: str, *, idempotency_key: str) -> Any:
        """The receipt of the effect, if it was executed."""
        del mode
        return receipt_of(idempotency_key) if (self.folder / idempotency_key).exists() else NOT_DONE

    def settlement(self, key: str) -> str:
        """The result that an operator gives to an effect in doubt."""
        return receipt_of(key) if (self.folder / key).exists() else GIVEN_UP

    async def work(self, longest_s: float) -> None:
        """Take some time, now and then long enough for others to take over, and fail now and then."""
        if self.is_calm:
            return
        is_long = self.rng.random() < 0.1
        await asyncio.sleep(self.rng.uniform(0.1, 0.4) if is_long else self.rng.uniform(0, longest_s))
        if self.rng.random() < 0.12:
            raise ConnectionError("the line is busy")

    @contextmanager
    def recorded_action(self, ctx: Context, name: str) -> Iterator[None]:
        """Note the beginning and the end of an action, which has failpoints."""
        facts = {"agent": ctx.agent_id, "name": name, "activation": ctx.activation, "attempt": ctx.attempt}
        number = self.journal.begin("action", facts)
        self.failpoints.reach("action", "before")
        outcome: Outcome = "failed"
        try:
            yield
            self.failpoints.reach("action", "after")
            outcome = "ok"
        finally:
            self.journal.end(number, "action", outcome, {})


def receipt_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def executions_in(folder: Path) -> dict[str, list[str]]:
    """All executed effects: key -> the mode of each execution."""
    return {path.name: [line.split()[0] for line in path.read_text().splitlines()] for path in folder.iterdir()}


def actions_in(service: ExternalService) -> list[Callable[..., Any]]:
    """The actions of orders."""
    modes = list(EffectMode)

    @action(emits=["charged"])
    async def pay(ctx: Context) -> Emission:
        with service.recorded_action(ctx, "pay"):
            await service.work(0.01)
            receipt = await _charged(service, ctx, "charge", modes[ctx.activation % len(modes)])
            await _charged(service, ctx, "tip", EffectMode.IDEMPOTENT)
            await service.work(0.01)
            ctx.data.worked += 1
            return ctx.emit("charged", receipt=receipt)

    @action
    async def check(ctx: Context) -> Literal["checked"]:
        with service.recorded_action(ctx, "check"):
            await asyncio.sleep(0 if service.is_calm else service.rng.uniform(0, 0.01))
            return "checked"

    @action
    def add_up(ctx: Context) -> Literal["summed"]:
        time.sleep(0 if service.is_calm else service.rng.uniform(0, 0.005))  # in a thread of its own
        ctx.data.sums[f"n{len(ctx.data.log) % 7}"] = len(ctx.data.log)
        return "summed"

    return [pay, check, add_up]


async def _charged(service: ExternalService, ctx: Context, name: str, mode: EffectMode) -> str:
    probe = service.probe if mode is EffectMode.CHECK else None
    receipt: str = await ctx.effect(name, service.charge, str(mode), mode=mode, probe=probe)
    return receipt
