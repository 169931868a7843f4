"""The command line on a real terminal: forms, mistakes beside the field, leaving, the live line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pexpect
import pytest

from tests.support.shop import FORM, Shop, working

DOWN, CTRL_C, CTRL_D = "\x1b[B", "\x03", "\x04"

AGAIN = """
workflow: again
version: 1
data:
  words: {type: array, items: {type: string}, default: []}
events:
  said: {word: string}
initial: asking
states:
  asking:
    ask: {prompt: "question {{ size(data.words) + 1 }}", events: [said]}
    after: {1d: done}
    on:
      said: {target: asking, append: {words: event.word}}
  done: {final: true}
"""

Open = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a command on a terminal of its own."""
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shop.write("form.yaml", FORM)

    def opened(*words: str) -> pexpect.spawn[str]:
        program, *rest = shop.command(*words)
        return pexpect.spawn(program, rest, cwd=str(shop.folder), encoding="utf-8", timeout=120, dimensions=(40, 110))

    return opened


def ended(screen: pexpect.spawn[str]) -> int | None:
    screen.expect(pexpect.EOF)
    screen.close()
    return screen.exitstatus


def test_a_question_is_a_form_that_shows_each_mistake_and_asks_again(shop: Shop, terminal: Open) -> None:
    screen = terminal("run", "form.yaml", "--id", "one")
    screen.expect("What shall it be")
    screen.expect("day.*YYYY-MM-DD")
    screen.send("\r")
    screen.expect("this field is required")
    screen.send("tomorrow\r")
    screen.expect(r"'tomorrow'.*write it like")  # a screen is only sent what changes in it
    screen.send("\x152027-01-02\r")
    screen.expect("count.*integer from 1")
    screen.send("0\r")
    screen.expect("0 is less than the minimum of 1")
    screen.send("\x152\r")
    screen.expect("colour")
    screen.expect("green")
    screen.send(f"{DOWN}\r")
    screen.expect("fragile")
    screen.send("\r")
    screen.expect("note.*may be left empty")
    screen.send("\r")
    assert ended(screen) == 0
    given = shop("--json", "show", "one").json["output"]["given"]
    assert given == {"day": "2027-01-02", "count": 2, "colour": "green"}


