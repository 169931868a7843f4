"""What a message knows of what was most likely meant, and what it does not tell twice."""

from __future__ import annotations

import pytest

from fsm_agent.check import check_workflow
from fsm_agent.data.draft import DictDraft
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.similarity import nearest
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import DataInvalid, IllegalEvent
from fsm_agent.loading.yaml_file import inspect_text

WORKFLOW = """
workflow: w
version: 1
data: {amount: integer, name: string?}
events: {go: {count: integer}, stop: {}}
initial: idle
states:
  idle: {on: {go: busy, stop: done}}
  busy: {do: work, on: {go: done, error: done}}
  done: {final: true}
"""
ASKING = "idle: {ask: {prompt: PROMPT, events: [go]}, after: {1d: done}, on"


def found(text: str, actions: dict[str, Signature] | None = None) -> list[str]:
    def check(workflow: Workflow) -> list[object]:
        return check_workflow(workflow, actions=actions)

    return [f"{each.code} {each.message}" for each in inspect_text(text, checks=[check])[1]]  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("written", "meant", "said"),
    [
        ("go: busy", "go: {target: busy, guard: 'data.amount > 1'}", "`go` has no key 'guard' (did you mean `when`?)"),
        ("go: busy", "go: {target: busy, if: 'data.amount > 1'}", "`go` has no key 'if' (did you mean `when`?)"),
        ("go: busy", "go: {target: busy, cond: 'data.amount > 1'}", "`go` has no key 'cond' (did you mean `when`?)"),
        ("go: busy", "go: {to: busy}", "`go` has no key 'to' (did you mean `target`?)"),
        ("{final: true}", "{type: final}", "state `done` has no key 'type' (did you mean `final: true`?)"),
        ("do: work", "do: work, on_error: done", "has no key 'on_error' (did you mean `on: {error: STATE}`?)"),
        ("do: work", "do: work, on_timeout: done", "has no key 'on_timeout' (did you mean `on: {timeout: STATE}`?)"),
    ],
)
def test_a_key_of_another_dialect_is_translated(written: str, meant: str, said: str) -> None:
    [message] = found(WORKFLOW.replace(written, meant, 1))
    assert said in message


STATE, GO, ASKS, RETRIES = (
    "do: work, ",
    "go: {target: busy, ",
    "ask: {prompt: x, events: [go], ",
    "retry: {attempts: 2, ",
)
#: where a key stands, how somebody writes it who comes from XState, SCXML, transitions, LangGraph or Step Functions,
#: and what is said of it
HABITS = [
    (GO, "Guard: 'true'", "'Guard' (did you mean `when`?)"),
    (GO, "Target: busy", "'Target' (did you mean `target`?)"),
    (GO, "conditions: x", "'conditions' (did you mean `when`?)"),
    (GO, "actions: x", "'actions': a transition changes only data; the state to which it goes works by `do`;"),
    (GO, "after: 3d", "'after': a transition by time stands under `after` of the state that it leaves;"),
    (GO, "trigger: x", "'trigger': a transition stands under `on` of the state that it leaves, by its event;"),
    (STATE, "on_entry: x", "'on_entry': there are no entry actions; a state works by `do`;"),
    (STATE, "onentry: x", "'onentry': there are no entry actions; a state works by `do`;"),
    (STATE, "entry: x", "'entry': there are no entry actions; a state works by `do`;"),
    (STATE, "on_exit: x", "'on_exit': there are no exit actions; a state works by `do`, and"),
    (STATE, "exit: x", "'exit': there are no exit actions; a state works by `do`, and"),
    (STATE, "onDone: x", "'onDone' (did you mean `on: {EVENT: STATE}`?)"),
    (STATE, "onError: x", "'onError' (did you mean `on: {error: STATE}`?)"),
    (STATE, "Catch: x", "'Catch' (did you mean `on: {error: STATE}`?)"),
    (STATE, "Next: x", "'Next' (did you mean `on: {EVENT: STATE}`?)"),
    (STATE, "TimeoutSeconds: 5", "'TimeoutSeconds' (did you mean `timeout`?)"),
    (STATE, "type: parallel", "'type': there are no parallel states; `do: workflow.run` runs agents side by side;"),
    (STATE, "type: history", "'type': there are no history states;"),
    (STATE, "prompt: x", "'prompt' (did you mean `with: {prompt: ...}`?)"),
    ("", "prompt: x", "'prompt' (did you mean `ask: {prompt: ..., events: [...]}`?)"),
    (STATE, "xyzzy: x", "'xyzzy'; allowed: "),
    (RETRIES, "BackoffRate: 2", "'BackoffRate': the delay doubles each time;"),
    (RETRIES, "IntervalSeconds: 2", "'IntervalSeconds' (did you mean `backoff`?)"),
    (RETRIES, "ErrorEquals: [x]", "'ErrorEquals' (did you mean `on`?)"),
    (ASKS, "deadline: 3d", "'deadline': how long a question may stay open says `after` of its state;"),
    (ASKS, "choices: [x]", "'choices' (did you mean `events`?)"),
    (None, "context: {}", "'context' (did you mean `data`?)"),
    (None, "nodes: {}", "'nodes' (did you mean `states`?)"),
    (None, "edges: []", "'edges': transitions stand under `on` of each state;"),
    (None, "StartAt: x", "'StartAt' (did you mean `initial`?)"),
    (None, "recursion_limit: 5", "'recursion_limit' (did you mean `limits: {steps: 100}`?)"),
    (None, "checkpointer: x", "'checkpointer': where agents live says --store or pyproject.toml;"),
]


