"""What ``check`` finds in built-in actions and in what agents remember, before anything runs."""

from __future__ import annotations

from typing import Final

import pytest

from fsm_agent.check import check_workflow
from fsm_agent.domain.finding import Finding, Severity
from fsm_agent.domain.signature import Signature
from fsm_agent.loading.yaml_file import inspect_text

DECLARATION: Final = """
workflow: example
version: 1
data:
  note: string?
  count: {type: integer, default: 0}
  items: {type: array, items: {type: string}, default: []}
  all: {type: array, default: []}
user: {name: string, seen: {type: array, items: {type: string}, default: []}}
events: {go: {}, stop: {}}
initial: idle
workflows:
  child:
    workflow: child
    version: 1
    data: {size: integer, word: string?}
    events: {begin: {topic: string}, other: {}}
    initial: first
    states:
      first: {on: {begin: last, other: last}}
      last: {final: true}
"""


def check(work: str, *, more: str = "", tools: set[str] | None = None, of_text: str = "") -> list[Finding]:
    states = f"states: {{idle: {{on: {{go: work, stop: done}}}}, work: {work}, done: {{final: true}}}}\n"
    known = {"mine": Signature()}
    text = DECLARATION + states + more
    return inspect_text(of_text or text, checks=[lambda each: check_workflow(each, actions=known, tools=tools)])[1]


RUN: Final = "{do: workflow.run, with: {workflow: child, event: begin, %s}, on: {go: done, error: done}}"
ASK: Final = "{do: human.ask, with: {prompt: x, events: [go]%s}, after: {1d: done}, on: {go: done}}"
TOPIC: Final = "payload: {topic: data.note}, data: {size: 1}"


@pytest.mark.parametrize(
    ("work", "code", "message"),
    [
        ("{do: llm.generate, with: {prompt: 'a {{ data.nte }}'}, on: {go: done}}", "FSM201", "no data field `nte`"),
        ("{do: llm.generate, with: {prompt: '{{ user.nme }}'}, on: {go: done}}", "FSM201", "no user field `nme` (did"),
        ("{do: llm.decide, with: {prompt: '{{ conversation.txt }}'}, on: {go: done}}", "FSM201", "the conversation h"),
        ("{do: llm.decide, with: {system: '{{ event.x }}'}, on: {go: done}}", "FSM201", "no event is at hand; only d"),
        ("{do: llm.decide, with: {prompt: '{{ item }}'}, on: {go: done}}", "FSM201", "`item` is known under `payload"),
        ("{do: mine, with: {x: user.name}, on: {go: done}}", "FSM201", "only what stands under `with` of a built-in"),
        ("{ask: {prompt: '{{ user.name }}', events: [go]}, after: {1d: done}, on: {go: done}}", "FSM201", "of a buil"),
        ("{do: llm.generate, with: {prompt: x, into: nte}, on: {go: done}}", "FSM203", "no data field `nte` for the"),
        ("{do: llm.generate, with: {prompt: x, into: [note, nte]}, on: {go: done}}", "FSM203", "(did you mean `note`"),
        ("{do: wait, with: {until: data.items}, on: {go: done}}", "FSM210", "`until` must be a date, a datetime, or"),
        ("{do: wait, with: {until: data.nte}, on: {go: done}}", "FSM201", "no data field `nte`"),
        ("{do: wait, with: {for: 1h}, on: {go: done, stop: done}}", "FSM407", "whose `on` has go, stop: say which wi"),
        ("{do: wait, with: {for: 1h}, on: {error: done}}", "FSM407", "whose `on` has nothing: say which with `emit`"),
        ("{do: wait, with: {for: 1h, emit: stop}, on: {go: done, error: done}}", "FSM405", "nothing in state `work`"),
        ("{do: llm.decide, on: {error: done}}", "FSM408", "nothing can be chosen in state `work`: it handles no decl"),
        (ASK % ", to: data.count", "FSM206", "`to` must be a name or a list of names, and this is an int"),
        ("{do: human.ask, with: {prompt: x, events: [go]}, on: {go: done}}", "FSM308", "the question of state `work`"),
        ("{do: http.request, with: {url: 'http://a/{{ data.nte }}'}, on: {go: done}}", "FSM201", "no data field `nte"),
        ("{do: http.request, with: {url: 'http://a', headers: {A: '{{ data.nte }}'}}, on: {go: done}}", "FSM201", "`"),
        ("{do: http.request, with: {url: 'http://a', json: {a-b: data.nte}}, on: {go: done}}", "FSM201", "`nte`"),
        (RUN % f"{TOPIC}, for_each: data.count", "FSM210", "`for_each` must be a list, and this is an int"),
        (RUN % f"{TOPIC}, user: data.count", "FSM210", "`user` must be the name of a user, and this is an int"),
        (RUN % f"{TOPIC}, for_each: data.items, into: note", "FSM204", "a list of results, and `note` takes null or"),
        (RUN % "payload: {topic: item}, data: {size: 1}", "FSM201", "`item` is known under `payload` and `data` of"),
        (RUN % "payload: {topic: 'data.count'}, data: {size: 1}", "FSM204", "payload.topic must be a string, and this"),
        (RUN % "payload: {topic: data.note}, data: {size: x}", "FSM201", "unknown name `x`"),
        (RUN % "payload: {topic: data.note}, data: {size: 1.5}", "FSM204", "the value does not fit: data.size: 1.5 i"),
        (RUN % "payload: {topic: data.note}, data: {size: 1, wrd: 2}", "FSM412", "workflow `child` has no field `wrd"),
        (RUN % "payload: {topic: data.note}", "FSM412", "workflow `child` needs `size`: give it under `data`"),
        (RUN % "data: {size: 1}", "FSM412", "event `begin` of workflow `child` needs `topic`: give it under `payload"),
        ("{do: workflow.run, with: {workflow: chidl, data: {}}, on: {go: done}}", "FSM411", "no `chidl` (did you mea"),
        ("{do: workflow.run, with: {workflow: child, data: {size: 1}}, on: {go: done}}", "FSM412", "begin with begin"),
        ("{do: workflow.run, with: {workflow: child, event: bgin, data: {size: 1}}, on: {go: done}}", "FSM412", "`be"),
    ],
)  # fmt: skip
def test_a_built_in_action_that_could_not_work_is_found(work: str, code: str, message: str) -> None:
    (finding,) = check(work)
    assert finding.code == code
    assert message in finding.message
    assert finding.place is not None
    assert finding.place.line == len(DECLARATION.splitlines()) + 1
    assert finding.place.column > 50


