"""``fsm-agent serve`` in a process of its own, in a folder with a project."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from tests.support.http_client import HttpConnection
from tests.support.runtime import until

_PATIENCE_S: Final = 60
#: what does not end by itself is not waited for
_SOON: Final = ("--drain", "3s")
_MAIN: Final = "from fsm_agent.cli.main import main; main()"

PYPROJECT: Final = '[tool.fsm-agent]\nmodules = ["server_actions"]\n'

#: actions that a test holds up, and lets go by making a file
ACTIONS: Final = """
import asyncio
import time
from pathlib import Path

from fsm_agent import action


@action
async def hold(ctx):
    Path(f"begun-{ctx.agent_id}").touch()
    while not Path(f"go-{ctx.agent_id}").exists():
        await asyncio.sleep(0.01)
    return "done"


@action(inline=True)
def quick(ctx):
    Path(f"begun-quick-{ctx.agent_id}").touch()
    return "done"


@action
async def cling(ctx):
    # does not let go
    while True:
        try:
            Path(f"begun-{ctx.agent_id}").touch()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


@action(inline=True)
def block(ctx):
    # holds everybody up
    Path(f"begun-{ctx.agent_id}").touch()
    time.sleep(60)
"""

#: asks again and again; each answer is one step
COUNTER: Final = """
workflow: counter
version: 1
data: {count: {type: integer, default: 0}, note: string?}
events: {tick: {note: string?}, stop: {}}
initial: asking
states:
  asking:
    ask: {prompt: "Number {{ data.count }}?", events: [tick, stop]}
    on:
      tick: {target: asking, assign: {count: data.count + 1, note: event.note}}
      stop: over
  over: {final: true}
"""

#: begins one of several kinds of work, and rests after it
WORKER: Final = """
workflow: work
version: 1
events: {hold: {}, cling: {}, block: {}, done: {}}
initial: resting
states:
  resting: {on: {hold: holding, cling: clinging, block: blocking}}
  holding: {do: hold, on: {done: finishing}}
  finishing: {do: quick, on: {done: resting}}
  clinging: {do: cling, on: {done: resting}}
  blocking: {do: block, on: {done: resting}}
"""


def write_project(folder: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "server_actions.py": ACTIONS,
        "workflows/counter.yaml": COUNTER,
        "workflows/work.yaml": WORKER,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class FsmServer:
    """A server, used as a context: it is ready when it is entered, and killed if it still runs at the end."""

    def __init__(self, folder: Path, store: str, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        line = [sys.executable, "-c", _MAIN, "--store", store, "serve", "--port", "0", "--rate", "0", *_SOON, *words]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment)
        #: what it says on stderr, line by line
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        address = self.process.stdout.readline()
        assert address, self.words
        self.port = int(address.rstrip("/\n").rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())

    @property
    def words(self) -> str:
        """All that it has said, once it has ended."""
        self._reader.join(_PATIENCE_S)
        return "\n".join(self.said)

    @property
    def rss(self) -> int:
        """Bytes of memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    async def begun(self, agent_id: str) -> None:
        """Returns once an action of this agent has begun."""
        await until((self.folder / f"begun-{agent_id}").exists)

    def let_go(self, agent_id: str) -> None:
        """Let the action ``hold`` of this agent end."""
        (self.folder / f"go-{agent_id}").touch()

    async def said_that(self, words: str) -> None:
        """Returns once it has said so on stderr."""
        await until(lambda: any(words in line for line in self.said))

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, within_s: float = _PATIENCE_S) -> int:
        """The exit code, once it has ended; raises ``TimeoutExpired`` if it does not."""
        return self.process.wait(within_s)

    def connect(self, **headers: str) -> HttpConnection:
        return HttpConnection(self.port, **headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


async def made(connection: HttpConnection, workflow: str = "counter", **more: Any) -> Any:
    """A new agent."""
    reply = await connection.post("/v1/agents", {"workflow": workflow, **more})
    assert reply.status == 201, reply.body
    return reply.json
