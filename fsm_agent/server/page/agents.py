"""The list of agents: what is looked for stands in the address; those that are parked can be chosen, to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import htpy as h
from starlette.responses import Response

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Damage
from fsm_agent.domain.selection import Selection, Tally
from fsm_agent.domain.summary import AgentPage, AgentSummary
from fsm_agent.runtime.agent_lists import summaries
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import (
    agent_link,
    damage_list,
    label_text,
    moment,
    namespace_field,
    status_badge,
    workflow_link,
)
from fsm_agent.server.tokens import Scope

_PAGE: Final = 50
#: what can be looked for, beside the status
_WANTED: Final = {"workflow": "Workflow", "state": "State", "user": "User", "label": "Label", "q": "Id"}
#: ids that are looked through for what else is wanted
_MOST_FOUND: Final = 1_000


async def agents(visit: Visit) -> Response:
    """``GET /agents``."""
    wanted = _wanted(visit)
    found = await _found(visit, wanted)
    return page(
        visit,
        "Agents",
        h.h1["Agents"],
        await _unparked(visit),
        _statuses(visit, wanted, _counts(wanted, await visit.service.statistics.tally())),
        _filter(visit, wanted),
        _table(visit, found) if found.agents else _nobody(visit, wanted),
        damage_list(found.damaged),
        _next(visit, wanted, found),
        place="agents",
        styles=("agents.css",),
        scripts=("agents.js",),
    )


async def _unparked(visit: Visit) -> h.Node:
    """How agents stand now that were unparked together. It is looked up, so that no address can claim anything."""
    chosen = visit.request.query_params.getlist("unparked")[:_PAGE]
    counts = Counter(head.status for head in await visit.service.runner.store.heads(chosen))
    if not counts:
        return None
    told = ", ".join(f"{counts[status]} {'is' if counts[status] == 1 else 'are'} {status}" for status in counts)
    return h.p(".notice", role="status")[
        f"Of {counts.total()} unparked {'agent' if counts.total() == 1 else 'agents'}, {told} now."
    ]


def _wanted(visit: Visit) -> dict[str, str]:
    """What is looked for, by the names of the address; no agent has a status that there is not."""
    given = {name: visit.query.get(name, "").strip() for name in ("status", *_WANTED)}
    return {name: text for name, text in given.items() if text and (name != "status" or text in list(Status))}


def _selection(wanted: Mapping[str, str]) -> Selection:
    statuses = (Status(wanted["status"]),) if "status" in wanted else ()
    name, has_text, text = wanted.get("label", "").partition("=")
    label = (name, text if has_text else None) if "label" in wanted else None
    return Selection(statuses, wanted.get("workflow"), wanted.get("state"), wanted.get("user"), label)


async def _found(visit: Visit, wanted: Mapping[str, str]) -> AgentPage:
    runner, selection = visit.service.runner, _selection(wanted)
    if "q" not in wanted:
        return await runner.list(
            status=selection.statuses,
            workflow=selection.workflow,
            state=selection.state,
            user=selection.user,
            label=selection.label,
            newest=True,
            limit=_PAGE,
            after=visit.query.get("after"),
        )
    ids = await runner.store.find_ids(wanted["q"], limit=_MOST_FOUND)
    damaged: list[Damage] = []
    heads = sorted(filter(selection.has, await runner.store.heads(ids)), key=lambda head: head.id)
    after = visit.query.get("after", "")
    left = [head for head in heads if head.id > after]
    shown = left[:_PAGE]
    found = tuple(await summaries(runner.store, shown, damaged))
    return AgentPage(found, shown[-1].id if len(left) > len(shown) else None, tuple(damaged))


def _counts(wanted: Mapping[str, str], tally: Sequence[Tally]) -> Counter[str] | None:
    """How many agents have each status, of those that are looked for; ``None`` if nobody has counted just them."""
    if {"user", "label", "q"} & wanted.keys():
        return None
    counts = Counter[str]()
    for each in tally:
        if wanted.get("workflow", each.workflow) == each.workflow and wanted.get("state", each.state) == each.state:
            counts[str(each.status)] += each.agents
    return counts


def _statuses(visit: Visit, wanted: Mapping[str, str], counts: Counter[str] | None) -> h.Node:
    """The statuses, each a way to those that have it."""
    others = {name: text for name, text in wanted.items() if name != "status"}
    chosen = wanted.get("status")

    def way(status: str | None, text: str, count: int | None) -> h.Node:
        href = visit.link("agents", **others, status=status)
        number = None if count is None else [" ", h.span(".count")[f"{count:,}"]]
        return h.li[h.a(href=href, aria_current="true" if status == chosen else None)[text, number]]

    total = None if counts is None else counts.total()
    rows = [way(str(each), str(each), None if counts is None else counts[str(each)]) for each in Status]
    return h.nav(aria_label="Status")[h.ul(".statuses")[way(None, "all", total), rows]]


def _filter(visit: Visit, wanted: Mapping[str, str]) -> h.Node:
    return h.search[
        h.form(".filter", method="get", action="/agents")[
            h.input(type="hidden", name="status", value=wanted["status"]) if "status" in wanted else None,
            namespace_field(visit),
            [
                h.span[
                    h.label(for_=f"f-{name}")[text],
                    h.input(
                        id=f"f-{name}",
                        name=name,
                        value=wanted.get(name, ""),
                        placeholder=_hint(name),
                        dir="auto",
                        autocomplete="off",
                    ),
                ]
                for name, text in _WANTED.items()
            ],
            h.button["Search"],
            h.a(href=visit.link("agents"))["Clear"] if wanted else None,
        ]
    ]


def _hint(name: str) -> str | None:
    return {"label": "name=text", "q": "its first or last letters"}.get(name)


def _table(visit: Visit, found: AgentPage) -> h.Node:
    can_unpark = visit.may(Scope.OPERATE) and any(each.status is Status.PARKED for each in found.agents)
    has_users = any(each.user is not None for each in found.agents)
    head = ["Agent", "Status", "State", "What", "Workflow", *(["User"] if has_users else []), "Updated"]
    table = h.table(".agents")[
        h.thead[h.tr[h.th[h.span(".unseen")["Choose"]] if can_unpark else None, [h.th(scope="col")[t] for t in head]]],
        h.tbody[[_row(visit, each, can_unpark=can_unpark, has_users=has_users) for each in found.agents]],
    ]
    if not can_unpark:
        return table
    send = h.p[h.button["Unpark the chosen ones …"]]
    return h.form(method="get", action="/unpark")[namespace_field(visit), table, send]


def _row(visit: Visit, agent: AgentSummary, *, can_unpark: bool, has_users: bool) -> h.Node:
    is_parked = agent.status is Status.PARKED
    box = h.input(type="checkbox", name="id", value=agent.id, aria_label=f"Unpark {agent.id}") if is_parked else None
    labels = [h.span(".label", dir="auto")[label_text(name, text)] for name, text in agent.labels.items()]
    return h.tr[
        h.td[box] if can_unpark else None,
        h.td(data_name="Agent")[agent_link(visit, agent.id), labels],
        h.td(data_name="Status")[status_badge(agent.status)],
        h.td(data_name="State", dir="auto")[visible(agent.state)],
        h.td(".what", data_name="What")[_what(agent)],
        h.td(data_name="Workflow")[
            workflow_link(visit, agent.workflow), h.span(".hint")[f" v{agent.workflow_version}"]
        ],
        h.td(data_name="User")[h.bdi[one_line(agent.user)] if agent.user else None] if has_users else None,
        h.td(data_name="Updated")[moment(agent.updated_at)],
    ]


def _what(agent: AgentSummary) -> h.Node:
    """What an agent asks, why it stands still, or how far it has come."""
    if agent.question is not None:
        return h.bdi[one_line(agent.question.prompt)]
    if agent.error is not None:
        return h.bdi(".problem")[one_line(f"{agent.error.get('type')}: {agent.error.get('message')}")]
    return h.bdi[one_line(str(agent.progress))] if agent.progress else None


def _nobody(visit: Visit, wanted: Mapping[str, str]) -> h.Node:
    if wanted:
        return h.div(".empty")[h.p["No agent is like that."], h.p[h.a(href=visit.link("agents"))["Show all agents"]]]
    return h.div(".empty")[
        h.p["There are no agents yet."],
        h.p["Start one from ", h.a(href=visit.link("workflows"))["a workflow"], ", by the API, or on a command line."],
    ]


def _next(visit: Visit, wanted: Mapping[str, str], found: AgentPage) -> h.Node:
    newest, older = visit.link("agents", **wanted), visit.link("agents", **wanted, after=found.next)
    ways = [
        h.a(".button", href=newest)["First page"] if visit.query.get("after") else None,
        h.a(".button", href=older, rel="next")["Next page"] if found.next is not None else None,
    ]
    return h.p(".next")[ways] if any(ways) else None
