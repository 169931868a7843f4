"""Whom agents serve, how far they have come and what they have cost, on the command line; user and forget."""

from __future__ import annotations

import asyncio
from typing import Any

import pexpect
import pytest

from fsm_agent.cli.blocks import visible
from fsm_agent.cli.views.usage import progress_text
from fsm_agent.domain.progress import Progress
from fsm_agent.report.amounts import dollars
from fsm_agent.report.times import lasting
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.urls import open_store
from tests.support.shop import ACTIONS as PACKING
from tests.support.shop import Shop
from tests.support.user_workflows import TRIP, plan

ACTIONS = """
from fsm_agent import action
from fsm_agent.domain.usage import Usage
from fsm_agent.report.amounts import dollars

@action
def greet(ctx):
    ctx.user.visits += 1
    ctx.outputs.spend(Usage(requests=2, input_tokens=1200, output_tokens=34, cost_micros=12300, latency_ms=1500,
                          refused=1, context_tokens=900))
    return "greeted"
"""
GREETING = """
workflow: greeting
version: 1
data: {done: {type: array, items: {type: string}, default: [hello]}, left: {type: integer, default: 2}}
user: {visits: {type: integer, default: 0}}
progress: {goal: "'to be polite'", done: data.done, remaining: data.left, current: "'greeting'"}
events: {greeted: {}, left: {word: string}}
initial: greeting
states:
  greeting: {do: greet, on: {greeted: chatting}}
  chatting: {ask: {prompt: "Bye?", events: [left]}, on: {left: gone}}
  gone: {final: true}
"""
ERASED_KINDS = [
    "agents", "cancelled", "others", "steps", "events", "questions", "effects", "messages", "memory",
]  # fmt: skip


@pytest.fixture
def house(shop: Shop) -> Shop:
    """A project whose agents remember whom they serve."""
    shop.write("shop_actions.py", f"{PACKING}\n{ACTIONS}")
    shop.write("greeting.yaml", GREETING)
    return shop


def greet(house: Shop, agent_id: str = "one", user: str | None = "ana") -> Any:
    words = ["--user", user] if user else []
    return house("--json", "--by", "ana", "run", "greeting.yaml", "--id", agent_id, *words)


def test_whom_it_serves_is_said_at_its_start_and_shown_ever_after(house: Shop) -> None:
    started = greet(house).json
    assert (started["user"], started["context_tokens"], started["messages"]) == ("ana", 900, 0)
    assert started["progress"] == {"goal": "to be polite", "done": 1, "remaining": 2, "current": "greeting"}
    assert started["usage"] == {
        "requests": 2, "input_tokens": 1200, "output_tokens": 34, "cost": 0.0123, "latency_ms": 1500, "refused": 1,
    }  # fmt: skip
    assert house("--json", "show", "one").json["user"] == "ana"
    greet(house, "two")
    assert house("--json", "user", "ana").json["remembered"] == {"visits": 2}


def test_without_a_user_it_serves_nobody_and_its_action_is_told_so(house: Shop) -> None:
    parked = greet(house, user=None)
    assert (parked.json["user"], parked.code) == (None, 4)
    assert "remembers nobody" in parked.json["error"]["message"]


def test_an_agent_is_shown_with_its_progress_and_its_cost(house: Shop) -> None:
    greet(house)
    lines = house("show", "one").out.splitlines()
    assert "serves    ana" in lines
    at = lines.index("progress:")
    assert lines[at : at + 4] == ["progress:", "  goal   to be polite", "  steps  ■□□ 1 of 3", "  now    greeting"]
    at = lines.index("models:")
    assert lines[at : at + 6] == [
        "models:",
        "  requests  2, 1 of the replies refused",
        "  tokens    1200 in, 34 out",
        "  cost      $0.0123",
        "  waited    1.5 s",
        "  context   900 tokens",
    ]


def test_a_list_has_a_column_of_progress_only_where_there_is_any(house: Shop) -> None:
    house.order("plain")
    assert "PROGRESS" not in house("list").out
    greet(house)
    lines = house("list").out.splitlines()
    assert lines[0].endswith("UPDATED               PROGRESS")
    assert lines[1].endswith("1 of 3: greeting")
    assert [entry["progress"] and entry["progress"]["done"] for entry in house("--json", "list").json["agents"]] == [
        1,
        None,
    ]


def test_a_history_has_columns_of_messages_and_tokens_only_where_there_are_any(house: Shop) -> None:
    house.order("plain")
    assert house("history", "plain").out.splitlines()[0].split() == [
        "VERSION", "TIME", "EVENT", "FROM", "→", "TO", "BY", "TOOK", "WHY",
    ]  # fmt: skip
    greet(house)
    lines = house("history", "one").out.splitlines()
    assert lines[0].split()[-2:] == ["TOKENS", "WHY"]
    assert "1200 in, 34 out, $0.0123, 1 refused" in lines[2]
    assert house("--json", "history", "one").json["steps"][1]["usage"]["refused"] == 1


