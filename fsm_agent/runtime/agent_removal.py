"""Deletion: the part of a runner that deletes agents and histories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fsm_agent.data.arguments import check, check_optional, strings
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.domain.retention import Retention
    from fsm_agent.runtime.maintenance.erase import ErasureReport
    from fsm_agent.runtime.maintenance.purge import Purged


class Removal:
    """Deletions from one store."""

    store: Store
    _loop: CommandLoop

    async def purge(
        self, retention: Retention, *, agent_ids: Iterable[str] = (), workflow: str | None = None, is_dry: bool = False
    ) -> Purged:
        """Delete agents and shorten histories as ``retention`` says, for these agents or for all.

        Agents that run, are parked, are held or move meanwhile are left alone. With ``is_dry`` nothing is changed.
        """
        named = strings("agent_ids", agent_ids)
        check(retention=retention)
        check_optional(workflow_name=workflow)
        from fsm_agent.runtime.maintenance.purge import purge

        return await purge(self.store, retention, agent_ids=named, workflow=workflow, is_dry=is_dry)

    async def forget(self, user: str, *, by: str | None = None, is_dry: bool = False) -> ErasureReport:
        """Forget a person: what is remembered of them, their agents, and their words in other agents.

        An agent of theirs that has not ended is cancelled. Steps, states and times stay; words become tombstones, and a
        last step says so. A repeat finds what is new or was ``left``. With ``is_dry`` nothing is changed.
        """
        check(whom=user)
        check_optional(by=by)
        from fsm_agent.runtime.maintenance.erase import Erasure

        return await Erasure(self._loop, self.store, user, by=by, is_dry=is_dry).run()
