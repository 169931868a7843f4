"""The pages about one agent, asked for and sent as a browser without script does it."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from fsm_agent import action
from fsm_agent.domain.agent import ENDED
from fsm_agent.domain.retention import Retention
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import open_store
from tests.support.page_agents import COUNTER, PARCEL, count_up, send, send_parcel, start
from tests.support.servers.in_thread import Served, served

LAMP = ("wanted", {"item": "a lamp"})
#: bytes of the largest page
LARGEST = 250_000

WELDS = """
workflow: welds
version: 1
events: {welded: {}}
initial: welding
states:
  welding: {do: weld, on: {welded: done}}
  done: {final: true}
"""
HOSTILE = "<script>alert(1)</script> \" onload='x' \x1b[31mred \u202eevil\u202c </textarea><!-- & &lt;"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(PARCEL, COUNTER), actions=[send_parcel]) as server:
        yield server


@pytest.fixture
def client(server: Served) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


def text_of(page: str) -> str:
    """What a page says, with single blanks."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def shown(client: httpx2.Client, path: str, status: int = 200) -> str:
    """What a page says."""
    return text_of(whole(client, path, status))


def whole(client: httpx2.Client, path: str, status: int = 200) -> str:
    reply = client.get(path)
    assert reply.status_code == status, text_of(reply.text)
    assert len(reply.content) < LARGEST
    return reply.text


def sent(client: httpx2.Client, path: str, **fields: str) -> tuple[int, str]:
    """The status of what a form leads to, and what is said there."""
    page = client.get(path).text
    action = re.search(r'<form class="event" method="post" action="([^"]+)"', page)
    assert action is not None, text_of(page)
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    reply = client.post(html.unescape(action[1]), data={**hidden, **fields}, follow_redirects=True)
    return reply.status_code, text_of(reply.text)


def links(page: str) -> list[str]:
    return [html.unescape(found) for found in re.findall(r'href="(/agents/[^"]+)"', page)]


# --- what is shown -------------------------------------------------------------------------------------------------


def test_one_glance_tells_how_an_agent_stands(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, user="Zoë", labels={"channel": "mail"})
    told = shown(client, "/agents/one")
    assert "one ○ waiting in asking" in told
    assert "parcel v1 for Zoë channel=mail began" in told
    assert "May a lamp be sent? asked of anybody · until" in told
    assert "2 wanted idle → asking gus" in told
    assert "item a lamp" in told


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([], "It waits for an event: wanted noted"),
        ([LAMP, ("approve", None)], "It is done. Output item a lamp"),
        ([("wanted", {"item": "a broken lamp"}), ("approve", None)], "It has failed. ValueError it is broken"),
        ([("wanted", {"item": "a heavy lamp"}), ("approve", None)], "Was ship done? It was begun"),
        ([LAMP, ("cancel", None)], "It is cancelled."),
    ],
)
def test_what_it_does_now_is_said_first(server: Served, client: httpx2.Client, events: Any, says: str) -> None:
    start(server, "one", *events)
    assert says in shown(client, "/agents/one")


def test_an_action_at_work_tells_its_attempt_and_when_it_goes_on(server: Served, client: httpx2.Client) -> None:
    waits = """
workflow: nap
version: 1
events: {over: {}}
initial: napping
states:
  napping: {do: wait, with: {for: 3h}, after: {5h: late}, on: {over: rested}}
  rested: {final: true}
  late: {final: true, outcome: failed}
"""
    served_runner = server.services["default"].runner
    server.run(served_runner.start(loads(waits), id="nap"))
    told = shown(client, "/agents/nap")
    assert re.search(r"It does wait \. It goes on \S+ \S+ UTC \.", told)
    assert "after 5h in napping :" in told


