"""Back through the versions of an agent, and what an operator does with it, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import inaccessible, quiet_page
from tests.support.page_agents import COUNTER, PARCEL, send, send_parcel, start
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

LAMP = ("wanted", {"item": "a lamp"})
NOTES = [("noted", {"text": word}) for word in ("fragile", "urgent")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(PARCEL, COUNTER), actions=[send_parcel]) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


def here(page: Page) -> str | None:
    return page.locator(".picture g.here").get_attribute("id")


def test_the_slider_leads_through_every_version_and_back_to_now(server: Served, page: Page) -> None:
    start(server, "one", LAMP, *NOTES)
    page.goto(f"{server.url}/agents/one")
    slider = page.locator("#at")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("#now")).to_contain_text("As it was at version 1")
    expect(page.locator("#when")).to_contain_text("The past")
    assert here(page) == "state-idle"
    assert "fragile" not in page.inner_text("#panel")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#now")).to_contain_text("May a lamp be sent?")
    assert page.locator("#now form").count() == 0
    page.keyboard.press("ArrowRight")
    expect(page.locator("#panel")).to_contain_text("fragile")
    assert "urgent" not in page.inner_text("#panel")
    assert page.url.endswith("/agents/one?at=3")
    assert page.locator("#steps [aria-current]").get_attribute("id") == "step-3"
    assert page.evaluate("document.activeElement.id") == "at"
    page.get_by_role("link", name="Back to now").click()
    expect(page.locator("#now form")).to_have_count(2)
    assert page.url.endswith("/agents/one")


def test_who_looks_at_the_past_stays_there_while_the_agent_goes_on(server: Served, page: Page) -> None:
    start(server, "one", LAMP, *NOTES)
    page.goto(f"{server.url}/agents/one?at=2")
    expect(page.locator("#live")).to_have_text("live")
    send(server, "one", "noted", {"text": "heavy"})
    expect(page.locator("#step-5")).to_be_visible()
    expect(page.locator("#scrubber output")).to_have_text("2 of 5")
    assert "As it was at version 2" in page.inner_text("#now")
    assert "heavy" not in page.inner_text("#panel")
    page.locator("#at").focus()
    page.keyboard.press("End")
    expect(page.locator("#now h2")).to_have_text("Now")
    expect(page.locator("#panel")).to_contain_text("heavy")


def test_a_rewind_by_keyboard_alone_says_first_what_will_happen(server: Served, page: Page) -> None:
    start(server, "one", LAMP, *NOTES)
    send(server, "one", "reject", {"reason": "too dear"})
    page.goto(f"{server.url}/agents/one")
    slider = page.locator("#at")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("#when")).to_contain_text("The past")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#now h2")).to_have_text("As it was at version 2")
    tab_to(page, "Rewind …", after="Back to now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rewind one to version 2?")
    plan = page.locator(".plan")
    expect(plan).to_contain_text("It goes from rejected to asking. There it asks its question anew.")
    expect(plan).to_contain_text("Its timers begin anew, for their whole time: 3d.")
    rows = page.locator(".changes tbody tr")
    assert [row.inner_text().split() for row in rows.all()] == [
        ["note", "too", "dear", "null"],
        ["count", "2", "0"],
        ["log", "0", "fragile", "1", "urgent", "[]"],
    ]
    tab_to(page, "Rewind")
    page.keyboard.press("Enter")
    expect(page.locator("#step-6")).to_contain_text("rewound to version 2")
    expect(page.locator("#step-6")).to_contain_text("ana")
    expect(page.locator("#now")).to_contain_text("May a lamp be sent?")


def tab_to(page: Page, name: str, *, after: str | None = None) -> None:
    """Press Tab until something with this name has the focus."""
    is_after = after is None
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText?.trim() ?? ''")
        if is_after and focused == name:
            return
        is_after = is_after or focused == after
    raise AssertionError(f"{name} cannot be reached by Tab")


def test_a_confirmation_for_an_agent_that_has_moved_on_does_nothing_and_says_what_happened(
    server: Served, browser: Browser
) -> None:
    start(server, "one", LAMP)
    with quiet_page(browser, allowed=["the server responded with a status of 412"]) as page:
        page.goto(f"{server.url}/agents/one/cancel")
        expect(page.locator(".plan")).to_contain_text("It ends as cancelled where it is, in asking.")
        send(server, "one", "noted", {"text": "fragile"}, by="cleo")
        page.get_by_role("button", name="Cancel it").click()
        told = page.get_by_role("alert")
        expect(told).to_contain_text("since then cleo sent 'noted'")
        expect(told).to_contain_text("Nothing was done")
        page.get_by_role("button", name="Cancel it").click()
        expect(page.locator("#now")).to_contain_text("It is cancelled.")


def test_an_effect_in_doubt_is_settled_and_the_agent_goes_on(server: Served, page: Page) -> None:
    start(server, "one", ("wanted", {"item": "a heavy lamp"}), ("approve", None))
    page.goto(f"{server.url}/agents/one")
    expect(page.locator("#now")).to_contain_text("Was ship done?")
    page.get_by_role("link", name="It was done …").click()
    expect(page.locator(".plan")).to_contain_text("If that is not so, it is never done.")
    page.get_by_label("What it has returned").fill('"by hand"')
    page.get_by_role("button", name="It was done").click()
    expect(page.locator("#now")).to_contain_text("It is done")
    page.get_by_role("link", name="Effects").click()
    rows = page.locator("#panel tbody tr")
    assert [row.locator("td").last.inner_text() for row in rows.all()] == ["by hand", '{"stamp": "for a heavy lamp"}']


def test_the_diagram_is_moved_and_enlarged_with_keys_buttons_and_the_wheel(server: Served, page: Page) -> None:
    start(server, "one", LAMP)
    page.goto(f"{server.url}/agents/one")
    svg = page.locator(".picture svg")

    def box() -> list[float]:
        found: list[float] = page.evaluate(
            "(({x, y, width, height}) => [x, y, width, height])(document.querySelector('.picture svg').viewBox.baseVal)"
        )
        return found

    home = box()
    svg.focus()
    page.keyboard.press("+")
    assert box()[2] < home[2]
    page.keyboard.press("ArrowRight")
    assert box()[0] > home[0]
    page.keyboard.press("0")
    assert box() == home
    page.get_by_role("button", name="Larger").click()
    page.get_by_role("button", name="See all of it").click()
    assert box() == home
    svg.hover()
    page.mouse.wheel(0, 200)
    assert box() == home
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_function(f"document.querySelector('.picture svg').viewBox.baseVal.width < {home[2]}")
    svg.hover()
    before = box()
    page.mouse.down()
    svg.hover(position={"x": 100, "y": 100})
    page.mouse.up()
    assert box() != before


def test_without_script_everything_but_what_is_live_works(server: Served, browser: Browser) -> None:
    start(server, "one", LAMP, *NOTES)
    with quiet_page(browser, java_script_enabled=False) as page:
        page.goto(f"{server.url}/agents/one")
        page.locator("#at").fill("2")
        page.get_by_role("button", name="Show").click()
        assert page.locator("#now h2").inner_text() == "As it was at version 2"
        page.get_by_role("link", name="Back to now").click()
        page.get_by_role("link", name="Conversation").click()
        assert "Nobody has said anything" in page.inner_text("#panel")
        page.locator("#step-3 summary").click()
        page.get_by_role("link", name="All of this step").first.click()
        page.get_by_role("link", name="Next").click()
        assert page.locator("h1").inner_text() == "4 noted"
        page.locator(".crumbs a").click()
        page.get_by_label("Reason").fill("too dear")
        page.get_by_role("button", name="Reject").click()
        assert "It waits for an event" in page.inner_text("#now")
        page.get_by_role("link", name="again").click()
        page.get_by_role("button", name="Send").click()
        assert page.locator("#now .prompt").inner_text() == "May a lamp be sent?"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_is_accessible(server: Served, browser: Browser, *, dark: bool, width: int) -> None:
    start(server, "asks", LAMP, *NOTES, user="Zoë", labels={"channel": "mail"})
    start(server, "parked", ("wanted", {"item": "a heavy lamp"}), ("approve", None))
    start(server, "fails", ("wanted", {"item": "a broken lamp"}), ("approve", None))
    start(server, "done", LAMP, ("approve", None))
    start(server, "new", workflow="counter")
    ways = ["", "?at=2", "?tab=effects", "?tab=conversation", "/steps/2", "/send", "/send?event=noted", "/rewind"]
    ways += ["/rewind?to=2", "/fork", "/cancel", "/value?of=agent&pointer=/data"]
    paths = [f"/agents/asks{way}" for way in ways]
    paths += [
        "/agents/parked",
        "/agents/parked/unpark",
        "/agents/fails",
        "/agents/done",
        "/agents/done?tab=effects",
        "/agents/new",
    ]
    with quiet_page(browser, dark=dark, width=width) as page:
        for path in paths:
            page.goto(server.url + path)
            assert inaccessible(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
