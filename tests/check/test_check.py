"""What a check proves of a workflow, and what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from fsm_agent.check import check_workflow, expression_findings
from fsm_agent.check.reports import FORMATS, as_github, as_json, as_text
from fsm_agent.domain.finding import Finding, Place, Severity
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State, Transition
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import inspect_text
from tests.support.workflows import BOOK_FLIGHT

DECLARATION = """
workflow: example
version: 1
data:
  amount: integer
  price: {type: number, default: 0}
  name: string?
  tags: {type: array, items: {type: string}, default: []}
  few: {type: array, items: {type: string}, maxItems: 5, default: []}
events: {go: {count: integer, at: date?}, stop: {}, ok: {}}
initial: idle
"""


def check(states: str, *, actions: Mapping[str, Signature] | None = None) -> list[Finding]:
    _, findings = inspect_text(
        DECLARATION + states, checks=[lambda workflow: check_workflow(workflow, actions=actions)]
    )
    return findings


def codes(states: str, *, actions: Mapping[str, Signature] | None = None) -> list[str]:
    return [finding.code for finding in check(states, actions=actions)]


def idle(transition: str) -> str:
    """A workflow without faults, but for those of one transition."""
    return f"""
states:
  idle: {{on: {{go: {transition}, stop: done, ok: done}}}}
  done: {{final: true}}
"""


FINE = idle("done")


def test_a_workflow_without_faults_has_no_findings() -> None:
    assert codes(FINE) == []


@pytest.mark.parametrize(
    ("transition", "code", "message"),
    [
        ("{target: done, when: 'data.amuont > 1'}", "FSM201", "no data field `amuont` (did you mean `data.amount`?)"),
        ("{target: done, when: data.amount}", "FSM202", "a guard must be true or false, and this is an int"),
        ("{target: done, when: data.name}", "FSM202", "this is a string"),
        ("{target: done, assign: {nmae: event.name}}", "FSM203", "no data field `nmae` (did you mean `name`?)"),
        ("{target: done, append: {tgas: event.name}}", "FSM203", "no data field `tgas` (did you mean `tags`?)"),
        ("{target: done, assign: {name: event.count}}", "FSM204", "name must be a string or null, and this is an i"),
        ("{target: done, assign: {amount: 1.5}}", "FSM204", "amount"),
        ("{target: done, assign: {amount: null}}", "FSM204", "amount"),
        ("{target: done, assign: {amount: 'null'}}", "FSM204", "amount must be an integer, and this is null"),
        ("{target: done, assign: {amount: data.price}}", "FSM204", "this is a number: write int(...)"),
        ("{target: done, assign: {tags: '[1, 2]'}}", "FSM204", "each item of tags must be a string, and this"),
        ("{target: done, append: {tags: event.count}}", "FSM204", "an item of tags must be a string, and this is"),
        ("{target: done, assign: {tags: \"[b'1']\"}}", "FSM207", "an item of this list is bytes, which JSON cannot"),
        ("{target: done, assign: {tags: \"[duration('1s')]\"}}", "FSM207", "an item of this list is a duration, which"),
        ("{target: done, when: \"b'1'\"}", "FSM202", "a guard must be true or false, and this is bytes"),
        ("{target: done, assign: {name: Ana}}", "FSM201", "text stands in quotes of its own"),
        ("{target: done, append: {amount: '1'}}", "FSM205", "`amount` is integer, no list to append to"),
        ("{target: done, assign: {name: duration('1s')}}", "FSM207", "a duration, which JSON cannot hold: write str"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_an_error(transition: str, code: str, message: str) -> None:
    (finding,) = check(idle(transition))
    assert finding.code == code
    assert message in finding.message
    assert finding.severity is Severity.ERROR


NUMBERS_OR_DATES = "numbers, dates or datetimes of one kind"


@pytest.mark.parametrize(
    ("declared", "policy", "message"),
    [
        ("string?", "union", "`union` merges lists, and `f` is null or string"),
        ("integer", "append", "`append` merges lists, and `f` is integer"),
        ("{anyOf: [{type: array}, {type: string}]}", "append", "`append` merges lists, and `f` is array or string"),
        ("string", "max", f"`max` merges {NUMBERS_OR_DATES}, and `f` is string"),
        ("boolean", "max", f"`max` merges {NUMBERS_OR_DATES}, and `f` is boolean"),
        ("[integer]", "max", f"`max` merges {NUMBERS_OR_DATES}, and `f` is array"),
        ("{type: [string, integer], format: date}", "max", f"`max` merges {NUMBERS_OR_DATES}"),
        ("{anyOf: [{type: string, format: date}, {type: string, format: date-time}]}", "max", "of one kind"),
        ("{type: 'null'}", "max", "and `f` is null"),
    ],
)
def test_a_policy_that_could_not_merge_its_field_is_an_error(declared: str, policy: str, message: str) -> None:
    [finding] = merging(declared, policy)
    assert (finding.code, finding.severity) == ("FSM209", Severity.ERROR)
    assert message in finding.message
    assert str(finding.place).endswith(":7:12")


@pytest.mark.parametrize(
    ("declared", "policy"),
    [
        ("string?", "last"),
        ("[integer]", "append"),
        ("{anyOf: [{type: array}, {type: 'null'}]}", "union"),
        ("{type: [integer, number, 'null']}", "max"),
        ("date?", "max"),
        ("datetime", "max"),
        ("{anyOf: [{$ref: '#/$defs/day'}, {type: 'null'}], $defs: {day: {type: string, format: date}}}", "max"),
    ],
)
def test_a_policy_that_fits_is_left_alone(declared: str, policy: str) -> None:
    assert merging(declared, policy) == []


def test_a_policy_of_no_field_is_an_error_at_its_key_and_one_of_a_field_that_cannot_be_read_is_none() -> None:
    [finding] = merging("string", "last", field="g")
    assert "no data field `g` to merge; there is f" in finding.message
    assert str(finding.place).endswith(":7:9")
    assert [finding.code for finding in merging("strin", "max")] == ["FSM106"]


def merging(declared: str, policy: str, field: str = "f") -> list[Finding]:
    text = f"""workflow: w
