"""The bell of a namespace: PostgreSQL's LISTEN, on a connection that is no part of the pool, whose connections wait for
nothing but answers."""

from __future__ import annotations

import hashlib

import psycopg

from fsm_agent.errors import StoreError
from fsm_agent.stores.bell import ServerBell
from fsm_agent.stores.postgres.errors import closed, connecting_error, statement_error
from fsm_agent.stores.postgres.pool import Address


def channel_of(namespace: str) -> str:
    """The name of a channel, which PostgreSQL wants to be shorter and plainer than a namespace may be."""
    return f"fsm_agent_{hashlib.sha256(namespace.encode()).hexdigest()[:40]}"


class PostgresBell(ServerBell):
    """The rings on ``channel``."""

    def __init__(self, address: Address, channel: str, *, patience_ms: int) -> None:
        super().__init__()
        self._address = address
        self._channel = channel
        self._patience_ms = patience_ms

    async def _hear(self) -> Exception:
        options = self._address.options(self._patience_ms)
        try:
            connection = await psycopg.AsyncConnection.connect(**options, autocommit=True)
            try:
                await connection.execute(f"LISTEN {self._channel}".encode())
                self._ring()
                async for _ in connection.notifies():
                    self._ring()
            finally:
                await connection.close()
        except psycopg.Error as error:
            return error
        return psycopg.OperationalError("the server ended the session")

    def _told(self, error: Exception) -> StoreError:
        assert isinstance(error, psycopg.Error)  # noqa: S101 - `_hear` returns no other
        url = self._address.url
        if not self._is_heard:
            return connecting_error(error, url, self._address.password)
        return statement_error(error, url, may_have_written=False)

    def _closed(self) -> StoreError:
        return closed(self._address.url)
