"""A process that will be killed: it books a flight, and prints how far it has come.

    python -m tests.faults.flight_process book|resume DATABASE GOAL

It prints ``action`` at the beginning and at the end of an action; ``commit`` and the first words of each statement of a
transaction that writes; ``kept VERSION`` when a step is durable; ``between`` after a transaction. With
``HALT=action:3`` it halts at the third line ``action``, and goes on when its standard input ends.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections import Counter
from typing import Any

import apsw

from examples.book_flight import actions as gallery
from fsm_agent import Runner, action, open_store
from fsm_agent.actions.action import Action, Mode
from fsm_agent.actions.registry import Actions
from fsm_agent.domain.agent import Head

from .flight_booking import ID, book_flight

_KIND, _, _NUMBER = os.environ.get("HALT", "nowhere:0").partition(":")
_counts: Counter[str] = Counter()


def say(line: str) -> None:
    """Print a line without a buffer, so that it can be read after a kill."""
    os.write(1, f"{line}\n".encode())
    _counts[line] += 1
    if line == _KIND and _counts[line] == int(_NUMBER):
        os.read(0, 1)


def announce_statements(db: apsw.Connection) -> None:
    """Print a line before each statement of a transaction that writes, before its commit, and after it."""
    is_writing = False

    def trace(_: apsw.Cursor, sql: str, __: Any) -> bool:
        nonlocal is_writing
        is_writing = is_writing or sql.startswith("BEGIN IMMEDIATE")
        if is_writing:
            say(" ".join(["commit", *sql.split()[:3]]))
        return True

    def committing() -> bool:
        say("commit now")
        return False

    def committed(*_: Any) -> int:
        nonlocal is_writing
        is_writing = False
        say("between")
        return apsw.SQLITE_OK

    db.set_exec_trace(trace)
    db.set_commit_hook(committing)
    db.set_wal_hook(committed)


def announced(known: Action) -> Any:
    """The action, which prints a line when it begins and when it ends, before its step is committed."""

    @action(name=known.name, emits=known.signature.emits, inline=known.mode is Mode.INLINE)
    @functools.wraps(known.function, updated=())
    def work(*args: Any, **arguments: Any) -> Any:
        say("action")
        event = known.function(*args, **arguments)
        say("action")
        return event

    return work


async def main(operation: str, database: str, goal: str) -> None:
    known = Actions(modules=[gallery.__name__])
    actions = [announced(known.find(name)) for name in known.names()]
    async with Runner(open_store(f"sqlite:///{database}"), actions=actions, observe=_kept) as runner:
        await (runner.resume(ID) if operation == "resume" else book_flight(runner, goal))


def _kept(head: Head) -> None:
    say(f"kept {head.version}")


if __name__ == "__main__":
    apsw.connection_hooks.append(announce_statements)
    asyncio.run(main(*sys.argv[1:]))
