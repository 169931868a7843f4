"""A thousand streams and a hundred answers a second, over a real server and a real database: no event is lost, memory
stays as it is, who does not read is cut off, and a signal ends it all in order."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Final

import pytest

from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.http_client import EventStream, HttpConnection
from tests.support.servers.fsm_server import COUNTER, FsmServer, write_project

pytestmark = pytest.mark.long

AGENTS: Final = 100
STREAMS: Final = 1_000
SLOW: Final = 5
PER_SECOND: Final = 100
SECONDS: Final = 8
#: bytes by which a process may grow for reasons of its own
NOISE: Final = 2_000_000
LARGE_AGENT: Final = "large"
STEPS: Final = 100_000


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Enough of them for the clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * STREAMS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Clients that answer agents, and clients that follow them."""

    def __init__(self, server: FsmServer, ids: Sequence[str]) -> None:
        self._server = server
        self._ids = ids
        self._free: asyncio.Queue[HttpConnection] = asyncio.Queue()
        self._turns = {agent_id: asyncio.Lock() for agent_id in ids}
        #: agent -> its version, which is the id of its question
        self._versions = dict.fromkeys(ids, 1)
        self._read: list[list[int | None]] = []
        self._followers: list[asyncio.Task[None]] = []

    async def connect(self, stack: AsyncExitStack) -> None:
        for _ in range(30):
            self._free.put_nowait(await stack.enter_async_context(self._server.connect()))
        for number in range(STREAMS):
            stream = await stack.enter_async_context(EventStream(self._server.port, self._ids[number % AGENTS]))
            assert stream.reply.status == 200
            read: list[int | None] = []
            self._read.append(read)
            self._followers.append(asyncio.create_task(self._follow(stream, read)))

    async def _follow(self, stream: EventStream, read: list[int | None]) -> None:
        read.extend([event.id async for event in stream if event.name == "step"])

    async def answer_for(self, seconds: int) -> None:
        """So many answers a second, whatever becomes of the earlier ones."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(seconds * PER_SECOND):
                await asyncio.sleep(max(0.0, began_s + number / PER_SECOND - loop.time()))
                group.create_task(self._answer(self._ids[number % AGENTS]))

    async def _answer(self, agent_id: str) -> None:
        async with self._turns[agent_id]:
            connection = await self._free.get()
            body = {"event": "tick", "question": self._versions[agent_id]}
            reply = await connection.post(f"/v1/agents/{agent_id}/answer", body)
            assert reply.status == 200, reply.body
            self._versions[agent_id] = reply.json["version"]
            self._free.put_nowait(connection)

    async def all_read(self) -> None:
        """Every stream ends in order, and has told of every step."""
        await asyncio.gather(*self._followers)
        for number, read in enumerate(self._read):
            assert read == list(range(1, self._versions[self._ids[number % AGENTS]] + 1))


def slow_clients(server: FsmServer, stack: ExitStack) -> list[socket.socket]:
    """Clients that ask for a long history, and never read it."""
    made = []
    for _ in range(SLOW):
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", server.port))
        client.sendall(f"GET /v1/agents/{LARGE_AGENT}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        made.append(client)
    return made


def is_cut_off(client: socket.socket) -> bool:
    """Whether there is an end to what it is sent, which has none by itself."""
    client.settimeout(0)
    try:
        while client.recv(1_000_000):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


async def agents_in(url: str) -> list[str]:
    """Agents that ask, and one with a long history."""
    async with Runner(open_store(url)) as runner:
        await runner.start(loads(COUNTER), id=LARGE_AGENT)
        for _ in range(100):
            await runner.send(LARGE_AGENT, "tick", {"note": "x" * 50_000})
        return [(await runner.start(loads(COUNTER))).id for _ in range(AGENTS)]


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_a_thousand_streams_and_a_hundred_answers_a_second_lose_no_event(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, descriptors: None
) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    if backend == "postgres":
        url = request.getfixturevalue("postgres_url")
    write_project(tmp_path)
    ids = asyncio.run(agents_in(url))
    with FsmServer(tmp_path, url) as server:
        asyncio.run(_load(server, ids))
        assert server.ended() == 0
        assert server.words.endswith("stopped")


async def _load(server: FsmServer, ids: Sequence[str]) -> None:
    crowd = Crowd(server, ids)
    async with AsyncExitStack() as stack:
        await crowd.connect(stack)
        slow = slow_clients(server, stack.enter_context(ExitStack()))
        await crowd.answer_for(SECONDS)
        before = server.rss
        await crowd.answer_for(SECONDS)
        assert server.rss < before + NOISE
        assert all(is_cut_off(client) for client in slow)
        server.tell(signal.SIGTERM)
        await crowd.all_read()


async def aged(url: str) -> None:
    """An agent with a long history, which a store adopts as it would one of another store."""
    async with Runner(open_store(url)) as runner:
        await runner.start(loads(COUNTER), id=LARGE_AGENT)
        await runner.send(LARGE_AGENT, "tick")
        young = await runner.store.dump(LARGE_AGENT)
        steps = (young.steps[0], *(young.steps[1]._replace(version=number) for number in range(2, STEPS + 1)))
        await runner.store.adopt(
            young._replace(head=young.head._replace(version=STEPS), steps=steps), replaces=young.head
        )


def test_a_history_of_a_hundred_thousand_steps_is_streamed_in_little_memory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    write_project(tmp_path)
    asyncio.run(aged(url))
    with FsmServer(tmp_path, url) as server:
        asyncio.run(_read_all(server))


async def _read_all(server: FsmServer) -> None:
    before, count = 0, 0
    async with EventStream(server.port, LARGE_AGENT) as stream:
        async for event in stream:
            count += 1
            assert event.id == count
            if count == STEPS // 10:
                before = server.rss
            if count == STEPS:
                break
    assert server.rss < before + NOISE
