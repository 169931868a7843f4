"""Metrics as text for Prometheus."""

from __future__ import annotations

from typing import NamedTuple

try:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
except ImportError:
    raise ImportError(
        "metrics for Prometheus need libraries that are not installed: pip install 'fsm-agent[telemetry]'"
    ) from None


class Exposition(NamedTuple):
    """All metrics, and the media type of that text."""

    content: bytes
    content_type: str


class PrometheusMetrics:
    """Metrics that are kept until somebody asks for them: ``OpenTelemetry(meter_provider=metrics.meter_provider)``.

    They have a registry of their own, so that they show nothing that other libraries of the process count.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        self.meter_provider = MeterProvider(metric_readers=[reader])

    def exposition(self, accept: str = "") -> Exposition:
        """All metrics, in the format that the header ``Accept`` of a request asks for; else as plain text."""
        encode, content_type = choose_encoder(accept)
        return Exposition(encode(self._registry), content_type)

    def close(self) -> None:
        self.meter_provider.shutdown()
