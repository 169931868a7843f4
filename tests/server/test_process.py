"""The server process ends when it is told to: who asks is answered, who works gives back, and nobody holds it up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import open_store
from tests.support.http_client import EventStream, HttpConnection
from tests.support.runtime import on_loop
from tests.support.servers.fsm_server import FsmServer, made, write_project
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.proxy import Proxy

pytestmark = pytest.mark.long

ID: Final = "one"
#: seconds in which it ends: it promises five, and a busy machine takes its time
SOON: Final = 8
STOPS: Final = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'agents.db'}"


@pytest.fixture
def server(tmp_path: Path, url: str) -> Iterator[FsmServer]:
    write_project(tmp_path)
    with FsmServer(tmp_path, url) as running:
        yield running


async def begin(connection: HttpConnection, server: FsmServer, event: str = "hold") -> None:
    """An agent at work."""
    await made(connection, "work", id=ID)
    assert (await connection.post(f"/v1/agents/{ID}/events", {"event": event})).status == 200
    await server.begun(ID)


@STOPS
@on_loop
async def test_told_to_stop_it_ends_its_streams_and_closes_every_connection(
    server: FsmServer, number: signal.Signals
) -> None:
    async with server.connect() as connection:
        agent_id = (await made(connection))["id"]
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(EventStream(server.port, agent_id)) for _ in range(50)]
            readers = [aiter(stream) for stream in streams]
            assert [(await anext(reader)).id for reader in readers] == [1] * len(streams)
            server.tell(number)
            for reader in readers:
                assert [event async for event in reader] == []
    assert await asyncio.to_thread(server.ended, SOON) == 0
    assert f"{number.name}: stopping within 3 s; open requests: 50, agents at work: 0" in server.words
    assert server.words.endswith("stopped")


@on_loop
async def test_a_request_in_flight_is_answered(server: FsmServer) -> None:
    async with server.connect() as connection, server.connect() as patient:
        await made(connection, "work", id=ID)
        asking = asyncio.create_task(patient.post(f"/v1/agents/{ID}/events", {"event": "hold"}, Prefer="wait=60"))
        await server.begun(ID)
        server.tell(signal.SIGTERM)
        reply = await asking
        assert (reply.status, reply.json["status"], reply.json["delivery"]) == (200, "running", "applied")
        assert await asyncio.to_thread(server.ended) == 0


@STOPS
@on_loop
async def test_an_action_that_does_not_end_is_given_back_and_another_process_goes_on_at_once(
    server: FsmServer, url: str, number: signal.Signals
) -> None:
    async with server.connect() as connection:
        await begin(connection, server)
    server.tell(number)
    assert await asyncio.to_thread(server.ended) == 0
    assert "still at work, and given back: one" in server.words
    async with another(url) as runner:
        head = await runner.store.head(ID)
        assert (head.status, head.state, head.lease, head.attempts) == (Status.RUNNING, "holding", None, 0)
        assert await Worker(runner).run_once() == 1
        assert (await runner.get(ID)).state == "resting"


@on_loop
async def test_an_action_that_ends_in_time_counts_and_the_next_one_is_left_to_another_process(
    server: FsmServer, url: str, tmp_path: Path
) -> None:
    async with server.connect() as connection:
        await begin(connection, server)
    server.tell(signal.SIGTERM)
    await server.said_that("SIGTERM: stopping within 3 s; open requests: 0, agents at work: 1")
    server.let_go(ID)
    assert await asyncio.to_thread(server.ended) == 0
    assert "given back" not in server.words
    assert not (tmp_path / f"begun-quick-{ID}").exists()
    async with another(url) as runner:
        head = await runner.store.head(ID)
        assert (head.status, head.state, head.lease, head.attempts) == (Status.RUNNING, "finishing", None, 0)
        assert await Worker(runner).run_once() == 1
        assert (await runner.get(ID)).state == "resting"


@on_loop
async def test_an_effect_that_may_be_done_once_is_given_its_end(tmp_path: Path, url: str) -> None:
    write_project(tmp_path)
    with FsmServer(tmp_path, url, "--drain", "30s") as server:
        async with server.connect() as connection:
            await begin(connection, server)
        server.tell(signal.SIGTERM)
        await server.said_that("SIGTERM: stopping within 30 s; open requests: 0, agents at work: 1")
        await asyncio.sleep(4)  # longer than requests have, and than it would need otherwise
        assert server.process.poll() is None
        server.let_go(ID)
        assert await asyncio.to_thread(server.ended) == 0
        assert "given back" not in server.words


@STOPS
@on_loop
async def test_told_twice_it_ends_at_once_by_the_signal(server: FsmServer, number: signal.Signals) -> None:
    async with server.connect() as connection:
        await begin(connection, server)
    server.tell(number)
    await server.said_that("stopping")
    server.tell(number)
    assert await asyncio.to_thread(server.ended) == -number
    assert "stopped" not in server.words


@pytest.mark.parametrize("event", ["cling", "block"])
@on_loop
async def test_what_does_not_let_go_does_not_keep_it_from_ending(server: FsmServer, event: str) -> None:
    async with server.connect() as connection:
        await made(connection, "work", id=ID)
        asking = asyncio.create_task(connection.post(f"/v1/agents/{ID}/events", {"event": event}))
        await server.begun(ID)
        server.tell(signal.SIGTERM)
        assert await asyncio.to_thread(server.ended, SOON) == 1
        await asyncio.gather(asking, return_exceptions=True)
    assert server.words.endswith("not stopped in time: cut off")


@on_loop
async def test_several_namespaces_stop_together(tmp_path: Path, url: str) -> None:
    write_project(tmp_path)
    names = ("left", "right", "middle")
    words = [word for name in names for word in ("--namespace", name)]
    with FsmServer(tmp_path, url, *words) as server:
        async with server.connect() as connection:
            for name in names:
                reply = await connection.post(f"/v1/agents?namespace={name}", {"workflow": "work", "id": name})
                assert reply.status == 201
                await connection.post(f"/v1/agents/{name}/events?namespace={name}", {"event": "hold"})
                await server.begun(name)
        server.tell(signal.SIGTERM)
        assert await asyncio.to_thread(server.ended) == 0
        assert sum("given back" in line for line in server.said) == 3
        assert server.words.endswith("stopped")


@on_loop
async def test_a_namespace_that_is_named_twice_is_served_once(tmp_path: Path, url: str) -> None:
    write_project(tmp_path)
    with FsmServer(tmp_path, url, "--namespace", "shop", "--namespace", "shop") as server:
        async with server.connect() as connection:
            assert (await connection.post("/v1/agents", {"workflow": "work"})).status == 201


@asynccontextmanager
async def another(url: str) -> AsyncIterator[Runner]:
    """Another process, whose actions end at once."""

    @action(name="hold")
    async def hold(ctx: Context) -> str:
        return "done"

    @action(name="quick", inline=True)
    def quick(ctx: Context) -> str:
        return "done"

    async with Runner(open_store(url), actions=[hold, quick]) as runner:
        yield runner


@pytest.mark.server
@on_loop
async def test_a_store_that_does_not_answer_does_not_keep_it_from_ending(
    tmp_path: Path, postgres: PostgresServer, postgres_url: str
) -> None:
    write_project(tmp_path)
    with Proxy(postgres.port) as proxy, FsmServer(tmp_path, postgres.url("agents", port=proxy.port)) as server:
        async with server.connect() as connection:
            await begin(connection, server)
            async with EventStream(server.port, ID) as stream:
                events = aiter(stream)
                assert [(await anext(events)).id for _ in range(2)] == [1, 2]
                proxy.stall()
                asking = asyncio.create_task(connection.get(f"/v1/agents/{ID}"))
                server.tell(signal.SIGTERM)
                assert [event async for event in events] == []
                assert await asyncio.to_thread(server.ended) == 1
                await asyncio.gather(asking, return_exceptions=True)
        assert server.words.endswith("not stopped in time: cut off")
        proxy.recover()
