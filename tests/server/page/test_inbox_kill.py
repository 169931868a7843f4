"""The server is killed while somebody answers: the answer is taken once or not at all, and the page says which."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from playwright.sync_api import Page, expect

from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.browser import chromium, quiet_page
from tests.support.hypothesis_settings import IS_LONG
from tests.support.servers.fsm_server import COUNTER, FsmServer, write_project

pytestmark = pytest.mark.long

ROUNDS: Final = 40 if IS_LONG else 4
AGENTS: Final = 3

Value = TypeVar("Value")


def run(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """Run it in a thread of its own, for the browser has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def started(url: str, ids: list[str]) -> None:
    async def start() -> None:
        async with Runner(open_store(url)) as runner:
            for agent_id in ids:
                await runner.start(loads(COUNTER), id=agent_id)

    run(start())


def times_answered(url: str, agent_id: str) -> int:
    async def count() -> int:
        async with Runner(open_store(url)) as runner:
            return sum(step.event == "stop" for step in await runner.history(agent_id))

    return run(count())


def answer(page: Page, agent_id: str) -> None:
    card = page.locator(f"[data-agent='{agent_id}']")
    card.get_by_role("button", name="Stop", exact=True).click()


def told(page: Page, agent_id: str) -> str:
    """What the page says of an answer, once it says something."""
    became = page.locator(f"[data-agent='{agent_id}']:not(.sending) .became")
    expect(became).to_be_visible()
    return became.inner_text()


def test_an_answer_while_the_server_is_killed_is_taken_once_and_the_page_says_so(tmp_path: Path) -> None:
    url, chance = f"sqlite:///{tmp_path / 'agents.db'}", random.Random(7)  # noqa: S311 - chance is no secret
    write_project(tmp_path)
    unsure = 0
    with chromium() as browser, quiet_page(browser, allowed=["net::ERR_"]) as page:
        server = FsmServer(tmp_path, url)
        for number in range(ROUNDS):
            ids = [f"agent-{number}-{place}" for place in range(AGENTS)]
            started(url, ids)
            page.goto(f"http://127.0.0.1:{server.port}/")
            with server:
                killer = threading.Timer(chance.random() * 0.2, server.process.kill)
                killer.start()
                for agent_id in ids:
                    answer(page, agent_id)
                killer.join()
            said = {agent_id: told(page, agent_id) for agent_id in ids}
            done = {agent_id: times_answered(url, agent_id) for agent_id in ids}
            server = FsmServer(tmp_path, url, "--port", str(server.port))
            for agent_id in ids:
                if said[agent_id].startswith("You have answered: Stop."):
                    assert done[agent_id] == 1
                    continue
                unsure += 1
                assert "nobody knows yet whether your answer was taken" in said[agent_id]
                assert done[agent_id] in (0, 1)
                answer(page, agent_id)
                card = page.locator(f"[data-agent='{agent_id}'].sent")
                expect(card).to_contain_text("You have answered: Stop.")
            assert [times_answered(url, agent_id) for agent_id in ids] == [1] * AGENTS
            page.reload()
            expect(page.locator("#questions.empty")).to_be_visible()
        with server:
            server.tell(signal.SIGTERM)
            assert server.ended() == 0
    assert unsure


def test_a_page_that_was_left_open_learns_what_it_has_missed_while_the_server_was_away(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    write_project(tmp_path)
    started(url, ["old"])
    with chromium() as browser, quiet_page(browser, allowed=["net::ERR_"]) as page:
        with FsmServer(tmp_path, url) as server:
            page.goto(f"http://127.0.0.1:{server.port}/")
            page.get_by_label("Note").fill("half a sentence")
        started(url, ["new"])
        with FsmServer(tmp_path, url, "--port", str(server.port)):
            expect(page.locator("#news")).to_contain_text("1 new question")
            expect(page.get_by_label("Note")).to_have_value("half a sentence")
