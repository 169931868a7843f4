"""The part of the port by which processes share the work: who is due, who drives, and how workers are woken.

A verb that is not abstract has a default that is correct and slow, made of the abstract verbs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence

from fsm_agent.domain.agent import Head
from fsm_agent.domain.lease import Claimed, Lease, lease_runs
from fsm_agent.errors import AgentDamaged, AgentNotFound, Conflict, StoreCorrupt
from fsm_agent.stores import pages
from fsm_agent.stores.listing import Listing


class Leases(Listing):
    """See the module. ``Store`` says what is true of all verbs."""

    @abstractmethod
    async def now(self) -> int:
        """Milliseconds since the epoch by the store's own clock, the only clock; never decreases."""

    @abstractmethod
    async def due(self, now_ms: int, limit: int) -> Sequence[str]:
        """Ids of agents that need somebody now: nobody holds them, or the lease ran out by ``now_ms``, and
        ``head.wake_ms <= now_ms``. The longest due first: since ``head.due_since_ms``; with a lease, since that ran out
        or since ``head.wake_ms``, whichever is later. What this costs does not depend on how many are held."""

    async def take(
        self,
        limit: int,
        lease: Lease,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[Claimed]:
        """Claim the longest due agents, at most ``limit``, and raise the epoch of each. Callers at the same time get
        different agents, and none of them is refused. ``workflows`` are the names of the workflows whose agents are
        taken; ``None`` is all. ``without`` has pairs (definition hash, state): agents that stand there are left to
        others, and so is what stands in for one that is kept elsewhere, whose version is below 0. A head that cannot be
        read may be taken, too. A store without it claims one by one."""
        return await _take(self, limit, lease, workflows, without)

    @abstractmethod
    async def claim(self, agent_id: str, seen: Head, lease: Lease) -> int:
        """Take the lease and raise the epoch; returns the new epoch.

        Raises ``Conflict`` unless version, epoch and lease are still what ``seen`` shows: whoever judges that a
        lease has expired or that its holder is dead does so on what it has seen.
        """

    @abstractmethod
    async def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        """Prolong a lease. False, and nothing changes, if it was given up or the epoch is no longer this one."""

    async def renew_all(self, held: Collection[Claimed], lease: Lease) -> Collection[str]:
        """Prolong the leases of several agents; returns the ids of those that are still held under their epoch. The
        others stay as they are. A store without it prolongs one by one."""
        return [each.agent_id for each in held if await _renewed(self, each, lease)]

    @abstractmethod
    async def release(self, agent_id: str, epoch: int) -> None:
        """Give a lease up, so that the agent is due to whoever comes. Does nothing if the epoch has gone on."""

    @abstractmethod
    async def held_here(self, host: str) -> Sequence[Head]:
        """Heads under a lease whose holder is on ``host``, so that a caller can look whether it still lives. Those that
        cannot be read are left out; ``due`` names them when their lease has run out."""

    async def lapsed(self, now_ms: int, limit: int) -> Sequence[Head]:
        """Heads under a lease that ran out by ``now_ms``, at most ``limit``, wherever the holder was and whatever there
        is to do; those that cannot be read are left out. A store without it looks through all agents for them."""
        return await pages.lapsed(self, now_ms, limit)

    async def ring(self) -> None:
        """Wake the workers that ``listen`` at this namespace, in any process: an agent has work for them. A ring may be
        lost, since every worker looks by itself from time to time. A store without it does nothing."""

    async def listen(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` at each ``ring`` of this namespace, until the task is cancelled; and once as soon as it
        listens, and whenever it listens again after its connection was lost. A store without it comes back at once."""


async def _take(
    store: Leases,
    limit: int,
    lease: Lease,
    workflows: Collection[str] | None,
    without: Collection[tuple[str, str]],
) -> list[Claimed]:
    now_ms = await store.now()
    claimed: list[Claimed] = []
    passed: set[str] = set()
    while len(claimed) < limit:
        asked = limit + len(passed)
        due = await store.due(now_ms, asked)
        for agent_id in due:
            if agent_id in passed or len(claimed) == limit:
                continue
            head = await _wanted(store, agent_id, now_ms, workflows, without)
            epoch = None if head is None else await _claim(store, head, lease)
            if epoch is None:
                passed.add(agent_id)
            else:
                claimed.append(Claimed(agent_id, epoch))
        if len(due) < asked:
            break
    return claimed


async def _renewed(store: Leases, held: Claimed, lease: Lease) -> bool:
    try:
        return await store.renew(held.agent_id, held.epoch, lease)
    except AgentNotFound:
        return False


async def _wanted(
    store: Leases,
    agent_id: str,
    now_ms: int,
    workflows: Collection[str] | None,
    without: Collection[tuple[str, str]],
) -> Head | None:
    """The head of an agent, if nobody holds it and the caller wants it."""
    try:
        head = await store.head(agent_id)
    except (AgentNotFound, AgentDamaged):
        return None
    is_left_out = head.version < 0 or (head.definition, head.state) in without
    is_wanted = not is_left_out and (workflows is None or head.workflow in workflows)
    return head if is_wanted and not lease_runs(head.lease, now_ms) else None


async def _claim(store: Leases, head: Head, lease: Lease) -> int | None:
    """The new epoch; ``None`` if somebody else was faster, or if what is kept of the agent is damaged."""
    try:
        return await store.claim(head.id, head, lease)
    except (Conflict, StoreCorrupt):
        return None
