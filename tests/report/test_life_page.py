"""The page of an agent's life, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.browser import visit
from tests.support.shop import Shop

CLAIM = """
workflow: claim
version: 1
description: '</script> <b>`]|'
data:
  customer: {type: object, default: {email: "", name: ""}}
  items: {type: array, items: {type: integer}, default: []}
  note: string?
events:
  file: {email: string, note: string}
  add: {item: integer}
  approve: {}
initial: new
states:
  new:
    on:
      file: {target: review.asking, assign: {customer: '{"email": event.email, "name": "Ana"}', note: event.note}}
  review:
    initial: asking
    states:
      asking:
        ask: {prompt: "Pay {{ data.customer.email }}?", events: [approve]}
        on:
          add: {target: review.asking, append: {items: event.item}}
          approve: paid
  paid: {final: true, output: {to: data.customer.email}}
"""


@pytest.fixture
def claim(shop: Shop) -> Shop:
    shop.write("workflows/claim.yaml", CLAIM)
    payload = '{"email": "ana@example.org", "note": "</script><b>`]|\\u202eevil, to ana@example.org"}'
    for words in (
        ["run", "workflows/claim.yaml", "--id", "one", "--no-input", "--event", "file", "--payload", payload],
        ["send", "one", "add", "--payload", '{"item": 7}'],
        ["send", "one", "add", "--payload", '{"item": 8}'],
        ["answer", "one", "--event", "approve"],
    ):
        outcome = shop(*words)
        assert outcome.code == 0, outcome
    return shop


def page_of(shop: Shop, *words: str, agent: str = "one") -> Path:
    outcome = shop("export", agent, "--html", "-o", "life.html", *words)
    assert outcome.code == 0, outcome
    return shop.folder / "life.html"


@pytest.mark.long
def test_the_page_tells_every_version_as_the_store_does(claim: Shop) -> None:
    versions = [step["version"] for step in claim("history", "one", "--json").json["steps"]]
    told = [claim("show", "one", "--at", str(version), "--json").json["data"] for version in versions]
    with visit(page_of(claim)) as seen:
        shown = [seen.evaluate(f"dataAfter({count})") for count in range(1, len(versions) + 1)]
        assert shown == told
        assert seen.evaluate("dataAfter(0)") == {}


@pytest.mark.long
@pytest.mark.parametrize("dark", [False, True])
def test_a_reader_moves_through_a_life_and_asks_states(claim: Shop, *, dark: bool) -> None:
    with visit(page_of(claim), dark=dark) as seen:
        assert seen.text("#place") == "step 5 of 5"
        assert seen.evaluate("document.querySelector('.here').id") == "p0-state-paid"
        seen.click("#back")
        assert seen.text("#step h2") == "Version 4: review.asking"
        assert "items" in seen.text("#step table tr:first-child"), "what has changed comes first"
        assert seen.evaluate("document.querySelector('.here').id") == "p0-state-review-asking"
        taken = seen.evaluate("[...document.querySelectorAll('.edge.touched')].map(nameOf)")
        assert "event-state-new-to-state-review-asking" in taken
        assert "event-state-review-asking-to-state-paid" not in taken
        seen.click("#p0-state-review-asking")
        assert seen.text("#state h2") == "review.asking"
        seen.click("#state button")
        assert seen.text("#place") == "step 2 of 5"
        paper = seen.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")


@pytest.mark.long
def test_a_state_says_how_often_it_was_entered(claim: Shop) -> None:
    with visit(page_of(claim)) as seen:
        entered = {}
        for path in ("new", "review", "review.asking", "paid"):
            seen.evaluate(f"describeState('{path}')")
            entered[path] = seen.text("#state p")
    assert entered == {
        "new": "entered once",
        "review": "entered once",
        "review.asking": "entered 3 times",
        "paid": "entered once",
    }


@pytest.mark.long
def test_hostile_text_is_text(claim: Shop) -> None:
    with visit(page_of(claim)) as seen:
        seen.click("#back")
        assert "</script><b>`]|⟨U+202E⟩evil" in seen.text("#step")
        assert seen.evaluate("document.querySelectorAll('b').length") == 0
    page = (claim.folder / "life.html").read_text(encoding="utf-8")
    assert (page.count("</script>"), page.count("<b>")) == (2, 0)


def test_what_is_redacted_is_nowhere_in_the_file(claim: Shop) -> None:
    page = page_of(claim, "--redact", "customer.email", "--redact", "event.email").read_text(encoding="utf-8")
    assert "ana@example.org" not in page
    assert "Pay (redacted)?" in page
    assert "to (redacted)" in page


LEAKY = """
workflow: leaky
version: 1
data: {customer: {type: object, default: {}}, memo: string?, who: string?, total: number?}
events: {open: {customer: object, amount: number, note: string}, move: {}, moved: {}}
initial: new
states:
  new:
    on:
      open: {target: open, assign: {customer: event.customer, total: event.amount, memo: event.note, who: event.by}}
  open:
    ask: {prompt: "{{ data.memo }} pays {{ data.total }}EUR?", to: data.who, events: [move]}
    on: {move: moving}
  moving:
    do: move_house
    on: {moved: done, error: done}
  done: {final: true, output: {memo: data.memo}}
