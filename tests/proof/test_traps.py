"""Where a proof would be wrong if one thing was overlooked: each broke a prover once, or would."""

from __future__ import annotations

from fsm_agent.domain.property import AtMost, Never, Property, Rule, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.prover import prove
from fsm_agent.proof.verdicts import Outcome, Verdict

HEAD = """
workflow: trap
version: 1
initial: a
data:
  n: {type: integer, minimum: 0, maximum: 2, default: 0}
  x: {type: [integer, 'null']}
  items: {type: [array, 'null'], items: {type: integer}}
events: {go: {}, back: {}, more: {by_whom: {type: string}}}
states:
"""
WORK = {"work": Signature(emits=frozenset({"go"}))}
END = "  end: {final: true}\n"
OTHER = "  b: {final: true}\n"


def verdict(states: str, rule: Rule, writes: frozenset[str] | None = None) -> Verdict:
    known = {"work": WORK["work"]._replace(writes=writes)}
    return prove(loads(HEAD + states + END), [Property("rule", rule)], signatures=known).verdicts[0]


def is_proved(states: str, rule: Rule, writes: frozenset[str] | None = None) -> bool:
    return verdict(states, rule, writes).outcome is Outcome.PROVED


def test_an_action_that_is_done_claims_its_event_no_longer() -> None:
    staying = "  a: {do: work, on: {go: {assign: {n: 1}}, error: end}}\n"
    assert not is_proved(staying, AtMost(1, ("go",)))
    assert is_proved(staying.replace("{assign: {n: 1}}", "end"), AtMost(1, ("go",)))


def test_guards_see_what_an_action_wrote_before_it_is_judged() -> None:
    mended = "  a: {do: work, on: {go: [{target: b, when: data.n > 5, assign: {n: 0}}, end], error: end}}\n" + OTHER
    assert not is_proved(mended, Never(("b",)))
    assert is_proved(mended, Never(("b",)), frozenset({"x"}))
    assert is_proved(mended.replace(", assign: {n: 0}", ""), Never(("b",)))


def test_what_is_added_to_an_invalid_value_may_be_valid() -> None:
    mended = "{target: b, when: data.n < 0, assign: {n: data.n + 1}}"
    mended = f"  a: {{do: work, on: {{go: [{mended}, end], error: end}}}}\n{OTHER}"
    assert not is_proved(mended, Never(("b",)))


def test_null_is_an_error_of_an_order_and_not_of_an_equality() -> None:
    order = "  a: {after: {1d: {target: end, when: data.x > 1}}}\n"
    assert not is_proved(order, Never(("parked",)))
    assert is_proved(order.replace("data.x > 1", "data.x == 1"), Never(("parked",)))
    assert is_proved(order.replace("data.x > 1", "data.x == null || data.x > 1"), Never(("parked",)))


def test_either_side_of_an_or_decides_whatever_the_other_is() -> None:
    either = "  a: {after: {1d: {target: end, when: data.x > 1 || data.n >= 0}}}\n"
    assert is_proved(either, Never(("parked",)))
    assert not is_proved(either.replace("||", "&&"), Never(("parked",)))


def test_visits_count_on_each_entry() -> None:
    around = "  a: {on: {go: [{target: a, when: 'visits[\"a\"] < 3'}, end]}}\n"
    assert is_proved(around, AtMost(3, ("state a",)))
    assert not is_proved(around, AtMost(2, ("state a",)))
    unclear = around.replace('visits["a"] < 3', 'visits["a"] % 5 != 4')
    assert not is_proved(unclear, Never(("end",)))


def test_what_is_added_to_a_list_makes_it_longer() -> None:
    growing = (
        "  a: {on: {go: {target: b, append: {items: '1'}}}}\n"
        "  b: {on: {back: {target: end, when: size(data.items) == 0}}}\n"
    )
    assert is_proved(growing, Never(("end",)))
    assert not is_proved(growing.replace("== 0", "== 1"), Never(("end",)))


def test_a_sender_is_known_to_nobody_else() -> None:
    asked = "  a: {do: work, on: {go: end, error: end, more: end}}\n"
    assert is_proved(asked, Whenever(("go",), "event.by == null"))
    assert not is_proved(asked, Whenever(("more",), "event.by == null"))


def test_two_who_change_a_field_at_once_make_something_else_of_it() -> None:
    text = "  a: {on: {go: {assign: {n: 1}}, back: {target: end, when: data.n == 2}}}\n"
    merged = HEAD.replace("states:", "merge: {n: max}\nstates:")
    rule = Property("rule", Never(("end",)))
    assert is_proved(text, Never(("end",))) is True
    assert prove(loads(merged + text + END), [rule]).verdicts[0].outcome is not Outcome.PROVED


def test_what_cannot_be_computed_is_no_sure_way() -> None:
    text = "  a: {after: {1d: {target: end, when: data.x == null, assign: {x: (data.x + 1) % 3}}}}\n"
    assert verdict(text, Never(("end",))).outcome is not Outcome.VIOLATED
    assert is_proved(text.replace("(data.x + 1) % 3", "data.x + 1"), Never(("end",)))
