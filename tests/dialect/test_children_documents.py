"""Workflows within workflows: files and inline documents, and what may not be embedded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pydantic
import pytest

from fsm_agent import State, Workflow, WorkflowInvalid
from fsm_agent.check import check_workflow
from fsm_agent.dialect import read_document
from fsm_agent.loading.yaml_file import inspect_file, load, loads
from tests.support.documents import CHILD, Document

PARENT = """\
workflow: parent
version: 1
data: {items: "[string]"}
events: {go: {}}
initial: start
workflows: {child: NAME}
states:
  start:
    do: workflow.run
    with: {workflow: child, for_each: data.items, payload: {topic: item}}
    on: {go: done, error: done}
  done: {final: true}
"""
TOPIC = """\
workflow: topic
version: 1
data: {topic: string?}
events: {begin: {topic: string}}
initial: waiting
states:
  waiting: {on: {begin: {target: done, assign: {topic: event.topic}}}}
  done: {final: true, output: {topic: data.topic}}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def parent(folder: Path, child: str = "topic.yaml", name: str = "parent.yaml") -> Path:
    return written(folder, name, PARENT.replace("NAME", child))


def said(path: Path) -> list[str]:
    workflow, findings = inspect_file(path, checks=[check_workflow])
    assert (workflow is None) == bool(findings)
    return [str(finding).removeprefix(f"{path.parent}/") for finding in findings]


def test_a_file_is_embedded_whole(tmp_path: Path) -> None:
    written(tmp_path, "children/topic.yaml", TOPIC)
    flow = load(parent(tmp_path, "children/topic.yaml"))
    assert flow.workflows["child"] == loads(TOPIC)
    assert Workflow.from_json(flow.to_json()).workflows["child"].hash == loads(TOPIC).hash


def test_a_file_and_the_same_workflow_written_out_and_declared_in_python_have_one_hash(tmp_path: Path) -> None:
    written(tmp_path, "topic.yaml", TOPIC)
    flow = Workflow.load(parent(tmp_path))
    assert loads(flow.to_yaml()).hash == flow.hash
    declared = Workflow(
        "parent",
        version=1,
        data={"items": "[string]"},
        events={"go": {}},
        initial="start",
        workflows={"child": Workflow.load(tmp_path / "topic.yaml")},
        states=[
            State(
                "start",
                do="workflow.run",
                with_={"workflow": "child", "for_each": "data.items", "payload": {"topic": "item"}},
                on={"go": "done", "error": "done"},
            ),
            State("done", final=True),
        ],
    )
    assert declared.hash == flow.hash


def test_another_child_is_another_parent(tmp_path: Path) -> None:
    written(tmp_path, "topic.yaml", TOPIC)
    before = load(parent(tmp_path)).hash
    written(tmp_path, "topic.yaml", TOPIC.replace("version: 1", "version: 2"))
    assert load(parent(tmp_path)).hash != before


def test_files_are_found_from_the_file_that_names_them(tmp_path: Path) -> None:
    parent(tmp_path, "below/inner.yaml")
    inner = PARENT.replace("NAME", "leaf/topic.yaml").replace(
        "events: {go: {}}", "events: {go: {}, begin: {topic: string}}"
    )
    inner = inner.replace("initial: start", "initial: idle").replace("states:", "states:\n  idle: {on: {begin: start}}")
    written(tmp_path, "below/inner.yaml", inner.replace('items: "[string]"', "items: {type: array, default: []}"))
    written(tmp_path, "below/leaf/topic.yaml", TOPIC)
    flow = load(tmp_path / "parent.yaml")
    assert flow.workflows["child"].workflows["child"].name == "topic"


