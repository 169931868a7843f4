"""The dialect: what documents mean, and what is said of those that mean nothing."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
import yamlcore
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.dialect import dialect_schema, keys, read_document, read_draft, to_document
from fsm_agent.dialect.builtins import BUILT_INS
from fsm_agent.dialect.codes import Code
from fsm_agent.dialect.keys import Kind
from fsm_agent.dialect.reader import READERS
from fsm_agent.dialect.schema import SCHEMAS
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ActionMissing
from tests.support.documents import BOOK_FLIGHT, Document, documents

SCHEMA = jsonschema_rs.validator_for(dialect_schema())


def book_flight() -> Document:
    document: Document = yaml.load(BOOK_FLIGHT, Loader=yamlcore.CCoreLoader)  # noqa: S506  its safe loader
    return document


def read(document: Any) -> Workflow:
    workflow, findings = read_document(document)
    assert findings == []
    assert workflow is not None
    return workflow


def mistakes(document: Any) -> list[str]:
    workflow, findings = read_document(document)
    assert workflow is None
    return [f"{'.'.join(map(str, each.path))}: {each.code} {each.message}" for each in findings]


def minimal(**changes: Any) -> Document:
    """The smallest document with an event, a work state and an end."""
    document: Document = {
        "workflow": "small",
        "version": 1,
        "data": {"note": "string?", "items": "[string]"},
        "events": {"go": {}},
        "initial": "start",
        "states": {"start": {"on": {"go": "end"}}, "end": {"final": True}},
    }
    return document | changes


def with_start(**body: Any) -> Document:
    return minimal(states={"start": {"on": {"go": "end"}} | body, "end": {"final": True}})


def test_the_example_of_the_specification_is_read_as_it_is_meant() -> None:
    workflow = read(book_flight())
    assert (workflow.name, workflow.version, workflow.initial) == ("book_flight", 1, "idle")
    assert workflow.data["goal"] == {"type": ["string", "null"]}
    planning = workflow.by_path["planning"]
    assert planning.with_ == {"depth": 2, "goal": "data.goal"}
    assert planning.retry is not None
    assert planning.retry.delay_ms(2) == 2_000
    assert workflow.by_path["waiting_feedback"].after[0].duration.ms == 3 * 86_400_000
    assert workflow.limits.visits == {"executing": 50}


@pytest.mark.parametrize(
    ("declared", "schema"),
    [
        ("string", {"type": "string"}),
        ("integer?", {"type": ["integer", "null"]}),
        ("date", {"type": "string", "format": "date"}),
        ("datetime?", {"type": ["string", "null"], "format": "date-time"}),
        ("[string]", {"type": "array", "items": {"type": "string"}}),
        ("[number?]?", {"type": ["array", "null"], "items": {"type": ["number", "null"]}}),
        (["boolean"], {"type": "array", "items": {"type": "boolean"}}),
        ([{"type": "object"}], {"type": "array", "items": {"type": "object"}}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 1}),
    ],
)
def test_a_field_type_means_a_json_schema(declared: Any, schema: Document) -> None:
    assert read(minimal(data={"field": declared})).data["field"] == schema


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("strin", "FSM106 'strin' is not a type (did you mean `string`?); there are string, integer, number"),
        ("string??", "FSM106 'string??' is not a type"),
        ("[string", "FSM106 '[string' is not a type"),
        ("[" * 999 + "string" + "]" * 999, "FSM106"),
        ("string" + "?" * 99_999, "FSM106"),
        (7, "FSM103 `field` must be a type, such as string?, and is 7"),
        (["string", "integer"], "FSM103"),
        (None, "FSM103 `field` must be a type, such as string?, and is empty"),
        ({"type": "strng"}, "FSM106 'strng' is not a type of JSON Schema (did you mean `string`?)"),
        ({"type": "string?"}, 'FSM106 `?` belongs to the short form; in JSON Schema write `type`: [string, "null"]'),
        ({"type": ["integer", None]}, 'FSM106 in a list of types, null is a text: write "null" in quotes'),
        ({"type": "integer", "minimun": 1}, "FSM107 'minimun' is not a JSON Schema keyword (did you mean `minimum`?)"),
        ({"items": {"typ": "string"}}, "field.items.typ: FSM107 'typ' is not a JSON Schema keyword"),
        ({"$ref": "file:///etc/passwd"}, "FSM107 `$ref` can only point inside its own field"),
        ({"$id": "http://x.y/z"}, "FSM107 '$id' is not a JSON Schema keyword"),
        ({"$ref": "#/$defs/none"}, "FSM107 `field` is not a valid JSON Schema"),
        ({"type": "string", "pattern": "("}, "FSM107 `field` is not a valid JSON Schema"),
        ({"type": "integer", "default": "x"}, 'field.default: FSM108 the default breaks the schema of field: "x" is'),
    ],
)
def test_a_field_type_that_means_nothing_is_explained(declared: Any, message: str) -> None:
    (mistake,) = mistakes(minimal(data={"field": declared}))
    assert message in mistake


NESTED = {
    "outer": {
        "initial": "inner",
        "states": {"inner": {"on": {"go": "sibling"}}, "sibling": {"on": {"go": "end"}}},
        "on": {"go": "outer"},
    },
    "end": {"final": True},
}


def nested(target: str, **outer: Any) -> Document:
    document = minimal(initial="outer", states=copy.deepcopy(NESTED))
    document["states"]["outer"]["states"]["inner"]["on"]["go"] = target
    document["states"] |= outer
    return document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sibling", "outer.sibling"),
        ("inner", "outer.inner"),
        ("outer", "outer"),
        ("end", "end"),
        ("outer.sibling", "outer.sibling"),
    ],
)
def test_a_target_is_found_among_siblings_then_among_ancestors_siblings(written: str, meant: str) -> None:
    handlers = read(nested(written)).by_path["outer.inner"].on
    assert handlers["go"] is not None
    assert handlers["go"][0].target == meant


def test_a_target_found_at_two_levels_is_an_error() -> None:
    assert mistakes(nested("sibling", sibling={"on": {"go": "end"}})) == [
        "states.outer.states.inner.on.go: FSM111 'sibling' can mean `outer.sibling` or `sibling` here: "
        "rename one, or write the dotted path"
    ]


def test_a_child_is_no_target_by_its_bare_name_from_outside() -> None:
    document = nested("end")
    document["states"]["outer"]["on"]["go"] = "sibling"
    (mistake,) = mistakes(document)
    assert mistake == (
        "states.outer.on.go: FSM110 there is no state 'sibling' to go to (did you mean `outer.sibling`?)"
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (minimal(workflow="a b"), "workflow: FSM104 'a b' is not a name: write letters, digits, '_' and '-'"),
        (minimal(version=1.1), "version: FSM103 `version` must be an integer, counted 1, 2, 3 (YAML reads 1.10 as"),
        (minimal(version=True), "version: FSM103 `version` must be an integer, and is true"),
        (minimal(version=0), "version: FSM114 `version` must be at least 1, and is 0"),
        (minimal(initial="strat"), "initial: FSM110 there is no state 'strat' at the top level (did you mean `start`"),
        (minimal(stats={}), "stats: FSM101 the workflow has no key 'stats' (did you mean `states`?); allowed: workf"),
        (minimal(data={"in": "string"}), "data.in: FSM104 'in' is not a name, because expressions could not mention"),
        (minimal(data={"a-b": "string"}), "data.a-b: FSM104 'a-b' is not a name: write letters, digits and '_'"),
        (minimal(data="a.b:M"), "data: FSM116 the model 'a.b:M' is in a module that is not allowed: add 'a.b' to"),
        (minimal(data="nonsense"), "data: FSM116 'nonsense' is no data: write a mapping of fields, or module:Model"),
        (minimal(events={"go": {"name": "string"}}), "events.go.name: FSM105 a payload field cannot be called `name`"),
        (minimal(events={"go": {}, "error": {}}), "events.error: FSM105 event `error` is built in, and cannot be"),
        (minimal(events={"go": None}), "events.go: FSM103 `go` must be a mapping of payload fields, {} for none, and"),
        (
            minimal(events={"go": {"a": {"$ref": "#/$defs/b", "$defs": {"b": {}}}}}),
            "events.go.a: FSM107 payload field `a` cannot use `$ref`: write the schema out",
        ),
        (minimal(on={"go": None}), "on.go: FSM113 null forbids what an outer level would do, and there is none here"),
        (minimal(on={"gone": "end"}), "on.gone: FSM112 event 'gone' is not declared (did you mean `go`?); there are"),
        (minimal(on={"created": "end"}), "on.created: FSM112 `created` is the first step of every agent"),
        (minimal(on={"after": "end"}), "on.after: FSM112 `after` is no event that `on` takes"),
        (minimal(on={"go": []}), "on.go: FSM103 `go` must be a target, a transition or a list of them, and is an emp"),
        (minimal(on={"go": [{"taget": "end"}]}), "on.go.0.taget: FSM101 entry 1 of `go` has no key 'taget' (did you"),
        (minimal(on={"go": {"target": "ned"}}), "on.go.target: FSM110 there is no state 'ned' to go to (did you mean"),
        (minimal(on={"go": {"when": True}}), "on.go.when: FSM103 `when` must be a CEL expression; quote it if it is"),
        (minimal(on={"go": {"when": " "}}), "on.go.when: FSM114 `when` is empty"),
        (minimal(limits={"visits": {"strat": 2}}), "limits.visits.strat: FSM110 there is no state 'strat' to limit"),
        (minimal(limits={"steps": 0}), "limits.steps: FSM114 `steps` must be at least 1, and is 0"),
        (minimal(merge=["items"]), "merge: FSM103 `merge` must be a mapping of data fields to policies, and is a list"),
        (
            minimal(merge={"items": "onion"}),
            "merge.items: FSM114 'onion' is no merge policy (did you mean `union`?); t",
        ),
        (
            minimal(merge={"items": {"union": 1}}),
            "merge.items: FSM114 a mapping is no merge policy; there are last, ap",
        ),
        (minimal(merge={"in": "last"}), "merge.in: FSM104 'in' is not a name"),
        (minimal(merge={"user.in": "last"}), "merge.user.in: FSM104 'user.in' is not a name"),
        (minimal(limits={"tokens": 1.5}), "limits.tokens: FSM103 `tokens` must be an integer, and is 1.5"),
        (minimal(limits={"cost": 0}), "limits.cost: FSM114 `cost` must be more than 0, and is 0"),
        (minimal(limits={"cost": "1"}), "limits.cost: FSM103 `cost` must be a number, and is '1'"),
        (minimal(limits={"cost": True}), "limits.cost: FSM103 `cost` must be a number, and is true"),
        (
            minimal(limits={"wall_time": 60}),
            "limits.wall_time: FSM103 `wall_time` must be a duration such as 30s or 3d",
        ),
        (
            minimal(conversation={"strategy": "drop"}),
            "conversation.strategy: FSM114 `strategy` cannot be 'drop'; allowed:",
        ),
        (
            minimal(conversation={"tokens": 1}),
            "conversation.tokens: FSM101 `conversation` has no key 'tokens' (did you me",
        ),
        (minimal(conversation=[]), "conversation: FSM103 `conversation` must be a mapping, and is a list"),
        (
            minimal(progress={"done": 3}),
            "progress.done: FSM103 `done` must be a CEL expression; quote it if it is one: '3'",
        ),
        (minimal(user="pkg:Model"), "user: FSM103 `user` must be a mapping of fields, and is 'pkg:Model'"),
        (minimal(user={"name": "strin"}), "user.name: FSM106 'strin' is not a type (did you mean `string`?)"),
        (
            minimal(workflows=[]),
            "workflows: FSM103 `workflows` must be a mapping of names to files or workflows, and is a",
        ),
        (minimal(states={}, initial="a"), "states: FSM114 `states` is empty: declare at least one state"),
        (with_start(doo="x"), "states.start.doo: FSM101 state `start` has no key 'doo' (did you mean `do`?); allowed"),
        (with_start(do="a b"), "states.start.do: FSM104 'a b' cannot name an action: write its name, or `module:fun"),
        (with_start(do="x", timeout="2x"), "states.start.timeout: FSM109 '2x' is not a duration: write an integer an"),
        (with_start(do="x", timeout="٣s"), "states.start.timeout: FSM109 '٣s' is not a duration"),
        (with_start(do="x", timeout="0s"), "states.start.timeout: FSM109 0s is no time at all: write more than zero"),
        (with_start(do="x", timeout="99999d"), "FSM109 99999d is too long: at most 36500d are allowed"),
        (with_start(do="x", timeout=5), "FSM103 `timeout` must be a duration such as 30s or 3d, and is 5"),
        (with_start(after={"soon": "end"}), "states.start.after.soon: FSM109 'soon' is not a duration"),
        (with_start(after={"1s": None}), "states.start.after.1s: FSM103 `1s` must be a target, a transition or a list"),
        (with_start(retry={"attempts": 2}), "states.start.retry: FSM113 `retry` says nothing without `do`, which st"),
        (with_start(do="x", retry={}), "states.start.retry: FSM102 `retry` needs the key `attempts`"),
        (with_start(outcome="failed"), "states.start.outcome: FSM113 `outcome` says nothing without `final`"),
        (with_start(initial="end"), "states.start.initial: FSM113 `initial` says nothing without `states`"),
        (
            minimal(states={"start": {}, "end": {"final": "yes"}}),
            "FSM103 `final` can only be true, and is 'yes': leave it out",
        ),
        (
            with_start(do="x", ask={"prompt": "?", "events": ["go"]}),
            "states.start.ask: FSM113 `ask` cannot stand beside `do` in state `start`: it works or it asks",
        ),
        (
            with_start(do="x", initial="a", states={"a": {}}),
            "states.start.do: FSM113 `do` cannot stand beside `states` in state `start`: only a state without children",
        ),
        (
            with_start(initial="a", states={"a": {"final": True}}),
            "states.start.states.a.final: FSM113 state `start.a` cannot be final: an agent ends only in a state at the",
        ),
        (
            with_start(states={"a": {}}),
            "states.start: FSM102 state `start` has `states`, and needs the key `initial`",
        ),
        (
            with_start(final=True),
            "states.start.on: FSM113 `on` cannot stand beside `final` in state `start`: an agent that has ended does",
        ),
        (with_start(ask={"prompt": "?"}), "states.start.ask: FSM102 `ask` needs the key `events`"),
        (with_start(ask={"prompt": "?", "events": []}), "states.start.ask.events: FSM114 `events` is empty"),
        (with_start(ask={"prompt": "?", "events": ["go", "go"]}), "states.start.ask.events.1: FSM114 `events` has 'go"),
        (with_start(ask={"prompt": "?", "events": ["goo"]}), "events.0: FSM112 event 'goo' is not declared (did you"),
        (with_start(ask={"prompt": "?", "events": ["error"]}), "events.0: FSM112 event 'error' is built in, and nobo"),
        (
            with_start(on={}, ask={"prompt": "?", "events": ["go"]}),
            "states.start.ask.events.0: FSM115 state `start` asks for event `go` and has no transition for it",
        ),
    ],
)
def test_a_mistake_is_named_with_its_path_and_what_is_allowed(document: Document, expected: str) -> None:
    (mistake,) = mistakes(document)
    assert expected in mistake


def test_all_mistakes_of_a_document_are_found_at_once() -> None:
    document = book_flight()
    document["version"] = "one"
    document["data"]["goal"] = "strin?"
    document["events"]["by"] = {"by": "string"}
    document["states"]["planning"] |= {"timeout": "2 minutes", "on": {"plan_ready": "excuting"}}
    document["states"]["waiting_feedback"]["ask"]["events"] = ["input_recieved"]
    codes = [mistake.partition(": ")[2][:6] for mistake in mistakes(document)]
    assert codes == ["FSM103", "FSM106", "FSM105", "FSM109", "FSM110", "FSM112"]


@pytest.mark.parametrize(
    "key",
    ["workflow", "version", "initial", "states", "events", "data", "on", "merge", "user", "workflows", "progress"],
)
def test_a_misspelt_key_is_the_only_mistake(key: str) -> None:
    document = book_flight() | {
        "merge": {"options": "append"},
        "user": {"name": "string"},
        "workflows": {"child": minimal()},
        "progress": {"goal": "data.goal"},
    }
    document[f"{key}q"] = document.pop(key)
    (mistake,) = mistakes(document)
    assert mistake.startswith(f"{key}q: FSM101 the workflow has no key '{key}q' (did you mean `{key}`?)")


def test_a_draft_keeps_what_could_be_read_beside_mistakes() -> None:
    document = book_flight()
    document["data"]["goal"] = "strin?"
    document["states"]["idle"]["on"]["new_task"]["target"] = "plannning"
    draft, findings = read_draft(document)
    assert len(findings) == 2
    assert draft is not None
    assert draft.data["goal"] == {}
    kept = draft.by_path["idle"].on["new_task"]
    assert kept is not None
    assert kept[0].assign == {"goal": "event.goal"}


def test_states_nest_only_so_deep() -> None:
    body: Document = {}
    for _ in range(9):
        body = {"initial": "a", "states": {"a": body}}
    (mistake,) = mistakes(minimal(states=body["states"] | {"end": {"final": True}}, initial="a", on={"go": "end"}))
    assert "FSM105" not in mistake
    assert "states may nest 8 levels deep, and these are deeper" in mistake


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan is no number that JSON can hold"),
        (2**53, "the largest integer that a declaration can hold is 9007199254740991"),
        (object(), "a value of the type object is no JSON"),
        ("\ud800", "half a surrogate pair"),
        ({1: 2}, "a key must be text, and is 1"),
    ],
)
def test_what_json_cannot_hold_is_no_document(value: Any, message: str) -> None:
    (mistake,) = mistakes(with_start(do="x", **{"with": {"depth": [value]}}))
    assert message in mistake


def test_a_document_nests_only_so_deep() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    (mistake,) = mistakes(with_start(do="x", **{"with": {"depth": deep}}))
    assert "FSM005 a document may nest 64 levels deep" in mistake


MODEL: Document = {
    "$defs": {"Leg": {"type": "object", "properties": {"city": {"type": "string"}}}},
    "type": "object",
    "properties": {
        "legs": {"type": "array", "items": {"$ref": "#/$defs/Leg"}, "default": []},
        "goal": {"type": "string"},
    },
}


def test_a_model_gives_its_fields_with_the_definitions_that_they_need() -> None:
    workflow, findings = read_document(minimal(data="trips:Trip"), resolve_model=lambda _: MODEL)
    assert findings == []
    assert workflow is not None
    assert workflow.model == "trips:Trip"
    assert workflow.data == {
        "legs": MODEL["properties"]["legs"] | {"$defs": MODEL["$defs"]},
        "goal": {"type": "string"},
    }


def test_a_model_that_refers_to_itself_is_followed() -> None:
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
    }
    workflow, findings = read_document(minimal(data="trips:Node"), resolve_model=lambda _: schema)
    assert findings == []
    assert workflow is not None
    assert list(workflow.data) == ["next"]


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": "object", "properties": {"a b": {}}}])
def test_a_model_that_is_no_object_with_names_is_refused(schema: Document) -> None:
    _, findings = read_document(minimal(data="trips:Trip"), resolve_model=lambda _: schema)
    assert {finding.code for finding in findings} >= {"FSM116"}


def test_a_model_that_cannot_be_found_is_a_mistake_like_others() -> None:
    def resolve(name: str) -> Document:
        raise ActionMissing(name, ["trips:Trap"])

    _, (finding,) = read_document(minimal(data="trips:Trip"), resolve_model=resolve)
    assert str(finding).startswith("data: FSM116 the model 'trips:Trip' cannot be used: no action 'trips:Trip'")


@given(documents())
def test_a_valid_document_is_read_and_satisfies_the_schema(document: Document) -> None:
    read(document)
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@given(documents())
def test_a_workflow_is_written_as_a_document_that_means_it(document: Document) -> None:
    workflow = read(document)
    again = to_document(workflow)
    assert read(again).to_json() == workflow.to_json()
    assert read(again).must == workflow.must
    assert SCHEMA.is_valid(again)


@given(documents())
def test_the_json_of_a_workflow_is_the_workflow(document: Document) -> None:
    """But for its properties, which no store keeps."""
    workflow = read(document)
    assert Workflow.from_json(json.loads(json.dumps(workflow.to_json()))) == replace(workflow, must=())


@given(documents(), st.data())
def test_reading_finds_whatever_the_schema_refuses(document: Document, data: st.DataObject) -> None:
    """And reading never raises: one node of a valid document is replaced, renamed or removed."""
    mutate(document, data)
    workflow, findings = read_document(document)
    assert (workflow is None) == bool(findings)
    if not SCHEMA.is_valid(document):
        assert findings


NAMES = st.sampled_from(["do", "on", "final", "states", "x y", "error", "1s"])
VALUES = st.sampled_from([None, True, 0, 1.5, "", "x", "go", "end", "3d", "true", [], {}, [1], {"a": 1}, ["go"], [[]]])


def mutate(document: Any, data: st.DataObject) -> None:
    while True:
        key = data.draw(st.sampled_from(list(document) if isinstance(document, dict) else range(len(document))))
        below = document[key]
        if isinstance(below, (dict, list)) and below and data.draw(st.integers(0, 4)):
            document = below
            continue
        match data.draw(st.sampled_from(["replace", "rename", "remove"])):
            case "rename" if isinstance(document, dict):
                document[data.draw(st.sampled_from(["do", "on", "final", "states", "x y", "error", "1s"]))] = (
                    document.pop(key)
                )
            case "remove":
                del document[key]
            case _:
                document[key] = data.draw(VALUES)
        return


def test_the_parser_and_the_schema_know_the_same_keys() -> None:
    schema = dialect_schema()
    tables = {
        "transition": keys.TRANSITION, "state": keys.STATE, "ask": keys.ASK, "retry": keys.RETRY, "limits": keys.LIMITS,
        "migration": keys.MIGRATION, "data_changes": keys.DATA_CHANGES, "conversation": keys.CONVERSATION,
        "progress": keys.PROGRESS, "property": keys.PROPERTY, "tool": keys.TOOL, "approval": keys.APPROVAL,
        **{name: built_in.arguments for name, built_in in BUILT_INS.items()},
    }  # fmt: skip
    assert list(schema["properties"]) == list(keys.WORKFLOW)
    assert {name: list(schema["$defs"][name]["properties"]) for name in tables} == {
        name: list(table) for name, table in tables.items()
    }


def test_every_kind_of_value_has_one_reader_and_one_schema() -> None:
    assert set(READERS) == set(Kind) == set(SCHEMAS)


def test_the_schema_in_the_package_is_fresh() -> None:
    written = Path("fsm_agent/schema/workflow.schema.json").read_text(encoding="utf-8")
    assert written == json.dumps(dialect_schema(), indent=2) + "\n", "run `make schema`"


def test_the_schema_is_a_json_schema() -> None:
    jsonschema_rs.meta.validate(dialect_schema())


def test_codes_are_unique_and_say_what_they_mean() -> None:
    assert len({code.summary for code in Code}) == len(list(Code)) == len({str(code) for code in Code})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"goal": "string?"}, {"goal": {"type": ["string", "null"], "description": "in other words"}}),
        ({"a": "string", "b": "date"}, {"b": "date", "a": "string"}),
    ],
)
def test_what_only_explains_does_not_change_the_hash(first: Document, second: Document) -> None:
    assert read(minimal(data=first)).hash == read(minimal(data=second, description="else")).hash


def test_what_decides_changes_the_hash() -> None:
    different = (
        minimal(),
        minimal(version=2),
        with_start(after={"1s": "end"}),
        minimal(merge={"items": "union"}),
        minimal(limits={"cost": 1}),
        minimal(conversation={"max_tokens": 9}),
        minimal(user={"name": "string"}),
        minimal(progress={"goal": "data.note"}),
        minimal(workflows={"child": minimal()}),
    )
    hashes = {read(document).hash for document in different}
    assert len(hashes) == len(different)


def test_what_is_said_that_holds_anyway_does_not_change_the_hash() -> None:
    plain = {"max_tokens": 8_000, "strategy": "drop_oldest", "keep_first": 1}
    assert read(minimal(conversation=plain)).hash == read(minimal(conversation={})).hash == read(minimal()).hash
    assert read(minimal(limits={"cost": 1})).hash == read(minimal(limits={"cost": 1.0})).hash
