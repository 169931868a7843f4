"""The API keeps to its document: requests that fit it and requests that do not, made by schemathesis.

All its checks and phases: examples, coverage of what schemas say, chance, and what follows from what. Agents of the
gallery are there, in every status, so that requests meet some.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.loading.yaml_file import load
from tests.support.hypothesis_settings import example_settings
from tests.support.servers.in_thread import ERRAND, Served, served

pytestmark = pytest.mark.long

ROOT: Final = Path(__file__).parents[2]
#: no action that changes files of others may be started by chance
MODULES: Final = [
    module
    for module in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["fsm-agent"]["modules"]
    if "tidy_repo" not in module
]
EXAMPLES: Final = example_settings(15).max_examples

#: what is taken from a list more often than by chance, so that requests come through to agents; `expected-statuses` are
#: what an agent that is elsewhere may make of a request that fits the document
CONFIGURATION: Final = """
[dictionaries]
agents = {{ values = {agents} }}
workflows = {{ values = ["errand", "stuck", "book_flight", "agent_lifecycle", "expense_approval", "tidy_repo"] }}
events = {{ values = ["cancel", "approve", "reject", "noted", "wanted", "fetched"] }}
namespaces = {{ values = ["default"] }}
versions = {{ values = [1, 2, 3] }}

[parameters]
"path.id" = {{ dictionary = "agents", probability = 0.8 }}
"path.name" = {{ dictionary = "workflows", probability = 0.8 }}
"query.namespace" = {{ dictionary = "namespaces", probability = 0.9 }}
"query.workflow" = {{ dictionary = "workflows", probability = 0.5 }}
"query.at" = {{ dictionary = "versions", probability = 0.5 }}
"body.workflow" = {{ dictionary = "workflows", probability = 0.8 }}
"body.event" = {{ dictionary = "events", probability = 0.8 }}
"body.question" = {{ dictionary = "versions", probability = 0.8 }}
"body.version" = {{ dictionary = "versions", probability = 0.8 }}

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "403", "404", "409", "412", "422"]

# a stream lasts as long as its agent
[[operations]]
include-operation-id = "streamSteps"
max-stream-events = 2
request-timeout = 1
"""


#: nothing handles an error of its action
STUCK: Final = """
workflow: stuck
version: 1
data: {item: {type: string, default: ""}}
events: {wanted: {item: {type: string}}, fetched: {}}
initial: idle
states:
  idle: {on: {wanted: {target: fetching, assign: {item: event.item}}}}
  fetching: {do: fetch, on: {fetched: done}}
  done: {final: true}
"""


@action(name="fetch")
def fetch(ctx: Context) -> str:
    if ctx.data.item == "glass":
        raise ValueError("it broke")
    return "fetched"


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.chdir(tmp_path)
    gallery = [load(path) for path in sorted((ROOT / "workflows").glob("*.yaml"))]
    with served(
        tmp_path, workflows=[*gallery, ERRAND, STUCK], actions=[fetch], modules=MODULES, has_tokens=True
    ) as one:
        yield one


def populate(client: httpx2.Client) -> dict[Status, list[str]]:
    """Agents in every status."""

    def start(name: str, workflow: str, event: str, *, wait_s: int = 30, **payload: Any) -> str:
        body = {
            "workflow": workflow,
            "event": event,
            "payload": payload,
            "id": name,
            "user": "zoe",
            "labels": {"a": "b"},
        }
        made = client.post("/v1/agents", json=body, headers={"Prefer": f"wait={wait_s}"})
        assert made.status_code == 201, made.text
        return f"/v1/agents/{name}"

    start("trip", "book_flight", "new_task", goal="Book a flight from San Francisco to NYC next Monday")
    start("life", "agent_lifecycle", "new_task", goal="write a letter")
    start(
        "expense", "expense_approval", "submit", receipts=str(ROOT / "examples" / "expense_approval" / "receipts.csv")
    )
    start("asks", "errand", "wanted", item="book")
    start("asks-bob", "errand", "wanted", item="book", approvers=["bob"])
    start("parked", "stuck", "wanted", item="glass")
    start("left", "tidy_repo", "tidy", wait_s=0, folder=".")  # its actions are not allowed here
    for name, item in (("fetched", "book"), ("broken", "glass")):
        agent = start(name, "errand", "wanted", item=item)
        client.post(f"{agent}/answer", json={"question": 2, "event": "approve"}, headers={"Prefer": "wait=30"})
    rejected = start("rejected", "errand", "wanted", item="book")
    client.post(f"{rejected}/answer", json={"question": 2, "event": "reject", "payload": {"reason": "no"}})
    found: dict[Status, list[str]] = {}
    for each in client.get("/v1/agents?limit=1000").json()["agents"]:
        found.setdefault(Status(each["status"]), []).append(each["id"])
    return found


def test_every_operation_keeps_to_the_document(door: Served, tmp_path: Path) -> None:
    secret = door.token("schemathesis")
    with door.client(secret) as client:
        agents = populate(client)
    assert set(agents) == set(Status)
    names = [name for group in agents.values() for name in group]
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION.format(agents=names), encoding="utf-8")
    line = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configuration)),
        *("run", f"{door.url}/openapi.json", "--header", f"Authorization: Bearer {secret}", "--checks", "all"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)),
        *("--generation-deterministic", "--workers", "1", "--no-color"),
    ]
    done = subprocess.run(line, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
