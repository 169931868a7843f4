"""The engine that reads what Celery carries keeps the contract, and takes no more of a process than it needs."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, current_app

from fsm_agent.engines import open_engine
from fsm_agent.engines.celery import CeleryWakeups
from fsm_agent.engines.celery.messages import Sender, new_app, queue_name, task_name
from fsm_agent.engines.celery.receiver import Receiver
from fsm_agent.errors import EngineUnavailable
from fsm_agent.testing import RemoteEngineContract
from fsm_agent.testing.engines import EngineBench
from tests.support.runtime import on_loop, until
from tests.support.servers.redis import RedisServer


class TestCeleryEngine(RemoteEngineContract):
    @pytest.fixture
    def engine_url(self, redis_server: RedisServer) -> str:
        return f"celery+{redis_server.url()}"

    @pytest.fixture
    def engine_server(self, redis_server: RedisServer) -> RedisServer:
        return redis_server


@asynccontextmanager
async def bench_at(url: str) -> AsyncIterator[EngineBench]:
    async with open_engine(f"celery+{url}", namespace="n1") as engine:
        bench = EngineBench(engine, "n1")
        async with bench.runner:
            yield bench


def message(server: RedisServer, body: bytes, *, task: str, kind: str = "application/json") -> None:
    """Put a message into the queue, as whoever may write to the broker can."""
    properties = {"body_encoding": "base64", "delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": ""}}
    whole: dict[str, Any] = {
        "body": base64.b64encode(body).decode(),
        "content-type": kind,
        "content-encoding": "utf-8",
        "headers": {"task": task},
        "properties": properties,
    }
    server.execute("LPUSH", queue_name("n1"), json.dumps(whole))


class Explosive:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_a_message_that_is_no_wake_up_is_ignored_and_nothing_is_unpickled(
    redis_server: RedisServer, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "exploded"
    bad = [b"no JSON", b"[]", b"[[7], {}, {}]", b"{}"]

    async def run() -> None:
        async with bench_at(redis_url) as bench, bench.serving():
            for body in bad:
                message(redis_server, body, task=task_name("n1"))
            message(redis_server, b'[["a"], {}, {}]', task="shop.charge")
            message(
                redis_server, pickle.dumps(Explosive(file)), task=task_name("n1"), kind="application/x-python-serialize"
            )
            await bench.start("a")
            await bench.until_resting("a")

    asyncio.run(run())
    assert not file.exists()
    ignored = [record for record in caplog.records if "is no wake-up" in record.getMessage()]
    assert len(ignored) == len(bad) + 2
    assert redis_server.execute("HLEN", "unacked") == 0


@on_loop
async def test_what_works_goes_on_while_the_broker_is_away(redis_server: RedisServer, redis_url: str) -> None:
    async with bench_at(redis_url) as bench, bench.serving() as service:
        bench.gate.clear()
        await bench.start("a")
        await until(lambda: bench.begun == ["a"])
        await asyncio.to_thread(redis_server.kill)
        try:
            await bench.wakeups.wake("a")
            await bench.nothing_ends(service)
            bench.gate.set()
            await bench.until_resting("a")
        finally:
            await asyncio.to_thread(redis_server.start)
        assert bench.begun == ["a"]
        await bench.heard()


@on_loop
async def test_what_has_no_place_stays_with_the_broker_for_others(redis_server: RedisServer, redis_url: str) -> None:
    async with bench_at(redis_url) as bench, bench.serving(at_once=1) as service:
        bench.gate.clear()
        await bench.start("a")
        await until(lambda: bench.begun == ["a"])
        for name in "bc":
            await bench.start(name)
        await bench.nothing_ends(service)
        assert redis_server.execute("LLEN", queue_name("n1")) == 2
        bench.gate.set()
        await bench.until_resting(*"abc")


def test_a_message_that_comes_after_the_stop_is_left_to_others(redis_server: RedisServer, redis_url: str) -> None:
    sender = Sender(new_app(), "n1", broker=redis_url)
    sender.send("a")
    sender.close()
    receiver = Receiver(new_app(), "n1", broker=redis_url)
    assert receiver.next(lambda: True) is None
    receiver.close()
    assert redis_server.execute("LLEN", queue_name("n1")) == 1
    receiver = Receiver(new_app(), "n1", broker=redis_url)
    assert receiver.next(lambda: False) == "a"
    receiver.close()
    assert redis_server.execute("LLEN", queue_name("n1")) == 0


@on_loop
async def test_a_broker_that_hangs_holds_no_caller(
    redis_server: RedisServer, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench_at(redis_url) as bench:
        await bench.wakeups.wake("a")
        redis_server.freeze()
        try:
            await asyncio.gather(*[bench.wakeups.wake(f"a{number}") for number in range(50)])
        finally:
            redis_server.thaw()
        told = [record.getMessage() for record in caplog.records if "cannot be told" in record.getMessage()]
        assert len(told) == 1


@on_loop
async def test_the_url_says_where_the_broker_is_whatever_the_environment_has_for_others(
    redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0")
    async with bench_at(redis_url) as bench, bench.serving():
        await bench.start("a")
        await bench.until_resting("a")


@on_loop
async def test_the_logs_and_the_application_of_the_process_stay_what_they_are(redis_url: str) -> None:
    root, before = logging.getLogger(), current_app._get_current_object()
    were = (list(root.handlers), root.level)
    async with bench_at(redis_url) as bench, bench.serving():
        await bench.start("a")
        await bench.until_resting("a")
    assert (list(root.handlers), root.level) == were
    assert current_app._get_current_object() is before


@on_loop
async def test_an_application_of_another_sends_to_where_it_does(redis_server: RedisServer, redis_url: str) -> None:
    wakeups = CeleryWakeups(Celery("shop", broker=redis_url, set_as_current=False), namespace="n1")
    async with bench_at(redis_url) as bench, bench.serving():
        await bench.start("a", is_lost=True)
        await wakeups.wake("a")
        await bench.until_resting("a")
        await wakeups.wake("a", at_ms=2**41)
    wakeups.close()
    assert redis_server.execute("LLEN", queue_name("n1")) == 0


@on_loop
async def test_a_broker_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(
        EngineUnavailable, match=r"engine celery\+redis://:\*\*\*@127.0.0.1:1/0 does not answer"
    ) as caught:
        async with open_engine("celery+redis://:s3cret@127.0.0.1:1/0"):
            pass
    assert "s3cret" not in str(caught.value)
