"""Looking at agents without running anything: no table, no expressions, no actions are loaded."""

from __future__ import annotations

from fsm_agent.agent import Agent
from fsm_agent.delta import fold
from fsm_agent.portrait import portray
from fsm_agent.stores.base import Store
from fsm_agent.workflow import Workflow


async def read_agent(store: Store, agent_id: str) -> Agent:
    """The agent as it stands; raises ``AgentNotFound``."""
    record = await store.load(agent_id)
    workflow = await read_workflow(store, record.head.definition)
    return portray(workflow, record.head, fold(record.snapshot, record.tail).values)


async def read_workflow(store: Store, definition_hash: str) -> Workflow:
    """A definition as its agents are pinned to it."""
    return Workflow.from_json(await store.load_workflow(definition_hash))
