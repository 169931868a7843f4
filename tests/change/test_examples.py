"""Examples are true: the engine decides as they say. And what is called equal is equal."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.change.examples import Decider, Example, Result
from fsm_agent.domain.decision import EvaluationContext, GuardsRefuse, Taken
from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.machine import Machine
from fsm_agent.errors import ExpressionFailed
from tests.change.versions import edited
from tests.proof.random_properties import EVENTS, FIELDS, GUARDS, OF_PAY
from tests.support.hypothesis_settings import example_settings

TARGETS = ("x", "y", "z")
SOME: dict[str, list[Any]] = {
    "ok": [True, False],
    "n": [0, 1, 2],
    "kind": ["a", "b", "c"],
    "x": [None, -1, 0, 1, 2, 7],
    "items": [None, [], [1], [2, 1]],
}


def workflow(event: str, candidates: tuple[Transition, ...]) -> Workflow:
    first = State("a", on={event: candidates})
    others = tuple(State(name) for name in (*TARGETS, "b"))
    return Workflow("w", 1, "a", (first, *others), data=FIELDS, events=EVENTS)


def candidates(random: Random, event: str) -> tuple[Transition, ...]:
    known = [guard for guards in GUARDS.values() for guard in guards] + (OF_PAY if event == "pay" else [])

    def guard() -> str | None:
        one, other = random.choice(known), random.choice(known)
        joined = random.choice([f"({one}) && ({other})", f"({one}) || ({other})", f"!({one})", one, one])
        return joined if random.random() < 0.8 else None

    return tuple(Transition(random.choice(TARGETS), guard()) for _ in range(random.randint(1, 3)))


def decided(machine: Machine, event: str, context: EvaluationContext) -> str:
    """What the engine decides, in the words of an example."""
    try:
        decision = machine.decide("a", event, context)
    except ExpressionFailed:
        return str(Result(is_failure=True))
    if isinstance(decision, Taken):
        return f"`{decision.move.target}`"
    assert isinstance(decision, GuardsRefuse)
    return str(Result())


def context_of(example: Example, event: str) -> EvaluationContext:
    """Data and payload as an example says, and else anything that is valid."""
    data: dict[str, Any] = {"ok": False, "n": 0, "kind": "a", "x": None, "items": []}
    payload: dict[str, Any] = {"amount": 0} if event == "pay" else {}
    visits: dict[str, int] = {"b": 0}
    by = None
    for text, value in example.values.items():
        if text == "event.by":
            by = value
        elif found := re.fullmatch(r"(data|event)\.(\w+)", text):
            (data if found[1] == "data" else payload)[found[2]] = value
        elif text == "size(data.items)":
            data["items"] = None if value is None else [3] * value
        else:
            visits["b"] = value
    return EvaluationContext(data, Event(event, payload, by), visits)


@example_settings(150)
@given(st.integers(0, 1_000_000), st.sampled_from(["go", "pay"]))
def test_each_example_is_what_the_engine_does(seed: int, event: str) -> None:
    random = Random(seed)  # noqa: S311 - nothing secret
    olds, news = candidates(random, event), candidates(random, event)
    old, new = workflow(event, olds), workflow(event, news)
    for example in Decider(old, new).compare(event, olds, news).examples:
        if len(example.values) == len(example.conditions):
            context = context_of(example, event)
            assert decided(Machine(old), event, context) == str(example.before), example
            assert decided(Machine(new), event, context) == str(example.now), example


@example_settings(100)
@given(st.integers(0, 1_000_000))
def test_what_is_called_equal_is_decided_alike_whatever_the_data_are(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - nothing secret
    field = random.choice(["ok", "n", "kind", "x", "items"])
    guards = [random.choice(GUARDS[field]) for _ in range(4)]
    olds = (Transition("x", guards[0]), Transition("y", guards[1]))
    news = (Transition("x", f"!(!({guards[0]}))"), Transition("y", random.choice([guards[1], guards[2]])))
    old, new = workflow("go", olds), workflow("go", news)
    contexts = [
        EvaluationContext(dict(zip(SOME, values, strict=True)), Event("go", {}, None), {"b": visits})
        for values in product(*(SOME[name] if name == field else SOME[name][:1] for name in SOME))
        for visits in (0, 1, 2)
    ]
    before, now = Machine(old), Machine(new)
    alike = all(decided(before, "go", context) == decided(now, "go", context) for context in contexts)
    assert alike or not Decider(old, new).compare("go", olds, news).is_same


def test_an_example_stands_for_guards_to_compare() -> None:
    difference = edited("support_triage", ("event.amount <= 100.0", "event.amount <= 250.0"))
    [change] = difference.changes
    assert change.risk == "for `event.amount = 175.0`: `approving` before, `refunding` now"
    assert difference.meaning[0].examples[0].to_json() == {
        "values": {"event.amount": 175.0},
        "when": ["`event.amount = 175.0`"],
        "before": "approving",
        "now": "refunding",
    }


def test_a_guard_that_is_written_otherwise_and_decides_alike_changes_nothing() -> None:
    """There is no integer between."""
    difference = edited("expense_approval", ("data.cents <= 5000", "data.cents < 5001"))
    assert difference.meaning == ()
    assert [(change.level, change.risk) for change in difference.changes] == [("fine", "no state decides otherwise")]


def test_of_conditions_that_hang_together_no_example_is_made_up() -> None:
    """``n + 1 > 3`` and ``n + 1 > 2`` cannot be looked into, and not every pair of their outcomes can be."""
    old = workflow("go", (Transition("x", "data.n + 1 > 3"), Transition("y")))
    new = workflow("go", (Transition("x", "data.n + 1 > 2"), Transition("y")))
    compared = Decider(old, new).compare("go", old.by_path["a"].on["go"] or (), new.by_path["a"].on["go"] or ())
    assert (compared.examples, compared.is_same) == ((), False)


def test_one_compiler_serves_all_comparisons() -> None:
    old, new = workflow("go", (Transition("x", "data.n > 1"),)), workflow("go", (Transition("x", "data.n > 0"),))
    decider = Decider(replace(old, name="v"), new)
    assert decider.compare("go", (Transition("x", "data.n > 1"),), ()).examples
    assert not decider.compare("go", (Transition("x", "data.nothing > 1"),), ()).examples
