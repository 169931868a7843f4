"""What the server says when it cannot do its work: to whoever asks, to its operator, and to what watches it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import httpx2
import pytest

from fsm_agent.server.api.operations import Operation
from fsm_agent.server.api.table import OPERATIONS
from tests.support.servers.in_thread import Served, problem, served

START: Final[dict[str, Any]] = {"workflow": "errand", "event": "wanted", "payload": {"item": "book"}}
BODIES: Final[dict[str, Any]] = {
    "startAgent": START,
    "sendEvent": {"event": "noted", "payload": {"text": ""}},
    "answerQuestion": {"question": 2, "event": "reject", "payload": {"reason": ""}},
    "rewindAgent": {"version": 1},
}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, drives=False) as one:
        yield one


@pytest.fixture
def client(door: Served) -> Iterator[httpx2.Client]:
    with door.client() as one:
        yield one


def ask(client: httpx2.Client, operation: Operation, agent: str) -> httpx2.Response:
    path = operation.path.replace("{id}", agent).replace("{name}", "errand")
    body = BODIES.get(operation.name, {}) if operation.takes else None
    return client.request(operation.method, path, json=body)


def test_a_store_that_is_away_is_a_matter_of_time(
    door: Served, client: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/v1/agents", json={**START, "id": "one"})
    door.run(door.services["default"].runner.store.close())
    caplog.clear()
    for operation in OPERATIONS:
        away = ask(client, operation, "one")
        told = problem(away, 503)
        assert away.headers["retry-after"] == "1"
        assert str(door.folder) not in away.text
        assert told["type"] == "urn:fsm-agent:problem:store-unavailable"
        said = next(each for each in caplog.records if getattr(each, "operation", "") == operation.name)
        assert str(door.folder) in said.getMessage()
        assert getattr(said, "request_id", None) == away.headers["x-request-id"]


def test_who_watches_the_server_is_told_that_it_cannot_work_and_that_it_lives(
    door: Served, client: httpx2.Client
) -> None:
    assert client.get("/readyz").json() == {"status": "ready"}
    door.run(door.services["default"].runner.store.close())
    unready = client.get("/readyz")
    assert (unready.status_code, unready.json()) == (503, {"status": "unready", "problems": ["a store cannot be read"]})
    assert client.get("/healthz").status_code == 200


def test_a_damaged_agent_is_told_and_keeps_nobody_from_the_others(door: Served, client: httpx2.Client) -> None:
    for name in ("bad", "good"):
        client.post("/v1/agents", json={**START, "id": name})
    connection = apsw.Connection(str(door.folder / "agents.db"))
    connection.execute("UPDATE heads SET state = 'nowhere' WHERE id = 'bad'")
    told = problem(client.get("/v1/agents/bad"), 500)
    assert told["type"] == "urn:fsm-agent:problem:agent-damaged"
    assert "'nowhere'" in told["detail"]
    assert "fsm-agent doctor" not in told["detail"]
    assert client.get("/v1/agents/good").status_code == 200
    page = client.get("/v1/agents").json()
    assert [each["id"] for each in page["agents"]] == ["good"]
    assert [each["id"] for each in page["damaged"]] == ["bad"]


def test_a_tokens_file_that_cannot_be_read_is_no_fault_of_the_request(tmp_path: Path) -> None:
    with served(tmp_path, has_tokens=True, drives=False) as door, door.client("fsm_x") as client:
        (tmp_path / "tokens.json").write_text("{", encoding="utf-8")
        told = problem(client.get("/v1/agents"), 500)
        assert told["type"] == "urn:fsm-agent:problem:settings-invalid"
        assert "tokens.json" not in told["detail"]