def test_what_is_wrong_with_a_child_is_told_in_its_own_file(tmp_path: Path) -> None:
    written(
        tmp_path, "topic.yaml", TOPIC.replace("event.topic", "event.topik").replace("final: true, o", "final: yes, o")
    )
    assert said(parent(tmp_path)) == [
        "topic.yaml:7:56: FSM201 event 'begin' has no field `topik` (did you mean `event.topic`?)",
        "topic.yaml:8:17: FSM103 `final` can only be true, and is 'yes': leave it out",
    ]


def test_what_a_check_finds_in_a_child_is_told_once(tmp_path: Path) -> None:
    written(tmp_path, "topic.yaml", TOPIC.replace("events: {", "events: {never: {}, "))
    assert said(parent(tmp_path)) == ["topic.yaml:4:10: FSM305 event `never` is declared, and no state handles it"]


def test_a_warning_about_a_child_is_told_once(tmp_path: Path) -> None:
    asking = "target: asking, assign: {topic: event.topic}}}}\n  asking: "
    asking += "{ask: {prompt: Well?, events: [begin]}, on: {begin: done}}"
    written(tmp_path, "topic.yaml", TOPIC.replace("target: done, assign: {topic: event.topic}}}}", asking))
    workflow, findings = inspect_file(parent(tmp_path), checks=[check_workflow])
    assert workflow is not None
    assert [(each.code, Path(each.place.file).name) for each in findings if each.place] == [("FSM308", "topic.yaml")]


def test_a_mistake_of_the_parent_comes_before_those_of_its_children(tmp_path: Path) -> None:
    written(tmp_path, "topic.yaml", "workflow: [")
    path = parent(tmp_path)
    path.write_text(path.read_text().replace("data.items", "data.itmes"), encoding="utf-8")
    first, second = said(path)
    assert first.startswith("parent.yaml:10:39: FSM201 no data field `itmes`")
    assert second.startswith("topic.yaml:1:12: FSM001")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../topic.yaml", "a file can embed files of its own folder, and of folders in it, and this is elsewhere"),
        ("/etc/topic.yaml", "a file can embed files of its own folder"),
        ("below/../topic.yaml", "a file can embed files of its own folder"),
        ("link.yaml", "a file can embed files of its own folder"),
        ("topic.txt", "a workflow is a file that ends in .yaml or .yml"),
        ("parent.yaml", "it would contain itself: parent.yaml -> parent.yaml"),
    ],
)
def test_only_other_files_of_the_folder_and_below_are_embedded(tmp_path: Path, name: str, why: str) -> None:
    home = tmp_path / "home"
    written(tmp_path, "topic.yaml", TOPIC)
    path = parent(home, name)
    written(home, "topic.yaml", TOPIC)
    os.symlink(tmp_path / "topic.yaml", home / "link.yaml")  # noqa: PTH211  the very call of a hostile archive
    [finding] = said(path)
    assert finding.startswith(f"parent.yaml:6:20: FSM118 `child` cannot be {name!r}: {why}")


def test_a_file_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    [finding] = said(parent(tmp_path))
    assert finding == "parent.yaml:6:20: FSM118 `child` cannot be 'topic.yaml': there is no such file"


def test_a_circle_of_files_is_told_where_it_closes(tmp_path: Path) -> None:
    parent(tmp_path, "b.yaml", "a.yaml")
    parent(tmp_path, "c.yaml", "b.yaml")
    parent(tmp_path, "a.yaml", "c.yaml")
    [finding] = said(tmp_path / "a.yaml")
    assert finding.startswith(
        "c.yaml:6:20: FSM118 `child` cannot be 'a.yaml': it would contain itself: a.yaml -> b.yaml ->"
    )


def chained(folder: Path, count: int) -> Path:
    written(folder, f"{count}.yaml", TOPIC)
    for number in range(count - 1, -1, -1):
        text = TOPIC.replace("initial", f"workflows: {{next: {number + 1}.yaml}}\ninitial")
        written(folder, f"{number}.yaml", text)
    return folder / "0.yaml"


