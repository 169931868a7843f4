"""Who a process is: a pid says something only within one boot and one PID namespace."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease
from fsm_agent.errors import LeaseHeld
from fsm_agent.runtime import processes
from fsm_agent.runtime.processes import is_alive, this_host, this_process
from fsm_agent.runtime.runner import Runner
from fsm_agent.runtime.worker import Worker
from fsm_agent.stores.urls import open_store
from fsm_agent.testing import FakeClock
from tests.support.runtime import dead_process, flow, on_loop

WORK = flow("""
    events: {ok: {}}
    initial: working
    states: {working: {do: work, on: {ok: done}}, done: {final: true}}
""")

#: a worker that takes one turn; its action waits until it is told to go on
WORKER = """
import asyncio, sys
from fsm_agent import Runner, Worker, action, open_store

@action(name="work")
def work(ctx):
    print("begun", flush=True)
    sys.stdin.readline()
    return "ok"

async def main():
    async with Runner(open_store(sys.argv[1]), actions=[work]) as runner:
        print("drove", await Worker(runner).run_once(), flush=True)

asyncio.run(main())
"""


def elsewhere() -> Holder:
    """Somebody on a host of our name, with our pid, in another PID namespace."""
    here = this_process()
    return here._replace(host=f"{here.host}9" if here.is_located else f"{here.host}/boot/9")


def test_a_holder_says_where_its_pid_means_something() -> None:
    name, boot_id, namespace = this_host().split("/")
    assert name == platform.node()
    assert boot_id == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert str(Path("/proc/self/ns/pid").readlink()) == f"pid:[{namespace}]"
    assert str(this_process()) == f"process {os.getpid()} on {platform.node()}"


def test_this_process_lives_and_a_later_one_with_its_pid_is_another() -> None:
    here = this_process()
    assert is_alive(here) is True
    assert is_alive(here._replace(started_ms=0)) is False
    assert is_alive(Holder(here.host, os.getppid(), 0)) is False
    assert is_alive(Holder(here.host, os.getppid(), here.started_ms)) is True
    assert is_alive(dead_process()) is False


def test_of_another_boot_another_namespace_and_another_host_nothing_is_known() -> None:
    name, boot_id, namespace = this_host().split("/")
    places = (f"{name}/{boot_id}/1", f"{name}/another-boot/{namespace}", f"other/{boot_id}/{namespace}", "other")
    for pid in (os.getpid(), os.getppid(), dead_process().pid):
        for place in places:
            assert is_alive(Holder(place, pid, this_process().started_ms)) is None


def test_of_who_took_a_lease_before_boot_ids_were_told_nothing_is_known() -> None:
    for pid in (os.getpid(), dead_process().pid):
        assert is_alive(Holder(platform.node(), pid, 1)) is None


def test_where_the_system_tells_neither_only_this_very_process_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(path: str) -> str:
        raise FileNotFoundError(path)

    _believing_to_be_born_now(monkeypatch, "readlink", nothing)
    assert this_host() == platform.node()
    assert is_alive(this_process()) is True
    assert is_alive(this_process()._replace(started_ms=0)) is None
    assert is_alive(Holder(platform.node(), dead_process_there(), 10**15)) is None


def test_nor_is_more_known_where_the_processes_of_another_namespace_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    _believing_to_be_born_now(monkeypatch, "readlink", lambda path: "pid:[5]" if path.endswith("pid") else "77")
    assert this_host() == platform.node()


def _believing_to_be_born_now(monkeypatch: pytest.MonkeyPatch, name: str, told: object) -> None:
    processes._holder.cache_clear()
    monkeypatch.setattr(os, name, told)


@pytest.fixture(autouse=True)
def _who_we_were(monkeypatch: pytest.MonkeyPatch) -> object:
    """No other test sees whom this process believed to be."""
    yield
    monkeypatch.undo()
    processes._holder.cache_clear()


def dead_process_there() -> int:
    """The pid of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


FORKS = """
import json, os, time
from fsm_agent.runtime.processes import is_alive, this_process

os.getpid = lambda: 1  # as the first process of a namespace has it, and the first of the next one
parent = this_process()
reads, writes = os.pipe()
if not os.fork():
    while time.time() * 1000 < parent.started_ms + 2:
        pass
    os.write(writes, json.dumps([this_process(), is_alive(this_process())]).encode())
    os._exit(0)
os.wait()
print(json.dumps([this_process() == parent, *json.loads(os.read(reads, 1_000)), parent]))
"""


def test_a_fork_is_a_living_holder_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    parent_is_itself, child, child_lives, parent = json.loads(done.stdout)
    assert (parent_is_itself, child_lives, child != parent) == (True, True, True)


async def left_by(holder: Holder, runner: Runner) -> Head:
    """An agent ``a`` that ``holder`` has begun to drive."""
    await runner.start(WORK, id="a", drive=False)
    await runner.store.claim("a", await runner.store.head("a"), Lease(holder, await runner.store.now() + LEASE_MS))
    return await runner.store.head("a")


@pytest.mark.parametrize("holder", [elsewhere(), Holder(platform.node(), os.getpid(), 1)], ids=["container", "before"])
@on_loop
async def test_whoever_is_not_known_is_believed_until_the_lease_runs_out(holder: Holder) -> None:
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock), actions=[_ok()]) as runner:
        await left_by(holder, runner)
        assert await Worker(runner).run_once() == 0
        with pytest.raises(LeaseHeld):
            await runner.resume("a")
        clock.advance(milliseconds=LEASE_MS)
        assert await Worker(runner).run_once() == 1
        assert (await runner.get("a")).status is Status.DONE


def _ok() -> object:
    from fsm_agent.actions.action import action
    from fsm_agent.actions.context import Context

    @action(name="work")
    async def work(ctx: Context) -> str:
        return "ok"

    return work


@cache
def in_a_namespace() -> list[str] | None:
    """How a process gets a PID namespace of its own, if that is allowed here."""
    for more in (["--mount-proc"], ["--user", "--map-root-user", "--mount-proc"], []):
        words = ["unshare", "--pid", "--fork", "--kill-child", *more]
        try:
            subprocess.run([*words, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return words
    return None


def test_workers_of_one_host_name_in_two_pid_namespaces_steal_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/agents.db"
    asyncio.run(_started(url))
    words = in_a_namespace()
    if words is None:  # then somebody of another namespace is made by hand
        asyncio.run(_stolen_by_nobody(url))
        return
    line = [*words, sys.executable, "-c", WORKER, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "begun\n"
        second = subprocess.run(line, input="\n", capture_output=True, text=True, check=True, timeout=60)
        first.stdin.write("\n")
        first.stdin.close()
        assert (second.stdout, first.stdout.read()) == ("drove 0\n", "drove 1\n")
    assert asyncio.run(_told(url)) == (Status.DONE, 2, None)


async def _started(url: str) -> None:
    async with Runner(open_store(url)) as runner:
        await runner.start(WORK, id="a", drive=False)


async def _stolen_by_nobody(url: str) -> None:
    async with Runner(open_store(url), actions=[_ok()]) as runner:
        lease = Lease(elsewhere(), await runner.store.now() + LEASE_MS)
        await runner.store.claim("a", await runner.store.head("a"), lease)
        assert await Worker(runner).run_once() == 0


async def _told(url: str) -> tuple[Status, int, Lease | None]:
    async with open_store(url) as store:
        head = await store.head("a")
        return head.status, head.version, head.lease
