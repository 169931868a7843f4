"""Fields that are read where nothing may have set them yet."""

from __future__ import annotations

import pytest

from fsm_agent.check import check_workflow
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import inspect_text

FLOW = """
workflow: w
version: 1
data:
  who: string?
  given: string?
  count: {type: [integer, "null"], default: 1}
  note: {type: string, default: ""}
events: {told: {who: string}, go: {}, sure: {}}
initial: a
states:
  a:
    on:
      told: {target: a, assign: {who: event.who}}
      go: b
  b: {ON}
  done: {final: true}
"""
KNOWN = {"work": Signature(emits=frozenset({"sure"}), writes=frozenset({"who"}))}


def found(state: str, actions: dict[str, Signature] | None = None, **changes: str) -> list[Finding]:
    text = FLOW.replace("{ON}", state)
    for old, new in changes.items():
        text = text.replace({"go": "go: b"}.get(old, old), new)
    findings = inspect_text(text, checks=[lambda workflow: check_workflow(workflow, actions=actions)])[1]
    assert not [each for each in findings if each.code not in ("FSM312", "FSM308")], findings
    return [each for each in findings if each.code == "FSM312"]


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        ('{ask: {prompt: "{{ data.who }}?", events: [sure]}, on: {sure: done}}', True),
        ("{ask: {prompt: \"{{ data.who == null ? 'x' : data.who }}?\", events: [sure]}, on: {sure: done}}", False),
        ('{ask: {prompt: "Go?", to: data.who, events: [sure]}, on: {sure: done}}', True),
        ('{ask: {prompt: "{{ data.given }}?", events: [sure]}, on: {sure: done}}', False),  # nothing sets it
        ('{ask: {prompt: "{{ data.count }}?", events: [sure]}, on: {sure: done}}', False),  # it has a default
        ("{on: {sure: [{when: size(data.who) > 3, target: done}, done]}}", True),
        ("{on: {sure: [{when: data.who != null && size(data.who) > 3, target: done}, done]}}", False),
        ("{on: {sure: [{when: size(data.who) > 3 && data.who != null, target: done}, done]}}", False),
        ("{on: {sure: [{when: data.who == null || size(data.who) > 3, target: done}, done]}}", False),
        ("{on: {sure: [{when: data.who != null || size(data.who) > 3, target: done}, done]}}", True),
        ("{on: {sure: [{when: '!(data.who == null) && size(data.who) > 3', target: done}, done]}}", False),
        ('{on: {sure: [{when: data.who == "x", target: done}, done]}}', False),
        ("{on: {sure: [{when: 'data.who in [\"x\"]', target: done}, done]}}", False),
        ("{on: {sure: {target: done, assign: {note: data.who}}}}", True),
        ("{on: {sure: {target: done, assign: {given: data.who}}}}", False),
        ("{on: {sure: {target: done, when: data.who != null, assign: {note: data.who}}}}", False),
        ("{do: work, with: {name: data.who}, on: {sure: done, error: done}}", False),
        ("{do: work, with: {name: data.who + 'x'}, on: {sure: done, error: done}}", True),
    ],
)
def test_a_read_of_what_may_be_null_is_told(state: str, *, is_told: bool) -> None:
    assert (
        bool(found(state, {**KNOWN, "work": Signature(frozenset({"sure"}))} if "do: work" in state else None))
        is is_told
    )


def test_the_way_is_shown_and_the_place() -> None:
    [unset] = found('{ask: {prompt: "{{ data.who }}?", events: [sure]}, on: {sure: done}}')
    assert unset.message == "`data.who` may still be null here, since nothing has set it: a -go-> b"
    assert (unset.path, unset.witness) == (("states", "b", "ask", "prompt"), ("a", "go", "b"))


ASKING = '{ask: {prompt: "{{ data.who }}?", events: [sure]}, on: {sure: done}}'


@pytest.mark.parametrize(
    "way",
    [
        "go: {target: b, when: data.who != null}",
        "go: {target: b, assign: {who: \"'x'\"}}",
        "go: [{target: done, when: data.who == null}, b]",
        "go: {target: b, when: size(data.who) > 1}",
    ],
)
def test_who_comes_by_a_way_on_which_it_is_set_reads_no_null(way: str) -> None:
    assert [each for each in found(ASKING, go=way) if each.path[:2] == ("states", "b")] == []


def test_what_is_set_to_null_again_is_not_set() -> None:
    assert len(found(ASKING, go="go: {target: b, when: data.who != null, assign: {who: null}}")) == 1


def test_an_action_sets_what_it_writes_and_perhaps_all_if_it_does_not_say() -> None:
    working = "{do: work, on: {sure: c, error: done}}\n  c: " + ASKING
    assert found(working, KNOWN) == []
    assert found(working, {"work": Signature(frozenset({"sure"}))}) == []
    assert len(found(working, {"work": KNOWN["work"]._replace(writes=frozenset({"note"}))})) == 1
    failing = "{do: work, on: {sure: done, error: c}}\n  c: " + ASKING
    assert len(found(failing, KNOWN)) == 1
