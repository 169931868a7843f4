"""Agents that pay, for workers in processes of their own: what they do outside is a line in a file for each time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.effect import EffectMode
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads

PAYMENT: Workflow = loads("""
workflow: payment
version: 1
data: {paid: {type: integer, default: 0}}
events: {ok: {}, again: {}}
initial: paying
states:
  paying: {do: pay, on: {ok: mailing}}
  mailing: {do: mail, on: {ok: resting}}
  resting: {on: {again: paying}}
""")


def actions_in(folder: Path, *, longest_s: float = 0) -> list[Callable[..., Any]]:
    """``pay`` may happen once at most, ``mail`` is asked for with a key. Each takes ``longest_s``, once the file
    ``hold`` in the folder is gone."""

    async def do(what: str, *, idempotency_key: str) -> str:
        await asyncio.sleep(longest_s / 2)
        with (folder / "done" / idempotency_key).open("a") as file:
            file.write(f"{what} {os.getpid()}\n")
        await asyncio.sleep(longest_s / 2)
        return what

    async def hold(ctx: Context, what: str) -> None:
        (folder / "begun" / f"{ctx.agent_id}-{what}").touch()
        while (folder / "hold").exists():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)

    @action
    async def pay(ctx: Context) -> str:
        await hold(ctx, "pay")
        await ctx.effect("pay", do, "pay", mode=EffectMode.AT_MOST_ONCE)
        ctx.data.paid += 1
        return "ok"

    @action
    async def mail(ctx: Context) -> str:
        await hold(ctx, "mail")
        await ctx.effect("mail", do, "mail", mode=EffectMode.IDEMPOTENT)
        return "ok"

    return [pay, mail]


def make_folder(folder: Path) -> Path:
    for name in ("done", "begun"):
        (folder / name).mkdir(parents=True)
    return folder


def times_done(folder: Path) -> dict[str, int]:
    """How often each effect was done, by its key."""
    return {path.name: len(path.read_text().splitlines()) for path in (folder / "done").iterdir()}
