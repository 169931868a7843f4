"""The verbs of threads and users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsm_agent.domain.message import Message
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores import codec
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import reading_shared
from fsm_agent.stores.memory.thread_rows import Talks, rows_of

#: where everything is that this store keeps
PLACE: Final = "memory"


class MemoryTalk(Store):
    """The part of ``MemoryStore`` that knows no agents."""

    _talks: Talks

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        with reading_shared(f"thread {thread!r}", PLACE):
            return self._talks.read(thread, after, upto, limit, newest=newest)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        return self._talks.thread(thread).add(rows_of(messages))

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return self._talks.revise(thread, messages)

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return self._talks.retract(thread, after, upto)

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return self._talks.names(limit, after)

    async def user(self, name: str) -> UserRecord:
        with reading_shared(f"user {name!r}", PLACE):
            return self._talks.user(name)

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return self._talks.users(limit, after)

    async def save_user(self, user: UserRecord) -> None:
        row = codec.user_row(user)
        self._talks.check_user(user)
        self._talks.keep_user(user.name, row)
