"""Operations on workflows: which there are, and where their agents are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from fsm_agent.domain.json import Json
from fsm_agent.domain.selection import Tally
from fsm_agent.report.coverage import Coverage
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.problems import HttpProblem
from fsm_agent.server.statistics import KnownWorkflow


async def workflows(call: Call) -> Reply:
    statistics = call.service.statistics
    known, tally = await statistics.workflows(), await statistics.tally()
    return Reply({"workflows": [_entry(name, each, tally) for name, each in known.items()]})


async def workflow(call: Call) -> Reply:
    statistics, name = call.service.statistics, str(call.request.path_params["name"])
    known, tally = await statistics.workflows(), await statistics.tally()
    if name not in known:
        raise HttpProblem(404, "workflow-unknown", f"there is no workflow {name!r}", allowed=list(known))
    sample = await statistics.sample(known[name].newest)
    return Reply(
        {
            "workflow": _entry(name, known[name], tally),
            "document": dict(known[name].newest.to_json()),
            "occupancy": _occupancy(name, sample.coverage, tally),
            "sampled": sample.agents,
        }
    )


def _entry(name: str, known: KnownWorkflow, tally: Sequence[Tally]) -> dict[str, Json]:
    agents: Counter[str] = Counter()
    for each in tally:
        if each.workflow == name:
            agents[str(each.status)] += each.agents
    newest = known.newest
    return {
        "name": name,
        "version": newest.version,
        "versions": list(known.versions),
        "description": newest.description or "",
        "definition": newest.hash,
        "can_start": known.can_start,
        "agents": dict(agents),
    }


def _occupancy(name: str, told: Coverage, tally: Sequence[Tally]) -> list[Json]:
    """Every state that the newest version has or an agent is in, with how many are there, and how long they stay."""
    agents: Counter[str] = Counter()
    for each in tally:
        if each.workflow == name:
            agents[each.state] += each.agents
    dwell: Mapping[str, Json] = {
        state.path: {"p50_ms": state.dwell_p50_ms, "p95_ms": state.dwell_p95_ms}
        for state in told.states
        if state.dwell_p50_ms is not None
    }
    states = dict.fromkeys([*(state.path for state in told.states), *sorted(agents)])
    return [{"state": state, "agents": agents[state], "dwell": dwell.get(state)} for state in states]
