"""Lists of agents with their questions, and the inbox: the agents that ask a question, in the order of urgency."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Final

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.agent_view import error_of, question_of, trying
from fsm_agent.domain.question import Question
from fsm_agent.domain.record import Damage
from fsm_agent.domain.step import moment
from fsm_agent.domain.summary import AgentPage, AgentSummary
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentDamaged, AgentNotFound, DefinitionDamaged, KeyMissing
from fsm_agent.runtime.agent_reads import numbered, read_workflow
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import damage_of

_PAGE: Final = 500
_NEVER: Final = float("inf")


async def list_agents(
    store: Store,
    statuses: Collection[Status] = (),
    *,
    workflow: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> AgentPage:
    """Agents in the order of their ids, after the id ``after``."""
    page = await store.list_in(statuses, workflow=workflow, limit=limit, after=after)
    damaged = [*page.damaged]
    return AgentPage(tuple(await summaries(store, page.heads, damaged)), page.next, tuple(damaged))


async def list_waiting(
    store: Store,
    statuses: Collection[Status] = (),
    *,
    workflow: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> AgentPage:
    """Agents that ask a question: the earliest deadline first, then the oldest agent. The list begins after the agent
    ``after``; raises ``AgentNotFound`` if that agent asks nothing any more."""
    damaged: list[Damage] = []
    heads = await _asking(store, workflow, damaged) if not statuses or Status.WAITING in statuses else []
    heads.sort(key=_urgency)
    if after is not None:
        places = [place for place, head in enumerate(heads, 1) if head.id == after]
        if not places:
            raise AgentNotFound(after)
        heads = heads[places[0] :]
    shown = heads[:limit]
    following = shown[-1].id if len(heads) > limit else None
    return AgentPage(tuple(await summaries(store, shown, damaged)), following, tuple(damaged))


async def _asking(store: Store, workflow: str | None, damaged: list[Damage]) -> list[Head]:
    found: list[Head] = []
    after: str | None = None
    while True:
        page = await store.list_in((Status.WAITING,), workflow=workflow, limit=_PAGE, after=after)
        found += [head for head in page.heads if head.asked is not None]
        damaged += page.damaged
        if page.next is None:
            return found
        after = page.next


def _urgency(head: Head) -> tuple[float, int, str]:
    """The deadline, and then the time when the agent began."""
    return min((timer.due_ms for timer in head.timers), default=_NEVER), head.created_ms, head.id


async def summaries(store: Store, heads: Iterable[Head], damaged: list[Damage]) -> list[AgentSummary]:
    """The list entries of these agents; each definition is read once. An agent is added to ``damaged`` instead if its
    definition cannot be read, or does not fit its head."""
    known: dict[str, Workflow | DefinitionDamaged] = {}
    found: list[AgentSummary] = []
    for head in heads:
        try:
            found.append(_summary(head, await _question(store, head, await _definition(store, head, known))))
        except AgentDamaged as error:
            damaged.append(damage_of(error))
        except DefinitionDamaged as error:
            damaged.append(Damage(head.id, f"its {error.thing}", error.what))
    return found


async def _definition(store: Store, head: Head, known: dict[str, Workflow | DefinitionDamaged]) -> Workflow:
    if head.definition not in known:
        try:
            known[head.definition] = await read_workflow(store, head.definition)
        except DefinitionDamaged as error:
            known[head.definition] = error
    workflow = known[head.definition]
    if isinstance(workflow, DefinitionDamaged):
        raise workflow
    require_fit(workflow, head)
    return workflow


async def _question(store: Store, head: Head, workflow: Workflow) -> Question | None:
    if head.asked is None or head.status is not Status.WAITING:
        return None
    with suppress(KeyMissing):  # an agent that cannot be unsealed must not hide the others
        head = await numbered(store, head)
    return question_of(workflow, head)


def _summary(head: Head, question: Question | None) -> AgentSummary:
    return AgentSummary(
        id=head.id,
        workflow=head.workflow,
        workflow_version=head.workflow_version,
        state=head.state,
        status=head.status,
        version=head.version,
        question=question,
        created_at=moment(head.created_ms),
        updated_at=moment(head.updated_ms),
        user=head.user,
        progress=head.progress,
        error=error_of(head),
        retry=trying(head),
        labels=head.labels,
    )