version: 1
data:
  f: {declared}
initial: a
states: {{a: {{on: {{cancel: b}}}}, b: {{final: true}}}}
merge: {{{field}: {policy}}}
"""
    return inspect_text(text)[1]


@pytest.mark.parametrize(
    "transition",
    [
        "{target: done, when: data.name != null}",
        "{target: done, assign: {price: event.count}}",
        "{target: done, assign: {price: 3, amount: 4, name: null, tags: [a, b]}}",
        "{target: done, assign: {name: event.at}}",
        "{target: done, assign: {name: 'null'}}",
        "{target: done, assign: {tags: '[]'}}",
        "{target: done, append: {tags: '\"x\"'}}",
        "{target: done, when: 'size(data.tags) > 2 && data.few[0] == \"x\"'}",
        "{target: done, assign: {tags: data.tags}}",
    ],
)
def test_what_can_be_right_is_left_alone(transition: str) -> None:
    assert codes(idle(transition)) == []


def test_a_mistake_inside_an_expression_is_placed_by_line_and_column() -> None:
    (finding,) = check(idle("{target: done, when: 'true && data.amuont > 1'}"))
    line = (DECLARATION + idle("")).splitlines().index("  idle: {on: {go: , stop: done, ok: done}}") + 1
    assert finding.place is not None
    assert (finding.place.line, finding.offset) == (line, (1, 9))


def test_a_guard_that_converts_a_long_list_is_a_warning() -> None:
    (finding,) = check(idle("{target: done, when: '\"x\" in data.tags'}"))
    assert (finding.code, finding.severity) == ("FSM208", Severity.WARNING)


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("{do: work, with: {n: data.amuont}, on: {ok: done}}", "FSM201", "no data field `amuont`"),
        ("{do: work, with: {n: event.count}, on: {ok: done}}", "FSM201", "no event is at hand"),
        ("{do: work, with: {n: \"b'x'\"}, on: {ok: done}}", "FSM207", "this is bytes, which JSON"),
        ("{ask: {prompt: '{{ data.x }}', events: [ok]}, after: {1d: done}, on: {ok: done}}", "FSM201", "field `x`"),
        ("{ask: {prompt: '{{ 1', events: [ok]}, after: {1d: done}, on: {ok: done}}", "FSM201", "not closed"),
        ("{ask: {prompt: x, to: data.amount, events: [ok]}, after: {1d: done}, on: {ok: done}}", "FSM206", "an int"),
        ("{on: {ok: done}, after: {1h: {target: done, when: 'event.x'}, 2h: done}}", "FSM201", "event 'after' has no"),
        ("{do: work, on: {ok: done, error: {target: done, assign: {name: event.mesage}}}}", "FSM201", "event.message"),
    ],
)
def test_expressions_are_checked_wherever_they_stand(state: str, code: str, message: str) -> None:
    (finding,) = check(f"states: {{idle: {{on: {{go: work, stop: done}}}}, work: {state}, done: {{final: true}}}}")
    assert finding.code == code
    assert message in finding.message


def test_an_expression_of_output_is_checked() -> None:
    states = "states: {idle: {on: {go: done, stop: done, ok: done}}, done: {final: true, output: {x: data.x}}}"
    assert codes(states) == ["FSM201"]


def test_a_draft_with_unknown_events_is_looked_at_all_the_same() -> None:
    broken = State("a", on={"unheard": (Transition("a", "event.x"),), "error": (Transition("nowhere", "data.x"),)})
    assert [finding.code for finding in expression_findings(Workflow("", 0, "", (broken,)))] == ["FSM201"]


def found(states: str, code: str) -> list[str]:
    return [finding.message for finding in check("states:" + states) if finding.code == code]


def test_only_the_outermost_unreachable_state_is_named() -> None:
    states = """
      idle: {on: {go: done, stop: done, ok: done}}
      lost: {initial: a, states: {a: {on: {ok: b}}, b: {on: {ok: done}}}}
      done: {final: true}"""
    assert found(states, "FSM301") == ["state `lost` is never entered: no transition leads to it"]


def test_states_that_only_lead_to_each_other_are_unreachable() -> None:
    states = """
      idle: {on: {go: done, stop: done, ok: done}}
      a: {on: {ok: b, stop: done}}
      b: {on: {ok: a}}
      done: {final: true}"""
    assert found(states, "FSM301") == ["state `a` is never entered: only b leads to it"]


def test_the_way_into_a_trap_is_its_witness() -> None:
    states = """
      idle: {on: {go: done, stop: first}}
      first: {on: {ok: ping}}
      ping: {on: {ok: pong}}
      pong: {on: {ok: ping}}
      done: {final: true}"""
    (finding,) = check("states:" + states)
    assert finding.code == "FSM302"
    assert "`first`, `ping`, `pong`" in finding.message
    assert finding.witness == ("idle", "stop", "first", "ok", "ping", "ok", "pong", "ok", "ping")
    assert finding.path == ("states", "ping")


def test_the_workflows_own_cancel_is_no_way_out() -> None:
    states = """
      idle: {on: {go: wait, stop: wait}}
      wait: {on: {ok: idle}}
      done: {final: true}
