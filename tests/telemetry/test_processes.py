"""A process is instrumented if somebody has set OpenTelemetry up in it; elsewhere nothing of it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fsm_agent import open_store, sync
from tests.support.shop import Outcome, Shop

pytestmark = pytest.mark.long

#: what a module that Python imports first of all may do, as `opentelemetry-instrument` has one do it
SETTING_UP = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

file = open("telemetry.jsonl", "a")
provider = TracerProvider()
line = lambda recorded: recorded.to_json(None) + chr(10)
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=file, formatter=line)))
trace.set_tracer_provider(provider)
exporter = ConsoleMetricExporter(out=file, formatter=line)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(exporter)]))
"""


def instrumented(shop: Shop, *words: str) -> Outcome:
    first = shop.write("first/sitecustomize.py", SETTING_UP).parent
    path = os.pathsep.join([str(first), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        shop.command(*words),
        cwd=shop.folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", [["answer", "one", "--event", "approve"], ["worker", "--once"]])
def test_a_command_that_drives_agents_records_what_it_does(shop: Shop, command: list[str]) -> None:
    shop.order()
    if command[0] == "worker":
        with sync.Runner(open_store(f"sqlite:///{shop.folder / 'fsm-agent.db'}")) as runner:
            runner.answer("one", event="approve", drive=False)
    done = instrumented(shop, *command)
    assert done.code == 0, done.err
    span, metrics = map(json.loads, (shop.folder / "telemetry.jsonl").read_text().splitlines())
    assert (span["name"], span["attributes"]["gen_ai.conversation.id"]) == ("order packing", "one")
    [scope] = [each for each in metrics["resource_metrics"][0]["scope_metrics"] if each["scope"]["name"] == "fsm_agent"]
    assert {metric["name"] for metric in scope["metrics"]} == {"fsm_agent.steps", "fsm_agent.action.duration"}


PROBE = """
import sys
{code}
print(*{{name.partition(".")[0] for name in sys.modules}} & {{"opentelemetry", "prometheus_client"}})
"""


def imported(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", PROBE.format(code=code)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()[-1]


DRIVING = """
from fsm_agent import State, Workflow, action, open_store
from fsm_agent.sync import Runner
@action
def work(ctx):
    return "ok"
flow = Workflow("w", version=1, events={"ok": {}}, initial="working", states=[
    State("working", do=work, on={"ok": "done"}), State("done", final=True)])
with Runner(open_store("memory://"), actions=[work]) as runner:
    assert runner.start(flow).state == "done"
"""


@pytest.mark.parametrize(
    "code",
    [
        "import fsm_agent",
        "import fsm_agent.telemetry\nassert fsm_agent.telemetry.configured() is None",
        "from fsm_agent.telemetry import JsonLines",
        DRIVING,
        "from fsm_agent import Worker\nfrom fsm_agent.cli.commands import worker",
    ],
    ids=["package", "room", "logs", "agent", "worker"],
)
def test_opentelemetry_is_not_imported_unless_it_is_used(code: str, tmp_path: Path) -> None:
    assert imported(code, tmp_path) == ""


def test_spans_and_metrics_need_the_api_alone(tmp_path: Path) -> None:
    code = """
from fsm_agent.telemetry import OpenTelemetry
OpenTelemetry()
assert not any(name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")) for name in sys.modules)
"""
    assert imported(code, tmp_path) == "opentelemetry"


@pytest.mark.parametrize(
    ("name", "missing"), [("OpenTelemetry", "opentelemetry"), ("PrometheusMetrics", "prometheus_client")]
)
def test_what_is_not_installed_is_named_with_the_extra(name: str, missing: str, tmp_path: Path) -> None:
    code = f"""
sys.modules[{missing!r}] = None
from fsm_agent import telemetry
try:
    telemetry.{name}
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "pip install 'fsm-agent[telemetry]'" in done.stdout
