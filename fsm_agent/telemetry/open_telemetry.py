"""Telemetry of runners through the API of OpenTelemetry. Where to and how often it is sent, is for an SDK to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

try:
    from opentelemetry import metrics, trace
except ImportError:
    raise ImportError(
        "fsm_agent.telemetry needs a library that is not installed: pip install 'fsm-agent[telemetry]'"
    ) from None

from fsm_agent import __version__
from fsm_agent.domain.agent import Head
from fsm_agent.domain.selection import Tally
from fsm_agent.errors import Refused
from fsm_agent.runtime.executor import Executor
from fsm_agent.telemetry.attempts import TracedExecutor
from fsm_agent.telemetry.instruments import Instruments
from fsm_agent.telemetry.store_gauges import StoreGauges


class OpenTelemetry:
    """Records what runners do as spans and metrics: ``Runner(store, telemetry=OpenTelemetry())``.

    Without providers, those of the process count, also if they are set later.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("fsm_agent", __version__, tracer_provider)
        self._meter = metrics.get_meter("fsm_agent", __version__, meter_provider)
        self._instruments = Instruments(self._meter)

    def traced(self, executor: Executor) -> Executor:
        return TracedExecutor(executor, self._tracer, self._instruments)

    def committed(self, head: Head, steps: int) -> None:
        self._instruments.committed(head, steps)

    def refused(self, error: Refused) -> None:
        self._instruments.refused(error)

    def watch(
        self, *, tally: Callable[[], Awaitable[Iterable[Tally]]], questions: Callable[[], Awaitable[int]]
    ) -> StoreGauges:
        """Metrics of the agents and open questions that there are, such as ``store.tally`` and
        ``store.count_questions`` give; once for each telemetry."""
        return StoreGauges(self._meter, tally=tally, questions=questions)
