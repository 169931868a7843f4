"""The server is killed while it answers: what was asked is taken once or not at all, and who asks again under the same
key is told the truth."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from fsm_agent.errors import AgentNotFound
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.http_client import Gone, Reply
from tests.support.hypothesis_settings import IS_LONG
from tests.support.servers.fsm_server import COUNTER, FsmServer, write_project

pytestmark = pytest.mark.long

ROUNDS: Final = 200 if IS_LONG else 6
CLIENTS: Final = 12


class Asked(NamedTuple):
    """What one client asks under a key of its own: to answer a question, or to start an agent."""

    agent_id: str
    is_start: bool

    async def send(self, server: FsmServer) -> Reply | None:
        """The reply; ``None`` if there is none."""
        path, body = f"/v1/agents/{self.agent_id}/answer", {"event": "tick", "question": 1}
        if self.is_start:
            path, body = "/v1/agents", {"workflow": "counter", "id": self.agent_id}
        try:
            async with server.connect(Idempotency_Key=f"key-of-{self.agent_id}") as connection:
                return await connection.post(path, body)
        except Gone:
            return None

    async def times(self, runner: Runner) -> int:
        """How often it was done."""
        try:
            steps = await runner.store.history(self.agent_id)
        except AgentNotFound:
            return 0
        return sum(step.event == ("created" if self.is_start else "tick") for step in steps)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_what_is_asked_of_a_server_that_is_killed_is_done_once_or_not_at_all(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    if backend == "postgres":
        url = request.getfixturevalue("postgres_url")
    write_project(tmp_path)
    asyncio.run(_rounds(url, tmp_path, random.Random(backend)))  # noqa: S311 - chance is no secret


async def _rounds(url: str, folder: Path, chance: random.Random) -> None:
    async with Runner(open_store(url)) as runner:
        server = await asyncio.to_thread(FsmServer, folder, url)
        for number in range(ROUNDS):
            asked = [Asked(f"agent-{number}-{client}", client % 3 == 0) for client in range(CLIENTS)]
            for each in asked:
                if not each.is_start:
                    await runner.start(loads(COUNTER), id=each.agent_id)
            replies = await _killed_while(server, asked, chance)
            done = [await each.times(runner) for each in asked]
            assert all(times in ((0, 1) if reply is None else (1,)) for times, reply in zip(done, replies, strict=True))
            server = await asyncio.to_thread(FsmServer, folder, url)
            again = await asyncio.gather(*(each.send(server) for each in asked))
            for each, times, reply in zip(asked, done, again, strict=True):
                assert reply is not None
                assert _told(reply) == ("duplicate" if times else "applied")
                assert await each.times(runner) == 1
        with server:
            server.tell(signal.SIGTERM)


async def _killed_while(server: FsmServer, asked: list[Asked], chance: random.Random) -> list[Reply | None]:
    """The replies that came before the server was killed, at any moment while it answers."""
    replied, enough = 0, asyncio.Event()
    wanted = chance.randrange(len(asked))

    async def ask(each: Asked) -> Reply | None:
        nonlocal replied
        reply = await each.send(server)
        replied += 1
        if replied >= wanted:
            enough.set()
        return reply

    asking = [asyncio.create_task(ask(each)) for each in asked]
    if wanted:
        await enough.wait()
    await asyncio.sleep(chance.random() * 0.005)
    with server:
        server.process.kill()
    replies = await asyncio.gather(*asking)
    assert all(reply is None or reply.status in (200, 201) for reply in replies)
    return replies


def _told(reply: Reply) -> Any:
    assert reply.status in (200, 201), reply.body
    return reply.json["delivery"]
