"""Two servers on one store, clients that come and go at random, and writers on both: nobody misses a step or reads one
twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.http_client import EventStream, HttpConnection
from tests.support.hypothesis_settings import example_settings
from tests.support.servers.fsm_server import FsmServer, made, write_project

READERS: Final = 3
PATIENCE_S: Final = 30


class Writes(NamedTuple):
    """Somebody sends so many events to one of the servers."""

    server: int
    events: int


class Comes(NamedTuple):
    """A reader opens its stream at one of the servers, and goes on where it was."""

    reader: int
    server: int


class Leaves(NamedTuple):
    """A reader hangs up, after it has read at least so much more of what there is."""

    reader: int
    steps: int


class Rewinds(NamedTuple):
    """Somebody brings the first version back."""

    server: int


MOVES: Final = st.lists(
    st.one_of(
        st.builds(Writes, st.integers(0, 1), st.integers(1, 8)),
        st.builds(Comes, st.integers(0, READERS - 1), st.integers(0, 1)),
        st.builds(Leaves, st.integers(0, READERS - 1), st.integers(0, 3)),
        st.builds(Rewinds, st.integers(0, 1)),
    ),
    max_size=25,
)


@dataclass
class Reader:
    """What one client has read, over all its connections."""

    versions: list[int] = field(default_factory=list)
    stream: EventStream | None = None
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: bool = False

    async def come(self, port: int, agent_id: str) -> None:
        await self.leave()
        self.stream = EventStream(port, agent_id, last_id=self.versions[-1] if self.versions else None)
        await self.stream.open()
        if self.stream.reply.status == 204:
            self.has_ended = True
            self.changed.set()
        else:
            assert self.stream.reply.status == 200
            self.task = asyncio.create_task(self._read(self.stream))

    async def _read(self, stream: EventStream) -> None:
        async for event in stream:
            match event.name:
                case "step":
                    assert event.id == event.data["version"]
                    self.versions.append(event.id)
                case "end":
                    self.has_ended = True
                case other:
                    pytest.fail(f"a stream says {other}")
            self.changed.set()

    async def until(self, count: int) -> None:
        """Read until it has so many steps."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.versions) < count and not self.has_ended:
                self.changed.clear()
                await self.changed.wait()

    async def leave(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None
        if self.stream is not None:
            self.stream.close()
            self.stream = None


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FsmServer, FsmServer]]:
    folder: Path = tmp_path_factory.mktemp("servers")
    write_project(folder)
    store = f"sqlite:///{folder / 'agents.db'}"
    with ExitStack() as stack:
        first, second = (stack.enter_context(FsmServer(folder, store)) for _ in range(2))
        yield first, second


@pytest.mark.long
@example_settings(25)
@given(moves=MOVES)
def test_no_step_is_lost_and_none_is_told_twice(servers: tuple[FsmServer, FsmServer], moves: list[Any]) -> None:
    asyncio.run(asyncio.wait_for(_tell(servers, moves), 120))


async def _tell(servers: tuple[FsmServer, FsmServer], moves: list[Any]) -> None:
    readers = [Reader() for _ in range(READERS)]
    writing: list[asyncio.Task[None]] = []
    async with servers[0].connect() as asking:
        agent_id = (await made(asking))["id"]
        for move in moves:
            match move:
                case Writes(server, events):
                    writing.append(asyncio.create_task(_write(servers[server], agent_id, events)))
                case Comes(reader, server):
                    await readers[reader].come(servers[server].port, agent_id)
                case Leaves(reader, steps) if readers[reader].task is not None:
                    version = (await asking.get(f"/v1/agents/{agent_id}")).json["version"]
                    await readers[reader].until(min(version, len(readers[reader].versions) + steps))
                    await readers[reader].leave()
                case Rewinds(server):
                    await _rewind(servers[server], agent_id)
        await asyncio.gather(*writing)
        assert (await asking.post(f"/v1/agents/{agent_id}/events", {"event": "stop"})).status == 200
        await _compare(asking, agent_id, readers, servers)


async def _write(server: FsmServer, agent_id: str, events: int) -> None:
    async with server.connect() as way:
        for number in range(events):
            reply = await way.post(f"/v1/agents/{agent_id}/events", {"event": "tick", "payload": {"note": str(number)}})
            assert reply.status == 200, reply.body


async def _rewind(server: FsmServer, agent_id: str) -> None:
    async with server.connect() as way:
        reply = await way.post(f"/v1/agents/{agent_id}/rewind", {"version": 1})
        assert reply.status == 200, reply.body


async def _compare(
    asking: HttpConnection, agent_id: str, readers: list[Reader], servers: tuple[FsmServer, FsmServer]
) -> None:
    """Every reader reads to the end, and has read what the history says."""
    steps = (await asking.get(f"/v1/agents/{agent_id}/steps?limit=1000")).json["steps"]
    versions = [step["version"] for step in steps]
    assert versions == list(range(1, len(versions) + 1))
    for number, reader in enumerate(readers):
        if reader.task is None:
            await reader.come(servers[number % 2].port, agent_id)
        await reader.until(len(versions))
        assert reader.versions == versions
        await reader.leave()
