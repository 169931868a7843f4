"""A process whose children are to be killed: each of them lives the life of an agent that thinks.

    python -m tests.faults.llm_agent_process FOLDER

It has lived such a life itself, in FOLDER, before it says ``ready``, so that nothing is left to be imported. A line
``FOLDER MODEL at N`` makes it beget a child that kills itself at the N-th place (0: never), ``FOLDER MODEL after N``
one that is killed after so many milliseconds. It answers with how many places the child has come by, and whether it
was killed.
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
    """Kills the process at a place, and notes how many there were."""

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
    """Can die before and after whatever it asks of the store and of the world."""

    def __init__(self, folder: Path, model: str, crash_points: CrashPoints) -> None:
        store, around = open_store(f"sqlite:///{folder}/agents.db"), Surroundings(model=model)
        actions = Actions(modules=[llm_agent_tools.__name__])
        around.tool = actions.tool
        hands = ActionExecutor(store, actions, around)
        hands._ledger = CrashingEffects(store, crash_points)
        super().__init__(store, actions=actions, hands=hands)
        self._loop = CrashingLoop(store, actions, hands, crash_points, finds_dead=False)


async def run(folder: Path, model: str, crash_points: CrashPoints) -> Agent:
    """Begin, or go on; and say what became of what is in doubt, as the world shows it."""
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
    """Live in a process of its own; returns its id."""
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
