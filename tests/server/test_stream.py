"""Who follows an agent is told of every step once and in order, whoever made it and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from unittest.mock import ANY

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Head
from fsm_agent.domain.retention import Retention
from fsm_agent.domain.step import Step
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import AgentDamaged
from fsm_agent.runtime.runner import Runner
from fsm_agent.server import event_stream
from fsm_agent.server.api import stream as stream_module
from fsm_agent.server.feed import Feed
from fsm_agent.server.step_pages import StepPages
from fsm_agent.server.token_file import TokenFile
from fsm_agent.server.tokens import new_token
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from tests.support.http_client import EventStream, HttpConnection, ServerEvent
from tests.support.runtime import flow, on_loop, until
from tests.support.servers.in_process import Served, serving
from tests.support.servers.postgres import PostgresServer

COUNTER: Final = flow("""
    data: {count: {type: integer, default: 0}, note: string?}
    events: {tick: {note: string?}, stop: {}}
    initial: open
    states:
      open:
        on:
          tick: {target: open, assign: {count: data.count + 1, note: event.note}}
          stop: over
      over: {final: true}
""")
ID: Final = "one"
#: how a test that hangs fails
PATIENCE_S: Final = 20


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'agents.db'}"


async def born(runner: Runner, ticks: int = 0, agent_id: str = ID) -> None:
    await runner.start(COUNTER, id=agent_id)
    for _ in range(ticks):
        await runner.send(agent_id, "tick")


async def tick(connection: HttpConnection, agent_id: str = ID, event: str = "tick") -> None:
    reply = await connection.post(f"/v1/agents/{agent_id}/events", {"event": event})
    assert reply.status == 200, reply.body


class Reader:
    """Reads a stream event by event."""

    def __init__(self, stream: EventStream) -> None:
        self.stream = stream
        self._events = aiter(stream)

    async def next(self) -> ServerEvent | None:
        """The next event; ``None`` if the server has ended the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._events, None)

    async def versions(self, count: int) -> list[int | None]:
        """The ids of the next events, which must be steps."""
        events = [await self.next() for _ in range(count)]
        assert all(event is not None and event.name == "step" and event.id == event.data["version"] for event in events)
        return [event.id for event in events if event is not None]


@asynccontextmanager
async def following(served: Served, agent_id: str = ID, *, last_id: int | None = None) -> AsyncIterator[Reader]:
    async with served.stream(agent_id, last_id=last_id) as stream:
        assert (stream.reply.status, stream.reply.headers["content-type"].partition(";")[0]) == (
            200,
            "text/event-stream",
        )
        yield Reader(stream)


