"""The page of an agent in a real browser, while steps happen here and elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from fsm_agent import Context, action
from tests.support.browser import quiet_page
from tests.support.page_agents import COUNTER, PARCEL, count_up, send, send_parcel, start
from tests.support.runtime import flow, until
from tests.support.servers.fsm_server import FsmServer, write_project
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

TRIES: Final = flow("""
    events: {ok: {}}
    initial: working
    states:
      working: {do: work, retry: {attempts: 9, backoff: 1ms}, on: {ok: over}}
      over: {final: true}
""")


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


def test_each_attempt_of_an_action_that_fails_shows_while_the_page_is_open(page: Page, tmp_path: Path) -> None:
    go_on = asyncio.Semaphore(0)

    @action(name="work")
    async def work(ctx: Context) -> str:
        if ctx.attempt > 1:
            await go_on.acquire()
        raise ConnectionError(f"line {ctx.attempt} is dead")

    async def go() -> None:
        go_on.release()

    with served(tmp_path, workflows=(TRIES,), actions=[work]) as server:
        server.run(server.services["default"].runner.start(TRIES, id="one", drive=False))
        visit(page, server, "/agents/one")
        for attempt in (1, 2, 3):
            expect(page.locator("#now")).to_contain_text(f"line {attempt} is dead")
            expect(page.locator("#now")).to_contain_text(f"attempt {attempt + 1} of 9")
            server.run(go())


@pytest.mark.parametrize("anchor", ["auto", "none"])
def test_who_reads_further_down_is_not_moved_and_keeps_the_focus(server: Served, page: Page, anchor: str) -> None:
    """Some browsers keep what is read in its place by themselves, others leave it to the page."""
    start(server, "many", workflow="counter")
    count_up(server, "many", 80)
    visit(page, server, "/agents/many")
    page.evaluate(f"document.documentElement.style.overflowAnchor = '{anchor}'")
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
    expect(told).to_contain_text("cleo has answered: Reject.")
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
    server.run(until(lambda: feed.watchers == 1))  # a browser is told of a stream before that begins
    hide(page)
    server.run(until(lambda: not feed.watchers))
    send(server, "many", "tick")
    show(page)
    expect(page.locator("#step-2")).to_be_visible()
    server.run(until(lambda: feed.watchers == 1))


def test_more_steps_than_a_page_holds_come_as_one_page(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    visit(page, server, "/agents/many")
    page.evaluate("window.same = true")
    count_up(server, "many", 130)
    expect(page.locator("#steps > li").first).to_have_id("step-131")
    versions = page.eval_on_selector_all("#steps > li", "rows => rows.map(row => Number(row.id.slice(5)))")
    assert versions == list(range(131, 131 - len(versions), -1))
    if versions[-1] > 1:
        page.get_by_role("link", name="Older steps").click()
        expect(page.locator("#steps > li").first).to_have_id(f"step-{versions[-1] - 1}")


def test_a_page_that_is_open_all_day_does_not_grow_for_ever(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    count_up(server, "many", 40)
    visit(page, server, "/agents/many")
    for round_ in range(1, 6):
        count_up(server, "many", 40)
        expect(page.locator("#steps > li").first).to_have_id(f"step-{41 + 40 * round_}")
    assert page.locator("#steps > li").count() <= 200
    oldest = int(str(page.locator("#steps > li").last.get_attribute("id"))[5:])
    assert oldest > 1
    page.get_by_role("link", name="Older steps").click()
    expect(page.locator("#steps > li").first).to_have_id(f"step-{oldest - 1}")


def test_new_steps_do_not_come_into_a_page_of_old_ones(server: Served, page: Page) -> None:
    start(server, "many", workflow="counter")
    count_up(server, "many", 60)
    visit(page, server, "/agents/many?before=12")
    send(server, "many", "tick")
    expect(page.locator("#head")).to_contain_text("version 62")
    assert page.locator("#steps > li").first.get_attribute("id") == "step-11"


def test_an_agent_that_is_deleted_is_gone_in_a_sentence(server: Served, browser: Browser) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    with quiet_page(browser, allowed=["the server responded with a status of 404"]) as page:
        visit(page, server, "/agents/one")
        store = server.services["default"].runner.store
        server.run(store.delete(server.run(store.head("one"))))
        expect(page.get_by_role("heading", level=1)).to_have_text("Agent not found")


def test_who_comes_back_to_a_tab_is_told_that_the_agent_is_gone(server: Served, browser: Browser) -> None:
    start(server, "many", workflow="counter")
    with quiet_page(browser, allowed=["the server responded with a status of 404"]) as page:
        visit(page, server, "/agents/many")
        hide(page)
        store = server.services["default"].runner.store
        server.run(store.delete(server.run(store.head("many"))))
        show(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Agent not found")


def hide(page: Page) -> None:
    """What a page notices when its tab goes behind others."""
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def show(page: Page) -> None:
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_a_server_that_is_away_is_said_quietly_and_found_again(browser: Browser, tmp_path: Path) -> None:
    write_project(tmp_path)
    store = f"sqlite:///{tmp_path / 'agents.db'}"
    with quiet_page(browser, allowed=["net::ERR_", "Failed to load resource"]) as page:
        with FsmServer(tmp_path, store) as server:
            page.goto(f"http://127.0.0.1:{server.port}/workflows/counter/start")
            page.get_by_role("button", name="Start").click()
            expect(page.locator("#live")).to_have_text("live")
        page.evaluate("window.same = true")
        expect(page.locator("#live")).to_contain_text("the server is away")
        assert "Number 0?" in page.inner_text("#now")
        agent_id = page.inner_text("h1")
        words = ["--store", store, "send", agent_id, "tick"]
        subprocess.run([sys.executable, "-m", "fsm_agent", *words], check=True, capture_output=True, cwd=tmp_path)
        with FsmServer(tmp_path, store, "--port", str(server.port)):
            expect(page.locator("#now")).to_contain_text("Number 1?", timeout=20_000)
            expect(page.locator("#live")).to_have_text("live")
            assert page.evaluate("window.same")


def test_two_fingers_enlarge_the_diagram_and_one_leaves_the_page_to_scroll(server: Served, browser: Browser) -> None:
    start(server, "one", ("wanted", {"item": "a lamp"}))
    with quiet_page(browser, width=390, has_touch=True, is_mobile=True) as page:
        visit(page, server, "/agents/one")
        svg = page.locator(".picture svg")
        svg.scroll_into_view_if_needed()
        box = svg.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        width = "document.querySelector('.picture svg').viewBox.baseVal.width"
        before, fingers = page.evaluate(width), page.context.new_cdp_session(page)

        def touch(kind: str, *apart: int) -> None:
            points = [{"x": x + side * each / 2, "y": y, "id": side} for each in apart for side in (-1, 1)]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", 40)
        for apart in range(50, 200, 10):
            touch("touchMove", apart)
        touch("touchEnd")
        assert page.evaluate(width) < before / 2
        assert svg.evaluate("node => getComputedStyle(node).touchAction") == "none"
        page.get_by_role("button", name="See all of it").click()
        assert svg.evaluate("node => getComputedStyle(node).touchAction") == "pan-y"
