"""size, purge, keygen and reseal on the command line; keys from the environment, policies from pyproject.toml."""

from __future__ import annotations

import pytest

from fsm_agent.cli.views.maintenance import human
from fsm_agent.stores.sealed.keys import read_keys
from tests.support.shop import Shop

PARTS = ["steps", "head", "history", "snapshot", "rest", "thread", "total"]


@pytest.fixture
def keys(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> str:
    """One key, in the environment."""
    entry = shop("keygen", "2026a").out.strip()
    monkeypatch.setenv("FSM_AGENT_KEYS", entry)
    return entry


def settings(shop: Shop, text: str) -> None:
    shop.write("pyproject.toml", f'[tool.fsm-agent]\nmodules = ["shop_actions"]\n{text}\n')


def test_sizes_are_printed_with_exactly_the_fields_of_the_contract(shop: Shop) -> None:
    shop.order("one")
    shop.order("two", item="a" * 100)
    document = shop("--json", "size").json
    assert list(document) == ["agents", "workflows", "total", "damaged"]
    assert [list(agent) for agent in document["agents"]] == [["id", "workflow", *PARTS]] * 2
    assert [agent["id"] for agent in document["agents"]] == ["two", "one"]
    assert [list(each) for each in document["workflows"]] == [["workflow", "agents", *PARTS]]
    assert list(document["total"]) == ["agents", *PARTS]
    assert document["total"]["total"] == sum(agent["total"] for agent in document["agents"])
    assert [agent["id"] for agent in shop("--json", "size", "--top", "1").json["agents"]] == ["two"]
    assert [agent["id"] for agent in shop("--json", "size", "one").json["agents"]] == ["one"]
    assert shop("--json", "size", "--workflow", "other").json["agents"] == []
    refused = shop("size", "nobody")
    assert (refused.code, refused.out) == (1, "")
    assert "no agent 'nobody'" in refused.err


def test_sizes_are_shown_to_people_in_units_that_they_read(shop: Shop) -> None:
    shop.order("one")
    lines = shop("size").out.splitlines()
    assert lines[0].split() == ["ID", "WORKFLOW", *map(str.upper, PARTS)]
    assert lines[1].startswith("one  order")
    assert lines[-1].startswith("all       1       2")
    assert [human(count) for count in (0, 999, 1_000, 12_345, 99_960, 999_600, 1_234_567, 5 * 10**15)] == [
        "0 B", "999 B", "1.0 kB", "12.3 kB", "100 kB", "1.0 MB", "1.2 MB", "5000 TB",
    ]  # fmt: skip


def test_a_purge_says_what_it_forgets_and_a_dry_run_what_it_would(shop: Shop) -> None:
    shop.order("one")
    shop.order("two")
    shop("cancel", "two")
    dry = shop("--json", "purge", "--finished", "0s", "--history", "1", "--dry-run")
    assert dry.json == {
        "deleted": ["two"],
        "shortened": [{"id": "one", "steps": 1}],
        "left": [],
        "dry_run": True,
    }
    assert "two  would be deleted" in shop("purge", "--finished", "0s", "--dry-run").out
    assert "one  would be shortened by 1 step\n" in shop("purge", "--history", "1", "--dry-run").out
    assert len(shop("--json", "history", "one").json["steps"]) == 2
    assert shop("--json", "purge", "--finished", "0s", "--history", "1").json == {**dry.json, "dry_run": False}
    assert [entry["id"] for entry in shop("--json", "list").json["agents"]] == ["one"]
    assert len(shop("--json", "history", "one").json["steps"]) == 1
    assert shop("purge", "--finished", "0s").out == "nothing was forgotten\n"
    assert shop("answer", "one", "--event", "approve").code == 0


def test_settings_say_what_goes_and_options_win(shop: Shop) -> None:
    shop.order("one")
    shop("cancel", "one")
    settings(shop, 'retention = {finished = "30d"}')
    assert shop("--json", "purge").json["deleted"] == []
    assert shop("--json", "purge", "--finished", "0s", "--dry-run").json["deleted"] == ["one"]
    settings(shop, 'retention = {finished = "0s"}')
    assert shop("--json", "purge", "--workflow", "other").json["deleted"] == []
    assert shop("--json", "purge").json["deleted"] == ["one"]


def test_without_any_policy_nothing_goes(shop: Shop) -> None:
    refused = shop("purge")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "error: nothing says what may go: give --finished, --idle or --history, or [tool.fsm-agent.retention] in "
        "pyproject.toml\n"
    )
    assert shop("purge", "--history", "all").out == "nothing was forgotten\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--finished", "soon"], "'soon' is not a duration: write an integer and ms, s, m, h or d, such as 30s or 3d"),
        (["--idle", "-1d"], "'-1d' is not a duration"),
        (["--history", "0"], "history 0 is not allowed: write all, since-snapshot, or how many steps (1 ...)"),
        (["nobody", "--finished", "0s"], "no agent 'nobody' in namespace 'default'"),
    ],
)
def test_nonsense_is_one_sentence_and_changes_nothing(shop: Shop, words: list[str], said: str) -> None:
    shop.order("one")
    shop("cancel", "one")
    refused = shop("purge", "one", *words)
    assert (refused.code, refused.out) == (1, "")
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1
    assert shop("show", "one").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sealed = 1", "sealed must be true or false"),
        ("retention = 1", 'retention must be a table, such as {history = 100, finished = "30d", idle = "90d"}'),
        ("retention = {}\nsealed = 'yes'", "sealed must be true or false"),
        ('retention = {idel = "1d"}', "retention: unknown key 'idel' (did you mean `idle`?); there are history"),
        ("retention = {finished = 30}", 'retention: finished must be a duration as text, such as "30d", and is 30'),
        ('retention = {history = "few"}', "retention: history 'few' is not allowed: write all, since-snapshot"),
    ],
)
def test_wrong_policies_are_named_with_their_file(shop: Shop, text: str, said: str) -> None:
    settings(shop, text)
    refused = shop("list")
    assert refused.code == 1
    assert f"pyproject.toml: {said}" in refused.err


