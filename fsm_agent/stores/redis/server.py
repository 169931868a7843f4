"""A server, or the cluster that it belongs to: what is asked of it, how often, and what a failure means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from redis.exceptions import MovedError, NoScriptError, RedisError

from fsm_agent.errors import StoreError
from fsm_agent.stores.redis import errors
from fsm_agent.stores.redis.address import Address
from fsm_agent.stores.redis.connection import Unanswered, Unsent, Wire
from fsm_agent.stores.redis.resp import Command
from fsm_agent.stores.redis.scripts import Call

T = TypeVar("T")

#: How many nodes of a cluster are asked in turn, each by the word of the one before.
NODES: Final = 4


class Server:
    """Writes and reads have a connection each, so that a read does not wait until writes are synced.

    A write is never sent again once it may have been done; a read is, once.
    """

    def __init__(self, address: Address) -> None:
        self.url = address.url
        self._writes, self._reads = Wire(address.connect), Wire(address.connect)
        self._is_closed = False

    async def write(self, call: Call) -> Any:
        try:
            return await self._called(self._writes, call)
        except Unanswered as error:
            raise self._broken_off(error, is_write=True) from error.__cause__

    async def read(self, call: Call) -> Any:
        return await self._read(lambda: self._called(self._reads, call))

    async def look(self, *commands: Command, but: type[Exception] | tuple[()] = ()) -> list[Any]:
        """The answers to commands that only read; errors of kind ``but`` stay among them."""
        answers = await self._read(lambda: self._asked(self._reads, commands))
        for answer in answers:
            if isinstance(answer, RedisError) and not isinstance(answer, but):
                raise errors.answered(answer, self.url) from answer
        return answers

    async def close(self) -> None:
        self._is_closed = True
        await self._writes.close()
        await self._reads.close()

    async def _called(self, wire: Wire, call: Call) -> Any:
        (answer,) = await self._asked(wire, [call.by_sha])
        if isinstance(answer, NoScriptError):
            (answer,) = await self._asked(wire, [call.by_source])
        if isinstance(answer, RedisError):
            raise errors.answered(answer, self.url) from answer
        return answer

    async def _asked(self, wire: Wire, commands: Sequence[Command]) -> list[Any]:
        """Follows a cluster to the node that has the keys: a command that it sends elsewhere was not done."""
        if self._is_closed:
            raise errors.closed(self.url)
        answers: list[Any] = []
        try:
            for _ in range(NODES):
                answers = await wire.ask(commands)
                moved = next((each for each in answers if isinstance(each, MovedError)), None)
                if moved is None:
                    break
                wire.go_to(moved.host, moved.port)
        except Unsent as error:
            raise errors.unreachable(error.__cause__, self.url) from error.__cause__
        return answers

    async def _read(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What may be asked once more."""
        try:
            return await ask()
        except Unanswered:
            try:
                return await ask()
            except Unanswered as error:
                raise self._broken_off(error, is_write=False) from error.__cause__

    def _broken_off(self, error: Unanswered, *, is_write: bool) -> StoreError:
        if isinstance(error.__cause__, UnicodeDecodeError):
            return errors.unreadable(self.url)
        return errors.unanswered(self.url, is_write=is_write)
