"""``/metrics``: what is counted, as text for Prometheus."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fsm_agent.domain.selection import Tally
from fsm_agent.server.access import Caller
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.service import Service
from fsm_agent.server.tokens import Scope
from fsm_agent.telemetry import OpenTelemetry, PrometheusMetrics


class Metrics:
    """The metrics of one server process, of all its namespaces together."""

    def __init__(self) -> None:
        self._prometheus = PrometheusMetrics()
        #: what its runners record with
        self.telemetry = OpenTelemetry(meter_provider=self._prometheus.meter_provider)

    def route(self, gate: Gate) -> Route:
        """The route, which needs the scope ``read`` in every namespace that is served: it counts them together."""
        services = gate.services.values()
        gauges = self.telemetry.watch(tally=lambda: _tally(services), questions=lambda: _count_questions(services))

        async def show(request: Request) -> Response:
            try:
                _require_all(gate.admit(request, Scope.READ), gate.services)
            except HttpProblem as problem:
                return problem.response(request.url.path)
            await gauges.refresh()
            told = self._prometheus.exposition(request.headers.get("accept", ""))
            return Response(told.content, headers={"Content-Type": told.content_type})

        return Route("/metrics", show)


def _require_all(caller: Caller, served: Collection[str]) -> None:
    """Refuse a token that is not for all of them: the counts would tell it of agents that it may not see."""
    if not set(served) <= set(caller.namespaces):
        why = "metrics count all namespaces that are served here, and some are not open to this token"
        raise HttpProblem(403, "namespace-forbidden", why)


async def _tally(services: Collection[Service]) -> Sequence[Tally]:
    return [each for service in services for each in await service.statistics.tally()]


async def _count_questions(services: Collection[Service]) -> int:
    return sum([await service.runner.store.count_questions() for service in services])