@pytest.mark.parametrize(("place", "key", "said"), HABITS)
def test_what_others_call_otherwise_is_told_and_nothing_is_suggested_that_only_looks_alike(
    place: str | None, key: str, said: str
) -> None:
    text = f"{WORKFLOW}{key}\n"
    if place == GO:
        text = WORKFLOW.replace("{go: busy", f"{{{GO}{key}}}")
    elif place is not None:
        end = "}" if "{" in place else ""
        body = f"{place}{key}{end}"
        text = WORKFLOW.replace("do: work", f"do: work, {body}" if place == RETRIES else body)
    assert any(said in message for message in found(text)), found(text)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("string[]", "'string[]' is not a type (did you mean `[string]`?)"),
        ("string?[]?", "(did you mean `[string?]?`?)"),
        ("int", "(did you mean `integer`?)"),
        ("dict", "(did you mean `object`?)"),
        ("any", "'any' is not a type (did you mean `{}`, which is anything?)"),
    ],
)
def test_a_type_of_another_language_is_translated(declared: str, said: str) -> None:
    messages = found(WORKFLOW.replace("string?", f'"{declared}"'))
    assert said in messages[0]
    assert found(WORKFLOW.replace("string?", "{}")) == []


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("aprove", ["approve", "reject"], "approve"),
        ("nmae", ["name"], "name"),
        ("ned", ["end"], "end"),
        ("Amount", ["amount"], "amount"),
        ("wall-time", ["wall_time"], "wall_time"),
        ("appr", ["approve"], "approve"),
        ("gone", ["go"], "go"),
        ("data.amuont", ["data.amount"], "data.amount"),
        ("b", ["t"], None),
        ("data.b", ["data.t"], None),
        ("event.zzz", ["event.v"], None),
        ("shop_actions:x", ["shop_actions:pack"], None),
        ("on_entry", ["retry", "do"], None),
        ("entry", ["retry"], None),
        ("tags", ["states"], None),
        ("trigger", ["target"], None),
        ("ab", ["ac"], None),
        ("x", [], None),
    ],
)
def test_only_what_is_near_is_suggested(name: str, known: list[str], meant: str | None) -> None:
    assert nearest(name, known) == meant


def test_a_field_of_which_nothing_is_near_is_told_with_those_there_are() -> None:
    [message] = found(WORKFLOW.replace("go: busy", "go: {target: busy, when: 'data.b > 1'}"))
    assert message == "FSM201 no data field `b`; there is data.amount, data.name"


@pytest.mark.parametrize(
    ("written", "meant", "said"),
    [
        (
            "idle: {on",
            "idle: {ask: 'Are you sure?', on",
            "`ask` must be a mapping, and is 'Are you sure?': "
            "write `ask: {prompt: 'Are you sure?', events: [yes, no]}`",
        ),
        ("do: work", "do: work, retry: 5", "and is 5: write `retry: {attempts: 5, backoff: 1s}`"),
        ("do: work", "do: work, after: 2h", "and is '2h': write `after: {2h: STATE}`"),
        ("on: {go: busy, stop: done}", "on: go", "and is 'go': write `on: {EVENT: STATE}`"),
    ],
)
def test_a_form_that_is_too_short_is_written_out(written: str, meant: str, said: str) -> None:
    assert said in found(WORKFLOW.replace(written, meant, 1))[0]


