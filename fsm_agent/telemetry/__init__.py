"""Telemetry: spans and metrics through OpenTelemetry, metrics for Prometheus, and logs as JSON.

Names are imported when they are first used, since OpenTelemetry takes as long to import as all of fsm-agent.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fsm_agent.telemetry.json_logs import JsonLines
    from fsm_agent.telemetry.open_telemetry import OpenTelemetry
    from fsm_agent.telemetry.prometheus import Exposition, PrometheusMetrics
    from fsm_agent.telemetry.store_gauges import StoreGauges

_HOMES: Final = {
    "Exposition": "prometheus",
    "JsonLines": "json_logs",
    "OpenTelemetry": "open_telemetry",
    "PrometheusMetrics": "prometheus",
    "StoreGauges": "store_gauges",
}

__all__ = ["Exposition", "JsonLines", "OpenTelemetry", "PrometheusMetrics", "StoreGauges", "configured"]


def configured() -> OpenTelemetry | None:
    """Telemetry for a process in which somebody has set OpenTelemetry up before, as ``opentelemetry-instrument`` does;
    elsewhere ``None``, and nothing is imported."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from fsm_agent.telemetry.open_telemetry import OpenTelemetry

    return OpenTelemetry()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fsm_agent.telemetry' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fsm_agent.telemetry.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
