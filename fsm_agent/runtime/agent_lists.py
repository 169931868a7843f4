"""Lists of agents with their questions; also the inbox: the agents that ask a question, in the order of urgency."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.agent_view import error_of, question_of, trying
from fsm_agent.domain.question import Question
from fsm_agent.domain.record import Damage
from fsm_agent.domain.selection import Selection
from fsm_agent.domain.step import moment
from fsm_agent.domain.summary import AgentPage, AgentSummary
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_fit
from fsm_agent.errors import AgentDamaged, ArgumentInvalid, DefinitionDamaged, KeyMissing
from fsm_agent.runtime.agent_reads import numbered, read_workflow
from fsm_agent.stores import pages
from fsm_agent.stores.base import Store
from fsm_agent.stores.damage import damage_of


class ListQuery(NamedTuple):
    """Which agents are listed, in which order, and how many."""

    selection: Selection = Selection()
    #: those that were created last come first; otherwise the order is that of the ids
    newest: bool = False
    #: only those that ask a question, in the order of urgency
    waiting: bool = False
    #: who is asked: a person, or ``ANYBODY``; ``None`` is whoever it is
    to: str | None = None
    limit: int = 50
    #: the ``next`` of the page before
    after: str | None = None


def why_impossible(query: ListQuery, *, named: Callable[[str], str] = "`{}`".format) -> str | None:
    """Why there is no such list; ``None`` if there is one. ``named`` writes the name of a parameter for the caller."""
    if query.to is not None and not query.waiting:
        return f"{named('to')} says whom a question is for: add {named('waiting')}, or leave it out"
    wanted = query.selection
    others = {"newest": query.newest, "state": wanted.state, "user": wanted.user, "label": wanted.label}
    given = [named(name) for name, value in others.items() if value not in (None, False)]
    if not query.waiting or not given:
        return None
    return (
        f"{named('waiting')} has an order of its own, and selects by {named('workflow')} and {named('to')} alone: "
        f"leave {' and '.join(given)} out, or select by {named('status')} instead of {named('waiting')}"
    )


async def list_agents(store: Store, query: ListQuery) -> AgentPage:
    """A page of agents with their questions; raises ``ArgumentInvalid``."""
    if (why := why_impossible(query)) is not None:
        raise ArgumentInvalid(why)
    damaged: list[Damage] = []
    heads, following = await (_waiting if query.waiting else _selected)(store, query, damaged)
    return AgentPage(tuple(await summaries(store, heads, damaged)), following, tuple(damaged))


async def _selected(store: Store, query: ListQuery, damaged: list[Damage]) -> tuple[Sequence[Head], str | None]:
    wanted, limit, after = query.selection, query.limit, query.after
    if query.newest or (wanted.state, wanted.user, wanted.label) != (None, None, None):
        page = await store.select(wanted, newest=query.newest, limit=limit, after=after)
    else:  # of a store without `select`, too, this costs no more than a page
        page = await store.list_in(wanted.statuses, workflow=wanted.workflow, limit=limit, after=after)
    damaged += page.damaged
    return page.heads, page.next


async def _waiting(store: Store, query: ListQuery, damaged: list[Damage]) -> tuple[Sequence[Head], str | None]:
    place = None if query.after is None else pages.question_place_of(query.after)
    wanted = query.selection
    if wanted.statuses and Status.WAITING not in wanted.statuses:
        return (), None
    page = await store.questions(to=query.to, workflow=wanted.workflow, limit=query.limit, after=place)
    damaged += page.damaged
    return page.heads, page.next and pages.question_after(page.next)


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
        labels=dict(head.labels),
    )
