"""What compose.yaml starts in containers, started as processes: PostgreSQL, two workers, the server, and engines."""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.compose import ROOT, ComposeFile, ContainerFile
from tests.support.http_client import HttpConnection
from tests.support.runtime import until
from tests.support.servers.own_server import free_port
from tests.support.servers.postgres import PostgresServer

from .compose_processes import Deployment, Service

pytestmark = [pytest.mark.server, pytest.mark.long]

PAGE: Final = (ROOT / "docs" / "workers.md").read_text(encoding="utf-8")
PASSWORD: Final = secrets.token_hex(32)
#: the service of each engine
ENGINES: Final = {"temporal": "temporal", "celery": "redis"}
#: who listens where on the network of Compose
PORTS: Final = {"server": "8000", "temporal": "7233", "redis": "6379"}
#: a project of its user has more than the one in the image: an action that a test holds up
HELD: Final = """
workflow: held
version: 1
events: {go: {}, done: {}}
initial: new
states:
  new: {on: {go: holding}}
  holding: {do: hold, on: {done: over}}
  over: {final: true}
"""
HELD_ACTIONS: Final = """
import asyncio
import os
from pathlib import Path

from fsm_agent import action


@action
async def hold(ctx):
    Path(f"holding-{os.getpid()}").touch()
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return "done"
"""


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    """A server with the user and the database that the image of PostgreSQL makes."""
    settings = ComposeFile(POSTGRES_PASSWORD=PASSWORD).services["db"]["environment"]
    with PostgresServer() as server:
        server.execute(f"CREATE ROLE {settings['POSTGRES_USER']} LOGIN PASSWORD '{settings['POSTGRES_PASSWORD']}'")
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What is in the image, and the action that is held up."""
    folder = tmp_path / "project"
    ContainerFile().copy(1, folder)
    settings = folder / "pyproject.toml"
    modules = settings.read_text(encoding="utf-8").replace('["parcel_actions"]', '["parcel_actions", "held_actions"]')
    settings.write_text(modules, encoding="utf-8")
    (folder / "held_actions.py").write_text(HELD_ACTIONS, encoding="utf-8")
    (folder / "workflows" / "held.yaml").write_text(HELD, encoding="utf-8")
    return folder


@pytest.fixture
def deployment(request: pytest.FixtureRequest, database: PostgresServer, project: Path) -> Iterator[Deployment]:
    """With the engine that the test names, if any, as the page says it in .env."""
    said = re.search(rf"^COMPOSE_PROFILES={request.param}\nFSM_AGENT_ENGINE=(\S+)$", PAGE, re.MULTILINE)
    assert said or not request.param
    compose = ComposeFile(POSTGRES_PASSWORD=PASSWORD, FSM_AGENT_ENGINE=said[1] if said else "")
    settings = compose.services["db"]["environment"]
    database.make_database(settings["POSTGRES_DB"], f"OWNER {settings['POSTGRES_USER']}")
    with Deployment(compose, project, places(project, database.port)) as running:
        yield running


def places(project: Path, port_of_database: int) -> dict[str, str]:
    """What stands here in the place of what the file says of its network and of folders."""
    ports = PORTS | {"db": "5432"}
    here = {name: str(port_of_database if name == "db" else free_port()) for name in ports}
    hosts = {f"{name}:{port}": f"127.0.0.1:{here[name]}" for name, port in ports.items()}
    return (
        hosts
        | {port: here[name] for name, port in ports.items()}
        | {
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - the other way round
            "/var/lib/agents": str(project),
        }
    )


def token_words() -> list[str]:
    """The command of the page that makes a token."""
    [line] = re.findall(r"^\$ docker compose run --rm --no-deps server (token new .*)$", PAGE, re.MULTILINE)
    return shlex.split(line)


async def reached(connection: HttpConnection, agent_id: str, state: str) -> Any:
    """The agent, once it is in that state."""
    async with asyncio.timeout(60):
        while True:
            agent = (await connection.get(f"/v1/agents/{agent_id}")).json
            if agent["state"] == state:
                return agent
            await asyncio.sleep(0.02)


async def send_parcel(connection: HttpConnection) -> None:
    """A parcel that somebody has to agree to."""
    order = {"workflow": "parcel", "id": "p1", "event": "ordered", "payload": {"item": "anvil", "kg": 12}}
    assert (await connection.post("/v1/agents", order)).status == 201
    question = (await reached(connection, "p1", "approval"))["question"]["id"]
    answered = await connection.post("/v1/agents/p1/answer", {"question": question, "event": "approve"})
    assert answered.status == 200, answered.body
    agent = await reached(connection, "p1", "delivered")
    assert (agent["status"], agent["data"]["tracking"]) == ("done", "T-p1")


def holders(project: Path) -> set[int]:
    """The processes that have begun the action."""
    return {int(path.name.partition("-")[2]) for path in project.glob("holding-*")}


@pytest.mark.parametrize("deployment", ["", "temporal", "celery"], ids=["bell", "temporal", "celery"], indirect=True)
def test_agents_that_are_started_over_http_come_to_their_end_though_a_worker_is_killed(
    deployment: Deployment, project: Path, request: pytest.FixtureRequest
) -> None:
    asyncio.run(live(deployment, project, ENGINES.get(request.node.callspec.params["deployment"])))


async def live(deployment: Deployment, project: Path, engine: str | None) -> None:
    """Everything is started and used, a worker is killed, and the rest is stopped."""
    if engine:
        deployment.start(engine)
        await deployment.becomes_healthy(engine)
    await deployment.becomes_healthy("db")
    secret = deployment.run("server", token_words()).splitlines()[-1]
    server, workers = deployment.start("server"), deployment.start_all("worker")
    await deployment.becomes_healthy("server")
    async with HttpConnection(deployment.port("server"), Authorization=f"Bearer {secret}") as connection:
        await send_parcel(connection)
        victim = await kill_who_holds(connection, workers, project)
    [survivor] = [each for each in workers if each is not victim]
    assert (survivor.process.pid in holders(project), survivor.stop(), server.stop()) == (True, 0, 0)
    assert PASSWORD not in (survivor.said + server.said + victim.said).decode()


async def kill_who_holds(connection: HttpConnection, workers: list[Service], project: Path) -> Service:
    """An agent comes to its end though the worker that drives it is killed; returns that worker."""
    assert (await connection.post("/v1/agents", {"workflow": "held", "id": "h1", "event": "go"})).status == 201
    await until(lambda: bool(holders(project)))
    [victim] = [each for each in workers if each.process.pid in holders(project)]
    victim.kill()
    await until(lambda: len(holders(project)) == len(workers))
    (project / "go").touch()
    assert (await reached(connection, "h1", "over"))["status"] == "done"
    return victim
