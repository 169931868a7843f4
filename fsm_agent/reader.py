"""Looking at agents without running anything: no table, no expressions, no actions are loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

from fsm_agent.agent import Agent, Head
from fsm_agent.delta import fold
from fsm_agent.portrait import portray
from fsm_agent.stores.base import Store
from fsm_agent.workflow import Workflow

_PAGE: Final = 500


async def read_heads(
    store: Store, agent_ids: Iterable[str] = (), *, workflow: str | None = None
) -> AsyncIterator[Head]:
    """The heads of these agents, or of all; only those of ``workflow``, if one is named. Raises ``AgentNotFound``
    before the first, if one of these is unknown."""
    named = [await store.head(agent_id) for agent_id in dict.fromkeys(agent_ids)]
    for head in named:
        if workflow in (None, head.workflow):
            yield head
    after, is_more = None, not named
    while is_more:
        page = await store.list(workflow=workflow, limit=_PAGE, after=after)
        for head in page.heads:
            yield head
        after, is_more = page.next, page.next is not None


async def read_agent(store: Store, agent_id: str) -> Agent:
    """The agent as it stands; raises ``AgentNotFound``."""
    record = await store.load(agent_id)
    workflow = await read_workflow(store, record.head.definition)
    return portray(workflow, record.head, fold(record.snapshot, record.tail).values)


async def read_workflow(store: Store, definition_hash: str) -> Workflow:
    """A definition as its agents are pinned to it."""
    return Workflow.from_json(await store.load_workflow(definition_hash))
