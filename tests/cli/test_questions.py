"""Questions on the command line: which one is answered, by whom, and the inbox."""

from __future__ import annotations

import re

import pexpect
import pytest

from tests.cli.test_text import facts
from tests.support.shop import ORDER, Shop

WEIGH = """
workflow: weigh
version: 1
data: {grams: {type: integer, default: 0}, boss: {type: string, default: ana}}
events: {weighed: {grams: integer}, noted: {text: string}, marked: {}}
initial: asking
states:
  asking:
    ask: {prompt: "What of {{ data.grams }} g?", events: [weighed], to: data.boss}
    on:
      weighed: {target: asking, assign: {grams: event.grams}}
      noted: {assign: {grams: data.grams + 1}}
  over: {final: true}
"""
OPEN = WEIGH.replace(", to: data.boss", "").replace("workflow: weigh", "workflow: open")


@pytest.fixture
def scales(shop: Shop) -> Shop:
    shop.write("weigh.yaml", WEIGH)
    shop.write("open.yaml", OPEN)
    return shop


def test_an_answer_that_names_its_question_is_refused_when_another_is_asked(scales: Shop) -> None:
    scales("run", "open.yaml", "--id", "one")
    assert scales("--by", "ana", "answer", "one", "7", "--question", "1").code == 0
    late = scales("--by", "bob", "answer", "one", "9", "--question", "1")
    assert (late.code, late.err) == (
        1,
        "error: question 1 of agent 'one' is closed: ana answered 'weighed' at version 2; "
        "it asks question 2 now: 'What of 7 g?'\n",
    )
    assert scales("--json", "show", "one").json["data"]["grams"] == 7
    assert scales("answer", "one", "9").code == 0, "without a number it is for whichever is asked"


def test_the_commands_that_are_printed_name_the_question(scales: Shop) -> None:
    shown = scales("run", "open.yaml", "--id", "one").out
    assert "fsm-agent answer one --question 1 GRAMS" in shown
    assert facts(shown, "question") == ["What of 0 g?", "(question 1)"]
    scales("send", "one", "noted", "--payload", '{"text": "?"}')
    shown = scales("show", "one").out
    assert "fsm-agent answer one --question 2 GRAMS" in shown
    assert facts(shown, "question") == ["What of 1 g?", "(question 2)"]


@pytest.mark.parametrize(
    "words",
    [
        ["one", "-3"],
        ["one", "-3", "--event", "weighed"],
        ["--event", "weighed", "one", "-3"],
        ["--question", "1", "one", "-3"],
        ["--question=1", "one", "--", "-3"],
        ["one", '{"grams": -3}'],
    ],
)
def test_a_negative_number_is_an_answer(scales: Shop, words: list[str]) -> None:
    scales("run", "open.yaml", "--id", "one")
    answered = scales("--json", "answer", *words)
    assert (answered.code, answered.json["data"]["grams"]) == (0, -3)


@pytest.mark.parametrize("words", [["one", "-x"], ["one", "--evnt", "weighed"], ["one", "--question", "-3"]])
def test_what_is_no_number_is_an_option(scales: Shop, words: list[str]) -> None:
    scales("run", "open.yaml", "--id", "one")
    assert scales("answer", *words).code in (1, 2)
    assert scales("--json", "show", "one").json["version"] == 1


def on_terminal(shop: Shop, monkeypatch: pytest.MonkeyPatch, *words: str) -> pexpect.spawn[str]:
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    program, *rest = shop.command(*words)
    return pexpect.spawn(program, rest, cwd=str(shop.folder), encoding="utf-8", timeout=60, dimensions=(40, 110))


