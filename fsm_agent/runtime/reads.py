"""Looking at agents without running anything: no table, no expressions, no actions are loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import CHILDREN, Agent, Head, Parent, child_id
from fsm_agent.domain.record import Damage
from fsm_agent.domain.view import portray
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentNotFound, DefinitionDamaged, DefinitionMissing
from fsm_agent.stores.base import Store

_PAGE: Final = 500


async def read_heads(
    store: Store,
    agent_ids: Iterable[str] = (),
    *,
    workflow: str | None = None,
    left_out: Callable[[Damage], object],
) -> AsyncIterator[Head]:
    """The heads of these agents, or of all; only those of ``workflow``, if one is named. Of all, those that cannot be
    read are told to ``left_out``. Raises ``AgentNotFound`` before the first, if one of these is unknown."""
    named = [await store.head(agent_id) for agent_id in dict.fromkeys(agent_ids)]
    for head in named:
        if workflow in (None, head.workflow):
            yield head
    after, is_more = None, not named
    while is_more:
        page = await store.list(workflow=workflow, limit=_PAGE, after=after)
        for damage in page.damaged:
            left_out(damage)
        for head in page.heads:
            yield head
        after, is_more = page.next, page.next is not None


async def read_agent(store: Store, agent_id: str) -> Agent:
    """The agent as it stands; raises ``AgentNotFound``."""
    record = await store.load(agent_id)
    workflow = await workflow_of(store, record.head)
    return portray(workflow, await numbered(store, record.head), fold(record.snapshot, record.tail).values)


async def numbered(store: Store, head: Head) -> Head:
    """The head with the id of its question, which earlier versions of the package did not keep."""
    if head.asked is None or head.asked.id:
        return head
    from fsm_agent.engine.questions import with_id

    steps, origin = await store.history(head.id), await store.origin(head.id)
    return with_id(head, [step for step in steps if step.version <= head.version], origin)


class Children(NamedTuple):
    """Those who work for an agent now, as they stand, and how many there are to be."""

    heads: Sequence[Head]
    total: int


async def read_children(store: Store, head: Head) -> Children | None:
    """The children of the work that an agent is at; ``None`` if none do it."""
    if not head.activation:
        return None
    entries = await store.effects(head.id, activation=head.activation)
    items = [entry.result for entry in entries if (entry.activation, entry.name) == (head.activation, CHILDREN)]
    if not items or not isinstance(items[0], list):
        return None
    found = []
    for number in range(1, len(items[0]) + 1):
        parent = Parent(head.id, head.activation, number)
        with suppress(AgentNotFound):
            child = await store.head(child_id(*parent))
            found += [child] if child.parent == parent else []
    return Children(found, len(items[0]))


async def workflow_of(store: Store, head: Head) -> Workflow:
    """The definition that an agent is pinned to; raises ``AgentDamaged`` if its head does not fit it."""
    workflow = await read_workflow(store, head.definition)
    require_fit(workflow, head)
    return workflow


async def read_workflow(store: Store, definition_hash: str) -> Workflow:
    """A definition as its agents are pinned to it; raises ``DefinitionDamaged`` if it is none any more."""
    place = "the definitions"
    try:
        document = await store.load_workflow(definition_hash)
    except DefinitionMissing as error:
        raise DefinitionDamaged(definition_hash, place, "it is not kept any more") from error
    try:
        return Workflow.from_json(document)
    except Exception as error:  # whatever a damaged document makes go wrong
        raise DefinitionDamaged(definition_hash, place, "it is no definition of a workflow any more") from error