def test_files_stand_only_so_deep_within_files(tmp_path: Path) -> None:
    assert said(chained(tmp_path, 8)) == []
    [finding] = said(chained(tmp_path, 200))
    assert "FSM118 `next` cannot be '9.yaml': files may stand 8 deep within one, and this one is deeper" in finding


def test_a_workflow_holds_only_so_many(tmp_path: Path) -> None:
    """Each file names the next eleven times, which would be a billion workflows in the end."""
    written(tmp_path, "8.yaml", TOPIC)
    for number in range(7, -1, -1):
        several = ", ".join(f"n{each}: {number + 1}.yaml" for each in range(11))
        written(tmp_path, f"{number}.yaml", TOPIC.replace("initial", f"workflows: {{{several}}}\ninitial"))
    [finding] = said(tmp_path / "0.yaml")
    assert finding.startswith("6.yaml:5:1: FSM118 100 workflows may stand within one, each counted as often as it does")


def test_a_text_has_no_folder_and_embeds_no_file() -> None:
    with pytest.raises(
        WorkflowInvalid, match="only a file can name another file, and this is none: write the workflow"
    ):
        loads(PARENT.replace("NAME", "topic.yaml"))


def document(**children: Any) -> Document:
    return {
        "workflow": "w",
        "version": 1,
        "events": {"go": {}},
        "initial": "start",
        "states": {"start": {"on": {"go": "end"}}, "end": {"final": True}},
        "workflows": children,
    }


def mistakes(**children: Any) -> list[str]:
    _, findings = read_document(document(**children))
    return [f"{'.'.join(map(str, each.path))}: {each.code} {each.message}" for each in findings]


def test_mistakes_of_a_workflow_that_is_written_out_stand_where_they_are() -> None:
    wrong = CHILD["child"] | {"initial": "fist", "versionn": 1}
    assert mistakes(inner=wrong) == [
        "workflows.inner.initial: FSM110 there is no state 'fist' at the top level (did you mean `first`?); there are "
        "first, last",
        "workflows.inner.versionn: FSM101 the workflow has no key 'versionn' (did you mean `version`?); allowed: "
        + mistakes(inner=wrong)[1].partition("allowed: ")[2],
    ]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ({"a b": CHILD["child"]}, "workflows.a b: FSM104 'a b' is not a name"),
        ({"inner": 1}, "workflows.inner: FSM103 `inner` must be a file, or a workflow that is written out, and is 1"),
        (
            {"inner": []},
            "workflows.inner: FSM103 `inner` must be a file, or a workflow that is written out, and is a list",
        ),
    ],
)
def test_what_is_no_workflow_is_told(children: Document, expected: str) -> None:
    [mistake] = mistakes(**children)
    assert mistake.startswith(expected)


def test_workflows_that_are_written_out_nest_only_so_deep() -> None:
    body = CHILD["child"]
    for _ in range(8):
        body = document(inner=body)
    [mistake] = mistakes(inner=body)
    assert mistake == "workflows: FSM118 workflows may stand 8 deep within one, and these are deeper"


class Letter(pydantic.BaseModel):
    text: str = ""


def test_a_child_that_was_declared_in_python_keeps_its_model() -> None:
    states = [State("a", on={"cancel": "z"}), State("z", final=True)]
    child = Workflow("child", version=1, initial="a", states=states, data=Letter)
    flow = Workflow("w", version=1, initial="a", states=states, workflows={"child": child})
    assert flow.workflows["child"] is child
    assert flow.to_json()["workflows"]["child"]["model"] == f"{__name__}:Letter"


def test_python_names_no_files() -> None:
    states = [State("a", on={"cancel": "z"}), State("z", final=True)]
    with pytest.raises(WorkflowInvalid, match=r"workflows\.child: FSM118 .* write Workflow\.load"):
        Workflow("w", version=1, initial="a", states=states, workflows={"child": "child.yaml"})  # type: ignore[dict-item]