def test_a_question_for_somebody_else_is_refused_before_the_form(scales: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    scales("run", "weigh.yaml", "--id", "one", "--no-input")
    screen = on_terminal(scales, monkeypatch, "--by", "eve", "answer", "one")
    screen.expect("the question is for ana, and 'eve' may not answer it")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 1


def test_a_run_leaves_a_question_for_somebody_else_waiting(scales: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_terminal(scales, monkeypatch, "--by", "eve", "run", "weigh.yaml", "--id", "two", "--data", "{}")
    screen.expect("the question is for ana, and 'eve' may not answer it")
    screen.expect("fsm-agent --by ana answer two --question 1 GRAMS")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 0


@pytest.mark.parametrize(
    "words",
    [
        ["--by", "", "send", "one", "marked"],
        ["--by", "", "list"],
        ["send", "one", "marked", "--key", ""],
        ["run", "open.yaml", "--key", ""],
        ["fork", "one", "--key", ""],
        ["run", "open.yaml", "--user", ""],
        ["forget", "", "--yes"],
        ["user", ""],
    ],
)
@pytest.mark.parametrize(
    ("blank", "why"), [("", "is empty"), (" ", "is only white space"), ("\t\n", "is only white s")]
)
def test_an_empty_name_or_key_is_refused_in_one_sentence(scales: Shop, words: list[str], blank: str, why: str) -> None:
    scales("run", "open.yaml", "--id", "one")
    words = [blank if word == "" else word for word in words]
    refused = scales(*words)
    option = next(
        (word for word in words if word in ("--by", "--key", "--user")), {"forget": "USER"}.get(words[0], "NAME")
    )
    assert refused.code == 1
    assert refused.err.startswith(f"error: Invalid value for '{option}': it {why}")
    assert refused.err.count("\n") == 1
    assert refused.err.endswith(
        "; give it a text, or leave it out\n" if option.startswith("-") else "; say who it is\n"
    )
    assert [entry["version"] for entry in scales("--json", "list").json["agents"]] == [1]


def test_the_inbox_shows_what_is_asked_of_whom_the_earliest_deadline_first(scales: Shop) -> None:
    scales("run", "weigh.yaml", "--id", "z-old")
    scales("run", "open.yaml", "--id", "a-young")
    scales.order("late", item="lamp")
    scales.write("soon.yaml", ORDER.replace("workflow: order", "workflow: soon").replace("after: {3d", "after: {1d"))
    scales("run", "soon.yaml", "--id", "soon", "--payload", '{"item": "book"}')
    scales("run", "workflows/order.yaml", "--id", "over", "--payload", '{"item": "x"}')
    scales("cancel", "over")
    inbox = scales("--json", "list", "--waiting").json
    assert [entry["id"] for entry in inbox["agents"]] == ["soon", "late", "z-old", "a-young"]
    assert inbox["next"] is None
    assert inbox["agents"][2]["question"] == scales("--json", "show", "z-old").json["question"]
    rows = [re.split(r"  +", line) for line in scales("list", "--waiting").out.splitlines()]
    assert [cell.lower() for cell in rows[0]] == ["id", "workflow", "question", "asks", "for", "until"]
    assert rows[3][:5] == ["z-old", "weigh v1", "1", "What of 0 g?", "ana"]
    assert rows[1][:4] == ["soon", "soon v1", "2", "Pack book?"]
    assert re.match(r"\d{4}-\d\d-\d\d .*, in ", rows[1][4])
    first = scales("--json", "list", "--waiting", "--limit", "3").json
    rest = scales("--json", "list", "--waiting", "--after", first["next"]).json
    assert ([entry["id"] for entry in rest["agents"]], rest["next"]) == (["a-young"], None)
    assert [entry["id"] for entry in scales("--json", "list", "--waiting", "--workflow", "open").json["agents"]] == [
        "a-young"
    ]
    assert scales("--json", "list", "--waiting", "--status", "done").json["agents"] == []
    more = scales("list", "--waiting", "--workflow", "order", "--status", "waiting", "--limit", "1")
    assert "there are more" not in more.err
    more = scales("list", "--waiting", "--status", "waiting", "--limit", "1")
    assert re.search(r"`fsm-agent list --waiting --status waiting --after \d+\.\d+\.soon`", more.err)


def test_a_list_keeps_to_several_statuses(scales: Shop) -> None:
    scales("run", "open.yaml", "--id", "asks")
    scales.order("gone", item="x")
    scales("cancel", "gone")
    scales.order("bomb", item="bomb")
    scales("answer", "bomb", "--event", "approve")
    both = scales("--json", "list", "--status", "cancelled", "--status", "waiting").json["agents"]
    assert [(entry["id"], entry["status"]) for entry in both] == [("asks", "waiting"), ("gone", "cancelled")]
    assert [entry["question"] and entry["question"]["id"] for entry in both] == [1, None]
