"""The blocking twin does what the runner does, and lets go of everything when it is closed."""

from __future__ import annotations

import inspect
import threading
from pathlib import Path

import pytest

from fsm_agent import sync
from fsm_agent.actions.action import action
from fsm_agent.actions.context import Context
from fsm_agent.domain.agent import Status
from fsm_agent.errors import IllegalEvent, StoreUnavailable
from fsm_agent.runtime import runner
from fsm_agent.stores.memory.store import MemoryStore
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import flow, story

FLOW = flow("""
    events: {go: {}, ok: {}, yes: {}, never: {}}
    initial: idle
    states:
      idle: {on: {go: working}}
      working: {do: work, on: {ok: asking, never: idle}}
      asking: {ask: {prompt: Well?, events: [yes]}, on: {yes: done}}
      done: {final: true}
""")


@action(name="work")
def work(ctx: Context) -> str:
    return "ok"


def test_it_has_every_verb_of_the_runner_with_the_same_arguments() -> None:
    verbs = {
        name: inspect.signature(method).parameters.keys()
        for name, method in inspect.getmembers(runner.Runner)
        if inspect.iscoroutinefunction(method) and not name.startswith("_") and name != "close"
    }
    assert verbs == {name: inspect.signature(vars(sync.Runner)[name]).parameters.keys() for name in verbs}
    assert inspect.getdoc(sync.Runner.send) == inspect.getdoc(runner.Runner.send)


def test_it_is_made_as_the_runner_is_but_for_an_executor() -> None:
    given = inspect.signature(runner.Runner).parameters.keys() - {"executor"}
    assert inspect.signature(sync.Runner).parameters.keys() == given


def test_its_leases_are_as_long_as_it_is_told() -> None:
    clock, ends = FakeClock(), []
    store = MemoryStore(clock=clock)

    @action(name="work", inline=True)
    async def look(ctx: Context) -> str:
        lease = (await store.head(ctx.agent_id)).lease
        ends.append(lease and lease.until_ms - clock())
        return "ok"

    with sync.Runner(store, actions=[look], lease_s=60) as twin:
        twin.start(FLOW, "go", id="a")
    assert ends == [60_000]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_an_agent_is_driven_from_blocking_code(kind: str, tmp_path: Path) -> None:
    seen = []
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path / 'agents.db'}"
    with sync.Runner(open_store(url), actions=[work], observe=lambda head: seen.append(head.version)) as runner:
        agent = runner.start(FLOW, "go", id="a")
        assert (agent.state, agent.question and agent.question.prompt) == ("asking", "Well?")
        with pytest.raises(IllegalEvent):
            runner.send("a", "go")
        assert runner.answer("a").status is Status.DONE
        assert story(runner.history("a"))[-1] == "event yes asking>done"
        assert runner.get("a").status is Status.DONE
    assert seen == [2, 2, 3, 4]


def test_closing_ends_the_thread_and_gives_leases_up() -> None:
    begun, go_on = threading.Event(), threading.Event()
    store = open_store("memory://")

    @action(name="work")
    def wait(ctx: Context) -> str:
        begun.set()
        go_on.wait(10)
        return "ok"

    twin = sync.Runner(store, actions=[wait])
    outcome: list[BaseException] = []

    def start() -> None:
        try:
            twin.start(FLOW, "go", id="a")
        except BaseException as error:
            outcome.append(error)

    caller = threading.Thread(target=start)
    caller.start()
    assert begun.wait(10)
    twin.close()
    caller.join(10)
    go_on.set()
    assert [type(error).__name__ for error in outcome] == ["CancelledError"]
    assert "fsm-agent portal" not in {thread.name for thread in threading.enumerate()}
    with sync.Runner(store, actions=[work]) as again:
        assert again.resume("a").state == "asking"


def test_many_threads_share_one_runner() -> None:
    with sync.Runner(open_store("memory://"), actions=[work]) as runner:
        threads = [threading.Thread(target=runner.start, args=(FLOW, "go"), kwargs={"key": "k"}) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert runner.start(FLOW, "go", key="k").delivery == "duplicate"


def test_a_blocking_call_on_the_loop_itself_is_an_error_and_no_deadlock() -> None:
    @action(name="work")
    async def work_that_blocks(ctx: Context) -> str:
        runner.get(ctx.agent_id)
        return "ok"

    with sync.Runner(open_store("memory://"), actions=[work_that_blocks]) as runner:
        agent = runner.start(FLOW, "go")
        assert agent.error is not None
        assert agent.error["message"].startswith("a blocking call would wait for itself here")


def test_closing_ends_the_thread_though_the_store_cannot_be_closed() -> None:
    class Stuck(MemoryStore):
        async def close(self) -> None:
            raise StoreUnavailable("stuck")

    with pytest.raises(StoreUnavailable):
        sync.Runner(Stuck()).close()
    assert "fsm-agent portal" not in {thread.name for thread in threading.enumerate()}