def test_a_worker_applies_the_project_s_retention(shop: Shop) -> None:
    settings(shop, 'retention = {finished = "0s"}')
    shop.order("one")
    shop("cancel", "one")
    worker = shop.spawn("worker")
    while shop("--json", "list").json["agents"]:
        assert worker.poll() is None
    worker.terminate()
    worker.communicate()


# --- sealed


def test_a_key_is_made_that_can_be_read(shop: Shop) -> None:
    assert list(read_keys(shop("keygen", "2026a").out.strip())) == ["2026a"]
    assert list(read_keys(shop("--json", "keygen").json["entry"])) == ["k1"]
    refused = shop("keygen", "a=b")
    assert (refused.code, refused.out) == (1, "")
    assert "the id 'a=b' is not allowed: write 1 to 32 letters" in refused.err


@pytest.mark.usefixtures("keys")
def test_with_a_key_in_the_environment_agents_are_sealed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.order("one", item="porcelain").json["question"]["prompt"] == "Pack porcelain?"
    assert shop("answer", "one", "--event", "approve").code == 0
    assert not any(b"porcelain" in file.read_bytes() for file in shop.folder.glob("fsm-agent.db*"))
    monkeypatch.delenv("FSM_AGENT_KEYS")
    for words in (["show", "one"], ["history", "one"], ["resume", "one"], ["cancel", "one"]):
        refused = shop(*words)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == (
            "error: the agent is sealed under the key '2026a', which is not given: add it to FSM_AGENT_KEYS; "
            "given: nothing\n"
        )
    assert shop("list").code == 0
    assert shop("size").code == 0


def test_keys_are_made_and_changed(shop: Shop, keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.order("one")
    newer = shop("keygen", "2026b").out.strip()
    monkeypatch.setenv("FSM_AGENT_KEYS", f"{newer},{keys}")
    assert shop("--json", "reseal").json == {"resealed": ["one"], "threads": [], "users": [], "left": []}
    monkeypatch.setenv("FSM_AGENT_KEYS", newer)
    assert shop("show", "one").code == 0
    monkeypatch.setenv("FSM_AGENT_KEYS", keys)
    left = shop("reseal")
    assert left.code == 1
    assert "one  left as it is: the agent is sealed under the key '2026b', which is not given" in left.out
    monkeypatch.delenv("FSM_AGENT_KEYS")
    refused = shop("reseal")
    assert refused.err == "error: FSM_AGENT_KEYS gives no key to seal with; `fsm-agent keygen` makes one\n"


def test_a_sealed_project_keeps_nothing_in_clear(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(shop, "sealed = true")
    refused = shop.order("one")
    assert (refused.code, list(refused.json)) == (1, ["error"])
    assert "FSM_AGENT_KEYS gives no key; nothing is kept in clear" in refused.err
    assert list(shop.folder.glob("*.db")) == []
    monkeypatch.setenv("FSM_AGENT_KEYS", "2026a=c2hvcnQ=")
    refused = shop("list")
    assert refused.err == (
        "error: a key for sealing cannot serve: entry 1 is not 32 bytes long; `fsm-agent keygen` makes one\n"
    )
    assert "c2hvcnQ" not in refused.err
    monkeypatch.setenv("FSM_AGENT_KEYS", shop("keygen").out.strip())
    assert shop.order("one").code == 0


def test_a_key_shows_in_no_output(shop: Shop, keys: str) -> None:
    secret = keys.partition("=")[2]
    said = [shop("--debug", *words) for words in (["list"], ["show", "nobody"], ["reseal"], ["size"])]
    said.append(shop.process("--debug", "--store", "sqlite:///none/a.db", "list"))
    assert not any(secret in each.out + each.err for each in said)
