"""Reads of agents that run nothing: they load no table, no expressions and no actions."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import CHILDREN, Agent, Head, Parent, Status, child_id
from fsm_agent.domain.agent_view import agent_view
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.record import Damage, Record
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentNotFound, DefinitionDamaged, DefinitionMissing, EffectInDoubt
from fsm_agent.stores.base import Store

_PAGE: Final = 500
#: limit of children that are read to see whether they have failed
_MOST_CHILDREN: Final = 1_000


async def read_heads(
    store: Store,
    agent_ids: Iterable[str] = (),
    *,
    workflow: str | None = None,
    left_out: Callable[[Damage], object],
) -> AsyncIterator[Head]:
    """The heads of these agents, or of all, and only those of ``workflow`` if it is given. For all agents, ``left_out``
    is called for each head that cannot be read. Raises ``AgentNotFound`` before the first head if an id is unknown."""
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


async def agent_of(
    store: Store, record: Record, workflow: Workflow, *, signature: Callable[[str], Signature | None] = lambda _: None
) -> Agent:
    """The agent of a record that is pinned to ``workflow``. ``signature`` returns the known signature of an action."""
    head, values = await numbered(store, record.head), fold(record.snapshot, record.tail).values
    return agent_view(workflow, head, values, claimed=claimed_events(workflow, head, signature))


def claimed_events(
    workflow: Workflow, head: Head, signature: Callable[[str], Signature | None] = lambda _: None
) -> frozenset[str]:
    """The events that only the action of an agent may name, as far as they are known here."""
    if workflow.by_path[head.state].do is None:
        return frozenset()
    from fsm_agent.dialect.claims import claimed

    return claimed(workflow, head, signature)


async def numbered(store: Store, head: Head) -> Head:
    """The head with the id of its question, which earlier versions of the package did not store."""
    if head.asked is None or head.asked.id:
        return head
    from fsm_agent.engine.questions import with_id

    steps, origin = await store.history(head.id), await store.origin(head.id)
    return with_id(head, [step for step in steps if step.version <= head.version], origin)


async def read_doubts(store: Store, agent: Agent) -> Sequence[EffectEntry]:
    """The open effects for which an agent is parked; an operator must settle them."""
    if agent.status is not Status.PARKED or not agent.error or agent.error["type"] != EffectInDoubt.__name__:
        return ()
    entries = await store.effects(agent.id)
    work = max((entry.activation for entry in entries), default=0)  # the present one: an effect of it is in doubt
    return [entry for entry in entries if entry.is_open and entry.activation == work]


class Children(NamedTuple):
    """The children that work for an agent now, and how many there will be."""

    heads: Sequence[Head]
    total: int


async def read_children(store: Store, head: Head) -> Children | None:
    """The children of the present activation; ``None`` if it has none."""
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


class Failures(NamedTuple):
    """Children that have failed or were cancelled, in all activations of their parent, the last activation first.
    ``left_out`` counts the children that were not read."""

    heads: Sequence[Head]
    left_out: int = 0


async def read_failures(store: Store, head: Head, workflow: Workflow) -> Failures:
    """The children of an agent that have failed or were cancelled."""
    from fsm_agent.dialect.builtin_names import HAS_CHILDREN

    if not any(state.do == HAS_CHILDREN for state in workflow.leaves):
        return Failures(())
    works = [
        entry for entry in await store.effects(head.id) if entry.name == CHILDREN and isinstance(entry.result, list)
    ]
    parents = [Parent(head.id, work.activation, n) for work in reversed(works) for n in range(1, len(work.result) + 1)]
    failed = []
    for parent in parents[:_MOST_CHILDREN]:
        with suppress(AgentNotFound):
            child = await store.head(child_id(*parent))
            failed += [child] if child.parent == parent and child.status in (Status.FAILED, Status.CANCELLED) else []
    return Failures(failed, max(0, len(parents) - _MOST_CHILDREN))


async def workflow_of(store: Store, head: Head) -> Workflow:
    """The definition that an agent is pinned to; raises ``AgentDamaged`` if it does not fit the head."""
    workflow = await read_workflow(store, head.definition)
    require_fit(workflow, head)
    return workflow


async def read_workflow(store: Store, definition_hash: str) -> Workflow:
    """A stored definition; raises ``DefinitionDamaged`` if it cannot be read as a workflow."""
    place = "the definitions"
    try:
        document = await store.load_workflow(definition_hash)
    except DefinitionMissing as error:
        raise DefinitionDamaged(definition_hash, place, "it is not kept any more") from error
    try:
        return Workflow.from_json(document)
    except Exception as error:  # a damaged document may cause any error
        raise DefinitionDamaged(definition_hash, place, "it is no definition of a workflow any more") from error
