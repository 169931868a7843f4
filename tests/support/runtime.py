"""Helpers for tests that run agents: short workflows, tests as coroutines, an action that waits for the test."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from textwrap import dedent
from typing import Any, ParamSpec

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.lease import Holder
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.processes import is_alive, this_host

Arguments = ParamSpec("Arguments")


def flow(text: str) -> Workflow:
    """The workflow ``w``, version 1, of which ``text`` says the rest."""
    return loads(f"workflow: w\nversion: 1\n{dedent(text)}")


def on_loop(test: Callable[Arguments, Coroutine[Any, Any, None]]) -> Callable[Arguments, None]:
    """Run a coroutine test on a loop of its own; one that hangs fails."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 30))

    return run


async def until(is_so: Callable[[], bool], patience_s: float = 60) -> None:
    """Let everybody else go on until it is so, where nobody tells."""
    async with asyncio.timeout(patience_s):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Gate:
    """An action that says when it has begun, and goes on when it is told what to return."""

    def __init__(self, name: str = "work") -> None:
        self.name = name
        self.begun = asyncio.Event()
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.was_cancelled = False
        self.calls = 0

    def as_action(self, **known: Any) -> Any:
        """The action of that name."""

        @action(name=self.name, **known)
        async def work(ctx: Context) -> Any:
            self.calls += 1
            self.begun.set()
            try:
                return await asyncio.shield(self.result)
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise

        return work

    def open(self, event: Any) -> None:
        self.result.set_result(event)


def story(steps: Any) -> list[str]:
    """A history in short: ``kind event source>target`` for each step."""
    return [_line(step) for step in steps]


def _line(step: Step) -> str:
    return f"{step.kind} {step.event} {step.source or ''}>{step.target}"


def dead_process() -> Holder:
    """A process of this host that was killed."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    alive = Holder(this_host(), process.pid, int(time.time() * 1000) + 60_000)  # clocks of processes are coarse
    assert is_alive(alive) is True
    process.kill()
    process.wait()
    return alive
