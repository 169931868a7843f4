"""The verbs of threads and users, and how all verbs reach the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fsm_agent.domain.message import Message
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentExists, AgentNotFound, DefinitionMissing, StoreCorrupt, UserConflict
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import damaged, reading_shared
from fsm_agent.stores.redis import errors as redis_errors
from fsm_agent.stores.redis import rows, thread_calls
from fsm_agent.stores.redis.keys import any_key, thread_key
from fsm_agent.stores.redis.resp import Command
from fsm_agent.stores.redis.scripts import Call
from fsm_agent.stores.redis.server import Server
from fsm_agent.stores.redis.startup import introduce, schema
from fsm_agent.stores.redis.writes import Units
from fsm_agent.stores.refusals import moved_on


class RedisThreads(Store):
    """The part of ``RedisStore`` that knows no agents."""

    _server: Server
    _units: Units
    _introducing: asyncio.Lock
    _is_introduced = False

    async def messages(
        self, thread: str, *, after: int = 0, upto: int | None = None, limit: int | None = None, newest: bool = False
    ) -> Sequence[Message]:
        (texts,) = await self._read(thread_calls.reading(self.namespace, thread, after, upto, limit, newest=newest))
        with reading_shared(f"thread {thread!r}", thread_key(self.namespace, thread)):
            return rows.messages_of(texts)

    async def append(self, thread: str, messages: Sequence[Message]) -> int:
        (last,) = await self._write(
            thread_calls.appending(self.namespace, self._units.space, schema(), thread, messages)
        )
        return int(last)

    async def revise(self, thread: str, messages: Sequence[Message]) -> int:
        (revised,) = await self._write(thread_calls.revising(self.namespace, thread, messages))
        return int(revised)

    async def retract(self, thread: str, *, after: int = 0, upto: int | None = None) -> int:
        (retracted,) = await self._write(thread_calls.retracting(self.namespace, thread, after, upto))
        return int(retracted)

    async def threads(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._names(thread_calls.listing_threads(self._units.space, limit, after))

    async def users(self, *, limit: int = 50, after: str | None = None) -> Sequence[str]:
        return await self._names(thread_calls.listing_users(self._units.space, limit, after))

    async def user(self, name: str) -> UserRecord:
        (text,) = await self._look(("HGET", self._units.space.users, name))
        with reading_shared(f"user {name!r}", self._units.space.users):
            return rows.user_of(name, text) if text else UserRecord(name)

    async def save_user(self, user: UserRecord) -> None:
        await self._write(thread_calls.saving_user(self._units.space, schema(), user), user=user)

    async def _names(self, listing: Command) -> Sequence[str]:
        (members,) = await self._look(listing)
        return [member[1:] for member in members]

    async def _write(
        self,
        call: Call,
        agent_id: str = "",
        *,
        expected: int | None = None,
        definition: str = "",
        user: UserRecord | None = None,
    ) -> Sequence[Any]:
        if not self._is_introduced:
            await self._introduced()
        word, *told = _words(await self._server.write(call))
        match word:
            case "moved":
                actual = int(told[0])
                raise moved_on(agent_id, actual if expected is None else expected, actual)
            case "outdated" if user is not None:
                raise UserConflict(user.name, user.version - 1, int(told[0]))
            case "exists":
                raise AgentExists(agent_id)
            case "undefined":
                raise DefinitionMissing(self.url, definition)
            case "torn":
                raise redis_errors.torn(self.url, agent_id)
        return self._told(word, told, agent_id)

    async def _read(self, call: Call, agent_id: str = "") -> Sequence[Any]:
        await self._introduced()
        try:
            word, *told = _words(await self._server.read(call))
        except StoreCorrupt as error:
            if not agent_id:
                raise
            raise damaged(agent_id, any_key(self.namespace, agent_id), error) from error
        return self._told(word, told, agent_id)

    async def _look(self, *commands: Sequence[str | int], but: type[Exception] | tuple[()] = ()) -> Sequence[Any]:
        await self._introduced()
        return await self._server.look(*commands, but=but)

    def _told(self, word: str, told: Sequence[Any], agent_id: str) -> Sequence[Any]:
        """What stands behind the first word of a script's answer, if that is a good one."""
        if word != "done":
            raise AgentNotFound(agent_id, self.namespace)
        return told

    async def _introduced(self) -> None:
        if not self._is_introduced:
            async with self._introducing:
                if not self._is_introduced:
                    await introduce(self._server, self.namespace)
                    self._is_introduced = True


def _words(answer: Any) -> Sequence[Any]:
    """The word that a script answers, and what belongs to it."""
    words: Sequence[Any] = answer.split() if isinstance(answer, str) else answer
    return words
