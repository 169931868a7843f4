"""What is true of a kind of step stands in one table."""

from __future__ import annotations

from fsm_agent.domain.step_kind import STEP_KINDS, StepKind


def test_every_kind_has_a_row() -> None:
    assert set(STEP_KINDS) == set(StepKind)


def test_no_two_kinds_are_stored_by_the_same_number() -> None:
    numbers = [facts.number for facts in STEP_KINDS.values()]
    assert sorted(numbers) == list(range(1, len(StepKind) + 1))


def test_what_follows_a_transition_brings_nothing_in_and_what_stays_does_neither() -> None:
    for kind, facts in STEP_KINDS.items():
        assert facts.follows_transition + facts.restores + facts.stays <= 1, kind
