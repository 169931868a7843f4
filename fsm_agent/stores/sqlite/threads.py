"""The verbs of threads and users, and how all verbs reach the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import apsw

from fsm_agent.domain.message import Message
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import StoreError
from fsm_agent.stores import damage
from fsm_agent.stores.base import Store
from fsm_agent.stores.sqlite import thread_statements
from fsm_agent.stores.sqlite.connection import Connection
from fsm_agent.stores.sqlite.errors import store_error, upgraded
from fsm_agent.stores.sqlite.group_commit import GroupCommit
from fsm_agent.stores.sqlite.schema import is_upgraded, refuse_upgraded
from fsm_agent.stores.sqlite.transaction import Unit

T = TypeVar("T")


class SqliteThreads(Store):
    """The part of ``SqliteStore`` that knows no agents."""

    _space: str
    _path: str
    _db: Connection
    _writer: GroupCommit

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        with self._one_view() as db, damage.reading_shared(f"thread {thread!r}", "messages"):
            return thread_statements.read(db, self._space, thread, after=after, upto=upto, limit=limit, newest=newest)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write_shared(thread_statements.appending(self._space, thread, messages))

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return await self._write_shared(thread_statements.revising(self._space, thread, messages))

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return await self._write_shared(thread_statements.retracting(self._space, thread, after, upto))

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        with self._translated():
            return thread_statements.names(self._db, self._space, limit, after)

    async def user(self, name: str) -> UserRecord:
        with self._translated(), damage.reading_shared(f"user {name!r}", "user_records"):
            return thread_statements.user(self._db, self._space, name)

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        with self._translated():
            return thread_statements.users(self._db, self._space, limit, after)

    async def save_user(self, user: UserRecord) -> None:
        await self._write_shared(thread_statements.saving_user(self._space, user))

    async def _write(self, unit: Unit[T]) -> T:
        try:
            return await self._writer.write(unit)
        except apsw.Error as error:
            raise self._meaning(error) from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except apsw.Error as error:
            raise self._meaning(error) from error

    @contextmanager
    def _one_view(self) -> Iterator[Connection]:
        """A read transaction: several queries see the same commits."""
        db = self._db
        try:
            db.at_hand.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:  # an I/O error may have ended it
                    db.at_hand.execute("COMMIT")
        except apsw.Error as error:
            raise self._meaning(error) from error

    def _meaning(self, error: apsw.Error) -> StoreError:
        """What an error means; one that finds other tables than it looked for may come of an upgrade."""
        if isinstance(error, apsw.SQLError):
            with suppress(AttributeError, apsw.Error):
                if is_upgraded(self._db):
                    return upgraded(self._path)
        return store_error(error, self._path)

    async def _write_shared(self, unit: Unit[T]) -> T:
        """Write what is no agent's: no step would find out that a newer fsm-agent has upgraded the file."""

        def write(db: Connection) -> T:
            refuse_upgraded(db)
            return unit(db)

        return await self._write(write)
