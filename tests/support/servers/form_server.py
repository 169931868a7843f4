"""A small server of one page, with a form for each event, that reads what is sent as the real page does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

import htpy as h
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fsm_agent.domain.json import Json, Schema
from fsm_agent.server.page.assets import serve_asset
from fsm_agent.server.page.forms.controls import ABSENT
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.reader import Reading, read
from fsm_agent.server.page.forms.render import event_form
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import read_form


class Shown(NamedTuple):
    """A form, and what it is filled with at first."""

    schema: Schema
    payload: Json = ABSENT


class FormServer:
    """Serves forms on a free port of the loopback, and keeps the payloads that were sent."""

    def __init__(self, forms: Mapping[str, Shown]) -> None:
        self._forms = forms
        self.payloads: list[tuple[str, Json]] = []
        #: what came, as it came
        self.sent: list[list[tuple[str, str]]] = []
        routes = [
            Route("/", self._page),
            Route("/static/{name}", serve_asset),
            Route("/{event}", self._take, methods=["POST"]),
        ]
        app = Starlette(routes=routes)
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
        event, pairs = request.path_params["event"], await read_form(request)
        self.sent.append(pairs)
        reading = read(pairs, self._forms[event].schema, besides={"question"})
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
    return page(None, "Forms", h.h1["Forms"], *content, styles=("forms.css",))
