"""``workflows/book_flight.yaml`` in Python: the same workflow, with the same hash."""

from __future__ import annotations

from typing import Final

from examples.book_flight.actions import book, find_offers, read_goal, settle_trip, write_itinerary
from fsm_agent import State, Transition, Workflow

_TEXT: Final = {"type": "string", "minLength": 1}
_OBJECTS: Final = {"type": "array", "items": {"type": "object"}, "default": []}

_PLANNING: Final = State(
    "planning",
    description="Makes one airport of each place, and a day to come of the date.",
    initial="reading",
    states=[
        State("reading", do=read_goal, on={"step_complete": "settling"}),
        State(
            "settling",
            do=settle_trip,
            timeout="30s",
            on={
                "needs_airport": "waiting_feedback.airport",
                "needs_date": "waiting_feedback.date",
                "plan_ready": "executing",
            },
        ),
    ],
)

_EXECUTING: Final = State(
    "executing",
    description="Each state takes only what its own action says, so that nobody books twice.",
    initial="searching",
    states=[
        State(
            "searching",
            description="Looks the day's flights up.",
            do=find_offers,
            with_={"origin": "data.origin", "destination": "data.destination", "day": "data.date"},
            timeout="30s",
            retry={"attempts": 3, "backoff": "1s", "max": "10s", "on": ["ConnectionError"]},
            on={"needs_input": "waiting_feedback.choice", "needs_date": "waiting_feedback.date"},
        ),
        State("booking", do=book, on={"step_complete": "issuing", "needs_date": "waiting_feedback.date"}),
        State(
            "issuing",
            description="Writes the itinerary.",
            do=write_itinerary,
            with_={"folder": "data.folder"},
            timeout="30s",
            retry={"attempts": 3, "backoff": "1s", "on": ["OSError"]},
            on={"task_complete": "done"},
        ),
    ],
)

_AIRPORT: Final = State(
    "airport",
    ask={
        "prompt": '{{ data.note }}{{ data.candidates.map(each, "\\n  " + each.label).join("") }}\n'
        'Which airport do you want to fly {{ data.asking == "origin" ? "from" : "to" }}? '
        "A code, a city or a name will do.",
        "events": ["airport_given"],
    },
    on={
        "airport_given": [
            Transition("planning.settling", when='data.asking == "origin"', assign={"origin": "event.airport"}),
            Transition("planning.settling", assign={"destination": "event.airport"}),
        ]
    },
)

_DATE: Final = State(
    "date",
    ask={
        "prompt": "{{ data.note }}\n"
        "On which day do you want to fly from {{ data.origin }} to {{ data.destination }}? (YYYY-MM-DD)",
        "events": ["date_given"],
    },
    on={"date_given": Transition("planning.settling", assign={"date": "event.date"})},
)

_CHOICE: Final = State(
    "choice",
    ask={
        "prompt": '{{ data.note }}\n{{ data.options.map(each, each.label).join("\\n") }}\n'
        "Which flight do you want? (1 to {{ size(data.options) }})",
        "events": ["input_received"],
    },
    on={
        "input_received": [
            Transition(
                "executing.booking", when="event.choice <= size(data.options)", assign={"choice": "event.choice"}
            ),
            Transition("choice", assign={"note": '"There is no flight " + string(event.choice) + "; there are:"'}),
        ]
    },
)

_WAITING_FEEDBACK: Final = State(
    "waiting_feedback",
    description="Each question waits three days; a wrong number does not prolong it.",
    initial="choice",
    after={"3d": "cancelled"},
    states=[_AIRPORT, _DATE, _CHOICE],
)

WORKFLOW: Final = Workflow(
    "book_flight",
    version=1,
    description="Books a flight, and asks the traveller whenever something is missing.",
    data={
        "goal": "string?",
        "origin": "string?",
        "destination": "string?",
        "date": "date?",
        "unclear_date": {"type": "string", "default": ""},
        "asking": {"type": "string", "enum": ["origin", "destination"], "default": "destination"},
        "candidates": _OBJECTS,
        "note": {"type": "string", "default": ""},
        "options": _OBJECTS,
        "choice": {"type": ["integer", "null"], "minimum": 1},
        "booking": "string?",
        "folder": {**_TEXT, "default": "itineraries"},
        "itinerary": "object?",
    },
    events={
        "new_task": {"goal": _TEXT},
        "plan_ready": {},
        "step_complete": {},
        "needs_airport": {},
        "needs_date": {},
        "needs_input": {},
        "airport_given": {"airport": _TEXT},
        "date_given": {"date": "date"},
        "input_received": {"choice": {"type": "integer", "minimum": 1}},
        "task_complete": {},
    },
    initial="idle",
    on={"cancel": "cancelled", "error": Transition("failed", assign={"note": "event.message"})},
    states=[
        State("idle", on={"new_task": Transition("planning", assign={"goal": "event.goal"})}),
        _PLANNING,
        _EXECUTING,
        _WAITING_FEEDBACK,
        State("done", final=True, output={"itinerary": "data.itinerary"}),
        State("failed", final=True, outcome="failed", output={"reason": "data.note"}),
        State("cancelled", final=True, outcome="cancelled"),
    ],
    limits={"steps": 200, "visits": {"planning": 50}},
    must={
        "books_what_was_chosen": {"never": "executing.booking", "before": "input_received"},
        "issues_what_was_booked": {"never": "executing.issuing", "before": "executing.booking"},
        "booked_once": {
            "at_most": 1,
            "of": "executing.issuing",
            "description": "A booking that is made leads there, and nothing leads back.",
        },
        "asks_nothing_after_booking": {"never": "waiting_feedback", "after": "executing.issuing"},
        "questions_end": {
            "from": "waiting_feedback",
            "reaches": ["planning", "executing", "cancelled"],
            "within": "3d",
        },
    },
)
