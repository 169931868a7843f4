"""DBOS, with its system database in PostgreSQL or in SQLite.

A workflow is a function whose steps are recorded: what a step returns is kept, the state in between is made anew by
running the function again. So each step returns what it changes, as ours does. An agent that waits is a workflow in
``recv``, and a fresh process finds it by ``launch``. ``tuned``: the SQLite file, which has a rollback journal as
shipped, is switched to WAL, and messages are looked for every 10 ms instead of every second (PostgreSQL notifies).
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
import uuid
from importlib.metadata import version
from typing import Any

from dbos import DBOS, SetWorkflowID

from benchmarks.matter import DATA, message, note
from benchmarks.peers.peer import run_peer

_MONTH_S = 30 * 24 * 3_600
_waiting = threading.Semaphore(0)
_taken: queue.SimpleQueue[str] = queue.SimpleQueue()  # those of earlier processes, too, which are replayed
_moments: list[float] = []


@DBOS.step()
def work(count: int) -> dict[str, Any]:
    return {"count": count + 1, "note": note(count + 1)}


@DBOS.step()
def take(word: str) -> dict[str, Any]:
    return {"note": word}


@DBOS.step()
def say(number: int) -> dict[str, str]:
    return message(number)


@DBOS.workflow()
def working(data: dict[str, Any]) -> None:
    _moments.append(time.perf_counter())
    while data["count"] < data["until"]:
        data.update(work(data["count"]))
    _moments.append(time.perf_counter())


@DBOS.workflow()
def living(data: dict[str, Any]) -> None:
    while data["count"] < data["until"]:
        data.update(work(data["count"]))
    _waiting.release()
    while True:
        word = DBOS.recv(timeout_seconds=_MONTH_S)
        data.update(take(word))
        _taken.put(word)


@DBOS.workflow()
def talking(messages: int) -> None:
    said: list[dict[str, str]] = []
    for number in range(messages):
        if number % (messages // 3) == 0:
            _moments.append(time.perf_counter())
        said.append(say(number))
    _moments.append(time.perf_counter())


class Dbos:
    _is_open = False

    def about(self) -> dict[str, Any]:
        return {"version": version("dbos")}

    def open(self, where: dict[str, Any], *, tuned: bool = True) -> dict[str, Any]:
        self.close()
        if where["backend"] == "sqlite":
            url = f"sqlite:///{where['path']}"
            if tuned:
                with sqlite3.connect(where["path"]) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                connection.close()
        else:
            url = where["url"]
        config: dict[str, Any] = {
            "name": "bench",
            "system_database_url": url,
            "log_level": "ERROR",
            "application_version": "1",
            "max_executor_threads": 3_000,
        }
        if tuned:
            config["notification_listener_polling_interval_sec"] = 0.01
        DBOS(config=config)
        DBOS.launch()
        self._is_open = True
        return {}

    def close(self) -> dict[str, Any]:
        if self._is_open:
            DBOS.destroy(workflow_completion_timeout_sec=0)
            self._is_open = False
        return {}

    def steps(self, steps: int) -> dict[str, Any]:
        _moments.clear()
        working({**DATA, "until": steps})
        return {"seconds": _moments[1] - _moments[0]}

    def talk(self, messages: int, *, how: str = "plain") -> dict[str, Any]:
        _moments.clear()
        talking(messages)
        return {"moments": list(_moments)}

    def crowd(self, agents: int) -> dict[str, Any]:
        for _ in range(agents):
            self._live(1)
        return {}

    def long(self, steps: int) -> dict[str, Any]:
        return {"agent": self._live(steps)}

    def deliver(self, agent: str) -> None:
        word = f"poked {uuid.uuid4().hex}"
        DBOS.send(agent, word)
        while _taken.get(timeout=60) != word:
            continue

    def _live(self, steps: int) -> str:
        agent = uuid.uuid4().hex
        with SetWorkflowID(agent):
            DBOS.start_workflow(living, {**DATA, "until": steps})
        if not _waiting.acquire(timeout=300):
            raise TimeoutError("the workflow did not come to wait within 300 s")
        return agent


if __name__ == "__main__":
    run_peer(Dbos())
