"""Requests to our server, against those to one with bare routes: how many a second, and how long the slowest take."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.matter import DATA, note
from benchmarks.measure import Row, interleave, noted, percentile
from benchmarks.place import OURS, Place
from benchmarks.sizes import Sizes
from benchmarks.subjects import FIELDS
from fsm_agent import Runner, State, Workflow, open_store
from tests.support.http_client import HttpConnection
from tests.support.servers.fsm_server import FsmServer

#: where the agents of the bare server are
_BARE: Final = "bare"
CONNECTIONS: Final = 8
_TIMEOUT_S: Final = 30
_PAGE: Final = 50

ASKING: Final = Workflow(
    "asking",
    version=1,
    data=FIELDS,
    events={"answered": {}},
    initial="asking",
    states=[
        State(
            "asking",
            ask={"prompt": "Which of the three flights shall it be?", "events": ["answered"]},
            on={"answered": {"target": "asking", "assign": {"count": "data.count + 1", "note": repr(note(17))}}},
        )
    ],
)


@dataclass
class Side:
    """A server, and the versions of its agents, which are the ids of their questions."""

    port: int
    settle: Callable[[], object]
    versions: dict[str, int]
    #: kind of request -> seconds of each
    took: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, kind: str, requests: int) -> float:
        """Seconds for so many requests over some connections at once; each request is timed, too."""
        self.settle()
        return asyncio.run(self._ask(kind, requests))

    async def _ask(self, kind: str, requests: int) -> float:
        ids = sorted(self.versions)
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(self._ask_some(kind, ids[number::CONNECTIONS], requests // CONNECTIONS))
        return time.perf_counter() - began

    async def _ask_some(self, kind: str, ids: Sequence[str], requests: int) -> None:
        chance = random.Random(7)  # noqa: S311 - a benchmark needs no secrets
        took = self.took.setdefault(kind, [])
        async with HttpConnection(self.port) as connection:
            for _ in range(requests):
                began = time.perf_counter()
                await _ASKED[kind](self, connection, chance.choice(ids))
                took.append(time.perf_counter() - began)


async def _get(path: str, _: Side, connection: HttpConnection, agent_id: str) -> None:
    reply = await connection.get(path.format(id=agent_id))
    assert reply.status == 200, reply.body


async def _answer(side: Side, connection: HttpConnection, agent_id: str) -> None:
    body = {"event": "answered", "question": side.versions[agent_id]}
    reply = await connection.post(f"/v1/agents/{agent_id}/answer", body)
    assert reply.status == 200, reply.body
    side.versions[agent_id] = reply.json["version"]


_ASKED: Final[Mapping[str, Callable[[Side, HttpConnection, str], Awaitable[None]]]] = {
    "show": partial(_get, "/v1/agents/{id}"),
    "list": partial(_get, f"/v1/agents?limit={_PAGE}"),
    "questions": partial(_get, f"/v1/questions?limit={_PAGE}"),
    "answer": _answer,
}


def http_requests(place: Place, sizes: Sizes) -> list[Row]:
    """One row for each kind of request."""
    with _ours(place, sizes) as ours, _bare(place, sizes) as bare:
        return [_row(kind, place, sizes, ours, bare) for kind in _ASKED]


def _row(kind: str, place: Place, sizes: Sizes, ours: Side, bare: Side) -> Row:
    requests = sizes.requests - sizes.requests % CONNECTIONS
    pair = interleave(lambda: ours.ask(kind, requests), lambda: bare.ask(kind, requests), runs=sizes.runs)
    told = [
        f"{requests / seconds:,.0f} requests/s, p99 {percentile(side.took[kind], 99) * 1000:.1f} ms"
        for side, seconds in ((ours, pair.subject), (bare, pair.yardstick))
    ]
    return noted(f"{kind} over HTTP, {place.name}", pair.yardstick / pair.subject, " against ".join(told))


@contextmanager
def _ours(place: Place, sizes: Sizes) -> Iterator[Side]:
    url = place.fresh()
    versions = asyncio.run(_asking(url, sizes.asking))
    with tempfile.TemporaryDirectory() as folder, FsmServer(Path(folder), url) as server:
        yield Side(server.port, partial(place.settle, OURS), versions)


async def _asking(url: str, agents: int) -> dict[str, int]:
    async with Runner(open_store(url)) as runner:
        made = await asyncio.gather(*(runner.start(ASKING, data=DATA) for _ in range(agents)))
    return {agent.id: agent.version for agent in made}


@contextmanager
def _bare(place: Place, sizes: Sizes) -> Iterator[Side]:
    where = json.dumps(place.for_peer(_BARE))
    command = [sys.executable, "-m", "benchmarks.bare_server", where, str(sizes.asking)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        port = process.stdout.readline()
        assert port, "the bare server does not start"
        try:
            versions = {str(agent): 1 for agent in range(sizes.asking)}
            yield Side(int(port), partial(place.settle, _BARE), versions)
        finally:
            process.terminate()
            process.wait(_TIMEOUT_S)
