"""What must happen: who waits without a deadline or goes round for ever breaks it, and what is fair does not."""

from __future__ import annotations

import pytest

from fsm_agent.domain.property import Property, Reaches, Terms
from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.prover import FAIRNESS, prove
from fsm_agent.proof.verdicts import Outcome, Verdict

HEAD = """
workflow: live
version: 1
initial: a
data: {n: {type: integer, minimum: 0, maximum: 3, default: 0}}
events: {go: {}, back: {}, more: {}}
"""
SIGNATURES = {"work": Signature(emits=frozenset({"go"})), "loop": Signature(emits=frozenset({"go", "back"}))}


def verdict(states: str, terms: Terms = ("done",), *, since: Terms = (), more: str = "") -> Verdict:
    workflow = loads(f"{HEAD}{more}\nstates:\n{states}")
    known = {name: each._replace(writes=frozenset()) for name, each in SIGNATURES.items()}
    rule = Property("rule", Reaches((*terms, "cancelled"), since))
    return prove(workflow, [rule], signatures=known).verdicts[0]


def is_proved(*states: str, **more: str) -> bool:
    return verdict("\n".join(states), **more).outcome is Outcome.PROVED  # type: ignore[arg-type]


END = "  end: {final: true}"


def test_who_waits_without_a_deadline_may_wait_for_ever() -> None:
    found = verdict(f"  a: {{on: {{go: b}}}}\n  b: {{on: {{go: end}}}}\n{END}", since=("go",))
    assert found.outcome is Outcome.VIOLATED
    assert [step.event for step in found.path] == ["go"]
    assert "`b`" in found.why
    assert "deadline" in found.why


def test_timers_fire_and_actions_end() -> None:
    assert is_proved("  a: {on: {go: end}, after: {1d: end}}", END)
    assert is_proved("  a: {do: work, on: {go: end, error: end}}", END)
    assert FAIRNESS in verdict(f"  a: {{on: {{go: end}}, after: {{1d: end}}}}\n{END}").assumptions


def test_a_timer_that_its_guard_refuses_is_gone() -> None:
    refused = "  a: {on: {go: end}, after: {1d: {target: end, when: data.n > 0}}}"
    found = verdict(f"{refused}\n{END}")
    assert found.outcome is Outcome.VIOLATED
    assert is_proved(refused.replace("data.n > 0", "data.n >= 0"), END)


def test_a_second_timer_still_fires() -> None:
    assert is_proved("  a: {on: {go: end}, after: {1d: {target: end, when: data.n > 0}, 2d: end}}", END)


def test_people_may_go_round_for_ever_where_each_round_arms_the_timer_anew() -> None:
    around = "  a: {on: {go: b}, after: {1d: end}}\n  b: {on: {back: a}, after: {1d: end}}"
    found = verdict(f"{around}\n{END}")
    assert found.outcome is Outcome.VIOLATED
    assert {step.event for step in found.cycle} == {"go", "back"}
    assert found.cycle[-1].target == found.cycle[0].source


def test_a_timer_of_the_state_around_them_ends_it() -> None:
    around = "x: {on: {go: y}}, y: {on: {back: x}}"
    assert is_proved(f"  a: {{initial: x, states: {{{around}}}, after: {{1d: end}}}}", END)
    assert not is_proved(f"  a: {{initial: x, states: {{{around}}}, after: {{1d: {{when: data.n == 0}}}}}}", END)


def test_what_people_send_without_leaving_does_not_stop_a_timer_or_an_action() -> None:
    assert is_proved("  a: {on: {more: {assign: {n: 1}}}, after: {1d: end}}", END)
    assert is_proved("  a: {do: work, on: {go: end, error: end, more: {assign: {n: 1}}}}", END)


def test_actions_may_go_round_for_ever_unless_a_limit_stops_them() -> None:
    around = "  a: {do: loop, on: {go: end, back: a, error: end}}"
    found = verdict(f"{around}\n{END}")
    assert (found.outcome, [step.event for step in found.cycle]) == (Outcome.VIOLATED, ["back"])
    assert is_proved(around, END, more="limits: {visits: {a: 5}}")
    assert is_proved(around, END, more="limits: {steps: 50}")
    assert not is_proved(around, END, more="limits: {visits: {end: 5}}")


def test_data_can_end_what_control_alone_lets_go_on() -> None:
    around = "  a: {do: loop, on: {go: end, back: {target: a, when: data.n < 3, assign: {n: data.n + 1}}, error: end}}"
    assert is_proved(around, END)
    assert not is_proved(around.replace(", assign: {n: data.n + 1}", ""), END)


def test_another_end_is_not_what_is_wanted() -> None:
    others = "  other: {final: true, outcome: failed}"
    found = verdict(f"  a: {{on: {{go: end, back: other}}, after: {{1d: end}}}}\n{END}\n{others}")
    assert found.outcome is Outcome.VIOLATED
    assert "ends in `other`" in found.why


def test_a_parked_agent_waits_for_an_operator_and_breaks_nothing() -> None:
    assert is_proved("  a: {do: work, on: {go: end}}", END)


def test_who_asks_people_may_wait_for_ever() -> None:
    asking = "  a: {do: human.ask, with: {prompt: Well?, events: [go]}, on: {go: end, error: end}}"
    assert not is_proved(asking, END)
    assert is_proved(asking.replace("error: end}", "error: end}, after: {1d: end}"), END)


def test_so_may_an_action_that_asks_people_itself() -> None:
    workflow = loads(f"{HEAD}states:\n  a: {{do: work, on: {{go: end, error: end}}}}\n{END}")
    rule = Property("rule", Reaches(("done", "cancelled")))
    assert prove(workflow, [rule]).verdicts[0].outcome is Outcome.PROVED
    assert prove(workflow, [rule], signatures={"work": Signature(asks=True)}).verdicts[0].outcome is not Outcome.PROVED


def test_what_is_reached_in_the_step_that_begins_it_counts() -> None:
    assert verdict(f"  a: {{on: {{go: end}}}}\n{END}", since=("go",)).outcome is Outcome.PROVED


def test_a_cycle_is_shown_that_leaves_the_timer_which_would_end_a_shorter_one() -> None:
    text = (
        "  a: {initial: x, states: {x: {on: {go: y, back: b}}, y: {on: {back: x}}}, after: {1d: end}}\n"
        "  b: {on: {go: a}, after: {1d: end}}"
    )
    found = verdict(f"{text}\n{END}")
    assert found.outcome is Outcome.VIOLATED
    assert "b" in {step.source for step in found.cycle}


@pytest.mark.parametrize("limits", ["visits: {a: 3}", "steps: 9", "wall_time: 9d"])
def test_no_limit_keeps_anybody_from_cancelling_again_and_again(limits: str) -> None:
    again = "  a: {do: wait, with: {for: 1d}, after: {1h: end}, on: {cancel: a, go: end, error: end}}"
    assert not is_proved(again, END, more=f"limits: {{{limits}}}")
