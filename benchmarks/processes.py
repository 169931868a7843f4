"""Fresh processes: waking a long-lived agent, and the commands that only look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import bars
from benchmarks.measure import Row, at_most, interleave, timed
from benchmarks.place import Place
from benchmarks.sizes import Sizes
from benchmarks.subjects import DATA, WORKING, work
from fsm_agent import Runner, open_store

#: Nothing that is measured takes nearly as long.
TIMEOUT_S: Final = 120

_DELIVER = """
from fsm_agent import open_store
from fsm_agent.sync import Runner
with Runner(open_store({url!r})) as runner:
    runner.send({agent!r}, "poke")
"""


def resumed_in_a_fresh_process(place: Place, sizes: Sizes) -> list[Row]:
    command = delivery(*long_lived(place, sizes))
    work = f"resume a {sizes.long_steps:,}-step agent in a fresh process, deliver one event, {place.name}"
    return [_row(work, bars.FRESH_PROCESS.get(place.name), command, sizes)]


def commands_that_look(place: Place, sizes: Sizes) -> list[Row]:
    url, agent = long_lived(place, sizes)
    command = [str(Path(sys.executable).with_name("fsm-agent"))]
    at_store = [*command, "--store", url]
    return [
        _row("`fsm-agent --help`", bars.HELP, [*command, "--help"], sizes),
        _row(f"`fsm-agent show`, {place.name}", bars.SHOW, [*at_store, "show", agent], sizes),
        _row(f"`fsm-agent list`, {place.name}", None, [*at_store, "list"], sizes),
    ]


def imports(sizes: Sizes) -> list[Row]:
    statements = [("from fsm_agent import Runner", bars.IMPORT_RUNNER), ("import fsm_agent", None)]
    return [_row(f"`{said}`", bar, [sys.executable, "-c", said], sizes) for said, bar in statements]


def delivery(url: str, agent: str) -> list[str]:
    """What sends one event to an agent, from a process that knows nothing of it."""
    return [sys.executable, "-c", _DELIVER.format(url=url, agent=agent)]


def long_lived(place: Place, sizes: Sizes) -> tuple[str, str]:
    """The URL and the id of an agent that has done all its steps, and waits."""
    url = place.fresh()

    async def aggregate() -> str:
        async with Runner(open_store(url), actions=[work]) as runner:
            return (await runner.start(WORKING, "go", data={**DATA, "until": sizes.long_steps})).id

    return url, asyncio.run(aggregate())


def _row(name: str, bar: float | None, command: list[str], sizes: Sizes) -> Row:
    pair = interleave(lambda: run(command), lambda: run([sys.executable, "-c", "pass"]), runs=sizes.fresh_runs)
    detail = f"{pair.subject * 1000:.0f} ms against {pair.yardstick * 1000:.0f} ms for `python -c pass`"
    return at_most(name, bar, pair.subject / pair.yardstick, detail)


def run(command: Sequence[str], *, environment: dict[str, str] | None = None) -> float:
    """Seconds from start to end. Compiled modules are kept, as in any installation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | (
        environment or {}
    )
    return timed(
        lambda: subprocess.run(  # noqa: S603 - a command of our own
            command, check=True, capture_output=True, env=environment, timeout=TIMEOUT_S
        )
    )