on: {cancel: done}"""
    (finding,) = check("states:" + states)
    assert finding.code == "FSM302"
    assert "but by the workflow's own cancel" in finding.message


def test_a_cancel_that_a_state_declares_itself_is_a_way_out() -> None:
    assert codes("states: {idle: {on: {go: idle, stop: idle, ok: idle, cancel: done}}, done: {final: true}}") == []


def test_a_state_that_nothing_leads_out_of_is_a_dead_end_and_nothing_else() -> None:
    states = (
        "{idle: {on: {go: done, stop: stuck, ok: done}}, stuck: {on: {ok: {assign: {amount: 1}}}}, done: {final: true}}"
    )
    (finding,) = check("states: " + states)
    assert (finding.code, finding.path) == ("FSM303", ("states", "stuck"))
    assert finding.witness == ("idle", "stop", "stuck")


def test_an_action_that_can_only_fail_is_a_dead_end() -> None:
    states = """
      idle: {on: {go: work, stop: done, ok: done}}
      work: {do: work}
      done: {final: true}
on: {error: done}"""
    assert found(states, "FSM303")[0].startswith("nothing leads out of state `work`, its action can only fail")


def test_a_timer_of_an_ancestor_leads_out() -> None:
    states = """
      idle: {on: {go: outer, stop: done, ok: done}}
      outer: {initial: inner, after: {1d: done}, states: {inner: {}}}
      done: {final: true}"""
    assert codes("states:" + states) == []


@pytest.mark.parametrize(
    ("go", "message"),
    [
        ("[{target: done}, {target: idle}]", "the one without a guard before it always is"),
        ("[{target: done, when: 'true'}, {target: idle}]", "the one without a guard before it always is"),
        (
            "[{target: done, when: event.count > 1}, {target: idle, when: event.count > 1}, {target: done}]",
            "the guard `event.count > 1` stands before it already",
        ),
    ],
)
def test_a_transition_behind_another_is_shadowed(go: str, message: str) -> None:
    (finding,) = check(idle(go))
    assert finding.code == "FSM304"
    assert message in finding.message
    assert finding.path == ("states", "idle", "on", "go", 1)


def test_what_every_child_decides_itself_is_shadowed() -> None:
    states = """
      idle: {on: {go: outer, stop: done}}
      outer: {initial: a, on: {ok: done}, states: {a: {on: {ok: b}}, b: {on: {ok: null, stop: done}}}}
      done: {final: true}"""
    assert found(states, "FSM304") == [
        "this transition is never chosen: every state that it covers decides on `ok` itself, or forbids it"
    ]


def test_what_one_child_overrides_is_not_shadowed() -> None:
    states = """
      idle: {on: {go: outer, stop: done}}
      outer: {initial: a, on: {ok: done}, states: {a: {on: {ok: b}}, b: {}}}
      done: {final: true}"""
    assert codes("states:" + states) == []


def test_an_error_handler_that_takes_timeouts_is_not_shadowed() -> None:
    states = """
      idle: {on: {go: work, stop: done}}
      work: {do: work, timeout: 1s, on: {ok: done, timeout: {target: idle, when: data.amount > 1}, error: done}}
      done: {final: true}
