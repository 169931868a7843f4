"""Forms in a real browser that runs no script: filled in, sent, and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from playwright.sync_api import Browser, Page

from fsm_agent.domain.json import Json, Schema, object_schema
from fsm_agent.server.page.forms.fields import fields
from fsm_agent.server.page.forms.filled import filled
from fsm_agent.server.page.forms.render import event_form
from tests.support.browser import inaccessible
from tests.support.html_forms import parsed
from tests.support.hypothesis_settings import example_settings
from tests.support.payload_schemas import Example, examples
from tests.support.servers.form_server import FormServer, Shown

TEXT: Schema = {"type": "string"}
DAY = {**TEXT, "format": "date"}
NAME = {**TEXT, "minLength": 1, "maxLength": 60}
PASSENGER = {"type": "object", "properties": {"name": NAME, "born": DAY, "meal": {"enum": ["any", "vegan"]}},
             "required": ["name", "born"]}  # fmt: skip
EXPENSE = object_schema(
    {
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 5000, "title": "Amount in euro"},
        "number": {"type": "integer", "minimum": 1},
        "choice": {"enum": ["apply", "skip"], "description": "What to do with this file."},
        "country": {"enum": ["Austria", "Belgium", "Denmark", "France", "Germany", "Italy"]},
        "urgent": {"type": "boolean"},
        "notify": {"type": "boolean", "default": True},
        "due": DAY,
        "meeting": {**TEXT, "format": "date-time"},
        "email": {**TEXT, "format": "email"},
        "note": {"type": ["string", "null"]},
        "channels": {"type": "array", "items": {"enum": ["email", "sms"]}},
        "tags": {"type": "array", "items": TEXT},
        "extra": {"type": "object"},
    }
)
TRIP = object_schema({"passengers": {"type": "array", "items": PASSENGER, "minItems": 1},
                      "invoice": {"type": ["object", "null"], "properties": {"vat": {"type": ["string", "null"]}}},
                      "days": {"type": "array", "items": DAY}})  # fmt: skip
FORMS = {
    "approve": Shown(object_schema({})),
    "reject": Shown(object_schema({"reason": {**TEXT, "minLength": 1, "maxLength": 60, "title": "سبب"}})),
    "expense": Shown(EXPENSE),
    "book_trip": Shown(TRIP),
}


@pytest.fixture
def server() -> Iterator[FormServer]:
    with FormServer(FORMS) as server:
        yield server


def opened(browser: Browser, url: str, messages: list[str] | None = None, **options: Any) -> Page:
    """A page without script, with the style and the policy of the real one."""
    page = browser.new_context(java_script_enabled=False, **options).new_page()
    page.on("console", lambda message: (messages if messages is not None else []).append(message.text))
    page.goto(url)
    return page


def typed(page: Page, event: str, values: dict[str, str]) -> None:
    for name, value in values.items():
        page.locator(f"form[action='/{event}'] [name='{name}']").fill(value)


def send(page: Page, event: str) -> None:
    with page.expect_navigation():
        page.locator(f"form[action='/{event}'] button.answer").click()


@pytest.fixture
def page(browser: Browser, server: FormServer) -> Iterator[Page]:
    """The page of all forms; it must have written nothing to the console when it is left."""
    messages: list[str] = []
    page = opened(browser, server.url, messages)
    yield page
    page.context.close()
    assert messages == []


def test_an_event_without_fields_takes_one_click(page: Page, server: FormServer) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name="Approve").click()
    assert server.payloads == [("approve", {})]


def test_every_kind_of_control_can_be_filled_in(page: Page, server: FormServer) -> None:
    form = page.locator("form[action='/expense']")
    typed(page, "expense", {"/amount": "12.50", "/number": "9007199254740993", "/due": "2027-01-31"})
    typed(page, "expense", {"/meeting": "2027-01-31T14:30", "/email": "a@b.org", "/note": "one\ntwo"})
    typed(page, "expense", {"/tags": "x\ny z", "json:/extra": '{"a": [1]}'})
    form.get_by_label("apply").check()
    form.get_by_label("Country").select_option("France")
    form.get_by_role("radiogroup", name="Urgent").get_by_label("No").check()
    form.get_by_label("Notify").uncheck()
    form.get_by_label("Meeting: time zone").select_option("UTC+05:45")
    form.get_by_label("sms").check()
    send(page, "expense")
    expected: Json = {
        "amount": 12.5, "number": 9007199254740993, "choice": "apply", "country": "France", "urgent": False,
        "notify": False, "due": "2027-01-31", "meeting": "2027-01-31T14:30:00+05:45", "email": "a@b.org",
        "note": "one\ntwo", "channels": ["sms"], "tags": ["x", "y z"], "extra": {"a": [1]},
    }  # fmt: skip
    assert server.payloads == [("expense", expected)]


def test_rows_are_added_and_removed_and_the_new_one_has_the_focus(page: Page, server: FormServer) -> None:
    form = page.locator("form[action='/book_trip']")
    typed(page, "book_trip", {"/passengers/0/name": "Ana", "/passengers/0/born": "1990-01-02"})
    with page.expect_navigation():
        form.get_by_role("button", name="Add row Passengers").click()
    form.locator("[name='/passengers/1/name']:focus").wait_for()
    page.keyboard.type("Ben")
    typed(page, "book_trip", {"/passengers/1/born": "1991-01-02"})
    with page.expect_navigation():
        form.get_by_role("button", name="Add row Passengers").click()
    with page.expect_navigation():
        form.get_by_role("button", name="Add Invoice").click()
    form.locator("[name='/invoice/vat']:focus").wait_for()
    page.keyboard.type("DE1")
    with page.expect_navigation():
        form.get_by_role("button", name="Remove Passengers 3").click()
    with page.expect_navigation():
        form.get_by_role("button", name="Remove Passengers 1").click()
    send(page, "book_trip")
    assert server.payloads == [
        ("book_trip", {"passengers": [{"name": "Ben", "born": "1991-01-02"}], "invoice": {"vat": "DE1"}, "days": []})
    ]


def test_enter_in_a_field_sends_the_form_and_adds_no_row(page: Page, server: FormServer) -> None:
    typed(page, "book_trip", {"/passengers/0/born": "1990-01-02", "/passengers/0/name": "Ana"})
    page.keyboard.press("Enter")
    page.wait_for_url("**/book_trip")
    assert server.payloads == [("book_trip", {"passengers": [{"name": "Ana", "born": "1990-01-02"}], "days": []})]


def test_a_browser_asks_for_what_is_missing_before_it_sends_anything(page: Page, server: FormServer) -> None:
    page.locator("form[action='/reject'] button.answer").click()
    assert page.locator("form[action='/reject'] :invalid").count() == 1
    assert (page.url, server.sent) == (server.url, [])


def test_what_is_wrong_is_said_first_and_leads_to_its_field_and_nothing_typed_is_lost(
    page: Page, server: FormServer
) -> None:
    typed(page, "reject", {"/reason": "x" * 60 + "<b>"})
    page.keyboard.press("Enter")
    summary = page.get_by_role("group", name="There is a problem")
    assert summary.evaluate("node => node === document.activeElement") is True
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    field = page.get_by_label("سبب")
    assert field.evaluate("node => node === document.activeElement") is True
    assert field.input_value() == "x" * 60 + "<b>"
    field.fill("because")
    page.keyboard.press("Enter")
    page.get_by_text("Thank you.").wait_for()
    assert server.payloads == [("reject", {"reason": "because"})]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_a_form_with_and_without_problems(
    browser: Browser, server: FormServer, width: int, dark: bool
) -> None:
    """axe-core has nothing to say, nothing runs over the edge, and a finger finds what it aims at."""
    scheme: Any = "dark" if dark else "light"
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    page.goto(server.url)
    with page.expect_navigation():
        page.get_by_role("button", name="Add Invoice").click()
    assert inaccessible(page) == []
    page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
    typed(page, "expense", {"json:/extra": "{x" * 200})
    send(page, "expense")
    assert page.get_by_role("group", name="There are 9 problems").is_visible()
    assert inaccessible(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 640:
        assert page.evaluate(SMALL) == []
    page.context.close()


#: what is less than 44 pixels high where a finger is to hit it; of a box it is the label around it
SMALL = """[...document.querySelectorAll('form :is(input, select, textarea, button, a)')]
    .map(each => each.closest('label') ?? each)
    .filter(each => each.checkVisibility() && !each.matches('.first, [type=hidden]'))
    .filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML)"""


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    with closing(browser.new_page()) as page:
        yield page


@example_settings(60)
@given(example=examples())
def test_a_browser_sends_of_any_form_what_our_tests_take_it_to_send(blank: Page, example: Example) -> None:
    form = fields(object_schema(example.fields))
    html = str(event_form("said", form, filled(form, example.payload), action="/", prefix="p"))
    blank.set_content(html)
    sent = blank.evaluate("[...new FormData(document.forms[0])]")
    assert sent == [[name, text.replace("\r\n", "\n")] for name, text in parsed(html).pairs()]
