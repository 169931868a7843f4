"""What the terms of properties name, and which properties nothing could break."""

from __future__ import annotations

import pytest

from fsm_agent.check import check_workflow
from fsm_agent.dialect.terms import TAKEN, Term, TermInvalid, TermKind, resolve
from fsm_agent.domain.finding import Severity
from fsm_agent.loading.yaml_file import inspect_text, loads

FLOW = """\
workflow: w
version: 1
events: {go: {}, back: {}, sign: {}, done: {}, lost: {}}
initial: idle
states:
  idle: {on: {go: work.first, sign: sign}}
  work:
    initial: first
    after: {3d: failed, 72h: failed, 1h: {}}
    on: {back: idle, done: done}
    states:
      first: {do: book, on: {go: work.second}}
      second: {do: llm.generate, with: {prompt: hello, emit: back}, on: {error: failed}}
  sign: {on: {go: end}}
  end: {final: true}
  done: {final: true}
  failed: {final: true, outcome: failed}
  lost: {on: {lost: parked}, do: never_done}
  parked: {on: {go: end}}
"""
STATE, EVENT, ACTION, TIMER, OUTCOME = TermKind


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("idle", {Term(STATE, "idle")}),
        ("work", {Term(STATE, "work")}),
        ("work.first", {Term(STATE, "work.first")}),
        ("back", {Term(EVENT, "back")}),
        ("created", {Term(EVENT, "created")}),
        ("cancel", {Term(EVENT, "cancel")}),
        ("error", {Term(EVENT, "error")}),
        ("timeout", {Term(EVENT, "timeout")}),
        ("book", {Term(ACTION, "book")}),
        ("llm.generate", {Term(ACTION, "llm.generate")}),
        ("after 1h", {Term(TIMER, "1h")}),
        ("after 60m", {Term(TIMER, "1h")}),
        ("after 3d", {Term(TIMER, "3d"), Term(TIMER, "72h")}),
        ("cancelled", {Term(OUTCOME, "cancelled")}),
        ("failed", {Term(OUTCOME, "failed")}),
        ("state failed", {Term(STATE, "failed")}),
        ("outcome failed", {Term(OUTCOME, "failed")}),
        ("state sign", {Term(STATE, "sign")}),
        ("event sign", {Term(EVENT, "sign")}),
        ("do book", {Term(ACTION, "book")}),
        ("outcome parked", {Term(OUTCOME, "parked")}),
    ],
)
def test_a_term_names_one_thing_or_the_timers_of_one_length(written: str, meant: set[Term]) -> None:
    assert resolve(loads(FLOW), (written,)) == meant
    assert resolve(loads(FLOW), tuple(map(str, meant))) == meant


def test_several_terms_name_all_of_theirs() -> None:
    assert resolve(loads(FLOW), ("idle", "back")) == {Term(STATE, "idle"), Term(EVENT, "back")}


def test_where_only_events_can_be_meant_other_names_are_no_rivals() -> None:
    assert resolve(loads(FLOW), ("sign", "after 1h"), among=TAKEN) == {Term(EVENT, "sign"), Term(TIMER, "1h")}
    assert [term.event for term in (Term(EVENT, "sign"), Term(TIMER, "1h"))] == ["sign", "after"]


ALL_NAMES = (
    "idle, work, work.first, work.second, sign, end, done, failed, lost, parked, go, back, created, cancel, error, "
    "timeout, book, llm.generate, never_done, cancelled"
)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("sign", "`sign` has 2 meanings here: write one of `state sign`, `event sign`"),
        ("done", "`done` has 2 meanings here: write one of `event done`, `outcome done`"),
        ("parked", "`parked` has 2 meanings here: write one of `state parked`, `outcome parked`"),
        ("idel", "there is no state, event, action or outcome `idel` (did you mean `idle`?)"),
        ("first", "there is no state, event, action or outcome `first` (did you mean `work.first`?)"),
        ("state first", "there is no state `first` (did you mean `state work.first`?)"),
        (
            "event idle",
            "there is no event `idle`; there are go, back, sign, done, lost, created, cancel, error, timeout",
        ),
        ("do boook", "there is no action `boook` (did you mean `do book`?)"),
        ("do go", "there is no action `go`; there are book, llm.generate, never_done"),
        ("xyz", f"there is no state, event, action or outcome `xyz`; there are {ALL_NAMES}"),
        ("after 4d", "there is no timer `after 4d`; there are `after 3d`, `after 72h`, `after 1h`"),
    ],
)
def test_a_term_that_names_nothing_or_several_things_says_what_can_be_written(written: str, message: str) -> None:
    with pytest.raises(TermInvalid) as raised:
        resolve(loads(FLOW), ("idle", written))
    assert str(raised.value) == message
    assert bool(raised.value.meanings) == ("meanings" in message)


