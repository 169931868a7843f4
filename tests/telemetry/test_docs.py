"""docs/telemetry.md is true: its code runs, and its tables leave nothing out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fsm_agent import Context, Refused, Runner, action, open_store
from fsm_agent.telemetry.attempts import OUTCOMES
from tests.support.runtime import flow, on_loop
from tests.support.telemetry import Recorded

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
CODE = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))

RUNNING = """
import asyncio
set_up()
asyncio.run(run())
asyncio.run(watch())
assert "fsm_agent_steps_total" in asyncio.run(scrape())
instrument_models()
log_as_json()
logging.getLogger("fsm_agent").warning("agent waits", extra={"agent_id": "a"})
"""


@pytest.mark.long
def test_the_python_of_the_page_runs_and_sends_what_it_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE + RUNNING],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"},
    )
    assert done.returncode == 0, done.stderr
    assert '"name": "greeting greeting"' in done.stdout
    assert '"name": "fsm_agent.steps"' in done.stdout
    assert '"agent_id": "a"' in done.stderr


def told(heading: str) -> set[str]:
    """What stands in the first columns of the tables under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@on_loop
async def test_every_attribute_outcome_and_metric_is_in_a_table() -> None:
    @action(name="work")
    async def fail(ctx: Context) -> str:
        raise ValueError

    recorded = Recorded()
    workflow = flow("""
        events: {ok: {}}
        initial: working
        states:
          working: {do: work, on: {ok: done}}
          done: {final: true}
    """)
    async with Runner(open_store("memory://"), actions=[fail], telemetry=recorded.telemetry) as runner:
        gauges = recorded.telemetry.watch(tally=runner.store.tally, questions=runner.store.count_questions)
        await runner.start(workflow, id="a")
        with pytest.raises(Refused):
            await runner.send("a", "ok")
        await gauges.refresh()
    [span] = recorded.spans
    outcomes = {*OUTCOMES.values(), "timed_out", "superseded", "cancelled"}
    assert told("Spans") == {*(span.attributes or {}), *outcomes}
    assert told("Metrics") == recorded.metric_names()
