"""Units of work and the transactions that they share. Nothing here knows of threads or of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias, TypeVar

import apsw

from fsm_agent.domain.tuples import from_fields
from fsm_agent.errors import Refused
from fsm_agent.stores.sqlite.connection import Connection

T = TypeVar("T")

#: One atomic piece of work. It raises ``Refused`` before its first change; after any other error all is undone.
Unit: TypeAlias = Callable[[Connection], T]

#: Seconds that only ever grow.
Clock: TypeAlias = Callable[[], float]


class Settled(NamedTuple):
    """What became of units, in their order; an exception is the outcome of a unit that left nothing behind."""

    outcomes: Sequence[Any]
    #: of the COMMIT alone; ``None`` if there was none
    commit_s: float | None


def settle(db: Connection, units: Sequence[Unit[Any]], clock: Clock = perf_counter) -> Settled:
    """Commit ``units`` together; if that fails one by one, so that only the guilty fail."""
    try:
        return commit_together(db, units, clock)
    except Exception as error:
        if len(units) == 1 or isinstance(error, apsw.BusyError):
            return Settled([error] * len(units), None)
    alone = [settle(db, [unit], clock) for unit in units]
    return Settled([outcome for each in alone for outcome in each.outcomes], None)


def commit_together(db: Connection, units: Sequence[Unit[Any]], clock: Clock = perf_counter) -> Settled:
    """Commit ``units`` in one transaction. A refused one changed nothing; after any other error nothing happened."""
    execute = db.at_hand.execute
    execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_outcome(unit, db) for unit in units]
        began = clock()
        execute("COMMIT")
        return from_fields(Settled, (outcomes, clock() - began))
    finally:
        if db.in_transaction:  # it is not after SQLITE_FULL, for one
            execute("ROLLBACK")


def _outcome(unit: Unit[Any], db: Connection) -> Any:
    try:
        return unit(db)
    except Refused as refusal:
        return refusal
