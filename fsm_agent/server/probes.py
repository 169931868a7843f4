"""What a load balancer and a monitor ask: whether the process lives, and whether it can work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fsm_agent.domain.json import Json
from fsm_agent.errors import StoreError
from fsm_agent.server.service import Service

#: no agent can have this id
_NOBODY: Final = "-"


async def alive(_: Request) -> Response:
    """The process lives."""
    return JSONResponse({"status": "alive"})


def readiness(services: Mapping[str, Service]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers 200 while every store can be read and agents are driven, and 503 else."""

    async def ready(_: Request) -> Response:
        found = [problem for each in services.values() if (problem := await _problem(each))]
        problems: list[Json] = list(dict.fromkeys(found))  # without the namespaces, since nobody is asked for a token
        if problems:
            return JSONResponse({"status": "unready", "problems": problems}, 503)
        return JSONResponse({"status": "ready"})

    return ready


async def _problem(service: Service) -> str | None:
    if service.feed.is_closed:
        return "it is being stopped"
    try:
        await service.runner.store.heads([_NOBODY])
    except StoreError:
        return "a store cannot be read"
    return None if service.is_well else "nobody drives its agents"
