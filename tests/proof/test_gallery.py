"""Real workflows, and large ones: what is proved of them, and how soon."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Rule, Whenever
from fsm_agent.domain.state import Duration, State, Timer, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import load
from fsm_agent.proof.prover import prove
from fsm_agent.proof.verdicts import Outcome

WORKFLOWS = Path(__file__).parents[2] / "workflows"
PROVED: list[tuple[str, Rule]] = [
    ("book_flight", Never(("executing.booking",), before=("input_received",))),
    ("book_flight", Reaches(("planning", "executing", "cancelled"), since=("waiting_feedback",))),
    ("book_flight", Never(("waiting_feedback",), after=("executing.issuing",))),
    ("deep_research", Never(("reviewing",), before=("written",))),
    ("expense_approval", Whenever(("approve",), "event.by != data.author")),
    ("expense_approval", AtMost(1, ("enter_in_ledger",))),
    ("support_triage", Never(("refunding",), before=("approved", "refund"))),
    ("support_triage", Reaches(("answered", "unanswered", "cancelled"), since=("ticket",))),
    ("tidy_repo", Never(("fixing",), since=("found_unsafe",), until=("decided",))),
]


@pytest.mark.parametrize(("name", "rule"), PROVED, ids=str)
def test_what_a_reviewer_would_ask_of_the_gallery_is_proved(name: str, rule: Rule) -> None:
    (verdict,) = prove(load(WORKFLOWS / f"{name}.yaml"), [Property("rule", rule)]).verdicts
    assert verdict.outcome is Outcome.PROVED, verdict


def large(states: int) -> Workflow:
    """A long way on which agents go back and forth, with data that decide."""
    random = Random(1)  # noqa: S311 - nothing secret
    names = [f"s{number}" for number in range(states)]
    made = []
    for number, name in enumerate(names):
        following = names[number + 1] if number < states - 1 else "done"
        near = names[min(states - 1, max(0, number + random.randint(-20, 20)))]
        guard, assign = (
            random.choice(["data.ok", "data.n < 2", None, None]),
            random.choice([{"ok": True}, {"n": 0}, {}]),
        )
        go = (Transition(following, when=guard), Transition(near, assign=assign))
        do = random.choice(["work", None])
        timers = () if do else (Timer(Duration.parse("3d"), (Transition(following),)),)
        made.append(State(name, do=do, on={"go": go, "back": (Transition(near),)}, after=timers))
    ends = (State("done", final=True), State("gone", final=True, outcome="cancelled"))
    return Workflow(
        "large",
        1,
        "s0",
        (*made, *ends),
        data={"ok": {"type": "boolean"}, "n": {"type": "integer", "minimum": 0, "maximum": 3}},
        events={"go": {}, "back": {}},
        on={"error": (Transition("gone"),), "cancel": (Transition("gone"),)},
    )


def test_a_large_workflow_has_no_more_states_than_its_leaves_need() -> None:
    rules = [Never(("s5",), after=("s199",)), AtMost(2, ("done",)), Never(("s60",))]
    proof = prove(large(200), [Property(str(rule), rule) for rule in rules])
    assert [verdict.outcome for verdict in proof.verdicts[1:]] == [Outcome.PROVED, Outcome.VIOLATED]
    assert proof.is_complete
    assert proof.states < 200 * 30
