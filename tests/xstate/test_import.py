"""Machines that others have written become workflows, and whatever no workflow can say is told."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.engine.machine import Machine
from fsm_agent.errors import MachineInvalid
from fsm_agent.loading.yaml_file import dump, loads
from fsm_agent.xstate.exporter import export
from fsm_agent.xstate.importer import Imported, imported, machine_of
from tests.support.hypothesis_settings import IS_LONG, example_settings

from .node import in_xstate
from .random_machines import EVENTS, GUARDS, MachineWriter
from .random_workflows import Happening, walked

WALKS, STEPS = 10, 20
SEEDS = range(4_000 if IS_LONG else 25)


@pytest.mark.long
def test_a_machine_of_others_goes_the_same_way_as_the_workflow_that_it_becomes() -> None:
    random = Random(1)  # noqa: S311 - nothing secret
    machines = [MachineWriter(Random(seed)).machine() for seed in SEEDS]  # noqa: S311
    walks = [[_walk(random) for _ in range(WALKS)] for _ in machines]
    theirs = in_xstate([{"machine": each, "walks": some} for each, some in zip(machines, walks, strict=True)])
    for machine, some, there in zip(machines, walks, theirs, strict=True):
        found = imported(machine)
        assert loads(dump(found.document)) == found.workflow
        table = Machine(found.workflow)
        for walk, expected in zip(some, there, strict=True):
            trail = walked(found.workflow, table, [_here(found, each) for each in walk]).trail
            keys = [found.workflow.by_path[path].description for path in trail]
            assert keys == expected.trail, f"{json.dumps(machine)}\n{walk}"


def _walk(random: Random) -> list[dict[str, Any]]:
    return [
        {"type": random.choice(EVENTS), "guards": {name: random.random() < 0.5 for name in GUARDS}}
        for _ in range(STEPS)
    ]


def _here(found: Imported, each: dict[str, Any]) -> Happening:
    holds = {f"data.{found.guards[name]}": truth for name, truth in each["guards"].items() if name in found.guards}
    return Happening(found.events.get(each["type"], "unknown"), None, holds)


#: XState itself cannot have a state or an event `__proto__`
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=9).filter(
    lambda text: text != "__proto__"
)


@given(names=st.lists(TEXTS, min_size=2, max_size=5, unique=True), events=st.lists(TEXTS, min_size=1, unique=True))
@example_settings(50)
def test_any_names_make_a_workflow_that_can_be_read_and_exported(names: list[str], events: list[str]) -> None:
    on = {event: [{"target": f".{_quoted(name)}"} for name in names] for event in events}
    found = imported({"id": names[0], "initial": names[0], "on": on, "states": {name: {} for name in names}})
    assert loads(dump(found.document)) == found.workflow
    assert len(found.workflow.states) == len(names)
    told = {event for event in events if "*" in event or event.startswith(("xstate.", "done.", "error."))}
    assert len(found.workflow.on) == len(set(events) - told)
    assert imported(export(found.workflow).machine).document == found.document


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace(".", "\\.")


def machine(**state: Any) -> dict[str, Any]:
    """A machine with a state ``a`` that has these keys, and others to go to."""
    inner = {"initial": "c", "states": {"c": {}, "d": {}}}
    return {"id": "m", "initial": "a", "states": {"a": state, "b": inner, "end": {"type": "final"}}}


HISTORY = {"b": {"initial": "c", "states": {"c": {}, "past": {"type": "history"}}}}
PARALLEL = {"type": "parallel", "states": {"left": {}, "right": {}}}
NO_EQUAL: list[tuple[dict[str, Any], str]] = [
    (machine(entry="greet"), "a.entry: actions on entry have no equal"),
    (machine(exit=[{"type": "leave"}]), "a.exit: actions on exit have no equal"),
    (machine(always="b"), "a.always: transitions without an event have no equal"),
    (machine(tags=["x"]), "a.tags: they are not carried"),
    (machine(meta={"x": 1}), "a.meta: it is not carried"),
    (machine(colour="red"), "a.colour: it is not known, and left out"),
    (machine(on={"*": "b"}), "a.on.*: an event that stands for others has no equal: it is left out"),
    (machine(on={"user.*": "b"}), "a.on.user.*: an event that stands for others has no equal"),
    (machine(on={"xstate.done.actor.x": "b"}), "a.on.xstate.done.actor.x: an event of XState itself has no equal"),
    (machine(on={"go": {"target": "b", "actions": "log"}}), "a.on.go: action 'log' is a function: it is left out"),
    (machine(on={"go": {"target": "b", "guard": {"type": "ok", "params": {"n": 1}}}}), "the parameters of guard 'ok'"),
    (machine(on={"go": {"target": ["b.c", "b.d"]}}), "a.on.go: it goes to 2 states at once: here it goes to the first"),
    (machine(on={"go": {"target": "b", "in": "x"}}), "a.on.go.in: it is not known, and left out"),
    (machine(on={"timeout": "b"}), "a.on.timeout: it happens where an action takes longer than its `timeout`"),
    (machine(after={"soon": "b"}), "a.after.soon: a delay with a name has no equal"),
    (machine(after={"0": "b"}), "a.after.0: a timer takes between 1 ms and 36,500 days: it is left out"),
    (machine(after={"5": {"actions": {"type": "raise", "params": {"type": "after x"}}}}), "a.after.5ms: it raises"),
    (machine(**PARALLEL), "a: it is parallel, and an agent is in one state at a time: what is inside is left out"),
    (machine(on={"go": "b"}) | {"states": {"a": {"on": {"go": "b.past"}}, **HISTORY}}, "and here to `b`"),
    (machine(initial="x", states={"x": {"on": {"go": "y"}}, "y": {"type": "final"}}), "it is final inside another"),
    (machine(invoke=[{"src": "x"}, {"src": "y"}]), "here are 2 actors: the first is carried"),
    (machine(invoke={"src": "llm.agent"}), "actor 'llm.agent' is action `llm_agent` here, which has to be written"),
    (machine(invoke={"src": "x", "onDone": "b"}), "an action ends by naming an event: `x` has to return `x_done`"),
    (machine(invoke={"src": "x", "onSnapshot": {}}), "a.invoke.onSnapshot: it has no equal, and is left out"),
    (machine(invoke={"src": "x", "input": 3}), "a.invoke.input: it is no object: arguments have names here"),
    (machine(initial="x", states={"x": {}}, invoke={"src": "x"}), "only a state without states inside works here"),
    (machine() | {"context": 3}, "machine.context: it is no object: no data are declared"),
    (machine() | {"version": "1.2.3"}, "machine.version: '1.2.3' is no whole number from 1: this is version 1"),
    (machine() | {"context": {"n": 2**60}}, "machine.context.n: so large an integer is not carried"),
    (machine() | {"after": {"5": ".b"}}, "machine.after: it is not known, and left out"),
    (machine() | {"output": 1}, "machine.output: what the machine returns is not carried"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), NO_EQUAL, ids=[said[:40] for _, said in NO_EQUAL])
def test_what_no_workflow_can_say_is_told_in_a_sentence(written: dict[str, Any], said: str) -> None:
    told = [str(loss) for loss in imported(written).losses]
    assert [each for each in told if said in each] != [], told
    assert all("\n" not in each for each in told)


def test_a_machine_that_a_workflow_can_say_loses_nothing() -> None:
    written = machine(
        on={"go": {"target": "b", "description": "why"}, "stop": {}},
        after={"90000": "end"},
        invoke={"src": "work", "input": {"n": 1, "text": 'say "x"'}, "onError": "end"},
    )
    found = imported(written | {"context": {"n": 1, "x": 0.5, "yes": True, "list": [1], "of": {}, "no": None}})
    assert found.losses == ()
    first = found.workflow.by_path["a"]
    assert (first.do, dict(first.with_)) == ("work", {"n": 1, "text": '"say \\"x\\""'})
    assert [(timer.duration.text, timer.transitions[0].target) for timer in first.after] == [("90s", "end")]
    assert (first.on["stop"], first.on["error"][0].target) == (None, "end")
    types = [schema.get("type") for schema in found.workflow.data.values()]
    assert types == ["integer", "number", "boolean", "array", "object", None]


def test_what_leads_to_a_final_state_inside_another_leads_on_to_where_that_one_leads() -> None:
    inside = {"initial": "x", "states": {"x": {"on": {"go": "y"}}, "y": {"type": "final"}}}
    found = imported(machine(onDone={"target": "end", "actions": "greet"}, **inside))
    assert found.workflow.by_path["a.x"].on["go"][0].target == "end"
    assert [str(loss) for loss in found.losses] == [
        "a.y: it ends what is around it: here, what leads to it leads on to `end` at once",
        "a.onDone: its actions are left out",
    ]


@pytest.mark.parametrize("text", ['say "x"', "naïve \U0001f600", "a\\b\n\t\x01", "{{ data.n }}", "data.n", "\u202e"])
def test_an_argument_that_is_text_is_that_text(text: str) -> None:
    found = imported(machine(invoke={"src": "work", "input": {"said": text}})).workflow
    said = found.by_path["a"].with_["said"]
    assert Machine(found).guards.compile(said, event=None).evaluate({}, {}, {}) == text


def test_a_state_that_goes_to_itself_is_left_only_where_it_says_so() -> None:
    stays, goes = {"target": "a", "actions": "x"}, {"target": "a", "reenter": True}
    leaf = imported(machine(on={"stay": stays, "go": goes})).workflow.by_path["a"]
    assert [leaf.on[event][0].target for event in ("stay", "go")] == [None, "a"]
    inside = {"initial": "x", "states": {"x": {}}}
    compound = imported(machine(on={"stay": stays, "go": goes}, **inside)).workflow.by_path["a"]
    assert [compound.on[event][0].target for event in ("stay", "go")] == ["a.x", "a"]


def test_a_transition_that_would_begin_timers_anew_there_is_told() -> None:
    inner = {"initial": "c", "after": {"1000": "#m.a"}, "states": {"c": {"on": {"go": "d"}}, "d": {}}}
    written = machine() | {"states": {"a": {}, "b": {**inner, "on": {"again": {"target": ".d", "reenter": True}}}}}
    [told] = imported(written).losses
    assert str(told).startswith("b.on.again: it leaves `b` and enters it again there, and stays in it here")


INVALID: list[tuple[Any, str]] = [
    ([], "the machine must be an object, and is []"),
    ({}, "this is no machine of XState that a workflow can be made of: it has no `states`"),
    ({"states": {}}, "this is no machine of XState that a workflow can be made of: it has no `states`"),
    ({"states": []}, "this is no machine of XState that a workflow can be made of: it has no `states`"),
    ({"states": [1]}, "`states` of machine must be an object, and is [1]"),
    ({"states": {"a": 1}}, "state 'a' must be an object, and is 1"),
    ({"states": {"a": {}}}, "machine: `initial` must be one of 'a', and is null"),
    ({"states": {"a": {}}, "initial": "b"}, "machine: `initial` must be one of 'a', and is 'b'"),
    ({"states": {"a": {"type": "odd"}}, "initial": "a"}, "a: 'odd' is no type of a state"),
    ({"type": "parallel", "states": {"a": {}}}, "the machine is parallel, and an agent is in one state at a time"),
    (machine(on=[1]), "a.on must be an object, and is [1]"),
    (machine(on={"go": 5}), "a.on.go: a transition must be an object or a target, and is 5"),
    (machine(on={"go": "nowhere"}), "a: there is no state 'nowhere' to go to"),
    (machine(on={"go": {"target": 5}}), "a: a target must be a text, and is 5"),
    (machine(on={"go": {"target": "b", "guard": 5}}), "a.on.go: a guard must be a name or an object with a `type`"),
    (machine(on={"go": {"target": "b", "cond": "x"}}), "`cond` is how XState 4 calls a guard"),
    (machine(invoke={"src": {}}), "a.invoke: `src` must be the name of an actor"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), INVALID, ids=str)
def test_what_is_no_machine_is_refused_in_a_sentence(written: Any, said: str) -> None:
    with pytest.raises(MachineInvalid) as refused:
        imported(written)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_states_may_nest_as_deep_as_here_and_no_deeper() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"initial": f"s{depth}", "states": {f"s{depth}": nested(depth - 1)}} if depth else {}

    assert len(imported(nested(8)).workflow.by_path) == 8
    with pytest.raises(MachineInvalid, match="states may nest 8 levels deep, and this one is deeper"):
        imported(nested(9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not JSON (Expecting value, line 1, column 1): export the machine as JSON first"),
        ("export const machine = createMachine({})", "it is not JSON"),
        ('{"a": NaN}', "it is not JSON: NaN is no number there"),
        ("[" * 100_000, "it is nested too deeply for a machine"),
        ('{"id": "\\ud800"}', "a text in it holds half a surrogate pair, which is no character"),
        ("1" * 5_000, "it is not JSON that can be read"),
    ],
)
def test_what_is_no_json_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(MachineInvalid) as refused:
        machine_of(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
