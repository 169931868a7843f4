"""A small project on disk for tests of the command line: workflows, actions, and two ways to run a command in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from fsm_agent.cli.main import main

PYPROJECT = '[tool.fsm-agent]\nmodules = ["shop_actions"]\n'

ACTIONS = """
import time
from pathlib import Path

from fsm_agent import action


@action
def pack(ctx):
    if ctx.data.item == "bomb":
        raise ValueError("this may not be sent")
    if ctx.data.item == "glass":
        return "vanished"
    return "packed"


@action
def dawdle(ctx):
    # never ends, but for the second time
    dawdled = Path(__file__).with_name("dawdled")  # a thread that outlives its test must not leave it to the next one
    if dawdled.exists():
        return "packed"
    dawdled.touch()
    print("dawdling", flush=True)
    time.sleep(60)


@action
def fail_once(ctx):
    try:
        Path("failed").touch(exist_ok=False)
    except FileExistsError:
        return "packed"
    raise ConnectionError("no line")
"""

ORDER = """
workflow: order
version: 1
description: Packs one thing, once somebody says how.
data:
  item: string?
  wrap: string?
events:
  ordered: {item: {type: string, minLength: 1}}
  approve: {}
  reject: {reason: string}
  packed: {}
initial: new
states:
  new:
    on:
      ordered: {target: asking, assign: {item: event.item}}
  asking:
    ask:
      prompt: "Pack {{ data.item }}?"
      events: [approve, reject]
    after: {3d: lapsed}
    on:
      approve: packing
      reject: {target: rejected, assign: {wrap: event.reason}}
  packing:
    do: pack
    on:
      packed: sent
      error: failed
  sent: {final: true, output: {item: data.item}}
  rejected: {final: true, outcome: cancelled}
  lapsed: {final: true, outcome: cancelled}
  failed: {final: true, outcome: failed}
"""

FORM = """
workflow: form
version: 1
data:
  given: object?
events:
  filled:
    day: date
    count: {type: integer, minimum: 1}
    colour: {type: string, enum: [red, green]}
    fragile: boolean
    note: string?
initial: asking
states:
  asking:
    ask: {prompt: "What shall it be?", events: [filled]}
    after: {1d: done}
    on:
      filled: {target: done, assign: {given: "{'day': event.day, 'count': event.count, 'colour': event.colour}"}}
  done: {final: true, output: {given: data.given}}
"""


def working(do: str, *, extra: str = "") -> str:
    """A workflow of one state with an action, which begins at once."""
    return f"""
workflow: work
version: 1
events:
  packed: {{}}
initial: working
states:
  working:
    do: {do}
    {extra}
    on:
      packed: done
  done: {{final: true}}
"""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shop:
    """A folder with a project in it."""

    def __init__(self, folder: Path, *, is_empty: bool = False) -> None:
        self.folder = folder
        if is_empty:
            return
        self.write("pyproject.toml", PYPROJECT)
        self.write("shop_actions.py", ACTIONS)
        self.write("workflows/order.yaml", ORDER)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def __call__(self, *words: str) -> Outcome:
        """Run a command in this process."""
        with _as_it_was():
            result = CliRunner().invoke(main, words, catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def order(self, agent_id: str = "one", *, item: str = "book") -> Outcome:
        return self("--json", "run", "workflows/order.yaml", "--id", agent_id, "--payload", json.dumps({"item": item}))

    def strand(self) -> Outcome:
        """Park an agent in a state whose action is gone."""
        self.order()
        self.write("shop_actions.py", "gone = True\n")
        return self("--json", "answer", "one", "--event", "approve")

    def command(self, *words: str) -> list[str]:
        """A command line for a process of its own."""
        return [sys.executable, "-c", "from fsm_agent.cli.main import main; main()", *words]

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        """A command at work in a process of its own."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*words), cwd=self.folder, stdout=pipe, stderr=pipe, text=True)

    def process(self, *words: str) -> Outcome:
        """Run a command in a process of its own."""
        line = self.command(*words)
        done = subprocess.run(line, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)
        return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """The actions of another test's project must not be found."""
    path, here = list(sys.path), Path.cwd()
    try:
        yield
    finally:
        sys.path[:] = path
        sys.modules.pop("shop_actions", None)
        os.chdir(here)