def test_what_is_remembered_is_shown_and_of_strangers_nothing(house: Shop) -> None:
    greet(house)
    document = house("--json", "user", "ana").json
    assert list(document) == ["user", "version", "updated_at", "remembered"]
    assert (document["user"], document["version"], document["remembered"]) == ("ana", 1, {"visits": 1})
    assert house("user", "ana").out.splitlines()[-2:] == ["remembered:", "  visits  1"]
    stranger = house("--json", "user", "eve")
    assert stranger.code == 0
    assert stranger.json == {"user": "eve", "version": 0, "updated_at": None, "remembered": {}}
    assert "nothing" in house("user", "eve").out


def test_forgetting_says_what_it_erased_and_a_dry_run_what_it_would(house: Shop) -> None:
    greet(house)
    dry = house("--json", "forget", "ana", "--dry-run")
    assert list(dry.json) == ["user", "erased", "left", "dry_run"]
    assert list(dry.json["erased"]) == ERASED_KINDS
    assert (dry.json["dry_run"], dry.json["erased"]["cancelled"]) == (True, 1)
    assert house("--json", "show", "one").json["status"] == "waiting"
    assert house("forget", "ana", "--dry-run").out.splitlines()[0] == "would be erased:"
    done = house("--json", "--by", "operator", "forget", "ana", "--yes")
    assert done.code == 0
    assert done.json["erased"] == {**dry.json["erased"], "steps": 3}
    erased = house("--json", "show", "one").json
    assert (erased["status"], erased["user"], erased["data"]) == (
        "cancelled", None, {"done": "(erased)", "left": "(erased)"},
    )  # fmt: skip
    assert house("--json", "history", "one").json["steps"][-1]["by"] == "operator"
    replayed = house("replay", "one")
    assert replayed.code == 0
    assert "erased    words, since a person is forgotten; the steps add up without them" in replayed.out
    assert house("forget", "ana", "--yes").out == "erased:\n    nothing: there is nothing of ana\n"
    assert house("--json", "user", "ana").json["remembered"] == {}


def test_without_a_yes_nothing_is_forgotten_where_nobody_can_be_asked(house: Shop) -> None:
    greet(house)
    refused = house("forget", "ana")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "error: forgetting cannot be undone, and nothing was changed: add --yes, or --dry-run to see what would be "
        "erased\n"
    )
    assert house("--json", "show", "one").json["status"] == "waiting"


def test_an_erased_agent_is_not_brought_back(house: Shop) -> None:
    greet(house)
    house("forget", "ana", "--yes")
    for words in (("rewind", "one", "1"), ("fork", "one")):
        refused = house(*words)
        assert (refused.code, "is erased, since the person whom it served is forgotten" in refused.err) == (1, True)


def test_what_others_may_answer_is_suggested_to_them_and_not_to_who_is_forgotten(house: Shop) -> None:
    url = f"sqlite:///{house.folder}/fsm-agent.db"

    async def ask() -> None:
        async with Runner(open_store(url), actions=[plan]) as runner:
            await runner.start(TRIP, "asked_for", {"wish": "the sea", "persons": 1}, id="t", user="bob", by="ana")

    asyncio.run(ask())
    house("forget", "ana", "--yes")
    shown = house("show", "t").out
    assert ", for (erased) or bob" in shown
    assert "--by bob answer t --question" in shown


def test_on_a_terminal_it_shows_what_goes_and_asks(house: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    greet(house)
    for said, code in (("n", 130), ("y", 0)):
        program, *rest = house.command("forget", "ana")
        screen = pexpect.spawn(program, rest, cwd=str(house.folder), encoding="utf-8", timeout=20, dimensions=(40, 110))
        screen.expect("would be erased")
        screen.expect("Erase this of ana, for good")
        screen.sendline(said)
        rest_of_it = screen.read()
        screen.close()
        assert screen.exitstatus == code, rest_of_it
        status = "waiting" if code else "cancelled"
        assert house("--json", "show", "one").json["status"] == status
    assert "agents, whole" in rest_of_it


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (None, ""),
        (Progress(), ""),
        (Progress(goal="only a goal"), "only a goal"),
        (Progress(remaining=3), "3 to go"),
        (Progress(done=0, remaining=0), "0 of 0"),
        (Progress(done=-1, remaining=3, current="odd"), "-1 of 2: odd"),
        (Progress(current="\x1b[31mred"), visible("\x1b[31mred")),
    ],
)
def test_progress_on_a_line(progress: Progress | None, text: str) -> None:
    assert progress_text(progress) == text


def test_costs_and_times_are_as_exact_as_they_need_to_be() -> None:
    assert [dollars(micros) for micros in (0, 5, 12_300, 1_500_000, 2_000_000, 123_456_789)] == [
        "$0.00", "$0.000005", "$0.0123", "$1.50", "$2.00", "$123.456789",
    ]  # fmt: skip
    assert [lasting(ms) for ms in (5, 1_500, 90_000)] == ["5 ms", "1.5 s", "1 min 30 s"]
