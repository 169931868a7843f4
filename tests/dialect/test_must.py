"""What stands under `must`: read in YAML and Python alike, and every mistake in it found with its place."""

from __future__ import annotations

import subprocess
import sys

import jsonschema_rs
import pytest
import yaml
import yamlcore

from fsm_agent import State, Workflow
from fsm_agent.dialect import dialect_schema, to_document
from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Whenever
from fsm_agent.domain.state import Duration
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_file import dump, inspect_text, loads

FLOW = """\
workflow: w
version: 1
data: {author: string?}
events: {ask: {}, approve: {amount: number}, reject: {why: string}}
initial: idle
states:
  idle: {on: {ask: asking}}
  asking:
    initial: first
    after: {3d: rejected}
    on: {reject: rejected}
    states:
      first: {on: {approve: booking}}
  booking: {do: book, on: {approve: done}}
  rejected: {final: true}
  done: {final: true}
"""
MUST = """\
must:
  approved_first: {never: booking, before: [approve, event reject]}
  no_late_question: {never: asking.first, after: booking, description: It would come too late.}
  silence_is_no: {never: booking, from: asking, until: approve}
  never_parked: {never: parked}
  booked_once: {at_most: 1, of: do book, from: ask}
  decided: {from: asking, reaches: [booking, rejected], within: 3d}
  ends: {reaches: [done, rejected, outcome cancelled]}
  four_eyes: {whenever: [approve, after 3d], holds: event.by != data.author}
"""
SCHEMA = jsonschema_rs.validator_for(dialect_schema())


def findings(properties: str) -> list[str]:
    return [str(finding) for finding in inspect_text(f"{FLOW}must:\n{properties}\n", file="w.yaml")[1]]


def test_each_rule_is_read_word_by_word() -> None:
    assert loads(FLOW + MUST).must == (
        Property("approved_first", Never(("booking",), before=("approve", "event reject"))),
        Property("no_late_question", Never(("asking.first",), after=("booking",)), "It would come too late."),
        Property("silence_is_no", Never(("booking",), since=("asking",), until=("approve",))),
        Property("never_parked", Never(("parked",))),
        Property("booked_once", AtMost(1, ("do book",), since=("ask",))),
        Property("decided", Reaches(("booking", "rejected"), since=("asking",), within=Duration.parse("3d"))),
        Property("ends", Reaches(("done", "rejected", "outcome cancelled"))),
        Property("four_eyes", Whenever(("approve", "after 3d"), "event.by != data.author")),
    )


def test_properties_change_neither_the_hash_nor_what_a_store_keeps() -> None:
    plain, bound = loads(FLOW), loads(FLOW + MUST)
    assert plain.hash == bound.hash
    assert plain.to_json() == bound.to_json()
    assert Workflow.from_json(bound.to_json()).must == ()
    assert plain != bound


def test_they_are_written_as_they_were_read() -> None:
    workflow = loads(FLOW + MUST)
    written = dump(to_document(workflow))
    assert loads(written) == workflow
    assert "never_parked:\n    never: parked\n" in written


def test_so_are_those_of_a_child() -> None:
    child = {"workflow": "c", "version": 1, "initial": "end", "states": {"end": {"final": True}}}
    bound = {**child, "must": {"ends": {"reaches": "end"}}}
    plain, with_child = (
        Workflow("w", version=1, initial="end", states=[State("end", final=True)], workflows={"child": each})
        for each in (child, bound)
    )
    assert plain != with_child
    assert plain.hash == with_child.hash
    assert loads(with_child.to_yaml()) == with_child


def test_python_declares_the_same() -> None:
    flow = Workflow(
        "w",
        version=1,
        data={"author": "string?"},
        events={"ask": {}, "approve": {"amount": "number"}, "reject": {"why": "string"}},
        initial="idle",
        states=[
            State("idle", on={"ask": "asking"}),
            State(
                "asking",
                initial="first",
                after={"3d": "rejected"},
                on={"reject": "rejected"},
                states=[State("first", on={"approve": "booking"})],
            ),
            State("booking", do="book", on={"approve": "done"}),
            State("rejected", final=True),
            State("done", final=True),
        ],
        must={
            "approved_first": {"never": "booking", "before": ("approve", "event reject")},
            "no_late_question": {
                "never": "asking.first", "after": "booking", "description": "It would come too late.",
            },
            "silence_is_no": {"never": "booking", "from": "asking", "until": "approve"},
            "never_parked": {"never": "parked"},
            "booked_once": {"at_most": 1, "of": "do book", "from": "ask"},
            "decided": {"from": "asking", "reaches": ["booking", "rejected"], "within": Duration.parse("3d")},
            "ends": {"reaches": ["done", "rejected", "outcome cancelled"]},
            "four_eyes": {"whenever": ["approve", "after 3d"], "holds": "event.by != data.author"},
        },
    )  # fmt: skip
    assert flow == loads(FLOW + MUST)
    assert flow.must == loads(FLOW + MUST).must


