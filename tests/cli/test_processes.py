"""The command line as processes: signals, pipes, leases, and stores that cannot serve."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess

import pytest

from fsm_agent.cli.commands.deliver import resume
from fsm_agent.cli.session import Session
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views.progress import Progress
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.errors import LeaseHeld
from fsm_agent.loading.yaml_file import loads
from fsm_agent.runtime.runner import Runner
from fsm_agent.stores.base import Store
from fsm_agent.stores.urls import open_store
from tests.support.shop import Shop, working

WORK = working("dawdle")
ELSEWHERE = Holder("elsewhere", 1, 1)


def at_work(shop: Shop) -> subprocess.Popen[str]:
    """A process in the middle of an action."""
    shop.write("work.yaml", WORK)
    process = shop.spawn("run", "work.yaml", "--id", "one")
    assert process.stdout is not None
    assert process.stdout.readline() == "dawdling\n"
    return process


def test_ctrl_c_keeps_the_last_step_and_says_how_to_go_on(shop: Shop) -> None:
    process = at_work(shop)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == (
        "interrupted: agent one is kept in state 'working' at version 1, and `fsm-agent resume one` goes on\n"
    )
    resumed = shop("--json", "resume", "one")
    assert (resumed.json["status"], resumed.code) == ("done", 0)


def test_an_agent_of_a_killed_process_goes_on_at_once(shop: Shop) -> None:
    process = at_work(shop)
    process.kill()
    process.communicate(timeout=20)
    assert shop("--json", "resume").json == {"driven": ["one"]}
    assert shop("--json", "show", "one").json["status"] == "done"


def test_whoever_drives_an_agent_is_named(shop: Shop) -> None:
    process = at_work(shop)
    refused = shop("resume", "one")
    process.kill()
    process.communicate(timeout=20)
    assert refused.code == 1
    assert f"agent 'one' is driven by process {process.pid} on " in refused.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_cleanly_on_a_signal(shop: Shop, number: signal.Signals) -> None:
    shop("list")
    process = shop.spawn("--json", "worker")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("watching sqlite:///fsm-agent.db")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, '{\n  "driven": []\n}\n')


def test_a_reader_that_leaves_ends_the_command_quietly(shop: Shop) -> None:
    shop.order()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        shop.command("show", "one"), cwd=shop.folder, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_no_character_of_an_agent_breaks_a_poor_terminal(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.order(item="\u2603")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    shown = shop.process("show", "one")
    assert (shown.code, "Pack \\u2603?" in shown.out) == (0, True)


# --- leases of other hosts


@pytest.fixture
def stopped_elsewhere() -> tuple[Store, Session]:
    """An agent with work to do, whose lease another host holds for a moment."""
    store = open_store("memory://")
    runner = Runner(store, actions=[packed])
    return store, Session(CommandSettings(), runner, Progress())


def packed(_: object) -> str:
    return "packed"


async def hold(store: Store, runner: Runner, *, lasting_ms: int) -> int:
    agent = await runner.start(loads(working("packed")), id="one", drive=False)
    head = await store.head(agent.id)
    return await store.claim(agent.id, head, Lease(ELSEWHERE, await store.now() + lasting_ms))


def test_a_lease_of_another_host_is_waited_for(
    stopped_elsewhere: tuple[Store, Session], capsys: pytest.CaptureFixture[str]
) -> None:
    store, session = stopped_elsewhere

    async def play() -> str:
        await hold(store, session.runner, lasting_ms=100)
        return (await resume(session, "one")).status

    assert asyncio.run(play()) == "done"
    assert "was last driven by process 1 on elsewhere: waiting until its lease ends" in capsys.readouterr().err


def test_a_holder_on_another_host_that_renews_its_lease_is_named(stopped_elsewhere: tuple[Store, Session]) -> None:
    store, session = stopped_elsewhere

    async def play() -> None:
        epoch = await hold(store, session.runner, lasting_ms=100)
        going_on = asyncio.create_task(resume(session, "one"))
        await asyncio.sleep(0)
        await store.renew("one", epoch, Lease(ELSEWHERE, await store.now() + 60_000))
        await going_on

    with pytest.raises(LeaseHeld, match="driven by process 1 on elsewhere"):
        asyncio.run(play())


# --- stores and files that cannot serve


def test_a_missing_folder_is_never_created(shop: Shop) -> None:
    refused = shop("--store", "sqlite:///nowhere/agents.db", "list")
    assert (refused.code, (shop.folder / "nowhere").exists()) == (1, False)
    assert "'nowhere'" in refused.err


@pytest.mark.parametrize("content", [b"not a database, by far" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_store_is_a_sentence_and_stays_as_it_is(shop: Shop, content: bytes) -> None:
    file = shop.folder / "fsm-agent.db"
    file.write_bytes(content)
    refused = shop("list")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert file.read_bytes() == content


def test_a_foreign_database_is_left_alone(shop: Shop) -> None:
    import sqlite3

    with sqlite3.connect(shop.folder / "fsm-agent.db") as foreign:
        foreign.execute("CREATE TABLE music (title)")
    foreign.close()
    refused = shop("list")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)


@pytest.mark.parametrize("text", ["workflow: [\n", None])
def test_an_agent_goes_on_though_its_file_was_changed_or_deleted(shop: Shop, text: str | None) -> None:
    shop.order()
    file = shop.folder / "workflows" / "order.yaml"
    file.unlink() if text is None else file.write_text(text)
    assert shop("--json", "answer", "one", "--event", "approve").json["status"] == "done"
