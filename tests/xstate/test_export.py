"""What stands in an exported machine, and what is told of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import MachineInvalid
from fsm_agent.loading.yaml_file import loads
from fsm_agent.xstate.exporter import export

HEAD = "workflow: w\nversion: 2\ninitial: a\nevents: {go: {}, stop: {}}\n"


def read(states: str, head: str = HEAD) -> Workflow:
    return loads(f"{head}states:\n{states}\n  end: {{final: true}}\n")


def machine(states: str, head: str = HEAD) -> Any:
    return export(read(states, head)).machine


def test_a_transition_of_a_parent_stays_there_where_both_leave_the_same() -> None:
    found = export(read("  a: {initial: b, on: {go: end, stop: a.c}, states: {b: {}, c: {}}}"))
    assert found.machine["states"]["a"]["on"] == {"go": {"target": "#w.end"}, "stop": {"target": "#w.a.c"}}
    assert found.flattened == ()


def test_a_transition_of_a_parent_stands_in_the_leaves_where_xstate_would_leave_more() -> None:
    found = export(read("  a: {initial: b, on: {go: a.b.y}, states: {b: {initial: x, states: {x: {}, y: {}}}, c: {}}}"))
    inside = found.machine["states"]["a"]
    again = {"target": "#w.a.b.y", "reenter": True}
    assert "on" not in inside
    assert inside["states"]["c"]["on"] == {"go": {"target": "#w.a.b.y"}}
    assert {name: leaf["on"]["go"] for name, leaf in inside["states"]["b"]["states"].items()} == {
        "x": {"target": "#w.a.b.y"},
        "y": again,
    }
    assert [str(each) for each in found.flattened] == [
        "states.a.on.go: it stands in each state inside, since XState would also leave `a.b` here"
    ]


def test_a_timer_of_that_kind_raises_an_event_that_the_leaves_handle() -> None:
    found = export(read("  a: {initial: b, after: {1s: a.b.y}, states: {b: {initial: x, states: {x: {}, y: {}}}}}"))
    inside = found.machine["states"]["a"]
    assert inside["after"] == {"1000": {"actions": [{"type": "raise", "params": {"type": "after 1s in a"}}]}}
    assert inside["states"]["b"]["states"]["x"]["on"] == {"after 1s in a": {"target": "#w.a.b.y"}}
    [told] = found.flattened
    assert str(told).startswith(
        "states.a.after.1s: it raises the event `after 1s in a`, which each state inside handles"
    )


def test_a_target_that_is_the_state_or_lies_around_it_is_entered_again() -> None:
    inside = machine("  a: {initial: b, on: {stop: a}, states: {b: {on: {go: a}}}}")["states"]["a"]
    assert inside["on"]["stop"] == {"target": "#w.a", "reenter": True}
    assert inside["states"]["b"]["on"]["go"] == {"target": "#w.a", "reenter": True}


def test_what_is_forbidden_goes_nowhere() -> None:
    head = f"{HEAD}on: {{go: end}}\n"
    assert machine("  a: {on: {go: null}}", head)["states"]["a"]["on"] == {"go": {}}


def test_a_timeout_goes_where_an_error_goes_if_nothing_else_takes_it() -> None:
    states = "  a: {do: work, timeout: 1m, on: {error: end}}\n  b: {do: work, on: {error: end}}"
    found = machine(states)["states"]
    assert found["a"]["on"] == {"error": {"target": "#w.end"}, "timeout": {"target": "#w.end"}}
    assert found["b"]["on"] == {"error": {"target": "#w.end"}}


EVERYTHING = """
workflow: w
version: 2
data: {n: {type: integer, default: 1}, items: {type: array, default: []}, note: string?}
events: {go: {amount: integer}, stop: {}}
initial: a
on: {cancel: end}
limits: {steps: 9, tokens: 5}
merge: {n: max}
user: {tone: string?}
progress: {done: data.n}
conversation: {max_tokens: 500}
migrations: [{from: 1, data: {drop: [old]}}]
must: {ends: {reaches: done}}
workflows:
  child: {workflow: child, version: 1, initial: x, states: {x: {final: true}}}
states:
  a:
    do: work
    with: {count: 3, text: data.note}
    timeout: 1m
    retry: {attempts: 2}
    on:
      go: {target: b, when: event.amount > 1, assign: {n: event.amount, note: '"x"'}, append: {items: event.amount}}
      error: end
    after: {60s: end, 1m: b}
  b:
    ask: {prompt: "Well?", events: [stop]}
    on: {stop: c}
  c:
    do: human.ask
    with: {prompt: "Well?", events: [stop]}
    on: {stop: end}
  end: {final: true, outcome: failed, output: {n: data.n}}
"""


def test_everything_that_is_not_carried_is_told_once_with_its_place() -> None:
    found = export(loads(EVERYTHING))
    assert [str(each) for each in found.losses] == [
        "data: what type n, items, note have is not carried: XState knows types only in TypeScript; their defaults "
        "stand in `context`",
        "events: what comes with go is not carried: XState knows types only in TypeScript",
        "limits.steps: it is not carried: XState counts nothing",
        "limits.tokens: it is not carried: XState counts nothing",
        "merge: it is not carried: XState has nothing like it",
        "conversation: it is not carried: XState has nothing like it",
        "user: it is not carried: XState has nothing like it",
        "progress: it is not carried: XState has nothing like it",
        "workflows: it is not carried: XState has nothing like it",
        "migrations: it is not carried: XState has nothing like it",
        "must: it is not carried: XState has nothing like it",
        "states.a.with.text: it is not carried: it says what only this project can evaluate",
        "states.a.timeout: it is not carried: whoever runs the actor has to send `timeout`",
        "states.a.retry: it is not carried: an actor of XState is started once",
        "states.a.on.go: `event.amount > 1` is CEL, and only the name of a guard there: write it in JavaScript",
        "states.a.on.go: what `n` becomes is CEL, and only the name of an action there: write it in JavaScript",
        "states.a.on.go: what `note` becomes is CEL, and only the name of an action there: write it in JavaScript",
        "states.a.on.go: what `items` becomes is CEL, and only the name of an action there: write it in JavaScript",
        "states.a.after: 2 timers of 60000 ms are one delay there",
        "states.b.ask: the question is not carried, only the events that answer it",
        "states.c.do: `human.ask` is a built-in action, and only the name of an actor there",
        "states.c.with.prompt: it is not carried: it says what only this project can evaluate",
        "states.c.with.events: it is not carried: it says what only this project can evaluate",
        "states.end.outcome: `failed` is not carried: a machine of XState is done in any final state",
        "states.end.output: it is not carried: it is CEL",
    ]
    first = found.machine["states"]["a"]
    assert found.machine["context"] == {"n": 1, "items": [], "note": None}
    assert first["invoke"] == {"src": "work", "input": {"count": 3}}
    assert first["on"]["go"] == {
        "target": "#w.b",
        "guard": "event.amount > 1",
        "actions": ["n = event.amount", 'note = "x"', "items += event.amount"],
    }
    assert first["after"] == {"60000": [{"target": "#w.end"}, {"target": "#w.b"}]}


@pytest.mark.parametrize(
    ("states", "head"),
    [("  a: {on: {__proto__: end}}", HEAD.replace("go:", "__proto__:")), ("  a: {}\n  __proto__: {}", HEAD)],
)
def test_a_name_that_xstate_cannot_have_is_refused(states: str, head: str) -> None:
    with pytest.raises(MachineInvalid, match="XState can have no state and no event of the name `__proto__`"):
        export(read(states, head))
