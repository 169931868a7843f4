"""Every page in a real browser: everybody can use it, nothing runs over the edge, and no text does anything but stand
there, whatever is in it and however long it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from fsm_agent import action
from fsm_agent.domain.agent import Status
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.worker import Worker
from tests.support.browser import inaccessible, quiet_page
from tests.support.page_questions import REQUEST, ask, ask_at_once, sign_in
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

HOSTILE: Final = (
    "<script>window.hit = 1</script><img src=x onerror='window.hit = 1'> \"'` onfocus=hit=1 autofocus "
    "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \u2066a\u2069 مرحبا بالعالم </textarea></title>"
    " <!-- {{ data.x }} & &lt; \x00 \x07 \ufeff "
)
LONG: Final = HOSTILE + "verylongword" * 3_000 + " words " * 9_000
#: of the names that tokens, users and labels may have
NAME: Final = '<b onclick=hit=1>"O\'Neil" & مرحبا</b>'

#: says hostile things of itself, in all its words
WILD: Final = """
workflow: wild
version: 1
description: DESCRIPTION
data: {text: {type: string, title: TITLE, description: DESCRIPTION}}
events:
  told:
    words: {type: string, title: TITLE, description: DESCRIPTION, default: DEFAULT}
    choice: {enum: [DEFAULT, other], title: TITLE}
    parts:
      type: array
      items: {type: object, properties: {name: {type: string, title: TITLE}}, additionalProperties: false}
      default: [{name: DEFAULT}]
  done: {}
  all_done: {}
workflows:
  child:
    workflow: child
    version: 1
    events: {done: {}}
    initial: failing
    states:
      failing: {do: blow, on: {done: over, error: failed}}
      over: {final: true}
      failed: {final: true, outcome: failed}
initial: asking
states:
  asking:
    description: DESCRIPTION
    ask: {prompt: "{{ data.text }}", events: [told]}
    on: {told: talking}
  talking: {do: talk, on: {done: leading}}
  leading: {do: workflow.run, with: {workflow: child, on_failure: continue}, on: {all_done: working}}
  working: {do: blow, on: {done: over}}
  over: {final: true}
