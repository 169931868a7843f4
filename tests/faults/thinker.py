"""A process whose children are to be killed: each of them lives the life of an agent that thinks.

    python -m tests.faults.thinker FOLDER

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

from . import errands
from .crashing import Fuse, MortalLedger, MortalLoop


class Doom(Fuse):
    """Kills the process at a place, and notes how many there were."""

    def __init__(self, place: int, file: Path) -> None:
        super().__init__(lambda _: False)
        self._place = place
        self._file = file

    def burn(self, effect: object) -> None:
        super().burn(effect)
        self._file.write_text(str(self.places))
        if self.places == self._place:
            os.kill(os.getpid(), signal.SIGKILL)


class Thinker(Runner):
    """Can die before and after whatever it asks of the store and of the world."""

    def __init__(self, folder: Path, model: str, fuse: Fuse) -> None:
        store, around = open_store(f"sqlite:///{folder}/agents.db"), Surroundings(model=model)
        actions = Actions(modules=[errands.__name__])
        around.tool = actions.tool
        hands = ActionExecutor(store, actions, around)
        hands._ledger = MortalLedger(store, fuse)
        super().__init__(store, actions=actions, hands=hands)
        self._loop = MortalLoop(store, actions, hands, fuse, finds_dead=False)


async def aggregate(folder: Path, model: str, fuse: Fuse) -> Agent:
    """Begin, or go on; and say what became of what is in doubt, as the world shows it."""
    async with Thinker(folder, model, fuse) as runner:
        await runner.start(errands.workflow(), id=errands.ID, key="go", drive=False)
        agent = await runner.resume(errands.ID)
        while agent.status is Status.PARKED:
            assert agent.error is not None
            assert agent.error["type"] == "EffectInDoubt", agent.error
            [doubtful] = [entry for entry in await runner.effects(errands.ID) if entry.is_open]
            file = folder / "world.txt"
            done = dict(line.split(" ", 1) for line in file.read_text().splitlines()) if file.exists() else {}
            if doubtful.key in done:
                result = {"text": done[doubtful.key], "is_error": False}
                agent = await runner.unpark(errands.ID, effect=doubtful.key, result=result)
            else:
                agent = await runner.unpark(errands.ID, effect=doubtful.key, not_done=True)
        return agent


def child(folder: Path, model: str, place: int) -> int:
    """Live in a process of its own; returns its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            errands.World.folder, errands.World.fuse = folder, Doom(place, folder / "places.txt")
            agent = asyncio.run(aggregate(folder, model, errands.World.fuse))
            status = 0 if agent.status is Status.DONE else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def main() -> None:
    errands.World.folder = Path(sys.argv[1])
    asyncio.run(aggregate(errands.World.folder, "openai-chat:first", errands.World.fuse))
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        folder, model, how, number = line.split()
        (Path(folder) / "places.txt").write_text("0")
        pid = child(Path(folder), model, int(number) if how == "at" else 0)
        if how == "after":
            time.sleep(int(number) / 1000)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        end = "killed" if os.WIFSIGNALED(status) else str(os.WEXITSTATUS(status))
        print((Path(folder) / "places.txt").read_text() or "0", end, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
