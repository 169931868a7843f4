"""Looking back and going back on the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path)
    shop.order()
    shop("answer", "one", "--event", "approve")
    return shop


def _tamper(shop: Shop, change: str) -> None:
    with closing(sqlite3.connect(shop.folder / "fsm-agent.db")) as database, database:
        database.execute(change)
        assert database.total_changes


def test_an_agent_is_shown_as_it_was_with_what_it_asked(shop: Shop) -> None:
    then = shop("--json", "show", "one", "--at", "2").json
    assert (then["state"], then["status"], then["version"], then["output"]) == ("asking", "waiting", 2, None)
    assert then["question"]["prompt"] == "Pack book?"
    assert then["question"]["deadline"] > then["updated_at"]
    assert (then["allowed"], then["data"]["item"]) == (["approve", "reject", "cancel"], "book")
    now = shop("--json", "show", "one").json
    today = {name: now[name] for name in ("children", "failed_children")}
    assert {**shop("--json", "show", "one", "--at", "4").json, **today} == now, "children are those of today"
    shown = shop("show", "one", "--at", "2").out
    assert "Pack book?" in shown
    assert "come back here  fsm-agent rewind one 2\n" in shown
    assert "go another way  fsm-agent fork one 2\n" in shown


def test_a_version_that_is_not_there_names_those_that_are(shop: Shop) -> None:
    for line in ("show one --at 9", "rewind one 9", "fork one 9", "replay one --to 9"):
        done = shop(*line.split())
        assert (done.code, done.out) == (1, "")
        assert done.err == "error: agent 'one' has no version 9; there are versions 1 to 4\n"


def test_a_replay_says_what_it_has_verified_and_gives_any_version(shop: Shop) -> None:
    done = shop("replay", "one")
    assert done.code == 0
    assert done.out.splitlines() == [
        "verified:",
        "  versions  1 to 4, none missing, times never decreasing",
        "  steps     each begins where the one before it ended, and is declared",
        "  agent     state, status, visits, timers, question, output and error are what the steps tell",
        "  data      snapshot and tail are what all changes add up to, and as the definition declares",
    ]
    document = shop("--json", "replay", "one", "--to", "2").json
    assert list(document) == ["id", "versions", "verified", "mismatches", "agent"]
    assert (document["versions"], document["verified"], document["mismatches"]) == ({"first": 1, "last": 4}, True, [])
    assert document["agent"] == shop("--json", "show", "one", "--at", "2").json
    assert "state     asking\n" in shop("replay", "one", "--to", "2").out


def test_a_changed_row_makes_a_replay_fail_and_is_named(shop: Shop) -> None:
    _tamper(shop, "UPDATE steps SET target = 'lapsed' WHERE version = 3")
    done = shop("replay", "one")
    assert done.code == 1
    assert "does not add up:\n  version 3   no transition of 'asking' for 'approve' leads to 'lapsed'" in done.out
    document = shop("--json", "replay", "one")
    assert (document.code, document.json["verified"]) == (1, False)
    assert document.json["mismatches"][0]["version"] == 3
    _tamper(shop, "UPDATE steps SET target = 'nowhere' WHERE version = 3")
    assert shop("--json", "replay", "one").json["agent"] is None
    failed = shop("rewind", "one", "3")
    assert (failed.code, "`fsm-agent replay one` says what is wrong" in failed.err) == (1, True)


def test_a_history_that_says_not_what_was_entered_is_verified_but_for_that(shop: Shop) -> None:
    _tamper(shop, "UPDATE steps SET kind = kind % 16")
    done = shop("replay", "one")
    assert done.code == 0
    assert "state, status, question, output and error are what the steps tell" in done.out
    assert "unknown   visits and timers: an earlier version wrote steps that do not say what they entered" in done.out


def test_a_rewind_shows_where_the_agent_is_again_and_stands_in_the_history(shop: Shop) -> None:
    done = shop("--json", "--by", "op", "rewind", "one", "2", "--expect-version", "4")
    assert (done.code, done.json["state"], done.json["version"], done.json["effects"]) == (0, "asking", 5, [])
    assert shop("rewind", "one", "1", "--expect-version", "4").err.startswith("error: agent 'one' is at version 5")
    row = shop("history", "one").out.splitlines()[-1]
    assert ("rewind" in row, "sent → asking" in row, row.endswith("rewound to version 2")) == (True, True, True)
    step = shop("--json", "history", "one").json["steps"][-1]
    assert (step["kind"], step["event"], step["payload"]["version"], step["by"]) == ("rewound", "rewind", 2, "op")
    parked = shop("rewind", "one", "3")
    assert parked.code == 0
    assert "try again  fsm-agent unpark one --retry" in parked.out
    assert shop("unpark", "one", "--retry").code == 0


def test_a_fork_goes_its_own_way(shop: Shop) -> None:
    fork = shop("--json", "fork", "one", "2", "--id", "two", "--key", "k").json
    assert (fork["id"], fork["state"], fork["version"]) == ("two", "asking", 1)
    assert shop("--json", "fork", "one", "2", "--key", "k").json["delivery"] == "duplicate"
    assert shop("answer", "two", "--event", "reject", "torn").code == 3
    assert shop("--json", "show", "one").json["state"] == "sent"
    assert "forked from agent one at version 2" in shop("history", "two").out
    assert shop("replay", "two").code == 0
    assert shop("--json", "fork", "one").json["status"] == "done"
