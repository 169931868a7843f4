"""How a request enters the API: who asks, may they, what do they want; then the operation, and its reply or problem."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fsm_agent.domain.text import listed
from fsm_agent.errors import FsmAgentError
from fsm_agent.server.access import Access, Caller
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.api.operations import Operation
from fsm_agent.server.api.requests import check_path, read_body, read_headers, read_query
from fsm_agent.server.problems import HttpProblem, problem_of
from fsm_agent.server.rates import RateLimit
from fsm_agent.server.service import Service
from fsm_agent.server.tokens import Scope

logger = logging.getLogger("fsm_agent")


class Gate:
    """What every request goes through: ``Access`` tells who asks, ``RateLimit`` how often they may."""

    def __init__(self, access: Access, rates: RateLimit, services: Mapping[str, Service]) -> None:
        self.access = access
        self.services = services
        self._rates = rates

    def admit(self, request: Request, scope: Scope) -> Caller:
        """Who asks. Raises ``HttpProblem``: 403 without the scope, 429 if they ask too often."""
        caller = self.access.caller(request)
        self._rates.count(caller.account)
        if not caller.may(scope):
            raise HttpProblem(403, "scope-missing", f"this needs the scope {scope!r}, which the token lacks")
        return caller

    def service(self, caller: Caller, namespace: str | None) -> Service:
        """The service of the namespace that is named, or of the caller's only one. Raises ``HttpProblem``: 403 for
        somebody else's, 422 if it is not clear which one is meant."""
        if namespace is None:
            if len(caller.namespaces) != 1:
                known = listed(caller.namespaces) or "none that is served here"
                raise HttpProblem(422, "namespace-unnamed", f"say with ?namespace= which one is meant; yours: {known}")
            namespace = caller.namespaces[0]
        if namespace not in caller.namespaces:
            raise HttpProblem(403, "namespace-forbidden", f"namespace {namespace!r} is not open to this token")
        return self.services[namespace]


def endpoint(operation: Operation, gate: Gate) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of an operation."""

    async def enter(request: Request) -> Response:
        try:
            return response_of(await operation.handler(await _call(operation, gate, request)))
        except HttpProblem as problem:
            return problem.response(request.url.path)
        except FsmAgentError as error:
            told = problem_of(error, is_conditional="if-match" in request.headers)
            if told.status == 500:
                logger.warning("%s failed: %s", operation.name, error, extra=_facts(operation))
            return told.response(request.url.path)
        except Exception:
            logger.exception("%s failed", operation.name, extra=_facts(operation))
            return HttpProblem(500, "failure", "the server failed; its log says why").response(request.url.path)

    return enter


def _facts(operation: Operation) -> dict[str, str]:
    return {"action": "request_failed", "operation": operation.name}


async def _call(operation: Operation, gate: Gate, request: Request) -> Call:
    caller = gate.admit(request, operation.scope)
    check_path(operation, request)
    query = read_query(operation, request)
    headers = read_headers(operation, request)
    service = gate.service(caller, query.pop("namespace", None))
    body = await read_body(operation, request)
    return Call(request, caller, service, query, body, headers)


def response_of(reply: Reply) -> Response:
    if isinstance(reply.content, Response):
        return reply.content
    return JSONResponse(reply.content, reply.status, headers=dict(reply.headers))