@on_loop
async def test_every_step_is_told_once_and_in_order_under_its_version_and_then_the_end(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served, served.connect() as connection:
        await born(runner, ticks=2)
        async with following(served) as reader:
            assert await reader.versions(3) == [1, 2, 3]
            for _ in range(3):
                await tick(connection)
            assert await reader.versions(3) == [4, 5, 6]
            await tick(connection, event="stop")
            assert await reader.versions(1) == [7]
            assert await reader.next() == ServerEvent("end", {"reason": "ended"})
            assert await reader.next() is None
        listed = (await connection.get(f"/v1/agents/{ID}/steps")).json["steps"]
        async with following(served) as reader:
            events = [await reader.next() for _ in listed]
            assert [event.data for event in events if event is not None] == listed


@on_loop
async def test_a_stream_goes_on_behind_the_last_event_and_204_says_that_there_will_be_no_more(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served:
        await born(runner, ticks=4)
        async with following(served, last_id=3) as reader:
            assert await reader.versions(2) == [4, 5]
        async with served.stream(ID, query="?after=4") as stream:
            assert await Reader(stream).versions(1) == [5]
        await runner.send(ID, "stop")
        async with following(served, last_id=5) as reader:
            assert await reader.versions(1) == [6]
        async with served.stream(ID, last_id=6) as stream:
            assert stream.reply.status == 204


@on_loop
async def test_what_another_process_does_is_told_too(url: str) -> None:
    async with Runner(open_store(url)) as other, serving(url, [COUNTER]) as served:
        await born(other)
        async with following(served) as reader:
            assert await reader.versions(1) == [1]
            await other.send(ID, "tick")
            await other.send(ID, "tick")
            assert await reader.versions(2) == [2, 3]


@on_loop
async def test_what_this_process_does_is_told_without_a_look_at_the_store(url: str) -> None:
    class Blind(MemoryStore):
        async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
            await asyncio.Event().wait()
            return ()

    async with serving(lambda _: Blind(), [COUNTER]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        async with following(served) as reader:
            assert await reader.versions(1) == [1]
            await tick(connection)
            assert await reader.versions(1) == [2]


@on_loop
async def test_steps_that_the_history_has_forgotten_are_told_as_such(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served:
        await born(runner, ticks=9)
        await runner.purge(Retention(history=3))
        async with following(served) as reader:
            assert await reader.next() == ServerEvent("forgotten", {"from": 1, "to": 7}, 7)
            assert await reader.versions(3) == [8, 9, 10]
        async with following(served, last_id=5) as reader:
            assert await reader.next() == ServerEvent("forgotten", {"from": 6, "to": 7}, 7)
        async with following(served, last_id=7) as reader:
            assert await reader.versions(3) == [8, 9, 10]


@on_loop
async def test_who_follows_goes_on_while_the_history_is_shortened(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served, served.connect() as connection:
        await born(runner, ticks=4)
        async with following(served) as reader:
            assert await reader.versions(5) == [1, 2, 3, 4, 5]
            await runner.purge(Retention(history=1))
            await tick(connection)
            await runner.purge(Retention(history=1))
            await tick(connection)
            assert await reader.versions(2) == [6, 7]


@on_loop
async def test_a_rewind_is_one_more_step_and_awakens_one_that_had_ended(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served, served.connect() as connection:
        await born(runner, ticks=2)
        async with following(served) as reader:
            await reader.versions(3)
            reply = await connection.post(f"/v1/agents/{ID}/rewind", {"version": 2})
            assert reply.status == 200
            rewound = await reader.next()
            assert rewound is not None
            assert (rewound.id, rewound.data["kind"]) == (4, "rewound")
            await tick(connection, event="stop")
            await reader.versions(1)
        await connection.post(f"/v1/agents/{ID}/rewind", {"version": 2})
        async with following(served, last_id=5) as reader:
            assert await reader.versions(1) == [6]


@on_loop
async def test_an_agent_that_is_deleted_ends_its_streams_and_one_that_takes_its_id_is_told_from_the_start(
    url: str,
) -> None:
    async with Runner(open_store(url)) as runner, serving(url, [COUNTER]) as served:
        await born(runner, ticks=5)
        async with following(served) as reader:
            await reader.versions(6)
            await runner.store.delete(await runner.store.head(ID))
            assert await reader.next() == ServerEvent("end", {"reason": "deleted"})
            assert await reader.next() is None
        async with served.stream(ID, last_id=6) as stream:
            assert stream.reply.status == 404
        await born(runner, ticks=1)
        async with following(served, last_id=6) as reader:
            assert await reader.versions(2) == [1, 2]
            await runner.store.delete(await runner.store.head(ID))
            await born(runner, ticks=4)
            assert await reader.next() == ServerEvent("end", {"reason": "deleted"})


@on_loop
async def test_a_comment_is_sent_now_and_then_while_nothing_happens(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "_QUIET_S", 0.01)
    async with Runner(open_store(url)) as runner, serving(url) as served:
        await born(runner)
        async with following(served) as reader:
            await reader.versions(1)
            assert [(await reader.next() or ServerEvent("", None)).name for _ in range(3)] == [":", ":", ":"]


def trying(backoff: str) -> Workflow:
    """A workflow whose action may fail three times."""
    return flow(f"""
        events: {{ok: {{}}}}
        initial: working
        states:
          working: {{do: work, retry: {{attempts: 4, backoff: {backoff}}}, on: {{ok: over}}}}
          over: {{final: true}}
    """)


async def look_of(feed: Feed) -> None:
    """Wait until the feed has looked at the store."""
    looks = feed.looks
    await until(lambda: feed.looks > looks + 1)


async def fail(ctx: Context) -> str:
    raise ConnectionError(f"attempt {ctx.attempt} failed")


@on_loop
async def test_an_action_that_is_tried_again_is_told_and_the_stream_goes_on_telling_that_it_lives(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "_QUIET_S", 0.01)
    work = action(name="work")(fail)
    async with Runner(open_store(url), actions=[work]) as runner, serving(url, drives=False) as served:
        await runner.start(trying("1h"), id=ID, drive=False)
        async with following(served) as reader:
            await reader.versions(1)
            driven = asyncio.create_task(runner.resume(ID))
            while (told := await reader.next()) and told.name == ":":
                pass
            assert told is not None
            assert (told.name, told.id, told.data["attempt"]) == ("retry", None, 2)
            assert told.data["error"] == {"type": "ConnectionError", "message": "attempt 1 failed", "place": ANY}
            assert datetime.fromisoformat(told.data["at"]) > datetime.now(UTC)
            assert [(await reader.next() or ServerEvent("", None)).name for _ in range(3)] == [":", ":", ":"]
        driven.cancel()


@on_loop
async def test_each_attempt_is_told_once_while_it_is_made(url: str) -> None:
    go_on = asyncio.Event()

    @action(name="work")
    async def work(ctx: Context) -> str:
        if ctx.attempt > 1:
            await go_on.wait()
            go_on.clear()
        return "ok" if ctx.attempt == 4 else await fail(ctx)

    async with serving(url, [trying("1ms")], actions=[work]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        async with following(served) as reader:
            await reader.versions(1)
            for attempt in (2, 3, 4):
                told = await reader.next()
                assert told is not None
                assert (told.name, told.data["attempt"]) == ("retry", attempt)
                await look_of(served.service.feed)  # the store knows another time of this attempt
                go_on.set()
            await reader.versions(1)
            assert await reader.next() == ServerEvent("end", {"reason": "ended"})


class Spoilt(MemoryStore):
    """Has histories that nobody can read, from some time on."""

    is_spoilt = False

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        if self.is_spoilt:
            raise AgentDamaged(agent_id, "steps", "a page is torn out")
        return await super().history(agent_id, after=after, limit=limit)


@on_loop
async def test_a_history_that_cannot_be_read_is_told_with_a_status_or_in_the_midst() -> None:
    store = Spoilt()
    async with serving(lambda _: store, [COUNTER]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        async with following(served) as reader:
            await reader.versions(1)
            store.is_spoilt = True
            await tick(connection)
            failed = await reader.next()
            assert failed is not None
            assert (failed.name, failed.data["type"]) == ("failed", "urn:fsm-agent:problem:agent-damaged")
            assert await reader.next() is None
        async with served.stream(ID, last_id=1) as stream:
            assert stream.reply.status == 500


@on_loop
async def test_no_text_breaks_an_event_apart(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url) as served:
        await born(runner)
        note = "one\ndata: two\r\n\r\nid: 7\u2028\x85 🦊"
        await runner.send(ID, "tick", {"note": note})
        async with following(served, last_id=1) as reader:
            event = await reader.next()
            assert event is not None
            assert (event.id, event.data["payload"]) == (2, {"note": note})


@on_loop
async def test_a_head_request_does_not_wait_for_the_end(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url) as served, served.connect() as connection:
        await born(runner)
        for _ in range(2):
            reply = await connection.request("HEAD", f"/v1/agents/{ID}/stream")
            assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")


class Counted(MemoryStore):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def history(self, agent_id: str, *, after: int = 0, limit: int | None = None) -> Sequence[Step]:
        self.asked["history"] += 1
        return await super().history(agent_id, after=after, limit=limit)

    async def head(self, agent_id: str) -> Head:
        self.asked["head"] += 1
        return await super().head(agent_id)


@on_loop
async def test_what_many_wait_for_is_read_once_for_all() -> None:
    store = Counted()
    async with serving(lambda _: store, [COUNTER]) as served, served.connect() as connection:
        await connection.post("/v1/agents", {"workflow": "w", "id": ID})
        streams = [served.stream(ID) for _ in range(20)]
        for stream in streams:
            await stream.open()
        readers = [Reader(stream) for stream in streams]
        for reader in readers:
            await reader.versions(1)
        store.asked.clear()
        await tick(connection)
        for reader in readers:
            assert await reader.versions(1) == [2]
        assert store.asked["history"] == 1
        for stream in streams:
            stream.close()


@on_loop
async def test_pages_are_longer_while_steps_are_small_and_shorter_when_they_are_not() -> None:
    async with Runner(MemoryStore()) as runner:
        await born(runner, ticks=100)
        pages = StepPages(runner.store)
        head = await runner.store.head(ID)
        first = await pages.after(head, 0)
        assert (first.last, first.limit) == (25, 50)
        await runner.start(COUNTER, id="large")
        for _ in range(12):
            await runner.send("large", "tick", {"note": "x" * 50_000})
        page = await pages.after(await runner.store.head("large"), 0)
        assert len(page.chunks) == 13
        assert page.limit < 10


class Slow(MemoryStore):
    """Answers ``heads`` with what it saw when it was asked, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()
        self.was_asked = asyncio.Event()

    async def heads(self, agent_ids: Collection[str]) -> Sequence[Head]:
        seen = await super().heads(agent_ids)
        self.was_asked.set()
        await self.may_answer.wait()
        return seen


@on_loop
async def test_a_look_that_comes_late_takes_nothing_back_that_this_process_knows_better() -> None:
    feed, store = Feed(), Slow()
    async with Runner(store, observe=feed.observe) as runner:
        await born(runner)
        looks = asyncio.create_task(feed.run(store))
        with feed.watch(ID) as watch:
            feed.observe(await store.head(ID))
            await store.was_asked.wait()
            await runner.send(ID, "tick")
            store.was_asked.clear()
            store.may_answer.set()
            await until(lambda: feed.looks == 1)
            assert watch.head is not None
            assert watch.head.version == 2
        looks.cancel()


@pytest.mark.server
@on_loop
async def test_a_stream_outlives_a_store_that_is_away_for_a_while(postgres: PostgresServer, postgres_url: str) -> None:
    async with Runner(open_store(postgres_url)) as other, serving(postgres_url, [COUNTER]) as served:
        await born(other)
        async with following(served) as reader:
            await reader.versions(1)
            postgres.stop()
            try:
                await until(lambda: served.service.feed.is_away)
                async with served.stream(ID) as stream:
                    assert stream.reply.status == 503
            finally:
                postgres.start()
            await other.send(ID, "tick")
            assert await reader.versions(1) == [2]
            assert not served.service.feed.is_away
            await other.send(ID, "stop")
            assert await reader.versions(1) == [3]


@on_loop
async def test_a_client_that_leaves_is_forgotten(url: str) -> None:
    async with Runner(open_store(url)) as runner, serving(url) as served:
        await born(runner)
        async with following(served) as reader:
            await reader.versions(1)
            assert served.service.feed.watchers == 1
        await until(lambda: not served.service.feed.watchers)


@on_loop
async def test_namespaces_know_nothing_of_each_other(url: str) -> None:
    names = ("left", "right")
    async with serving(url, [COUNTER], namespaces=names) as served, served.connect() as connection:
        for name in names:
            reply = await connection.post(f"/v1/agents?namespace={name}", {"workflow": "w", "id": ID})
            assert reply.status == 201
        async with (
            served.stream(ID, query="?namespace=left") as left,
            served.stream(ID, query="?namespace=right") as right,
        ):
            readers = [Reader(left), Reader(right)]
            for reader in readers:
                assert await reader.versions(1) == [1]
            reply = await connection.post(f"/v1/agents/{ID}/events?namespace=right", {"event": "tick"})
            assert reply.json["version"] == 2
            assert await readers[1].versions(1) == [2]
            reply = await connection.post(f"/v1/agents/{ID}/events?namespace=left", {"event": "stop"})
            stopped = await readers[0].next()
            assert stopped is not None
            assert (stopped.id, stopped.data["event"]) == (2, "stop")
            async with Runner(open_store(url, namespace="right")) as other:
                await other.send(ID, "tick")
            assert await readers[1].versions(1) == [3]


@on_loop
async def test_a_token_that_is_revoked_ends_its_streams(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "_QUIET_S", 0.01)
    monkeypatch.setattr(event_stream, "_BELIEVED_S", 0.0)
    tokens, now = TokenFile(tmp_path / "tokens.json"), datetime.now(UTC)
    ana, bob = (new_token(name, scopes=["read"], now=now) for name in ("ana", "bob"))
    for made in (ana, bob):
        tokens.add(made.token)
    async with Runner(open_store(url)) as runner, serving(url, tokens=tokens) as served:
        await born(runner)
        streams = [served.stream(ID, Authorization=f"Bearer {made.secret}") for made in (ana, bob)]
        async with streams[0], streams[1]:
            readers = [Reader(stream) for stream in streams]
            for reader in readers:
                await reader.versions(1)
            TokenFile(tmp_path / "tokens.json").revoke("ana")
            while await readers[0].next():
                pass
            await runner.send(ID, "tick")
            while (event := await readers[1].next()) and event.name == ":":
                pass
            assert event is not None
            assert event.id == 2
        async with served.stream(ID, last_id=1, Authorization=f"Bearer {ana.secret}") as stream:
            assert stream.reply.status == 401
