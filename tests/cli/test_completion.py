"""What a shell offers for TAB, set up as docs/cli.md says; where nothing is known it stays silent."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.support.shop import Shop

MADE = "0199a1b2-c3d4-7e5f-8a6b-0123456789ab"


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for agent_id in ("first", MADE):
        shop("run", "workflows/order.yaml", "--id", agent_id, "--payload", '{"item": "lamp"}')
    shop("token", "new", "ana", "--scope", "read")
    return shop


def offered(shop: Shop, *line: str) -> list[str]:
    """What is offered for the last word of a line."""
    environment = {
        **os.environ,
        "_FSM_AGENT_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(["fsm-agent", *line]),
        "COMP_CWORD": str(len(line)),
    }
    program, *rest = shop.command()
    done = subprocess.run(
        [program, *rest], cwd=shop.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[1::3]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (["r"], ["review", "run", "resume", "replay", "rewind", "reseal"]),
        (["show", ""], [MADE, "first"]),
        (["show", "fi"], ["first"]),
        (["show", "45"], ["456789ab"]),
        (["show", "456789ab"], ["456789ab"]),
        (["show", "89ab"], []),
        (["show", "6789ab"], [MADE]),
        (["list", "--js"], ["--json"]),
        (["list", "--wi"], ["--wide"]),
        (["show", "--st"], ["--store"]),
        (["doctor", "--de"], ["--debug"]),
        (["show", "0199"], [MADE]),
        (["thread", "--agent", "fi"], ["first"]),
        (["send", "first", ""], ["approve", "cancel", "reject"]),
        (["answer", "456789ab", "--event", "re"], ["reject"]),
        (["send", "nobody", ""], []),
        (["run", "w"], ["workflows/order.yaml"]),
        (["check", "workflows/"], ["workflows/order.yaml"]),
        (["list", "--workflow", ""], ["order"]),
        (["list", "--status", "wa"], ["waiting"]),
        (["token", ""], ["list", "new", "revoke"]),
        (["token", "new", "ana", "--scope", "a"], ["answer", "admin"]),
        (["token", "list", "--js"], ["--json"]),
        (["token", "revoke", "an"], ["ana"]),
        (["token", "revoke", "--tokens", "none.json", ""], []),
        (["--store", "sqlite:///none.db", "show", ""], []),
        (["--store", "nonsense", "show", ""], []),
        (["--namespace", "elsewhere", "show", ""], []),
    ],
)
def test_a_shell_is_offered_what_may_stand_there(stocked: Shop, line: list[str], names: list[str]) -> None:
    assert offered(stocked, *line) == names
    assert not (stocked.folder / "none.db").exists()


def test_what_tables_print_is_completed_also_where_it_takes_more_to_tell_agents_apart(stocked: Shop) -> None:
    twin = "0199a1b2-c3d4-7e5f-8a6b-fedc456789ab"
    child = f"{MADE}.2.10"
    for agent_id in (twin, child):
        stocked("run", "workflows/order.yaml", "--id", agent_id, "--payload", '{"item": "lamp"}')
    printed = [line.split()[0] for line in stocked("list").out.splitlines()[1:]]
    assert printed == ["3456789ab", "456789ab.2.10", "c456789ab", "first"]
    assert offered(stocked, "show", "345") == ["3456789ab"]
    assert offered(stocked, "show", "c4567") == ["c456789ab"]
    assert offered(stocked, "show", "4567") == [MADE, "456789ab.2.10", twin]
    assert offered(stocked, "show", "456789ab.") == ["456789ab.2.10"]


def test_an_option_that_the_line_gives_is_heeded(stocked: Shop) -> None:
    stocked(
        "--store",
        "sqlite:///other.db",
        "run",
        "workflows/order.yaml",
        "--id",
        "elsewhere",
        "--payload",
        '{"item": "x"}',
    )
    assert offered(stocked, "--store", "sqlite:///other.db", "show", "") == ["elsewhere"]
    assert offered(stocked, "show", "--store", "sqlite:///other.db", "") == ["elsewhere"]


def test_a_workflow_file_is_one_in_any_folder_of_the_project(shop: Shop) -> None:
    for name in ("flows/a.yml", "flows/b.txt", ".hidden/c.yaml", "d.yaml"):
        file = shop.folder / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert offered(shop, "run", "") == ["d.yaml", "flows/a.yml", "workflows/order.yaml"]


def test_tab_in_a_shell_completes_the_id(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    program = stocked.folder / "bin" / "fsm-agent"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    program.write_text(f'#!/bin/sh\nexec {shlex.join(stocked.command())} "$@"\n')
    program.chmod(0o755)
    screen = pexpect.spawn("bash", ["--norc", "-i"], cwd=str(stocked.folder), encoding="utf-8", timeout=30)
    screen.sendline('eval "$(_FSM_AGENT_COMPLETE=bash_source fsm-agent)"; echo re""ady')
    screen.expect("ready")
    screen.send("fsm-agent history 456\t\r")
    screen.expect("created")
    assert "fsm-agent history 456789ab" in (screen.before or "")
    screen.sendeof()
    screen.close()
