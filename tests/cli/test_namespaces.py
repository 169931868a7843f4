"""Where the agents of a namespace live: a rule of the project says it, and one worker serves several."""

from __future__ import annotations

import json

import pytest

from fsm_agent import Status, sync
from fsm_agent.stores.urls import open_store
from tests.support.shop import PYPROJECT, Shop

RULES = """
[tool.fsm-agent.namespaces]
"eu-*" = "sqlite:///eu.db"
"us" = "sqlite:///us.db"
"""
WORD = {"item": "book"}


@pytest.fixture
def world(shop: Shop) -> Shop:
    shop.write("pyproject.toml", PYPROJECT + RULES)
    return shop


def order(shop: Shop, namespace: str, agent_id: str) -> None:
    words = ("--namespace", namespace, "--json", "run", "workflows/order.yaml", "--id", agent_id)
    done = shop(*words, "--payload", json.dumps(WORD))
    assert done.code == 0, done.err


def ids(shop: Shop, *words: str) -> list[str]:
    return [agent["id"] for agent in shop("--json", "list", *words).json["agents"]]


def test_each_namespace_lives_whole_in_the_store_that_the_first_rule_names(world: Shop) -> None:
    for namespace, name in (("eu-1", "a"), ("eu-2", "b"), ("us", "c")):
        order(world, namespace, name)
    assert sorted(path.name for path in world.folder.glob("*.db")) == ["eu.db", "us.db"]
    assert [ids(world, "--namespace", each) for each in ("eu-1", "eu-2", "us")] == [["a"], ["b"], ["c"]]
    assert ids(world, "--namespace", "us", "--store", "sqlite:///eu.db") == [], "a store that is named counts"
    assert ids(world, "--namespace", "eu-2", "--store", "sqlite:///eu.db") == ["b"]


def test_rules_hold_from_any_folder_of_the_project(world: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order(world, "us", "a")
    (world.folder / "deeper").mkdir()
    monkeypatch.chdir(world.folder / "deeper")
    assert ids(world, "--namespace", "us") == ["a"]


def test_one_worker_serves_several_namespaces(world: Shop) -> None:
    for namespace, name, file in (("eu-1", "a", "eu.db"), ("us", "c", "us.db")):
        order(world, namespace, name)
        with sync.Runner(open_store(f"sqlite:///{world.folder / file}", namespace=namespace)) as runner:
            assert runner.answer(name, event="approve", drive=False).status is Status.RUNNING
    driven = world("--json", "worker", "--once", "--namespace", "eu-1", "--namespace", "us", "--namespace", "eu-1")
    assert driven.json == {"driven": ["a", "c"]}


def test_a_store_that_is_away_keeps_no_other_namespace_from_its_turn(shop: Shop) -> None:
    away = '"eu-*" = "redis://127.0.0.1:9/0"\n"asia" = "redis://127.0.0.1:9/1"\n"us" = "sqlite:///us.db"\n'
    shop.write("pyproject.toml", f"{PYPROJECT}\n[tool.fsm-agent.namespaces]\n{away}")
    order(shop, "us", "c")
    with sync.Runner(open_store(f"sqlite:///{shop.folder / 'us.db'}", namespace="us")) as runner:
        runner.answer("c", event="approve", drive=False)
    driven = shop("worker", "--once", "--namespace", "eu-1", "--namespace", "asia", "--namespace", "us")
    assert driven.code == 1
    assert "c  done in sent" in driven.err
    assert "redis://127.0.0.1:9/0" in driven.err
    assert "redis://127.0.0.1:9/1" in driven.err


def test_a_server_opens_the_stores_of_its_namespaces_and_says_which(world: Shop) -> None:
    order(world, "eu-1", "a")
    process = world.spawn("serve", "--namespace", "eu-1", "--namespace", "us", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    said = process.stderr.readline()
    process.terminate()
    rest = process.communicate(timeout=60)[1]
    assert said.startswith("serving sqlite:///")
    assert "eu.db, sqlite:///" in said
    assert said.endswith("us.db; nobody is asked for a token; Ctrl-C stops\n")
    assert (process.returncode, "Traceback" in rest) == (0, False)


def test_a_namespace_without_a_rule_is_put_nowhere(world: Shop) -> None:
    for words in (["list"], ["worker", "--once"], ["worker", "--namespace", "us", "--namespace", "asia"]):
        refused = world("--namespace", "asia", *words) if words[0] == "list" else world(*words)
        name = "default" if words == ["worker", "--once"] else "asia"
        assert refused.code == 1
        assert f"no rule says in which store namespace '{name}' lives: " in refused.err
        assert refused.err.endswith("[tool.fsm-agent.namespaces] has eu-*, us\n")
    assert not list(world.folder.glob("asia*"))


def test_a_last_rule_may_fit_all_others(shop: Shop) -> None:
    shop.write("pyproject.toml", PYPROJECT + RULES + '"*" = "sqlite:///rest.db"\n')
    order(shop, "asia", "x")
    assert [path.name for path in shop.folder.glob("*.db")] == ["rest.db"]


@pytest.mark.parametrize("rules", ["namespaces = []", 'namespaces = {"eu-*" = 1}', 'namespaces = {"eu-*" = "eu.db"}'])
def test_rules_that_are_none_are_refused(shop: Shop, rules: str) -> None:
    shop.write("pyproject.toml", f"[tool.fsm-agent]\n{rules}\n")
    refused = shop("list")
    assert (refused.code, "namespaces must be a table of URLs by pattern" in refused.err) == (1, True)


def test_a_worker_says_how_many_connections_it_may_open(shop: Shop, postgres_url: str) -> None:
    url = f"{postgres_url}{'&' if '?' in postgres_url else '?'}pool_size=4"
    process = shop.spawn("--store", url, "worker", "--namespace", "eu-1", "--namespace", "eu-2")
    assert process.stderr is not None
    line = process.stderr.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert line.endswith(" by at most 10 connections; Ctrl-C stops\n"), line
