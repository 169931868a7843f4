"""Workflows built by hand, for tests that need no loader."""

from __future__ import annotations

from fsm_agent.domain.state import Ask, Duration, Retry, State, Timer, Transition
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Limits, Workflow


def to(target: str | None, when: str | None = None, **assign: object) -> Transition:
    return Transition(target, when, assign)


def after(text: str, *transitions: Transition) -> Timer:
    return Timer(Duration.parse(text), transitions)


FAILED = State("failed", final=True, outcome="failed")
CANCELLED = State("cancelled", final=True, outcome="cancelled")

BOOK_FLIGHT = Workflow(
    name="book_flight",
    version=1,
    description="Books a flight, and asks the traveller whenever something is missing.",
    initial="idle",
    data={
        "goal": {"type": ["string", "null"]},
        "destination": {"type": ["string", "null"]},
        "options": {"type": "array", "items": {"type": "object"}, "default": []},
        "choice": {"type": ["integer", "null"], "minimum": 1},
        "itinerary": {"type": ["object", "null"]},
    },
    events={
        "new_task": {"goal": {"type": "string"}},
        "plan_ready": {},
        "step_complete": {},
        "needs_input": {},
        "input_received": {"choice": {"type": "integer", "minimum": 1}},
        "task_complete": {},
    },
    on={"cancel": (to("cancelled"),)},
    states=(
        State("idle", on={"new_task": (to("planning", goal="event.goal"),)}),
        State(
            "planning",
            do="plan_trip",
            with_={"depth": 2, "goal": "data.goal"},
            timeout=Duration.parse("2m"),
            retry=Retry(3, Duration.parse("1s"), Duration.parse("30s"), ("ConnectionError",)),
            on={"plan_ready": (to("executing"),), "error": (to("failed"),)},
        ),
        State(
            "executing",
            do="execute_step",
            on={
                "step_complete": (to("executing"),),
                "needs_input": (to("waiting_feedback"),),
                "task_complete": (to("done"),),
                "error": (to("failed"),),
            },
        ),
        State(
            "waiting_feedback",
            ask=Ask("Which flight to {{ data.destination }}? (1 to {{ size(data.options) }})", ("input_received",)),
            after=(after("3d", to("cancelled")),),
            on={"input_received": (to("executing", choice="event.choice"),)},
        ),
        State("done", final=True, output={"itinerary": "data.itinerary"}),
        FAILED,
        CANCELLED,
    ),
    limits=Limits(steps=200, visits={"executing": 50}),
)

EXPENSE_APPROVAL = Workflow(
    name="expense_approval",
    version=2,
    description="An expense is checked against policy and approved by somebody who is not its author.",
    initial="drafting",
    data={
        "author": {"type": "string"},
        "amount": {"type": "number"},
        "reminders": {"type": "integer", "default": 0},
        "reason": {"type": ["string", "null"]},
        "manager": {"type": ["string", "null"]},
        "notes": {"type": "array", "items": {"type": "string"}, "default": []},
    },
    events={
        "submit": {},
        "checked": {},
        "approve": {},
        "reject": {"reason": {"type": "string"}},
        "comment": {"text": {"type": "string"}},
        "paid": {},
        "revise": {},
    },
    on={"cancel": (to("cancelled"),)},
    states=(
        State("drafting", on={"submit": (to("review"),)}),
        State(
            "review",
            description="Policy first, then people.",
            initial="review.checking",
            on={"revise": (to("drafting"),), "error": (to("failed"),), "cancel": (to("cancelled"),)},
            after=(after("3d", to("expired")),),
            states=(
                State(
                    "review.checking",
                    do="check_policy",
                    timeout=Duration.parse("30s"),
                    on={
                        "checked": (
                            to("approved", "data.amount < 50.0"),
                            to("review.approval", "data.amount < 10000.0"),
                            to("review.approval.second"),
                        )
                    },
                ),
                State(
                    "review.approval",
                    initial="review.approval.first",
                    on={"comment": (Transition(append={"notes": "event.text"}),)},
                    states=(
                        State(
                            "review.approval.first",
                            description="Anybody but the author.",
                            ask=Ask(
                                "May {{ data.author }} spend {{ data.amount }}?",
                                ("approve", "reject"),
                                to="data.manager",
                            ),
                            after=(
                                after("1h", to(None, None, reminders="data.reminders + 1")),
                                after("4h", to("review.approval.second")),
                            ),
                            on={
                                "approve": (to("approved", "event.by != data.author"),),
                                "reject": (to("rejected", reason="event.reason"),),
                            },
                        ),
                        State(
                            "review.approval.second",
                            ask=Ask("Escalated: may {{ data.author }} spend it?", ("approve", "reject")),
                            on={
                                "approve": (to("approved", "event.by != data.author"),),
                                "reject": (to("rejected", reason="event.reason"),),
                            },
                        ),
                    ),
                ),
            ),
        ),
        State("approved", do="pay", on={"paid": (to("done"),), "error": (to("failed"),), "cancel": None}),
        State("done", final=True, output={"amount": "data.amount"}),
        State("rejected", final=True, outcome="failed"),
        State("expired", final=True, outcome="cancelled"),
        FAILED,
        CANCELLED,
    ),
)


def history(first: str, *moves: tuple[str, str] | tuple[str, str, str]) -> tuple[Step, ...]:
    """``created`` in the leaf ``first``, then (event, leaf) one after the other; a third item says which timer."""
    steps = [Step(1, StepKind.CREATED, "created", {}, None, first, 0)]
    for event, target, *timer in moves:
        payload = {"after": timer[0]} if timer else {}
        steps.append(Step(len(steps) + 1, StepKind.EVENT, event, payload, steps[-1].target, target, 0))
    return tuple(steps)


BOOK_FLIGHT_STEPS = history(
    "idle",
    ("new_task", "planning"),
    ("plan_ready", "executing"),
    ("step_complete", "executing"),
    ("needs_input", "waiting_feedback"),
    ("input_received", "executing"),
    ("needs_input", "waiting_feedback"),
)
