"""What every page has around it: its head, the way to the other pages, and the policy that keeps it to itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import htpy as h
from starlette.responses import HTMLResponse, Response

from fsm_agent.server.page.assets import asset
from fsm_agent.server.page.texts import one_line
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.tokens import Scope

#: scripts, styles and pictures of ours, and nothing else, from nowhere else
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: page -> its name in the navigation, and what one needs to look at it
_PLACES: Final = {
    "inbox": ("Inbox", Scope.ANSWER),
    "agents": ("Agents", Scope.READ),
    "workflows": ("Workflows", Scope.READ),
}


def page(
    visit: Visit | None,
    title: str,
    *content: h.Node,
    place: str = "",
    styles: tuple[str, ...] = (),
    scripts: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """A whole page. ``place`` is the part of the navigation that it belongs to; ``styles`` and ``scripts`` are names of
    assets beside those that all pages have. Without ``visit`` nobody is signed in."""
    document = h.html(lang="en", data_now=datetime.now(UTC).isoformat())[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.title[f"{one_line(title)} · fsm-agent"],
            h.link(rel="icon", href=asset("icon.svg"), type="image/svg+xml"),
            [h.link(rel="stylesheet", href=asset(name)) for name in ("page.css", *styles)],
            [h.script(type="module", src=asset(name)) for name in ("page.js", *scripts)],
        ],
        h.body[
            h.a(".skip", href="#main")["Skip to the content"],
            _header(visit, place),
            h.main("#main", tabindex="-1")[content],
        ],
    ]
    return HTMLResponse(str(document), status, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})


def _header(visit: Visit | None, place: str) -> h.Node:
    name = h.span(".brand")["fsm-agent"]
    if visit is None:
        return h.header(".top")[name]
    return h.header(".top")[
        h.a(".home", href=visit.link())[name],
        h.nav(aria_label="Main")[
            [
                _way(visit, each, text, is_here=each == place)
                for each, (text, scope) in _PLACES.items()
                if visit.may(scope)
            ],
        ],
        h.div(".who")[_namespaces(visit), _person(visit)],
    ]


def _way(visit: Visit, place: str, text: str, *, is_here: bool) -> h.Node:
    is_inbox = place == "inbox"
    count = visit.open_questions if is_inbox else None
    return h.a(href=visit.link() if is_inbox else visit.link(place), aria_current="page" if is_here else None)[
        text, [" ", h.span("#open.open", title="questions that you may answer")[f"{count:,}"]] if count else None
    ]


def _namespaces(visit: Visit) -> h.Node:
    if len(visit.caller.namespaces) < 2:
        return None
    options = [h.option(value=name, selected=name == visit.service.namespace)[name] for name in visit.caller.namespaces]
    return h.form(".namespace", method="get", action="/")[
        h.label(for_="namespace")["Namespace"], h.select("#namespace", name="namespace")[options], h.button["Go"]
    ]


def _person(visit: Visit) -> h.Node:
    name = h.a(href=visit.link("tokens"), title="In this name you act: see what you may do")[
        h.bdi[one_line(visit.caller.name or "(no name)")]
    ]
    if visit.tokens is None:
        return name
    return [name, sign_out()]


def sign_out() -> h.Node:
    """The button that ends it."""
    return h.form(method="post", action="/logout")[h.button(".quiet")["Sign out"]]
