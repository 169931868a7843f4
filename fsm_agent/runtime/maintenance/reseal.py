"""Resealing: texts are sealed again under the present key, so that an old key can be deleted. Shared threads are
rewritten page by page, and users are saved unchanged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.domain.json import Json
from fsm_agent.domain.record import AgentExport, Damage
from fsm_agent.errors import AgentNotFound, Conflict, StoreError, UserConflict
from fsm_agent.runtime.agent_reads import read_heads
from fsm_agent.runtime.maintenance.rewrite import rewrite
from fsm_agent.stores.base import Store

#: how many messages are written at once
_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Resealed:
    """What is now sealed under the present key, and what is not, with the reasons."""

    agents: list[str] = field(default_factory=list)
    #: shared threads
    threads: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    #: agent, or ``thread NAME`` or ``user NAME`` (which are no valid ids) -> why it was left
    left: dict[str, str] = field(default_factory=dict)

    def leave(self, damage: Damage) -> None:
        """Note an agent whose head cannot be read."""
        self.left[damage.agent_id] = str(damage)

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints (a contract)."""
        left = [{"id": name, "why": why} for name, why in self.left.items()]
        done = {"resealed": list(self.agents), "threads": list(self.threads), "users": list(self.users)}
        return {**done, "left": left}


async def reseal(store: Store, agent_ids: Iterable[str] = ()) -> Resealed:
    """Reseal these agents, or all of them with shared threads and users. Raises ``AgentNotFound`` before the first one.
    What cannot be resealed is left as it is."""
    resealed, named = Resealed(), list(agent_ids)
    async for head in read_heads(store, named, left_out=resealed.leave):
        try:
            why = await rewrite(store, head, _as_it_is)
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
        with suppress(UserConflict):  # then somebody else has just saved it
            await store.save_user(user._replace(version=user.version + 1))
            is_saved = True


async def _as_it_is(export: AgentExport) -> AgentExport:
    return export
