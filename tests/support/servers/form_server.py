"""A small server of one page, with a form for each event, that reads what is sent as the real page does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from importlib.resources import files
from types import TracebackType
from typing import Final, NamedTuple, Self

import htpy as h
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.page.forms.body import pairs_of
from fsm_agent.server.page.forms.controls import ABSENT
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import event_form

POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
#: the colours and sizes of the page
PAGE: Final = """
:root { color-scheme: light dark; --space: 8px; --small: 12px; --text: 14px; --large: 16px; --title: 20px;
  --paper: #ffffff; --ink: #1f2328; --muted: #57606a; --line: #d0d7de; --shade: #f6f8fa;
  --good: #007a59; --bad: #b34700; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #0d1117; --ink: #e6edf3; --muted: #a5aeb8; --line: #3d444d; --shade: #161b22;
  --good: #2fc79a; --bad: #ff8a4c; --accent: #58a6ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: var(--text)/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: auto; padding: calc(2 * var(--space)); display: grid; gap: calc(3 * var(--space)); }
h1 { font-size: var(--title); margin: 0; } h2 { font-size: var(--large); margin: 0 0 var(--space); }
a { color: var(--accent); } section { border-top: 1px solid var(--line); padding-top: calc(2 * var(--space)); }
"""


class Shown(NamedTuple):
    """A form, and what it is filled with at first."""

    schema: Schema
    payload: Json = ABSENT


class FormServer:
    """Serves forms on a free port of the loopback, and keeps the payloads that were sent."""

    def __init__(self, forms: Mapping[str, Shown]) -> None:
        self._forms = forms
        self.payloads: list[tuple[str, Json]] = []
        #: the bodies as they came
        self.bodies: list[bytes] = []
        routes = [Route("/", self._page), Route("/page.css", _page_css), Route("/forms.css", _forms_css)]
        app = Starlette(routes=[*routes, Route("/{event}", self._take, methods=["POST"])])
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="forms", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _page(self, _: Request) -> Response:
        return _html(*(self._section(event) for event in self._forms))

    async def _take(self, request: Request) -> Response:
        event, body = request.path_params["event"], await request.body()
        self.bodies.append(body)
        reading = read(pairs_of(body), self._forms[event].schema, besides={"question"})
        if reading.payload is None:
            return _html(*(self._section(each, reading if each == event else None) for each in self._forms))
        self.payloads.append((event, reading.payload))
        return _html(h.p["Thank you."])

    def _section(self, event: str, reading: Reading | None = None) -> h.Element:
        form = fields(self._forms[event].schema)
        reading = reading or Reading(None, filled(form, self._forms[event].payload))
        title = f"{event}-title"
        return h.section[
            h.h2(id=title)[f"Agent {event}"],
            h.div(".answers")[
                event_form(
                    event,
                    form,
                    reading.typed,
                    reading.problems,
                    action=f"/{event}",
                    prefix=f"agent 1/{event}",
                    hidden={"question": "7"},
                    described_by=title,
                    changed=reading.changed,
                )
            ],
        ]


def _html(*content: h.Node) -> Response:
    page = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.title["Forms"],
            h.link(rel="stylesheet", href="/page.css"),
            h.link(rel="stylesheet", href="/forms.css"),
        ],
        h.body[h.main[h.h1["Forms"], *content]],
    ]
    return HTMLResponse(str(page), headers={"Content-Security-Policy": POLICY})


async def _page_css(_: Request) -> Response:
    return Response(PAGE, media_type="text/css")


async def _forms_css(_: Request) -> Response:
    return Response(files("fsm_agent.server.page").joinpath("assets/forms.css").read_text(), media_type="text/css")
