"""What people read in a pipe: aligned, complete, and with the next command to type."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from fsm_agent.cli.blocks import Facts, Ink, Prose, Table, visible
from fsm_agent.cli.views.plain_text import plain_text
from fsm_agent.report.times import span
from tests.support.shop import ORDER, Shop, working

IDLE = """
workflow: idle
version: 1
events:
  noted: {count: integer}
  closed: {}
initial: open
states:
  open:
    on:
      noted: {}
      closed: done
  done: {final: true}
"""


def facts(text: str, title: str) -> list[str]:
    """The lines under a title."""
    lines = text.split(f"{title}:\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [" ".join(line.split()) for line in lines]


def test_show_names_every_command_that_takes_the_agent_on(shop: Shop) -> None:
    shop.order()
    shown = shop("show", "one").out
    assert facts(shown, "next") == [
        "approve fsm-agent answer one --question 2 --event approve",
        "reject fsm-agent answer one --question 2 --event reject REASON",
        "reason: text",
        "cancel fsm-agent cancel one",
    ]
    assert facts(shown, "question")[0] == "Pack book?"
    until = r"\(question 2, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, in (2 d 23 h|3 d)\)"
    assert re.fullmatch(until, facts(shown, "question")[1])
    assert facts(shown, "data") == ['item "book"', "wrap null"]


def test_the_next_commands_really_work(shop: Shop) -> None:
    shop.order()
    [line] = [line for line in facts(shop("show", "one").out, "next") if line.startswith("approve ")]
    assert shop(*line.split()[2:]).code == 0


def test_the_next_command_repeats_the_options_that_led_here(shop: Shop) -> None:
    options = ("--store", "sqlite:///a b.db", "--namespace", "north", "--module", "more", "--by", "ana")
    shop.write("more.py", "")
    shop(*options, "run", "workflows/order.yaml", "--id", "one", "--payload", '{"item": "x"}')
    shown = shop(*options, "show", "one").out
    common = "fsm-agent --store 'sqlite:///a b.db' --namespace north --by ana --module more"
    assert f"{common} cancel one" in shown


def test_a_question_to_somebody_names_who_may_answer(shop: Shop) -> None:
    shop.write("workflows/order.yaml", ORDER.replace("    ask:", "    ask:\n      to: '\"ana\"'"))
    shop.order()
    shown = shop("show", "one").out
    assert facts(shown, "question")[1].startswith("(question 2, for ana, until ")
    assert "fsm-agent --by ana answer one --question 2 --event approve" in shown
    assert shop("answer", "one", "--event", "approve").code == 1
    assert shop("--by", "ana", "answer", "one", "--event", "approve").code == 0


@pytest.mark.parametrize(
    ("item", "line"), [("book", "look back fsm-agent history one"), ("bomb", "look back fsm-agent history one")]
)
def test_an_agent_that_has_ended_is_looked_back_at(shop: Shop, item: str, line: str) -> None:
    shop.order(item=item)
    assert facts(shop("answer", "one", "--event", "approve").out, "next") == [line]


def test_a_parked_agent_says_why_and_how_it_goes_on(shop: Shop) -> None:
    shop.write("work.yaml", working("fail_once"))
    parked = shop("run", "work.yaml", "--id", "one").out
    assert facts(parked, "error")[0].startswith("ConnectionError no line")
    assert facts(parked, "next") == [
        "try again fsm-agent unpark one --retry",
        "packed fsm-agent unpark one --event packed",
        "cancel fsm-agent cancel one",
    ]
    assert shop("unpark", "one", "--event", "packed").code == 0


def test_what_only_a_mended_definition_can_help_is_migrated_and_not_tried_again(shop: Shop) -> None:
    shop.strand()
    lines = facts(shop("show", "one").out, "next")
    assert lines[:2] == [
        "migrate fsm-agent migrate WORKFLOW one --apply",
        "WORKFLOW: its file, mended, with a higher version",
    ]
    assert not any("--retry" in line for line in lines)
    shop.write("shop_actions.py", "def pack(ctx): ...\n")  # a decorator helps, and then to try again does
    assert facts(shop("show", "one").out, "next")[0] == "try again fsm-agent unpark one --retry"
    mended = ORDER.replace("version: 1", "version: 2").replace("do: pack", "do: send")
    shop.write("workflows/order.yaml", mended)
    shop.write("shop_actions.py", "from fsm_agent import action\n\n@action\ndef send(ctx): return 'packed'\n")
    assert shop("migrate", "workflows/order.yaml", "one", "--apply").code == 0
    assert facts(shop("show", "one").out, "next")[0] == "try again fsm-agent unpark one --retry"
    assert shop("unpark", "one", "--retry").code == 0


def test_nothing_is_promised_of_an_agent_in_memory(shop: Shop) -> None:
    shown = shop("--store", "memory://", "run", "workflows/order.yaml", "--payload", '{"item": "x"}').out
    assert facts(shown, "next") == ["nothing: an agent in memory:// ends with this command"]


def test_an_agent_that_waits_for_an_event_names_its_payload(shop: Shop) -> None:
    shop.write("idle.yaml", IDLE)
    shown = shop("run", "idle.yaml", "--id", "one", "--event", "noted", "--payload", '{"count": 1}').out
    assert facts(shown, "next") == [
        "noted fsm-agent send one noted --payload '{\"count\": 1}'",
        "count: integer",
        "closed fsm-agent send one closed",
        "cancel fsm-agent cancel one",
    ]


def test_a_history_is_a_table_with_who_and_why(shop: Shop) -> None:
    shop.order()
    shop("--by", "ana", "answer", "one", "--event", "approve")
    lines = shop("history", "one").out.splitlines()
    assert lines[0].split() == ["VERSION", "TIME", "EVENT", "FROM", "→", "TO", "BY", "TOOK", "WHY"]
    assert "approve  asking → packing  ana" in lines[3]


def test_a_list_that_goes_on_says_how(shop: Shop) -> None:
    shop.order("a")
    shop.order("b")
    listed = shop("list", "--limit", "1")
    assert (len(listed.out.splitlines()), "`fsm-agent list --after a`" in listed.err) == (2, True)


def test_no_agents_are_told_as_such(shop: Shop) -> None:
    assert shop("list").out == "there are no such agents\n"


def test_blocks_in_a_pipe_are_aligned_and_end_without_spaces() -> None:
    blocks = [
        Facts("data", [("a", Ink("1")), ("long", Ink("2"))]),
        Table(("id", "state"), [[Ink("x"), Ink("")], [Ink("longer"), Ink("y")]], "none"),
        Prose("question", "one\n\n  two", ""),
    ]
    expected = """\
data:
  a     1
  long  2

ID      STATE
x
longer  y

question:
  one

    two"""
    assert plain_text(blocks) == expected


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(days=2, hours=23, minutes=59), "2 d 23 h"),
        (timedelta(hours=1, seconds=1), "1 h 1 s"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(time: timedelta, said: str) -> None:
    assert span(time) == said


def test_what_moves_a_cursor_or_hides_is_made_visible() -> None:
    assert visible("a\x1b[2J\u202eb\n") == "a\ufffd[2J\ufffdb\ufffd"
    assert visible("a\nb", keep="\n") == "a\nb"
