"""What is printed under `next` helps, and what cannot help is not printed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.shop import Outcome, Shop, working

DOUBTFUL = """
from fsm_agent import action


def charge():
    raise ConnectionError("no line")


@action
async def pay(ctx):
    await ctx.effect("charge", charge, mode="at_most_once")
    return "packed"
"""


def next_of(shown: Outcome) -> list[str]:
    """The lines under `next`, their blanks made one."""
    block = next(each for each in shown.out.split("\n\n") if each.startswith("next"))
    return [" ".join(line.split()) for line in block.splitlines()[1:]]


def test_an_agent_in_doubt_is_told_by_two_whole_commands_and_not_to_try_again(shop: Shop) -> None:
    shop.write("shop_actions.py", DOUBTFUL)
    shop.write("work.yaml", working("pay", extra="retry: {attempts: 2, backoff: 1ms}"))
    url = f"sqlite:///{shop.folder / 'other.db'}"
    store = ["--store", url]
    ran = shop(*store, "--wide", "run", "work.yaml", "--id", "one")
    entries = json.loads(shop(*store, "--json", "effects", "one").out)["effects"]
    unpark = f"fsm-agent --store {url} unpark one --effect {entries[0]['key']}"
    for shown in (ran, shop(*store, "--wide", "show", "one"), shop(*store, "--wide", "unpark", "one", "--retry")):
        assert next_of(shown) == [
            f"charge: done {unpark} --result '\"RESULT\"'",
            f"charge: not done {unpark} --not-done",
            f"see effects fsm-agent --store {url} effects one",
            f"packed fsm-agent --store {url} unpark one --event packed",
            f"cancel fsm-agent --store {url} cancel one",
        ]
        assert "the attempt before failed at shop_actions.py:6: ConnectionError: no line" in " ".join(shown.out.split())
    assert shop(*store, "unpark", "one", "--effect", entries[0]["key"], "--result", "1").code == 0


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("gone = True\n", ["migrate", "cancel"]),
        ("from os.path import *\n", ["migrate", "try again", "cancel"]),
        (
            "from fsm_agent import action\n\n\n@action\ndef pack(ctx):\n    return 'packed'\n",
            ["try again", "cancel"],
        ),
    ],
    ids=["gone", "from a star", "there"],
)
def test_where_an_action_is_missing_both_ways_out_are_told_if_either_may_help(
    shop: Shop, text: str, labels: list[str]
) -> None:
    shop.strand()
    shop.write("shop_actions.py", text)
    lines = next_of(shop("--wide", "show", "one"))
    told = [line.partition(" fsm-agent ")[0] for line in lines if " fsm-agent " in line]
    assert [label for label in told if label != "packed"] == labels


ASKING_A_MODEL = """
workflow: w
version: 1
events: {got: {}}
initial: asking
states:
  asking:
    do: llm.agent
    with: {prompt: x, mcp: [files]}
    on: {got: sending, error: failed}
  sending: {do: http.request, with: {url: "https://a.example/"}, on: {got: done, error: failed}}
  done: {final: true}
  failed: {final: true, outcome: failed}
"""
WITHOUT = """
import sys
sys.modules.update(httpx2=None, pydantic_ai=None, mcp=None)
from fsm_agent.cli.main import main
main()
"""


def test_run_refuses_what_needs_an_extra_that_is_not_installed_and_check_warns(shop: Shop) -> None:
    shop.write("w.yaml", ASKING_A_MODEL)

    def said(*words: str) -> tuple[int, str]:
        line = [sys.executable, "-c", WITHOUT, *words]
        done = subprocess.run(line, cwd=shop.folder, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, told = said("run", "w.yaml", "--id", "one")
    assert code == 1
    for do, extra in (("llm.agent", "llm"), ("llm.agent", "mcp"), ("http.request", "http")):
        assert f"FSM414 action `{do}` needs an extra: pip install 'fsm-agent[{extra}]'" in told
    assert "one" not in said("list")[1]
    code, told = said("check", "w.yaml")
    assert (code, told.count("FSM414"), "3 warnings" in told) == (0, 3, True)
    assert shop("check", "w.yaml").out.count("FSM414") == 0