"""
MOVE = """
from fsm_agent import action

@action
def move_house(ctx):
    ctx.data.customer["address"] = {"Hofgasse": 12}
    ctx.data.memo = "-" * 50 + "Ana Maria de la Cruz"
    return "moved"
"""


def test_what_is_hidden_is_hidden_in_copies_users_and_cut_texts(shop: Shop) -> None:
    shop.write("workflows/leaky.yaml", LEAKY)
    shop.write("leaky_actions.py", MOVE)
    person, note = "Ana Maria de la Cruz", "-" * 50 + "Ana Maria de la Cruz"
    payload = json.dumps({"customer": {"name": person}, "amount": 4175.5, "note": note})
    run = [
        "--module",
        "leaky_actions",
        "run",
        "workflows/leaky.yaml",
        "--id",
        "one",
        "--user",
        person.lower(),
        "--by",
        person,
        "--no-input",
    ]
    assert shop(*run, "--event", "open", "--payload", payload).code == 0
    answered = shop("--module", "leaky_actions", "answer", "one", "--by", person, "--event", "move")
    assert answered.code == 0, answered
    for fields in (["customer", "amount"], ["name", "address", "event.amount"]):
        redact = [word for field in fields for word in ("--redact", field)]
        life = shop("export", "one", *redact).out
        for word in ("ana", "cruz", "4175", "hofgasse"):
            assert word not in life.lower()
        assert "pays (redacted)EUR?" in life


def test_a_misspelt_field_is_said_and_nothing_is_written(claim: Shop) -> None:
    outcome = claim("export", "one", "--html", "-o", "life.html", "--redact", "customer.emial")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no field 'customer.emial' to redact is in the history of agent 'one'" in outcome.err
    assert "did you mean `data.customer.email`?" in outcome.err
    assert not (claim.folder / "life.html").exists()


def test_the_life_is_json_too(claim: Shop) -> None:
    life = claim("export", "one", "--redact", "by").json
    assert [step["to"] for step in life["steps"]] == ["new", "review.asking", "review.asking", "review.asking", "paid"]
    assert life["steps"][1]["prompt"] == "Pay ana@example.org?"
    assert {step["by"] for step in life["steps"]} <= {None, "(redacted)"}
    (workflow,) = life["definitions"].values()
    assert workflow["workflow"] == "claim"
    assert claim("export", "one", "-o", "deep/life.json", "--json").json == {"files": ["deep/life.json"]}


@pytest.mark.long
def test_an_agent_that_has_moved_is_shown_on_the_workflow_of_each_version(claim: Shop) -> None:
    payload = '{"email": "ben@example.org", "note": ""}'
    start = claim("run", "workflows/claim.yaml", "--id", "two", "--no-input", "--event", "file", "--payload", payload)
    assert start.code == 0, start
    renamed = CLAIM.replace("asking", "deciding").replace("version: 1", "version: 2")
    claim.write(
        "workflows/claim.yaml", f"{renamed}migrations:\n  - {{from: 1, states: {{review.asking: review.deciding}}}}\n"
    )
    moved = claim("migrate", "workflows/claim.yaml", "two", "--apply")
    assert moved.code == 0, moved
    with visit(page_of(claim, agent="two")) as seen:
        shown = "[...document.querySelectorAll('.picture')].map(each => !each.hidden)"
        assert seen.evaluate(shown) == [False, True]
        assert seen.evaluate("document.querySelector('.here').id") == "p1-state-review-deciding"
        seen.click("#back")
        assert seen.evaluate(shown) == [True, False]