def test_a_mistake_stands_right_under_its_field(shop: Shop, terminal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMPT_TOOLKIT_NO_CPR")
    screen = terminal("run", "form.yaml")
    screen.expect_exact("\x1b[6n")  # where the cursor is, a terminal is asked; then the rest of the screen is ours
    screen.send("\x1b[8;1R")
    screen.expect("day.*YYYY-MM-DD")
    screen.send("\r")
    screen.expect("this field is required")
    assert (screen.before or "")[-40:].count("\n") == 1
    screen.send(CTRL_C)
    assert ended(screen) == 130


def test_of_several_answers_one_is_chosen_first(shop: Shop, terminal: Open) -> None:
    screen = terminal("run", "workflows/order.yaml", "--id", "one")
    screen.expect("item")
    screen.send("lamp\r")
    screen.expect("Pack lamp")
    screen.expect("Your answer")
    screen.expect("reject")
    screen.send(f"{DOWN}\r")
    screen.expect("reason")
    screen.send("too dear\r")
    assert ended(screen) == 3
    assert shop("--json", "show", "one").json["data"]["wrap"] == "too dear"


def test_a_stored_agent_is_answered_by_a_form_as_well(shop: Shop, terminal: Open) -> None:
    shop.order()
    screen = terminal("answer", "one")
    screen.expect("Your answer")
    screen.send("\r")
    assert ended(screen) == 0
    assert shop("--json", "show", "one").json["status"] == "done"


@pytest.mark.parametrize(("key", "code"), [(CTRL_C, 130), (CTRL_D, 0)])
def test_whoever_leaves_leaves_the_agent_waiting(shop: Shop, terminal: Open, key: str, code: int) -> None:
    screen = terminal("run", "form.yaml", "--id", "one")
    screen.expect("day.*YYYY-MM-DD")
    screen.send(key)
    screen.expect("fsm-agent answer one")
    assert ended(screen) == code
    assert shop("--json", "show", "one").json["status"] == "waiting"


def test_a_list_of_choices_is_left_like_a_line_of_text(shop: Shop, terminal: Open) -> None:
    screen = terminal("run", "workflows/order.yaml", "--id", "one", "--payload", '{"item": "lamp"}')
    screen.expect("reject")
    screen.send(CTRL_D)
    assert ended(screen) == 0
    assert shop("--json", "show", "one").json["status"] == "waiting"


def test_an_answer_that_comes_too_late_is_told_and_asked_again(shop: Shop, terminal: Open) -> None:
    screen = terminal("run", "form.yaml", "--id", "one")
    screen.expect("day.*YYYY-MM-DD")
    shop("cancel", "one")
    screen.send("2027-01-02\r")
    screen.expect("count")
    screen.send("2\r")
    screen.expect("colour")
    screen.send("\r")
    screen.expect("fragile")
    screen.send("\r")
    screen.expect("note")
    screen.send("\r")
    screen.expect("refused: ")
    assert ended(screen) == 3


def test_an_answer_is_given_to_the_question_that_was_shown(shop: Shop, terminal: Open) -> None:
    shop.write("again.yaml", AGAIN)
    screen = terminal("run", "again.yaml", "--id", "one")
    screen.expect("question 1")
    screen.expect("word")
    shop("answer", "one", "first")
    screen.send("second\r")
    screen.expect("question 1 of agent 'one' is closed: .* answered 'said' at version 2")
    screen.expect("question 2")
    screen.expect("word")
    screen.send(CTRL_D)
    assert ended(screen) == 0
    assert shop("--json", "show", "one").json["data"] == {"words": ["first"]}


def test_nothing_is_asked_without_input(terminal: Open) -> None:
    screen = terminal("run", "form.yaml", "--no-input")
    screen.expect("What shall it be")
    assert ended(screen) == 0


def test_nothing_is_asked_of_a_program(terminal: Open) -> None:
    screen = terminal("--json", "run", "form.yaml")
    screen.expect('"status": "waiting"')
    assert ended(screen) == 0


def test_long_work_shows_a_live_line(shop: Shop, terminal: Open) -> None:
    shop.write("work.yaml", working("dawdle"))
    screen = terminal("run", "work.yaml", "--id", "one")
    screen.expect(r"working · step 1 · \d+\.\d s")
    screen.sendintr()
    screen.expect("fsm-agent resume one")
    assert ended(screen) == 130


def test_the_live_line_counts_attempts_and_the_pause_before_the_next(shop: Shop, terminal: Open) -> None:
    shop.write("work.yaml", working("fail_once", extra="retry: {attempts: 2, backoff: 1s}"))
    screen = terminal("run", "work.yaml")
    screen.expect(r"working · step 1 · attempt 2 in 0\.\d s · ")
    assert ended(screen) == 0


def test_a_terminal_shows_glyphs_and_colours_and_a_pipe_neither(shop: Shop, terminal: Open) -> None:
    shop.order()
    screen = terminal("list")
    screen.expect("○ waiting")
    assert ended(screen) == 0
    piped = shop("list").out
    assert re.search(r"^one +order v1 +waiting +asking +2 ", piped, re.MULTILINE)
    assert "\x1b" not in piped


def test_a_terminal_without_colours_is_respected(shop: Shop, terminal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.order()
    monkeypatch.setenv("NO_COLOR", "1")
    screen = terminal("show", "one")
    screen.expect(pexpect.EOF)
    assert "○ waiting" in screen.before
    assert not re.search(r"\x1b\[[\d;]*3\dm", screen.before)


def test_an_agent_cannot_send_escapes_to_a_terminal(shop: Shop, terminal: Open) -> None:
    shop.order(item="\x1b[2Jbook\u202e")
    screen = terminal("show", "one")
    screen.expect(pexpect.EOF)
    assert "\x1b[2J" not in screen.before
    assert "\u202e" not in screen.before