def test_a_mistake_in_python_is_named_by_its_path() -> None:
    with pytest.raises(WorkflowInvalid, match=r"must\.ends\.reaches\.0: FSM601 .* `nd` \(did you mean `end`"):
        Workflow("w", version=1, initial="end", states=[State("end", final=True)], must={"ends": {"reaches": "nd"}})


IN_WORDS = "write a name, `state NAME`, `event NAME`, `do NAME`, `outcome NAME`, or a timer such as `after 3d`"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (
            "  []",
            "17:1: FSM103 `must` must be a mapping of properties, and is a list: write `must: {booked_once: "
            "{at_most: 1, of: book}}`",
        ),
        ("  a: book", "18:6: FSM103 `a` must be a mapping, and is 'book'"),
        (
            "  1st: {never: booking}",
            "18:3: FSM104 '1st' is not a name: write letters, digits, '_' and '-', no digit first, at most 64 in all",
        ),
        ("  a: {}", "18:3: FSM102 `a` has no rule: write one of never, at_most, reaches, whenever"),
        ("  a: {description: b}", "18:3: FSM102 `a` has no rule: write one of never, at_most, reaches, whenever"),
        (
            "  a: {nver: booking}",
            "18:7: FSM101 `a` has no key 'nver' (did you mean `never`?); allowed: never, before, after, at_most, of, "
            "reaches, from, until, within, whenever, holds, description",
        ),
        (
            "  a: {eventually: done}",
            "18:7: FSM101 `a` has no key 'eventually' (did you mean `reaches`?); allowed: never, before, after, "
            "at_most, of, reaches, from, until, within, whenever, holds, description",
        ),
        (
            "  a: {never: booking, reaches: done}",
            "18:23: FSM113 `reaches` cannot stand beside `never` in `a`: a property is one rule, so make two of them",
        ),
        (
            "  a: {never: booking, within: 3d}",
            "18:23: FSM113 `within` says nothing beside `never`: it goes with `reaches`",
        ),
        (
            "  a: {reaches: done, before: ask}",
            "18:22: FSM113 `before` says nothing beside `reaches`: it goes with `never`",
        ),
        (
            "  a: {whenever: ask, holds: 'true', from: ask}",
            "18:37: FSM113 `from` says nothing beside `whenever`: it goes with `never`, `at_most`, `reaches`",
        ),
        (
            "  a: {never: done, before: ask, after: ask}",
            "18:33: FSM113 `after` cannot stand beside `before`: make two properties of them",
        ),
        (
            "  a: {never: done, before: ask, from: ask}",
            "18:33: FSM113 `from` cannot stand beside `before`: make two properties of them",
        ),
        (
            "  a: {never: done, after: ask, from: ask}",
            "18:32: FSM113 `from` cannot stand beside `after`: make two properties of them",
        ),
        (
            "  a: {never: done, until: ask}",
            "18:20: FSM102 `until` says nothing without `from`, which `a` does not have",
        ),
        ("  a: {at_most: 1}", "18:7: FSM102 `at_most` says nothing without `of`, which `a` does not have"),
        ("  a: {whenever: ask}", "18:7: FSM102 `whenever` says nothing without `holds`, which `a` does not have"),
        ("  a: {at_most: 0, of: book}", "18:16: FSM114 `at_most` must be at least 1, and is 0"),
        ("  a: {at_most: 1.5, of: book}", "18:16: FSM103 `at_most` must be an integer, and is 1.5"),
        (
            "  a: {reaches: done, within: 3 days}",
            "18:30: FSM109 '3 days' is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d",
        ),
        ("  a: {reaches: done, within: 0s}", "18:30: FSM109 0s is no time at all: write more than zero"),
        ("  a: {never: 3}", "18:14: FSM103 `never` must be a name, or a list of names, and is 3"),
        ("  a: {never: [done, 3]}", "18:21: FSM103 entry 2 of `never` must be text, and is 3"),
        ("  a: {never: [done, done]}", "18:21: FSM114 `never` has 'done' twice"),
        ("  a: {never: []}", "18:7: FSM114 `never` is empty: list at least one of the terms"),
        (
            "  a: {never: statee done}",
            "18:14: FSM104 'statee done' is no term (did you mean `state done`?): " + IN_WORDS,
        ),
        ("  a: {never: after three days}", "18:14: FSM104 'after three days' is no term: " + IN_WORDS),
        ("  a: {never: outcome lost}", "18:14: FSM104 'outcome lost' is no term: " + IN_WORDS),
        ("  a: {whenever: ask, holds: ''}", "18:29: FSM114 `holds` is empty: write a CEL expression, or leave it out"),
        (
            "  a: {whenever: approve, holds: event.amout > 3.0}",
            "18:33: FSM201 event 'approve' has no field `amout` (did you mean `event.amount`?)",
        ),
        (
            "  a: {whenever: [approve, reject], holds: event.amount > 3.0}",
            "18:43: FSM201 event 'reject' has no field `amount`; there is event.why, event.name, event.by",
        ),
        (
            "  a: {whenever: approve, holds: event.amount}",
            "18:33: FSM210 `holds` must be true or false, and this is a number",
        ),
        ("  a: {never: booking, description: 3}", "18:36: FSM103 `description` must be text, and is 3"),
    ],
)
def test_a_mistake_in_a_property_has_its_place_and_says_what_is_allowed(properties: str, expected: str) -> None:
    assert findings(properties) == [f"w.yaml:{expected}"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("invariants: {a: {never: done}}", "must"),
        ("properties: {a: {never: done}}", "must"),
        ("must: {a: {forbid: done}}", "never"),
        ("must: {a: {eventually: done}}", "reaches"),
        ("must: {a: {reaches: done, since: ask}}", "from"),
        ("must: {a: {reaches: done, deadline: 3d}}", "within"),
        ("must: {a: {at_most: 1, what: ask}}", "of"),
        ("must: {a: {when: ask, holds: 'true'}}", "whenever"),
        ("must: {a: {whenever: ask, condition: 'true'}}", "holds"),
    ],
)
def test_a_word_of_another_language_is_translated(written: str, meant: str) -> None:
    [found] = inspect_text(f"{FLOW}{written}\n")[1]
    assert f"(did you mean `{meant}`?)" in found.message


