"""How a runner moves agents between versions: by migration those of a workflow, by rewind and fork their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fsm_agent.actions.registry import Actions
from fsm_agent.data.arguments import check, check_optional, strings
from fsm_agent.domain.agent import Agent
from fsm_agent.runtime.agent_ids import checked_id, new_id
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.runtime.requests import event_of
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.domain.replay import Rewound
    from fsm_agent.domain.workflow import Workflow
    from fsm_agent.runtime.migrate import MigrationPage


class VersionMoves:
    """The part of a runner that moves agents between versions."""

    store: Store
    actions: Actions
    _loop: CommandLoop

    async def migrate(
        self,
        workflow: Workflow,
        agent_ids: Sequence[str] | None = None,
        *,
        apply: bool = False,
        by: str | None = None,
        expect_version: int | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> MigrationPage:
        """Migrate agents to ``workflow``, a newer definition: the named ones, or else one page of all.

        Without ``apply`` nothing is changed, and the outcomes say what would happen. Raises ``Refused`` if an id is
        unknown or of another workflow, and ``ActionError`` if an ``upcast`` cannot be found; then no agent is migrated.
        """
        check(workflow=workflow, limit=limit)
        check_optional(by=by, expect_version=expect_version, after=after)
        named = () if agent_ids is None else strings("agent_ids", agent_ids)
        from fsm_agent.engine.migration.migrate import MigrationRequest
        from fsm_agent.runtime.migrate import Migrator

        migrator = Migrator(self._loop, self.store, self.actions, workflow)
        request = MigrationRequest(event_of("migrate", None, by), apply, expect_version)
        if agent_ids is None:
            return await migrator.page(request, limit=limit, after=after)
        return await migrator.named(named, request)

    async def rewind(
        self,
        agent_id: str,
        version: int,
        *,
        by: str | None = None,
        expect_version: int | None = None,
        drive: bool = True,
    ) -> Rewound:
        """Restore state, data, visits and definition of an earlier version, as a new step.

        An agent whose state has an action is parked until ``unpark``. Queued events are refused in the history.
        ``effects`` of the result are those that were begun since; they stay done. Raises ``VersionMissing``.
        """
        check(agent_id=agent_id, version=version)
        check_optional(by=by, expect_version=expect_version)
        from fsm_agent.domain.replay import Rewound
        from fsm_agent.engine.replay import rewind as travel

        flow = travel.rewind(self._loop.driver(drives=drive), agent_id, version, by=by, expect_version=expect_version)
        back = await self._loop.run_request(flow)
        return Rewound(await self._loop.view(back.delivered), back.effects)

    async def fork(
        self,
        agent_id: str,
        version: int | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the word of the interface
        key: str | None = None,
        by: str | None = None,
    ) -> Agent:
        """Create an agent that begins as this one was at a version, by default the present one.

        An agent whose state has an action is parked until ``unpark``. A repeat with the same ``key`` returns the agent
        that the first call made. Raises ``VersionMissing``.
        """
        check(agent_id=agent_id)
        check_optional(version=version, id=id, key=key, by=by)
        from fsm_agent.engine.replay import rewind as travel

        new = new_id() if id is None else checked_id(id)
        flow = travel.fork(self._loop.driver(drives=False), agent_id, version, new_id=new, key=key, by=by)
        return await self._loop.call(flow)
