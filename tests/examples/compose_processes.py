"""The services of compose.yaml as processes of this machine: their commands, environments and health checks.

Only places differ: hosts of the network of Compose, folders of containers, and ports, which are free ones here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from fsm_agent.domain.state import Duration
from tests.support.compose import ComposeFile, ContainerFile

_PATIENCE_S: Final = 60


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Service:
    """A process of a service, with what it says."""

    def __init__(self, line: Sequence[str], folder: Path, environment: Mapping[str, str], grace_s: float) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT)
        self._grace_s = grace_s
        self.said = bytearray()
        self._first_line = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            self._first_line.set()
        self._first_line.set()

    def first_line(self) -> str:
        """Once it has said one."""
        assert self._first_line.wait(_PATIENCE_S), "it says nothing"
        return self.said.decode().partition("\n")[0]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)

    def stop(self) -> int:
        """As Compose stops it; returns its exit code. Fails if it takes longer than its grace."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(self._grace_s)


class Deployment:
    """Processes of services, used as a context: what still runs at the end is killed.

    ``places`` has what stands here in the place of a text of the files.
    """

    def __init__(self, compose: ComposeFile, folder: Path, places: Mapping[str, str]) -> None:
        self._compose = compose
        self._folder = folder
        self._places = dict(places)
        self._entrypoint = ContainerFile().only("ENTRYPOINT").words
        self._begun: list[Service] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._begun:
            each.kill()

    def start(self, name: str, *more: str) -> Service:
        """One process of a service. ``more`` stands behind its command."""
        service = self._service(name)
        line = self._line(service, [*service["command"], *more])
        grace_s = Duration.parse(service["stop_grace_period"]).ms / 1000
        begun = Service(line, self._folder, self._environment(service), grace_s)
        self._begun.append(begun)
        return begun

    def start_all(self, name: str) -> list[Service]:
        """As many processes as the file says."""
        return [self.start(name) for _ in range(self._service(name)["deploy"]["replicas"])]

    def run(self, name: str, words: Sequence[str]) -> str:
        """What a command prints that is run in the place of the service's own, as ``docker compose run`` does."""
        service = self._service(name)
        return self._done(service, self._line(service, words)).stdout

    async def becomes_healthy(self, name: str, *more: str) -> None:
        """Ask as the file says until the answer is good."""
        service = self._service(name)
        line = [self._program(service["healthcheck"]["test"][1]), *self._placed(service["healthcheck"]["test"][2:])]
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if (await asyncio.to_thread(self._done, service, [*line, *more], check=False)).returncode == 0:
                    return
                await asyncio.sleep(0.1)

    def place(self, text: str, here: str) -> None:
        """``here`` stands in the place of ``text`` from now on."""
        self._places[text] = here

    def _done(self, service: Any, line: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = self._environment(service)
        done = subprocess.run(line, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def _service(self, name: str) -> dict[str, Any]:
        return self._compose.services[name]

    def _line(self, service: Any, words: Sequence[str]) -> list[str]:
        entrypoint = self._entrypoint if "build" in service else service.get("entrypoint", [])
        program, *options = [*entrypoint, *words]
        return [self._program(program), *self._placed(options)]

    def _placed(self, words: Sequence[str]) -> list[str]:
        for text, here in self._places.items():
            words = [word.replace(text, here) for word in words]
        return list(words)

    @staticmethod
    def _program(name: str) -> str:
        """One of the environment of the tests, or of the system."""
        own = Path(sys.executable).with_name(name)
        return str(own) if own.exists() else name

    def _environment(self, service: Any) -> dict[str, str]:
        kept = {
            name: text for name, text in os.environ.items() if not name.startswith(("FSM_AGENT_", "PG", "TEMPORAL"))
        }
        given = service.get("environment", {})
        return kept | dict(zip(given, self._placed(list(given.values())), strict=True))


def told_port(address: str) -> int:
    """The port of the server's first line, its address."""
    port = address.rstrip("/").rpartition(":")[2]
    if not port.isdigit():
        pytest.fail(f"the server does not listen: {address}")
    return int(port)