@pytest.mark.parametrize(
    "work",
    [
        "{do: llm.generate, with: {prompt: '{{ user.name }}: {{ size(user.seen) }}', into: note}, on: {go: done}}",
        "{do: llm.decide, with: {prompt: '{{ conversation.count + 1 }}{{ conversation.text }}'}, on: {go: done}}",
        "{do: wait, with: {until: data.note}, on: {go: done}}",
        "{do: wait, with: {until: data.count * 1000}, on: {go: done}}",
        "{do: human.ask, with: {prompt: x, events: [go], to: user.name}, after: {1d: done}, on: {go: done}}",
        RUN % f"{TOPIC}, user: user.name",
        RUN % "payload: {topic: item}, data: {size: index}, for_each: data.items, into: all",
        RUN
        % "payload: {topic: item.x}, data: {size: 'size(data.items.filter(item, item != \"\"))'}, for_each: data.items",
        "{do: mine, with: {x: 'data.items.map(user, user)'}, on: {go: done}}",
    ],
)
def test_what_can_work_is_left_alone(work: str) -> None:
    assert check(work) == []


def test_a_mistake_in_a_prompt_is_placed_inside_the_prompt() -> None:
    """Also where it is written over several lines."""
    text = (
        DECLARATION
        + """
states:
  idle:
    do: llm.generate
    with:
      emit: go
      prompt: |
        Dear {{ user.name }},
          about {{ data.nte }}
    on: {go: done, stop: done}
  done: {final: true}
"""
    )
    (finding,) = check("", of_text=text)
    assert finding.place is not None
    assert text.splitlines()[finding.place.line - 1][finding.place.column - 1 :].startswith("data.nte")


AGENT: Final = (
    "{do: llm.agent, with: {prompt: x, tools: [look, {tool: pay, approval: required}], "
    "approval: {approve: go, deny: stop}, emit: %s}, after: {1d: done}, on: {%s}}"
)


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("stop: done", "event `go` answers whether a tool may be called, and state `work` does not take it"),
        ("go: done, stop: done", "event `go` allows a call, and does not lead back into state `work`, which makes it"),
        ("go: {assign: {count: 1}}, stop: done", "event `go` allows a call, and does not lead back into state `work`"),
    ],
)
def test_approval_must_lead_back_to_the_call(on: str, message: str) -> None:
    (finding,) = check(AGENT % ("stop", on))
    assert (finding.code, message in finding.message) == ("FSM409", True)


def test_one_event_cannot_be_both_answers() -> None:
    (finding,) = check((AGENT % ("stop", "go: work, stop: done")).replace("deny: stop", "deny: go"))
    assert (finding.code, "both `go`" in finding.message) == ("FSM409", True)


def test_tools_are_looked_for_where_modules_are_listed() -> None:
    work = AGENT % ("stop", "go: work, stop: done")
    assert check(work) == check(work, tools={"look", "pay"}) == []
    (finding,) = check(work, tools={"look", "play"})
    assert finding.message == "there is no tool `pay` (did you mean `play`?)"
    assert (finding.code, finding.path[-3:]) == ("FSM410", ("tools", 1, "tool"))


@pytest.mark.parametrize(
    ("limits", "is_bounded"),
    [
        ("", False),
        ("limits: {steps: 9}", True),
        ("limits: {wall_time: 2d}", True),
        ("limits: {tokens: 9000}", True),
        ("limits: {cost: 0.5}", True),
        ("limits: {visits: {work: 3}}", True),
    ],
)
def test_models_that_follow_each_other_for_ever_need_a_bound(limits: str, is_bounded: bool) -> None:
    work = "{do: llm.decide, on: {go: work, stop: done, error: done}}"
    assert [finding.code for finding in check(work, more=limits)] == ([] if is_bounded else ["FSM307"])


