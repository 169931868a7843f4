"""Walks through machines in XState itself, which runs in Node.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .random_workflows import Walked

TESTS = Path(__file__).parents[1]
#: between the keys of nested states
BETWEEN = "\x1f"


def in_xstate(tasks: list[dict[str, Any]]) -> list[list[Walked]]:
    """Of each machine the walks. A task is ``{machine, walks: [[{type, guards: {name: holds}}]]}``."""
    done = subprocess.run(
        ["node", str(TESTS / "xstate" / "walk.mjs"), str(TESTS / "npm" / "package.json")],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [[_walked(**walk) for walk in walks] for walks in json.loads(done.stdout)]


def _walked(trail: list[str], visits: dict[str, int]) -> Walked:
    return Walked([_path(keys) for keys in trail], {_path(keys): count for keys, count in visits.items()})


def _path(keys: str) -> str:
    return keys.replace(BETWEEN, ".")