"""


@action
async def blow(ctx: Any) -> str:
    async def note(text: str, *, idempotency_key: str) -> str:
        return text

    await ctx.effect("note", note, LONG.replace("\x00", ""))
    raise ValueError(LONG)


@action
def talk(ctx: Any) -> str:
    ctx.conversation.append("user", LONG.replace("\x00", ""), by=NAME)
    call = {"type": "tool_call", "id": "1", "name": "search", "arguments": {"q": HOSTILE.replace("\x00", "")}}
    ctx.conversation.append("assistant", "", parts=[call])
    return "done"


def wild() -> Workflow:
    words = {"DESCRIPTION": LONG, "TITLE": HOSTILE, "DEFAULT": HOSTILE}
    text = WILD
    for name, value in words.items():
        text = text.replace(name, json.dumps(value.replace("\x00", "")))
    return loads(text)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("door")
    with served(folder, workflows=(REQUEST, wild()), actions=[blow, talk], has_tokens=True, drives=False) as one:
        one.secrets["me"] = one.token(NAME)
        runner = one.services["default"].runner
        workflow = one.services["default"].startable("wild")

        async def live() -> None:
            for number in range(3):
                labels = {NAME: HOSTILE.replace("\x00", "")[:200], "x" * 100: "y" * 100}
                agent_id = f"wild-{number}" + "i" * 100
                await runner.start(workflow, id=agent_id, data={"text": LONG}, user=NAME, labels=labels)
            payload = {"words": HOSTILE, "choice": "other"}
            await runner.answer(agent_id, payload, event="told", by=NAME)
            while (await runner.get(agent_id)).status is not Status.PARKED:
                await Worker(runner).run_once()

        one.run(live())
        ask(one, "plain")
        yield one


#: one that asks, and one that is parked
ASKS, PARKED = (f"/agents/wild-{number}" + "i" * 100 for number in (0, 2))
PAGES: Final = {
    "inbox": "/",
    "inbox of a workflow": f"/?for=all&workflow={quote(HOSTILE)}",
    "agents": "/agents",
    "agents looked for": f"/agents?user={quote(HOSTILE)}&state={quote(HOSTILE)}&q={quote(HOSTILE)}",
    "workflows": "/workflows",
    "workflow": "/workflows/wild",
    "start": "/workflows/wild/start?all=1",
    "unpark": "/unpark?id=wild-2" + "i" * 100,
    "agent that asks": ASKS,
    "agent that is parked": PARKED,
    "agent as it was": f"{PARKED}?at=1",
    "effects": f"{PARKED}?tab=effects",
    "conversation": f"{PARKED}?tab=conversation",
    "children": f"{PARKED}?tab=children",
    "step": f"{PARKED}/steps/2",
    "value": f"{PARKED}/value?of=agent&pointer=/data/text",
    "events to send": f"{ASKS}/send",
    "send": f"{ASKS}/send?event=told",
    "cancel": f"{ASKS}/cancel",
    "unpark one": f"{PARKED}/unpark",
    "rewind": f"{PARKED}/rewind?to=1",
    "fork": f"{PARKED}/fork",
    "tokens": "/tokens",
    "login": f"/login?next={quote(HOSTILE)}",
}
MISTAKES: Final = {
    "unknown workflow": f"/workflows/{quote(HOSTILE, safe='')}",
    "unknown agent": f"/agents/{quote(HOSTILE.replace('/', ''), safe='')}",
    "wrong place": f"/agents?after={quote(HOSTILE)}",
    "wrong namespace": f"/?namespace={quote(HOSTILE)}",
    "long id": "/agents/" + "i" * 128,
    "long name": "/workflows/" + "n" * 200,
    "unknown version": f"{PARKED}?at=99999",
    "unknown step": f"{PARKED}/steps/99999",
    "event that it does not take": f"{ASKS}/send?event=" + "e" * 100,
}


def is_sound(page: Page) -> None:
    """Nothing ran, nothing runs over the edge, and axe-core has nothing to say."""
    assert page.evaluate("window.hit") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it runs over the edge"
    steering = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page.inner_text("body"))
    assert steering is None, repr(steering)
    assert inaccessible(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_whatever_its_texts_say(
    browser: Browser, door: Served, name: str, width: int, dark: bool
) -> None:
    with quiet_page(browser, width=width, dark=dark) as page:
        sign_in(page.context, door, door.secrets["me"])
        reply = page.goto(door.url + PAGES[name])
        assert reply is not None
        assert reply.ok, reply.status
        expect(page.locator("main")).to_be_visible()
        is_sound(page)


@pytest.mark.parametrize(
    ("name", "text"), [("conversation", "window.hit"), ("children", "ValueError: <script>"), ("effects", "window.hit")]
)
def test_the_texts_of_an_agent_are_there(browser: Browser, door: Served, name: str, text: str) -> None:
    """Otherwise, that they do nothing would say nothing."""
    with quiet_page(browser) as page:
        sign_in(page.context, door, door.secrets["me"])
        page.goto(door.url + PAGES[name])
        expect(page.locator("#panel")).to_contain_text(text)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
@pytest.mark.parametrize("name", MISTAKES)
def test_so_is_a_page_that_tells_of_a_mistake(
    browser: Browser, door: Served, name: str, width: int, dark: bool
) -> None:
    with quiet_page(browser, width=width, dark=dark, allowed=["status of 4"]) as page:
        sign_in(page.context, door, door.secrets["me"])
        page.goto(door.url + MISTAKES[name])
        expect(page.locator("h1")).to_be_visible()
        is_sound(page)


def test_so_is_an_answer_that_is_refused_and_one_that_is_late(browser: Browser, door: Served) -> None:
    with quiet_page(browser, width=390, allowed=["status of 4"], java_script_enabled=True) as page:
        sign_in(page.context, door, door.secrets["me"])
        page.goto(door.url)
        page.evaluate("document.querySelectorAll('form').forEach(form => form.noValidate = true)")
        card = page.locator("[data-agent='plain']")
        card.get_by_label("Weight").fill("77")
        card.get_by_label("Reason").fill(HOSTILE.replace("\x00", ""))
        card.get_by_role("button", name="Reject", exact=True).click()
        expect(card.locator(".problems")).to_be_focused()
        is_sound(page)
        card.get_by_role("button", name="Approve", exact=True).click()
        expect(card.locator(".became")).to_be_focused()
        is_sound(page)


@pytest.mark.parametrize("count", [0, 1, 60, 10_000])
def test_the_inbox_and_the_lists_are_sound_with_any_number_of_agents(
    browser: Browser, tmp_path: Path, count: int
) -> None:
    with served(tmp_path, workflows=(REQUEST,)) as door:
        ids = [f"agent-{number}" for number in range(count)]
        for start in range(0, count, 500):
            ask_at_once(door, ids[start : start + 500])
        for width in (1280, 390):
            with quiet_page(browser, width=width) as page:
                for path in ("/", "/agents", "/workflows", "/workflows/request", "/workflows/request/start"):
                    page.goto(door.url + path)
                    is_sound(page)
                page.goto(door.url + "/")
                assert page.title().startswith(f"Inbox ({count})" if count else "Inbox ·")


def test_so_is_the_page_that_says_who_was_not_unparked(browser: Browser, door: Served) -> None:
    """Somebody else was faster with one of them."""
    with quiet_page(browser, width=390, allowed=["status of 409"]) as page:
        sign_in(page.context, door, door.secrets["me"])
        page.goto(door.url + PAGES["unpark"])
        page.locator("input[name=id]").evaluate("each => each.value = each.value.replace(/^[0-9]+/, 1)")
        page.get_by_role("button", name="Unpark").click()
        expect(page.locator("h1")).to_have_text("Not all were unparked")
        is_sound(page)


def test_a_page_does_not_jump_when_its_script_has_run(browser: Browser, door: Served) -> None:
    """What a browser without script shows stands where the one with script has it, but for times, which are shorter."""
    tops = []
    for runs in (True, False):
        with quiet_page(browser, java_script_enabled=runs) as page:
            sign_in(page.context, door, door.secrets["me"])
            page.goto(door.url + "/")
            tops.append([page.locator("[data-agent]").nth(place).bounding_box() for place in range(2)])
    assert tops[0] == tops[1]
