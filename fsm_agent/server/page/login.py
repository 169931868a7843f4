"""The login: a token becomes a cookie that no script can read and that no other site can send. A form that was sent by
somebody who was signed out meanwhile is kept through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias
from urllib.parse import urlencode

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from fsm_agent.server.access import COOKIE, is_encrypted, require_same_site
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.page.problem_page import problem_page
from fsm_agent.server.page.question import kept_texts, of_pairs
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import isolated
from fsm_agent.server.page.visit import read_form
from fsm_agent.server.problems import HttpProblem

#: seconds; a token that expires or is revoked ends it before
_LASTS: Final = 30 * 24 * 3600
#: before the names of fields of a form that is kept
_KEPT: Final = "kept:"

#: what a form has sent, in its order
Pairs: TypeAlias = Sequence[tuple[str, str]]


async def ask(request: Request) -> Response:
    """What somebody sees who is not signed in: the login, which leads back to where they wanted to go."""
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "POST":
        return RedirectResponse("/login" if place == "/" else f"/login?{urlencode({'next': place})}", 303)
    try:
        kept = await read_form(request)
    except HttpProblem:  # it is none of our forms
        kept = []
    return _form(place if kept else "/", kept=kept, status=401)


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
            sent = await read_form(request)
        except HttpProblem as problem:
            return problem_page(None, problem)
        form, kept = dict(sent), [(name.removeprefix(_KEPT), text) for name, text in sent if name.startswith(_KEPT)]
        back, secret = _own_place(form.get("next", "/")), form.get("token", "").strip()
        caller = gate.access.of_secret(secret)
        if caller is None:
            return _form(back, "This token is not known here, or has expired.", kept=kept, status=401)
        if not caller.namespaces:
            return _form(back, "None of the namespaces of this token is served here.", kept=kept, status=403)
        response = _send_again(caller.name, back, kept) if kept else RedirectResponse(back, 303)
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


def _form(back: str, wrong: str | None = None, *, kept: Pairs = (), status: int = 200) -> Response:
    problem = h.p("#token-problem.problem", role="alert")[wrong] if wrong else None
    out = h.p(role="status")["You are signed out, and nothing was done. What you have sent is kept."] if kept else None
    return page(
        None,
        "Sign in",
        h.form(".login", method="post", action="/login")[
            h.h1["Sign in"],
            out,
            problem,
            h.label(for_="token")["Token"],
            _token(is_wrong=wrong is not None),
            h.p("#token-hint.hint")["Whoever runs this server makes one with ", h.code["fsm-agent token new"], "."],
            h.input(type="hidden", name="next", value=back),
            _hidden(kept, _KEPT),
            h.button(".main")["Sign in"],
        ],
        status=status,
    )


def _token(*, is_wrong: bool) -> h.Node:
    return h.input(
        "#token",
        name="token",
        type="password",
        autocomplete="current-password",
        required=True,
        autofocus=True,
        aria_invalid="true" if is_wrong else None,
        aria_describedby="token-problem token-hint" if is_wrong else "token-hint",
    )


def _hidden(pairs: Pairs, prefix: str = "") -> h.Node:
    return [h.input(type="hidden", name=f"{prefix}{name}", value=text) for name, text in pairs]


def _send_again(name: str | None, action: str, kept: Pairs) -> Response:
    """The form that was kept. It is sent only when somebody says so: they may be somebody else by now."""
    return page(
        None,
        "Send it now?",
        h.form(".login", method="post", action=action)[
            h.h1["Send it now?"],
            h.p["You are signed in as ", isolated(name or "nobody"), ". This is what you wanted to send:"],
            kept_texts(of_pairs(kept)),
            _hidden(kept),
            h.p[h.button(".main")["Send it"], " ", h.a(".button", href="/")["Do not send it"]],
        ],
    )


def _own_place(wanted: str) -> str:
    """Where the login leads: a page of ours, whatever a link to the login said."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_ours else "/"
