"""The server in a thread of the test's process, for tests that speak to it with a client that blocks."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import httpx2
import uvicorn

from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.domain.state import Duration
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.server.access import Access
from fsm_agent.server.api.endpoint import Gate
from fsm_agent.server.app import application
from fsm_agent.server.process import configuration, listen
from fsm_agent.server.rates import RateLimit
from fsm_agent.server.service import Service
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope, new_token
from fsm_agent.stores.urls import open_store

Value = TypeVar("Value")

_PATIENCE_S: Final = 30
#: nothing is sealed here, and to read the certificates of the world takes longer than most tests
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

#: an agent that asks, works, waits, and can be brought into every status
ERRAND: Final = """
workflow: errand
version: 1
description: Fetches one thing, once somebody says that it may.
data:
  item: string?
  note: string?
  approvers: {type: array, items: {type: string}, default: []}
  notes: {type: array, items: {type: string}, default: []}
events:
  wanted:
    item: {type: string, minLength: 1}
    approvers: {type: array, items: {type: string}, default: []}
  approve: {}
  reject: {reason: string}
  noted: {text: string}
  fetched: {}
initial: idle
on:
  noted: {append: {notes: event.text}}
states:
  idle:
    on:
      wanted:
        - when: size(event.approvers) > 0
          target: asking.some
          assign: {item: event.item, approvers: event.approvers}
        - {target: asking.anybody, assign: {item: event.item}}
  asking:
    initial: anybody
    after: {3d: lapsed}
    on:
      approve: {target: fetching, when: data.item != "moon"}
      reject: {target: rejected, assign: {note: event.reason}}
    states:
      anybody:
        ask: {prompt: "May it be {{ data.item }}?", events: [approve, reject]}
      some:
        ask: {prompt: "May it be {{ data.item }}?", events: [approve, reject], to: data.approvers}
  fetching:
    do: fetch
    retry: {attempts: 2, backoff: 1ms, on: [ConnectionError]}
    on:
      fetched: fetched
      error: {target: failed, assign: {note: event.message}}
  fetched: {final: true, output: {item: data.item}}
  rejected: {final: true, outcome: cancelled}
  lapsed: {final: true, outcome: cancelled}
  failed: {final: true, outcome: failed}
"""


@dataclass
class Served:
    """A server that listens."""

    url: str
    store: str
    folder: Path
    services: Mapping[str, Service]
    tokens: TokenFile | None
    loop: asyncio.AbstractEventLoop
    secrets: dict[str, str] = field(default_factory=dict)

    def client(self, secret: str | None = None, **headers: str) -> httpx2.Client:
        """A client that sends the token with each request."""
        known = {"Authorization": f"Bearer {secret}"} if secret else {}
        return client(self.url, {**known, **headers})

    def token(
        self,
        name: str,
        *scopes: str,
        namespaces: Iterable[str] = ("default",),
        lifetime: str | None = None,
        made: datetime | None = None,
    ) -> str:
        """Make a token, and return its secret."""
        assert self.tokens is not None
        lasts = Duration.parse(lifetime) if lifetime else None
        new = new_token(
            name, scopes=scopes or tuple(Scope), namespaces=namespaces, lifetime=lasts, now=made or datetime.now(UTC)
        )
        self.tokens.add(new.token)
        return new.secret

    def run(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Run something in the loop of the server."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_PATIENCE_S)

    @cached_property
    def _file(self) -> apsw.Connection:
        # The library must be the one that the store uses: two of them in one process drop each other's locks.
        return apsw.Connection(str(self.folder / "agents.db"), flags=apsw.SQLITE_OPEN_READONLY)

    @property
    def writes(self) -> int:
        """A number that differs whenever something was written to the store."""
        return int(self._file.execute("PRAGMA data_version").get)


@contextmanager
def served(
    folder: Path,
    *,
    workflows: Sequence[Workflow | str] = (ERRAND,),
    actions: Iterable[Callable[..., Any]] = (),
    modules: Iterable[str] = (),
    namespaces: Collection[str] = ("default",),
    has_tokens: bool = False,
    operator: str | None = "ana",
    identity_header: str | None = None,
    hosts: Collection[str] = (),
    rate: int = 0,
    drives: bool = True,
    surroundings: Callable[[], Surroundings] = Surroundings,
) -> Iterator[Served]:
    """A server in a thread of this process. It keeps its agents in ``agents.db`` in ``folder``."""
    store = f"sqlite:///{folder / 'agents.db'}"
    known = [each if isinstance(each, Workflow) else loads(each) for each in workflows]
    startable = {workflow.name: workflow for workflow in known}
    tokens = TokenFile(folder / "tokens.json") if has_tokens else None

    def service(namespace: str) -> Service:
        def runner(observe: Any) -> Runner:
            opened = open_store(store, namespace=namespace)
            return Runner(opened, actions=tuple(actions), modules=modules, observe=observe, surroundings=surroundings())

        return Service(namespace, runner, startable, drives=drives)

    services = {name: service(name) for name in namespaces}
    access = Access(
        tokens=tokens,
        operator=operator,
        namespaces=tuple(namespaces),
        identity_header=identity_header,
        hosts=hosts,
    )
    with _in_thread(Gate(access, RateLimit(rate), services)) as (port, loop):
        yield Served(f"http://127.0.0.1:{port}", store, folder, services, tokens, loop)


@contextmanager
def _in_thread(gate: Gate) -> Iterator[tuple[int, asyncio.AbstractEventLoop]]:
    listening = listen("127.0.0.1", 0)
    server, started = _Announced(configuration(application(gate))), threading.Event()
    server.when_started = started.set
    loop = asyncio.new_event_loop()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(server.serve(sockets=[listening]))
        except BaseException as error:
            errors.append(error)
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(_PATIENCE_S)
        assert not errors, errors
        yield listening.getsockname()[1], loop
    finally:
        for service in gate.services.values():
            loop.call_soon_threadsafe(service.stop)
        server.should_exit = True
        thread.join(_PATIENCE_S)
        listening.close()
        assert not thread.is_alive()
        assert not errors, errors


class _Announced(uvicorn.Server):
    """A server that says when it takes requests."""

    when_started: Callable[[], None]

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.when_started()


def client(url: str, headers: Mapping[str, str]) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers=headers, timeout=_PATIENCE_S, verify=_NO_TLS)


def problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    """The problem that a response tells, which must be of this status."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.content)
    assert document["status"] == status
    return document
