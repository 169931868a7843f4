"""The page that tells a problem."""

from __future__ import annotations

import htpy as h
from starlette.responses import Response

from fsm_agent.server.page.shell import page, sign_out
from fsm_agent.server.page.texts import visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.problems import HttpProblem


def problem_page(visit: Visit | None, problem: HttpProblem, *, is_signed_in: bool = False) -> Response:
    """The page that tells a problem. Without ``visit`` nobody knows who asks; if they have signed in all the same, they
    can sign out."""
    title = problem.kind.replace("-", " ").capitalize()
    told = [h.li(dir="auto")[visible(str(each))] for each in problem.more.get("problems") or ()]
    response = page(
        visit,
        title,
        h.h1[title],
        h.p(role="alert", dir="auto")[visible(problem.detail)],
        h.ul[told] if told else None,
        h.p[h.a(href=visit.link() if visit else "/")["To the first page"]],
        sign_out() if is_signed_in and visit is None else None,
        status=problem.status,
    )
    response.headers.update(problem.headers)
    return response
