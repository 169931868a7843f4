"""Checks the evidence of a run against the promises of a store, rule by rule. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from fsm_agent.testing.faults import rules_answers as answers
from fsm_agent.testing.faults import rules_effects as effects
from fsm_agent.testing.faults import rules_events as events
from fsm_agent.testing.faults import rules_history as history
from fsm_agent.testing.faults import rules_leases as leases
from fsm_agent.testing.faults import rules_lists as lists
from fsm_agent.testing.faults import rules_tickets as tickets
from fsm_agent.testing.faults.evidence import Evidence
from fsm_agent.testing.faults.rules_history import RuleResults

#: How many violations of one rule are shown.
_MOST_EXAMPLES: Final = 5

#: promise -> the rules that it consists of
RULES: Final[dict[str, tuple[Callable[[Evidence], RuleResults], ...]]] = {
    "atomic step": (
        history.the_head_is_the_last_step,
        history.keys_lead_to_their_steps,
        tickets.messages_stand_in_the_shared_thread_once,
    ),
    "linear history": (
        history.versions_have_no_gap,
        history.each_step_stands_on_the_last,
        history.history_folds_to_the_data,
        history.history_replays_to_the_head,
        history.acknowledged_steps_stand,
        history.reads_are_prefixes,
        history.reads_are_not_late,
        tickets.ticket_histories_fold_and_replay,
        tickets.ticket_steps_are_linear,
    ),
    "intake": (
        events.no_event_happens_twice,
        events.no_event_comes_from_nowhere,
        events.refused_events_leave_nothing,
        events.unknown_outcomes_are_told_by_key,
        events.repeats_get_the_first_outcome,
        tickets.no_ticket_event_happens_twice,
        tickets.acknowledged_ticket_keys_are_known,
    ),
    "an answer belongs to the question it was given to": (
        answers.answers_reach_their_question,
        answers.questions_follow_the_data,
    ),
    "lists have everybody who belongs to them": (
        lists.heads_never_go_back,
        lists.inboxes_have_the_open_questions,
        lists.lists_have_everybody,
    ),
    "no silent loss": (
        events.acknowledged_events_are_there,
        events.nothing_stays_queued,
        tickets.missing_tickets_were_deleted,
        tickets.saved_user_values_are_there,
        tickets.words_of_forgotten_users_are_gone,
        tickets.all_children_are_joined,
    ),
    "effects": (
        effects.results_are_recorded_once,
        effects.recorded_results_are_not_done_again,
        effects.at_most_once_is_never_twice,
    ),
    "timers": (
        history.timers_are_never_early,
        history.timers_are_armed_with_their_state,
        history.time_never_goes_back,
    ),
    "single writer": (
        leases.one_commit_a_version,
        leases.one_holder_an_epoch,
        leases.stale_epochs_are_refused,
        leases.epochs_only_rise,
    ),
    "nobody is driven twice at once, nobody starves": (
        leases.running_leases_are_not_taken,
        leases.takes_leave_running_leases,
        leases.no_lease_is_left_over,
        leases.sweeps_do_not_repeat_claims,
    ),
    "resume anywhere": (history.orders_are_at_rest, tickets.tickets_are_at_rest),
    "pinned definition": (history.definitions_stay,),
    "errors in our words": (events.errors_are_ours,),
}


class Broken(NamedTuple):
    """A rule that does not hold, and some examples."""

    promise: str
    rule: str
    times: int
    examples: tuple[str, ...]


class Checked(NamedTuple):
    """How often a promise was seen to hold, and where it is broken."""

    held: int
    broken: tuple[Broken, ...]

    @property
    def times_broken(self) -> int:
        return sum(each.times for each in self.broken)


def check(evidence: Evidence) -> dict[str, Checked]:
    """Check every promise."""
    return {promise: _checked(promise, rules, evidence) for promise, rules in RULES.items()}


def _checked(promise: str, rules: tuple[Callable[[Evidence], RuleResults], ...], evidence: Evidence) -> Checked:
    held, broken = 0, []
    for rule in rules:
        results = list(_results(rule, evidence))
        violations = [result for result in results if result is not None]
        held += len(results) - len(violations)
        if violations:
            broken.append(Broken(promise, rule.__name__, len(violations), tuple(violations[:_MOST_EXAMPLES])))
    return Checked(held, tuple(broken))


def _results(rule: Callable[[Evidence], RuleResults], evidence: Evidence) -> RuleResults:
    """A history may be so broken that the rule raises an error; that breaks the rule too."""
    try:
        yield from rule(evidence)
    except Exception as error:
        yield f"the evidence makes no sense: {error!r}"
