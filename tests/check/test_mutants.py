"""Small changes of a workflow: which there are, and who notices them."""

from __future__ import annotations

import pytest

from fsm_agent.check.document_checks import examine
from fsm_agent.check.mutants import CHECK, judged
from fsm_agent.check.mutations import mutations
from fsm_agent.loading.yaml_file import load, loads
from tests.examples.test_gallery import GALLERY

FLOW = loads("""
workflow: refunds
version: 1
data: {paid: {type: integer, default: 0}, note: {type: string, default: ""}}
events: {asked: {amount: integer}, approve: {}}
initial: open
limits: {steps: 9}
states:
  open:
    on:
      asked:
        - {when: event.amount > 100, target: asking}
        - {target: refunding, assign: {paid: event.amount}}
  asking:
    ask: {prompt: "Refund?", to: '"ana"', events: [approve]}
    after: {3d: rejected}
    on: {approve: refunding}
  refunding: {final: true}
  rejected: {final: true, outcome: failed}
must:
  late_is_no: {never: refunding, after: after 3d}
  decided: {from: asking, reaches: [refunding, rejected, cancelled], within: 3d}
""")
CHANGES = [
    ("initial", "it begins in `asking`", CHECK),
    ("limits.steps", "the limit of steps is left out", ""),
    ("states.open.on.asked.0", "`asked` to `asking` is left out", CHECK),
    ("states.open.on.asked.0.target", "`asked` leads to `refunding`, not to `asking`", CHECK),
    ("states.open.on.asked.0.target", "`asked` leads to `open`, not to `asking`", CHECK),
    ("states.open.on.asked.0.target", "`asked` leads nowhere, not to `asking`", CHECK),
    ("states.open.on.asked.0.when", "`asked` has no guard: `event.amount > 100`", CHECK),
    ("states.open.on.asked.0.when", "the guard of `asked` is negated: `!(event.amount > 100)`", ""),
    ("states.open.on.asked.0.when", "the guard of `asked` has `>=` instead of `>` in `event.amount > 100`", ""),
    ("states.open.on.asked.0.when", "the guard of `asked` has `101` instead of `100` in `event.amount > 100`", ""),
    ("states.open.on.asked.1", "`asked` to `refunding` is left out", ""),
    ("states.open.on.asked.1.target", "`asked` leads to `rejected`, not to `refunding`", ""),
    ("states.open.on.asked.1.target", "`asked` leads to `asking`, not to `refunding`", ""),
    ("states.open.on.asked.1.target", "`asked` leads nowhere, not to `refunding`", ""),
    ("states.open.on.asked.1.assign.paid", "`asked` does not set `paid`", ""),
    ("states.open.on.asked.0", "two transitions of `asked` change places", CHECK),
    ("states.asking.ask.to", "the question of `asking` is for anybody", ""),
    ("states.asking.on.approve", "`approve` to `refunding` is left out", CHECK),
    ("states.asking.on.approve.0.target", "`approve` leads to `rejected`, not to `refunding`", ""),
    ("states.asking.on.approve.0.target", "`approve` leads to `asking`, not to `refunding`", "decided"),
    ("states.asking.on.approve.0.target", "`approve` leads nowhere, not to `refunding`", ""),
    ("states.asking.after.3d", "the timer 3d is left out", CHECK),
    ("states.asking.after.3d", "the timer 3d takes 3m", CHECK),
    ("states.asking.after.3d.0.target", "the timer 3d leads to `refunding`, not to `rejected`", CHECK),
    ("states.asking.after.3d.0.target", "the timer 3d leads to `asking`, not to `rejected`", CHECK),
    ("states.asking.after.3d.0.target", "the timer 3d leads nowhere, not to `rejected`", CHECK),
    ("states.refunding.outcome", "`refunding` is failed", ""),
    ("states.rejected.outcome", "`rejected` is done", ""),
]


def test_each_change_is_noticed_by_whom_it_concerns() -> None:
    mutants = judged(FLOW, {})
    found = [(".".join(map(str, each.path)), each.change, each.noticed_by) for each in mutants.all]
    assert found == CHANGES
    assert (len(mutants.all), mutants.by_check, mutants.by_properties) == (28, 13, 1)
    assert [each.change for each in mutants.survivors] == [change for _, change, by in CHANGES if not by]


def test_what_changes_nothing_is_left_out() -> None:
    same = loads("""
workflow: w
version: 1
events: {go: {}, back: {}}
initial: a
states:
  a: {on: {go: [{when: "1 < 2", target: b}, {when: "1 < 2", target: b}]}}
  b: {on: {back: done, go: done}}
  done: {final: true}
""")
    mutants = judged(same, {})
    swapped = "two transitions of `go` change places"
    assert mutants.equivalent >= 1
    assert swapped not in [each.change for each in mutants.all]
    assert swapped in [each.change for each in mutations(same)]


@pytest.mark.long
def test_every_mutant_is_another_workflow() -> None:
    workflow = load(GALLERY["tidy_repo"])
    drafts = [examine(each.document)[0] for each in mutations(workflow)]
    hashes = [draft.hash for draft in drafts if draft is not None]
    assert workflow.hash not in hashes
    assert len(hashes) > 60


def test_an_order_is_kept_by_whoever_shares_the_work() -> None:
    seen: list[int] = []

    def backwards(judge, mutations):  # type: ignore[no-untyped-def]
        found = [judge(each) for each in reversed(mutations)]
        seen.append(len(found))
        return found[::-1]

    assert judged(FLOW, {}, backwards) == judged(FLOW, {})
    assert seen == [28]
