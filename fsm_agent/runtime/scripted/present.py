"""An agent of a store as it is now, copied so that it can be played on: the store and the agent stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.record import AgentExport
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.replay.history import Past
from fsm_agent.runtime.agent_reads import workflow_of
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store


class Present(NamedTuple):
    """All that is needed to go on with a copy of an agent."""

    export: AgentExport
    workflow: Workflow
    past: Past
    #: hash -> definition, of all to which the agent was ever pinned
    definitions: Mapping[str, Mapping[str, Json]]
    user: UserRecord | None
    now_ms: int

    async def put(self, store: Store) -> str:
        """Keep the copy in an empty store; returns its id."""
        for each, definition in self.definitions.items():
            await store.save_workflow(each, definition)
        if self.user is not None and self.user.version:
            await store.save_user(self.user._replace(version=1))
        await store.adopt(self.export)
        return self.export.head.id


async def present_of(store: Store, agent_id: str) -> Present:
    """Copy an agent. Nobody drives the copy, and it has no family. Raises ``AgentNotFound``."""
    past = await load_past(store, agent_id)
    record = past.record
    head = record.head._replace(lease=None, parent=None, children=0, queued=0)
    user = None if head.user is None else await store.user(head.user)
    effects: Any = tuple(await store.effects(agent_id))
    export = AgentExport(head, tuple(past.steps), record.snapshot, past.origin, effects=effects)
    definitions = {each: program.workflow.to_json() for each, program in past.programs.items()}
    workflow = await workflow_of(store, record.head)
    return Present(export, workflow, past, definitions, user, max(await store.now(), head.updated_ms))
