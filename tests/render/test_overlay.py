"""An agent's path over the picture of its workflow."""

from __future__ import annotations

from dataclasses import replace

from fsm_agent.domain.migration import Migration
from fsm_agent.domain.progress import Progress
from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.formats import draw
from fsm_agent.render.overlay import Emphasis, Mark, Overlay, overlay_from_history
from tests.support.workflows import BOOK_FLIGHT, BOOK_FLIGHT_STEPS, EXPENSE_APPROVAL, after, history, to


def roles(overlay: Overlay, emphasis: Emphasis) -> set[str]:
    return {identity for identity, mark in overlay.marks.items() if mark.emphasis is emphasis}


def test_the_path_counts_visits_and_its_numbers_are_versions() -> None:
    overlay = overlay_from_history(BOOK_FLIGHT, "waiting_feedback", BOOK_FLIGHT_STEPS)
    assert overlay.path == (
        "event-state-idle-to-state-planning",
        "event-state-planning-to-state-executing",
        "event-state-executing-to-state-executing",
        "event-state-executing-to-state-waiting_feedback",
        "event-state-waiting_feedback-to-state-executing",
        "event-state-executing-to-state-waiting_feedback",
    )
    assert overlay.mark("state-executing") == Mark(Emphasis.VISITED, (3, 4, 6))
    assert overlay.mark("state-waiting_feedback") == Mark(Emphasis.CURRENT, (5, 7))
    assert overlay.mark(overlay.path[3]) == Mark(Emphasis.VISITED, (5, 7))
    assert overlay.mark("state-done") == Mark(Emphasis.FADED)


def test_marks_say_how_often_and_in_which_order() -> None:
    assert Mark(Emphasis.CURRENT, (4, 6)).badge == "2\N{MULTIPLICATION SIGN} ◄ here"
    assert Mark(Emphasis.CURRENT).badge == "◄ here"
    assert Mark(Emphasis.VISITED, (4,)).badge == "1\N{MULTIPLICATION SIGN}"
    assert Mark(Emphasis.VISITED, (4, 6)).order == "#4 #6"
    assert Mark(Emphasis.VISITED, (1, 2, 3, 4, 5)).order == "#1 #2 … #5 (5\N{MULTIPLICATION SIGN})"


def test_entering_a_compound_state_passes_its_start_dots() -> None:
    steps = history("drafting", ("submit", "review.checking"))
    overlay = overlay_from_history(EXPENSE_APPROVAL, "review.checking", steps)
    assert overlay.path == ("event-state-drafting-to-state-review",)
    assert roles(overlay, Emphasis.VISITED) == {
        "start",
        "first-start-to-state-drafting",
        "state-drafting",
        "event-state-drafting-to-state-review",
        "state-review",
        "start-review",
        "first-start-review-to-state-review-checking",
    }


def test_what_an_ancestor_or_the_workflow_declares_is_found_there() -> None:
    steps = history("drafting", ("submit", "review.checking"), ("revise", "drafting"), ("cancel", "cancelled"))
    overlay = overlay_from_history(EXPENSE_APPROVAL, "cancelled", steps)
    assert overlay.path[1:] == ("event-state-review-to-state-drafting", "event-everywhere-to-state-cancelled")
    assert overlay.mark("everywhere").emphasis is Emphasis.VISITED


def test_timers_are_told_apart_and_internal_ones_leave_no_trace() -> None:
    first, second = "review.approval.first", "review.approval.second"
    steps = history(
        "review.approval.first", ("after", first, "1h"), ("after", second, "4h"), ("after", "expired", "3d")
    )
    overlay = overlay_from_history(EXPENSE_APPROVAL, "expired", steps)
    assert overlay.path == (
        "timer-state-review-approval-first-to-state-review-approval-second",
        "timer-state-review-to-state-expired",
    )
    assert overlay.mark("state-review-approval-first").turns == (1,)


def test_of_two_timers_that_end_in_the_same_state_the_due_one_counts() -> None:
    flow = Workflow("w", 1, "a", (State("a", after=(after("1h", Transition()), after("2h", to("a")))),))
    overlay = overlay_from_history(flow, "a", history("a", ("after", "a", "1h"), ("after", "a", "2h")))
    assert overlay.path == ("timer-state-a-to-state-a",)


def test_a_transition_of_a_compound_state_into_itself_starts_at_its_note() -> None:
    inner = (State("a.x"), State("a.y"))
    flow = Workflow(
        "w", 1, "a", (State("a", initial="a.x", states=inner, on={"go": (to("a.y"),), "redo": (to("a"),)}),)
    )
    overlay = overlay_from_history(flow, "a.x", history("a.x", ("go", "a.y"), ("redo", "a.x")))
    assert overlay.path == ("event-everywhere-a-to-state-a-y", "event-everywhere-a-to-state-a")
    assert overlay.mark("everywhere-a").emphasis is Emphasis.VISITED


def test_a_timeout_that_nobody_handles_takes_the_way_of_an_error() -> None:
    overlay = overlay_from_history(BOOK_FLIGHT, "failed", history("planning", ("timeout", "failed")))
    assert overlay.path == ("error-state-planning-to-state-failed",)


