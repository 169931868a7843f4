"""A client that a generator has made from the served document: it is complete, has good names, and works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.server.api.schemas import SCHEMAS
from fsm_agent.server.api.table import OPERATIONS
from tests.support.servers.in_thread import Served, served

pytestmark = pytest.mark.long

#: what somebody writes who has the generated client
PROGRAM = """
import json, sys
from fsm_agent_client import AuthenticatedClient
from fsm_agent_client.api.agents import answer_question, draw_agent, list_agents, list_steps, send_event, start_agent
from fsm_agent_client.api.questions import list_questions
from fsm_agent_client.api.workflows import show_workflow
from fsm_agent_client.models import (
    AgentStatus, AnswerRequest, Delivery, DiagramFormat, JsonObject, Labels, Problem, SendRequest, StartRequest,
)

url, token = sys.argv[1:]

def fields(**values):
    return JsonObject.from_dict(values)

with AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True) as client:
    order = StartRequest("errand", event="wanted", payload=fields(item="book"), labels=Labels.from_dict({"shop": "n"}))
    agent = start_agent.sync(client=client, body=order, idempotency_key="one")
    again = start_agent.sync_detailed(client=client, body=order, idempotency_key="one")
    assert (again.status_code, again.parsed.delivery) == (200, Delivery.DUPLICATE)
    assert again.parsed.id == agent.id

    refused = send_event.sync(agent.id, client=client, body=SendRequest("wanted"))
    assert isinstance(refused, Problem) and refused.status == 409 and "approve" in refused.allowed

    inbox = list_questions.sync(client=client, to="anybody")
    question = next(each for each in inbox.agents if each.id == agent.id).question
    assert set(question.events.to_dict()) == {"approve", "reject"}

    events = []
    with client.get_httpx_client().stream("GET", f"/v1/agents/{agent.id}/stream") as stream:
        for line in stream.iter_lines():
            kind, _, said = line.partition(": ")
            if kind == "event":
                events.append(said)
            if kind == "id" and said == "2":
                body = AnswerRequest(question.id, event="approve")
                answered = answer_question.sync(agent.id, client=client, body=body, if_match='"2"', prefer="wait=30")
                assert (answered.status, answered.output) == (AgentStatus.DONE, {"item": "book"})

    versions, after = [], 0
    while after is not None:
        page = list_steps.sync(agent.id, client=client, after=after, limit=1)
        versions += [step.version for step in page.steps]
        after = page.next_

    for number in range(5):
        start_agent.sync(client=client, body=StartRequest("errand", id=f"more-{number}"))
    listed, cursor = [], None
    while True:
        page = list_agents.sync(client=client, limit=2, **({"after": cursor} if cursor else {}))
        listed += [each.id for each in page.agents]
        cursor = page.next_
        if cursor is None:
            break

    picture = draw_agent.sync(agent.id, client=client, format_=DiagramFormat.MERMAID)
    about = show_workflow.sync("errand", client=client)
    print(json.dumps({"id": agent.id, "events": events, "versions": versions, "listed": listed,
        "picture": picture, "states": [each.state for each in about.occupancy]}))
"""


@action(name="fetch")
def fetch(ctx: Context) -> str:
    return "fetched"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("client"), actions=[fetch], has_tokens=True) as one:
        yield one


@pytest.fixture(scope="module")
def generated(door: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package that the generator has written, without a warning."""
    folder = tmp_path_factory.mktemp("generated")
    tools = Path(sys.executable).parent
    line = [str(tools / "openapi-python-client"), "generate", "--url", f"{door.url}/openapi.json", "--meta", "none"]
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"  # it has `ruff` format what it has written
    done = subprocess.run(
        [*line, "--fail-on-warning"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_generated_client_starts_answers_pages_and_reads_the_stream(door: Served, generated: Path) -> None:
    line = [sys.executable, "-W", "error", "-c", PROGRAM, door.url, door.token("program")]
    environment = {**os.environ, "PYTHONPATH": str(generated)}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["events"] == ["step", "step", "step", "step", "end"]
    assert told["versions"] == [1, 2, 3, 4]
    assert told["listed"] == sorted([told["id"], *(f"more-{number}" for number in range(5))])
    assert told["picture"].startswith("---")
    assert told["states"][0] == "idle"


def _in_snakes(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_every_operation_and_every_schema_has_a_module_of_its_own_name(generated: Path) -> None:
    modules = {path.stem for path in (generated / "fsm_agent_client" / "api").rglob("*.py")} - {"__init__"}
    assert modules == {_in_snakes(operation.name) for operation in OPERATIONS}
    models = {path.stem for path in (generated / "fsm_agent_client" / "models").glob("*.py")} - {"__init__"}
    # the generator has to find names for the two that say of names what values they have
    assert models == {*map(_in_snakes, SCHEMAS), "question_events", "workflow_agents"}


def test_every_parameter_is_described(generated: Path) -> None:
    for path in (generated / "fsm_agent_client" / "api").rglob("*.py"):
        assert re.findall(r"^        (\w+ \([^)]*\)):\s*$", path.read_text(encoding="utf-8"), re.MULTILINE) == [], path
