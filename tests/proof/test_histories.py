"""Whether what has happened to an agent keeps a property, on lives of the real engine."""

from __future__ import annotations

import pytest

from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.scripted.moves import Move
from fsm_agent.testing import cancels, fails, passes, play, says, sent, unparks

FLOW = """
workflow: refunds
version: 1
data: {amount: {type: integer, default: 0}, author: string?}
events: {asked: {amount: integer}, found: {}, approve: {}, again: {}}
initial: open
states:
  open:
    on: {asked: {target: looking, assign: {amount: event.amount, author: event.by}}}
  looking:
    do: look
    on: {found: asking, error: {target: failed}}
  asking:
    ask: {prompt: "Refund?", events: [approve]}
    after: {3d: late}
    on: {approve: paid, again: looking}
  waiting: {on: {approve: paid}}
  late: {on: {again: asking}}
  paid: {final: true}
  failed: {final: true, outcome: failed}
must:
  a: {RULE}
"""
ASKED = sent("asked", amount=7, by="ana")
TO_QUESTION = [ASKED, says("found")]
BY_ANA, BY_BEN = sent("approve", by="ana"), sent("approve", by="ben")


def life_of(rule: str, moves: list[Move]) -> bool:
    return play(loads(FLOW.replace("RULE", rule)), moves).keeps("a")


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ("never: paid", TO_QUESTION, [*TO_QUESTION, sent("approve")]),
        ("never: paid, before: again", TO_QUESTION, [*TO_QUESTION, sent("approve")]),
        ("never: looking, after: asking", TO_QUESTION, [*TO_QUESTION, sent("again")]),
        ("never: late, from: asking, until: approve", TO_QUESTION, [*TO_QUESTION, passes("3d")]),
        ("at_most: 1, of: look", TO_QUESTION, [*TO_QUESTION, sent("again")]),
        ("never: after 3d", TO_QUESTION, [*TO_QUESTION, passes("3d")]),
        ("never: cancelled", TO_QUESTION, [*TO_QUESTION, cancels()]),
        ("never: outcome failed", TO_QUESTION, [ASKED, fails()]),
        (
            "whenever: approve, holds: event.by != data.author",
            [*TO_QUESTION, sent("approve", by="ben")],
            [*TO_QUESTION, sent("approve", by="ana")],
        ),
        ("whenever: asked, holds: event.amount > 5", [ASKED], [sent("asked", amount=5)]),
        ("from: asked, reaches: [paid, failed]", [*TO_QUESTION, sent("approve")], [*TO_QUESTION, passes("3d")]),
    ],
)
def test_a_history_keeps_a_rule_or_breaks_it(rule: str, kept: list[Move], broken: list[Move]) -> None:
    assert life_of(rule, kept)
    assert not life_of(rule, broken)


def test_a_condition_sees_what_the_action_wrote_and_not_what_is_assigned_then() -> None:
    small = {"amount": 3}
    assert life_of("whenever: found, holds: data.amount > 5", [ASKED, says("found")])
    assert not life_of("whenever: found, holds: data.amount > 5", [ASKED, says("found", data=small)])
    assert life_of("whenever: found, holds: data.amount < 5", [ASKED, says("found", data=small)])
    assert life_of("whenever: asked, holds: data.amount == 0", [ASKED])


def test_what_is_due_within_a_time_is_late_after_it() -> None:
    rule = "from: asked, reaches: paid, within: 1h"
    assert life_of(rule, [*TO_QUESTION, passes("1h")])
    assert not life_of(rule, [*TO_QUESTION, passes("61m")])
    assert not life_of(rule, [*TO_QUESTION, passes("61m"), sent("approve")])
    assert life_of(rule, [*TO_QUESTION, passes("59m"), sent("approve")])


def test_the_time_of_an_operator_does_not_count() -> None:
    parked = FLOW.replace(", error: {target: failed}", "").replace("RULE", "from: asked, reaches: paid, within: 1h")
    moves = [ASKED, fails(), passes("3d"), unparks(), says("found"), passes("59m"), sent("approve")]
    assert play(loads(parked), moves).keeps("a")
    assert not play(loads(parked), [*moves[:-2], passes("61m"), moves[-1]]).keeps("a")


@pytest.mark.parametrize(
    ("changes", "is_endless"),
    [
        ({}, True),
        ({"initial: open": "initial: open\nlimits: {visits: {looking: 9}}"}, False),
        ({"initial: open": "initial: open\nlimits: {steps: 99}"}, False),
    ],
)
def test_what_may_go_on_for_ever_goes_round(changes: dict[str, str], is_endless: bool) -> None:
    text = FLOW.replace("RULE", "from: asked, reaches: paid")
    for old, new in changes.items():
        text = text.replace(old, new)
    assert play(loads(text), [ASKED]).goes_round([says("found"), sent("again")], "a") is is_endless


def test_a_round_within_a_state_whose_timer_runs_ends() -> None:
    text = FLOW.replace("again: looking", "again: {}").replace("RULE", "from: asked, reaches: paid")
    assert not play(loads(text), TO_QUESTION).goes_round([sent("again")], "a")
    assert play(loads(text.replace("    after: {3d: late}\n", "")), TO_QUESTION).goes_round([sent("again")], "a")


def test_what_leads_elsewhere_or_to_what_is_wanted_is_no_round() -> None:
    text = FLOW.replace("RULE", "from: asked, reaches: paid")
    assert not play(loads(text), [ASKED]).goes_round([says("found")], "a")
    text = FLOW.replace("RULE", "from: asked, reaches: asking")
    assert not play(loads(text), [ASKED]).goes_round([says("found"), sent("again")], "a")


def test_what_must_happen_may_still_come_while_a_timer_runs_or_an_action_works() -> None:
    assert life_of("from: asked, reaches: paid", [ASKED])
    assert life_of("from: asked, reaches: paid", TO_QUESTION)


def test_a_property_that_is_not_there_is_no_kept_one() -> None:
    with pytest.raises(KeyError):
        play(loads(FLOW.replace("RULE", "never: paid")), TO_QUESTION).keeps("b")
