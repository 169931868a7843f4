"""A process whose child processes are killed: each of them runs an agent with ``llm.agent``.

    python -m tests.faults.llm_agent_process FOLDER

First it runs such an agent itself, in FOLDER, so that everything is imported; then it prints ``ready``. A line
``FOLDER MODEL at N`` makes it fork a child that kills itself at the N-th crash point (0: never). ``FOLDER MODEL after
N`` forks one that is killed after N milliseconds. The answer says how many crash points the child has passed, and how
it ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from fsm_agent import Runner, open_store
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.runtime.action_executor import ActionExecutor

from . import llm_agent_tools
from .crash_points import CrashingEffects, CrashingLoop, CrashPoints


class KillPoints(CrashPoints):
    """Kills the process at one crash point, and notes in a file how many it has passed."""

    def __init__(self, point: int, file: Path) -> None:
        super().__init__(lambda _: False)
        self._point = point
        self._file = file

    def reach(self, effect: object) -> None:
        super().reach(effect)
        self._file.write_text(str(self.points))
        if self.points == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


class CrashingRunner(Runner):
    """A runner with crash points around its commands and its effects."""

    def __init__(self, folder: Path, model: str, crash_points: CrashPoints) -> None:
        store, around = open_store(f"sqlite:///{folder}/agents.db"), Surroundings(model=model)
        actions = Actions(modules=[llm_agent_tools.__name__])
        around.tool = actions.tool
        executor = ActionExecutor(store, actions, around)
        executor._ledger = CrashingEffects(store, crash_points)
        super().__init__(store, actions=actions, executor=executor)
        self._loop = CrashingLoop(store, actions, executor, crash_points, finds_dead=False)


async def run(folder: Path, model: str, crash_points: CrashPoints) -> Agent:
    """Start the agent or go on with it, and settle effects in doubt by the log of the tools."""
    async with CrashingRunner(folder, model, crash_points) as runner:
        await runner.start(llm_agent_tools.workflow(), id=llm_agent_tools.ID, key="go", drive=False)
        agent = await runner.resume(llm_agent_tools.ID)
        while agent.status is Status.PARKED:
            assert agent.error is not None
            assert agent.error["type"] == "EffectInDoubt", agent.error
            [doubtful] = [entry for entry in await runner.effects(llm_agent_tools.ID) if entry.is_open]
            file = folder / "calls.txt"
            done = dict(line.split(" ", 1) for line in file.read_text().splitlines()) if file.exists() else {}
            if doubtful.key in done:
                result = {"text": done[doubtful.key], "is_error": False}
                agent = await runner.unpark(llm_agent_tools.ID, effect=doubtful.key, result=result)
            else:
                agent = await runner.unpark(llm_agent_tools.ID, effect=doubtful.key, not_done=True)
        return agent


def child(folder: Path, model: str, point: int) -> int:
    """Run the agent in a forked process; returns its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            llm_agent_tools.ToolLog.folder, llm_agent_tools.ToolLog.crash_points = (
                folder,
                KillPoints(point, folder / "points.txt"),
            )
            agent = asyncio.run(run(folder, model, llm_agent_tools.ToolLog.crash_points))
            status = 0 if agent.status is Status.DONE else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def main() -> None:
    llm_agent_tools.ToolLog.folder = Path(sys.argv[1])
    asyncio.run(run(llm_agent_tools.ToolLog.folder, "openai-chat:first", llm_agent_tools.ToolLog.crash_points))
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        folder, model, how, number = line.split()
        (Path(folder) / "points.txt").write_text("0")
        pid = child(Path(folder), model, int(number) if how == "at" else 0)
        if how == "after":
            time.sleep(int(number) / 1000)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        end = "killed" if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))
        print((Path(folder) / "points.txt").read_text() or "0", end, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
