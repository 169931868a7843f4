"""An agent may be left to workers, who are told through the engine that the project has."""

from __future__ import annotations

import pytest

from tests.support.shop import PYPROJECT, Shop

BOOK = ("--payload", '{"item": "book"}')
NOWHERE = "temporal://127.0.0.1:9"


def test_who_is_sent_an_event_is_left_to_workers(shop: Shop) -> None:
    shop.order()
    sent = shop("--json", "send", "one", "approve", "--no-drive")
    assert (sent.code, sent.json["state"], sent.json["status"]) == (0, "packing", "running")
    assert shop("--json", "worker", "--once").json == {"driven": ["one"]}


def test_who_is_answered_is_left_to_workers(shop: Shop) -> None:
    shop.order()
    answered = shop("--json", "answer", "one", "--event", "approve", "--no-drive")
    assert (answered.code, answered.json["state"], answered.json["status"]) == (0, "packing", "running")


def test_who_is_started_is_left_to_workers(shop: Shop) -> None:
    shop.write("workflows/work.yaml", WORK)
    started = shop("--json", "run", "workflows/work.yaml", "--id", "w", "--no-drive", "--no-input")
    assert (started.code, started.json["state"], started.json["status"]) == (0, "working", "running")
    assert shop("--json", "worker", "--once").json == {"driven": ["w"]}


def test_an_engine_of_its_own_process_alone_is_no_engine_of_a_command(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.order()
    monkeypatch.setenv("FSM_AGENT_ENGINE", "local://")
    sent = shop("--json", "send", "one", "approve", "--no-drive")
    assert (sent.code, sent.json["state"], sent.err) == (0, "packing", "")
    refused = shop("worker")
    assert (refused.code, refused.err) == (
        1,
        "error: engine local:// wakes agents of its own process alone: leave it out, and the bell of the store wakes "
        "workers\n",
    )


def test_a_lease_that_could_not_be_prolonged_in_time_is_refused(shop: Shop) -> None:
    refused = shop("worker", "--lease", "999ms")
    assert (refused.code, "'999ms' is too short to be prolonged in time: write 1s or more" in refused.err) == (1, True)


WORK = """
workflow: work
version: 1
data: {item: {type: string, default: book}}
events: {packed: {}}
initial: working
states:
  working: {do: pack, on: {packed: done, error: failed}}
  done: {final: true}
  failed: {final: true, outcome: failed}
"""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://host", "engine URL 'nats://host' has no known scheme"),
        (NOWHERE, f"agents that are due cannot be told to {NOWHERE}, and wait for the next sweep: Connection refused"),
    ],
)
def test_an_engine_that_cannot_be_told_is_a_warning_and_the_event_is_taken(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    shop.order()
    monkeypatch.setenv("FSM_AGENT_ENGINE", url)
    sent = shop("--json", "send", "one", "approve", "--no-drive")
    assert (sent.code, sent.json["state"]) == (0, "packing")
    assert said in sent.err
    assert sent.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nats://host", "engine URL 'nats://host' has no known scheme; known: "),
        ("temporl://host", "did you mean `temporal://`?"),
        (NOWHERE, f"engine {NOWHERE} does not answer: Connection refused"),
        ("temporal://me:secret@host", "an engine URL of Temporal is temporal://HOST:PORT/NAMESPACE"),
        ("temporal://host:port", "names no place"),
    ],
)
def test_a_worker_whose_engine_cannot_be_reached_says_so_and_ends(shop: Shop, url: str, said: str) -> None:
    shop.order()
    worker = shop("worker", "--engine", url)
    assert (worker.code, worker.out) == (1, "")
    assert said in worker.err
    assert "secret" not in worker.err
    assert worker.err.count("\n") == 1


def test_a_round_needs_no_engine(shop: Shop) -> None:
    shop.order()
    assert shop("worker", "--once", "--engine", NOWHERE).code == 0


def test_the_option_wins_over_the_environment_and_that_over_the_project(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("pyproject.toml", f'{PYPROJECT}engine = "project://x"\n')
    assert "'project://x'" in shop("worker").err
    monkeypatch.setenv("FSM_AGENT_ENGINE", "environment://x")
    assert "'environment://x'" in shop("worker").err
    assert "'option://x'" in shop("worker", "--engine", "option://x").err


def test_a_setting_that_is_no_url_is_a_sentence(shop: Shop) -> None:
    shop.write("pyproject.toml", f"{PYPROJECT}engine = 7\n")
    listed = shop("list")
    assert (listed.code, "engine must be a URL, such as" in listed.err) == (1, True)
