"""Fresh processes: waking a long-lived agent, and the commands that only look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Row, at_most, interleave, timed
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store

STEPS = 1_000

_DELIVER = """
import asyncio
from fsm_agent import Runner, open_store
async def deliver():
    async with Runner(open_store({url!r})) as runner:
        await runner.send({agent!r}, "poke")
asyncio.run(deliver())
"""


def fresh_processes() -> list[Row]:
    with TemporaryDirectory() as name:
        url = f"sqlite:///{Path(name) / 'agents.db'}"
        agent = asyncio.run(_long_lived(url))
        command = [str(Path(sys.executable).with_name("fsm-agent"))]
        return [
            _row(
                f"resume a {STEPS:,}-step agent in a fresh process, deliver one event",
                12,
                [sys.executable, "-c", _DELIVER.format(url=url, agent=agent)],
            ),
            _row("`fsm-agent --help`", 10, [*command, "--help"]),
            _row("`fsm-agent show`", 14, [*command, "--store", url, "show", agent]),
        ]


async def _long_lived(url: str) -> str:
    async with Runner(open_store(url), actions=[work]) as runner:
        return (await runner.start(WORKING, "go", data={**DATA, "until": STEPS})).id


def _row(name: str, bar: float, command: list[str]) -> Row:
    pair = interleave(lambda: _run(command), lambda: _run([sys.executable, "-c", "pass"]), runs=15)
    detail = f"{pair.subject * 1000:.0f} ms against {pair.yardstick * 1000:.0f} ms for `python -c pass`"
    return at_most(name, bar, pair.subject / pair.yardstick, detail)


def _run(command: list[str]) -> float:
    """Compiled modules are kept, as in any installation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return timed(lambda: subprocess.run(command, check=True, capture_output=True, env=environment))  # noqa: S603
