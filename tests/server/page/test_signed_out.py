"""Forms that are sent by somebody who was signed out meanwhile, and by somebody whose server is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import inaccessible, quiet_page
from tests.support.page_questions import REQUEST, REQUEST_OF, ask
from tests.support.pages import facts_of
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

_COOKIE = "fsm_agent_token"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(REQUEST, REQUEST_OF), has_tokens=True) as server:
        yield server


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_what_was_typed_is_kept_through_the_login(server: Served, browser: Browser, has_script: bool) -> None:
    ask(server, "one")
    first, second = server.token("ana"), server.token("ben")
    refused = ["status of 401"]
    with quiet_page(browser, allowed=refused, java_script_enabled=has_script) as page:
        page.context.add_cookies([{"name": _COOKIE, "value": first, "url": server.url}])
        page.goto(f"{server.url}/agents/one")
        page.get_by_label("Reason").fill("too <dear>\n& too late")
        page.context.clear_cookies()
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_text("nothing was done. What you have sent is kept.")).to_be_visible()
        assert not has_script or inaccessible(page) == []
        page.get_by_label("Token").fill("fsm_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not known here")
        page.get_by_label("Token").fill(second)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading")).to_have_text("Send it now?")
        assert page.get_by_label("Reason").input_value() == "too <dear>\n& too late"
        assert not has_script or inaccessible(page) == []
        assert facts_of(server, "one").status == "waiting"
        page.get_by_role("button", name="Send it", exact=True).click()
        expect(page.locator("#head")).to_contain_text("rejected")
    assert facts_of(server, "one").data["said"] == {"reason": "too <dear>\n& too late", "weight": 2}


def test_nobody_is_shown_what_another_site_has_sent(server: Served) -> None:
    with server.client(**{"Sec-Fetch-Site": "cross-site"}) as client:
        reply = client.post("/agents/one/answer", data={"/reason": "words of theirs"})
        assert (reply.status_code, "words of theirs" in reply.text) == (403, False)
        login = {"token": server.token("ana"), "next": "/agents/one/answer", "kept:/reason": "words of theirs"}
        reply = client.post("/login", data=login)
        assert (reply.status_code, "words of theirs" in reply.text) == (403, False)


def test_a_kept_form_leads_to_no_other_place(server: Served) -> None:
    with server.client() as client:
        login = {"token": server.token("ana"), "next": "https://example.org/", "kept:/reason": "mine"}
        reply = client.post("/login", data=login)
        assert 'action="/"' in reply.text
        assert "example.org" not in reply.text


@pytest.fixture
def page(server: Served, browser: Browser) -> Iterator[Page]:
    away = ["ERR_FAILED", "status of 502"]
    with quiet_page(browser, allowed=away) as page:
        page.context.add_cookies([{"name": _COOKIE, "value": server.token("ana"), "url": server.url}])
        yield page


def test_a_form_is_not_sent_to_a_server_that_is_away(server: Served, page: Page) -> None:
    ask(server, "one")
    page.goto(f"{server.url}/agents/one")
    page.route("**/healthz", lambda route: route.abort())
    page.get_by_label("Reason").fill("too dear")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer, and nothing was sent.")
    page.unroute("**/healthz")
    page.route("**/healthz", lambda route: route.fulfill(status=502))
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("alert")).to_have_count(1)
    assert page.get_by_label("Reason").input_value() == "too dear"
    page.unroute("**/healthz")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("#head")).to_contain_text("rejected")
    assert facts_of(server, "one").data["said"] == {"reason": "too dear", "weight": 2}


def test_the_inbox_looks_for_a_server_that_a_proxy_says_is_away(server: Served, page: Page) -> None:
    page.route("**/live/inbox", lambda route: route.fulfill(status=502))
    page.goto(server.url)
    expect(page.locator("#news")).to_contain_text("The server is away")
    page.unroute("**/live/inbox")
    expect(page.locator("#news")).to_be_hidden()
    ask(server, "one")
    expect(page.locator("#news")).to_contain_text("1 new question")


def test_who_is_signed_out_is_told_so_in_the_inbox(server: Served, page: Page) -> None:
    page.route("**/live/inbox", lambda route: route.fulfill(status=502))
    page.goto(f"{server.url}/?for=all")
    page.context.clear_cookies()
    page.unroute("**/live/inbox")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.locator("input[name=next]").get_attribute("value") == "/?for=all"


def test_a_browser_whose_clock_is_wrong_counts_as_the_server_does(server: Served, page: Page) -> None:
    ask(server, "one")
    page.clock.set_system_time(datetime.now(UTC) + timedelta(days=2.5))
    page.goto(server.url)
    expect(page.locator("time[data-until]")).to_have_text("2 d left")


def test_what_is_said_to_screen_readers_alone_is_not_seen(server: Served, page: Page) -> None:
    ask(server, "one")
    page.goto(f"{server.url}/agents/one")
    expect(page.locator("#live")).to_have_text("live")
    server.run(server.services["default"].runner.send("one", "withdraw"))
    said = page.locator("#announcement")
    expect(said).to_contain_text("New step")
    box = said.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (1, 1)
