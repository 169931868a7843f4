"""Stores that break a promise: the checker must find each of them out.

A mutant is the SQLite store with a few words of its source replaced, in the writers of a run alone.
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
    """``code``, which stands once in ``module``, gives way to ``instead``."""

    module: str
    code: str
    instead: str


class Mutant(NamedTuple):
    """What is taken out of the store, and a promise that it then breaks. One that breaks in certain moments only names
    the failpoint and the acts of the nemesis that lead there."""

    says: str
    promise: str
    changes: tuple[Change, ...]
    failpoint: str | None = None
    acts: tuple[str, ...] = ()


_UNITS: Final = "fsm_agent.stores.sqlite.writes"
#: Plain steps and all others take roads of their own here; what is taken out is taken out of both.
_COMMITS: Final = "fsm_agent.stores.sqlite.commits"

_MOVED: Final = "db.execute(_MOVE, (*moving, epoch, namespace, head.id))"
_MOVED_PLAIN: Final = "execute(update, moved)"


def _apart(statement: str, rest: str) -> str:
    """A head that is moved in one transaction, and named its last step in the next."""
    move = f'db.execute({statement}.replace("last_insert_rowid()", "last_step"), {rest})'
    name = 'db.execute("UPDATE agents SET last_step = last_insert_rowid() WHERE id = ?", (commit.head.id,))'
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
        (Change(_UNITS, 'db.execute("INSERT INTO keys VALUES (?, ?, ?, ?)"', 'db.execute("SELECT ?, ?, ?, ?"'),),
    ),
    "no-epoch": Mutant(
        "who lost the lease may go on writing",
        "single writer",
        (
            Change(_COMMITS, "commit.epoch is not None and commit.epoch != now.epoch", "False"),
            Change(_COMMITS, " AND epoch = ? AND", " AND (epoch = ? OR TRUE) AND"),
        ),
        acts=("freeze", "hand_over", "hand_over", "hand_over"),
    ),
    "head-apart": Mutant(
        "head and history are written one after the other",
        "atomic step",
        (
            Change(_COMMITS, _MOVED, _apart("_MOVE", "(*moving, epoch, namespace, head.id)")),
            Change(_COMMITS, _MOVED_PLAIN, _apart("update", "moved")),
        ),
        failpoint="commit:during",
    ),
}


def become(name: str | None) -> None:
    """Break the store of this process, which has not been imported yet or is imported afresh."""
    if name is None:
        return
    sys.meta_path.insert(0, _Finder(MUTANTS[name].changes))
    for module in [each for each in sys.modules if each.startswith("fsm_agent.stores.sqlite.")]:
        package, _, bare = module.rpartition(".")
        delattr(sys.modules[package], bare)
        del sys.modules[module]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are changed before anybody else does."""

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
    """Loads a module with its source changed, from the source and never from a cache."""

    def __init__(self, fullname: str, path: str, changes: Sequence[Change]) -> None:
        super().__init__(fullname, path)
        self._changes = changes

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        for change in self._changes:
            if source.count(change.code) != 1:
                raise ImportError(
                    f"{change.module} has changed: say anew how to break it, {change.code!r} is not there once"
                )
            source = source.replace(change.code, change.instead)
        code: CodeType = self.source_to_code(source.encode(), path)
        return code
