"""What the server tells whoever runs it: metrics for Prometheus, and a log as JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runtime import on_loop
from tests.support.servers.fsm_server import FsmServer, made, write_project

pytestmark = pytest.mark.long


def token(folder: Path, name: str, scope: str, *namespaces: str) -> str:
    """A new token."""
    words = ["token", "new", name, "--scope", scope, "--tokens", str(folder / "tokens.json")]
    words += [word for namespace in namespaces for word in ("--namespace", namespace)]
    done = subprocess.run(
        [sys.executable, "-c", "from fsm_agent.cli.main import main; main()", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def url(tmp_path: Path) -> str:
    write_project(tmp_path)
    return f"sqlite:///{tmp_path / 'agents.db'}"


@on_loop
async def test_metrics_tell_of_steps_agents_and_questions_and_of_no_agent_by_name(tmp_path: Path, url: str) -> None:
    with FsmServer(tmp_path, url, "--metrics") as server:
        async with server.connect() as connection:
            await made(connection, id="somebody")
            reply = await connection.get("/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    lines = reply.body.decode().splitlines()
    told = {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}
    assert {"fsm_agent_steps_total", "fsm_agent_agents", "fsm_agent_questions_open"} <= told
    assert any(line.startswith("fsm_agent_questions_open") and line.endswith(" 1.0") for line in lines)
    assert "somebody" not in reply.body.decode()


@on_loop
async def test_metrics_are_for_tokens_that_may_read(tmp_path: Path, url: str) -> None:
    reads, answers = token(tmp_path, "monitor", "read"), token(tmp_path, "ana", "answer")
    with FsmServer(tmp_path, url, "--metrics", "--tokens", "tokens.json") as server:
        statuses = []
        for headers in ({}, {"Authorization": f"Bearer {answers}"}, {"Authorization": f"Bearer {reads}"}):
            async with server.connect(**headers) as connection:
                statuses.append((await connection.get("/metrics")).status)
    assert statuses == [401, 403, 200]


@on_loop
async def test_metrics_of_all_namespaces_are_for_tokens_that_may_read_all_of_them(tmp_path: Path, url: str) -> None:
    names = ("default", "shop")
    secrets = [
        token(tmp_path, "-".join(each), "read", *each) for each in (("shop",), ("gone",), names, (*names, "gone"))
    ]
    served = [word for name in names for word in ("--namespace", name)]
    with FsmServer(tmp_path, url, "--metrics", "--tokens", "tokens.json", *served) as server:
        statuses = []
        for secret in secrets:
            async with server.connect(Authorization=f"Bearer {secret}") as connection:
                statuses.append((await connection.get("/metrics")).status)
    assert statuses == [403, 403, 200, 200]


@on_loop
async def test_without_the_option_there_are_no_metrics(tmp_path: Path, url: str) -> None:
    with FsmServer(tmp_path, url) as server:
        async with server.connect() as connection:
            assert (await connection.get("/metrics")).status == 404


@on_loop
async def test_the_log_is_json_from_the_first_line_to_the_last_and_has_no_secret(tmp_path: Path, url: str) -> None:
    secret = token(tmp_path, "ana", "operate")
    with FsmServer(tmp_path, url, "--log-format", "json", "--tokens", "tokens.json") as server:
        async with server.connect(Authorization=f"Bearer {secret}") as connection:
            await made(connection)
        server.tell(signal.SIGTERM)
        assert server.ended() == 0
        told = [json.loads(line) for line in server.words.splitlines()]
    requests = [entry for entry in told if entry.get("action") == "request"]
    assert [(entry["method"], entry["path"], entry["status"]) for entry in requests] == [("POST", "/v1/agents", 201)]
    assert secret not in server.words
