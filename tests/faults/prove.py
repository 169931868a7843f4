"""``make prove``: every backend under faults, on servers of the tests' own, and every mutant.

    python -m tests.faults.prove [--for 10m] [--seed N] [BACKEND...]

Backends are memory, sqlite, postgres, redis and tiered; without one, all of them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

import click

from fsm_agent.testing.faults import ServerControl, Subject
from fsm_agent.testing.faults.__main__ import end_like_ctrl_c, of_a_run, proves, some_seed
from fsm_agent.testing.faults.mutant_runs import catch_all
from fsm_agent.testing.faults.run import MEMORY, SQLITE
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.redis import DURABLE, RedisServer


@dataclass
class OneOf:
    """Several servers: each time another one dies."""

    servers: tuple[ServerControl, ...]
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - it is no secret
    killed: ServerControl | None = None

    def kill(self) -> None:
        self.killed = self.chance.choice(self.servers)
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
    """Who has ended or rests is archived at once, so that agents are on the move all the time."""
    with RedisServer(DURABLE) as warm, PostgresServer() as cold:
        url = f"tiered:{warm.url()},{cold.make_database('agents')},idle=1s,ended=0s"
        yield Subject("tiered", url, OneOf((warm, cold)))


@contextmanager
def alone(subject: Subject) -> Iterator[Subject]:
    yield subject


#: name -> what must run meanwhile
BACKENDS: dict[str, Callable[[], AbstractContextManager[Subject]]] = {
    "memory": lambda: alone(MEMORY),
    "sqlite": lambda: alone(SQLITE),
    "postgres": postgres_subject,
    "redis": redis_subject,
    "tiered": tiered_subject,
}


@click.command()
@click.argument("backends", nargs=-1, type=click.Choice(list(BACKENDS)))
@of_a_run
def main(backends: tuple[str, ...], *, seconds: float, seed: int | None, writers: int) -> None:
    """Prove BACKENDS, and catch every mutant."""
    end_like_ctrl_c()
    seed = some_seed(seed)
    with ExitStack() as running:
        subjects = [running.enter_context(BACKENDS[name]()) for name in backends or BACKENDS]
        holds = proves(subjects, seconds=seconds, seed=seed, writers=writers)
    click.echo()
    caught = list(catch_all(seconds=min(seconds, 10), seed=seed, say=click.echo))
    sys.exit(not (holds and all(each.broken for each in caught)))


if __name__ == "__main__":
    main()
