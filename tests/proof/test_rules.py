"""What each rule means: a small workflow that keeps it, and one that breaks it, with the path on which it does."""

from __future__ import annotations

import pytest

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.prover import DEFAULTS, prove
from fsm_agent.proof.verdicts import Outcome, Verdict

REFUND = """
workflow: refund
version: 1
initial: new
data: {amount: {type: integer, minimum: 0, default: 0}, approved: {type: boolean, default: false}}
events: {ask: {amount: {type: integer, minimum: 0}}, approve: {}, refuse: {}, paid: {}, again: {}}
states:
  new:
    on:
      ask: [{target: paying, when: event.amount <= 100, assign: {amount: event.amount}}, {target: deciding}]
  deciding: {on: {approve: {target: paying, assign: {approved: true}}, refuse: refused}}
  paying: {do: pay, on: {paid: closed, error: {target: deciding}}}
  closed: {on: {again: new}}
  refused: {final: true}
"""
PAY = {"pay": Signature(emits=frozenset({"paid"}))}


def verdict(text: str, rule: Rule, signatures: dict[str, Signature] = PAY, **more: object) -> Verdict:
    (found,) = prove(loads(text), [Property("rule", rule)], signatures=signatures, **more).verdicts  # type: ignore[arg-type]
    return found


def way(found: Verdict) -> list[str]:
    return [step.event for step in found.path]


KEPT: list[Rule] = [
    Never(("state closed",), before=("ask",)),
    Never(("paying",), before=("approve", "state paying")),
    Never(("state new",), after=("refused",)),
    Never(("state paying",), since=("refuse",), until=("ask",)),
    Never(("paid",), since=("created",), until=("pay",)),
    AtMost(1, ("refuse",)),
    AtMost(1, ("do pay",), since=("ask", "error", "approve")),
    Whenever(("approve",), "data.amount >= 0"),
    Whenever(("ask",), "event.amount >= 0"),
    Never(("parked",)),
    Whenever(("created",), "data.amount >= 0"),
]
BROKEN: list[tuple[Rule, list[str]]] = [
    (Never(("closed",)), ["ask", "paid"]),
    (Never(("paying",), before=("approve",)), ["ask"]),
    (Never(("paying",), after=("paid",)), ["ask", "paid", "again", "ask"]),
    (Never(("deciding",), since=("ask",), until=("paid",)), ["ask", "error"]),
    (AtMost(1, ("paying",)), ["ask", "error", "approve"]),
    (AtMost(2, ("ask",), since=("refuse",)), ["ask", "paid", "again"] * 2 + ["ask"]),
    (AtMost(0, ("cancelled",)), ["cancel"]),
    (Whenever(("approve",), "data.amount > 100"), ["ask", "approve"]),
    (Whenever(("ask",), "event.amount > 0"), ["ask"]),
    (Whenever(("created",), "data.amount > 0"), []),
    (Whenever(("ask",), "event.by == 'ana'"), ["ask"]),
]


@pytest.mark.parametrize("rule", KEPT, ids=str)
def test_a_rule_that_is_kept_is_proved(rule: Rule) -> None:
    assert verdict(REFUND, rule).outcome is Outcome.PROVED


@pytest.mark.parametrize(("rule", "path"), BROKEN, ids=str)
def test_a_rule_that_is_broken_has_a_shortest_path_to_where_it_is(rule: Rule, path: list[str]) -> None:
    found = verdict(REFUND, rule)
    assert (found.outcome, way(found)) == (Outcome.VIOLATED, path)


def test_a_path_says_who_makes_each_step_and_what_is_known_of_the_values() -> None:
    first, second = verdict(REFUND, Never(("deciding",), since=("paying",))).path
    assert (first.source, first.kind, first.target) == ("new", "outside", "paying")
    assert max(first.known["event.amount"]) <= 100
    assert (second.source, second.kind, second.target) == ("paying", "failure", "deciding")


def test_data_are_looked_at_where_control_alone_does_not_tell() -> None:
    copied = REFUND.replace("on: {again: new}", "on: {again: {target: new, when: data.amount > 100}}")
    copied = copied.replace("{target: deciding}]", "{target: deciding, assign: {amount: 0}}]")
    kept = verdict(copied, AtMost(1, ("paid",)), {"pay": PAY["pay"]._replace(writes=frozenset({"approved"}))})
    assert (kept.outcome, kept.assumptions) == (Outcome.PROVED, ())
    assert way(verdict(copied, AtMost(1, ("paid",)))) == ["ask", "paid", "again", "ask", "paid"]
    guarded = REFUND.replace(
        "closed: {on: {again: new}}", "closed: {on: {again: {target: new, when: data.amount > 500}}}"
    )
    assert verdict(guarded, AtMost(1, ("paid",)), {"pay": PAY["pay"]._replace(writes=frozenset())}).assumptions == (
        DEFAULTS,
    )
    assert verdict(guarded, AtMost(1, ("paid",))).outcome is Outcome.VIOLATED


