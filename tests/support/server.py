"""The server for tests: in this process on a free port, or as a process of its own.

Both are real: requests go through a socket, and agents live in a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

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
from fsm_agent.server.rates import RateLimit
from fsm_agent.server.service import Service
from fsm_agent.server.serving import listen
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import Scope, new_token
from fsm_agent.stores.urls import open_store

Value = TypeVar("Value")

_PATIENCE_S: Final = 30

#: an agent that asks, works, waits, and can be brought into every status
ERRAND: Final = """
workflow: errand
version: 1
description: Fetches one thing, once somebody says that it may.
data:
  item: string?
  note: string?
  approver: string?
  notes: {type: array, items: {type: string}, default: []}
events:
  wanted: {item: {type: string, minLength: 1}, approver: string?}
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
      wanted: {target: asking, assign: {item: event.item, approver: event.approver}}
  asking:
    ask:
      prompt: "May it be {{ data.item }}?"
      events: [approve, reject]
      to: data.approver
    after: {3d: lapsed}
    on:
      approve: {target: fetching, when: data.item != "moon"}
      reject: {target: rejected, assign: {note: event.reason}}
  fetching:
    do: fetch
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
        return httpx2.Client(base_url=self.url, headers={**known, **headers}, timeout=_PATIENCE_S)

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

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that the store keeps, table by table."""
        return rows_of(self.folder / "agents.db")


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of an SQLite file."""
    connection = sqlite3.connect(path)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in sorted(names)}  # noqa: S608
    finally:
        connection.close()


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
    config = uvicorn.Config(
        application(gate), http="h11", ws="none", lifespan="on", log_config=None, access_log=False, server_header=False
    )
    server, started = _Announced(config), threading.Event()
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
            loop.call_soon_threadsafe(service.feed.close)
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


class Process:
    """``fsm-agent serve`` in a process of its own, in a folder with a project."""

    def __init__(self, folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        line = [sys.executable, "-m", "fsm_agent", "serve", "--port", "0", *words]
        variables = {**os.environ, **(environment or {})}
        self.folder = folder
        self._process = subprocess.Popen(
            line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip().rstrip("/")

    def client(self, secret: str | None = None, **headers: str) -> httpx2.Client:
        known = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx2.Client(base_url=self.url, headers={**known, **headers}, timeout=_PATIENCE_S)

    def stop(self) -> str:
        """Stop it as an operator does, and return what it said."""
        self._process.send_signal(signal.SIGTERM)
        _, said = self._process.communicate(timeout=_PATIENCE_S)
        return said

    def __enter__(self) -> Process:
        if not self.url:
            raise AssertionError(self._process.communicate(timeout=_PATIENCE_S)[1])
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()


def problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    """The problem that a response tells, which must be of this status."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.content)
    assert document["status"] == status
    return document
