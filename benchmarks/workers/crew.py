"""Several worker processes on one store, and what they have done together."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.dialogue import Dialogue

_PROCESS: Final = (sys.executable, "-m", "benchmarks.workers.process")
#: how often the processes are asked how far they are
_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Done:
    """What several processes have done together."""

    #: agent -> when its first action began
    began: dict[str, float]
    #: agent -> when its last action ended
    ended: dict[str, float]
    actions: int
    loads: int
    #: agents that a process had to leave to another one after it had found them, and refused commits
    conflicts: int
    #: how often an agent was taken that had been taken before
    taken_again: int
    cpu_s: float

    @property
    def seconds(self) -> float:
        """From the first action to the last."""
        return max(self.ended.values()) - min(self.began.values())


class Crew:
    """Processes that are connected, and do not drive yet."""

    def __init__(self, processes: Sequence[Dialogue]) -> None:
        self._processes = processes

    def begin(self) -> None:
        self._ask("begin")

    def wait(self, agents: int, *, patience_s: float) -> None:
        """Until so many agents have come to their end."""
        until_s = time.monotonic() + patience_s
        while (ended := sum(each["agents"] for each in self._ask("ended"))) < agents:
            if time.monotonic() > until_s:
                raise TimeoutError(f"{ended:,} of {agents:,} agents have ended after {patience_s:.0f} s")
            time.sleep(_LOOK_S)

    def end(self) -> Done:
        reports = self._ask("end")
        taken = Counter(agent_id for each in reports for agent_id in each["taken"])
        began: dict[str, float] = {}
        for agent_id, moment in (pair for each in reports for pair in each["began"].items()):
            began[agent_id] = min(moment, began.get(agent_id, moment))
        return Done(
            began=began,
            ended={agent_id: moment for each in reports for agent_id, moment in each["ended"].items()},
            actions=sum(each["actions"] for each in reports),
            loads=sum(each["loads"] for each in reports),
            conflicts=sum(each["conflicts"] for each in reports),
            taken_again=taken.total() - len(taken),
            cpu_s=sum(each["cpu"] for each in reports),
        )

    def _ask(self, do: str) -> list[dict[str, Any]]:
        """All of them at once."""
        for process in self._processes:
            process.tell(do)
        return [process.hear() for process in self._processes]


@contextmanager
def crew(url: str, way: str, processes: int) -> Iterator[Crew]:
    """So many processes, each with a worker of this kind."""
    with ExitStack() as stack:
        dialogues = [stack.enter_context(Dialogue(_PROCESS)) for _ in range(processes)]
        for dialogue in dialogues:
            dialogue.tell("open", url=url, way=way)
        for dialogue in dialogues:
            dialogue.hear()
        yield Crew(dialogues)
