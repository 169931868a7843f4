"""The page of recipes: its YAML is what it says, its queries count who is due, its Python compiles."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from fsm_agent import Runner, open_store
from fsm_agent.cli.commands.worker import worker
from tests.support.payments import PAYMENT
from tests.support.runtime import flow
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import RedisServer
from tests.support.wakeups import NotedWakeups

_PAGE: Final = Path(__file__).parents[2] / "docs" / "engines.md"
_TEXT: Final = _PAGE.read_text(encoding="utf-8")
_DUE: Final = 3
LATER: Final = flow("initial: napping\nstates:\n  napping: {after: {1h: done}}\n  done: {final: true}\n")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _TEXT, re.DOTALL | re.MULTILINE)


MANIFESTS: Final[list[Any]] = [yaml.safe_load(text) for text in examples("yaml")]


def trigger(kind: str) -> Any:
    """The settings of the only trigger of that type."""
    scaled = [each["spec"]["triggers"] for each in MANIFESTS if each["kind"] == "ScaledObject"]
    [found] = [each["metadata"] for triggers in scaled for each in triggers if each["type"] == kind]
    return found


def test_a_manifest_scales_the_deployment_that_there_is() -> None:
    deployment, *scaled = MANIFESTS
    assert (deployment["apiVersion"], deployment["kind"]) == ("apps/v1", "Deployment")
    assert [each["kind"] for each in scaled] == ["ScaledObject"] * 2
    assert {each["apiVersion"] for each in scaled} == {"keda.sh/v1alpha1"}
    assert {each["spec"]["scaleTargetRef"]["name"] for each in scaled} == {deployment["metadata"]["name"]}
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"]


def test_the_worker_of_the_deployment_has_time_to_drain() -> None:
    pod = MANIFESTS[0]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    program, command, *options = container["command"]
    assert (program, command) == ("fsm-agent", "worker")
    given = worker.make_context("worker", options).params
    assert (given["at_once"], str(given["drain"])) == (100, "60s")
    assert pod["terminationGracePeriodSeconds"] * 1_000 > given["drain"].ms
    assert trigger("postgresql")["connectionFromEnv"] in {each["name"] for each in container["env"]}


def test_numbers_for_the_scaler_are_texts() -> None:
    """As KEDA wants them."""
    for kind in ("postgresql", "metrics-api"):
        assert all(isinstance(value, str) for value in trigger(kind).values())


async def due_agents(url: str) -> None:
    """Some agents that are due, and one that is not."""
    async with Runner(open_store(url), wakeups=NotedWakeups()) as runner:
        for number in range(_DUE):
            await runner.start(PAYMENT, id=f"a{number}", drive=False)
        await runner.start(LATER, id="later", drive=False)


@pytest.mark.server
def test_the_query_for_postgresql_counts_who_is_due(postgres: PostgresServer) -> None:
    url = postgres.make_database("recipes")
    asyncio.run(due_agents(url))
    assert postgres.execute(trigger("postgresql")["query"], "recipes") == [(_DUE,)]


@pytest.mark.server
def test_the_command_for_redis_counts_who_is_due(redis_server: RedisServer, redis_url: str) -> None:
    asyncio.run(due_agents(redis_url))
    [line] = [line for text in examples("console") for line in text.splitlines() if "ZCOUNT" in line]
    _, program, *words, now = shlex.split(line)
    assert (program, now) == ("redis-cli", "$(date +%s%3N)")
    assert redis_server.execute(*words, str(time.time_ns() // 1_000_000)) == _DUE


@pytest.mark.parametrize("text", examples("python"))
def test_an_example_in_python_compiles(text: str) -> None:
    compile(text, str(_PAGE), "exec")


def test_the_application_of_celery_has_a_task_that_the_page_names() -> None:
    names: dict[str, Any] = {}
    exec(examples("python")[0], names)  # noqa: S102 - it is our own page
    task = names["app"].tasks["fsm_agent.advance.default"]
    assert (task.acks_late, task.ignore_result, task.max_retries) == (False, True, 0)


def test_every_link_leads_to_something() -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _TEXT):
        assert (_PAGE.parent / target).exists(), target
