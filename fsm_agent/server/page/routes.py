"""The pages by their addresses, and what happens around each of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from fsm_agent.errors import FsmAgentError, StoreError
from fsm_agent.server.access import COOKIE, Caller
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.page import (
    actions_rewind,
    actions_send,
    actions_unpark,
    agent,
    agent_value,
    agents,
    bulk_unpark,
    inbox,
    login,
    start,
    step,
    tokens,
    workflows,
)
from fsm_agent.server.page.assets import serve_asset
from fsm_agent.server.page.problem_page import problem_page
from fsm_agent.server.page.visit import Visit, read_form
from fsm_agent.server.problems import HttpProblem, problem_of
from fsm_agent.server.service import Service
from fsm_agent.server.tokens import Scope

logger = logging.getLogger("fsm_agent")

View: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table: an address, who may look at it, and who makes it."""

    path: str
    #: ``None`` is everybody who is let in
    scope: Scope | None
    view: View
    method: Literal["GET", "POST"] = "GET"


#: every page but those of the login
PAGES: Final[tuple[Page, ...]] = (
    Page("/", None, inbox.first),
    Page("/answer/{id}", Scope.ANSWER, inbox.back),
    Page("/answer/{id}", Scope.ANSWER, inbox.answer, "POST"),
    Page("/live/inbox", Scope.ANSWER, inbox.live),
    Page("/live/closed/{id}/{question:int}", Scope.ANSWER, inbox.closed),
    Page("/agents", Scope.READ, agents.agents),
    Page("/unpark", Scope.OPERATE, bulk_unpark.confirm_unpark),
    Page("/unpark", Scope.OPERATE, bulk_unpark.unpark, "POST"),
    Page("/agents/{id}", Scope.READ, agent.agent),
    Page("/agents/{id}/answer", Scope.ANSWER, agent.answer, "POST"),
    Page("/agents/{id}/value", Scope.READ, agent_value.value),
    Page("/agents/{id}/steps/{version}", Scope.READ, step.step),
    Page("/agents/{id}/send", Scope.OPERATE, actions_send.confirm_send),
    Page("/agents/{id}/send", Scope.OPERATE, actions_send.send, "POST"),
    Page("/agents/{id}/cancel", Scope.OPERATE, actions_send.confirm_cancel),
    Page("/agents/{id}/cancel", Scope.OPERATE, actions_send.cancel, "POST"),
    Page("/agents/{id}/unpark", Scope.OPERATE, actions_unpark.confirm_unpark),
    Page("/agents/{id}/unpark", Scope.OPERATE, actions_unpark.unpark, "POST"),
    Page("/agents/{id}/rewind", Scope.OPERATE, actions_rewind.confirm_rewind),
    Page("/agents/{id}/rewind", Scope.OPERATE, actions_rewind.rewind, "POST"),
    Page("/agents/{id}/fork", Scope.OPERATE, actions_rewind.confirm_fork),
    Page("/agents/{id}/fork", Scope.OPERATE, actions_rewind.fork, "POST"),
    Page("/tokens", None, tokens.tokens),
    Page("/workflows", Scope.READ, workflows.workflows),
    Page("/workflows/{name}", Scope.READ, workflows.workflow),
    Page("/workflows/{name}/start", Scope.OPERATE, start.show_start),
    Page("/workflows/{name}/start", Scope.OPERATE, start.start, "POST"),
)


def page_routes(gate: Gate) -> list[BaseRoute]:
    """The routes of the page."""
    shown = [Route(each.path, _entered(gate, each), methods=[each.method]) for each in PAGES]
    return [*shown, *login.routes(gate), Route("/static/{name}", serve_asset)]


def _entered(gate: Gate, each: Page) -> Callable[[Request], Awaitable[Response]]:
    async def enter(request: Request) -> Response:
        visit: Visit | None = None
        is_signed_in = COOKIE in request.cookies
        try:
            visit = await _visit(gate, each, request)
            return await each.view(visit)
        except HttpProblem as problem:
            if problem.status == 401 and "text/event-stream" in request.headers.get("accept", ""):
                return Response(status_code=204)  # a browser then asks no more; its next page leads to the login
            if problem.status == 401 and gate.access.asks_for_tokens:
                return await login.ask(request)
            return problem_page(visit, problem, is_signed_in=is_signed_in)
        except FsmAgentError as error:
            return problem_page(visit, problem_of(error, is_conditional=True))
        except Exception:
            logger.exception("page %s failed", each.path, extra={"action": "page_failed", "path": each.path})
            return problem_page(visit, HttpProblem(500, "failure", "the server failed; its log says why"))

    return enter


async def _visit(gate: Gate, each: Page, request: Request) -> Visit:
    caller = gate.admit(request, each.scope)
    namespace = request.query_params.get("namespace") or next(iter(caller.namespaces), None)
    service = gate.service(caller, namespace)
    form = await read_form(request) if each.method == "POST" else []
    count = await _open_questions(service, caller)
    return Visit(request, caller, service, gate.access.tokens, form, count)


async def _open_questions(service: Service, caller: Caller) -> int | None:
    """How many questions the caller may answer, for the navigation; a store that is away says so elsewhere."""
    if not caller.may(Scope.ANSWER):
        return None
    try:
        return await service.statistics.open_questions(caller.name)
    except StoreError:
        return None
