"""Migration of agents to a newer definition: the named ones, or all of a workflow, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fsm_agent.actions.registry import Actions
from fsm_agent.domain.record import Damage
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migrate import MigrationRequest, Outcome, migrate
from fsm_agent.engine.migration.migration_path import Route
from fsm_agent.errors import AgentDamaged, DefinitionDamaged, OtherWorkflow
from fsm_agent.runtime.command_loop import CommandLoop
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import damage_of


class MigrationPage(NamedTuple):
    """The outcomes of some agents, and the id to go on after, if there are more."""

    outcomes: tuple[Outcome, ...]
    next: str | None = None
    #: agents that are left out because they cannot be read
    damaged: tuple[Damage, ...] = ()


class Migrator:
    """Migrates agents to one definition, or says what a migration would do."""

    def __init__(self, loop: CommandLoop, store: Store, actions: Actions, workflow: Workflow) -> None:
        """Raises ``ActionError`` if a function of a migration cannot be found."""
        self._loop, self._store, self._workflow = loop, store, workflow
        named = [migration.upcast for migration in workflow.migrations if migration.upcast]
        upcasters = {name: workflow.upcasters.get(name) or actions.function(name) for name in named}
        self._route = Route(loop.programs.program(workflow), workflow.migrations, upcasters)

    async def named(self, agent_ids: Sequence[str], request: MigrationRequest) -> MigrationPage:
        """Migrate the agents with these ids. If one is unknown or of another workflow, none is migrated."""
        heads = [await self._store.head(agent_id) for agent_id in dict.fromkeys(agent_ids)]
        for head in heads:
            if head.workflow != self._workflow.name:
                raise OtherWorkflow(head.id, head.workflow, self._workflow.name)
        driver = self._loop.driver(drives=False)
        return MigrationPage(
            tuple([await self._loop.run(migrate(driver, self._route, head, request)) for head in heads])
        )

    async def page(self, request: MigrationRequest, *, limit: int, after: str | None) -> MigrationPage:
        """Migrate agents of the workflow in the order of their ids, after ``after``."""
        page = await self._store.list(workflow=self._workflow.name, limit=limit, after=after)
        driver, outcomes, damaged = self._loop.driver(drives=False), [], [*page.damaged]
        for head in page.heads:
            try:
                outcomes.append(await self._loop.run(migrate(driver, self._route, head, request)))
            except AgentDamaged as error:
                damaged.append(damage_of(error))
            except DefinitionDamaged as error:
                damaged.append(Damage(head.id, f"its {error.thing}", error.what))
        return MigrationPage(tuple(outcomes), page.next, tuple(damaged))