def test_an_example_that_is_shown_can_be_read() -> None:
    from fsm_agent.dialect.suggestions import EXAMPLES

    words = {"STATE": "done", "EVENT": "go", "FIELD": "amount", "ARGUMENT": "x", "data.field": "data.amount"}
    words |= {"event.field": "event.count", "[yes, no]": "[go]"}
    for key, example in EXAMPLES.items():
        for word, meant in words.items():
            example = example.replace(word, meant)  # noqa: PLW2901
        text = {
            "ask": WORKFLOW.replace("idle: {", f"idle: {{ask: {example}, "),
            "assign": WORKFLOW.replace("go: busy", f"go: {{target: busy, assign: {example}}}"),
            "append": "",
            "events": "",
            "data": "",
            "states": "",
            "output": WORKFLOW.replace("{final: true}", f"{{final: true, output: {example}}}"),
            "limits": f"{WORKFLOW}limits: {example}\n",
            "must": f"{WORKFLOW}must: {example}\n",
            "on": WORKFLOW.replace("{go: busy, stop: done}", example),
        }.get(key, WORKFLOW.replace("do: work", f"do: work, {key}: {example}"))
        assert [each for each in found(text) if text and each.startswith(("FSM0", "FSM1"))] == [], key


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{{ data.name | upper }}", "`| upper` is a filter of another language: write data.name.upperAscii()"),
        ("{{ data.name|default('x') }}", "write data.name == null ? 'other' : data.name"),
        ("{{ data.name | title }}", "write data.name.title() or title(data.name)"),
        ("{{ data.amount > 1 | data.amount < 0 }}", "`|` is not understood here: write ||"),
    ],
)
def test_a_filter_of_a_template_is_told_in_cel(prompt: str, said: str) -> None:
    [message] = found(WORKFLOW.replace("idle: {on", ASKING.replace("PROMPT", f'"{prompt}"')))
    assert said in message


def test_a_bar_in_a_text_is_no_filter() -> None:
    text = ASKING.replace("PROMPT", "\"{{ data.name + ' | upper' }} {{ data.nmae }}\"")
    [message] = found(WORKFLOW.replace("idle: {on", text))
    assert "did you mean `data.name`?" in message


def test_a_misspelt_event_is_recognised() -> None:
    said = str(IllegalEvent("aprove", "asking", ["approve", "reject"]))
    assert said == (
        "event 'aprove' is not allowed in state 'asking' (did you mean `approve`?); allowed: approve, reject"
    )


def test_a_place_in_data_is_named_as_it_is_written() -> None:
    data = DictDraft({"items": [], "trip": {"legs": [{"gates": []}]}, "list": [1]})
    for change, place in (
        (lambda: data["items"].append(object()), "items[0] is an object of type object"),
        (lambda: data["trip"]["legs"][0]["gates"].extend([1, object()]), "trip.legs[0].gates[1] is an object"),
        (lambda: data["trip"]["legs"].append({"at": [object()]}), "trip.legs[1].at[0] is an object"),
        (lambda: data["list"].insert(0, object()), "list[0] is an object"),
        (lambda: data["list"].__setitem__(0, object()), "list[0] is an object"),
    ):
        with pytest.raises(DataInvalid) as refused:
            change()
        assert place in str(refused.value)


@pytest.mark.parametrize(
    ("written", "meant", "said"),
    [
        # what is used is not undeclared as long as nobody can read what is declared
        ("events: {go: {count: integer}, stop: {}}", "events: [go, stop]", ["FSM103"]),
        # the state behind a transition that is never taken, and all that only follow from there
        (
            "go: busy, stop: done}}",
            "go: [done, busy], stop: done}}",
            ["FSM304"],
        ),
        ("idle: {on: {go: busy, stop: done}}", "idle: {on: {error: busy, go: done, stop: done}}", ["FSM306"]),
        # a state that only a lost one leads to
        ("idle: {on: {go: busy,", "lost: {on: {go: busy}}\n  idle: {on: {", ["FSM301"]),
        # those that only lead to each other are one mistake
        ("idle: {on", "lost: {on: {go: gone}}\n  gone: {on: {go: lost, stop: done}}\n  idle: {on", ["FSM301"]),
    ],
)
def test_what_follows_from_a_mistake_is_not_told_as_another(written: str, meant: str, said: list[str]) -> None:
    text = WORKFLOW.replace(written, meant, 1).replace("on: {go: done, error", "on: {go: done, stop: last, error")
    text += "  last: {final: true}\n"
    assert [each.partition(" ")[0] for each in found(text)] == said


def test_a_misspelt_argument_is_not_missing_as_well() -> None:
    signature = Signature(None, frozenset({"topic", "depth"}), frozenset({"topic", "depth"}))
    text = WORKFLOW.replace("do: work", "do: work, with: {topc: data.name}")
    assert found(text, {"work": signature}) == [
        "FSM403 action `work` needs the argument `depth`: give it under `with`",
        "FSM402 action `work` takes no argument `topc` (did you mean `topic`?)",
    ]
