"""Workers that Celery itself runs, as processes: they drive who is woken and who is due, and end as they are told."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fsm_agent import open_store, sync
from fsm_agent.engines import open_engine
from fsm_agent.runtime.wakeups import Wakeups
from tests.support.payments import PAYMENT, make_folder, times_done
from tests.support.servers.redis import RedisServer
from tests.support.wakeups import NotedWakeups

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 30


class Place:
    """A folder with a store and with what was done, a queue, and workers of Celery for them."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = make_folder(folder / "service")
        self.store = f"sqlite:///{folder}/agents.db"
        self.broker = broker
        self.namespace = f"n{os.urandom(4).hex()}"
        self.log = folder / "worker.log"

    @contextmanager
    def worker(self, *options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Begins when it reads its queue, or when it has ended."""
        words = [
            "--pool=threads",
            "--concurrency=4",
            "--loglevel=info",
            "-Q",
            f"fsm-agent.{self.namespace}",
            "--without-mingle",
            *options,
        ]
        command = [sys.executable, "-m", "celery", "-A", "tests.support.celery_app", "worker", *words]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(environment), stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self.until(lambda: " ready." in self.said or process.poll() is not None)
            yield process
        finally:
            process.kill()
            process.wait()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        ours = {
            "STORE": self.store,
            "ENGINE": f"celery+{self.broker}",
            "NAMESPACE": self.namespace,
            "FOLDER": str(self.folder),
        }
        return {**os.environ, "PYTHONPATH": str(ROOT), **ours, **more}

    @property
    def said(self) -> str:
        return self.log.read_text()

    def runner(self, wakeups: Wakeups | None = None) -> sync.Runner:
        engine = open_engine(f"celery+{self.broker}", namespace=self.namespace)
        return sync.Runner(open_store(self.store, namespace=self.namespace), wakeups=wakeups or engine.wakeups())

    def until(self, is_so: Callable[[], bool]) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while not is_so():
            assert time.monotonic() < until_s, self.said
            time.sleep(0.01)

    def until_resting(self, runner: sync.Runner, *agent_ids: str) -> None:
        self.until(lambda: all(runner.get(agent_id).state == "resting" for agent_id in agent_ids))


@pytest.fixture
def place(tmp_path: Path, redis_server: RedisServer) -> Place:
    return Place(tmp_path, redis_server.url())


def test_who_is_woken_is_driven_with_json_messages_and_without_a_sweep(place: Place, redis_server: RedisServer) -> None:
    names = [f"a{number}" for number in range(10)]
    with place.runner() as runner:
        for name in names:
            runner.start(PAYMENT, id=name, drive=False)
        [message, *_] = redis_server.execute("LRANGE", f"fsm-agent.{place.namespace}", 0, -1)
        assert '"content-type": "application/json"' in message
        assert '"expires": "20' in message
        assert '"eta": null' in message
        with place.worker():
            place.until_resting(runner, *names)
            runner.send(names[0], "again", drive=False)
            place.until(lambda: runner.get(names[0]).data["paid"] == 2)
    assert set(times_done(place.folder).values()) == {1}


def test_who_was_not_heard_of_is_found_by_the_sweep_of_the_worker(place: Place) -> None:
    with place.runner(NotedWakeups()) as runner, place.worker(EVERY_S="0.1"):
        runner.start(PAYMENT, id="a", drive=False)
        place.until_resting(runner, "a")


def test_what_works_when_it_stops_may_end_and_the_next_action_is_left_to_others(place: Place) -> None:
    (place.folder / "hold").touch()
    with place.runner() as runner, place.worker() as worker:
        runner.start(PAYMENT, id="a", drive=False)
        place.until((place.folder / "begun" / "a-pay").exists)
        worker.send_signal(signal.SIGTERM)
        place.until(lambda: "Warm shutdown" in place.said)
        (place.folder / "hold").unlink()
        assert worker.wait(_PATIENCE_S) == 0
        head = runner.get("a")
        assert (head.state, head.data["paid"]) == ("mailing", 1)
        assert runner.resume("a", stay=False).status == "parked"  # nobody holds it; here there is no action


def test_what_does_not_end_in_time_is_given_back(place: Place) -> None:
    (place.folder / "hold").touch()
    with place.runner() as runner, place.worker(DRAIN_S="0.1") as worker:
        runner.start(PAYMENT, id="a", drive=False)
        place.until((place.folder / "begun" / "a-pay").exists)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(_PATIENCE_S) == 0
        assert times_done(place.folder) == {}
        assert runner.resume("a", stay=False).status == "parked"


def test_a_pool_of_processes_is_refused(place: Place) -> None:
    with place.worker("--pool=prefork") as worker:
        assert worker.wait(_PATIENCE_S) == 1
    assert "agents are driven by threads: start this worker of Celery with --pool=threads" in place.said
    assert "Traceback" not in place.said


def test_a_store_that_there_is_not_is_one_sentence(place: Place) -> None:
    place.store = "sqlite:///nowhere/at/all.db"
    with place.worker() as worker:
        assert worker.wait(_PATIENCE_S) == 1
    assert "this worker of Celery cannot drive agents: " in place.said
    assert "Traceback" not in place.said


def test_a_mistake_where_the_runner_is_made_is_one_sentence(place: Place) -> None:
    with place.worker(LEASE_S="long") as worker:
        assert worker.wait(_PATIENCE_S) == 1
    assert "cannot drive agents: ValueError: could not convert string to float: 'long'" in place.said


def test_a_runner_of_another_namespace_is_one_sentence(place: Place) -> None:
    with place.worker(OPENED="other") as worker:
        assert worker.wait(_PATIENCE_S) == 1
    why = f"its runner has the agents of namespace 'other', and wake-ups name '{place.namespace}'"
    assert f"this worker of Celery cannot drive agents: {why}" in place.said
    assert "Traceback" not in place.said


def test_a_worker_whose_sweep_ends_on_a_damaged_store_ends(place: Place) -> None:
    with place.runner(NotedWakeups()) as runner, place.worker(EVERY_S="0.1") as worker:
        runner.start(PAYMENT, id="a", drive=False)
        place.until_resting(runner, "a")
        with closing(sqlite3.connect(place.store.removeprefix("sqlite:///"))) as database:
            database.execute("DROP TABLE heads")
            database.commit()
        assert worker.wait(_PATIENCE_S) == 1
    assert "this worker of Celery ends, since its sweep has: " in place.said