def test_an_agent_that_is_left_to_other_workers_is_told_without_an_attempt(
    server: Served, client: httpx2.Client
) -> None:
    served_runner = server.services["default"].runner
    server.run(served_runner.start(loads(WELDS), id="welder", drive=False))
    server.run(Worker(served_runner).run_once())
    told = shown(client, "/agents/welder")
    assert "no worker has action 'weld' It goes on as soon as a worker runs that has this action." in told
    assert "attempt" not in told.partition("Timeline")[0]


def test_the_diagram_says_in_words_where_the_agent_is_and_was(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    page = whole(client, "/agents/one")
    assert (
        'role="img" tabindex="0" aria-label="Diagram of workflow parcel. The agent is in asking. It has been in idle. '
        'The timeline tells its path."' in page
    )
    assert re.search(r'<g id="state&#45;asking" class="node state ask touched taking here"', page)
    assert re.search(r'<g id="state&#45;idle" class="node state wait touched"', page)
    assert re.search(r'<g id="[^"]+" class="edge transition event touched taking"', page)
    assert "<style" not in page
    assert " style=" not in page


def test_a_version_of_the_past_is_shown_as_it_was_and_as_the_past(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("noted", {"text": "fragile"}), ("approve", None))
    told = shown(client, "/agents/one?at=2")
    assert "As it was at version 2 It was waiting in asking ." in told
    assert "May a lamp be sent? asked of anybody, who could answer approve or reject" in told
    assert "The past , as of" in told
    assert "fragile" not in told.partition("Data Conversation")[2]
    page = whole(client, "/agents/one?at=2")
    assert 'action="/agents/one/answer"' not in page
    assert 'class="node state ask touched taking here"' in page
    assert "The past" not in shown(client, "/agents/one?at=5")


@pytest.mark.parametrize("version", ["0", "99", "x", "-1", "9" * 40, "1.5"])
def test_a_version_that_never_was_is_a_sentence(server: Served, client: httpx2.Client, version: str) -> None:
    start(server, "one", LAMP)
    for path in (f"/agents/one?at={version}", f"/agents/one/steps/{version}", f"/agents/one/rewind?to={version}"):
        assert "version" in shown(client, path, 404)


def test_a_step_tells_all_of_itself(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    send(server, "one", "reject", {"reason": "too dear"}, by="cleo")
    told = shown(client, "/agents/one/steps/3")
    for part in (
        "3 reject ◀ Previous Next ▶",
        "Kind event Event reject Way asking → rejected By cleo",
        "Payload reason too dear weight 2",
        "Field Before After note null too dear count 0 2",
    ):
        assert part in told
    assert "◀ Previous" in shown(client, "/agents/one/steps/1")
    send(server, "one", "noted", {"text": "second"})
    assert "log 0 items + second" in shown(client, "/agents/one/steps/4")


def test_a_step_tells_the_effects_of_the_work_that_led_to_it(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("approve", None))
    assert "Effects of the work that led here" in shown(client, "/agents/one/steps/4")
    assert "stamp 3 idempotent" in shown(client, "/agents/one/steps/4")
    assert "Effects of the work that began here" in shown(client, "/agents/one/steps/3")


# --- how much ------------------------------------------------------------------------------------------------------


def test_a_long_history_is_paged_the_newest_first(server: Served, client: httpx2.Client) -> None:
    start(server, "long", workflow="counter")
    count_up(server, "long", 130)
    versions = lambda page: [int(found) for found in re.findall(r'<li id="step-(\d+)"', page)]  # noqa: E731
    page, seen = whole(client, "/agents/long"), []
    while True:
        seen += versions(page)
        older = [link for link in links(page) if "before=" in link]
        if seen[-1] == 1:
            break
        page = whole(client, older[-1])
    assert seen == list(range(131, 0, -1))
    assert versions(whole(client, "/agents/long?at=20"))[0] == 30
    assert versions(whole(client, "/agents/long?since=129")) == [131, 130]


@pytest.mark.long
def test_ten_thousand_steps_are_no_heavier_than_fifty(server: Served, client: httpx2.Client) -> None:
    start(server, "long", workflow="counter")
    for _ in range(5):
        count_up(server, "long", 2_000)
    assert len(whole(client, "/agents/long").encode()) < 90_000
    assert "counting again" in shown(client, "/agents/long?at=5000")
    assert "count 4287 4288" in shown(client, "/agents/long/steps/5001")


def test_a_large_value_is_cut_and_all_of_it_is_a_link_away(server: Served, client: httpx2.Client) -> None:
    long_text = "".join(f"line {number}\n" for number in range(12_000))
    start(server, "one", ("wanted", {"item": long_text[:500]}), *[("noted", {"text": long_text})] * 3)
    page = whole(client, "/agents/one")
    assert "line 11999" not in page
    [address] = [link for link in dict.fromkeys(links(page)) if "pointer=%2Fdata%2Flog%2F2" in link]
    told = whole(client, address)
    assert "line 11999" in told
    assert f"text of {len(long_text):,} characters" in told
    kept = client.get(f"{address}&file=1")
    assert (kept.text, kept.headers["content-disposition"]) == (long_text, 'attachment; filename="one.txt"')
    assert kept.headers["content-type"] == "text/plain; charset=utf-8"


def test_every_part_of_deep_and_long_data_can_be_reached(server: Served, client: httpx2.Client) -> None:
    deep: Any = "treasure"
    for number in range(60):
        deep = {"level": deep, "a/b~c": number}
    server.run(
        server.services["default"].runner.start(
            server.services["default"].startable("parcel"), id="one", data={"label": deep, "log": ["x"] * 1_000}
        )
    )
    address = "/agents/one"
    for _ in range(20):
        page = whole(client, address)
        if "treasure" in text_of(page):
            break
        address = max((link for link in links(page) if "pointer=%2Fdata%2Flabel" in link), key=len)
    assert "treasure" in text_of(page)
    [more] = {link for link in links(whole(client, "/agents/one")) if link.endswith("pointer=%2Fdata%2Flog")}
    page = whole(client, more)
    assert "1 to 100 of 1,000" in text_of(page)
    assert "101 to 200 of 1,000" in shown(client, next(link for link in links(page) if "from=100" in link))
    odd = next(
        link for link in links(whole(client, "/agents/one/value?of=agent&pointer=/data/label")) if "level" in link
    )
    assert client.get(f"{odd.rpartition('level')[0]}level/a~1b~0c".replace("level/a", "level%2Fa")).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?of=agent&pointer=/data/none", "?of=step&at=9", "?of=effect&key=x", "?of=message&number=3", "?of=x"]
)
def test_a_value_that_is_not_there_is_a_sentence(server: Served, client: httpx2.Client, query: str) -> None:
    start(server, "one", LAMP)
    assert "there is no such value" in shown(client, f"/agents/one/value{query}", 404)


# --- what people write ---------------------------------------------------------------------------------------------


def test_nothing_that_people_write_is_more_than_text(server: Served, client: httpx2.Client) -> None:
    hostile = HOSTILE.replace("\x00", "")
    start(server, "one", ("wanted", {"item": hostile}), user=hostile, labels={hostile: hostile})
    send(server, "one", "noted", {"text": f"\x00{hostile}"}, by=hostile)
    send(server, "one", "reject", {"reason": hostile}, by=hostile)
    paths = [
        "",
        "?at=2",
        "?tab=effects",
        "/steps/2",
        "/steps/3",
        "/steps/4",
        "/rewind?to=2",
        "/fork",
        "/cancel",
        "/send",
    ]
    paths += ["/send?event=noted", "/value?of=agent&pointer=/data/item", "/value?of=step&at=4", "?before=3"]
    for path in paths:
        page = whole(client, f"/agents/one{path}")
        assert "<script>alert" not in page, path
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page), path
        assert " onload='x'" not in page, path
        assert page.count("</textarea>") == page.count("<textarea"), path
    assert "\u27e8U+001B\u27e9[31mred \u27e8U+202E\u27e9evil" in shown(client, "/agents/one")