limits: {steps: 9}"""
    assert codes("states:" + states) == []


def test_an_event_that_no_state_handles_is_an_error() -> None:
    (finding,) = check("states: {idle: {on: {go: done, stop: done}}, done: {final: true}}")
    assert (finding.code, finding.path) == ("FSM305", ("events", "ok"))


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ("{on: {ok: done, error: done}}", ("on", "error")),
        ("{on: {ok: done, timeout: done}}", ("on", "timeout")),
        ("{do: work, on: {ok: done, timeout: done}}", ("on", "timeout")),
        ("{on: {ok: done}, after: {2h: done, 1h: done}}", ("after", "2h")),
    ],
)
def test_what_never_happens_cannot_be_handled(state: str, path: tuple[str, ...]) -> None:
    (finding,) = check(f"states: {{idle: {{on: {{go: work, stop: done}}}}, work: {state}, done: {{final: true}}}}")
    assert (finding.code, finding.path) == ("FSM306", ("states", "work", *path))


@pytest.mark.parametrize(
    "state",
    [
        "{do: work, timeout: 1s, on: {ok: done, timeout: done}}",
        "{do: work, timeout: 1s, on: {ok: done, error: done}}",
        "{on: {ok: done}, after: {1h: {assign: {amount: 1}}, 2h: done}}",
        "{on: {ok: done}, after: {1h: {target: done, when: data.amount > 1}, 2h: done}}",
        "{on: {ok: done}, after: {1h: work.b, 2h: done}, initial: a, states: {a: {}, b: {}}}",
    ],
)
def test_what_may_happen_can_be_handled(state: str) -> None:
    assert codes(f"states: {{idle: {{on: {{go: work, stop: done}}}}, work: {state}, done: {{final: true}}}}") == []


def cycle(more: str = "", step: str = "b", limits: str = "{}", initial: str = "") -> str:
    return f"""
      idle: {{on: {{go: a}}}}
      a: {{do: work, on: {{ok: {step}, error: done}}}}
      b: {{do: work, {more} on: {{ok: a, stop: done, error: done}}}}
      done: {{final: true}}
