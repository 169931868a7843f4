"""The inbox as a browser without script uses it: everything is a link or a form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx2
import pytest

from fsm_agent.server.page.forms.names import ADD
from tests.support.html_forms import parsed
from tests.support.page_questions import REQUEST, REQUEST_OF, answered, ask, ask_many, state_of, steps_of
from tests.support.pages import facts_of, text_of
from tests.support.servers.in_thread import Served, served


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, workflows=(REQUEST, REQUEST_OF)) as server:
        yield server


@pytest.fixture
def client(server: Served) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


class Form(NamedTuple):
    """A form of a card, as a browser would send it."""

    action: str
    pairs: list[tuple[str, str]]

    def send(self, client: httpx2.Client, *button: str, **typed: str) -> httpx2.Response:
        named = {name.replace("_", "/"): text for name, text in typed.items()}
        pairs = [(name, named.get(name, text)) for name, text in self.pairs]
        content = "&".join(f"{quote(name)}={quote(text)}" for name, text in [*pairs, *([button] if button else [])])
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return client.post(self.action, content=content, headers=headers)


def form(page: str, agent_id: str, event: str) -> Form:
    """The form of a page that answers this agent so."""
    found = re.findall(r'<form [^>]*action="(/answer/[^"]*)"[^>]*>(.*?)</form>', page, re.DOTALL)
    for action, inner in found:
        pairs = parsed(inner).pairs()
        if action.partition("?")[0] == f"/answer/{agent_id}" and ("event", event) in pairs:
            return Form(action.replace("&amp;", "&"), pairs)
    raise AssertionError(f"no form of {agent_id} for {event}")


def ids(page: str) -> list[str]:
    return re.findall(r'data-agent="([^"]*)"', page)


def test_an_answer_leads_back_to_the_inbox_which_says_what_became_of_it(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    done = form(client.get("/").text, "one", "approve").send(client)
    assert done.status_code == 303
    page = client.get(done.headers["location"]).text
    assert "You have answered: Approve. one is done now, in approved." in text_of(page)
    assert ids(page) == []
    assert steps_of(server, "one")[-1] == ("approve", "ana")


def test_the_address_of_a_notice_cannot_claim_anything(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    assert "answered" not in text_of(client.get("/?answered=one&question=1").text)
    answered(server, "one", by="fay")
    assert "fay has answered: Approve. one is done now" in text_of(client.get("/?answered=one&question=1").text)
    for query in ("answered=nobody", "answered=one&question=9", "answered=one&question=x", "answered=" + "x" * 999):
        assert "has answered" not in text_of(client.get(f"/?{query}").text)


def test_wrong_input_is_kept_beside_its_field(client: httpx2.Client, server: Served) -> None:
    ask_many(server, ["first", "second"])
    before = client.get("/").text
    refused = form(before, "second", "reject").send(client, _reason="no", _weight="12")
    assert refused.status_code == 422
    assert ids(refused.text) == ["second", "first"]
    again = form(refused.text, "second", "reject")
    assert {("/reason", "no"), ("/weight", "12")} <= set(again.pairs)
    assert "There are 2 problems" in text_of(refused.text)
    assert state_of(server, "second") == "asking"
    assert again.send(client, _reason="too dear", _weight="3").status_code == 303
    assert state_of(server, "second") == "rejected"


def test_a_row_is_added_and_nothing_is_sent(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    more = form(client.get("/").text, "one", "report").send(client, ADD, "/parts", _hours="3")
    assert more.status_code == 200, text_of(more.text)
    again = form(more.text, "one", "report")
    assert {"/parts/0/name", "/parts/0/count"} < {name for name, _ in again.pairs}
    assert ("/hours", "3") in again.pairs
    assert again.send(client, _parts_0_name="bearing", _parts_0_count="2").status_code == 303
    assert facts_of(server, "one").data["said"] == {"hours": 3, "parts": [{"name": "bearing", "count": 2}]}


def test_the_same_form_sent_again_is_taken_once_and_is_no_error(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    mine = form(client.get("/").text, "one", "reject")
    for _ in range(3):
        assert mine.send(client, _reason="too dear").status_code == 303
    assert [event for event, _ in steps_of(server, "one")] == ["created", "reject"]


def test_the_same_form_with_other_words_is_too_late(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    mine = form(client.get("/").text, "one", "reject")
    mine.send(client, _reason="too dear")
    late = mine.send(client, _reason="too cheap")
    assert late.status_code == 409
    assert "ana answered 'reject'" in text_of(late.text)
    assert "too cheap" in late.text
    assert facts_of(server, "one").data["said"]["reason"] == "too dear"


def test_another_form_for_a_closed_question_is_told_by_whom_it_was_closed(
    client: httpx2.Client, server: Served
) -> None:
    ask(server, "one")
    page = client.get("/").text
    answered(server, "one", by="fay")
    late = form(page, "one", "reject").send(client, _reason="<b>because</b>")
    assert late.status_code == 409
    said = text_of(late.text)
    assert "Your answer to one was not taken" in said
    assert "fay answered 'approve'" in said
    assert "&lt;b&gt;because&lt;/b&gt;" in late.text
    assert client.get("/answer/one").headers["location"] == "/"


def test_an_agent_that_asks_anew_takes_no_answer_to_its_last_question(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    page = client.get("/").text
    server.run(server.services["default"].runner.rewind("one", 1))
    late = form(page, "one", "approve").send(client)
    assert late.status_code == 409
    assert "it asks question 2 now" in text_of(late.text)
    assert state_of(server, "one") == "asking"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"question": ""}, 422),
        ({"question": "one"}, 422),
        ({"question": "9" * 20}, 422),
        ({"question": "7"}, 409),
        ({"event": "withdraw"}, 409),
        ({"event": "no such"}, 409),
        ({"key": ""}, 303),
    ],
)
def test_a_form_that_is_not_ours_does_nothing(
    client: httpx2.Client, server: Served, change: dict[str, str], status: int
) -> None:
    ask(server, "one")
    mine = form(client.get("/").text, "one", "approve")
    sent = mine._replace(pairs=[(name, change.get(name, text)) for name, text in mine.pairs]).send(client)
    assert sent.status_code == status, text_of(sent.text)
    assert state_of(server, "one") == ("approved" if status == 303 else "asking")


def test_an_answer_to_nobody_is_told_so(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    mine = form(client.get("/").text, "one", "reject")._replace(action="/answer/nobody")
    late = mine.send(client, _reason="because")
    assert late.status_code == 409
    assert "because" in late.text


def test_what_is_asked_of_others_cannot_be_answered_and_what_was_typed_is_kept(
    client: httpx2.Client, server: Served
) -> None:
    ask(server, "mine", "For you?", "ana", "fay")
    ask(server, "hers", "For her?", "fay")
    page = client.get("/?for=all").text
    assert set(ids(page)) == {"mine", "hers"}
    assert "it is for others to answer" in text_of(page)
    theirs = form(page, "mine", "reject")._replace(action="/answer/hers")
    late = theirs.send(client, _reason="because")
    assert late.status_code == 403
    assert "because" in late.text
    assert state_of(server, "hers") == "asking"


def test_the_filters_stand_in_the_address_and_stay_with_an_answer(client: httpx2.Client, server: Served) -> None:
    ask(server, "anybody")
    ask(server, "mine", "For you?", "ana")
    ask(server, "hers", "For her?", "fay")
    shown = {
        "": ["anybody", "mine"],
        "?for=mine": ["mine"],
        "?for=anybody": ["anybody"],
        "?for=all": ["anybody", "hers", "mine"],
        "?for=nonsense": ["anybody", "mine"],
        "?workflow=request": ["anybody"],
        "?workflow=request_of": ["mine"],
        "?for=all&workflow=request_of": ["hers", "mine"],
        "?for=all&workflow=none": [],
    }
    for query, expected in shown.items():
        page = client.get(f"/{query}").text
        assert sorted(ids(page)) == expected, query
        count = re.search(r'<span class="count">(\d+)</span>', page)
        assert count is not None
        assert int(count[1]) == len(expected)
    done = form(client.get("/?for=all&workflow=request_of").text, "mine", "approve").send(client)
    assert done.headers["location"].startswith("/?for=all&workflow=request_of&answered=mine")


def test_a_long_inbox_has_pages_and_each_question_is_on_one(client: httpx2.Client, server: Served) -> None:
    ask_many(server, [f"agent-{number:03}" for number in range(120)])
    address, seen = "/", list[str]()
    while address:
        page = client.get(address).text
        seen += ids(page)
        found = re.search(r'href="([^"]*)" rel="next"', page)
        address = found[1].replace("&amp;", "&") if found else ""
        ask(server, f"late-{len(seen)}")
    assert [each for each in seen if each.startswith("agent")] == [f"agent-{number:03}" for number in range(120)]
    assert len(seen) == len(set(seen))
    wrong = client.get("/?after=nowhere")
    assert (wrong.status_code, 'class="top"' in wrong.text) == (422, True)


def test_an_empty_inbox_says_what_would_be_there(client: httpx2.Client, server: Served) -> None:
    assert "When an agent asks something, its question appears here" in text_of(client.get("/").text)
    assert "No agent asks anything." in text_of(client.get("/?for=all").text)


def test_a_stream_that_is_only_looked_at_ends(client: httpx2.Client, server: Served) -> None:
    assert client.head("/live/inbox").status_code == 200


def test_what_became_of_a_question_is_told_in_a_line(client: httpx2.Client, server: Served) -> None:
    ask(server, "one")
    assert client.get("/live/closed/one/1").text == ""
    answered(server, "one", by="fay\u202e")
    assert client.get("/live/closed/one/1").text == "fay⟨U+202E⟩ has answered: Approve."
    assert client.get("/live/closed/one/7").text == "This is not asked any more."
    assert client.get("/live/closed/nobody/1").text == "The agent is gone."
