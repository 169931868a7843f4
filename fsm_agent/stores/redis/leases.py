"""The verbs by which processes share the work: who is due, who drives, and how workers are woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Claimed, Lease, is_lapsed
from fsm_agent.errors import StoreUnavailable
from fsm_agent.stores.pages import PAGE
from fsm_agent.stores.redis import index
from fsm_agent.stores.redis.bell import RedisBell
from fsm_agent.stores.redis.keys import bell_channel
from fsm_agent.stores.redis.listing import RedisListing
from fsm_agent.stores.redis.takes import Passed, Place, Wanted

#: how many leases one script prolongs: nobody else is served meanwhile
_RENEWED: Final = 500


class RedisLeases(RedisListing):
    """The part of ``RedisStore`` by which processes share the work."""

    _bell: RedisBell
    _passed: Passed

    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        return index.longest_due(await self._look(*index.due_by(self._units.space.due, now_ms, limit)), limit)

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        now_ms = await self.now()
        wanted = Wanted(None if workflows is None else frozenset(workflows), frozenset(without))
        began = place = self._passed.begin(wanted, now_ms)
        claimed: list[Claimed] = []
        scripts, are_all = 0, False
        while len(claimed) < limit and not are_all:
            call = self._units.taking(now_ms, limit - len(claimed), lease, wanted, place)
            try:
                are_all, *behind, told = await self._write(call)
            except StoreUnavailable:
                if not claimed:
                    raise
                break  # who is claimed already is held, and would else wait until that lease has run out
            scripts, place = scripts + 1, Place(*behind)
            claimed += [Claimed(agent_id, int(epoch)) for agent_id, epoch in zip(told[::2], told[1::2], strict=True)]
        self._passed.end(wanted, now_ms, began=began, ended=place, scripts=scripts)
        return claimed

    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        (epoch,) = await self._write(self._units.claiming(agent_id, seen, lease), agent_id, expected=seen.version)
        return int(epoch)

    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        (is_held,) = await self._write(self._units.holding(agent_id, epoch, lease), agent_id)
        return bool(is_held)

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        leases = list(held)
        parts = [leases[start : start + _RENEWED] for start in range(0, len(leases), _RENEWED)]
        renewed = await asyncio.gather(*(self._write(self._units.renewing(part, lease)) for part in parts))
        return [agent_id for ids in renewed for agent_id in ids]

    async def release(self, agent_id: str, epoch: int) -> None:
        await self._write(self._units.holding(agent_id, epoch, None), agent_id)

    async def held_here(self, host: str) -> Sequence[Head]:
        (members,) = await self._look(index.held_by(self._units.space.held, host))
        heads = await self._heads(index.held_ids(members))
        return [head for head in heads if isinstance(head, Head) and head.lease and head.lease.holder.host == host]

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        (members,) = await self._look(index.held(self._units.space.held))
        found: list[Head] = []
        ids = index.held_ids(members)
        while ids and len(found) < limit:
            heads, ids = await self._heads(ids[:PAGE]), ids[PAGE:]
            found += [head for head in heads if isinstance(head, Head) and is_lapsed(head.lease, now_ms)]
        return found[:limit]

    async def ring(self) -> None:
        await self._server.look(("PUBLISH", bell_channel(self.namespace), ""))  # twice does no harm

    async def listen(self, heard: Callable[[], None]) -> None:
        await self._bell.listen(heard)
