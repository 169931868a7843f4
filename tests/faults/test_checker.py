"""Each rule of the checker has a history that breaks it, and that one alone; a sound one breaks none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fsm_agent.domain.agent import ArmedTimer, Status
from fsm_agent.domain.question import Asked
from fsm_agent.domain.step import Delta, Event, KeyOutcome, Queued
from fsm_agent.runtime.scripted.clock import NEW_YEAR_MS
from fsm_agent.testing.faults.checker import RULES, check
from fsm_agent.testing.faults.digests import digest_of_steps, digest_of_values
from fsm_agent.testing.faults.evidence import Evidence, Lists
from fsm_agent.testing.faults.journal import Entry
from fsm_agent.testing.faults.order_workload import order_workflow

from .evidence import (
    AGENT,
    a_claim,
    a_commit,
    a_renewal,
    a_send,
    a_step,
    a_take,
    an_agent,
    an_effect,
    an_end,
    an_entry,
    evidence,
    keys,
    steps,
)
from .ticket_evidence import (
    BROKEN_TICKETS,
    a_child,
    claim_entry,
    forget_entry,
    shortened,
    sound_tickets,
    ticket_evidence,
    two_holders,
)

QUEUED = Queued(1, Event("note", {"token": "q"}, key="q"), 2)


def broken(found: Evidence) -> dict[str, list[str]]:
    """Rule -> what it says is wrong."""
    return {each.rule: list(each.examples) for checked in check(found).values() for each in checked.broken}


def with_step(number: int, **changes: object) -> Evidence:
    """One step of a sound history is different."""
    history = steps()
    history[number - 1] = history[number - 1]._replace(**changes)
    return evidence(kept=an_agent(history))


def read(version: int, digest: str) -> Evidence:
    return evidence(an_entry("history", reply={"version": version, "digest": digest}))


def effect_begun_again() -> Evidence:
    begin = {"key": "k", "epoch": 1, "mode": "idempotent", "again": True}
    again = an_entry("begin_effect", at=9, facts=begin, reply={"granted": True, "recorded": False})
    return evidence(an_end(at=2), again, kept=an_agent(effects=(an_effect(),)), executions={"k": ["idempotent"]})


def fired_timer(at_ms: int, *, again: bool = False) -> Evidence:
    """An agent asks from second 2 on; its timer of 2 s fires."""
    entered = a_step(2, "ask", to="asking", source="idle", entered=1)
    fired = a_step(3, "after", payload={"after": "2s"}, source="asking", target="asking", at_ms=at_ms)
    history = [*steps(1), entered, fired]
    if again:
        history.append(fired._replace(version=4))
    asked = Asked(f"Go on after {len(history) - 1}?", id=len(history))  # since each of these steps notes something
    return evidence(kept=an_agent(history, head={"asked": asked}))


def sound_entries() -> list[object]:
    """A refused event that another client sent too, an unknown outcome, a repeat, a claim, a step of the claimer."""
    return [
        a_send("t2", key="t2", drive=False, version=2),
        a_send("t2", "refused", key="t2"),
        a_send("t2", key="t2", delivery="duplicate"),
        a_send("t3", "lost", key="t3"),
        a_send("never", "failed", key="never"),
        a_send("no", "refused"),
        a_commit(2, at=10),
        a_claim(2, at=20, writer="v"),
        a_commit(3, at=30, epoch=2, given=2, writer="v"),
        an_entry(
            "get",
            at=40,
            reply={"version": 3, "state": "idle", "workflow_version": 1, "digest": DATA_AT_3, "asked": None},
        ),
        an_entry("history", at=40, reply={"version": 4, "digest": digest_of_steps(steps())[3]}),
        an_end(at=5),
        heads_read(3, at=35),
        inbox(at=36),
        a_renewal(2, at=41, writer="v"),
        a_take(3, at=45, now_ms=299, agents=(AGENT, "other")),
        a_renewal(2, at=50, writer="v", is_held=False),
    ]


def answered_question(question: int, asked: object = (3, "Go on after 2?")) -> Evidence:
    """An agent asks from version 2 on, and anew from version 3 on, since the data changed; the answer is version 4."""
    asking = a_step(2, "ask", to="asking", source="idle", entered=1)
    history = [*steps(1), asking, a_step(3, to="asking"), a_step(4, "reply", source="asking", entered=1)]
    facts = {"event": "reply", "token": "t4", "key": None, "drive": True, "question": question}
    answer = an_entry("answer", facts=facts, reply={"delivery": "applied", "version": 4})
    seen = {"version": 3, "state": "asking", "workflow_version": 1, "digest": DATA_AT_3, "asked": asked and list(asked)}  # type: ignore[call-overload]
    return evidence(answer, an_entry("get", reply=seen), kept=an_agent(history))


def heads_read(version: int, *, at: int = 9) -> Entry:
    return an_entry("heads", at=at, facts={"agents": [AGENT]}, reply={"versions": {AGENT: version}})


def inbox(*asked: object, to: str | None = None, at: int = 9, is_all: bool = True) -> Entry:
    """Who reads it finds these questions; with none, that nobody asks."""
    told = {AGENT: list(asked)} if asked else {}
    return an_entry("inbox", at=at, facts={"to": to}, reply={"asked": told, "is_all": is_all})


def asking_agent(*entries: Entry, lists: Lists | None = None) -> Evidence:
    """An agent asks from version 2 on, anew from version 3 on, and is answered by version 4."""
    asking = a_step(2, "ask", to="asking", source="idle", entered=1)
    history = [*steps(1), asking, a_step(3, to="asking"), a_step(4, "reply", source="asking", entered=1)]
    created = an_entry("create", facts={"version": 1, "definition": order_workflow(1).hash}, reply={"epoch": 1})
    commits = [
        a_commit(version, at=10 * version, epoch=1)._replace(
            facts={**a_commit(version).facts, "event": history[version - 1].event}
        )
        for version in (2, 3, 4)
    ]
    return evidence(created, *commits, *entries, kept=an_agent(history), lists=lists)


SOUND_LISTS = Lists(newest=(AGENT,), counted=1, serving={"ana": ()})

DATA_AT_3 = digest_of_values({"log": ["t2", "t3"], "worked": 0, "sums": {}, "receipt": None})


def sound() -> Evidence:
    outcomes = {"t3": KeyOutcome(3, "f"), "never": None}
    kept = replace(an_agent(keys=keys(t2=2, t3=3), effects=(an_effect(),)), outcomes=outcomes)
    return evidence(*sound_entries(), kept=kept, executions={"k": ["at_most_once"]}, lists=SOUND_LISTS)  # type: ignore[arg-type]


def test_a_sound_run_breaks_no_rule_and_is_seen_to_hold() -> None:
    assert broken(sound()) == {}
    assert all(checked.held for promise, checked in check(sound()).items() if promise != "errors in our words")


#: rule -> evidence that breaks it
BROKEN: dict[str, Callable[[], Evidence]] = {
    "the_head_is_the_last_step": lambda: evidence(kept=an_agent(head={"version": 5})),
    "keys_lead_to_their_steps": lambda: evidence(a_send("t2", key="t2"), kept=an_agent(keys=keys(t2=3))),
    "versions_have_no_gap": lambda: evidence(kept=an_agent([*steps(3), a_step(5)])),
    "each_step_stands_on_the_last": lambda: with_step(3, source="working"),
    "history_folds_to_the_data": lambda: evidence(kept=replace(an_agent(), values={"log": ["t2"]})),
    "history_replays_to_the_head": lambda: evidence(kept=replace(an_agent(), mismatches=("version 3: odd",))),
    "acknowledged_steps_stand": lambda: evidence(a_commit(3), a_commit(7, at=9)),
    "reads_are_prefixes": lambda: read(2, "of another history"),
    "reads_are_not_late": lambda: evidence(
        a_commit(3, at=1), an_entry("history", at=9, reply={"version": 2, "digest": digest_of_steps(steps())[1]})
    ),
    "no_event_happens_twice": lambda: with_step(4, payload={"token": "t2"}, delta=Delta(append={"log": ["t2"]})),
    "no_event_comes_from_nowhere": lambda: replace(evidence(), logs=()),
    "refused_events_leave_nothing": lambda: evidence(a_send("t2", "refused")),
    "unknown_outcomes_are_told_by_key": lambda: evidence(
        a_send("t2", "lost", key="t2"), kept=replace(an_agent(keys=keys(t2=2)), outcomes={"t2": None})
    ),
    "repeats_get_the_first_outcome": lambda: evidence(a_send("gone", delivery="duplicate")),
    "acknowledged_events_are_there": lambda: evidence(a_send("gone")),
    "nothing_stays_queued": lambda: evidence(a_send("q", key="q"), kept=an_agent(queue=(QUEUED,), keys=keys(q=None))),
    "results_are_recorded_once": lambda: evidence(
        an_end(), an_end(at=9), kept=an_agent(effects=(an_effect(),)), executions={"k": ["idempotent"]}
    ),
    "recorded_results_are_not_done_again": effect_begun_again,
    "at_most_once_is_never_twice": lambda: evidence(executions={"k": ["at_most_once", "at_most_once"]}),
    "timers_are_never_early": lambda: fired_timer(NEW_YEAR_MS + 3_999),
    "timers_are_armed_with_their_state": lambda: evidence(
        kept=an_agent(head={"timers": (ArmedTimer("asking", "2s", NEW_YEAR_MS),)})
    ),
    "time_never_goes_back": lambda: evidence(notes=[("clock", {"was": 2, "is": 1})]),
    "one_commit_a_version": lambda: evidence(a_commit(3), a_commit(3, at=9)),
    "one_holder_an_epoch": lambda: evidence(a_claim(2), a_commit(3, epoch=2, given=2, at=9, writer="v")),
    "takes_leave_running_leases": lambda: evidence(a_take(2), a_take(3, at=9, now_ms=198, writer="v")),
    "stale_epochs_are_refused": lambda: evidence(a_claim(2, writer="v"), a_commit(3, at=9)),
    "epochs_only_rise": lambda: evidence(a_commit(2, given=3), a_commit(3, given=2, at=9)),
    "orders_are_at_rest": lambda: evidence(kept=an_agent(head={"status": Status.RUNNING})),
    "definitions_stay": lambda: evidence(
        an_entry("create", facts={"version": 1, "definition": order_workflow(2).hash}, reply={"epoch": 1})
    ),
    "errors_are_ours": lambda: evidence(an_entry("get", "broken", reply={"type": "KeyError", "why": "'x'"})),
    "heads_never_go_back": lambda: evidence(a_commit(3), heads_read(2)),
    "inboxes_have_the_open_questions": lambda: asking_agent(inbox(at=35)),
    "lists_have_everybody": lambda: evidence(lists=SOUND_LISTS._replace(asking=(AGENT,))),
    "answers_reach_their_question": lambda: answered_question(2),
    "questions_follow_the_data": lambda: answered_question(3, (2, "Go on after 1?")),
    **BROKEN_TICKETS,
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_is_broken_by_what_it_forbids(rule: str) -> None:
    assert rule in broken(BROKEN[rule]())


def test_every_rule_has_evidence_that_breaks_it() -> None:
    assert {rule.__name__ for rules in RULES.values() for rule in rules} == set(BROKEN)


#: rule -> the other rules that its evidence must break too
SIDE_EFFECTS = {
    "versions_have_no_gap": {"the_head_is_the_last_step"},
    "no_event_happens_twice": {"acknowledged_events_are_there"},
    "nothing_stays_queued": {"orders_are_at_rest", "acknowledged_events_are_there"},
    "repeats_get_the_first_outcome": {"acknowledged_events_are_there"},
}


@pytest.mark.parametrize("rule", sorted(set(BROKEN) - set(SIDE_EFFECTS)))
def test_it_breaks_alone(rule: str) -> None:
    assert set(broken(BROKEN[rule]())) == {rule}


def test_a_timer_may_fire_when_it_is_due_and_only_once() -> None:
    assert broken(fired_timer(NEW_YEAR_MS + 4_000)) == {}
    assert set(broken(fired_timer(NEW_YEAR_MS + 4_000, again=True))) == {"timers_are_never_early"}


def test_a_parked_agent_may_keep_what_is_queued() -> None:
    parked = an_agent(head={"status": Status.PARKED}, queue=(QUEUED,), keys=keys(q=None))
    assert broken(evidence(a_send("q", key="q", delivery="queued"), kept=parked)) == {}


def test_what_an_acknowledgement_says_of_the_version_is_held_against_the_history() -> None:
    told = a_send("t2", drive=False, version=3)
    assert set(broken(evidence(told))) == {"acknowledged_events_are_there"}


def test_a_history_that_makes_no_sense_breaks_a_rule_and_no_program() -> None:
    kept = an_agent()
    history = (*kept.steps[:1], kept.steps[1]._replace(delta=Delta(remove=("nowhere",))))
    senseless = replace(kept, export=kept.export._replace(steps=history))
    [sentence] = broken(evidence(kept=senseless))["history_folds_to_the_data"]
    assert sentence == "the evidence makes no sense: KeyError('nowhere')"


def test_sound_tickets_break_no_rule_and_are_seen_to_hold() -> None:
    assert broken(sound_tickets()) == {}
    assert broken(ticket_evidence(kept=shortened())) == {}


def test_an_answer_to_what_is_asked_is_sound() -> None:
    assert broken(answered_question(3)) == {}


FOUND = {
    "before it asks": (inbox(at=5), True),
    "while it begins to ask": (inbox(at=20), True),
    "as it asks": (inbox(2, 2, "Go on after 1?", at=25), True),
    "left out": (inbox(at=25), False),
    "left out where nobody looked at all": (inbox(at=25, is_all=False), True),
    "as it asked before": (inbox(2, 2, "Go on after 1?", at=35), False),
    "as it asks anew": (inbox(3, 3, "Go on after 2?", at=35), True),
    "as it asks for whoever comes": (inbox(3, 3, "Go on after 2?", at=35, to=""), True),
    "as it does not": (inbox(3, 2, "Go on after 1?", at=35), False),
    "when it is answered": (inbox(at=45), True),
    "though it is answered": (inbox(3, 3, "Go on after 2?", at=45), False),
    "at a version that asks nothing": (inbox(4, 3, "Go on after 2?", at=45), False),
}


@pytest.mark.parametrize("when", FOUND)
def test_an_inbox_is_held_against_what_was_asked_when_it_was_read(when: str) -> None:
    entry, is_sound = FOUND[when]
    assert set(broken(asking_agent(entry))) == (set() if is_sound else {"inboxes_have_the_open_questions"})


def test_heads_that_go_on_are_sound_and_none_may_be_missing_or_made_up() -> None:
    assert broken(evidence(a_commit(3), heads_read(3), heads_read(4, at=20))) == {}
    missing = heads_read(3)._replace(reply={"versions": {}})
    for wrong in ([a_commit(3), missing], [heads_read(7)], [heads_read(3), heads_read(2, at=20)]):
        assert set(broken(evidence(*wrong))) == {"heads_never_go_back"}


LISTS = {
    "one that asks nothing": SOUND_LISTS._replace(asking=(AGENT,), asking_count=1),
    "another number of questions": SOUND_LISTS._replace(asking_count=1),
    "one that serves somebody else": SOUND_LISTS._replace(serving={"ana": (AGENT,)}),
    "nobody among the newest": SOUND_LISTS._replace(newest=()),
    "one twice": SOUND_LISTS._replace(newest=(AGENT, AGENT)),
    "another number of agents": SOUND_LISTS._replace(counted=2),
    "an index that says something else": SOUND_LISTS._replace(damage=("a: it is left out",)),
}


@pytest.mark.parametrize("wrong", LISTS)
def test_a_list_in_the_end_has_everybody_once(wrong: str) -> None:
    assert broken(evidence(lists=SOUND_LISTS)) == {}
    assert set(broken(evidence(lists=LISTS[wrong]))) == {"lists_have_everybody"}


def test_the_dead_and_the_lapsed_may_be_taken_from() -> None:
    assert broken(two_holders(last_ns=4)) == {}
    assert broken(ticket_evidence(claim_entry(5, left_ms=-1))) == {}


def test_an_epoch_that_a_take_gave_is_nobody_elses() -> None:
    twice = evidence(a_take(2), a_take(2, at=9, now_ms=199, writer="v"))
    assert broken(twice) == {"one_holder_an_epoch": [f"epoch 2 of {AGENT} was given to ['v', 'w']"]}
    elsewhere = evidence(a_take(2), a_commit(3, epoch=2, given=2, at=9, writer="v"))
    assert set(broken(elsewhere)) == {"one_holder_an_epoch"}


def test_a_lease_is_not_renewed_under_an_epoch_that_is_over() -> None:
    late = [a_claim(2), a_take(3, at=5, writer="v")]
    assert broken(evidence(*late, a_renewal(2, at=9, is_held=False))) == {}
    assert set(broken(evidence(*late, a_renewal(2, at=9)))) == {"stale_epochs_are_refused"}
    lost = a_renewal(2, at=9)._replace(outcome="lost", returned_ns=None, reply={})
    assert broken(evidence(*late, lost)) == {}


def test_a_lease_that_was_given_up_or_may_have_been_is_free_to_be_taken() -> None:
    then = a_take(3, at=50, now_ms=120, writer="v")
    assert set(broken(evidence(a_take(2), then))) == {"takes_leave_running_leases"}
    left = [
        an_entry("release", at=9, facts={"epoch": 2}),
        an_entry("release", "lost", at=9, took=None, facts={"epoch": 2}),
        a_commit(3, epoch=2, given=2, at=9),
        a_claim(3, at=9)._replace(facts={"agent": AGENT, "epoch": 2, "held_by": None}, reply={}, outcome="refused"),
    ]
    for given_up in left[:3]:
        assert broken(evidence(a_take(2), given_up, then)) == {}
    assert set(broken(evidence(a_take(2), left[3], then))) == {"takes_leave_running_leases"}


def test_a_lease_that_a_step_shortens_runs_so_long_and_one_that_may_have_been_shortened_may_be_over() -> None:
    """A step brings the lease back with which it began."""
    commit, then = a_commit(3, epoch=2, given=2, at=20), a_take(3, at=50, now_ms=250, writer="v")
    brings = commit._replace(facts={**commit.facts, "until_ms": 240})
    renewed = [a_take(2), a_renewal(2, at=9)]
    assert broken(evidence(*renewed, brings, then)) == {}
    assert broken(evidence(*renewed, brings._replace(outcome="lost", returned_ns=None, reply={}), then)) == {}
    meanwhile = brings._replace(invoked_ns=8, returned_ns=15)
    assert broken(evidence(*renewed, meanwhile, then)) == {}
    before = brings._replace(invoked_ns=4, returned_ns=6)
    assert set(broken(evidence(*renewed, before, then))) == {"takes_leave_running_leases"}


def test_a_lease_that_was_renewed_runs_on() -> None:
    then = a_take(3, at=50, now_ms=250, writer="v")
    assert broken(evidence(a_take(2), then)) == {}
    assert broken(evidence(a_take(2), a_renewal(2, at=9, is_held=False), then)) == {}
    assert set(broken(evidence(a_take(2), a_renewal(2, at=9), then))) == {"takes_leave_running_leases"}


def test_a_child_is_over_in_the_end() -> None:
    assert broken(ticket_evidence(kept=a_child(Status.DONE))) == {}
    assert set(broken(ticket_evidence(kept=a_child(Status.WAITING)))) == {"all_children_are_joined"}


def test_a_forgetting_that_left_somebody_promises_nothing_yet() -> None:
    left = forget_entry()._replace(reply={"erased": 1, "left": ["ticket-w-2"]})
    said = BROKEN_TICKETS["words_of_forgotten_users_are_gone"]()
    entries = [left if entry.verb == "forget" else entry for entry in said.logs[0].entries]
    assert broken(replace(said, logs=(said.logs[0]._replace(entries=tuple(entries)),))) == {}


def test_a_verdict_says_who_and_where() -> None:
    assert broken(read(2, "x"))["reads_are_prefixes"] == [f"{AGENT} at version 2, w: read another history"]
