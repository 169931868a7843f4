"""The page of an agent in a real browser, while steps happen here and elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fsm_agent.server.feed import Feed
from tests.support.browser import chromium, quiet_page
from tests.support.page_agents import COUNTER, PARCEL, count_up, send, send_parcel, start
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(PARCEL, COUNTER), actions=[send_parcel]) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


def visit(page: Page, server: Served, path: str, live: str = "live") -> None:
    page.goto(server.url + path)
    expect(page.locator("#live")).to_have_text(live)


def states(page: Page, mark: str) -> set[str]:
    """The states of the diagram that are marked so."""
    return set(page.eval_on_selector_all(f".picture g.node.state.{mark}", "nodes => nodes.map(node => node.id)"))


def top(page: Page, selector: str) -> float:
    """Where an element is on the screen."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["y"]


def test_a_step_of_another_process_appears_wherever_it_shows(server: Served, page: Page, tmp_path: Path) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    visit(page, server, "/agents/one")
    assert states(page, "here") == {"state-asking"}
    page.evaluate("window.same = true")
    words = ["--store", server.store, "--by", "cleo", "send", "one", "noted", "--payload", '{"text": "fragile"}']
    subprocess.run([sys.executable, "-m", "fsm_agent", *words], check=True, capture_output=True, cwd=tmp_path)
    expect(page.locator("#step-3")).to_contain_text("cleo")
    expect(page.locator("#panel")).to_contain_text("fragile")
    expect(page.locator("#head")).to_contain_text("version 3")
    expect(page.locator("#scrubber output")).to_have_text("3 of 3")
    expect(page.locator("#announcement")).to_have_text("New step: now waiting in asking")
    words = ["--store", server.store, "--by", "cleo", "answer", "one", '{"reason": "no"}', "--event", "reject"]
    subprocess.run([sys.executable, "-m", "fsm_agent", *words], check=True, capture_output=True, cwd=tmp_path)
    expect(page.locator("#now")).to_contain_text("It waits for an event")
    assert (states(page, "here"), states(page, "touched")) == (
        {"state-rejected"},
        {"state-idle", "state-asking", "state-rejected"},
    )
    assert page.evaluate("window.same")


def test_who_reads_further_down_is_not_moved_and_keeps_the_focus(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    count_up(server, "many", 80)
    visit(page, server, "/agents/many")
    page.locator("#step-50 .version").focus()
    page.locator("#step-50").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.querySelector('#step-52').offsetTop)")
    before = top(page, "#step-50")
    for version in (82, 83, 84):
        send(server, "many", "tick")
        expect(page.locator(f"#step-{version}")).to_be_attached()
    assert top(page, "#step-50") == before
    assert page.evaluate("document.activeElement.closest('li').id") == "step-50"


def test_rows_under_somebodys_eyes_stay_until_they_ask_for_the_new_ones(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    count_up(server, "many", 5)
    visit(page, server, "/agents/many")
    page.locator("#step-6 summary").click()
    page.mouse.move(0, 0)
    before = top(page, "#step-6")
    send(server, "many", "tick")
    new = page.get_by_role("button", name="1 new step")
    expect(new).to_be_visible()
    send(server, "many", "tick")
    page.get_by_role("button", name="2 new steps").wait_for()
    assert top(page, "#step-6") == before
    page.get_by_role("button", name="2 new steps").click()
    assert page.locator("#steps > li").first.get_attribute("id") == "step-8"
    assert page.locator("#step-6 details").get_attribute("open") is not None


def test_what_is_typed_stays_when_somebody_else_answers(server: Served, page: Page) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    visit(page, server, "/agents/one")
    reason = page.get_by_label("Reason")
    reason.fill("It is too late")
    place = reason.bounding_box()
    send(server, "one", "reject", {"reason": "too dear"}, by="cleo")
    told = page.locator("#now .closed")
    expect(told).to_contain_text("cleo has answered: reject")
    expect(told).to_contain_text("stays here")
    assert (reason.input_value(), reason.bounding_box()) == ("It is too late", place)
    assert page.locator("#now form button:enabled").count() == 0
    page.get_by_role("link", name="Show what it does now").click()
    expect(page.locator("#now")).to_contain_text("It waits for an event")


def test_an_answer_that_comes_too_late_is_kept_and_says_who_was_faster(server: Served, browser: Browser) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    refused = ["the server responded with a status of 409"]
    with quiet_page(browser) as first, quiet_page(browser, allowed=refused) as late:
        for page in (first, late):
            page.goto(f"{server.url}/agents/one")
        late.evaluate("dispatchEvent(new Event('pagehide'))")  # its stream is gone, so it does not know
        late.get_by_label("Reason").fill("too heavy")
        first.get_by_role("button", name="Approve").click()
        expect(first.locator("#head")).to_contain_text("done")
        late.get_by_role("button", name="Reject").click()
        expect(late.get_by_role("alert")).to_contain_text("ana answered 'approve'")
        assert late.locator(".kept textarea").first.input_value() == "too heavy"
        expect(late.locator("#head")).to_contain_text("done")


def test_the_agent_ends_and_the_page_says_so(server: Served, page: Page) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    visit(page, server, "/agents/one")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#now")).to_contain_text("It is done")
    expect(page.locator("#live")).to_have_text("it has ended")
    assert states(page, "here") == {"state-sent"}
    assert server.services["default"].feed.watchers == 0


def test_a_tab_that_nobody_sees_holds_no_stream_and_catches_up(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    visit(page, server, "/agents/many")
    feed = server.services["default"].feed
    assert feed.watchers == 1
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    server.run(_until_nobody_watches(feed))
    send(server, "many", "tick")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#step-2")).to_be_visible()
    assert feed.watchers == 1


async def _until_nobody_watches(feed: Feed) -> None:
    while feed.watchers:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
