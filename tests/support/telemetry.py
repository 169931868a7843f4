"""Telemetry that is kept in memory, for tests: real providers of the SDK, which belong to one test alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fsm_agent.telemetry import OpenTelemetry

#: the attributes of a measurement, in a form that can be a key
Labels = frozenset[tuple[str, Any]]


class Recorded:
    """What was recorded by ``telemetry``, and by whoever else uses its providers."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.telemetry = OpenTelemetry(tracer_provider=self.tracer_provider, meter_provider=self.meter_provider)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that have ended, in the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def outcomes(self) -> list[Any]:
        return [(span.attributes or {}).get("fsm_agent.outcome") for span in self.spans]

    def _metrics(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else ()
        return [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]

    def metric_names(self) -> set[str]:
        return {metric.name for metric in self._metrics()}

    def points(self, name: str) -> dict[Labels, Any]:
        """What was measured under a name, by attributes."""
        points = [point for metric in self._metrics() if metric.name == name for point in metric.data.data_points]
        return {frozenset((point.attributes or {}).items()): point for point in points}

    def counts(self, name: str) -> dict[Labels, Any]:
        return {labels: point.value for labels, point in self.points(name).items()}

    def text(self) -> str:
        """All that was recorded."""
        return "\n".join([*(span.to_json() for span in self.spans), self.metrics_text()])

    def metrics_text(self) -> str:
        data = self._reader.get_metrics_data()
        return data.to_json() if data else ""


def labels(**given: Any) -> Labels:
    return frozenset((name.replace("__", "."), value) for name, value in given.items())


def parents(spans: list[ReadableSpan]) -> Mapping[str, str | None]:
    """Name of each span -> name of the span that it is in."""
    names = {span.context.span_id: span.name for span in spans}
    return {span.name: names[span.parent.span_id] if span.parent else None for span in spans}
