"""The server in the event loop of a test, which can then look inside, and shorten what takes seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from fsm_agent.domain.agent import Head
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.runner import Runner
from fsm_agent.server.access import Access
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.app import application
from fsm_agent.server.connection import Connection
from fsm_agent.server.process import configuration, listen
from fsm_agent.server.rates import RateLimit
from fsm_agent.server.service import Service
from fsm_agent.server.token_file import TokenFile
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.http_client import EventStream, HttpConnection


@dataclass(frozen=True, slots=True)
class Served:
    """A server that serves."""

    port: int
    services: Mapping[str, Service]

    @property
    def service(self) -> Service:
        return self.services["default"]

    def connect(self, **headers: str) -> HttpConnection:
        return HttpConnection(self.port, **headers)

    def stream(self, agent_id: str, *, last_id: int | None = None, query: str = "", **headers: str) -> EventStream:
        return EventStream(self.port, agent_id, last_id=last_id, query=query, **headers)


@asynccontextmanager
async def serving(
    store: str | Callable[[str], Store],
    workflows: Sequence[Workflow] = (),
    *,
    actions: Sequence[Any] = (),
    namespaces: Sequence[str] = ("default",),
    drives: bool = True,
    connection: type[Connection] = Connection,
    tokens: TokenFile | None = None,
) -> AsyncIterator[Served]:
    """Serve a store, which may be its URL, or what opens it for a namespace."""

    def opened(namespace: str) -> Store:
        return open_store(store, namespace=namespace) if isinstance(store, str) else store(namespace)

    def runner_of(namespace: str) -> Callable[[Callable[[Head], None]], Runner]:
        return lambda observe: Runner(opened(namespace), actions=actions, observe=observe)

    named = {workflow.name: workflow for workflow in workflows}
    services = {name: Service(name, runner_of(name), named, drives=drives) for name in namespaces}
    access = Access(tokens=tokens, operator="operator", namespaces=tuple(namespaces))
    server = uvicorn.Server(configuration(application(Gate(access, RateLimit(0), services)), connection))
    listening = listen("127.0.0.1", 0)
    serves = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        yield Served(listening.getsockname()[1], services)
    finally:
        for service in services.values():
            service.stop()
        server.should_exit = True
        await serves
