"""The inbox in a real browser: answers from where they stand, and what happens meanwhile, here and elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import quiet_page
from tests.support.page_questions import REQUEST, answered, ask, ask_many, sign_in, state_of, steps_of
from tests.support.runtime import until
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

HOUR_MS = 3_600_000
#: a browser says so of each answer with such a status
REFUSED = "Failed to load resource: the server responded with a status of 4"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(REQUEST,)) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Served) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


def card(page: Page, agent_id: str) -> Locator:
    return page.locator(f"[data-agent='{agent_id}']")


def button(page: Page, agent_id: str, name: str) -> Locator:
    return card(page, agent_id).get_by_role("button", name=name, exact=True)


def visit(page: Page, server: Served, path: str = "/") -> None:
    """Open the inbox, and see it look for what is new."""
    with page.expect_response(lambda reply: "/live/inbox" in reply.url), page.expect_response("**/"):
        page.goto(server.url + path)
    until_watched(server, 1)


def until_watched(server: Served, watchers: int) -> None:
    questions = server.services["default"].questions
    server.run(until(lambda: questions.watchers == watchers, 20))


def place(found: Locator) -> Any:
    return found.bounding_box()


def test_an_answer_without_fields_takes_one_click_and_nothing_moves(page: Page, server: Served) -> None:
    ask_many(server, ["first", "second", "third"])
    visit(page, server)
    before = [place(card(page, each)) for each in ("first", "second", "third")]
    button(page, "second", "Approve").click()
    expect(card(page, "second")).to_contain_text("You have answered: Approve. second is done now, in approved.")
    assert state_of(server, "second") == "approved"
    assert steps_of(server, "second")[-1] == ("approve", "ana")
    assert [place(card(page, each)) for each in ("first", "second", "third")] == before
    expect(page.locator("#open")).to_have_text("2")
    expect(page.locator(".statuses .count")).to_have_text("2")
    assert page.title().startswith("Inbox (2)")
    expect(page.locator("#news")).to_be_hidden()
    page.reload()
    expect(page.locator("[data-agent]")).to_have_count(2)


def test_an_answer_with_fields_is_sent_and_wrong_input_is_told_beside_its_field(
    browser: Browser, server: Served
) -> None:
    ask(server, "one")
    with quiet_page(browser, allowed=[REFUSED]) as page:
        visit(page, server)
        page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
        form = card(page, "one").locator("form", has=page.get_by_role("button", name="Reject", exact=True))
        form.get_by_label("Reason").fill("no")
        report = card(page, "one").locator("form", has=page.get_by_role("button", name="Report", exact=True))
        report.get_by_label("Hours").fill("7.5")
        form.get_by_role("button", name="Reject", exact=True).click()
        expect(form.locator(".problems")).to_be_focused()
        field = form.get_by_label("Reason")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value("no")
        expect(report.get_by_label("Hours")).to_have_value("7.5")
        assert page.url == server.url + "/"
        field.fill("too dear")
        form.get_by_role("button", name="Reject", exact=True).click()
        expect(card(page, "one")).to_contain_text("You have answered: Reject.")
    agent = server.run(server.services["default"].runner.get("one"))
    assert agent.data["said"] == {"reason": "too dear", "weight": 2}


def test_without_script_the_inbox_is_answered_and_wrong_input_is_told_beside_its_field(
    browser: Browser, server: Served
) -> None:
    ask(server, "one")
    ask(server, "two")
    with quiet_page(browser, allowed=[REFUSED], java_script_enabled=False) as page:
        page.goto(server.url)
        button(page, "one", "Approve").click()
        expect(page.locator(".notice")).to_contain_text("You have answered: Approve.")
        expect(card(page, "one")).to_have_count(0)
        page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
        card(page, "two").get_by_label("Reason").fill("no")
        card(page, "two").get_by_label("Weight").fill("7")
        button(page, "two", "Reject").click()
        field = card(page, "two").get_by_label("Reason")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value("no")
        field.fill("too dear")
        button(page, "two", "Reject").click()
        expect(page.locator(".notice")).to_contain_text("You have answered: Reject.")
    assert (state_of(server, "one"), state_of(server, "two")) == ("approved", "rejected")
    agent = server.run(server.services["default"].runner.get("two"))
    assert agent.data["said"] == {"reason": "too dear", "weight": 7}


def test_a_row_is_added_in_its_place_and_has_the_focus(page: Page, server: Served) -> None:
    ask_many(server, ["first", "second"])
    visit(page, server)
    button(page, "second", "Add row Parts").click()
    expect(card(page, "second").get_by_label("Name")).to_be_focused()
    page.keyboard.type("bearing")
    card(page, "second").get_by_label("Count").fill("2")
    card(page, "second").get_by_label("Hours").fill("3")
    assert place(card(page, "first"))["y"] < place(card(page, "second"))["y"]
    button(page, "second", "Report").click()
    expect(card(page, "second")).to_contain_text("You have answered: Report.")
    agent = server.run(server.services["default"].runner.get("second"))
    assert agent.data["said"] == {"hours": 3, "parts": [{"name": "bearing", "count": 2}]}


def test_a_double_click_answers_once(page: Page, server: Served) -> None:
    ask(server, "one")
    visit(page, server)
    button(page, "one", "Approve").dblclick()
    expect(card(page, "one")).to_contain_text("You have answered: Approve.")
    assert [event for event, _ in steps_of(server, "one")] == ["created", "approve"]


def test_of_two_browsers_one_is_told_who_was_first_and_keeps_what_was_typed(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, workflows=(REQUEST,), has_tokens=True) as server:
        ask(server, "one")
        with quiet_page(browser) as first, quiet_page(browser) as second:
            for page, name in ((first, "fay"), (second, "gus")):
                sign_in(page.context, server, server.token(name))
                page.goto(server.url)
            until_watched(server, 2)
            second.get_by_label("Reason").fill("<b>because</b>")
            button(first, "one", "Approve").click()
            expect(card(first, "one")).to_contain_text("You have answered: Approve.")
            expect(card(second, "one").locator(".became")).to_have_text("fay has answered: Approve.")
            expect(second.get_by_label("Reason")).to_have_value("<b>because</b>")
            expect(second.get_by_label("Reason")).not_to_be_editable()
            expect(button(second, "one", "Reject")).to_be_disabled()


def test_who_did_not_hear_of_it_is_told_when_they_send(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, workflows=(REQUEST,), has_tokens=True) as server:
        ask(server, "one")
        with quiet_page(browser, allowed=[REFUSED, "net::ERR_FAILED"]) as page:
            sign_in(page.context, server, server.token("gus"))
            page.route("**/live/**", lambda route: route.abort())
            page.goto(server.url)
            page.get_by_label("Reason").fill("because")
            answered(server, "one", by="fay")
            button(page, "one", "Reject").click()
            expect(card(page, "one").locator(".became")).to_contain_text("fay answered 'approve'")
            expect(page.get_by_label("Reason")).to_have_value("because")


def test_a_question_of_another_process_is_offered_and_moves_nothing(page: Page, server: Served, tmp_path: Path) -> None:
    (tmp_path / "request.yaml").write_text(REQUEST)
    ask(server, "old")
    visit(page, server)
    page.get_by_label("Reason").fill("half a sen")
    before = place(card(page, "old"))
    for name in ("new-1", "new-2"):
        words = ["--store", server.store, "run", "request.yaml", "--id", name, "--data", '{"text": "And this?"}']
        subprocess.run([sys.executable, "-m", "fsm_agent", *words], check=True, capture_output=True, cwd=tmp_path)
    expect(page.locator("#news")).to_have_text("2 new questions Show them")
    assert place(card(page, "old")) == before
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("tence")
    expect(page.locator("#open")).to_have_text("3")
    page.get_by_role("button", name="Show them").click()
    order = page.locator("[data-agent]").evaluate_all("cards => cards.map(card => card.dataset.agent)")
    assert order == ["new-1", "new-2", "old"]
    expect(button(page, "new-1", "Approve")).to_be_focused()
    expect(card(page, "old").get_by_label("Reason")).to_have_value("half a sentence")
    page.keyboard.press("Enter")
    expect(card(page, "new-1")).to_contain_text("You have answered: Approve.")


def test_the_first_question_appears_in_an_empty_inbox(page: Page, server: Served) -> None:
    visit(page, server)
    expect(page.locator("#questions")).to_contain_text("Nobody waits for an answer of yours.")
    ask(server, "one")
    page.get_by_role("button", name="Show it").click()
    button(page, "one", "Approve").click()
    expect(card(page, "one")).to_contain_text("You have answered: Approve.")


def test_a_question_that_is_withdrawn_says_so(page: Page, server: Served) -> None:
    ask(server, "one")
    visit(page, server)
    server.run(server.services["default"].runner.send("one", "withdraw"))
    expect(card(page, "one").locator(".became")).to_have_text("This is not asked any more.")


def test_a_question_that_only_moved_to_the_next_page_stays_open(page: Page, server: Served) -> None:
    ask_many(server, [f"agent-{number:02}" for number in range(50)])
    visit(page, server)
    runner = server.services["default"].runner

    async def urgent() -> None:
        for agent_id in ("agent-48", "agent-49"):  # they ask anew, and so later than all others
            await runner.rewind(agent_id, 1)

    server.run(urgent())
    ask_many(server, ["agent-50", "agent-51"])
    expect(page.locator("#open")).to_have_text("52")
    for agent_id in ("agent-00", "agent-47"):
        expect(button(page, agent_id, "Approve")).to_be_enabled()


def test_a_tab_that_nobody_sees_gives_its_stream_back(page: Page, server: Served) -> None:
    ask(server, "one")
    visit(page, server)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    until_watched(server, 0)
    ask(server, "two")
    page.evaluate(hide, False)
    expect(page.locator("#news")).to_contain_text("1 new question")
    until_watched(server, 1)


def test_a_deadline_counts_down_and_is_marked_when_it_is_near(browser: Browser, server: Served) -> None:
    ask(server, "one")
    with quiet_page(browser) as page:
        page.clock.install()
        page.goto(server.url)
        left = page.locator("[data-until]")
        expect(left).to_have_text("2 d left")
        page.clock.fast_forward(int(71.5 * HOUR_MS))
        expect(left).to_have_text("29 min left")
        expect(page.locator(".deadline.late")).to_have_count(1)
        page.clock.fast_forward(HOUR_MS)
        expect(left).to_have_text("overdue")


def test_the_inbox_can_be_used_with_keys_alone(page: Page, server: Served) -> None:
    ask_many(server, ["first", "second"])
    visit(page, server)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button(page, "second", "Reject").evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("too dear")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card(page, "second").locator(".became")).to_be_focused()
    assert (state_of(server, "second"), state_of(server, "first")) == ("rejected", "asking")


def test_who_is_signed_out_keeps_what_was_typed(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, workflows=(REQUEST,), has_tokens=True) as server:
        ask(server, "one")
        assert server.tokens is not None
        with quiet_page(browser, allowed=["EventSource", "status of 401"]) as page:
            sign_in(page.context, server, server.token("fay"))
            page.goto(server.url)
            page.get_by_label("Reason").fill("because")
            server.tokens.revoke("fay")
            button(page, "one", "Reject").click()
            expect(card(page, "one").locator(".became")).to_contain_text("You are signed out")
            expect(page.get_by_label("Reason")).to_have_value("because")
            page.context.clear_cookies()
            sign_in(page.context, server, server.token("gus"))
            button(page, "one", "Reject").click()
            expect(card(page, "one")).to_contain_text("You have answered: Reject.")
            assert steps_of(server, "one")[-1] == ("reject", "gus")
