"""Texts sealed afresh under the key that writes now, so that an old key can be given up.

An agent is read whole and takes its own place, in one compare-and-set and under a lease: nobody writes meanwhile, and
whoever was overtaken before cannot. Threads that agents share are revised page by page, and users saved as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from fsm_agent.agent import Head
from fsm_agent.errors import AgentNotFound, Conflict, StoreError, UserConflict
from fsm_agent.jsontypes import Json
from fsm_agent.lease import Lease
from fsm_agent.processes import this_process
from fsm_agent.reader import read_heads
from fsm_agent.stores.base import Store

_LEASE_MS: Final = 15_000
#: how many messages are written at once
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Resealed:
    """What is sealed under the key that writes now, and what not, and why."""

    agents: list[str] = field(default_factory=list)
    #: those that agents share
    threads: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    #: agents by their ids, the rest as ``thread NAME`` and ``user NAME``, which no id can be
    left: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """As the command line prints it (a contract)."""
        left = [{"id": name, "why": why} for name, why in self.left.items()]
        done = {"resealed": list(self.agents), "threads": list(self.threads), "users": list(self.users)}
        return {**done, "left": left}


async def reseal(store: Store, agent_ids: Iterable[str] = ()) -> Resealed:
    """Write these agents, or all and what they share, afresh; raises ``AgentNotFound`` before the first. What cannot be
    is left as it is."""
    resealed, named = Resealed(), list(agent_ids)
    async for head in read_heads(store, named):
        try:
            why = await _reseal(store, head)
        except (Conflict, AgentNotFound):
            why = "it moved on meanwhile; try again"
        except StoreError as error:
            why = str(error)
        if why is None:
            resealed.agents.append(head.id)
        else:
            resealed.left[head.id] = why
    if not named:
        await _reseal_shared(store, resealed)
    return resealed


async def _reseal_shared(store: Store, resealed: Resealed) -> None:
    kinds = (
        ("thread", store.threads, _reseal_thread, resealed.threads),
        ("user", store.users, _reseal_user, resealed.users),
    )
    for kind, listed, write, done in kinds:
        async for name in _names(listed):
            try:
                await write(store, name)
            except StoreError as error:
                resealed.left[f"{kind} {name}"] = str(error)
            else:
                done.append(name)


async def _names(listed: Callable[..., Awaitable[Sequence[str]]]) -> AsyncIterator[str]:
    after: str | None = None
    while names := await listed(after=after):
        for name in names:
            yield name
        after = names[-1]


async def _reseal_thread(store: Store, name: str) -> None:
    after = 0
    while messages := await store.messages(name, after=after, limit=_PAGE):
        await store.revise(name, messages)
        after = messages[-1].number


async def _reseal_user(store: Store, name: str) -> None:
    is_saved = False
    while not is_saved:
        user = await store.user(name)
        with suppress(UserConflict):  # somebody else changed it just now
            await store.save_user(user._replace(version=user.version + 1))
            is_saved = True


async def _reseal(store: Store, head: Head) -> str | None:
    """Write one agent afresh; returns why not, if it cannot be."""
    if head.lease is not None:
        return f"it is driven by {head.lease.holder} now; try again"
    epoch = await store.claim(head.id, head, Lease(this_process(), await store.now() + _LEASE_MS))
    try:
        dossier = await store.dump(head.id)
        if any(entry.is_open for entry in dossier.effects):  # whoever began it may still record its result
            return "an effect of it is open; try again when that has ended or is settled"
        free = replace(dossier, head=dossier.head._replace(lease=None))
        await store.adopt(free, replaces=dossier.head)
    finally:
        await store.release(head.id, epoch)
    return None
