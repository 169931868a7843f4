"""Burr, with the persisters that it ships: SQLite, PostgreSQL (psycopg2), Redis.

The blocking ones are used: the asynchronous one for SQLite hops to a thread at each statement. Which half is faster was
not measured. A persister is called after each step (``PersisterHook``), before the next begins, so every step is
durable. SQLite as shipped has a rollback journal; ``tuned`` switches the file to WAL (synchronous is FULL either way).
"""

from __future__ import annotations

import time
import uuid
from importlib.metadata import version
from typing import Any

from burr.core import ApplicationBuilder, State, action, expr
from burr.core.persistence import SQLitePersister

from benchmarks.matter import DATA, message, note
from benchmarks.peers.peer import run_peer


@action(reads=["count"], writes=["count", "note"])
def working(state: State) -> State:
    count = state["count"] + 1
    return state.update(count=count, note=note(count))


@action(reads=[], writes=["note"])
def waiting(state: State, poke: str) -> State:
    return state.update(note=poke)


@action(reads=["messages"], writes=["messages"])
def talking(state: State) -> State:
    return state.append(messages=message(len(state["messages"])))


class Burr:
    def open(self, where: dict[str, Any], *, tuned: bool = True) -> dict[str, Any]:
        self.close()
        self._persister = _persister(where, tuned=tuned)
        return {}

    def close(self) -> dict[str, Any]:
        if persister := self.__dict__.pop("_persister", None):
            persister.cleanup()
        return {}

    def about(self) -> dict[str, Any]:
        return {"version": version("apache-burr")}

    def steps(self, steps: int) -> dict[str, Any]:
        app = self._working(uuid.uuid4().hex, until=steps)
        began = time.perf_counter()
        app.run(halt_before=["waiting"])
        return {"seconds": time.perf_counter() - began}

    def talk(self, messages: int, *, how: str = "plain") -> dict[str, Any]:
        assert how == "plain"
        app = (
            ApplicationBuilder()
            .with_actions(talking=talking)
            .with_transitions(("talking", "talking"))
            .with_state_persister(self._persister)
            .with_identifiers(app_id=uuid.uuid4().hex, partition_key="bench")
            .with_state(messages=[])
            .with_entrypoint("talking")
            .build()
        )
        moments = []
        for number in range(messages):
            if number % (messages // 3) == 0:
                moments.append(time.perf_counter())
            app.step()
        moments.append(time.perf_counter())
        return {"moments": moments}

    def crowd(self, agents: int) -> dict[str, Any]:
        for _ in range(agents):
            self._working(uuid.uuid4().hex, until=1).run(halt_before=["waiting"])
        return {}

    def long(self, steps: int) -> dict[str, Any]:
        agent = uuid.uuid4().hex
        self._working(agent, until=steps).run(halt_before=["waiting"])
        return {"agent": agent}

    def deliver(self, agent: str) -> None:
        app = self._working(agent, until=0)
        app.run(halt_after=["waiting"], inputs={"poke": "poked"})

    def _working(self, agent: str, *, until: int) -> Any:
        """A new agent, or the one of this id where it stands."""
        return (
            ApplicationBuilder()
            .with_actions(working=working, waiting=waiting)
            .with_transitions(
                ("working", "working", expr("count < until")), ("working", "waiting"), ("waiting", "waiting")
            )
            .with_state_persister(self._persister)
            .with_identifiers(app_id=agent, partition_key="bench")
            .initialize_from(
                self._persister,
                resume_at_next_action=True,
                default_state={**DATA, "until": until},
                default_entrypoint="working",
            )
            .build()
        )


def _persister(where: dict[str, Any], *, tuned: bool) -> Any:
    match where["backend"]:
        case "sqlite":
            persister = SQLitePersister.from_values(db_path=where["path"])
            if tuned:
                persister.connection.execute("PRAGMA journal_mode = WAL")
                persister.connection.execute("PRAGMA synchronous = FULL")
        case "postgres":
            from burr.integrations.persisters.b_psycopg2 import PostgreSQLPersister

            persister = PostgreSQLPersister.from_values(
                db_name=where["database"], user=where["user"], password="", host=where["host"], port=where["port"]
            )
        case _:
            from burr.integrations.persisters.b_redis import RedisBasePersister

            return RedisBasePersister.from_values(host=where["host"], port=where["port"], db=where["database"])
    persister.initialize()
    return persister


if __name__ == "__main__":
    run_peer(Burr())