def test_no_mistake_hides_another() -> None:
    assert [each.split(":", 3)[3][1:7] for each in findings("  a: {never: dne}\n  b: {}\n  c: {never: boking}")] == [
        "FSM601", "FSM102", "FSM601",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "properties",
    [
        "{a: {never: done}, b: {at_most: 2, of: [book, ask]}, c: {reaches: rejected, within: 1h}}",
        "{a: {}}",
        "{a: {never: done, reaches: done}}",
        "{a: {never: done, until: ask}}",
        "{a: {never: done, before: ask, after: ask}}",
        "{a: {never: done, after: ask, from: ask}}",
        "{a: {reaches: done, until: ask}}",
        "{a: {at_most: 1, of: ask, within: 3d}}",
        "{a: {at_most: 1}}",
        "{a: {of: ask}}",
        "{a: {whenever: ask}}",
        "{a: {whenever: ask, holds: 'true', after: ask}}",
        "{a: {never: [done, done]}}",
        "{a: {never: []}}",
        "{a: {never: states done}}",
        "{a: {never: outcome lost}}",
        "{a: {never: after 3 d}}",
        "{'a b': {never: done}}",
    ],
)
def test_the_json_schema_agrees(properties: str) -> None:
    text = f"{FLOW}must: {properties}\n"
    document = yaml.load(text, Loader=yamlcore.CCoreLoader)  # noqa: S506  its safe loader
    assert SCHEMA.is_valid(document) == (inspect_text(text)[1] == [])


def test_nothing_of_properties_is_imported_for_a_workflow_that_has_none() -> None:
    code = f"from fsm_agent.loading.yaml_file import loads\nloads({FLOW!r})\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    ours = {"fsm_agent.domain.property", "fsm_agent.dialect.properties", "fsm_agent.dialect.terms"}
    assert set(done.stdout.split()) & (ours | {"fsm_agent.check.properties"}) == set()
