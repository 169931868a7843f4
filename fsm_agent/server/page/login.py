"""The login: a token becomes a cookie that no script can read and that no other site can send."""

from __future__ import annotations

from typing import Final

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fsm_agent.server.access import COOKIE, is_encrypted, require_same_site
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.page.problem_page import problem_page
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import read_form
from fsm_agent.server.problems import HttpProblem

#: seconds; a token that expires or is revoked ends it before
_LASTS: Final = 30 * 24 * 3600


def routes(gate: Gate) -> list[BaseRoute]:
    """The routes by which people sign in and out."""

    async def show(request: Request) -> Response:
        try:
            gate.access.require_host(request)
        except HttpProblem as problem:
            return problem_page(None, problem)
        if not gate.access.asks_for_tokens:
            return RedirectResponse("/", 303)
        return _form(_own_place(request.query_params.get("next", "/")))

    async def sign_in(request: Request) -> Response:
        try:
            gate.access.require_host(request)
            require_same_site(request)
            form = dict(await read_form(request))
        except HttpProblem as problem:
            return problem_page(None, problem)
        back, secret = _own_place(form.get("next", "/")), form.get("token", "").strip()
        if gate.access.of_secret(secret) is None:
            return _form(back, "This token is not known here, or has expired.")
        response = RedirectResponse(back, 303)
        response.set_cookie(
            COOKIE, secret, max_age=_LASTS, httponly=True, samesite="strict", secure=is_encrypted(request)
        )
        return response

    async def sign_out(request: Request) -> Response:
        try:
            gate.access.require_host(request)
            require_same_site(request)
        except HttpProblem as problem:
            return problem_page(None, problem)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=is_encrypted(request))
        return response

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", sign_in, methods=["POST"]),
        Route("/logout", sign_out, methods=["POST"]),
    ]


def _form(back: str, wrong: str | None = None) -> Response:
    problem = h.p("#token-problem.problem", role="alert")[wrong] if wrong else None
    return page(
        None,
        "Sign in",
        h.form(".login", method="post", action="/login")[
            h.h1["Sign in"],
            problem,
            h.label(for_="token")["Token"],
            h.input(
                "#token",
                name="token",
                type="password",
                autocomplete="current-password",
                required=True,
                autofocus=True,
                aria_invalid="true" if wrong else None,
                aria_describedby="token-problem token-hint" if wrong else "token-hint",
            ),
            h.p("#token-hint.hint")["Whoever runs this server makes one with ", h.code["fsm-agent token new"], "."],
            h.input(type="hidden", name="next", value=back),
            h.button(".main")["Sign in"],
        ],
        status=401 if wrong else 200,
    )


def _own_place(wanted: str) -> str:
    """Where the login leads: a page of ours, whatever a link to the login said."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_ours else "/"
