"""The application: routes to the API and the pages, with what surrounds every request."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Final, TypeAlias
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fsm_agent.domain.text import listed
from fsm_agent.server.api.endpoint import Gate, endpoint
from fsm_agent.server.api.openapi import document
from fsm_agent.server.api.table import OPERATIONS
from fsm_agent.server.page.problem_page import problem_page
from fsm_agent.server.page.routes import page_routes
from fsm_agent.server.probes import alive, readiness
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.request_ids import request_id
from fsm_agent.server.service import Service

logger = logging.getLogger("fsm_agent.server")

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def application(gate: Gate, besides: Sequence[Route] = ()) -> Starlette:
    """The application, with routes ``besides`` its own. It begins to serve its services when it starts up, and ends
    them when it shuts down."""
    services = gate.services
    app = Starlette(
        routes=[*_api_routes(gate), *_probe_routes(gate, services), *besides, *page_routes(gate)],
        middleware=[Middleware(Surroundings)],
        exception_handlers={HTTPException: _routing_problem},
        lifespan=_lifespan(services),
    )
    app.state.access = gate.access
    app.router.redirect_slashes = False  # a redirect would lead to whatever host the request has named
    return app


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
            return problem.response(request.scope["path"])
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
    path = request.scope["path"]
    if error.status_code != 405:
        return _told(request, HttpProblem(error.status_code, "not-found", f"there is nothing at {path}"))
    methods = _methods(request)
    allow = {"Allow": ", ".join(methods)}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    why = f"{path} takes {listed(methods)}, and not {request.method}"
    response = _told(request, HttpProblem(405, "method-not-allowed", why, allowed=list(methods)))
    response.headers.update(allow)
    return response


def _told(request: Request, problem: HttpProblem) -> Response:
    """A page for who looks with a browser, and a document for programs."""
    path, takes = request.scope["path"], request.headers.get("accept", "")
    if "text/html" in takes and not path.startswith("/v1/"):
        return problem_page(None, problem)
    return problem.response(path)


def _methods(request: Request) -> list[str]:
    """The methods that a path takes; a path may have several routes."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({"OPTIONS", *(method for route in routes for method in route.methods or ())})


class Surroundings:
    """Around every request: an id by which the log and the caller speak of it, a line in the log, and a problem instead
    of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        its_id, began_s, status = request_id(scope), perf_counter(), 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", its_id.encode()), *_SAFE]
            await send(message)

        try:
            await (_nothing if b"%2f" in scope.get("raw_path", b"").lower() else self._app)(scope, receive, tell)
        finally:
            path = quote(scope["path"])  # whoever asks must not write lines of the log
            facts = {"action": "request", "method": scope["method"], "path": path, "status": status}
            more = {"request_id": its_id, "ms": round((perf_counter() - began_s) * 1000, 1)}
            logger.info("%s %s: %s", scope["method"], path, status, extra={**facts, **more})


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """What there is at a path with an encoded slash. No name has one; but once it is decoded, it would lead to another
    path than a proxy has seen, which may let some paths through and others not."""
    problem = HttpProblem(404, "not-found", f"there is nothing at {scope['path']}")
    await _told(Request(scope), problem)(scope, receive, send)


#: headers of every response
_SAFE: Final = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
