"""The application: routes to the API and the pages, with what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Final, TypeAlias
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fsm_agent.server.api.endpoint import Gate, endpoint
from fsm_agent.server.api.openapi import document
from fsm_agent.server.api.table import OPERATIONS
from fsm_agent.server.probes import alive, readiness
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.service import Service

logger = logging.getLogger("fsm_agent.server")

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

#: status -> kind of the problem that the router itself tells
_ROUTING: Final = {404: "not-found", 405: "method-not-allowed"}


def application(gate: Gate, pages: Sequence[BaseRoute] = ()) -> Starlette:
    """The application. It begins to serve its services when it starts up, and ends them when it shuts down."""
    services = gate.services
    return Starlette(
        routes=[*_api_routes(gate), *_probe_routes(gate, services), *pages],
        middleware=[Middleware(Surroundings)],
        exception_handlers={HTTPException: _routing_problem},
        lifespan=_lifespan(services),
    )


def _api_routes(gate: Gate) -> list[Route]:
    by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for operation in OPERATIONS:
        by_path[operation.path][operation.method] = endpoint(operation, gate)
    return [Route(path, _by_method(methods), methods=list(methods)) for path, methods in by_path.items()]


def _by_method(methods: Mapping[str, Endpoint]) -> Endpoint:
    async def enter(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return enter


def _probe_routes(gate: Gate, services: Mapping[str, Service]) -> list[Route]:
    openapi = document(OPERATIONS)

    async def show_document(request: Request) -> Response:
        try:
            gate.access.require_host(request)
        except HttpProblem as problem:
            return problem.response(request.url.path)
        return JSONResponse(openapi)

    return [
        Route("/openapi.json", show_document),
        Route("/healthz", alive),
        Route("/readyz", readiness(services)),
    ]


def _lifespan(services: Mapping[str, Service]) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None]:
        for service in services.values():
            service.begin()
        try:
            yield
        finally:
            for service in services.values():
                service.stop()
            await asyncio.gather(*(service.end() for service in services.values()))

    return run


async def _routing_problem(request: Request, error: Exception) -> Response:
    """What the router says of a path or a method that there is not."""
    if not isinstance(error, HTTPException):
        raise error
    told = HttpProblem(
        error.status_code,
        _ROUTING.get(error.status_code, "refused"),
        f"{request.method} {request.url.path}: {error.detail}",
    )
    response = told.response(request.url.path)
    response.headers.update(error.headers or {})
    return response


class Surroundings:
    """Around every request: an id by which the log and the caller speak of it, a line in the log, and a problem instead
    of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, began_s, status = _request_id(scope), perf_counter(), 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *_SAFE]
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            facts = {"action": "request", "method": scope["method"], "path": scope["path"], "status": status}
            more = {"request_id": request_id, "ms": round((perf_counter() - began_s) * 1000, 1)}
            logger.info("%s %s: %s", scope["method"], scope["path"], status, extra={**facts, **more})


#: headers of every response
_SAFE: Final = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _request_id(scope: Scope) -> str:
    """The id that the caller gives a request, if it is one, or else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
