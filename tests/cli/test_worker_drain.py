"""A worker process is told to stop in the middle of an effect that may be done only once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from fsm_agent import Runner, open_store
from fsm_agent.loading.yaml_file import loads
from tests.support.shop import Shop, working

#: the effect says that it has begun, and ends when there is a file that lets it go
ACTIONS = """
import asyncio
from pathlib import Path

from fsm_agent import action


async def charge():
    with Path("charged").open("a") as file:
        file.write("once\\n")
    print("charging", flush=True)
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return {"receipt": 7}


@action
async def pay(ctx):
    await ctx.effect("charge", charge, mode="at_most_once")
    return "packed"
"""


@pytest.fixture
def paying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A project with an agent that is to pay, and that nobody drives yet."""
    monkeypatch.chdir(tmp_path)
    shop = Shop(tmp_path)
    shop.write("shop_actions.py", ACTIONS)
    asyncio.run(start())
    return shop


async def start() -> None:
    async with Runner(open_store("sqlite:///fsm-agent.db")) as runner:
        await runner.start(loads(working("pay")), id="one", drive=False)


def at_work(shop: Shop, *words: str) -> subprocess.Popen[str]:
    """A worker in the middle of the effect."""
    process = shop.spawn("worker", *words)
    assert process.stdout is not None
    assert process.stdout.readline() == "charging\n"
    return process


def charges(shop: Shop) -> int:
    return len((shop.folder / "charged").read_text().splitlines())


def test_sigterm_gives_an_effect_its_end_and_the_agent_is_done_and_not_parked(paying: Shop) -> None:
    process = at_work(paying)
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    said = next(line for line in process.stderr if line.startswith("stopping"))
    assert said == "stopping: 1 agent at work may go on for 30s; another signal stops that\n"
    (paying.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert paying.process("--json", "show", "one").json["status"] == "done"
    assert charges(paying) == 1


@pytest.mark.parametrize("words", [("worker", "--once"), ("resume",)], ids=["once", "resume"])
def test_who_drives_what_is_due_once_gives_an_effect_its_end_too(paying: Shop, words: tuple[str, ...]) -> None:
    process = paying.spawn(*words)
    assert process.stdout is not None
    assert process.stdout.readline() == "charging\n"
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("stopping: 1 agent at work may go on for 30s"))
    (paying.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert paying.process("--json", "show", "one").json["status"] == "done"
    assert charges(paying) == 1


@pytest.mark.parametrize("words", [("--drain", "0s"), ()], ids=["without a drain", "second signal"])
def test_an_effect_that_is_not_given_its_end_is_in_doubt_and_not_done_again(
    paying: Shop, words: tuple[str, ...]
) -> None:
    process = at_work(paying, *words)
    process.send_signal(signal.SIGTERM)
    if not words:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("stopping"))
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    (paying.folder / "go").touch()
    assert paying.process("worker", "--once").code == 0
    assert paying.process("--json", "show", "one").json["status"] == "parked"
    assert charges(paying) == 1
