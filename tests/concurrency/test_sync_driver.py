"""Blocking code steps coroutines itself until they have to wait: what comes of it is what comes of a loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.concurrency import event_loop
from fsm_agent.concurrency import sync_driver as driver
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.errors import FsmAgentError
from fsm_agent.runtime.scripted.clock import FakeClock
from fsm_agent.stores.sqlite.store import SqliteStore
from fsm_agent.sync import Runner
from tests.support.runtime import flow

FLOW = flow("""
    data: {amount: integer?, note: string?}
    events: {go: {amount: integer}, note: {text: string}, work: {}, ok: {}, yes: {}, stop: {}}
    initial: idle
    states:
      idle:
        on:
          go: {target: asking, when: event.amount > 1, assign: {amount: event.amount}}
          note: {assign: {note: event.text}}
          work: working
      working: {do: work, on: {ok: asking}}
      asking: {ask: {prompt: Well?, events: [yes]}, on: {yes: done, work: working}}
      done: {final: true}
""")

Script = Callable[[Runner], Any]
#: one scenario a line; each is played on an agent "a" that waits in `idle`
SCRIPTS: dict[str, list[Script]] = {
    "an event": [lambda run: run.send("a", "go", {"amount": 2})],
    "an event that stays": [lambda run: run.send("a", "note", {"text": "x"})],
    "an event and an answer": [lambda run: run.send("a", "go", {"amount": 2}), lambda run: run.answer("a")],
    "a guard that refuses": [lambda run: run.send("a", "go", {"amount": 1})],
    "an illegal event": [lambda run: run.send("a", "yes")],
    "a payload that is wrong": [lambda run: run.send("a", "go", {"amount": "two"})],
    "an agent that is unknown": [lambda run: run.send("b", "go")],
    "a version that has passed": [lambda run: run.send("a", "go", {"amount": 2}, expect_version=7)],
    "a key that is used twice": [
        lambda run: run.send("a", "note", {"text": "x"}, key="k"),
        lambda run: run.send("a", "note", {"text": "x"}, key="k"),
        lambda run: run.send("a", "note", {"text": "y"}, key="k"),
    ],
    "an action": [lambda run: run.send("a", "work"), lambda run: run.answer("a")],
    "an action between events": [
        lambda run: run.send("a", "go", {"amount": 3}),
        lambda run: run.send("a", "work"),
        lambda run: run.send("a", "stop"),
        lambda run: run.answer("a"),
    ],
    "a cancellation": [lambda run: run.cancel("a"), lambda run: run.cancel("a")],
    "a rewind": [lambda run: run.send("a", "go", {"amount": 2}), lambda run: run.rewind("a", 1)],
    "a fork": [lambda run: run.fork("a", id="c"), lambda run: run.get("c")],
    "an agent of the past": [lambda run: run.send("a", "note", {"text": "x"}), lambda run: run.get("a", at=1)],
    "a worker's agent": [lambda run: run.send("a", "work", drive=False), lambda run: run.resume("a")],
}


class OnLoop(SqliteStore):
    """The same store, for which a loop runs from the first call on."""

    needs_loop = True


@action(name="work")
def work(ctx: Context) -> str:
    return "ok"


def played(kind: type[SqliteStore], path: Path, scripts: list[Script]) -> list[Any]:
    """What every call of a scenario gives or raises, and the history that is left."""
    said: list[Any] = []
    with Runner(kind(path, clock=FakeClock()), actions=[work]) as runner:
        runner.start(FLOW, id="a")
        for script in scripts:
            try:
                said.append(script(runner))
            except FsmAgentError as error:
                said.append((type(error), str(error)))
        said.append([step._replace(duration_ms=None) for step in runner.history("a")])
    return said


def has_portal() -> bool:
    return any(thread.name == "fsm-agent portal" for thread in threading.enumerate())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_scenario_ends_alike_with_and_without_a_loop(name: str, tmp_path: Path) -> None:
    without = played(SqliteStore, tmp_path / "without.db", SCRIPTS[name])
    assert without == played(OnLoop, tmp_path / "with.db", SCRIPTS[name])


def test_the_loop_begins_with_the_first_action(tmp_path: Path) -> None:
    with Runner(SqliteStore(tmp_path / "agents.db"), actions=[work]) as runner:
        runner.start(FLOW, id="a")
        runner.send("a", "go", {"amount": 2})
        assert not has_portal()
        runner.send("a", "work")
        assert has_portal()
    assert not has_portal()


def test_a_locked_database_is_waited_for_and_named(tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    with Runner(SqliteStore(path, patience_ms=1)) as runner:
        runner.start(FLOW, id="a")
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FsmAgentError, match="is locked by another process"):
            runner.send("a", "note", {"text": "x"})
        other.execute("ROLLBACK")
        other.close()
        assert runner.send("a", "note", {"text": "x"}).version == 2


def test_within_a_loop_of_the_caller_the_portal_has_its_own(tmp_path: Path) -> None:
    async def blocking() -> int:
        with Runner(SqliteStore(tmp_path / "agents.db")) as runner:
            version = runner.start(FLOW, id="a").version
            assert has_portal()
            return version

    assert asyncio.run(blocking()) == 1


def test_an_observer_that_calls_its_runner_is_told_so(tmp_path: Path) -> None:
    with Runner(SqliteStore(tmp_path / "agents.db"), observe=lambda head: runner.get(head.id)) as runner:
        with pytest.raises(RuntimeError, match="a blocking call would wait for itself here"):
            runner.start(FLOW, id="a")
        assert runner.get("a").state == "idle"


class Pressed(SqliteStore):
    """Somebody presses Ctrl-C just before a step is written."""

    async def commit(self, commit: Commit) -> Committed:
        signal.raise_signal(signal.SIGINT)
        return await super().commit(commit)


def test_ctrl_c_cuts_no_step_in_two(tmp_path: Path) -> None:
    with Runner(Pressed(tmp_path / "agents.db")) as runner:
        runner.start(FLOW, id="a")
        with pytest.raises(KeyboardInterrupt):
            runner.send("a", "note", {"text": "x"})
        assert runner.get("a").data["note"] == "x"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_the_first_wait_cancels_it_and_what_must_be_done_is_done() -> None:
    done: list[str] = []

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("went on")
        try:
            await event_loop.reach()
            done.append("too far")
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    with pytest.raises(KeyboardInterrupt):
        driver.run(work())
    assert done == ["went on", "cleaned up"]


def test_who_presses_ctrl_c_twice_means_it() -> None:
    async def stuck() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    with pytest.raises(KeyboardInterrupt):
        driver.run(stuck())


def test_a_coroutine_goes_on_where_it_stands() -> None:
    seen: list[bool] = []

    async def work() -> str:
        seen.append(event_loop.is_running())
        await event_loop.give_way()
        await event_loop.reach()
        seen.append(event_loop.is_running())
        await asyncio.sleep(0)
        return "done"

    assert (driver.run(work()), seen) == ("done", [False, True])