def test_where_events_are_wanted_a_state_is_unknown() -> None:
    with pytest.raises(TermInvalid, match="there is no event `work`; there are go,"):
        resolve(loads(FLOW), ("work",), among=TAKEN)


def test_a_workflow_without_timers_says_so() -> None:
    [end] = [line for line in FLOW.splitlines() if "  end:" in line]
    with pytest.raises(TermInvalid, match="there is no timer `after 3d`, and none at all"):
        resolve(loads(f"workflow: w\nversion: 1\ninitial: end\nstates:\n{end}\n"), ("after 3d",))


def findings(rule: str) -> list[str]:
    found = inspect_text(f"{FLOW}must:\n  a: {{{rule}}}\n", file="w", checks=[check_workflow])[1]
    return [str(each) for each in found if each.code.startswith("FSM6")]


@pytest.mark.parametrize(
    ("rule", "where", "what"),
    [
        ("never: idle, after: state lost", "21:27", "`state lost` never happens"),
        ("never: state lost, before: go", "21:14", "`state lost` never happens"),
        ("never: idle, from: never_done", "21:26", "`never_done` never happens"),
        ("at_most: 1, of: [event lost, state parked]", "21:19", "`event lost`, `state parked` never happen"),
        ("reaches: end, from: event lost", "21:27", "`event lost` never happens"),
        ("reaches: end, from: timeout", "21:27", "`timeout` never happens"),
        ("whenever: event lost, holds: 'true'", "21:17", "`event lost` never happens"),
    ],
)
def test_a_rule_about_what_never_happens_cannot_be_broken(rule: str, where: str, what: str) -> None:
    assert findings(rule) == [f"w:{where}: FSM603 nothing can break `a`: {what} in this workflow"]


@pytest.mark.parametrize(
    "rule",
    [
        "never: state lost",
        "never: idle, before: state lost",
        "never: idle, after: [state lost, work]",
        "never: idle, after: after 1h",
        "never: idle, after: outcome parked",
        "at_most: 1, of: cancelled",
        "at_most: 1, of: error",
        "at_most: 1, of: book, from: state lost",
        "reaches: state lost",
        "reaches: end, from: created",
        "reaches: end, from: cancel",
        "reaches: outcome done, from: failed",
        "whenever: [event lost, go], holds: 'true'",
    ],
)
def test_a_rule_that_something_could_break_is_not_told(rule: str) -> None:
    assert [found for found in findings(rule) if "FSM603" in found] == []


def test_a_rule_that_a_run_breaks_is_told_with_the_states_on_the_way() -> None:
    [found] = findings("never: end")
    assert found.startswith("w:21:3: FSM604 a run breaks `a` (idle → ")
    assert found.endswith("; `fsm-agent prove` shows it step by step")


def test_it_is_told_where_nobody_knows_whether_a_run_breaks_a_rule() -> None:
    text = """
workflow: w
version: 1
events: {go: {who: string}}
initial: idle
states:
  idle: {on: {go: [{when: "event.who.startsWith('a') && event.who.endsWith('b')", target: lost}, done]}}
  done: {final: true}
  lost: {final: true, outcome: failed}
must: {never_lost: {never: lost}}
"""
    [found] = inspect_text(text, checks=[check_workflow])[1]
    assert (found.code, found.severity) == ("FSM605", Severity.WARNING)
    assert found.message.startswith("it is open whether every run keeps `never_lost` (idle → lost): ")


def test_properties_of_children_are_proved_too() -> None:
    states = "{on: {on: {off: gone}}, gone: {final: true}}"
    must = "{b: {never: gone}}"
    child = f"{{workflow: c, version: 1, initial: on, events: {{off: {{}}}}, states: {states}, must: {must}}}"
    found = inspect_text(f"{FLOW}workflows: {{c: {child}}}\n", checks=[check_workflow])[1]
    assert "FSM604" in [each.code for each in found if each.path[:2] == ("workflows", "c")]


def test_who_is_never_cancelled_cannot_break_a_rule_about_it() -> None:
    flow = FLOW.replace("initial: idle\n", "initial: idle\non: {cancel: end}\n")
    text = f"{flow}must: {{a: {{at_most: 1, of: cancelled}}}}\n"
    [found] = [each for each in inspect_text(text, checks=[check_workflow])[1] if each.code.startswith("FSM6")]
    assert found.message == "nothing can break `a`: `cancelled` never happens in this workflow"
