"""A client that does not keep pace is cut off, by real sockets with small buffers; one that is slow is not."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import pytest

from fsm_agent.runtime.runner import Runner
from fsm_agent.server.connection import Connection
from fsm_agent.stores.memory.store import MemoryStore
from tests.support.runtime import flow, on_loop, until
from tests.support.servers.in_process import Served, serving

NOTES: Final = flow("""
    data: {note: string?}
    events: {noted: {note: string}}
    initial: open
    states:
      open: {on: {noted: {assign: {note: event.note}}}}
""")
ID: Final = "one"
#: bytes of a step, and how many there are: more than what a kernel keeps for a client
LARGE: Final = 100_000
MANY: Final = 100


class Hasty(Connection):
    """Has little patience, and remembers all that there were."""

    patience_s: ClassVar[float] = 0.1
    request_s: ClassVar[float] = 0.2
    silence_s: ClassVar[int] = 600
    made: ClassVar[list[Connection]] = []

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.made.append(self)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    Hasty.made.clear()


@contextmanager
def small_socket(served: Served) -> Iterator[socket.socket]:
    """A connection of which the kernel keeps little."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.setblocking(False)
        yield client


async def connected(client: socket.socket, served: Served, text: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", served.port))
    await loop.sock_sendall(client, text.encode())


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def filled(runner: Runner) -> None:
    await runner.start(NOTES, id=ID)
    for _ in range(MANY):
        await runner.send(ID, "noted", {"note": "x" * LARGE})


@on_loop
async def test_a_client_that_never_reads_is_cut_off_and_little_is_kept_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "fsm_agent")
    store = MemoryStore()
    async with serving(lambda _: store, [NOTES], connection=Hasty) as served:
        await filled(served.service.runner)
        with small_socket(served) as client:
            await connected(client, served, get(f"/v1/agents/{ID}/stream"))
            await until(lambda: bool(Hasty.made) and Hasty.made[0].flow.write_paused)
            assert Hasty.made[0].transport.get_write_buffer_size() < 3 * LARGE
            await until(lambda: not Hasty.made[0].connections)
            await until(lambda: not served.service.feed.watchers)
            assert "a client was cut off: it takes nothing of what is sent" in caplog.text


@on_loop
async def test_a_client_that_reads_slowly_gets_all_of_it() -> None:
    store = MemoryStore()
    async with serving(lambda _: store, [NOTES], connection=Hasty) as served:
        await filled(served.service.runner)
        loop, size = asyncio.get_running_loop(), 0
        with small_socket(served) as client:
            await connected(client, served, get(f"/v1/agents/{ID}/steps?limit=1000"))
            while size < MANY * LARGE:
                size += len(await loop.sock_recv(client, LARGE))
                await asyncio.sleep(0)
            assert Hasty.made[0].connections


@pytest.mark.parametrize(
    "part",
    [
        "",
        "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "POST /v1/agents HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
@on_loop
async def test_a_client_that_sends_no_whole_request_is_cut_off(part: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fsm_agent")
    async with serving("memory://", [NOTES], connection=Hasty) as served:
        with small_socket(served) as client:
            await connected(client, served, part)
            await until(lambda: bool(Hasty.made))
            await until(lambda: not Hasty.made[0].connections)
            assert "a client was cut off: it sends no whole request" in caplog.text


@on_loop
async def test_a_stream_that_waits_for_long_is_not_cut_off_and_neither_is_one_request_after_another() -> None:
    store = MemoryStore()
    async with serving(lambda _: store, [NOTES], connection=Hasty) as served, served.connect() as connection:
        await served.service.runner.start(NOTES, id=ID)
        async with served.stream(ID) as stream:
            events = aiter(stream)
            assert (await anext(events)).id == 1
            until_s = asyncio.get_running_loop().time() + 2 * Hasty.request_s
            while asyncio.get_running_loop().time() < until_s:
                assert (await connection.get("/healthz")).status == 200
            await served.service.runner.send(ID, "noted", {"note": "late"})
            assert (await anext(events)).id == 2


@on_loop
async def test_answers_do_not_wait_for_their_second_half() -> None:
    async with serving("memory://", connection=Hasty) as served, served.connect() as connection:
        await connection.get("/healthz")
        connected = Hasty.made[0].transport.get_extra_info("socket")
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
