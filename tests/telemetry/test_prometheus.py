"""Metrics as text for Prometheus, read by its own parser."""

from __future__ import annotations

from opentelemetry import metrics
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from fsm_agent import Context, Refused, Runner, action, open_store
from fsm_agent.telemetry import OpenTelemetry, PrometheusMetrics
from tests.support.runtime import flow, on_loop

WORK = flow("""
    events: {ok: {}, yes: {}}
    initial: working
    states:
      working: {do: work, on: {ok: asking}}
      asking: {ask: {prompt: Sure?, events: [yes]}, on: {yes: done}}
      done: {final: true}
""")


@action(name="work")
async def work(ctx: Context) -> str:
    return "ok"


async def exposed() -> PrometheusMetrics:
    """The metrics of an agent that asks, and of a refusal."""
    prometheus = PrometheusMetrics()
    telemetry = OpenTelemetry(meter_provider=prometheus.meter_provider)
    async with Runner(open_store("memory://"), actions=[work], telemetry=telemetry) as runner:
        gauges = telemetry.watch(tally=runner.store.tally, questions=runner.store.count_questions)
        await runner.start(WORK, id="a")
        try:
            await runner.send("a", "ok")
        except Refused:
            await gauges.refresh()
    return prometheus


@on_loop
async def test_all_metrics_are_in_the_text() -> None:
    prometheus = await exposed()
    content, content_type = prometheus.exposition()
    families = list(text_string_to_metric_families(content.decode()))
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }
    assert content_type.startswith("text/plain; version=")
    assert samples["fsm_agent_steps_total", ("status", "running"), ("workflow", "w")] == 1
    assert samples["fsm_agent_steps_total", ("status", "waiting"), ("workflow", "w")] == 1
    assert samples["fsm_agent_agents", ("state", "asking"), ("status", "waiting"), ("workflow", "w")] == 1
    assert samples[("fsm_agent_questions_open",)] == 1
    assert samples["fsm_agent_refusals_total", ("error_type", "IllegalEvent"), ("kind", "conflict")] == 1
    where = (("action", "work"), ("outcome", "emitted"), ("state", "working"), ("workflow", "w"))
    assert samples["fsm_agent_action_duration_seconds_count", *where] == 1
    buckets = {name[2][1] for name in samples if name[0] == "fsm_agent_action_duration_seconds_bucket"}
    assert {"0.005", "600.0", "+Inf"} <= buckets
    prometheus.close()


@on_loop
async def test_who_asks_for_openmetrics_gets_them() -> None:
    prometheus = await exposed()
    content, content_type = prometheus.exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert "fsm_agent_steps" in {family.name for family in open_metrics(content.decode())}
    prometheus.close()


@on_loop
async def test_they_are_kept_apart_from_those_of_the_process() -> None:
    prometheus = await exposed()
    assert not any(family.name.startswith("fsm_agent") for family in REGISTRY.collect())
    assert b"python_info" not in prometheus.exposition().content
    assert metrics.get_meter_provider() is not prometheus.meter_provider
    assert b"fsm_agent_steps" not in PrometheusMetrics().exposition().content
    prometheus.close()
