"""Workflows in Python: the same words, the same rules, the same hashes as in YAML."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given

from fsm_agent.dialect.pydantic_models import model_name, model_schema
from fsm_agent.domain.json import Schema
from fsm_agent.domain.state import Duration, MergePolicy
from fsm_agent.domain.workflow import Limits
from fsm_agent.domain.workflow import Workflow as Read
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.python import Ask, Retry, State, Transition, Workflow
from fsm_agent.loading.yaml_file import dump, loads
from tests.support.documents import BOOK_FLIGHT, Document, documents
from tests.support.hypothesis_settings import example_settings


def execute_step(ctx: object) -> None:
    """Stands for an action."""


def book_flight() -> Workflow:
    return Workflow(
        "book_flight",
        version=1,
        description="The same flight, in Python.",
        data={
            "goal": "string?",
            "destination": "string?",
            "options": {"type": "array", "items": {"type": "object"}, "default": []},
            "choice": {"type": ["integer", "null"], "minimum": 1},
            "itinerary": "object?",
        },
        events={
            "new_task": {"goal": "string"},
            "plan_ready": {},
            "step_complete": {},
            "needs_input": {},
            "input_received": {"choice": {"type": "integer", "minimum": 1}},
            "task_complete": {},
        },
        initial="idle",
        on={"cancel": "cancelled"},
        states=[
            State("idle", on={"new_task": Transition("planning", assign={"goal": "event.goal"})}),
            State(
                "planning",
                do="plan_trip",
                with_={"depth": 2, "goal": "data.goal"},
                timeout="2m",
                retry=Retry(3, Duration.parse("1s"), Duration.parse("30s"), ("ConnectionError",)),
                on={"plan_ready": "executing", "error": "failed"},
            ),
            State(
                "executing",
                do=execute_step,
                on={
                    "step_complete": "executing",
                    "needs_input": ["waiting_feedback"],
                    "task_complete": {"target": "done"},
                    "error": "failed",
                },
            ),
            State(
                "waiting_feedback",
                ask=Ask("Which flight to {{ data.destination }}? (1 to {{ size(data.options) }})", ("input_received",)),
                after={"3d": "cancelled"},
                on={"input_received": [Transition("executing", assign={"choice": "event.choice"})]},
            ),
            State("done", final=True, output={"itinerary": "data.itinerary"}),
            State("failed", final=True, outcome="failed"),
            State("cancelled", final=True, outcome="cancelled"),
        ],
        limits=Limits(steps=200, visits={"executing": 50}),
    )


def declared(document: Document) -> Workflow:
    """What a document declares, declared in Python."""
    known = dict(document)
    states = [state(name, body) for name, body in known.pop("states").items()]
    if "workflows" in known:
        known["workflows"] = {name: declared(child) for name, child in known["workflows"].items()}
    return Workflow(known.pop("workflow"), states=states, **known)


def state(name: str, body: Document) -> State:
    known = {"with_" if key == "with" else key: value for key, value in body.items()}
    return State(name, states=[state(*child) for child in known.pop("states", {}).items()], **known)


def mistakes(**changes: Any) -> list[str]:
    known: Document = {
        "version": 1,
        "initial": "start",
        "states": [State("start", on={"cancel": "end"}), END],
    } | changes
    with pytest.raises(WorkflowInvalid) as caught:
        Workflow("small", **known)
    return [str(finding) for finding in caught.value.findings]


END = State("end", final=True)


def test_a_workflow_has_the_same_hash_in_python_and_in_yaml() -> None:
    assert book_flight().hash == loads(BOOK_FLIGHT).hash


@example_settings(40)  # each compiles its expressions
@given(documents())
def test_every_declaration_has_the_same_hash_in_python_and_in_yaml(document: Document) -> None:
    flow, read = declared(document), loads(dump(document))
    assert flow.hash == read.hash
    assert flow == read
    assert read == flow


@example_settings(40)  # each compiles its expressions
@given(documents())
def test_a_workflow_survives_being_written_as_yaml(document: Document) -> None:
    flow = declared(document)
    assert loads(flow.to_yaml()) == flow
    assert loads(flow.to_yaml()).hash == flow.hash


def test_a_file_is_loaded_as_the_same_workflow(tmp_path: Path) -> None:
    flow = book_flight()
    (tmp_path / "w.yaml").write_text(flow.to_yaml(), encoding="utf-8")
    loaded = Workflow.load(tmp_path / "w.yaml")
    assert isinstance(loaded, Workflow)
    assert {loaded, flow, Workflow.from_json(flow.to_json())} == {flow}
    assert loaded.to_yaml() == flow.to_yaml()
    assert flow != Workflow.from_json(flow.to_json() | {"version": 2})
    assert flow != "book_flight"


def test_a_mistake_in_a_file_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(BOOK_FLIGHT.replace("2m", "2x"), encoding="utf-8")
    with pytest.raises(WorkflowInvalid, match=r"w\.yaml:30:14: FSM109 '2x' is not a duration"):
        Workflow.load(tmp_path / "w.yaml")


def test_the_words_of_a_declaration_are_those_of_what_is_read() -> None:
    flow = book_flight()
    assert isinstance(flow, Read)
    assert flow.by_path["executing"].do == "execute_step"
    assert flow.leaf("idle").on["new_task"] == (Transition("planning", assign={"goal": "event.goal"}),)


def test_an_action_is_named_by_its_mark_or_by_its_function() -> None:
    def marked(ctx: object) -> None: ...

    marked.action_name = "other"  # type: ignore[attr-defined]
    flow = Workflow(
        "w", version=1, initial="a", states=[State("a", do=marked, on={"error": "b"}), State("b", do=execute_step)]
    )
    assert [leaf.do for leaf in flow.leaves] == ["other", "execute_step"]


def test_a_function_without_a_name_is_no_action() -> None:
    (mistake,) = mistakes(states=[State("start", do=functools.partial(execute_step, None), on={"error": "end"}), END])
    assert mistake.startswith("states.start.do: FSM104 'functools.partial(")


def test_every_mistake_is_named_by_its_path() -> None:
    assert mistakes(
        initial="strat",
        states=[State("start", timeout="2x", on={"cancel": "ned"}), State("start"), {"end": {}}, END],
        data={"note": "string?", "n": 1j},
    ) == [
        "states.start: FSM007 state 'start' is declared twice: rename one of them",
        'states.2: FSM103 {"end": {}} is no State: write State(name, ...)',
        "data.n: FSM117 a value of the type complex is no JSON: write text, a number, a list or a mapping",
    ]
    assert mistakes(
        initial="strat",
        states=[State("start", timeout="2x", on={"cancel": Transition("ned", when="data.note")}), END],
        data={"note": "string"},
    ) == [
        "initial: FSM110 there is no state 'strat' at the top level (did you mean `start`?); there are start, end",
        "states.start.timeout: FSM109 '2x' is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d",
        "states.start.on.cancel.target: FSM110 there is no state 'ned' to go to (did you mean `end`?)",
        "states.start.timeout: FSM113 `timeout` says nothing without `do`, which state `start` does not have",
        "states.start.on.cancel.0.when: FSM202 a guard must be true or false, and this is a string",
    ]


class Leg(pydantic.BaseModel):
    city: str
    onward: Leg | None = None


class Trip(pydantic.BaseModel):
    """A model with what pydantic knows: a reference, a factory, a bound, a default."""

    goal: str | None = None
    legs: list[Leg] = pydantic.Field(default_factory=list)
    travellers: int = pydantic.Field(1, ge=1)
    budget: float


TRIP = {"states": [State("start", on={"cancel": Transition("end", when="data.travellers > 1")}), END]}


def small(**changes: Any) -> Workflow:
    return Workflow("small", version=1, initial="start", **(TRIP | changes))


def test_a_model_declares_the_data() -> None:
    flow = small(data=Trip)
    assert flow.model == f"{__name__}:Trip"
    assert list(flow.data) == ["goal", "legs", "travellers", "budget"]
    assert flow.data["legs"]["default"] == []
    assert "Leg" in flow.data["legs"]["$defs"]
    assert flow.data["travellers"]["minimum"] == 1


def test_a_model_in_python_and_in_yaml_has_the_same_hash() -> None:
    flow = small(data=Trip)

    def resolve(name: str) -> Schema:
        assert name == model_name(Trip)
        return model_schema(Trip)

    assert loads(flow.to_yaml(), resolve_model=resolve).hash == flow.hash


def test_policies_are_declared_alike_for_models_and_for_fields() -> None:
    merge: dict[str, MergePolicy] = {"legs": "append", "travellers": "max"}
    flow = small(data=Trip, merge=merge)
    assert flow.merge == merge
    assert flow.hash != small(data=Trip).hash
    assert loads(flow.to_yaml(), resolve_model=lambda _: model_schema(Trip)).hash == flow.hash
    assert Workflow.from_json(flow.to_json()) == flow
    fields = {"legs": "[object]", "travellers": "integer?"}
    short = small(data=fields, merge=merge, states=[State("start", on={"cancel": "end"}), END])
    assert loads(short.to_yaml()).merge == merge
    (mistake,) = mistakes(data=Trip, merge={"goal": "union"})
    assert mistake == "merge.goal: FSM209 `union` merges lists, and `goal` is null or string"


def test_a_model_is_not_resolved_unless_its_module_is_allowed() -> None:
    with pytest.raises(WorkflowInvalid, match=r"is in a module that is not allowed: add .* to `modules` under"):
        loads(small(data=Trip).to_yaml())


def test_a_misspelt_field_of_a_model_is_found_in_expressions() -> None:
    start = State("start", on={"cancel": Transition("end", when="data.travelers > 1")})
    (mistake,) = mistakes(data=Trip, states=[start, END])
    assert mistake.startswith("states.start.on.cancel.0.when: FSM201")
    assert "travellers" in mistake


def test_a_model_without_a_module_level_name_is_refused() -> None:
    class Local(pydantic.BaseModel):
        goal: str

    (mistake,) = mistakes(data=Local)
    assert "is no data: write a mapping of fields, or module:Model for a pydantic model" in mistake
