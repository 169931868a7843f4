"""The list of agents: what is looked for stands in the address; agents that are parked can be let go on together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import htpy as h
from starlette.responses import RedirectResponse, Response

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Damage
from fsm_agent.domain.summary import AgentPage, AgentSummary
from fsm_agent.errors import FsmAgentError, Refused
from fsm_agent.runtime.agent_lists import summaries
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import agent_link, moment, status_badge, workflow_link
from fsm_agent.server.tokens import Scope

_PAGE: Final = 50
#: characters of a question or an error that a row shows
_LONGEST: Final = 120
#: what can be looked for, beside the status
_WANTED: Final = {"workflow": "Workflow", "state": "State", "user": "User", "label": "Label", "q": "Id"}
_MOST_FOUND: Final = 50


async def agents(visit: Visit) -> Response:
    """``GET /agents``."""
    wanted = {name: visit.query[name].strip() for name in ("status", *_WANTED) if visit.query.get(name, "").strip()}
    found = await _found(visit, wanted)
    counts = Counter[str]()
    for each in await visit.service.statistics.tally():
        counts[str(each.status)] += each.agents
    return page(
        visit,
        "Agents",
        h.h1["Agents"],
        _statuses(visit, wanted, counts),
        _filter(visit, wanted),
        _table(visit, found) if found.agents else _nobody(visit, wanted),
        _next(visit, wanted, found),
        place="agents",
        styles=("agents.css",),
        scripts=("agents.js",),
    )


async def _found(visit: Visit, wanted: dict[str, str]) -> AgentPage:
    runner = visit.service.runner
    if "q" in wanted:
        ids = await runner.store.find_ids(wanted["q"], limit=_MOST_FOUND)
        damaged: list[Damage] = []
        heads = sorted(await runner.store.heads(ids), key=lambda head: head.id)
        return AgentPage(tuple(await summaries(runner.store, heads, damaged)), None, tuple(damaged))
    selection: dict[str, Any] = {name: wanted[name] for name in ("workflow", "state", "user") if name in wanted}
    if wanted.get("status") in list(Status):
        selection["status"] = Status(wanted["status"])
    if "label" in wanted:
        name, has_text, text = wanted["label"].partition("=")
        selection["label"] = (name, text) if has_text else name
    return await runner.list(**selection, newest=True, limit=_PAGE, after=visit.query.get("after"))


def _statuses(visit: Visit, wanted: dict[str, str], counts: Counter[str]) -> h.Node:
    """All agents by status, each a way to those that have it."""
    others = {name: text for name, text in wanted.items() if name not in ("status", "q")}
    chosen = wanted.get("status")

    def way(status: str | None, text: str, count: int) -> h.Node:
        href = visit.link("agents", **others, status=status)
        return h.li[
            h.a(href=href, aria_current="true" if status == chosen else None)[text, " ", h.span(".count")[f"{count:,}"]]
        ]

    rows = [way(str(status), str(status), counts[str(status)]) for status in Status]
    return h.nav(aria_label="Status")[h.ul(".statuses")[way(None, "all", counts.total()), rows]]


def _filter(visit: Visit, wanted: dict[str, str]) -> h.Node:
    hidden = {name: wanted[name] for name in ("status",) if name in wanted}
    if len(visit.caller.namespaces) > 1:
        hidden["namespace"] = visit.service.namespace
    return h.search[
        h.form(".filter", method="get", action="/agents")[
            [h.input(type="hidden", name=name, value=text) for name, text in hidden.items()],
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
        h.thead[h.tr[h.th[h.span(".hidden")["Choose"]] if can_unpark else None, [h.th(scope="col")[t] for t in head]]],
        h.tbody[[_row(visit, each, can_unpark=can_unpark, has_users=has_users) for each in found.agents]],
    ]
    damaged = [h.li[h.code(dir="auto")[each.agent_id], f": damaged in {each.place}"] for each in found.damaged]
    told = h.ul(".problem")[damaged] if damaged else None
    if not can_unpark:
        return [table, told]
    return [
        h.form(method="get", action="/agents/unpark")[
            _namespace(visit), table, h.p[h.button["Unpark the chosen ones …"]]
        ],
        told,
    ]


def _namespace(visit: Visit) -> h.Node:
    if len(visit.caller.namespaces) < 2:
        return None
    return h.input(type="hidden", name="namespace", value=visit.service.namespace)


def _row(visit: Visit, agent: AgentSummary, *, can_unpark: bool, has_users: bool) -> h.Node:
    is_parked = agent.status is Status.PARKED
    box = h.input(type="checkbox", name="id", value=agent.id, aria_label=f"Unpark {agent.id}") if is_parked else None
    labels = [h.span(".label", dir="auto")[f"{name}={text}" if text else name] for name, text in agent.labels.items()]
    return h.tr[
        h.td[box] if can_unpark else None,
        h.td(data_name="Agent")[agent_link(visit, agent.id), labels],
        h.td(data_name="Status")[status_badge(agent.status)],
        h.td(data_name="State", dir="auto")[agent.state],
        h.td(".what", data_name="What")[_what(agent)],
        h.td(data_name="Workflow")[
            workflow_link(visit, agent.workflow), h.span(".hint")[f" v{agent.workflow_version}"]
        ],
        h.td(data_name="User", dir="auto")[agent.user] if has_users else None,
        h.td(data_name="Updated")[moment(agent.updated_at)],
    ]


def _what(agent: AgentSummary) -> h.Node:
    """What an agent asks, why it stands still, or how far it has come."""
    if agent.question is not None:
        return h.bdi[_line(agent.question.prompt)]
    if agent.error is not None:
        return h.bdi(".problem")[_line(f"{agent.error.get('type')}: {agent.error.get('message')}")]
    return h.bdi[_line(str(agent.progress))] if agent.progress else None


def _line(text: str) -> str:
    line = " ".join(text[: 4 * _LONGEST].split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _nobody(visit: Visit, wanted: dict[str, str]) -> h.Node:
    if wanted:
        return h.div(".empty")[h.p["No agent is like that."], h.p[h.a(href=visit.link("agents"))["Show all agents"]]]
    return h.div(".empty")[
        h.p["There are no agents yet."],
        h.p["Start one from ", h.a(href=visit.link("workflows"))["a workflow"], ", by the API, or on a command line."],
    ]


def _next(visit: Visit, wanted: dict[str, str], found: AgentPage) -> h.Node:
    if found.next is None:
        return None
    return h.p(".next")[h.a(".button", href=visit.link("agents", **wanted, after=found.next), rel="next")["Older ones"]]


async def confirm_unpark(visit: Visit) -> Response:
    """``GET /agents/unpark``: what will happen."""
    visit.require(Scope.OPERATE)
    chosen = list(dict.fromkeys(visit.request.query_params.getlist("id")))[:_MOST_FOUND]
    heads = [head for head in await visit.service.runner.store.heads(chosen) if head.status is Status.PARKED]
    if not heads:
        return RedirectResponse(visit.link("agents", status="parked"), 303)
    rows = [
        h.li[
            agent_link(visit, head.id),
            h.bdi[f" in {head.state}"],
            h.p(".problem", dir="auto")[_line(str(head.problem and head.problem.message))],
            h.input(type="hidden", name="id", value=f"{head.version}.{head.id}"),
        ]
        for head in heads
    ]
    return page(
        visit,
        "Unpark",
        h.h1[f"Unpark {len(heads)} {'agent' if len(heads) == 1 else 'agents'}?"],
        h.p["The action of each is tried again, from its first attempt. Whoever has moved on meanwhile is left alone."],
        h.form(method="post", action=visit.link("agents", "unpark"))[
            h.ul(".chosen")[rows],
            h.p[h.button(".main")["Unpark"], " ", h.a(".button", href=visit.link("agents", status="parked"))["Back"]],
        ],
        place="agents",
        styles=("agents.css",),
    )


async def unpark(visit: Visit) -> Response:
    """``POST /agents/unpark``."""
    refused: list[tuple[str, FsmAgentError]] = []
    for name, text in visit.form:
        version, _, agent_id = text.partition(".")
        if name != "id" or not version.isdecimal():
            continue
        try:
            agent = await visit.service.runner.unpark(
                agent_id, by=visit.caller.name, expect_version=int(version), drive=False
            )
            await visit.service.go_on(agent)
        except Refused as error:
            refused.append((agent_id, error))
    if not refused:
        return RedirectResponse(visit.link("agents"), 303)
    return page(
        visit,
        "Not all were unparked",
        h.h1["Not all were unparked"],
        _refusals(visit, refused),
        h.p[h.a(href=visit.link("agents"))["To the agents"]],
        place="agents",
        styles=("agents.css",),
        status=409,
    )


def _refusals(visit: Visit, refused: Sequence[tuple[str, FsmAgentError]]) -> h.Node:
    return h.ul[[h.li[agent_link(visit, agent_id), h.p(".problem", dir="auto")[str(why)]] for agent_id, why in refused]]
