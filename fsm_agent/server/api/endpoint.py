"""How a request enters the API: who asks, may they, what do they want; then the operation, and its reply or problem."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from fsm_agent.domain.json import Json
from fsm_agent.domain.text import listed
from fsm_agent.errors import FsmAgentError
from fsm_agent.server.access import Access, Caller
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.api.operations import Operation
from fsm_agent.server.api.requests import check_path, read_body, read_headers, read_query
from fsm_agent.server.problems import HttpProblem, problem_of
from fsm_agent.server.rates import RateLimit
from fsm_agent.server.request_ids import request_id
from fsm_agent.server.service import Service
from fsm_agent.server.tokens import Scope
from fsm_agent.stores import codec

logger = logging.getLogger("fsm_agent")

_UNKEPT: Final = {"Cache-Control": "no-store"}


class Gate:
    """What every request goes through: ``Access`` tells who asks, ``RateLimit`` how often they may."""

    def __init__(self, access: Access, rates: RateLimit, services: Mapping[str, Service]) -> None:
        self.access = access
        self.services = services
        self._rates = rates

    def admit(self, request: Request, scope: Scope | None) -> Caller:
        """The caller, who is counted. Raises ``HttpProblem``: 403 without the scope, 429 if they ask too often."""
        caller = self.access.caller(request)
        self._rates.count(caller.account)
        if scope is not None and not caller.may(scope):
            raise HttpProblem(403, "scope-missing", f"this needs the scope '{scope}', which the token lacks")
        return caller

    def service(self, caller: Caller, namespace: str | None) -> Service:
        """The service of the namespace that is named, or of the caller's only one. Raises ``HttpProblem``: 403 for
        somebody else's, 422 if it is not clear which one is meant."""
        if not caller.namespaces:
            raise HttpProblem(403, "namespace-forbidden", "none of the namespaces of this token is served here")
        if namespace is None:
            if len(caller.namespaces) > 1:
                known = list(caller.namespaces)
                why = f"say with ?namespace= which namespace is meant; open to this token: {listed(known)}"
                raise HttpProblem(422, "namespace-unnamed", why, allowed=known)
            namespace = caller.namespaces[0]
        if namespace not in caller.namespaces:
            raise HttpProblem(403, "namespace-forbidden", f"namespace {namespace!r} is not open to this token")
        return self.services[namespace]


def endpoint(operation: Operation, gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of an operation."""

    async def enter(request: Request) -> Response:
        try:
            reply = await operation.handler(await _call(operation, gate, request))
            return response_of(reply)
        except Exception as error:  # what is no error of ours must not end the connection either
            return _problem(operation, request, error).response(request.scope["path"])

    return enter


def _problem(operation: Operation, request: Request, error: Exception) -> HttpProblem:
    """What went wrong, for the caller; for the operator the log has what only they can mend."""
    facts = {"action": "request_failed", "operation": operation.name, "request_id": request_id(request.scope)}
    match error:
        case HttpProblem():
            return error
        case FsmAgentError():
            told = problem_of(error, is_conditional=request.headers.get("if-match", "*") != "*")
            if told.status >= 500:
                logger.warning("%s failed: %s", operation.name, error, extra=facts)
            return told
        case ClientDisconnect():
            return HttpProblem(400, "body-cut-off", "the body ended before its end")
        case _:
            logger.error("%s failed", operation.name, exc_info=error, extra=facts)
            return HttpProblem(500, "failure", "the server failed, which is no fault of the request; its log says why")


async def _call(operation: Operation, gate: Gate, request: Request) -> Call:
    caller = gate.admit(request, operation.scope)
    check_path(operation, request)
    query = read_query(operation, request)
    headers = read_headers(operation, request)
    service = gate.service(caller, query.pop("namespace", None))
    body = await read_body(operation, request)
    return Call(request, caller, service, query, body, headers)


class _Document(JSONResponse):
    def render(self, content: Json) -> bytes:
        return codec.encode(content).encode()


def response_of(reply: Reply) -> Response:
    """The response to a reply. What is replied is of this moment, and nobody's to keep."""
    if not isinstance(reply.content, Response):
        return _Document(reply.content, reply.status, headers={**_UNKEPT, **reply.headers})
    reply.content.headers.update(_UNKEPT)
    return reply.content
