"""Coverage is what histories tell: which candidate was taken, and how states fared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fsm_agent.domain.decision import Taken
from fsm_agent.domain.leaf_transition import DeclaredTransition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.leaf_moves import leaf_moves
from fsm_agent.engine.machine import Machine
from fsm_agent.engine.replay.taken import taken_by
from fsm_agent.loading.yaml_file import loads
from fsm_agent.render.formats import draw
from fsm_agent.report.coverage import Coverage, Tally, Tracker, coverage
from fsm_agent.report.heat import heat
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.scripted.tours import tours
from fsm_agent.testing import Play, cancels, fails, passes, play, says, sent
from tests.proof.random_properties import example

CLAIMS = """
workflow: claims
version: 1
data: {amount: {type: integer, default: 0}, tries: {type: integer, default: 0}}
events: {claim: {amount: integer}, judged: {}, again: {}, approve: {}}
initial: open
on: {cancel: withdrawn}
states:
  open:
    on:
      claim:
        - {when: event.amount > 100, target: judging, assign: {amount: event.amount}}
        - {when: event.amount > 10, target: judging, assign: {amount: event.amount}}
        - paid
  judging:
    do: judge
    timeout: 1m
    on:
      judged: asking
      again:
        - {when: data.tries < 2, target: judging, assign: {tries: data.tries + 1}}
        - {when: data.tries < 9, target: judging}
        - rejected
      error: rejected
  asking:
    ask: {prompt: "Pay {{ data.amount }}?", events: [approve]}
    on: {approve: paid}
    after: {1d: {}, 3d: rejected}
  paid: {final: true}
  rejected: {final: true, outcome: failed}
  withdrawn: {final: true, outcome: cancelled}
"""
LIVES = [
    [sent("claim", amount=5)],
    [sent("claim", amount=50), passes("30s"), says("judged"), passes("2h"), sent("approve")],
    [sent("claim", amount=500), passes("10s"), says("judged"), passes("3d")],
    [sent("claim", amount=500), fails()],
    [sent("claim", amount=500), passes("2m")],
    [sent("claim", amount=20), cancels()],
    [sent("claim", amount=20), passes("20s"), says("judged")],
    [],
]


def counted(workflow: Workflow, lives: list[Play]) -> Coverage:
    tally = Tally(workflow)
    for number, life in enumerate(lives):
        past = life.past
        tracker = Tracker(past.beginning(), {workflow.hash: tally})
        for step in past.steps:
            tracker.follow(step)
        tally.agents = {*tally.agents - {"play"}, str(number)}
        tally.stands(past.record.head)
    return coverage(tally)


def test_what_is_counted_by_hand_is_counted() -> None:
    workflow = loads(CLAIMS)
    told = counted(workflow, [play(workflow, moves) for moves in LIVES])
    taken = {str(each.declared): each.taken for each in told.transitions}
    assert taken == {
        "workflow: cancel (1)": 1,
        "open: claim (1)": 3,
        "open: claim (2)": 3,
        "open: claim (3)": 1,
        "judging: judged (1)": 3,
        "judging: again (1)": 0,
        "judging: again (2)": 0,
        "judging: again (3)": 0,
        "judging: error (1)": 2,  # one failure, and one that took too long
        "asking: approve (1)": 1,
        "asking: after 1d (1)": 1,
        "asking: after 3d (1)": 1,
    }
    assert (told.agents, told.taken, len(told.transitions)) == (8, 9, 12)
    by_path = {each.path: each for each in told.states}
    assert {path: each.visits for path, each in by_path.items()} == {
        "open": 8, "judging": 6, "asking": 3, "paid": 2, "rejected": 3, "withdrawn": 1,
    }  # fmt: skip
    assert {path: each.here for path, each in by_path.items() if each.here} == {"open": 1, "asking": 1}
    assert by_path["judging"].errors == 2
    # 30 s, 10 s, 0 s, 60 s, 0 s, 20 s
    assert (by_path["judging"].dwell_p50_ms, by_path["judging"].dwell_p95_ms) == (10_000, 60_000)
    assert (by_path["asking"].dwell_p50_ms, by_path["asking"].dwell_p95_ms) == (7_200_000, 259_200_000)


def test_one_transition_counts_in_each_leaf_that_inherits_it() -> None:
    workflow = loads(CLAIMS)
    told = counted(workflow, [play(workflow, moves) for moves in LIVES])
    (cancel,) = [each for each in told.transitions if each.declared == DeclaredTransition("", "cancel", 1)]
    assert (cancel.leaves, cancel.reached) == ({"open": 0, "judging": 1, "asking": 0}, 1)


def test_what_the_history_does_not_tell_is_told_as_that() -> None:
    """The action has counted in a field that the first candidate overwrites, and its guard has read it."""
    workflow = loads(CLAIMS)
    life = play(workflow, [sent("claim", amount=50), says("again", data={"tries": 1})])
    told = counted(workflow, [life])
    again = {
        each.declared.number: (each.taken, each.perhaps) for each in told.transitions if each.declared.event == "again"
    }
    assert again == {1: (0, 1), 2: (0, 1), 3: (0, 0)}
    sure = counted(workflow, [play(workflow, [sent("claim", amount=50), says("again", data={"tries": 20})])])
    assert [each.taken for each in sure.transitions if each.declared.event == "again"] == [0, 0, 1]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_the_true_candidate_is_always_among_those_that_a_history_tells(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held against what the engine has decided, step by step."""
    tried = example(seed)
    found = tours(tried.workflow, signatures=tried.signatures).tours
    decided = spied(monkeypatch)
    for tour in found:
        decided.clear()
        past = play(tried.workflow, tour.moves, data=tour.data).past
        life = past.beginning()
        for step in past.steps:
            names = taken_by(life, step)
            if names:
                assert decided[step.version] in names
            life.take(step)


def spied(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """Version -> the transition that the machine has decided for right before the step was committed."""
    decided: dict[int, Any] = {}
    last: list[Any] = [None]
    decide: Callable[..., Any] = Machine.decide
    commit: Callable[..., Any] = CommandLoop._commit

    def deciding(machine: Machine, state: str, event: str, context: Any) -> Any:
        decision = decide(machine, state, event, context)
        if isinstance(decision, Taken):
            last[0] = next(each.name for each in leaf_moves(machine, state) if each.move is decision.move)
        return decision

    async def committing(loop: CommandLoop, command: Any) -> Any:
        decided[command.step.version] = last[0]
        return await commit(loop, command)

    monkeypatch.setattr(Machine, "decide", deciding)
    monkeypatch.setattr(CommandLoop, "_commit", committing)
    return decided


def test_heat_says_at_each_transition_how_often_it_was_taken() -> None:
    workflow = loads(CLAIMS)
    told = counted(workflow, [play(workflow, moves) for moves in LIVES])
    for text in (
        draw(workflow, "dot", overlay=heat(told)).decode(),
        draw(workflow, "mermaid", overlay=heat(told)).decode(),
    ):
        assert "8 agents, 9 of 12 transitions taken" in text
        assert "3\N{MULTIPLICATION SIGN}" in text
        assert "never" in text
        assert "p50 10.0 s, p95 1 min" in text
    dot = draw(workflow, "dot", overlay=heat(told)).decode()
    (paid,) = [line for line in dot.splitlines() if line.strip().startswith('"state-paid"')]
    assert "heat-2" in paid