limits: {limits}"""


def test_a_cycle_of_actions_without_a_bound_is_an_error_with_its_witness() -> None:
    (finding,) = check("states:" + cycle())
    assert finding.code == "FSM307"
    assert finding.witness == ("a", "ok", "b", "ok", "a")


@pytest.mark.parametrize(
    "states",
    [
        cycle(limits="{steps: 10}"),
        cycle(limits="{visits: {b: 10}}"),
        cycle(step="""[{when: "visits['b'] > 3", target: done}, {target: b}]"""),
    ],
)
def test_a_limit_bounds_a_cycle(states: str) -> None:
    assert codes("states:" + states) == []


@pytest.mark.parametrize(("outside", "expected"), [("", []), ("outer", ["FSM307"])])
def test_a_timer_bounds_the_cycles_that_stay_inside_its_state(outside: str, expected: list[str]) -> None:
    states = f"""
      idle: {{on: {{go: outer, stop: done}}}}
      outer:
        initial: a
        after: {{1h: done}}
        states:
          a: {{do: work, on: {{ok: outer.b, error: done}}}}
          b: {{do: work, on: {{ok: {outside or "outer.a"}, error: done}}}}
      done: {{final: true}}"""
    assert codes("states:" + states) == expected


def test_an_event_from_outside_makes_no_cycle_of_actions() -> None:
    states = """
      idle: {on: {go: work, stop: done}}
      work: {do: work, on: {go: work, ok: done, error: done}}
      done: {final: true}"""
    assert codes("states:" + states) == []
    named = {"work": Signature(emits=frozenset({"ok", "go"}))}
    assert codes("states:" + states, actions=named) == ["FSM307"]


def test_an_error_that_leads_back_makes_a_cycle() -> None:
    states = "{idle: {on: {go: work, stop: done}}, work: {do: work, on: {ok: done, error: work}}, done: {final: true}}"
    (finding,) = check("states: " + states)
    assert finding.witness == ("work", "error", "work")


def test_a_question_without_a_deadline_is_a_warning() -> None:
    states = """
      idle: {on: {go: asking, stop: done}}
      asking: {ask: {prompt: Well?, events: [ok]}, on: {ok: done}}
      done: {final: true}"""
    (finding,) = check("states:" + states)
    assert (finding.code, finding.severity) == ("FSM308", Severity.WARNING)


WORKING = """
states:
  idle: {on: {go: work, stop: done}}
  work: {do: work, with: {depth: 2}, on: {ok: done}}
  done: {final: true}
"""


@pytest.mark.parametrize(
    ("actions", "code", "message"),
    [
        ({"wrok": Signature()}, "FSM401", "there is no action `work` (did you mean `wrok`?)"),
        ({}, "FSM401", "there is no action `work`; there is nothing"),
        ({"work": Signature(accepts=frozenset({"depht"}))}, "FSM402", "no argument `depth` (did you mean `depht`?)"),
        (
            {"work": Signature(requires=frozenset({"goal"}))},
            "FSM403",
            "needs the argument `goal`: give it under `with`",
        ),
        ({"work": Signature(emits=frozenset({"ok", "sotp"}))}, "FSM404", "not declared (did you mean `stop`?)"),
        ({"work": Signature(emits=frozenset({"ok", "stop"}))}, "FSM405", "nothing in state `work` handles it"),
    ],
)
def test_an_action_must_fit(actions: Mapping[str, Signature], code: str, message: str) -> None:
    (finding,) = check(WORKING, actions=actions)
    assert finding.code == code
    assert message in finding.message


def test_an_action_that_fits_is_fine_and_without_actions_names_are_trusted() -> None:
    fitting = Signature(frozenset({"ok"}), frozenset({"depth", "more"}), frozenset({"depth"}))
    assert codes(WORKING, actions={"work": fitting}) == []
    assert codes(WORKING) == []


def test_the_specifications_own_example_has_no_findings() -> None:
    assert check_workflow(BOOK_FLIGHT) == []


def test_findings_come_in_a_stable_order() -> None:
    workflow, _ = inspect_text(DECLARATION + "states: {idle: {}, a: {}, b: {}, done: {final: true}}")
    assert workflow is not None
    findings = check_workflow(workflow)
    assert [finding.code for finding in findings] == sorted(finding.code for finding in findings)
    assert findings == check_workflow(workflow)


FINDING = Finding(
    "FSM301", "50% of\nit: a, b", ("states", "a"), place=Place("a,b:c.yaml", 3, 5), witness=("a", "go", "b")
)


def test_text_is_one_line_with_the_place() -> None:
    assert as_text([FINDING, Finding("FSM302", "x")]) == "a,b:c.yaml:3:5: FSM301 50% of\nit: a, b\nworkflow: FSM302 x"


def test_json_holds_all_of_a_finding() -> None:
    (document,) = json.loads(as_json([FINDING]))
    assert document == {
        "code": "FSM301",
        "severity": "error",
        "message": "50% of\nit: a, b",
        "file": "a,b:c.yaml",
        "line": 3,
        "column": 5,
        "path": ["states", "a"],
        "witness": ["a", "go", "b"],
    }


def test_an_annotation_escapes_what_its_syntax_uses() -> None:
    assert as_github([FINDING]) == ("::error file=a%2Cb%3Ac.yaml,line=3,col=5,title=FSM301::50%25 of%0Ait: a, b")
    assert as_github([Finding("FSM308", "x", severity=Severity.WARNING)]) == "::warning title=FSM308::x"


def test_every_format_of_nothing_is_valid() -> None:
    assert {name: write([]) for name, write in FORMATS.items()} == {"text": "", "json": "[]", "github": ""}