def test_what_an_address_says_is_text_too(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    for path in (
        "/agents/%3Cscript%3E",
        "/agents/one?tab=%3Cscript%3E&at=%3Cscript%3E",
        "/agents/one/send?event=%3Cscript%3E",
        "/agents/one/unpark?effect=%3Cscript%3E",
        "/agents/one/value?of=agent&pointer=/%3Cscript%3E",
        "/agents/one/steps/%3Cscript%3E",
    ):
        assert "<script>" not in client.get(path).text


# --- agents that cannot be shown, or not whole ------------------------------------------------------------------------


def test_who_is_not_there_or_was_deleted_is_a_sentence(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("cancel", None))
    runner = server.services["default"].runner
    server.run(runner.store.delete(server.run(runner.store.head("one"))))
    for path in ("one", "nobody", "one/steps/1", "one/rewind?to=1", "one/value?of=agent", "one/send", "one/unpark"):
        assert re.search(r"(one|nobody)", shown(client, f"/agents/{path}", 404))


def test_of_a_shortened_history_what_is_kept_is_shown(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, *[("noted", {"text": str(number)}) for number in range(8)])
    server.run(server.services["default"].runner.purge(Retention(history=3)))
    told = shown(client, "/agents/one")
    assert "10 noted" in told
    assert "Older steps are forgotten: the history was shortened." in told
    assert "forgotten" in shown(client, "/agents/one?at=2", 404)
    assert "forgotten" in shown(client, "/agents/one/steps/2", 404)
    assert re.search(r'<g id="state&#45;idle" class="node state wait touched"', whole(client, "/agents/one"))


def test_an_erased_agent_is_shown_without_words(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("approve", None), user="Zoë")
    server.run(server.services["default"].runner.forget("Zoë"))
    told = shown(client, "/agents/one")
    assert "lamp" not in told
    assert "Zoë" not in told
    assert "(erased)" in told
    assert "(erased)" in shown(client, "/agents/one/steps/2")
    status, told = sent(client, "/agents/one/rewind?to=2")
    assert (status, "erased" in told or "forgotten" in told) == (409, True)


def test_a_sealed_agent_without_its_key_is_a_sentence(server: Served, client: httpx2.Client) -> None:
    async def seal() -> None:
        async with Runner(open_store(server.store, keys={"2026": b"k" * 32})) as runner:
            await runner.start(server.services["default"].startable("parcel"), *LAMP, id="shut", by="gus")

    server.run(seal())
    told = shown(client, "/agents/shut")
    assert "shut ○ waiting in asking" in told
    assert "this server has not the key that opens it" in told
    for path in ("shut?at=1", "shut/steps/2", "shut/rewind?to=1", "shut/send", "shut/cancel", "shut/value?of=agent"):
        reply = client.get(f"/agents/{path}")
        assert "Traceback" not in reply.text
        assert "lamp" not in reply.text


def test_a_damaged_agent_is_a_sentence(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("noted", {"text": "x"}))
    with apsw.Connection(str(server.folder / "agents.db")) as file:
        file.execute("UPDATE steps SET delta = '{' WHERE version = 2")
    told = shown(client, "/agents/one")
    assert "one ○ waiting in asking" in told
    assert "cannot be" in told
    assert "Traceback" not in told


# --- what an operator does -----------------------------------------------------------------------------------------


def test_what_may_not_be_done_is_not_offered_and_not_done(tmp_path: Path) -> None:
    with served(tmp_path, workflows=[PARCEL], actions=[send_parcel], has_tokens=True) as server:
        start(server, "one", LAMP)
        start(server, "parked", ("wanted", {"item": "a heavy lamp"}), ("approve", None))
        reader = server.token("rita", "read")
        with server.client() as client:
            client.cookies.set("fsm_agent_token", reader)
            for name in ("one", "parked"):
                page = whole(client, f"/agents/{name}")
                assert not [link for link in links(page) if re.search("/(send|rewind|fork|cancel|unpark)", link)]
            assert "Your token may not answer" in shown(client, "/agents/one")
            assert not [link for link in links(whole(client, "/agents/one?at=1")) if "/rewind" in link]
            before = server.writes
            for way in ("send?event=noted", "rewind?to=1", "fork", "cancel", "unpark", "answer"):
                reply = client.post(f"/agents/one/{way}", data={"version": "2"})
                assert (reply.status_code, way) == (403, way)
                if way != "answer":
                    assert client.get(f"/agents/one/{way}").status_code == 403
            assert server.writes == before


def test_only_what_is_allowed_is_offered(server: Served, client: httpx2.Client) -> None:
    start(server, "asks", LAMP)
    start(server, "done", LAMP, ("approve", None))
    ways = lambda name: {link.rpartition("/")[2] for link in links(whole(client, f"/agents/{name}"))} & {  # noqa: E731
        "send", "rewind", "fork", "cancel", "unpark"}  # fmt: skip
    assert ways("asks") == {"send", "rewind", "fork", "cancel"}
    assert ways("done") == {"rewind", "fork"}
    told = shown(client, "/agents/asks/send")
    assert "It is waiting in asking , and takes: noted leads to asking approve leads to sending reject" in told
    assert "takes no event now" in shown(client, "/agents/done/send")
    assert "it has ended already: it is done" in shown(client, "/agents/done/cancel", 409)
    assert client.get("/agents/asks/unpark").headers["location"] == "/agents/asks"


def test_an_event_is_sent_once_with_what_its_form_says(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    told = shown(client, "/agents/one/send?event=approve")
    assert 'It goes to sending if data.item != "a moon" , which is so.' in told
    status, told = sent(client, "/agents/one/send?event=reject", **{"/reason": "", "/weight": "0"})
    assert status == 422
    assert "The payload is not as it must be." in told
    assert "Reason : This is required" in told.replace("Reason:", "Reason :")
    status, told = sent(client, "/agents/one/send?event=reject", **{"/reason": "too dear", "/weight": "3"})
    assert (status, "3 reject asking → rejected ana" in told) == (200, True)


def test_a_form_that_is_sent_twice_does_it_once(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    page = client.get("/agents/one/send?event=noted").text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    for _ in range(2):
        reply = client.post("/agents/one/send?event=noted", data={**fields, "/text": "fragile"})
        assert reply.status_code == 303
    assert server.run(server.services["default"].runner.get("one")).data["log"] == ["fragile"]
    fields = dict(re.findall(r'name="(key|version)" value="([^"]*)"', client.get("/agents/one/fork").text))
    made = {client.post("/agents/one/fork?version=2", data=fields).headers["location"] for _ in range(2)}
    assert len(made) == 1


def test_a_guard_that_says_no_is_told_before_and_after(server: Served, client: httpx2.Client) -> None:
    start(server, "one", ("wanted", {"item": "a moon"}))
    assert "which is not so now" in shown(client, "/agents/one/send?event=approve")
    status, told = sent(client, "/agents/one/send?event=approve")
    assert status == 409
    assert '`data.item != "a moon"` did not hold' in told


def test_a_parked_agent_is_let_go_on_in_each_way(server: Served, client: httpx2.Client) -> None:
    for name in ("retry", "event", "not-done"):
        start(server, name, ("wanted", {"item": "a heavy lamp"}), ("approve", None))
    assert "1 of its effects are in doubt" in shown(client, "/agents/retry/unpark")
    assert sent(client, "/agents/retry/unpark")[0] == 200
    assert "Was ship done?" in at_rest(server, client, "retry")
    status, told = sent(client, "/agents/event/send?event=sent")
    assert (status, "It is done." in told) == (200, True)
    effect = next(link for link in links(whole(client, "/agents/not-done")) if "outcome=not_done" in link)
    assert "If that is not so, it is done twice." in shown(client, effect)
    assert sent(client, effect)[0] == 200
    assert "Was ship done?" in at_rest(server, client, "not-done")
    assert "5 settle unparked" in shown(client, "/agents/not-done")
    effect = next(link for link in links(whole(client, "/agents/not-done")) if "outcome=not_done" in link)
    status, told = sent(client, effect.replace("not_done", "done"), result="{")
    assert (status, "The result is no JSON" in told) == (422, True)


def at_rest(server: Served, client: httpx2.Client, agent_id: str) -> str:
    """What the page of an agent says when it works no more."""
    service = server.services["default"]
    server.run(service.go_on(server.run(service.runner.get(agent_id)), 30))
    return shown(client, f"/agents/{agent_id}")


def test_a_rewind_tells_what_stays_done(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("approve", None))
    told = shown(client, "/agents/one/rewind?to=2")
    assert "A new step, 5, brings back what version 2 was. No step is lost." in told
    assert "What was done since, and stays done" in told
    assert "ship 3 at most once" in told
    told = shown(client, "/agents/one/rewind?to=3")
    assert "There it stands still, parked, until somebody lets it do send_parcel" in told
    status, told = sent(client, "/agents/one/rewind?to=3")
    assert status == 200
    assert "It was rewound to version 3. Its work begins when it is let try again." in told


def test_a_fork_begins_another_agent_and_refuses_an_id_that_is_taken(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP)
    status, told = sent(client, "/agents/one/fork?version=1", id="one")
    assert (status, "exists" in told) == (409, True)
    status, told = sent(client, "/agents/one/fork?version=1", id="an other")
    assert status == 422
    status, told = sent(client, "/agents/one/fork?version=1", id="two")
    assert (status, "two ○ waiting in idle" in told) == (200, True)


@pytest.mark.parametrize("way", ["send?event=noted", "rewind?to=1", "cancel", "unpark"])
def test_nothing_is_done_without_a_version_or_for_another(server: Served, client: httpx2.Client, way: str) -> None:
    start(server, "one", LAMP)
    assert "for which version" in text_of(client.post(f"/agents/one/{way}", data={"/text": "x"}).text)
    page = client.post(f"/agents/one/{way}", data={"version": "1", "/text": "x"})
    assert page.status_code == 412
    assert "is at version 2, and version 1 was expected: since then gus sent 'wanted'" in text_of(page.text)
    assert server.run(server.services["default"].runner.get("one")).version == 2


def test_links_and_forms_stay_in_the_namespace(tmp_path: Path) -> None:
    with served(tmp_path, workflows=[PARCEL], actions=[send_parcel], namespaces=("east", "west")) as server:
        west = server.services["west"]
        server.run(west.runner.start(west.startable("parcel"), *LAMP, id="one"))
        with server.client() as client:
            for path in ("", "/steps/1", "/send", "/send?event=noted", "/rewind?to=1", "/fork", "/cancel"):
                page = client.get(f"/agents/one{path}{'&' if '?' in path else '?'}namespace=west").text
                ours = re.findall(r'(?:href|action)="(/agents/[^"]+)"', page)
                assert [link for link in ours if "namespace=west" not in link and not link.startswith("/agents?")] == []
            assert client.get("/agents/one?namespace=east").status_code == 404


def test_the_conversation_is_that_of_its_version(server: Served, client: httpx2.Client) -> None:
    chat = """
workflow: chat
version: 1
events: {said: {text: string}}
initial: listening
states:
  listening: {on: {said: answering}}
  answering: {do: talk, on: {said: listening}}
"""

    @action(emits=["said"])
    async def talk(ctx: Any) -> Any:
        ctx.conversation.append("user", "hello there", by="gus")
        call = {"type": "tool_call", "id": "1", "name": "search", "arguments": {"q": "x"}}
        ctx.conversation.append("assistant", "", parts=[call])
        return ctx.emit("said", text="well")

    async def live() -> None:
        async with Runner(open_store(server.store), actions=[talk]) as runner:
            await runner.start(loads(chat), "said", {"text": "hi"}, id="chat")
            await runner.send("chat", "said", {"text": "again"})
            await runner.fork("chat", id="branch")

    server.run(live())
    assert shown(client, "/agents/chat?tab=conversation").count("hello there") == 2
    assert "Conversation 4" in shown(client, "/agents/chat")
    assert shown(client, "/agents/chat?tab=conversation&at=3").count("hello there") == 1
    assert "tool call search" in shown(client, "/agents/chat?tab=conversation")
    assert "hello there" in shown(client, "/agents/chat/steps/3")
    page = whole(client, "/agents/branch?tab=conversation")
    assert text_of(page).count("hello there") == 2
    document = json.loads(client.get("/agents/branch/value?of=message&number=1&thread=@chat&file=1").text)
    assert document["content"] == "hello there"


def test_children_are_named_and_those_that_failed_say_why(server: Served, client: httpx2.Client) -> None:
    parent = """
workflow: fleet
version: 1
data: {items: {type: array, items: {type: object}, default: [{item: a broken lamp}, {item: a lamp}]}}
events: {all_done: {}}
workflows:
  parcel:
    workflow: piece
    version: 1
    data: {item: {type: string, default: a broken lamp}}
    events: {sent: {}}
    initial: sending
    states:
      sending: {do: send_parcel, on: {sent: sent, error: failed}}
      sent: {final: true}
      failed: {final: true, outcome: failed}
initial: sending
states:
  sending: {do: workflow.run, with: {workflow: parcel, for_each: data.items}, on: {all_done: over, error: broken}}
  over: {final: true}
  broken: {}
"""
    runner = server.services["default"].runner
    server.run(runner.start(loads(parent), id="fleet"))
    told = shown(client, "/agents/fleet?tab=children")
    assert "fleet.1.1" in told
    assert "ValueError: it is broken" in told
    assert "child of fleet" in shown(client, "/agents/fleet.1.1")


def test_who_leaves_a_state_with_children_is_told_which_are_cancelled(server: Served, client: httpx2.Client) -> None:
    parent = """
workflow: family
version: 1
events: {begin: {}, all_done: {}}
workflows:
  asking:
    workflow: asking
    version: 1
    events: {said: {}}
    initial: open
    states:
      open: {ask: {prompt: "Well?", events: [said]}, on: {said: over}}
      over: {final: true}
initial: idle
states:
  idle: {on: {begin: working}}
  working: {do: workflow.run, with: {workflow: asking}, on: {all_done: over}}
  over: {final: true}
"""
    runner = server.services["default"].runner
    server.run(runner.start(loads(parent), "begin", id="family"))
    assert "0 of 1 children have ended." in shown(client, "/agents/family")
    for way in ("rewind?to=1", "cancel"):
        assert "1 of its children is cancelled: family.2.1 ." in shown(client, f"/agents/family/{way}")
    assert sent(client, "/agents/family/rewind?to=1")[0] == 200
    at_rest(server, client, "family")
    server.run(_ended(runner, "family.2.1"))
    assert "It is cancelled." in shown(client, "/agents/family.2.1")


async def _ended(runner: Runner, agent_id: str) -> None:
    async with asyncio.timeout(60):
        while (await runner.get(agent_id)).status not in ENDED:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def test_what_it_did_then_is_told_as_past(server: Served, client: httpx2.Client) -> None:
    start(server, "one", LAMP, ("approve", None))
    assert "It was waiting in idle . It waited for an event: wanted noted" in shown(client, "/agents/one?at=1")
    assert "It was running in sending . It did send_parcel ." in shown(client, "/agents/one?at=3")
