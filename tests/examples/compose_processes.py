"""The services of compose.yaml as processes of this machine: their commands, environments and health checks.

Only places differ: hosts of the network of Compose, folders of containers, and ports, which are free ones here.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fsm_agent.domain.state import Duration
from tests.support.compose import ComposeFile, ContainerFile

_PATIENCE_S: Final = 60


class Service:
    """A process of a service, with what it says."""

    def __init__(
        self, name: str, line: Sequence[str], folder: Path, environment: Mapping[str, str], grace_s: float
    ) -> None:
        self.name = name
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(line, cwd=folder, env=environment, stdout=pipe, stderr=subprocess.STDOUT)
        self._grace_s = grace_s
        self.said = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as words:
            for line in words:
                self.said += line

    def kill(self) -> None:
        """Does nothing to one that has ended."""
        self.process.kill()
        self._ended(_PATIENCE_S)

    def stop(self) -> int:
        """As Compose stops it; returns its exit code. Fails if it takes longer than its grace."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended(self._grace_s)

    def _ended(self, patience_s: float) -> int:
        code = self.process.wait(patience_s)
        self._reader.join(_PATIENCE_S)
        return code


class Deployment:
    """Processes of services, used as a context: what still runs at the end is killed.

    ``places`` has what stands here in the place of a text of the files.
    """

    def __init__(self, compose: ComposeFile, folder: Path, places: Mapping[str, str]) -> None:
        self._compose = compose
        self._folder = folder
        self._places = places
        self._place = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(places, reverse=True)))})(?!\w)")
        self._entrypoint = ContainerFile().only("ENTRYPOINT").words
        self._begun: list[Service] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._begun:
            each.kill()
            sys.stdout.write(f"{each.name} said:\n{each.said.decode()}\n")  # shown if the test has failed

    def start(self, name: str) -> Service:
        """One process of a service."""
        service = self._service(name)
        line = self._line(service, service["command"])
        grace_s = Duration.parse(service["stop_grace_period"]).ms / 1000
        begun = Service(name, line, self._folder, self._environment(service), grace_s)
        self._begun.append(begun)
        return begun

    def start_all(self, name: str) -> list[Service]:
        """As many processes as the file says."""
        return [self.start(name) for _ in range(self._service(name)["deploy"]["replicas"])]

    def run(self, name: str, words: Sequence[str]) -> str:
        """What a command prints that is run in the place of the service's own, as ``docker compose run`` does."""
        service = self._service(name)
        return self._done(service, self._line(service, words)).stdout

    async def becomes_healthy(self, name: str) -> None:
        """Ask as the file says until the answer is good."""
        service = self._service(name)
        line = [self._program(service["healthcheck"]["test"][1]), *self._placed(service["healthcheck"]["test"][2:])]
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if (await asyncio.to_thread(self._done, service, line, check=False)).returncode == 0:
                    return
                await asyncio.sleep(0.1)

    def port(self, name: str) -> int:
        """Where this machine reaches a service."""
        [published] = self._placed(self._service(name)["ports"])
        return int(published.split(":")[1])

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
        return [self._place.sub(lambda found: self._places[found[0]], word) for word in words]

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
