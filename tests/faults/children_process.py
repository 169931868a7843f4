"""A worker that will be killed: it drives a parent and its hundred children, whose effects are noted in a file.

    python -m tests.faults.children_process FOLDER

It prints ``did`` when an effect was executed, and ``ended`` when the parent has ended.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from fsm_agent import Context, Runner, Worker, action, open_store
from fsm_agent.domain.agent import ENDED, Head
from fsm_agent.domain.workflow import Workflow
from fsm_agent.stores.base import Store
from tests.support.runtime import flow

PARENT_ID = "p"
CHILDREN = 100

#: Its children work, wait a little, and work again, so that another worker may go on with them.
PARENT: Workflow = flow(f"""
    data: {{receipts: {{type: array, default: []}}}}
    events: {{joined: {{}}}}
    workflows:
      child:
        workflow: child
        version: 1
        data: {{number: integer, receipts: {{type: array, default: []}}}}
        events: {{begun: {{}}, done_so: {{}}}}
        initial: beginning
        states:
          beginning: {{do: pay, on: {{begun: resting}}}}
          resting: {{after: {{1ms: ending}}}}
          ending: {{do: pay, on: {{done_so: done}}}}
          done: {{final: true, output: {{receipts: data.receipts}}}}
    initial: running
    states:
      running:
        do: workflow.run
        with:
          workflow: child
          for_each: '{list(range(CHILDREN))}'
          data: {{number: item}}
          at_once: 10
          into: receipts
        on: {{joined: done}}
      done: {{final: true, output: {{receipts: data.receipts}}}}
""")


def calls_in(folder: Path) -> Counter[str]:
    """How often each effect was executed, by its key."""
    file = folder / "calls.txt"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def open_agents(folder: Path, **more: Any) -> Store:
    return open_store(f"sqlite:///{folder}/children_process.db", **more)


def make_runner(folder: Path, store: Store) -> Runner:
    """A runner with the action of the children."""

    @action
    async def pay(ctx: Context) -> str:
        async def done(number: int, *, idempotency_key: str) -> dict[str, Any]:
            with (folder / "calls.txt").open("a") as file:
                file.write(f"{idempotency_key}\n")
            _say("did")
            return {"number": number, "state": ctx.state}

        ctx.data.receipts.append(await ctx.effect("pay", done, ctx.data.number))
        return "begun" if ctx.state == "beginning" else "done_so"

    return Runner(store, actions=[pay], observe=_observed)


def _observed(head: Head) -> None:
    if head.id == PARENT_ID and head.status in ENDED:
        _say("ended")


def _say(line: str) -> None:
    if __name__ == "__main__":
        os.write(1, f"{line}\n".encode())


async def main(folder: Path) -> None:
    async with make_runner(folder, open_agents(folder)) as runner:
        await Worker(runner, every=timedelta(milliseconds=10)).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
