"""What an operator can do with an agent. Each action has a page that says what will happen; it carries the version that
it was made for, so that nothing happens to an agent that has moved on meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import ENDED, Agent, Head
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.program import Program
from fsm_agent.errors import Conflict, Refused
from fsm_agent.runtime.agent_reads import read_children, workflow_of
from fsm_agent.server.page.agent_facts import agent_id_of, said
from fsm_agent.server.page.agent_head import header_facts
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import isolated, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link
from fsm_agent.server.problems import HttpProblem, problem_of
from fsm_agent.server.service import A_MOMENT_S

#: what an action does; returns the agent that it leads to
Act: TypeAlias = Callable[[int], Awaitable[Agent]]
#: makes the page of an action anew, with what is wrong
Again: TypeAlias = Callable[["Trouble"], Awaitable[Response]]

#: children that are named
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an action was not done."""

    why: str
    #: whether the agent has moved on since the page was made
    is_outdated: bool
    status: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What the page of an action says."""

    title: str
    #: what will happen, sentence by sentence
    told: Sequence[h.Node]
    #: the word on the button
    button: str
    #: where it is sent, and what goes along besides the version
    action: str
    hidden: dict[str, str]
    #: what the operator says besides
    fields: h.Node = None
    #: what is shown below, such as changes of the data
    below: h.Node = None
    is_grave: bool = False


def action_page(visit: Visit, head: Head, plan: Plan, trouble: Trouble | None = None) -> Response:
    """The page of an action."""
    hidden = {"version": str(head.version), **plan.hidden}
    return page(
        visit,
        plan.title,
        h.nav(".crumbs", aria_label="Place")[agent_link(visit, head.id)],
        h.h1[plan.title],
        header_facts(head),
        _trouble(visit, head, trouble),
        h.section(".card.plan")[
            h.h2["What will happen"],
            h.ul[[h.li[each] for each in plan.told if each is not None]],
            h.form(".event", method="post", action=plan.action)[
                [h.input(type="hidden", name=name, value=value) for name, value in hidden.items()],
                plan.fields,
                h.div(".buttons")[
                    h.button(class_=["main", {"grave": plan.is_grave}])[plan.button],
                    h.a(".button", href=visit.link("agents", head.id))["Leave it as it is"],
                ],
            ],
        ],
        plan.below,
        place="agents",
        styles=("forms.css", "agent.css"),
        status=trouble.status if trouble else 200,
    )


def _trouble(visit: Visit, head: Head, trouble: Trouble | None) -> h.Node:
    if trouble is None:
        return None
    again = [
        h.p["Nothing was done. Look again: below it says what would happen now."],
        h.p[h.a(href=visit.link("agents", head.id) + "#timeline")["What happened in between"]],
    ]
    why = h.p(".problem", dir="auto")[visible(trouble.why)]
    return h.div(".trouble", role="alert")[why, again if trouble.is_outdated else None]


async def done(visit: Visit, act: Act, again: Again) -> Response:
    """Do it, on the version that the form carries; if that is refused, show the page of the action anew."""
    text = visit.sent("version") or ""
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise HttpProblem(422, "version-unnamed", "the form does not say for which version of the agent it was made")
    try:
        agent = await act(int(text))
    except Refused as error:
        trouble = Trouble(said(error), isinstance(error, Conflict), problem_of(error, is_conditional=True).status)
        return await again(trouble)
    agent = await visit.service.go_on(agent, A_MOMENT_S)
    return RedirectResponse(visit.link("agents", agent.id), 303)


async def present(visit: Visit) -> Aggregate:
    """The agent as it is, with all that its definition says of it."""
    store = visit.service.runner.store
    record = await store.load(agent_id_of(visit))
    workflow = await workflow_of(store, record.head)
    program = Program(workflow, signature=visit.service.runner.actions.signature)
    now_ms = max(await store.now(), record.head.updated_ms)
    return Aggregate(program, record.head, fold(record.snapshot, record.tail), now_ms)


def interrupted(head: Head) -> h.Node:
    """What becomes of an action at work when the agent leaves its state."""
    if not head.is_at_work:
        return None
    return "Its action, which is at work, is interrupted; what it has begun and not recorded stays in doubt."


async def children_ended(visit: Visit, head: Head) -> h.Node:
    """Which children are cancelled when the agent leaves its state."""
    found = await read_children(visit.service.runner.store, head)
    alive = [child for child in (found.heads if found else ()) if child.status not in ENDED]
    if not alive:
        return None
    named = [[", " if place else "", agent_link(visit, child.id)] for place, child in enumerate(alive[:_MOST_NAMED])]
    more = f" and {len(alive) - _MOST_NAMED} more" if len(alive) > _MOST_NAMED else ""
    return [f"{len(alive)} of its children {'is' if len(alive) == 1 else 'are'} cancelled: ", named, more, "."]


def state(path: str) -> h.Node:
    return h.strong[isolated(path)]
