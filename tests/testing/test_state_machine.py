"""The Hypothesis machine of a workflow: it finds what is broken, and lets pass what is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from fsm_agent import Context, action
from fsm_agent.domain.decision import Decision, EvaluationContext, Taken
from fsm_agent.engine.machine import Machine
from fsm_agent.loading.yaml_file import load, loads
from fsm_agent.testing import machine, state_machine
from fsm_agent.testing.state_machine import WorkflowMachine

WORKFLOWS = Path(__file__).parents[2] / "workflows"
REFUNDS = """
workflow: refunds
version: 1
data: {amount: {type: integer, minimum: 0, default: 0}, checked: {type: boolean, default: false}}
events:
  asked: {amount: {type: integer, minimum: 0}}
  fine: {}
  approve: {}
initial: open
states:
  open:
    on:
      asked:
        - {when: event.amount > 1000, target: asking, assign: {amount: event.amount}}
        - {target: checking, assign: {amount: event.amount}}
  checking:
    do: check
    timeout: 1m
    on: {fine: refunding, error: asking}
  asking:
    ask: {prompt: "Refund {{ data.amount }}?", events: [approve]}
    on: {approve: refunding}
    after: {3d: expired}
  refunding: {do: refund, on: {fine: done, error: asking}}
  done: {final: true}
  expired: {final: true, outcome: cancelled}
must:
"""
KEPT = "  asked_or_checked: {never: refunding, before: [approve, fine]}\n"
BROKEN = "  approved: {never: refunding, from: asking, until: approve}\n  refunded_once: {at_most: 1, of: refunding}\n"


def run(kind: type[WorkflowMachine], *, lives: int = 40) -> None:
    chosen = settings(
        max_examples=lives,
        stateful_step_count=10,
        deadline=None,
        database=None,
        derandomize=True,
        phases=state_machine.PHASES,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(kind, settings=chosen)


def test_a_workflow_that_keeps_its_properties_passes() -> None:
    run(machine(loads(REFUNDS + KEPT)))


@pytest.mark.parametrize("name", ["expense_approval", "support_triage", "tidy_repo"])
def test_the_gallery_passes(name: str) -> None:
    run(machine(load(WORKFLOWS / f"{name}.yaml")), lives=10)


def test_a_seeded_defect_is_found_and_told_as_a_play() -> None:
    with pytest.raises(AssertionError) as found:
        run(machine(loads(REFUNDS + BROKEN)))
    said = str(found.value)
    assert "it breaks the property refunded_once" in said
    assert "play(..., [sent('asked', amount=" in said
    assert said.count("fails()") == 1  # the shortest way: refunded, failed, approved, refunded again
    assert said.count("says(") + said.count("sent(") == 3


def test_a_step_that_no_transition_declares_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine itself is broken here: whatever is sent, it also takes what is declared for somebody else."""
    decide = Machine.decide

    def astray(self: Machine, state: str, event: str, context: EvaluationContext) -> Decision:
        decision = decide(self, state, event, context)
        if event == "asked" and isinstance(decision, Taken):
            return Taken(decision.move._replace(target="done", entered=("done",)))
        return decision

    kind = machine(loads(REFUNDS + KEPT))
    monkeypatch.setattr(Machine, "decide", astray)
    with pytest.raises(AssertionError, match="goes from open to done by no declared transition"):
        run(kind, lives=20)


def test_the_search_for_a_shorter_life_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_machine, "MOST_TRIES", 0)
    with pytest.raises(AssertionError, match="refunded_once") as found:
        run(machine(loads(REFUNDS + BROKEN)))
    assert str(found.value).count("fails()") >= 1


def test_what_is_said_of_actions_bounds_what_they_do() -> None:
    @action(emits=["fine"])
    def refund(ctx: Context) -> str:
        return "fine"

    @action(emits=["fine"], writes=["checked"])
    def check(ctx: Context) -> str:
        return "fine"

    kind = machine(loads(REFUNDS + KEPT), actions=[refund, check])
    assert kind.__name__ == "RefundsMachine"
    assert kind._model.surroundings("checking").writes == ("checked",)
    assert kind._model.surroundings("refunding").sent_at_work == ()
    run(kind, lives=10)


def test_it_is_a_test_case_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "refunds.yaml").write_text(REFUNDS + BROKEN, encoding="utf-8")
    (tmp_path / "test_refunds.py").write_text(
        "from hypothesis import settings\n"
        "from fsm_agent import testing\n\n"
        'TestRefunds = testing.machine("refunds.yaml").TestCase\n'
        "TestRefunds.settings = settings(TestRefunds.settings, max_examples=60, derandomize=True)\n",
        encoding="utf-8",
    )
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "it breaks the property refunded_once" in done.stdout


def test_without_hypothesis_it_says_what_is_missing(tmp_path: Path) -> None:
    program = "import sys\nsys.modules['hypothesis'] = None\nfrom fsm_agent import testing\ntesting.machine('x.yaml')\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "fsm_agent.testing.machine needs Hypothesis, which is not installed: pip install hypothesis" in done.stderr
    assert "ModuleNotFoundError" in done.stderr
