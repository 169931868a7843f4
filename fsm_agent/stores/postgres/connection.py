"""One connection, and the statements that it has prepared.

Statements go to libpq as they are, past psycopg's cursors: those look up how to write each value and how to read each
column, which a plain step would pay for with a third of what it costs. All values are text here, and say so in the
statement (``%(limit)s::bigint``), so each is prepared once, whatever is null in it.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from fsm_agent.stores.postgres.listener import Listener

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
Row: TypeAlias = tuple[Any, ...]

_PARAMETER: Final = re.compile(rb"%\((\w+)\)s")
#: By the numbers of PostgreSQL's types: boolean, bigint, smallint, integer. Everything else is text.
_READ: Final[Mapping[int, Callable[[bytes], Any]]] = {16: b"t".__eq__, 20: int, 21: int, 23: int}
#: How long the server may take to give up a statement whose caller was cancelled.
_GIVE_UP_S: Final = 5.0


class Session:
    """Lent to one caller at a time. ``connection`` may be used in psycopg's own way between two ``run``."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: when somebody who waits for it has waited long enough, by the loop's clock
        self.until_s = 0.0
        self.is_hung_up = False
        self._pgconn = connection.pgconn
        self._listener = Listener(self._pgconn)
        self._said: set[bytes] = set()
        #: statement -> the name under which the server keeps it
        self._prepared: dict[bytes, bytes] = {}
        self._look = select.poll()
        self._look.register(connection.fileno(), select.POLLIN)

    async def run(self, statement: bytes, values: Mapping[str, Any]) -> list[Row]:
        """The rows of a statement with parameters as ``%(name)s``. It is prepared when it is said again."""
        text, names = _numbered(statement)
        parameters = _written(map(values.__getitem__, names))
        name = self._prepared.get(statement)
        if name is None and statement in self._said:
            name = await self._prepare(statement, text)
        if name is None:
            self._said.add(statement)
            self._pgconn.send_query_params(text, parameters)
        else:
            self._pgconn.send_query_prepared(name, parameters)
        return _rows(await self._answer())

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to read, which while nobody talks can only be the end."""
        return not self.connection.closed and not self._look.poll(0)

    @property
    def is_between_transactions(self) -> bool:
        return self._pgconn.transaction_status == TransactionStatus.IDLE

    def hang_up(self) -> None:
        """Whoever waits for an answer gets an error at once; the server may or may not have heard."""
        self.is_hung_up = True
        self._listener.hang_up()

    def close(self) -> None:
        self._listener.close()
        self._pgconn.finish()

    async def _prepare(self, statement: bytes, text: bytes) -> bytes:
        name = b"fsm%d" % len(self._prepared)
        self._pgconn.send_prepare(name, text)
        await self._answer()
        self._prepared[statement] = name
        return name

    async def _answer(self) -> PGresult:
        try:
            results = await self._listener.results()
        except asyncio.CancelledError:
            await self._give_up()
            raise
        if not results or self._pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
        answer = results[-1]
        if answer.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(answer)
        return answer

    async def _give_up(self) -> None:
        """Ask the server to stop, and hear it out: what became of the statement is then settled."""
        if self._pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error, TimeoutError):
                await self.connection.cancel_safe(timeout=_GIVE_UP_S)
                async with asyncio.timeout(_GIVE_UP_S):
                    await self._listener.results()


@cache
def _numbered(statement: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A statement as the server wants it, and the names of $1, $2 and so on."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    number = {name: b"$%d" % place for place, name in enumerate(names, 1)}
    text = _PARAMETER.sub(lambda found: number[found[1]], statement)
    return text, tuple(name.decode() for name in names)


def _written(values: Iterable[str | int | None]) -> list[bytes | None]:
    """All values at once: a step has 27 of them, and a call for each would be felt."""
    return [None if value is None else value.encode() if isinstance(value, str) else b"%d" % value for value in values]


def _rows(result: PGresult) -> list[Row]:
    read = [_READ.get(result.ftype(column), bytes.decode) for column in range(result.nfields)]
    return [
        tuple(
            None if (text := result.get_value(row, column)) is None else read_column(text)
            for column, read_column in enumerate(read)
        )
        for row in range(result.ntuples)
    ]
