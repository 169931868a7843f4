"""The verbs of threads and users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fsm_agent.domain.message import Message
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores import codec
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import reading_shared
from fsm_agent.stores.memory.thread_rows import ThreadRows

#: where everything is that this store keeps
PLACE: Final = "memory"


class MemoryThreads(Store):
    """The part of ``MemoryStore`` that knows no agents."""

    _threads: ThreadRows

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        with reading_shared(f"thread {thread!r}", PLACE):
            return self._threads.read(thread, after, upto, limit, newest=newest)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        return self._threads.thread(thread).add(codec.message_rows(messages))

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        return self._threads.revise(thread, messages)

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        return self._threads.retract(thread, after, upto)

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return self._threads.names(limit, after)

    async def user(self, name: str) -> UserRecord:
        with reading_shared(f"user {name!r}", PLACE):
            return self._threads.user(name)

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return self._threads.users(limit, after)

    async def save_user(self, user: UserRecord) -> None:
        row = codec.user_row(user)
        self._threads.check_user(user)
        self._threads.keep_user(user.name, row)
