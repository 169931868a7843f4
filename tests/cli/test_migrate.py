"""`migrate` on the command line: what it says, what it does, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import apsw
import pytest

from fsm_agent.cli.commands import migrate
from tests.support.shop import ORDER, Shop

NEWER = (
    ORDER.replace("version: 1", "version: 2")
    .replace("asking", "confirming")
    .replace("wrap: string?", "wrapping: string?")
    .replace("wrap: event", "wrapping: event")
)
MIGRATIONS = """
migrations:
  - {from: 1, states: {asking: confirming}, data: {rename: {wrap: wrapping}}}
"""


@pytest.fixture
def newer(shop: Shop) -> str:
    shop.order("one")
    shop.order("two")
    shop("answer", "two", "--event", "approve")
    return str(shop.write("workflows/newer.yaml", NEWER + MIGRATIONS))


def kept(shop: Shop) -> dict[str, list[Any]]:
    """All that the store keeps."""
    with apsw.Connection(str(shop.folder / "fsm-agent.db")) as db:
        names = [str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: list(db.execute(f"SELECT * FROM {name}")) for name in names}  # noqa: S608 - its own names
    db.close()
    return rows


def test_a_dry_run_says_of_each_agent_what_would_be_and_changes_nothing(shop: Shop, newer: str) -> None:
    before = kept(shop)
    done = shop("migrate", newer, "--all")
    assert [" ".join(line.split()) for line in done.out.splitlines()] == [
        "ID VERSION STATE VERDICT WHY",
        "one 1 → 2 asking → confirming moves by itself as `migrations` says; data.wrapping is set to null; "
        "data.wrap is removed; timer 3d of `confirming` goes on",
        "two 1 sent unaffected has ended: it is done",
    ]
    assert done.err == "2 agents: 1 unaffected, 1 moves by itself; nothing was changed: --apply does it\n"
    assert done.code == 0
    assert kept(shop) == before


def test_apply_moves_and_the_agent_goes_on_as_the_newer_file_says(shop: Shop, newer: str) -> None:
    done = shop("--json", "--by", "ann", "migrate", newer, "one", "--apply", "--expect-version", "2")
    document = done.json
    assert (done.code, done.err) == (0, "")
    assert list(document) == ["workflow", "version", "hash", "applied", "agents", "counts", "damaged"]
    assert (document["workflow"], document["version"], document["applied"]) == ("order", 2, True)
    assert document["agents"] == [
        {
            "id": "one",
            "from_version": 1,
            "state": "asking",
            "verdict": "moved",
            "reason": "as `migrations` says",
            "to_state": "confirming",
            "changes": [
                "data.wrapping is set to null",
                "data.wrap is removed",
                "timer 3d of `confirming` goes on",
            ],
        }
    ]
    assert {verdict: count for verdict, count in document["counts"].items() if count} == {"moved": 1}
    assert shop("--json", "show", "one").json["workflow_version"] == 2
    step = shop("--json", "history", "one").json["steps"][-1]
    assert (step["kind"], step["by"], step["payload"]["to"]) == ("migrated", "ann", document["hash"])
    assert shop("diagram", "--agent", "one", "-o", "one.mmd").code == 0
    rejected = shop("--json", "answer", "one", "--event", "reject", '{"reason": "no box"}').json
    assert (rejected["state"], rejected["data"]["wrapping"]) == ("rejected", "no box")


def test_what_cannot_be_moved_is_left_and_the_exit_code_says_so(shop: Shop, newer: str) -> None:
    bare = str(shop.write("workflows/bare.yaml", NEWER))
    before = kept(shop)
    for options in ([], ["--apply"]):
        done = shop("migrate", bare, "--all", *options)
        assert done.code == 1
        assert "write `{from: 1, states: {asking: confirming}, data: {rename: {wrap: wrapping}}}` under" in done.out
        assert done.err == "2 agents: 1 unaffected, 1 needs a mapping\n"
    assert kept(shop) == before


def test_many_agents_are_one_document_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "_PAGE", 2)
    for number in range(5):
        shop.order(f"a{number}")
    newer = str(shop.write("workflows/newer.yaml", NEWER + MIGRATIONS))
    document = shop("--json", "migrate", newer, "--all").json
    assert [agent["id"] for agent in document["agents"]] == [f"a{number}" for number in range(5)]
    assert document["counts"]["moves by itself"] == 5
    assert shop("migrate", newer, "--all", "--apply").err == "5 agents: 5 moved\n"


def test_without_any_agent_there_is_an_empty_report(shop: Shop) -> None:
    newer = str(shop.write("workflows/newer.yaml", NEWER + MIGRATIONS))
    done = shop("--json", "migrate", newer, "--all")
    assert (done.code, done.json["agents"]) == (0, [])
    assert shop("migrate", newer, "--all").out == "there are no such agents\n"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["one", "--all"], 1, "there is no file 'one'"),
        (["workflows/newer.yaml"], 2, "say which agents, with their ids or with --all; `"),
        (["workflows/newer.yaml", "one", "--all"], 1, "ids and --all exclude each other"),
        (["workflows/newer.yaml", "--all", "--expect-version", "2"], 1, "--expect-version is for one agent: name just"),
        (["workflows/newer.yaml", "one", "--expect-version", "0"], 1, "`--expect-version` takes a whole number from 1"),
        (["workflows/newer.yaml", "one", "--expect-version", "9", "--apply"], 1, "agent 'one' is at version 2, "),
        (["workflows/newer.yaml", "one", "nobody", "--apply"], 1, "no agent 'nobody' in namespace 'default'"),
        (["workflows/other.yaml", "one"], 1, "agent 'one' is of workflow 'order', and can move only within it, not to"),
        (["workflows/upcast.yaml", "one"], 1, "module 'os' is not allowed: add it to `modules`"),
        (["workflows/gone.yaml", "one"], 1, "module 'shop_actions' has no plain function 'gone', which a migration"),
        (["workflows/wrong.yaml", "one"], 1, "nothing was done, since the workflow has 1 mistake:\nworkflows/wro"),
    ],
)  # fmt: skip
def test_wrong_words_get_one_sentence_and_change_nothing(
    shop: Shop, newer: str, words: list[str], code: int, sentence: str
) -> None:
    shop.write("workflows/other.yaml", NEWER.replace("workflow: order", "workflow: other"))
    shop.write("workflows/upcast.yaml", f"{NEWER}migrations:\n  - {{from: 1, upcast: 'os:remove'}}\n")
    shop.write("workflows/gone.yaml", f"{NEWER}migrations:\n  - {{from: 1, upcast: 'shop_actions:gone'}}\n")
    shop.write("workflows/wrong.yaml", NEWER + MIGRATIONS.replace("confirming", "nowhere"))
    before = kept(shop)
    done = shop("migrate", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"error: {sentence}"), done.err
    assert kept(shop) == before


def test_a_definition_that_the_store_has_lost_is_told_in_one_sentence_and_nothing_is_changed(
    shop: Shop, newer: str
) -> None:
    with apsw.Connection(str(shop.folder / "fsm-agent.db")) as db:
        db.execute("DELETE FROM definitions")
    db.close()
    before = kept(shop)
    done = shop("migrate", newer, "one", "--apply")
    assert (done.code, done.out, done.err) == (
        1, "",
        "error: agent 'one' is damaged in definitions: the definition that it is pinned to is not kept any more; "
        "`fsm-agent doctor` says what to do\n",
    )  # fmt: skip
    assert kept(shop) == before


def test_ctrl_c_stops_between_two_agents(shop: Shop, newer: str) -> None:
    shop.write("shop_actions.py", "def stop(data):\n    raise KeyboardInterrupt\n")
    upcast = str(shop.write("workflows/u.yaml", f"{NEWER}migrations:\n  - {{from: 1, upcast: 'shop_actions:stop'}}\n"))
    done = shop("migrate", upcast, "--all", "--apply")
    assert (done.code, done.err) == (
        130, "interrupted: each agent is moved whole or not at all; the same command goes on with the rest\n",
    )  # fmt: skip


def test_two_processes_at_once_move_each_agent_exactly_once(shop: Shop) -> None:
    ids = [f"a{number:02}" for number in range(20)]
    for agent_id in ids:
        shop.order(agent_id)
    newer = str(shop.write("workflows/newer.yaml", NEWER + MIGRATIONS))
    both = [shop.spawn("--json", "migrate", newer, "--all", "--apply") for _ in range(2)]
    reports = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(report["counts"]["moved"] for report in reports) == len(ids)
    for agent_id in ids:
        steps = shop("--json", "history", agent_id).json["steps"]
        assert [step["kind"] for step in steps].count("migrated") == 1


def test_check_finds_an_upcast_that_is_missing(shop: Shop) -> None:
    path = shop.write("workflows/u.yaml", f"{NEWER}migrations:\n  - {{from: 1, upcast: 'shop_actions:gone'}}\n")
    done = shop("check", str(path))
    assert done.code == 1
    assert "FSM406 module 'shop_actions' has no plain function 'gone', which a migration calls" in done.out
    shop.write("shop_actions.py", (shop.folder / "shop_actions.py").read_text() + "\ndef gone(data): return data\n")
    assert shop("check", str(path)).code == 0
