"""Who watches the inbox hears of every change of its questions, whichever process makes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from fsm_agent import Runner, open_store
from fsm_agent.domain.selection import QuestionPage, question_place
from fsm_agent.errors import StoreUnavailable
from fsm_agent.loading.yaml_file import loads
from fsm_agent.server import inbox as inbox_module
from fsm_agent.server import question_feed
from fsm_agent.server.inbox import Inbox
from fsm_agent.server.question_feed import QuestionFeed
from fsm_agent.stores.base import Store
from fsm_agent.stores.forwarding_store import ForwardingStore
from fsm_agent.stores.pages import question_after
from tests.support.runtime import on_loop, until
from tests.support.servers.fsm_server import COUNTER

#: seconds; a ring that comes comes long before
PATIENCE_S = 30.0
ASKS = loads(COUNTER)


class Unsteady(ForwardingStore):
    """A store that does not answer for a while."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.is_away = False
        self.looks = 0

    @classmethod
    def from_url(cls, rest: str, *, namespace: str, clock: Callable[[], int] | None) -> Self:
        raise AssertionError("it is made around another one")

    async def questions(self, **wanted: Any) -> QuestionPage:
        self.looks += 1
        if self.is_away:
            raise StoreUnavailable("it is away")
        return await super().questions(**wanted)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_feed, "_EVERY_S", 0.05)


@asynccontextmanager
async def running(feed: QuestionFeed, store: Store) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run(store))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@on_loop
async def test_what_another_process_asks_and_what_it_answers_rings(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/agents.db"
    feed = QuestionFeed()
    async with Runner(open_store(url)) as other, open_store(url) as store, running(feed, store):
        with feed.watch(Inbox()) as bell:
            assert await bell.change(PATIENCE_S), "the first look: it may have changed since the page was read"
            agent = await other.start(ASKS)
            assert await bell.change(PATIENCE_S)
            await other.answer(agent.id, event="stop")
            assert await bell.change(PATIENCE_S)
            assert not await bell.change(0.3), "nothing has happened since"


@on_loop
async def test_a_question_behind_those_that_are_looked_at_rings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_feed, "MOST_SEEN", 2)
    feed = QuestionFeed()
    async with Runner(open_store("memory://")) as runner, running(feed, runner.store):
        for number in range(3):
            await runner.start(ASKS, id=f"a{number}")
        with feed.watch(Inbox()) as bell:
            assert await bell.change(PATIENCE_S)
            await runner.start(ASKS, id="b")
            assert await bell.change(PATIENCE_S)


@on_loop
async def test_a_question_that_is_answered_and_asked_anew_rings_wherever_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(question_feed, "MOST_SEEN", 1)
    monkeypatch.setattr(inbox_module, "PAGE", 1)
    feed = QuestionFeed()
    async with Runner(open_store("memory://")) as runner, running(feed, runner.store):
        for number in range(4):
            await runner.start(ASKS, id=f"a{number}")
        third = Inbox(after=question_after(question_place(await runner.store.head("a1"))))
        with feed.watch(third) as bell, feed.watch(Inbox()) as other:
            assert await bell.change(PATIENCE_S)
            assert await other.change(PATIENCE_S)
            await runner.answer("a2", event="tick")
            assert await bell.change(PATIENCE_S)
            assert not await other.change(0.3), "it shows the first ones, and as many are open as before"


@on_loop
async def test_while_nobody_watches_the_store_is_left_alone() -> None:
    feed, store = QuestionFeed(), Unsteady(open_store("memory://"))
    async with store, running(feed, store):
        with feed.watch(Inbox()) as bell:
            assert await bell.change(PATIENCE_S)
        looks = store.looks
        with pytest.raises(TimeoutError):
            await until(lambda: store.looks > looks + 1, 0.3)


@on_loop
async def test_a_store_that_is_away_is_told_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    feed, store = QuestionFeed(), Unsteady(open_store("memory://"))
    with caplog.at_level(logging.WARNING, "fsm_agent"):
        async with store, running(feed, store):
            with feed.watch(Inbox()) as bell:
                assert await bell.change(PATIENCE_S)
                store.is_away = True
                looks = store.looks
                await until(lambda: store.looks > looks + 3)
                store.is_away = False
                assert await bell.change(PATIENCE_S)
    assert [vars(each)["action"] for each in caplog.records] == ["inbox_failed", "inbox_recovered"]


@on_loop
async def test_the_end_rings_for_everybody_and_for_who_comes_after_it() -> None:
    feed = QuestionFeed()
    with feed.watch(Inbox()) as before:
        feed.close()
        assert await before.change(PATIENCE_S)
    with feed.watch(Inbox()) as after:
        assert await after.change(PATIENCE_S)
