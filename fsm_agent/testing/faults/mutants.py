"""Stores that break a promise; the checker must catch each of them.

A mutant is the SQLite store with a few words of its source replaced. Only the writers of a run use it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Final, NamedTuple


class Change(NamedTuple):
    """``code``, which occurs once in ``module``, is replaced by ``instead``."""

    module: str
    code: str
    instead: str


class Mutant(NamedTuple):
    """What is removed from the store, and a promise that the store then breaks. If it breaks only in certain moments,
    the mutant names the failpoint and the faults of the nemesis that lead there."""

    description: str
    promise: str
    changes: tuple[Change, ...]
    failpoint: str | None = None
    faults: tuple[str, ...] = ()


_WRITES: Final = "fsm_agent.stores.sqlite.writes"
#: Plain steps have a code path of their own here, so each mutant changes both paths.
_COMMITS: Final = "fsm_agent.stores.sqlite.commits"

_LEASES: Final = "fsm_agent.stores.sqlite.leases"
_DUE_TIMES: Final = "fsm_agent.stores.sqlite.due_times"
_INDEXES: Final = "fsm_agent.stores.sqlite.indexes"
_LISTS: Final = "lists have everybody who belongs to them"

_MOVED: Final = "db.execute(_MOVE, (*moving, epoch, namespace, head.id))"
_MOVED_PLAIN: Final = "execute(update, moved)"


def _split(statement: str, rest: str) -> str:
    """The update of the head in two transactions: first the head, then its reference to the last step."""
    move = f'db.execute({statement}.replace("last_insert_rowid()", "last_step"), {rest})'
    name = 'db.execute("UPDATE heads SET last_step = last_insert_rowid() WHERE id = ?", (commit.head.id,))'
    return f'{move}; db.execute("COMMIT"); db.execute("BEGIN IMMEDIATE"); {name}'


MUTANTS: Final = {
    "no-compare-and-set": Mutant(
        "a step is written whatever version the agent has",
        "single writer",
        (
            Change(_COMMITS, "now.version != stands_on or is_fenced", "is_fenced"),
            Change(_COMMITS, " AND version = ? AND epoch", " AND (version = ? OR TRUE) AND epoch"),
        ),
    ),
    "no-dedupe": Mutant(
        "keys are ignored",
        "intake",
        (Change(_WRITES, 'db.execute("INSERT INTO keys VALUES (?, ?, ?, ?)"', 'db.execute("SELECT ?, ?, ?, ?"'),),
    ),
    "no-epoch": Mutant(
        "a writer that lost its lease may go on writing",
        "single writer",
        (
            Change(_COMMITS, "commit.fence is not None and commit.fence != now.epoch", "False"),
            Change(_COMMITS, " AND epoch = ? AND", " AND (epoch = ? OR TRUE) AND"),
        ),
        faults=("freeze", "hand_over", "hand_over", "hand_over"),
    ),
    "take-keeps-epoch": Mutant(
        "whoever takes an agent whose lease ran out gets the epoch of the last holder",
        "single writer",
        (Change(_LEASES, "SET epoch = epoch + 1, host = :host", "SET epoch = epoch, host = :host"),),
        faults=("freeze", "hand_over", "hand_over"),
    ),
    "take-of-the-held": Mutant(
        "an agent is taken whether its lease runs or not",
        "nobody is driven twice at once, nobody starves",
        (Change(_DUE_TIMES, "{_PLACE} BETWEEN 0 AND :now_ms", "({_PLACE} >= 0 OR :now_ms IS NULL)"),),
    ),
    "renewal-by-id": Mutant(
        "many leases are renewed at once whoever holds the agents by now",
        "single writer",
        (Change(_LEASES, "AND (id, epoch) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?6)) ", ""),),
        faults=("freeze", "freeze", "hand_over"),
    ),
    "head-apart": Mutant(
        "head and history are written one after the other",
        "atomic step",
        (
            Change(_COMMITS, _MOVED, _split("_MOVE", "(*moving, epoch, namespace, head.id)")),
            Change(_COMMITS, _MOVED_PLAIN, _split("update", "moved")),
        ),
        failpoint="commit:during",
    ),
    "question-left-out": Mutant(
        "a question that is opened is not written into the inbox",
        _LISTS,
        (Change(_INDEXES, "    db.executemany(ASK, question_rows(owner._replace(workflow=workflow), now))\n", ""),),
    ),
    "question-left-open": Mutant(
        "a question that is closed stays in the inbox",
        _LISTS,
        (Change(_INDEXES, "    _close(db, owner, was)\n", ""),),
    ),
}


def install(name: str | None) -> None:
    """Replace the store of this process by a mutant. A store that is imported already is imported again."""
    if name is None:
        return
    sys.meta_path.insert(0, _Finder(MUTANTS[name].changes))
    for module in [each for each in sys.modules if each.startswith("fsm_agent.stores.sqlite.")]:
        package, _, bare = module.rpartition(".")
        delattr(sys.modules[package], bare)
        del sys.modules[module]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the changed modules before other finders do."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        changes = [change for change in self._changes if change.module == fullname]
        spec = PathFinder.find_spec(fullname, path, target) if changes else None
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, changes)
        return spec


class _Loader(SourceFileLoader):
    """Loads a module from its changed source, never from a cache."""

    def __init__(self, fullname: str, path: str, changes: Sequence[Change]) -> None:
        super().__init__(fullname, path)
        self._changes = changes

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        for change in self._changes:
            if source.count(change.code) != 1:
                raise ImportError(
                    f"{change.module} has changed: mend its mutant, {change.code!r} does not occur exactly once"
                )
            source = source.replace(change.code, change.instead)
        code: CodeType = self.source_to_code(source.encode(), path)
        return code
