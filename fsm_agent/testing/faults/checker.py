"""Holds what is left of a run against the promises of a store, rule by rule. Pure: evidence in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from fsm_agent.testing.faults import rules_answers as answers
from fsm_agent.testing.faults import rules_effects as holding
from fsm_agent.testing.faults import rules_events as events
from fsm_agent.testing.faults import rules_history as history
from fsm_agent.testing.faults import rules_leases as driving
from fsm_agent.testing.faults import rules_tickets as upkeep
from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.rules_history import Verdicts

#: How many broken instances of one rule are told.
_TOLD: Final = 5

#: promise -> the rules that it consists of
RULES: Final[dict[str, tuple[Callable[[Evidence], Verdicts], ...]]] = {
    "atomic step": (
        history.the_head_is_the_last_step,
        history.keys_lie_with_their_steps,
        upkeep.what_was_said_is_in_the_room_once,
    ),
    "linear history": (
        history.versions_have_no_gap,
        history.each_step_stands_on_the_last,
        history.history_folds_to_the_data,
        history.history_tells_the_head,
        history.acknowledged_steps_stand,
        history.reads_are_prefixes,
        history.reads_are_not_late,
        upkeep.what_is_kept_adds_up,
        upkeep.each_step_of_them_stands_on_the_last,
    ),
    "intake": (
        events.no_event_happens_twice,
        events.no_event_comes_from_nowhere,
        events.refused_events_leave_nothing,
        events.unknown_outcomes_are_told_by_key,
        events.repeats_get_the_first_outcome,
        upkeep.nothing_happens_twice_to_them,
        upkeep.acknowledged_keys_lead_there,
    ),
    "an answer belongs to the question it was given to": (
        answers.answers_reach_their_question,
        answers.questions_are_asked_as_things_stand,
    ),
    "no silent loss": (
        events.acknowledged_events_are_there,
        events.nothing_stays_queued,
        upkeep.what_is_missing_was_deleted,
        upkeep.what_was_remembered_is_known,
        upkeep.what_was_forgotten_is_nowhere,
        upkeep.children_are_joined_whole,
    ),
    "effects": (
        holding.results_are_recorded_once,
        holding.recorded_results_are_not_done_again,
        holding.at_most_once_is_never_twice,
    ),
    "timers": (
        history.timers_are_never_early,
        history.timers_are_armed_with_their_state,
        history.time_never_goes_back,
    ),
    "single writer": (
        holding.one_commit_a_version,
        holding.one_holder_an_epoch,
        holding.stale_epochs_are_refused,
        holding.epochs_only_rise,
    ),
    "nobody is driven twice at once, nobody starves": (
        driving.leases_that_run_are_not_taken,
        driving.nobody_is_held_in_the_end,
        driving.sweeps_end,
    ),
    "resume anywhere": (history.agents_are_at_rest, upkeep.visits_are_at_rest),
    "pinned definition": (history.definitions_stay,),
    "errors in our words": (events.errors_are_ours,),
}


class Broken(NamedTuple):
    """A rule that does not hold, and some of where."""

    promise: str
    rule: str
    times: int
    told: tuple[str, ...]


class Checked(NamedTuple):
    """What became of one promise."""

    held: int
    broken: tuple[Broken, ...]

    @property
    def times_broken(self) -> int:
        return sum(each.times for each in self.broken)


def check(evidence: Evidence) -> dict[str, Checked]:
    """Every promise: how often it was seen to hold, and where not."""
    return {promise: _checked(promise, rules, evidence) for promise, rules in RULES.items()}


def _checked(promise: str, rules: tuple[Callable[[Evidence], Verdicts], ...], evidence: Evidence) -> Checked:
    held, broken = 0, []
    for rule in rules:
        verdicts = list(_verdicts(rule, evidence))
        sentences = [verdict for verdict in verdicts if verdict is not None]
        held += len(verdicts) - len(sentences)
        if sentences:
            broken.append(Broken(promise, rule.__name__, len(sentences), tuple(sentences[:_TOLD])))
    return Checked(held, tuple(broken))


def _verdicts(rule: Callable[[Evidence], Verdicts], evidence: Evidence) -> Verdicts:
    """A history may be so broken that a rule cannot be read off it; that breaks the rule too."""
    try:
        yield from rule(evidence)
    except Exception as error:
        yield f"what is there makes no sense: {error!r}"
