"""Built-in actions in documents: what their arguments may be, and what is said of those that cannot."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

import jsonschema_rs
import pytest

from fsm_agent.actions.builtin import built_in
from fsm_agent.dialect import dialect_schema, read_document
from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES, PAUSING
from fsm_agent.dialect.builtins import BUILT_INS, emission, emitted_by, first_event, tools_of
from fsm_agent.dialect.claims import answers_of
from fsm_agent.dialect.keys import Kind
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.workflow import Workflow
from tests.support.documents import Document

SCHEMA = jsonschema_rs.validator_for(dialect_schema())
CHILD: Document = {
    "workflow": "child",
    "version": 1,
    "events": {"begin": {}},
    "initial": "first",
    "states": {"first": {"on": {"begin": "last"}}, "last": {"final": True}},
}


def document(do: str, given: Any = None, **changes: Any) -> Document:
    """A state with that action, and an end."""
    work: Document = {"do": do, "on": {"go": "end", "yes": "work", "no": "work"}}
    if given is not None:
        work["with"] = given
    return {
        "workflow": "w",
        "version": 1,
        "data": {"note": "string?", "items": "[string]"},
        "events": {"go": {}, "yes": {}, "no": {}, "elsewhere": {}},
        "initial": "work",
        "states": {"work": work, "end": {"final": True}},
        "workflows": {"child": CHILD},
    } | changes


def read(do: str, given: Any = None, **changes: Any) -> Workflow:
    workflow, findings = read_document(document(do, given, **changes))
    assert findings == []
    assert workflow is not None
    return workflow


def mistakes(do: str, given: Any = None) -> list[str]:
    _, findings = read_document(document(do, given))
    return [
        ".".join(map(str, each.path)).removeprefix("states.work.") + f": {each.code} {each.message}"
        for each in findings
    ]


FULL: dict[str, Document] = {
    "llm.generate": {
        "prompt": "{{ data.note }}",
        "system": "x",
        "model": "test",
        "into": ["note", "items"],
        "conversation": True,
        "settings": {"temperature": 0.5, "stop": ["x"]},
        "emit": "go",
    },
    "llm.decide": {"prompt": "x", "system": "y", "model": "m", "conversation": True, "settings": {}, "tries": 2},
    "llm.agent": {
        "prompt": "x",
        "system": "y",
        "model": "m",
        "tools": ["look", "pkg.mod:look", {"tool": "pay", "approval": "required", "mode": "idempotent"}],
        "mcp": ["files", "web"],
        "approval": {"approve": "yes", "deny": "no"},
        "rounds": 3,
        "into": "note",
        "settings": {"seed": 1},
        "emit": "go",
    },
    "http.request": {
        "url": "https://a.example:8080/x/{{ data.note }}",
        "method": "PUT",
        "headers": {"X-Note": "{{ data.note }}"},
        "json": {"any key": "data.note", "n": 1},
        "auth": "API_TOKEN",
        "into": "note",
        "expect": [200, 404],
        "mode": "at_most_once",
        "emit": "go",
    },
    "wait": {"for": "2h", "emit": "go"},
    "human.ask": {"prompt": "{{ data.note }}?", "events": ["yes", "no"], "to": "data.note"},
    "workflow.run": {
        "workflow": "child",
        "event": "begin",
        "payload": {},
        "data": {},
        "for_each": "data.items",
        "at_once": 2,
        "on_failure": "continue",
        "into": "items",
        "user": "data.note",
        "emit": "go",
    },
}


def test_the_names_that_the_engine_knows_are_those_of_the_table() -> None:
    assert set(BUILT_INS) == BUILT_IN_NAMES
    assert PAUSING < BUILT_IN_NAMES
    assert all(built_in(name) is not None for name in BUILT_IN_NAMES)


@pytest.mark.parametrize("do", BUILT_INS)
def test_arguments_are_kept_as_they_are_written(do: str) -> None:
    workflow = read(do, FULL[do])
    assert workflow.by_path["work"].with_ == FULL[do]
    assert [error.message for error in SCHEMA.iter_errors(document(do, FULL[do]))] == []


@pytest.mark.parametrize("do", BUILT_INS)
def test_the_function_takes_the_arguments_that_the_table_has(do: str) -> None:
    action = built_in(do)
    assert action is not None
    parameters = list(inspect.signature(action.function).parameters.values())[1:]
    taken = {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
    assert taken | ({"for"} if do == "wait" else set()) == set(BUILT_INS[do].arguments)
    needed = {each.name for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD}
    assert needed == set(BUILT_INS[do].required)


@pytest.mark.parametrize(
    ("do", "given", "expected"),
    [
        ("llm.generate", {}, "with: FSM102 `with` needs the key `prompt`"),
        ("llm.generate", None, "do: FSM102 this action needs `prompt`: give it under `with`"),
        ("llm.generate", {"prompt": " "}, "with.prompt: FSM114 `prompt` is empty: write what it should say"),
        ("llm.generate", {"prompt": 1}, "with.prompt: FSM103 `prompt` must be text, and is 1"),
        ("llm.generate", {"prompt": "x", "promt": 1}, "with.promt: FSM101 `with` has no key 'promt' (did you mean `p"),
        ("llm.generate", {"prompt": "x", "into": 1}, "with.into: FSM103 `into` must be the name of a data field, and"),
        ("llm.generate", {"prompt": "x", "into": []}, "with.into: FSM114 `into` is empty: list at least one of the d"),
        ("llm.generate", {"prompt": "x", "into": ["a b"]}, "with.into.0: FSM104 'a b' is not a name"),
        ("llm.generate", {"prompt": "x", "conversation": False}, "with.conversation: FSM103 `conversation` can only"),
        ("llm.generate", {"prompt": "x", "settings": []}, "with.settings: FSM103 `settings` must be a mapping, and i"),
        ("llm.generate", {"prompt": "x", "emit": "gone"}, "with.emit: FSM112 event 'gone' is not declared (did you m"),
        ("llm.generate", {"prompt": "x", "emit": "error"}, "with.emit: FSM112 event 'error' is built in, and no acti"),
        ("llm.generate", {"prompt": "x", "emit": 1}, "with.emit: FSM103 `emit` must be the name of an event, and is"),
        ("llm.generate", "x", "with: FSM103 `with` must be a mapping, and is 'x'"),
        ("llm.decide", {"model": ""}, "with.model: FSM114 `model` is empty: name a model, or leave it out"),
        ("llm.decide", {"model": 1}, "with.model: FSM103 `model` must be the name of a model, and is 1"),
        ("llm.decide", {"tries": 0}, "with.tries: FSM114 `tries` must be at least 1, and is 0"),
        ("llm.agent", {"prompt": "x", "tools": []}, "with.tools: FSM114 `tools` is empty: list at least one tool"),
        ("llm.agent", {"prompt": "x", "tools": {}}, "with.tools: FSM103 `tools` must be a list of tools, and is a ma"),
        ("llm.agent", {"prompt": "x", "tools": ["a b"]}, "with.tools.0: FSM104 'a b' cannot name a tool: write its n"),
        ("llm.agent", {"prompt": "x", "tools": ["a", {"tool": "a"}]}, "with.tools.1.tool: FSM114 `tools` has 'a' twi"),
        ("llm.agent", {"prompt": "x", "tools": [1]}, "with.tools.0: FSM103 entry 1 of `tools` must be the name of a"),
        ("llm.agent", {"prompt": "x", "tools": [{"tol": "a"}]}, "with.tools.0.tol: FSM101 entry 1 of `tools` has no"),
        ("llm.agent", {"prompt": "x", "tools": [{"tool": "a", "mode": "check"}]}, "with.tools.0.mode: FSM114 `mode`"),
        ("llm.agent", {"prompt": "x", "tools": [{"tool": "a", "approval": "required"}]}, "with.tools: FSM102 a tool"),
        ("llm.agent", {"prompt": "x", "approval": {"approve": "yes"}}, "with.approval: FSM102 `approval` needs the k"),
        ("llm.agent", {"prompt": "x", "approval": {"approve": "yes", "deny": "x"}}, "with.approval.deny: FSM112 even"),
        ("llm.agent", {"prompt": "x", "mcp": ["a", "a"]}, "with.mcp.1: FSM114 `mcp` has 'a' twice"),
        ("http.request", {"url": "{{ data.note }}"}, "with.url: FSM114 `url` must name its host before any expressio"),
        ("http.request", {"url": "https://a.example{{ data.note }}"}, "with.url: FSM114 `url` must name its host bef"),
        ("http.request", {"url": "file:///etc/passwd"}, "with.url: FSM114"),
        ("http.request", {"url": "http://a", "method": "get"}, "with.method: FSM114 `method` cannot be 'get' (did you"),
        ("http.request", {"url": "http://a", "auth": "sk-12345"}, "with.auth: FSM114 `auth` must be the name of an e"),
        ("http.request", {"url": "http://a", "headers": {"a b": "x"}}, "with.headers.a b: FSM104 'a b' cannot name a"),
        ("http.request", {"url": "http://a", "headers": {"A": 1}}, "with.headers.A: FSM103 `A` must be text, and is"),
        ("http.request", {"url": "http://a", "json": {"a": " "}}, "with.json.a: FSM114 `a` is empty: write a CEL exp"),
        ("http.request", {"url": "http://a", "json": {}, "body": "x"}, "with.body: FSM113 `body` cannot stand beside"),
        ("http.request", {"url": "http://a", "expect": [99]}, "with.expect.0: FSM114 99 is no status: write integers"),
        ("http.request", {"url": "http://a", "expect": []}, "with.expect: FSM114 `expect` is empty: list at least on"),
        ("http.request", {"url": "http://a", "mode": "check"}, "with.mode: FSM114 `mode` cannot be 'check'; allowed:"),
        ("wait", {}, "with: FSM102 `with` needs `for` or `until`"),
        ("wait", None, "do: FSM102 this action needs `for` or `until`: give it under `with`"),
        ("wait", {"for": "1h", "until": "data.note"}, "with: FSM113 `with` needs `for` or `until`, and not both"),
        ("wait", {"for": "soon"}, "with.for: FSM109 'soon' is not a duration"),
        ("human.ask", {"prompt": "x"}, "with: FSM102 `with` needs the key `events`"),
        ("human.ask", {"prompt": "x", "events": ["elsewhere"]}, "with.events.0: FSM115 state `work` asks for event `"),
        ("workflow.run", {"workflow": "child", "on_failure": "stop"}, "with.on_failure: FSM114 `on_failure` cannot b"),
        ("workflow.run", {"workflow": "child", "payload": {"a-b": 1}}, "with.payload.a-b: FSM104 'a-b' is not a name"),
        ("llm.chat", None, "do: FSM114 there is no built-in action 'llm.chat'; there are"),
        ("llm.genrate", None, "do: FSM114 there is no built-in action 'llm.genrate' (did you mean `llm.generate`?);"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_with_what_is_allowed(do: str, given: Any, expected: str) -> None:
    (mistake,) = mistakes(do, given)
    assert expected in mistake


def test_a_token_in_place_of_a_variable_is_not_repeated() -> None:
    (mistake,) = mistakes("http.request", {"url": "http://a", "auth": "sk-12345"})
    assert "sk-12345" not in mistake


def test_the_schema_refuses_what_the_readers_refuse() -> None:
    wrong = [
        ("llm.generate", None),
        ("llm.generate", {"prompt": "x", "promt": 1}),
        ("llm.agent", {"prompt": "x", "tools": [{"tool": "a", "approval": "maybe"}]}),
        ("http.request", {"url": "{{ data.note }}"}),
        ("http.request", {"url": "http://a", "json": {}, "body": "x"}),
        ("wait", {"for": "1h", "until": "data.note"}),
        ("llm.chat", {}),
    ]
    assert [do for do, given in wrong if SCHEMA.is_valid(document(do, given))] == []


def test_an_action_of_ones_own_takes_what_it_takes() -> None:
    given = {"prompt": "data.note", "anything": [1]}
    assert read("work_on", given).by_path["work"].with_ == given


def state_of(workflow: Workflow) -> tuple[Workflow, Any]:
    return workflow, workflow.by_path["work"]


def test_an_action_ends_with_what_emit_says_or_with_the_only_event_of_its_own() -> None:
    several, one = {"go": "end", "yes": "work"}, {"go": "end", "error": "end"}
    work: Document = {"do": "wait", "with": {"for": "1h"}, "on": one}
    flow = read("wait", states={"work": work, "end": {"final": True}})
    assert emission(*state_of(flow)) == "go"
    flow = read("wait", states={"work": work | {"on": several}, "end": {"final": True}})
    assert emission(*state_of(flow)) is None
    assert emitted_by(*state_of(flow)) == set()
    given = {"for": "1h", "emit": "yes"}
    flow = read("wait", states={"work": work | {"on": several, "with": given}, "end": {"final": True}})
    assert emitted_by(*state_of(flow)) == {"yes"}


def test_answers_about_tools_are_no_way_to_end() -> None:
    given = {"prompt": "x", "approval": {"approve": "yes", "deny": "no"}}
    flow = read("llm.agent", given)
    assert emission(*state_of(flow)) == "go"
    assert answers_of(flow.by_path["work"]) == ("yes", "no")


def test_who_chooses_may_end_with_anything_and_who_asks_with_nothing() -> None:
    assert emitted_by(*state_of(read("llm.decide"))) is None
    assert emitted_by(*state_of(read("work_on"))) is None
    flow = read("human.ask", {"prompt": "x", "events": ["yes"]})
    assert emitted_by(*state_of(flow)) == set()
    assert answers_of(flow.by_path["work"]) == ("yes",)


def test_tools_are_found_where_they_stand() -> None:
    flow = read("llm.agent", {"prompt": "x", "tools": ["a", {"tool": "m:b"}]})
    assert tools_of(flow.by_path["work"]) == {"a": (0,), "m:b": (1, "tool")}


@pytest.mark.parametrize(
    ("first", "event"),
    [
        ({"on": {"go": "end"}}, "go"),
        ({"on": {"go": "end", "yes": "end"}}, None),
        ({"do": "work_on", "on": {"error": "end"}}, "created"),
        ({"do": "work_on", "on": {"go": "end"}}, "created"),
        ({"on": {"cancel": "end"}}, None),
    ],
)
def test_a_child_works_at_once_or_begins_with_the_only_event_that_it_takes(first: Document, event: str | None) -> None:
    assert first_event(read("x", states={"work": first, "end": {"final": True}})) == event


def test_every_kind_of_argument_is_one_of_the_dialect() -> None:
    assert {key.kind for each in BUILT_INS.values() for key in each.arguments.values()} <= set(Kind)
    assert BUILT_INS["wait"].kind_of("for") is Kind.DURATION
    with pytest.raises(KeyError):
        BUILT_INS["wait"].kind_of("four")


def test_who_runs_agents_imports_no_reader() -> None:
    """The table is needed at every start, the readers only where a file is read."""
    imported = _imports("fsm_agent.dialect.builtins") | _imports("fsm_agent.dialect.keys")
    assert {name for name in imported if name.startswith("fsm_agent.dialect")} == {"fsm_agent.dialect.keys"}


def _imports(module: str) -> set[str]:
    source = inspect.getsource(importlib.import_module(module))
    return {node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}


def test_a_draft_keeps_the_arguments_that_could_be_read() -> None:
    from fsm_agent.dialect import read_draft

    given = {"prompt": "x", "tools": [{"tool": []}], "approval": {"approve": [], "deny": "no"}, "rounds": 2}
    draft, findings = read_draft(document("llm.agent", given))
    assert all(isinstance(each, Finding) for each in findings)
    assert draft is not None
    assert draft.by_path["work"].with_ == {"prompt": "x", "rounds": 2}


def test_of_an_action_whose_name_is_wrong_the_arguments_are_left_alone() -> None:
    for do in ("llm.genrate", "a b", ["llm.generate"]):
        [_] = mistakes(do, {"prompt": "You are { {", "into": "}"})  # type: ignore[arg-type]
    misspelt = document("llm.generate")
    misspelt["states"]["work"]["wiht"] = {"prompt": "x"}
    _, findings = read_document(misspelt)
    assert [each.code for each in findings] == ["FSM101"]