def test_of_an_action_nothing_is_known_unless_it_is_said() -> None:
    rule = Never(("approve",), since=("paying",), until=("deciding", "closed"))
    text = REFUND.replace("on: {paid: closed,", "on: {paid: closed, approve: closed,")
    assert verdict(text, rule, {}).outcome is Outcome.PROVED
    assert verdict(text, Never(("approve",), before=("error", "deciding")), {}).outcome is Outcome.VIOLATED
    once = Never(("refused",), before=("refuse",))
    assert verdict(text, once, {}).outcome is Outcome.PROVED


def test_what_only_the_action_may_name_nobody_sends() -> None:
    asked = loads(REFUND)
    for signatures, kinds in ((PAY, {"action"}), ({}, {"action", "outside"})):
        found = verdict(REFUND, Never(("closed",)), signatures)
        assert found.path[-1].kind in kinds
    assert asked.allowed("paying")


def test_what_nothing_handles_parks_the_agent() -> None:
    text = REFUND.replace(", error: {target: deciding}", "")
    found = verdict(text, Never(("parked",)))
    assert (found.outcome, way(found)) == (Outcome.VIOLATED, ["ask", "error"])
    assert found.path[-1].kind == "park"


def test_an_operator_lets_a_parked_agent_go_on() -> None:
    text = REFUND.replace(", error: {target: deciding}", "")
    found = verdict(text, Never(("closed",), after=("parked",)))
    assert way(found) == ["ask", "error", "unpark", "paid"]


def test_the_bound_of_the_search_leaves_a_rule_open() -> None:
    found = verdict(REFUND, Never(("refused",), before=("refuse",)), most=2)
    assert found.outcome is Outcome.OPEN
    assert "bound" in found.why
    proof = prove(loads(REFUND), [Property("rule", Never(("refused",), before=("refuse",)))], most=2)
    assert not proof.is_complete


def test_a_path_that_a_limit_may_cut_off_is_open() -> None:
    found = verdict(REFUND + "limits: {steps: 3}\n", Never(("paying",), after=("paid",)))
    assert found.outcome is Outcome.OPEN
    assert "limits.steps" in found.why or "not sure" in found.why


def test_a_condition_that_cannot_be_looked_into_leaves_a_rule_open() -> None:
    text = REFUND.replace("when: event.amount <= 100", "when: event.amount % 7 == 1 && event.amount % 7 == 2")
    found = verdict(text, Never(("paying",), before=("approve",)))
    assert found.outcome is Outcome.OPEN
    assert "not sure" in found.why
    assert not found.path[-1].is_certain


def test_an_error_of_a_condition_counts_as_broken() -> None:
    text = REFUND.replace(
        "data: {amount: {type: integer,", "data: {who: {type: [string, 'null']}, amount: {type: integer,"
    )
    assert verdict(text, Whenever(("ask",), "size(data.who) > 0 || true")).outcome is Outcome.PROVED
    assert verdict(text, Whenever(("ask",), "size(data.who) > 0 && true")).outcome is not Outcome.PROVED


def test_a_term_that_names_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        verdict(REFUND, Never(("nowhere",)))


def test_properties_come_back_in_their_order_with_the_states_that_were_looked_at() -> None:
    workflow: Workflow = loads(REFUND)
    proof = prove(
        workflow, [Property("a", AtMost(1, ("refuse",))), Property("b", Reaches(("refused",)))], signatures=PAY
    )
    assert [each.name for each in proof.verdicts] == ["a", "b"]
    assert proof.is_complete
    assert proof.states >= 5
    assert any("rewound" in assumption for assumption in proof.assumptions)


NAMED = """
workflow: named
version: 1
data: {who: string?}
events: {named: {who: WHO}, go: {}}
initial: a
states:
  a: {on: {named: {target: b, assign: {who: event.who}}}}
  b: {on: {go: end}}
  end: {final: true}
"""


def test_of_a_value_that_an_event_must_bring_it_is_known_that_it_is_not_null() -> None:
    is_known = Whenever(("go",), "data.who != null")
    assert verdict(NAMED.replace("WHO", "string"), is_known).outcome is Outcome.PROVED
    assert verdict(NAMED.replace("WHO", "string?"), is_known).outcome is Outcome.VIOLATED


def test_an_internal_timer_perhaps_waits_for_the_action() -> None:
    text = REFUND.replace("paying: {do: pay,", "paying: {do: pay, after: {1h: {assign: {approved: true}}},")
    found = verdict(text, Never(("after 1h",)))
    assert found.outcome is Outcome.OPEN
