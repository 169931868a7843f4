"""The other end of ``serving``: starts such a process, asks it, and waits for no answer for ever."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[1]


class Failed(Exception):
    """A process said that it could not, ended, or took too long."""


class Dialogue:
    """One process, from ``with`` to the end of it."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout_s: float = 600
    ) -> None:
        self._timeout_s = timeout_s
        self._heard = b""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """The answer. Raises ``Failed``."""
        self.tell(do, **words)
        return self.hear()

    def tell(self, do: str, **words: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **words}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def hear(self) -> dict[str, Any]:
        """What was asked for last. Raises ``Failed``."""
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def _line(self) -> bytes:
        until_s = time.monotonic() + self._timeout_s
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._heard:
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    raise Failed(f"no answer within {self._timeout_s:.0f} s")
                read = os.read(self._process.stdout.fileno(), 65_536)
                if not read:
                    raise self._ended()
                self._heard += read
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _ended(self) -> Failed:
        self._process.wait(self._timeout_s)
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
        return Failed(f"ended with {self._process.returncode}: {''.join(last)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._log.close()
