"""`python -m benchmarks.bare_server PLACE AGENTS`: the least that a server does which keeps agents.

Its routes say the raw statements, look at nothing and check nothing. It serves as ours does: the same program, the same
framework, the same kind of connection, documents of the same size.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import apsw
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.matter import DATA
from benchmarks.raw import DELTA
from fsm_agent.server.process import configuration, listen

Row: TypeAlias = tuple[Any, ...]

_WHOLE: Final = json.dumps(DATA)
_HEAD: Final = """
CREATE TABLE head (id integer PRIMARY KEY, state text, version integer, asked text, due bigint, rest text)
"""
_HISTORY: Final = """
CREATE TABLE history (agent integer, version integer, event text, delta text, PRIMARY KEY (agent, version))
"""
_QUESTIONS: Final = "CREATE INDEX question ON head (due, id)"
_PROMPT: Final = "Which of the three flights shall it be?"
#: what our documents say besides: to encode as much takes as long
_TIME: Final = "2026-11-30T12:00:00.000000+00:00"
_ANSWERED: Final = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_SUMMARY: Final = {
    "workflow": "asking",
    "workflow_version": 1,
    "status": "waiting",
    "created_at": _TIME,
    "updated_at": _TIME,
    "user": None,
    "progress": None,
    "error": None,
    "retry": None,
    "labels": {},
}
_AGENT: Final = {
    **_SUMMARY,
    "allowed": ["answered", "cancel"],
    "output": None,
    "usage": None,
    "context_tokens": 0,
    "messages": 0,
    "parent": None,
}
_SESSIONS: Final = 8


class Statements(ABC):
    """What the routes say to a database."""

    @abstractmethod
    async def prepare(self, agents: int) -> None:
        """There are so many agents, and each asks something."""

    @abstractmethod
    async def rows(self, query: str, *values: Any) -> list[Row]:
        """What a query finds; ``?`` stands for a value."""

    @abstractmethod
    async def answer(self, agent: int, version: int) -> None:
        """Commit one step, if the agent is at the version before."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the database."""


class Sqlite(Statements):
    """WAL, synchronous FULL, on the loop."""

    def __init__(self, path: str) -> None:
        self._db = apsw.Connection(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    async def prepare(self, agents: int) -> None:
        with self._db:
            for statement in (_HEAD, _HISTORY, _QUESTIONS):
                self._db.execute(statement)
            rows = ((number, "asking", 1, _PROMPT, number % 97, _WHOLE) for number in range(agents))
            self._db.executemany("INSERT INTO head VALUES (?, ?, ?, ?, ?, ?)", rows)

    async def rows(self, query: str, *values: Any) -> list[Row]:
        return self._db.execute(query, values).fetchall()

    async def answer(self, agent: int, version: int) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("UPDATE head SET version = ? WHERE id = ? AND version = ?", (version, agent, version - 1))
        self._db.execute("INSERT INTO history VALUES (?, ?, 'answered', ?)", (agent, version, DELTA))
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.close()


class Postgres(Statements):
    """Prepared statements, each committed by itself, over some sessions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: asyncio.Queue[Any] = asyncio.Queue()

    async def prepare(self, agents: int) -> None:
        for _ in range(_SESSIONS):
            session = await psycopg.AsyncConnection.connect(self._url, autocommit=True, prepare_threshold=0)
            self._free.put_nowait(session)
        await self._said(f"{_HEAD} WITH (fillfactor = 70)")
        await self._said(_HISTORY)
        await self._said(_QUESTIONS)
        await self._said(
            "INSERT INTO head SELECT n, 'asking', 1, %s, n %% 97, %s FROM generate_series(0, %s - 1) AS n",
            (_PROMPT, _WHOLE, agents),
        )

    async def rows(self, query: str, *values: Any) -> list[Row]:
        return await self._said(query.replace("?", "%s"), values)

    async def answer(self, agent: int, version: int) -> None:
        await self._said(
            "WITH moved AS (UPDATE head SET version = %s WHERE id = %s AND version = %s RETURNING id, version)"
            " INSERT INTO history SELECT id, version, 'answered', %s::text FROM moved",
            (version, agent, version - 1, DELTA),
        )

    async def _said(self, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
        session = await self._free.get()
        try:
            cursor = await session.execute(statement, values or None)
            return await cursor.fetchall() if cursor.description else []
        finally:
            self._free.put_nowait(session)

    async def close(self) -> None:
        while not self._free.empty():
            await self._free.get_nowait().close()


def application(statements: Statements, agents: int) -> Starlette:
    """The four routes."""

    async def show(request: Request) -> JSONResponse:
        query = "SELECT id, state, version, asked, rest FROM head WHERE id = ?"
        ((agent, state, version, asked, rest),) = await statements.rows(query, int(request.path_params["id"]))
        return JSONResponse(
            {**_AGENT, **_summary(agent, state, version, asked), "data": json.loads(rest)},
        )

    async def agents_listed(request: Request) -> JSONResponse:
        query = "SELECT id, state, version, asked FROM head WHERE id > ? ORDER BY id LIMIT ?"
        return _listed(await statements.rows(query, -1, int(request.query_params["limit"])))

    async def questions(request: Request) -> JSONResponse:
        query = "SELECT id, state, version, asked FROM head WHERE due >= ? ORDER BY due, id LIMIT ?"
        return _listed(await statements.rows(query, 0, int(request.query_params["limit"])))

    async def answer(request: Request) -> JSONResponse:
        version = (await request.json())["question"] + 1
        agent = int(request.path_params["id"])
        await statements.answer(agent, version)
        return JSONResponse({**_AGENT, **_summary(agent, "asking", version, _PROMPT), "data": DATA})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await statements.prepare(agents)
        yield
        await statements.close()

    routes = [
        Route("/v1/agents/{id}/answer", answer, methods=["POST"]),
        Route("/v1/agents/{id}", show),
        Route("/v1/agents", agents_listed),
        Route("/v1/questions", questions),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _listed(rows: list[Row]) -> JSONResponse:
    return JSONResponse({"agents": [{**_SUMMARY, **_summary(*row)} for row in rows]})


def _summary(agent: int, state: str, version: int, asked: str) -> dict[str, Any]:
    question = {"id": version, "prompt": asked, "to": None, "deadline": None, "events": {"answered": _ANSWERED}}
    return {"id": agent, "state": state, "version": version, "question": question}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_ready()


def main(place: str, agents: str) -> None:
    where = json.loads(place)
    statements = Sqlite(where["path"]) if where["backend"] == "sqlite" else Postgres(where["url"])
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = _Server(configuration(application(statements, int(agents))), lambda: print(port, flush=True))
    server.run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
