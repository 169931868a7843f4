"""The verbs of threads and users, and how all verbs reach the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import UserConflict
from fsm_agent.stores import codec, damage
from fsm_agent.stores.base import Store
from fsm_agent.stores.postgres import parameters as values_of
from fsm_agent.stores.postgres import thread_statements
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.pool import Pool
from fsm_agent.stores.postgres.rows import message_of
from fsm_agent.stores.postgres.text_escape import kept, told


class PostgresThreads(Store):
    """The part of ``PostgresStore`` that knows no agents."""

    _pool: Pool

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        row = {"thread": kept(thread), "after": after, "upto": upto, "limit": limit}
        found = await self._read(thread_statements.NEWEST if newest else thread_statements.OLDEST, row)
        with damage.reading_shared(f"thread {thread!r}", "messages"):
            messages = [message_of(each) for each in found]
        return messages[::-1] if newest else messages

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        row = values_of.appended_values(AppendedMessages(thread, tuple(messages)), "0")
        return int((await self._write(thread_statements.APPEND, row))[0][0])

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        row = {"thread": kept(thread), "messages": values_of.messages_text(messages)}
        return int((await self._write(thread_statements.REVISE, row))[0][0])

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        row = {"thread": kept(thread), "after": after, "upto": upto}
        return int((await self._write(thread_statements.RETRACT, row))[0][0])

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._names(thread_statements.THREADS, limit, after)

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._names(thread_statements.USERS, limit, after)

    async def user(self, name: str) -> UserRecord:
        found = await self._read(thread_statements.USER, {"user": kept(name)})
        with damage.reading_shared(f"user {name!r}", "user_records"):
            return codec.user_of(name, found[0]) if found else UserRecord(name)

    async def save_user(self, user: UserRecord) -> None:
        statement = thread_statements.SAVE_NEW_USER if user.version == 1 else thread_statements.SAVE_USER
        if not await self._write(statement, values_of.user_values(user)):
            raise UserConflict(user.name, user.version - 1, (await self.user(user.name)).version)

    async def _names(self, query: bytes, limit: int, after: str | None) -> Sequence[str]:
        return [told(name) for (name,) in await self._read(query, {"limit": limit, "after": kept(after or "")})]

    async def _read(self, query: bytes, row: Mapping[str, Any]) -> Sequence[Row]:
        return await self._pool.run(query, {"namespace": self.namespace, **row}, is_read=True)

    async def _write(self, statement: bytes, row: Mapping[str, Any]) -> Sequence[Row]:
        return await self._pool.run(statement, {"namespace": self.namespace, **row})