def test_a_budget_does_not_bound_what_goes_on_after_its_error() -> None:
    work = "{do: llm.decide, on: {go: done, error: work}}"
    assert [finding.code for finding in check(work, more="limits: {tokens: 9}")] == ["FSM307"]


def test_a_budget_bounds_only_what_models_do() -> None:
    work = "{do: http.request, with: {url: 'http://a'}, on: {go: work, error: done}}"
    assert [finding.code for finding in check(work, more="limits: {tokens: 9}")] == ["FSM307"]


def test_a_cycle_that_waits_or_asks_is_bounded_by_that() -> None:
    assert check("{do: wait, with: {for: 1h, emit: go}, on: {go: work, stop: done, error: done}}") == []
    work = "{do: human.ask, with: {prompt: x, events: [go, stop]}, after: {1d: done}, on: {go: work, stop: done}}"
    assert check(work) == []


def test_a_child_is_checked_like_its_parent() -> None:
    text = DECLARATION.replace("other: {}}", "other: {}, never: {}}")
    work = f"states: {{idle: {RUN % TOPIC}, done: {{final: true}}}}".replace(
        "{go: done, error", "{go: done, stop: done, error"
    )
    found = check("", of_text=text + work.replace("on:", "on:").replace("event: begin", "event: begin, emit: go"))
    assert [(each.code, each.path) for each in found] == [("FSM305", ("workflows", "child", "events", "never"))]
    assert found[0].place is not None
    assert (
        found[0].place.line == text.splitlines().index("    events: {begin: {topic: string}, other: {}, never: {}}") + 1
    )


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ("conversation: {thread: data.count}", "FSM210", "`thread` must be the name of a thread, and this is an int"),
        ("conversation: {thread: data.nte}", "FSM201", "no data field `nte`"),
        ("conversation: {thread: user.name}", "FSM201", "only what stands under `with` of a built-in action"),
        ("progress: {goal: data.count}", "FSM210", "`goal` must be text, and this is an int"),
        (
            "progress: {done: data.note}",
            "FSM210",
            "`done` must be a list of steps or their number, and this is a string",
        ),
        ("progress: {remaining: size(data.itms)}", "FSM201", "no data field `itms`"),
        (
            "merge: {user.seem: union}",
            "FSM203",
            "there is no user field `user.seem` to merge (did you mean `user.seen`?)",
        ),
        ("merge: {user.name: union}", "FSM209", "`union` merges lists, and `user.name` is string"),
    ],
)
def test_what_is_remembered_and_told_is_checked(more: str, code: str, message: str) -> None:
    (finding,) = check("{do: mine, on: {go: done}}", more=more)
    assert (finding.code, finding.severity) == (code, Severity.ERROR)
    assert message in finding.message


def test_progress_and_policies_that_fit_are_left_alone() -> None:
    more = """
progress: {goal: data.note, done: data.items, remaining: 10 - size(data.items), current: "'at ' + string(data.count)"}
conversation: {thread: "'desk-' + string(data.count)"}
merge: {user.seen: union, items: append}
"""
    assert check("{do: mine, on: {go: done}}", more=more) == []


def test_what_comes_while_a_person_is_asked_comes_from_outside() -> None:
    """So an action that does not say what it names is not taken to name it, round and round."""
    text = """
workflow: example
version: 1
events: {go: {}, stop: {}}
initial: asking
states:
  asking: {do: human.ask, with: {prompt: x, events: [go]}, after: {1d: done}, on: {go: working, stop: done}}
  working: {do: any, on: {stop: working, go: done, error: done}}
  done: {final: true}
"""
    assert inspect_text(text, checks=[check_workflow])[1] == []


def test_an_event_that_is_misspelt_is_not_told_again_as_a_missing_end() -> None:
    (finding,) = check("{do: llm.generate, with: {prompt: x}, on: {og: done, error: done}}")
    assert finding.code == "FSM112"
    (finding,) = check("{do: llm.decide, on: {og: done, error: done}}")
    assert finding.code == "FSM112"
    (finding,) = check("{do: llm.decide, onn: {go: done, error: done}}")
    assert finding.code == "FSM101"


def test_a_child_that_is_written_wrong_is_not_told_again_where_it_is_started() -> None:
    text = (
        DECLARATION.replace("data: {size: integer", "data: {size: integr") + f"states: {{idle: {RUN % 'data: {x: 1}'}}}"
    )
    assert [each.code for each in inspect_text(text)[1]] == ["FSM106", "FSM110", "FSM110"]


def test_a_list_that_is_written_wrong_is_not_told_again_where_its_items_are_mentioned() -> None:
    for wrong in ("for_eachh: data.items", "for_each: 3"):
        (finding,) = check(RUN % f"payload: {{topic: item}}, data: {{size: 1}}, {wrong}")
        assert finding.code in {"FSM101", "FSM103"}
