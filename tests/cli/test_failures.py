"""What the command line shows of a failure: which attempt comes next, why, where, and what each step changed."""

from __future__ import annotations

import re
from pathlib import Path

from fsm_agent.loading.yaml_file import load
from fsm_agent.stores.urls import open_store
from fsm_agent.sync import Runner
from tests.cli.test_text import facts
from tests.support.shop import Shop, working


def line_of(shop: Shop, text: str) -> int:
    lines = (Path(shop.folder) / "shop_actions.py").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def retrying(shop: Shop) -> None:
    """Leave an agent ``one`` that is tried again in an hour, as a worker does."""
    workflow = load(shop.write("work.yaml", working("fail_once", extra="retry: {attempts: 4, backoff: 1h}")))
    with Runner(open_store(f"sqlite:///{shop.folder / 'fsm-agent.db'}")) as runner:
        runner.start(workflow, id="one", drive=False)
    assert shop("resume").code == 0


def test_show_says_which_attempt_comes_next_when_and_why(shop: Shop) -> None:
    retrying(shop)
    place = f"shop_actions.py:{line_of(shop, 'no line')}"
    lines = facts(shop("show", "one").out, "retry")
    assert re.fullmatch(r"attempt 2 of 4, in (59 min \d+ s|1 h)", lines[0])
    assert lines[1:] == ["ConnectionError no line", f"at {place}"]
    retry = shop("show", "one", "--json").json["retry"]
    assert (retry["attempt"], retry["error"]) == (
        2,
        {"type": "ConnectionError", "message": "no line", "place": place},
    )
    assert shop("show", "one", "--json").json["error"] is None


def test_the_list_says_it_too(shop: Shop) -> None:
    retrying(shop)
    shop.order("two", item="bomb")
    shop("answer", "two", "--event", "approve")
    heading, one, two = shop("list").out.split("\n\n")[1].splitlines()
    assert heading.split() == ["ID", "ERROR"]
    assert re.fullmatch(r"one  ConnectionError: no line; attempt 2, in (59 min \d+ s|1 h)", one)
    assert two == "two  ValueError: this may not be sent"
    first, second = shop("list", "--json").json["agents"]
    assert (first["error"], first["retry"]["attempt"], second["retry"]) == (None, 2, None)
    assert second["error"]["place"] == f"shop_actions.py:{line_of(shop, 'may not be sent')}"


def test_an_agent_that_is_left_to_other_workers_is_told_without_an_attempt(shop: Shop) -> None:
    workflow = load(shop.write("work.yaml", working("weld")))
    with Runner(open_store(f"sqlite:///{shop.folder / 'fsm-agent.db'}")) as runner:
        runner.start(workflow, id="one", drive=False)
    assert "left to workers that have its action" in shop("resume").err
    assert shop("list").out.splitlines()[-1] == "one  ActionMissing: no worker has action 'weld'"
    shown = shop("show", "one").out
    assert facts(shown, "left to other workers") == ["ActionMissing no worker has action 'weld'"]
    assert facts(shown, "next")[:2] == [
        "go on fsm-agent resume one --module MODULE",
        "MODULE: one that has action 'weld'",
    ]
    shop.write("welding.py", "from fsm_agent import action\n\n\n@action\ndef weld(ctx):\n    return 'packed'\n")
    assert facts(shop("show", "one", "--module", "welding").out, "next")[0] == (
        "go on fsm-agent --module welding resume one"
    )
    assert shop("resume", "one", "--module", "welding").code == 0


def test_an_error_is_shown_with_its_place_and_the_history_says_why(shop: Shop) -> None:
    shop.order(item="bomb")
    failed = shop("answer", "one", "--event", "approve")
    place = f"shop_actions.py:{line_of(shop, 'may not be sent')}"
    assert facts(failed.out, "error") == ["ValueError this may not be sent", f"at {place}"]
    shown = shop("history", "one").out
    assert "ValueError: this may not be sent (shop_actions.py…" in shown
    assert facts(shown, "why") == [f"4 ValueError: this may not be sent ({place})"]


def test_stderr_has_one_sentence_for_each_attempt_and_debug_the_traceback(shop: Shop) -> None:
    shop.order("one", item="bomb")
    shop.order("two", item="bomb")
    place = f"shop_actions.py:{line_of(shop, 'may not be sent')}"
    said = "action 'pack' of agent '{}' failed in state 'packing', attempt 1: ValueError: this may not be sent " + (
        f"({place})"
    )
    assert shop.process("answer", "one", "--event", "approve").err == f"{said.format('one')}\n"
    debugged = shop.process("answer", "two", "--event", "approve", "--debug").err
    assert f"ERROR fsm_agent: {said.format('two')}\nTraceback (most recent call last):\n  File" in debugged


def test_changes_show_what_each_event_brought_and_what_it_changed(shop: Shop) -> None:
    shop.write(
        "log.yaml",
        """
        workflow: log
        version: 1
        data:
          lines: {type: array, items: {type: string}, default: []}
          last: string?
          trip: {type: object, default: {}}
        events: {told: {line: string}, closed: {}}
        initial: open
        states:
          open:
            on:
              told: {assign: {last: event.line}, append: {lines: event.line}}
              closed: done
          done: {final: true}
        """,
    )
    shop("run", "log.yaml", "--id", "one", "--event", "told", "--payload", '{"line": "hello"}', "--by", "ana")
    shop("send", "one", "closed", "--by", "bob")
    shown = shop("history", "one", "--changes").out
    blocks = [[" ".join(line.split()) for line in block.splitlines()] for block in shown.split("\n\n")]
    assert [re.sub(r", \d{4}-.*", "", block[0]) for block in blocks] == [
        "1 created by ana, open",
        "2 told by ana, open",
        "3 closed by bob, open → done",
    ]
    assert [block[1:] for block in blocks] == [
        ["data.lines = []", "data.last = null", "data.trip = {}"],
        ['event.line "hello"', 'data.last = "hello"', 'data.lines + "hello"'],
        ["data as before"],
    ]
    assert shop("history", "one", "--changes", "--json").json == shop("history", "one", "--json").json


def test_changes_of_an_error_are_its_facts(shop: Shop) -> None:
    shop.order(item="bomb")
    shop("answer", "one", "--event", "approve")
    last = shop("history", "one", "--changes").out.split("\n\n")[-1]
    place = f"shop_actions.py:{line_of(shop, 'may not be sent')}"
    assert [" ".join(line.split()) for line in last.splitlines()[1:]] == [
        f"why ValueError: this may not be sent ({place})",
        "event.attempt 1",
        'event.state "packing"',
    ]


def test_a_printed_command_survives_the_shell(shop: Shop) -> None:
    done = shop("init", "my shop")
    assert "cd 'my shop'" in done.out
