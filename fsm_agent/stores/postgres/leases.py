"""The verbs by which processes share the work, and those that other verbs are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Claimed, Lease
from fsm_agent.errors import AgentNotFound
from fsm_agent.stores.postgres import lease_statements, queries
from fsm_agent.stores.postgres import parameters as values_of
from fsm_agent.stores.postgres.bell import PostgresBell, channel_of
from fsm_agent.stores.postgres.connection import Row
from fsm_agent.stores.postgres.listing import PostgresListing
from fsm_agent.stores.postgres.selections import array
from fsm_agent.stores.postgres.text_escape import kept, told
from fsm_agent.stores.refusals import moved_on


class PostgresLeases(PostgresListing):
    """The part of ``PostgresStore`` by which processes share the work."""

    _bell: PostgresBell

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        return [told(row[0]) for row in await self._read(lease_statements.DUE, {"now_ms": now_ms, "limit": limit})]

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        statement = lease_statements.take_statement(has_workflows=workflows is not None, leaves_out=bool(without))
        row = values_of.lease_values(lease) | {
            "now_ms": await self.now(),
            "limit": limit,
            "workflows": array(kept(name) or "" for name in workflows or ()),
            "hashes": array(kept(definition) or "" for definition, _ in without),
            "states": array(kept(state) or "" for _, state in without),
        }
        return [Claimed(told(agent_id), epoch) for agent_id, epoch in await self._write(statement, row)]

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        row = values_of.seen_values(seen) | values_of.lease_values(lease) | {"id": kept(agent_id)}
        return int((await self._unmoved(lease_statements.CLAIM, agent_id, seen, row))[0])

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        row = values_of.lease_values(lease) | {"id": kept(agent_id), "epoch": epoch}
        return await self._is_done(lease_statements.RENEW, row)

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        ordered = sorted(held)  # who locks several heads at once does so in one order
        row = values_of.lease_values(lease) | {
            "ids": array(kept(each.agent_id) or "" for each in ordered),
            "epochs": array(str(each.epoch) for each in ordered),
        }
        return [told(agent_id) for (agent_id,) in await self._write(lease_statements.RENEW_ALL, row)] if held else []

    async def release(self, agent_id: str, epoch: int) -> None:
        await self._is_done(lease_statements.RELEASE, {"id": kept(agent_id), "epoch": epoch})

    async def held_here(self, host: str) -> Sequence[Head]:
        return list(self._readable(await self._read(lease_statements.HELD, {"host": kept(host)})))

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        row = {"now_ms": now_ms, "limit": limit}
        return list(self._readable(await self._read(lease_statements.LAPSED, row)))

    async def ring(self) -> None:
        await self._read(lease_statements.RING, {"channel": channel_of(self.namespace)})  # twice does no harm

    async def listen(self, heard: Callable[[], None]) -> None:
        await self._bell.listen(heard)

    async def _one(self, query: bytes, agent_id: str, row: Mapping[str, Any] | None = None) -> Row:
        """The row of an agent."""
        found = await self._read(query, {"id": kept(agent_id), **(row or {})})
        if not found:
            raise AgentNotFound(agent_id, self.namespace)
        return found[0]

    async def _unmoved(self, statement: bytes, agent_id: str, seen: Head, row: Mapping[str, Any]) -> Row:
        """The row of a compare-and-set on all that was seen."""
        moved = await self._write(statement, row)
        if not moved:
            await self._refuse(agent_id, seen.version)
        return moved[0]

    async def _is_done(self, statement: bytes, row: Mapping[str, Any]) -> bool:
        """Whether a statement found the agent as it should be; raises if there is no such agent."""
        if await self._write(statement, row):
            return True
        await self._one(queries.STANDING, told(row["id"]))
        return False

    async def _refuse(self, agent_id: str, expected: int | None) -> NoReturn:
        version, _ = await self._one(queries.STANDING, agent_id)
        raise moved_on(agent_id, version if expected is None else expected, version)
