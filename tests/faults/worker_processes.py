"""The worker processes of a run under faults: killed, told to stop, and started again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).parents[2]
_PATIENCE_S: Final = 60

#: How to start a worker: the words of a command.
Command: TypeAlias = Sequence[str]


class Workers:
    """The processes of a run; each writes its log into the folder."""

    def __init__(self, commands: Sequence[Command], environment: Mapping[str, str], folder: Path) -> None:
        self._commands = commands
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._folder = folder
        #: those that were told to stop
        self._stopped: set[int] = set()
        self.processes: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.processes = [self._start(number) for number in range(len(self._commands))]
            yield
        finally:
            for process in self.processes:
                process.kill()
                process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"worker-{number}.log").open("ab") as log:
            return subprocess.Popen(
                self._commands[number], cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )

    def replace(self, number: int) -> None:
        """Kill a worker, and start another one."""
        self.processes[number].kill()
        self.processes[number].wait()
        self.processes[number] = self._start(number)

    def restart(self, number: int) -> int:
        """Stop a worker as an operator would, also one that is frozen, and start it again once it has ended by itself.
        Returns its exit code. It blocks."""
        process = self.processes[number]
        self._stopped.add(number)
        try:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
            code = process.wait(_PATIENCE_S)
            self.processes[number] = self._start(number)
        finally:
            self._stopped.discard(number)
        return code

    def revive(self) -> None:
        """Start those again that have ended, since the server was away when they began."""
        for number, process in enumerate(self.processes):
            if number not in self._stopped and process.poll() is not None:
                self.processes[number] = self._start(number)

    def thaw(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Stop all of them as an operator would, and wait for them."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(_PATIENCE_S)
