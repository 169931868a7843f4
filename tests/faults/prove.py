"""``make prove``: every backend under faults, on servers of the tests' own, and every mutant.

    python -m tests.faults.prove [--for 10m] [--seed N] [BACKEND...]

Backends are memory, sqlite, postgres, redis and tiered, and PostgreSQL under the engines celery and temporal; without
one, all of them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import click

from fsm_agent.testing.faults import ServerControl, Subject
from fsm_agent.testing.faults.__main__ import choose_seed, handle_sigterm, run_and_print, run_options
from fsm_agent.testing.faults.mutant_runs import run_mutants
from fsm_agent.testing.faults.run import MEMORY, SQLITE
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import DURABLE, RedisServer
from tests.support.servers.temporal_server import TemporalServer


@dataclass
class OneOf:
    """Several servers, of which one is killed at a time."""

    servers: tuple[ServerControl, ...]
    rng: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - it is no secret
    killed: ServerControl | None = None

    def kill(self) -> None:
        self.killed = self.rng.choice(self.servers)
        self.killed.kill()

    def restart(self) -> None:
        if self.killed is not None:
            self.killed.restart()


@contextmanager
def postgres_subject() -> Iterator[Subject]:
    with PostgresServer() as server:
        yield Subject("postgres", server.make_database("agents"), server)


@contextmanager
def redis_subject() -> Iterator[Subject]:
    """Under the setting that promises durability."""
    with RedisServer(DURABLE) as server:
        yield Subject("redis", server.url(), server)


@contextmanager
def tiered_subject() -> Iterator[Subject]:
    """Agents that have ended or are idle are archived at once, so that agents are moved all the time."""
    with RedisServer(DURABLE) as warm, PostgresServer() as cold:
        url = f"tiered:{warm.url()},{cold.make_database('agents')},idle=1s,ended=0s"
        yield Subject("tiered", url, OneOf((warm, cold)))


@contextmanager
def celery_subject() -> Iterator[Subject]:
    """What is in the queues of its broker is lost when that is killed."""
    with PostgresServer() as server, RedisServer() as broker:
        yield Subject("celery", server.make_database("agents"), server, f"celery+{broker.url()}", broker)


@contextmanager
def temporal_subject() -> Iterator[Subject]:
    with PostgresServer() as server, TemporalServer() as temporal:
        yield Subject("temporal", server.make_database("agents"), server, temporal.url(), temporal)


@contextmanager
def alone(subject: Subject) -> Iterator[Subject]:
    yield subject


#: name -> what starts its servers
BACKENDS: dict[str, Callable[[], AbstractContextManager[Subject]]] = {
    "memory": lambda: alone(MEMORY),
    "sqlite": lambda: alone(SQLITE),
    "postgres": postgres_subject,
    "redis": redis_subject,
    "tiered": tiered_subject,
    "celery": celery_subject,
    "temporal": temporal_subject,
}


@click.command()
@click.argument("backends", nargs=-1, type=click.Choice(list(BACKENDS)))
@run_options
def main(backends: tuple[str, ...], *, seconds: float, seed: int | None, writers: int) -> None:
    """Prove BACKENDS, and catch every mutant."""
    handle_sigterm()
    seed = choose_seed(seed)
    with ExitStack() as running:
        subjects = [running.enter_context(BACKENDS[name]()) for name in backends or BACKENDS]
        holds = run_and_print(subjects, seconds=seconds, seed=seed, writers=writers)
    click.echo()
    results = list(run_mutants(seconds=min(seconds, 10), seed=seed, echo=click.echo))
    sys.exit(not (holds and all(result.broken for result in results)))


if __name__ == "__main__":
    main()
