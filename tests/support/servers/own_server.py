"""A server of our own: started, stopped, killed and started again at will, on one port and in one folder."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import pytest

_PATIENCE_S: Final = 60


class OwnServer(ABC):
    """Runs from ``start`` to ``stop`` or ``kill``, as often as one likes; ``close`` removes its folder."""

    #: how it is called
    name: ClassVar[str]
    #: what an operator sends to stop it
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    #: of the ports that it may get
    highest_port: ClassVar[int] = 65_535

    def __init__(self) -> None:
        self.port = free_port(self.highest_port)
        self.folder = Path(tempfile.mkdtemp(prefix=f"fsm-{self.name.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts it."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    def run_as(self) -> dict[str, Any]:
        """Arguments of ``Popen``: as whom it runs."""
        return {}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        """Returns when it answers."""
        until_s = time.monotonic() + _PATIENCE_S
        while not self._comes_up(until_s):
            self._wait_until(until_s)  # what a killed server left in memory may not be gone yet

    def stop(self) -> None:
        """As an operator would."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """As a crash would: nothing is said or written any more."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stands still until ``thaw``; the system goes on to accept for it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _comes_up(self, until_s: float) -> bool:
        """Start it; False if it ends before it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.run_as())
        while self._process.poll() is None:
            if self.is_ready():
                return True
            self._wait_until(until_s)
        return False

    def _wait_until(self, until_s: float) -> None:
        if time.monotonic() > until_s:
            pytest.fail(f"{self.name} does not start: {self.log.read_text()[-2_000:]}")
        time.sleep(0.01)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        self._signal(how)
        if self._process is not None:
            self._process.wait(_PATIENCE_S)
            self._process = None


def free_port(highest: int = 65_535) -> int:
    """A port of this machine that nobody listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= highest:
            return port


def program_at(name: str, path: str | None) -> str:
    """The path of a program; a test fails if there is none."""
    if path is None:
        pytest.fail(f"{name} is missing: sh tests/install-system.sh installs it")
    return path
