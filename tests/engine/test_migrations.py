"""What stands under `migrations`: read in YAML and Python alike, and every mistake in it found with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Migration, State, Workflow
from fsm_agent.actions.registry import Actions
from fsm_agent.check import check_workflow
from fsm_agent.domain.migration import Migration as Word
from fsm_agent.domain.workflow import Workflow as Read
from fsm_agent.errors import ActionError, WorkflowInvalid
from fsm_agent.loading.yaml_file import inspect_text, loads

FLOW = """\
workflow: w
version: 3
data: {aim: string?, tier: {type: string, default: basic}}
events: {go: {}}
initial: idle
states:
  idle: {on: {go: review}}
  review:
    initial: first
    states:
      first: {on: {go: done}}
  done: {final: true}
"""
MIGRATIONS = """\
migrations:
  - from: 1
    states: {waiting: idle, check.one: review.first}
    data: {drop: [waste], rename: {goal: aim}, default: {tier: gold}}
  - {from: 2, upcast: "shop.upcasts:two_to_three"}
"""


def two_to_three(data: dict[str, Any]) -> dict[str, Any]:
    return data


def findings(entries: str) -> list[str]:
    return [str(finding) for finding in inspect_text(f"{FLOW}migrations:\n{entries}", file="w.yaml")[1]]


def test_migrations_are_read_word_by_word() -> None:
    first, second = loads(FLOW + MIGRATIONS).migrations
    assert first == Word(
        1,
        states={"waiting": "idle", "check.one": "review.first"},
        rename={"goal": "aim"},
        default={"tier": "gold"},
        drop=("waste",),
    )
    assert second == Word(2, upcast="shop.upcasts:two_to_three")


def test_they_do_not_change_the_hash_since_agents_of_this_version_behave_the_same() -> None:
    plain, mapped = loads(FLOW), loads(FLOW + MIGRATIONS)
    assert plain.hash == mapped.hash
    assert plain != mapped


def test_they_survive_being_kept_and_being_written() -> None:
    workflow = Workflow.from_json(loads(FLOW + MIGRATIONS).to_json())
    assert workflow.migrations == loads(FLOW + MIGRATIONS).migrations
    assert loads(workflow.to_yaml()).migrations == workflow.migrations


def test_python_declares_the_same_and_may_hand_the_function_over() -> None:
    flow = Workflow(
        "w",
        version=3,
        data={"aim": "string?", "tier": {"type": "string", "default": "basic"}},
        events={"go": {}},
        initial="idle",
        states=[
            State("idle", on={"go": "review"}),
            State("review", initial="first", states=[State("first", on={"go": "done"})]),
            State("done", final=True),
        ],
        migrations=[
            Migration(
                1,
                states={"waiting": "idle", "check.one": "review.first"},
                drop=["waste"],
                rename={"goal": "aim"},
                default={"tier": "gold"},
            ),
            Migration(2, upcast=two_to_three),
        ],
    )
    read = loads(FLOW + MIGRATIONS.replace("shop.upcasts", __name__))
    assert (flow.hash, flow.migrations) == (read.hash, read.migrations)
    assert flow.upcasters == {f"{__name__}:two_to_three": two_to_three}
    assert loads(flow.to_yaml()) == flow
    assert Read.upcasters == {}


def test_a_place_is_named_by_the_innermost_path_that_a_migration_mentions() -> None:
    migration = Word(1, states={"a": "x.y", "a.b.c": "z"})
    assert [migration.place(path) for path in ("a", "a.b", "a.b.c", "a.b.c.d", "b")] == [
        "x.y", "x.y.b", "z", "z.d", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("  - {from: 3}", "w.yaml:14:12: FSM501 a migration comes from an older version than 3, and this one from 3"),
        ("  - {from: 0}", "w.yaml:14:12: FSM114 `from` must be at least 1, and is 0"),
        ("  - {states: {a: idle}}", "w.yaml:14:5: FSM102 entry 1 of `migrations` needs the key `from`"),
        (
            "  - {from: 1, states: {waiting: idel}}",
            "w.yaml:14:33: FSM502 `waiting` becomes `idel`, and there is no such state (did you mean `idle`?)",
        ),
        (
            "  - {from: 1, states: {a: b}}\n  - {from: 2, states: {b: review.second}}",
            "w.yaml:15:27: FSM502 `b` becomes `review.second`, and there is no such state (did you mean `review`?)",
        ),
        (
            "  - {from: 1, states: {a: b.x}}\n  - {from: 2, states: {b: review}}",
            "w.yaml:14:27: FSM502 `a` becomes `b.x`, which becomes `review.x`, and there is no such state "
            "(did you mean `review`?)",
        ),
        (
            "  - {from: 1, states: {a: idle..}}",
            "w.yaml:14:27: FSM104 'idle..' is no path of a state: write its names from the top level, with dots "
            "between them",
        ),
        (
            "  - {from: 1, data: {rename: {goal: aims}}}",
            "w.yaml:14:37: FSM503 there is no data field `aims` (did you mean `aim`?)",
        ),
        (
            "  - {from: 1, data: {default: {tire: x}}}",
            "w.yaml:14:32: FSM503 there is no data field `tire` (did you mean `tier`?)",
        ),
        (
            "  - {from: 1, data: {rename: {a: aim, b: aim}}}",
            "w.yaml:14:42: FSM504 `b` and `a` cannot both become `aim`: drop one of them, or write an `upcast`",
        ),
        (
            "  - {from: 1, data: {drop: [a], rename: {a: aim}}}",
            "w.yaml:14:42: FSM504 `a` is dropped before it could be renamed: leave one of the two out",
        ),
        (
            "  - {from: 1}\n  - {from: 1}",
            "w.yaml:15:5: FSM504 there are two migrations from version 1: make one of them",
        ),
        (
            "  - {from: 1, date: {drop: [a]}}",
            "w.yaml:14:15: FSM101 entry 1 of `migrations` has no key 'date' (did you mean `data`?); allowed: from, "
            "states, data, upcast",
        ),
        (
            "  - {from: 1, upcast: two_to_three}",
            "w.yaml:14:23: FSM104 `upcast` is 'two_to_three', and must be `module:function` of an allowed module",
        ),
        (
            "  from: 1",
            "w.yaml:13:1: FSM103 `migrations` must be a list of migrations, each with `from`, and is a mapping",
        ),
        ("  - {from: 1, data: {drop: [in]}}", "w.yaml:14:29: FSM104 'in' is not a name, because expressions could not "
         "mention it: choose another"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_migration_has_its_place(entries: str, expected: str) -> None:
    assert findings(entries) == [expected]


@pytest.mark.parametrize(
    "entries",
    [
        "  - {from: 1, states: {a: b}}\n  - {from: 2, states: {b: idle}}",
        "  - {from: 2, states: {b: idle}}\n  - {from: 1, states: {a: b}}",
        "  - {from: 1, data: {rename: {a: b}}}\n  - {from: 2, data: {rename: {b: aim}}}",
        "  - {from: 1, data: {default: {b: 1}}}\n  - {from: 2, data: {drop: [b]}}",
        "  - {from: 1, data: {rename: {a: anything}}, upcast: 'm:f'}",
        "  - {from: 1, data: {rename: {aim: tier, tier: aim}}}",
        "  - {from: 1, states: {a: idle, b: idle, idle: done}}",
        "  []",
    ],
)
def test_what_leads_somewhere_in_the_end_is_right(entries: str) -> None:
    assert findings(entries) == []


def test_checking_a_workflow_looks_at_its_migrations_too() -> None:
    odd = Read.from_json(loads(FLOW).to_json() | {"migrations": [{"from": 1, "states": {"a": "b"}}]})
    assert {finding.code for finding in check_workflow(odd)} == {"FSM502"}


def test_an_upcast_is_looked_up_in_allowed_modules_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_upcasts.py").write_text("def plain(data): return data\nasync def odd(data): return data\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    actions = Actions(modules=["my_upcasts"])
    assert actions.function("my_upcasts:plain")({"a": 1}) == {"a": 1}
    for missing in ("my_upcasts:odd", "my_upcasts:gone"):
        with pytest.raises(ActionError, match="has no plain function"):
            actions.function(missing)
    with pytest.raises(ActionError, match="module 'os' is not allowed"):
        actions.function("os:remove")


def test_a_function_without_a_name_cannot_be_handed_over() -> None:
    with pytest.raises(WorkflowInvalid, match="must be `module:function`"):
        Workflow(
            "w",
            version=2,
            initial="end",
            states=[State("end", final=True)],
            migrations=[Migration(1, upcast=lambda data: data)],
        )