def test_a_self_target_counts_and_an_internal_transition_does_not() -> None:
    flow = Workflow("w", 1, "a", (State("a", on={"note": (Transition(),), "again": (to("a"),)}),))
    overlay = overlay_from_history(flow, "a", history("a", ("note", "a"), ("again", "a"), ("note", "a")))
    assert overlay.path == ("event-state-a-to-state-a",)
    assert overlay.mark("state-a") == Mark(Emphasis.CURRENT, (1, 3))


def test_steps_that_move_nothing_or_are_unknown_to_the_workflow_leave_no_edge() -> None:
    created, *_ = history("idle")
    refused = created._replace(version=2, kind=StepKind.REFUSED, event="nonsense", source="idle")
    moved = Step(3, StepKind.EVENT, "new_task", {}, "state_of_an_older_version", "planning", 0)
    overlay = overlay_from_history(BOOK_FLIGHT, "gone", [created, refused, moved])
    assert overlay.path == ()
    assert roles(overlay, Emphasis.CURRENT) == set()
    assert overlay.mark("state-planning") == Mark(Emphasis.VISITED, (3,))
    assert overlay.mark("state-idle").turns == (1,)


def test_a_rewind_takes_no_edge_and_the_path_goes_on_from_where_it_led() -> None:
    back = Step(8, StepKind.REWOUND, "rewind", {"version": 2}, "waiting_feedback", "planning", 0)
    again = Step(9, StepKind.EVENT, "plan_ready", {}, "planning", "executing", 0)
    overlay = overlay_from_history(BOOK_FLIGHT, "executing", [*BOOK_FLIGHT_STEPS, back, again])
    assert overlay.path[6:] == ("event-state-planning-to-state-executing",)
    assert overlay.mark("state-planning") == Mark(Emphasis.VISITED, (2,))
    assert overlay.mark("state-executing") == Mark(Emphasis.CURRENT, (3, 4, 6, 9))


def test_the_path_of_a_fork_begins_where_it_was_forked() -> None:
    forked = Step(1, StepKind.FORKED, "fork", {"agent": "a", "version": 4}, None, "executing", 0)
    asked = Step(2, StepKind.EVENT, "needs_input", {}, "executing", "waiting_feedback", 0)
    overlay = overlay_from_history(BOOK_FLIGHT, "waiting_feedback", [forked, asked])
    assert overlay.path == ("event-state-executing-to-state-waiting_feedback",)
    assert overlay.mark("state-executing") == Mark(Emphasis.VISITED, (1,))
    assert overlay.mark("start") == Mark(Emphasis.FADED)


def migrated(version: int, source: str, target: str) -> Step:
    facts = {"from_version": 1, "to_version": 2}
    return Step(version, StepKind.MIGRATED, "migrate", facts, source, target, 0)


def renamed(**states: str) -> Workflow:
    """The second version, some of whose states were called otherwise in the first."""
    return replace(BOOK_FLIGHT, version=2, migrations=(Migration(1, states=states),))


def test_states_that_a_migration_has_renamed_are_on_the_path_under_their_new_names() -> None:
    steps = history("resting", ("new_task", "thinking"))
    later = Step(4, StepKind.EVENT, "plan_ready", {}, "planning", "executing", 0)
    workflow = renamed(resting="idle", thinking="planning")
    overlay = overlay_from_history(workflow, "executing", [*steps, migrated(3, "thinking", "planning"), later])
    assert overlay.path == ("event-state-idle-to-state-planning", "event-state-planning-to-state-executing")
    assert overlay.mark("state-idle") == Mark(Emphasis.VISITED, (1,))
    assert overlay.mark("state-planning") == Mark(Emphasis.VISITED, (2,))
    assert overlay.mark("state-executing") == Mark(Emphasis.CURRENT, (4,))


def test_what_the_step_itself_says_of_its_state_wins() -> None:
    overlay = overlay_from_history(renamed(), "idle", [*history("odd"), migrated(2, "odd", "idle")])
    assert overlay.mark("state-idle") == Mark(Emphasis.CURRENT, (1,))


def test_a_migration_that_a_rewind_has_undone_renames_nothing() -> None:
    steps = [*history("idle"), migrated(2, "idle", "odd")]
    back = Step(3, StepKind.REWOUND, "rewind", {"version": 1}, "odd", "idle", 0)
    overlay = overlay_from_history(BOOK_FLIGHT, "idle", [*steps, back])
    assert overlay.mark("state-idle") == Mark(Emphasis.CURRENT, (1,))


def test_a_picture_of_an_agent_says_how_far_it_has_come() -> None:
    progress = Progress("a trip", 2, 3, "planning")
    overlay = overlay_from_history(BOOK_FLIGHT, "planning", [], progress=progress)
    assert overlay.remark == "2 of 5: planning"
    for format_name in ("dot", "mermaid"):
        assert "2 of 5" in draw(BOOK_FLIGHT, format_name, overlay=overlay).decode()
        assert "2 of 5" not in draw(BOOK_FLIGHT, format_name).decode()
