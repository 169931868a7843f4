"""``why``: whether an event would be taken now, condition by condition."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop

CLAIMS = """
workflow: claims
version: 1
data:
  cents: {type: integer, default: 6000}
  author: {type: string, default: ana}
events:
  begin: {}
  pay: {}
  approve: {}
  close: {reason: string}
initial: new
states:
  new: {on: {begin: open}}
  open:
    on:
      pay: {when: data.cents <= 5000 && data.author != "eve", target: paid}
      approve:
        - {when: event.by == data.author, target: open}
        - paid
      close: {when: size(event.reason) > 3, target: closed}
  paid: {final: true}
  closed: {final: true}
"""


@pytest.fixture
def claims(shop: Shop) -> Shop:
    shop.write("workflows/claims.yaml", CLAIMS)
    assert shop("run", "workflows/claims.yaml", "--id", "one", "--no-input").code == 0
    return shop


def test_a_refused_event_is_told_with_what_would_have_to_change(claims: Shop) -> None:
    told = claims("why", "one", "pay", "--json").json
    (candidate,) = told["candidates"]
    assert (candidate["target"], candidate["holds"]) == ("paid", False)
    assert [(each["text"], each["holds"], each["values"]) for each in candidate["conditions"]] == [
        ("data.cents <= 5000", False, {"data.cents": 6000}),
        ('data.author != "eve"', True, {"data.author": "ana"}),
    ]
    assert candidate["needs"] == [{"condition": "data.cents <= 5000", "holds": True}]
    text = claims("why", "one", "pay").out
    assert "would be refused: no guard holds" in text
    assert "it would hold if `data.cents <= 5000` were true" in text


def test_candidates_are_told_in_the_order_in_which_they_are_tried(claims: Shop) -> None:
    told = claims("--by", "ben", "why", "one", "approve", "--json").json
    assert [(each["target"], each["holds"]) for each in told["candidates"]] == [("open", False), ("paid", True)]
    assert "would be taken, and lead to `paid`" in claims("--by", "ben", "why", "one", "approve").out
    assert "would be taken, and lead to `open`" in claims("--by", "ana", "why", "one", "approve").out


def test_what_reads_the_payload_needs_one(claims: Shop) -> None:
    assert "the guard to `closed` cannot be evaluated" in claims("why", "one", "close").out
    assert "lead to `closed`" in claims("why", "one", "close", "--payload", '{"reason": "late"}').out


REVIEW = """
workflow: review
version: 1
data: {count: {type: integer, maximum: 1, default: 0}}
events: {begin: {}, approve: {note: string?}, add: {by_how_much: integer}, work: {}, worked: {}}
initial: new
states:
  new: {on: {begin: asking}}
  asking:
    ask: {prompt: "Well?", to: "'boss'", events: [approve]}
    on:
      approve: {when: event.note == null, target: asking}
      add: {assign: {count: data.count + event.by_how_much}}
      work: working
  working:
    do: pack
    on: {worked: asking, error: asking}
limits: {visits: {asking: 1}}
"""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["approve"], "would be refused: the question is for boss, and 'ana' may not answer it"),
        (["approve", "--by", "boss", "--payload", '{"nte": 1}'], "would be refused: the payload of event 'approve' is"),
        (
            ["approve", "--by", "boss", "--payload", "{}"],
            "would park the agent: LimitExceeded: limit visits.asking = 1 would be",
        ),
        (["add", "--payload", '{"by_how_much": 7}'], "would be refused: the data is wrong: count: 7 is"),
        (["add", "--payload", '{"by_how_much": 1}'], "would be taken, and lead to `asking`"),
        (["add"], "would be taken with a payload that fits, and lead to `asking`"),
        (["cancel"], "would be taken, and the agent would be cancelled where it is"),
    ],
)
def test_whatever_the_engine_would_refuse_is_told_as_the_engine_says_it(shop: Shop, words: list[str], why: str) -> None:
    shop.write("workflows/review.yaml", REVIEW)
    assert shop("run", "workflows/review.yaml", "--id", "one", "--no-input").code == 0
    assert why in shop("--by", "ana", "why", "one", *words).out
    told = shop("--by", "ana", "why", "one", *words, "--json").json
    assert (told["refusal"] is None) == ("taken" in why)
    assert told["target"] == ("asking" if "would be taken, and" in why else None)


def test_an_event_that_the_state_does_not_handle_is_told_with_those_that_it_does(shop: Shop) -> None:
    shop.order("one")
    assert "is not taken in `asking`, whatever the data are" in shop("why", "one", "ordered").out
    unknown = shop("why", "one", "aprove")
    assert (unknown.code, unknown.out) == (1, "")
    assert "approve" in unknown.err


def test_an_agent_that_has_ended_takes_nothing(shop: Shop) -> None:
    shop.order("one")
    shop("cancel", "one")
    assert "is not taken: the agent is cancelled" in shop("why", "one", "approve").out


def test_nothing_happens_by_it(claims: Shop) -> None:
    before = claims("show", "one", "--json").json
    claims("why", "one", "pay")
    assert claims("show", "one", "--json").json == before
