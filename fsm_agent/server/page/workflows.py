"""The workflows: which there are, where their agents are and how long they stay there, and a form to start one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import htpy as h
from starlette.responses import Response

from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import Tally
from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import RenderFailed
from fsm_agent.render.formats import draw
from fsm_agent.render.graph import graph_of
from fsm_agent.report.coverage import Coverage
from fsm_agent.report.heat import heat
from fsm_agent.server.diagrams import Drawing, drawing
from fsm_agent.server.page.plots import Dwell, dwell_plot, questions_plot, steps_plot
from fsm_agent.server.page.shell import page
from fsm_agent.server.page.svg import inline
from fsm_agent.server.page.texts import one_line, visible
from fsm_agent.server.page.visit import Visit
from fsm_agent.server.page.widgets import status_badge, workflow_link
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.statistics import KnownWorkflow, Sample
from fsm_agent.server.tokens import Scope

_STYLES: Final = ("workflows.css",)
#: characters of a description in the list, and on the page of its workflow
_SHORT: Final = 300
_LONG: Final = 4_000


async def workflows(visit: Visit) -> Response:
    """``GET /workflows``."""
    statistics = visit.service.statistics
    known, tally = await statistics.workflows(), await statistics.tally()
    names = ("Workflow", "Versions", "Agents", h.span(".unseen")["Start"])
    head = h.tr[[h.th(scope="col")[name] for name in names]]
    table = h.table(".workflows")[h.thead[head], h.tbody[[_row(visit, n, each, tally) for n, each in known.items()]]]
    nothing = h.div(".empty")[
        h.p["There are no workflows."],
        h.p["Name a folder with YAML files when you start the server: ", h.code["fsm-agent serve workflows"]],
    ]
    return page(visit, "Workflows", h.h1["Workflows"], table if known else nothing, place="workflows", styles=_STYLES)


def _row(visit: Visit, name: str, known: KnownWorkflow, tally: Sequence[Tally]) -> h.Node:
    counts = Counter[Status]()
    for each in tally:
        if each.workflow == name:
            counts[each.status] += each.agents
    can_start = known.can_start and visit.may(Scope.OPERATE)
    return h.tr[
        h.td(data_name="Workflow")[
            h.strong[workflow_link(visit, name)],
            h.p(".hint", dir="auto")[one_line(known.newest.description, _SHORT)] if known.newest.description else None,
        ],
        h.td(data_name="Versions")[", ".join(f"v{version}" for version in known.versions)],
        h.td(".counts", data_name="Agents")[
            [
                h.a(href=visit.link("agents", workflow=name, status=str(status)))[
                    f"{counts[status]:,} ", status_badge(status)
                ]
                for status in Status
                if counts[status]
            ]
            or "no agents"
        ],
        h.td[h.a(".button", href=visit.link("workflows", name, "start"))["Start …"] if can_start else None],
    ]


async def workflow(visit: Visit) -> Response:
    """``GET /workflows/{name}``; ``version`` is by default the newest."""
    name, known = await found_workflow(visit)
    shown = _version(visit, known)
    is_newest = shown is known.newest
    statistics = visit.service.statistics
    sample = await statistics.sample(shown)
    tally = await statistics.tally() if is_newest else ()
    can_start = is_newest and known.can_start and visit.may(Scope.OPERATE)
    return page(
        visit,
        name if is_newest else f"{name} v{shown.version}",
        h.div(".title")[
            h.h1(dir="auto")[name, h.span(".quiet")[f" v{shown.version}"]],
            h.a(".button.main", href=visit.link("workflows", name, "start"))["Start an agent …"] if can_start else None,
        ],
        _versions(visit, name, known, shown),
        description(shown),
        await _picture(shown, _now(sample.coverage, tally) if is_newest else sample.coverage),
        _about(sample, is_newest=is_newest),
        _plots(sample),
        _occupancy(visit, name, sample.coverage, tally),
        place="workflows",
        styles=("diagram.css", *_STYLES),
        scripts=("workflow.js",),
    )


def _version(visit: Visit, known: KnownWorkflow) -> Workflow:
    """The version that the address names, or the newest."""
    wanted = visit.query.get("version", "").strip()
    if not wanted:
        return known.newest
    for version, each in known.versions.items():
        if wanted == str(version):
            return each
    versions = [str(version) for version in known.versions]
    raise HttpProblem(404, "version-missing", f"there is no version {shortened(wanted)}", allowed=versions)


def _versions(visit: Visit, name: str, known: KnownWorkflow, shown: Workflow) -> h.Node:
    """Ways to the other versions, the newest first."""
    if len(known.versions) < 2:
        return None
    ways = [
        h.a(
            href=visit.link("workflows", name, version=None if each is known.newest else version),
            aria_current="true" if each is shown else None,
        )[f"v{version}"]
        for version, each in reversed(list(known.versions.items()))
    ]
    return h.nav(".ways", aria_label="Version")["Versions ", ways]


def description(workflow: Workflow) -> h.Node:
    """What a workflow says of itself, or the beginning of that."""
    return h.p(".description", dir="auto")[visible(workflow.description[:_LONG])] if workflow.description else None


def _about(sample: Sample, *, is_newest: bool) -> h.Node:
    """The sentence that says of which agents the numbers in the diagram are."""
    sentences = []
    if not is_newest:
        sentences.append("This is no longer the newest version: agents that start now do not have it.")
    if not sample.is_all:
        of = f"the newest {_agents(sample.agents)}"
        counted = "; where agents are now is counted of all." if is_newest else "."
        sentences.append(f"Transitions and times are those of {of}{counted}")
    if sample.others:
        has = "has" if sample.others == 1 else "have"
        sentences.append(
            f"{_agents(sample.others)} {has} another definition, and what they did under that is left out."
        )
    return h.p(".hint")[" ".join(sentences)] if sentences else None


def _agents(count: int) -> str:
    return f"{count:,} {'agent' if count == 1 else 'agents'}"


async def found_workflow(visit: Visit) -> tuple[str, KnownWorkflow]:
    """The workflow that the path names; raises ``HttpProblem`` 404."""
    name = visit.request.path_params["name"]
    known = await visit.service.statistics.workflows()
    if name not in known:
        raise HttpProblem(404, "workflow-unknown", f"there is no workflow {shortened(name)}", allowed=list(known))
    return name, known[name]


async def _picture(workflow: Workflow, told: Coverage) -> h.Node:
    """The diagram with the heat of what agents do, and with how many are in each state now."""
    try:
        drawn = await asyncio.to_thread(_drawn, workflow, told)
    except RenderFailed as error:
        return h.p(".problem")[str(error)]
    return [h.div("#zoom", role="group", aria_label="Zoom"), inline(drawn, _words(workflow))]


def _words(workflow: Workflow) -> str:
    return f"Diagram of {workflow.name}, with how often each transition was taken and how many agents are in each state"


def _now(told: Coverage, tally: Sequence[Tally]) -> Coverage:
    """The coverage with the agents that are in each state now, all of them and not only those of the sample."""
    here = Counter[str]()
    for each in tally:
        if each.workflow == told.workflow.name:
            here[each.state] += each.agents
    return told._replace(states=tuple(state._replace(here=here[state.path]) for state in told.states))


def _drawn(workflow: Workflow, told: Coverage) -> Drawing:
    return drawing(draw(workflow, "svg", overlay=heat(told)).decode(), graph_of(workflow).ids)


def _plots(sample: Sample) -> h.Node:
    if sample.activity is None:
        return None
    whose = "all agents" if sample.is_all else f"the newest {_agents(sample.agents)}"
    return h.section[
        h.h2["Over time", h.span(".hint")[f" of {whose}"]],
        h.div(".plots")[steps_plot(sample.activity), questions_plot(sample.activity)],
    ]


def _occupancy(visit: Visit, name: str, told: Coverage, tally: Sequence[Tally]) -> h.Node:
    here = Counter[str]()
    for each in tally:
        if each.workflow == name:
            here[each.state] += each.agents
    dwells = [
        Dwell(state.path, state.dwell_p50_ms, state.dwell_p95_ms)
        for state in told.states
        if state.dwell_p50_ms is not None and state.dwell_p95_ms is not None
    ]
    rows = [
        h.tr[
            h.th(scope="row", dir="auto")[state],
            h.td(".number")[h.a(href=visit.link("agents", workflow=name, state=state))[f"{count:,}"]],
        ]
        for state, count in here.most_common()
    ]
    return [
        h.section[h.h2["How long agents stay"], dwell_plot(dwells)] if dwells else None,
        h.section[h.h2["Where agents are now"], h.table(".here")[h.tbody[rows]]] if rows else None,
    ]
