"""Coverage of workflows by the agents of a store: every history is told again, and nothing is run."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

from fsm_agent.domain.selection import asks
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.program import Program
from fsm_agent.errors import FsmAgentError
from fsm_agent.report.activity import Life, Moment
from fsm_agent.report.coverage import Tally, Tracker
from fsm_agent.runtime.agent_reads import read_heads, read_workflow
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store


class StoreCoverage(NamedTuple):
    """The tallies of definitions, by hash, and who was left out."""

    tallies: dict[str, Tally]
    #: id of an agent whose history cannot be told -> why
    left_out: dict[str, str]
    #: agents of these workflows that are pinned to other definitions
    others: int


async def tally_store(
    store: Store, workflows: Collection[Workflow] = (), *, workflow: str | None = None
) -> StoreCoverage:
    """Count what the agents of ``workflows`` have done, or of every definition that agents are pinned to now; of those
    named ``workflow`` only, if that is given."""
    tallies = {each.hash: Tally(each) for each in workflows}
    names = {each.name for each in workflows}
    left_out: dict[str, str] = {}
    programs: dict[str, Program] = {}
    others = 0
    heads = read_heads(
        store, workflow=workflow, left_out=lambda damage: left_out.update({damage.agent_id: damage.what})
    )
    async for head in heads:
        if names and head.workflow not in names:
            continue
        if head.definition not in tallies:
            if names:
                others += 1
                continue
            tallies[head.definition] = Tally(await read_workflow(store, head.definition))
        try:
            await _follow(store, head.id, tallies, programs)
        except FsmAgentError as error:
            left_out[head.id] = str(error)
    return StoreCoverage(tallies, left_out, others)


async def tally_agents(store: Store, workflow: Workflow, agent_ids: Collection[str]) -> tuple[Tally, list[Life]]:
    """Count what these agents have done under one definition, and tell when they did anything; those whose histories
    cannot be told are left out."""
    tally = Tally(workflow)
    programs: dict[str, Program] = {}
    lives: list[Life] = []
    for agent_id in agent_ids:
        with suppress(FsmAgentError):
            lives.append(await _follow(store, agent_id, {workflow.hash: tally}, programs))
    return tally, lives


async def _follow(store: Store, agent_id: str, tallies: dict[str, Tally], programs: dict[str, Program]) -> Life:
    """Count one life; all of it, or nothing."""
    past = await load_past(store, agent_id, programs=programs)
    own = {each: Tally(tally.workflow) for each, tally in tallies.items()}
    tracker = Tracker(past.beginning(), own)
    has_asked, moments = past.origin is not None and asks(past.origin.head, None), []
    for step in past.steps:
        tracker.follow(step)
        moments.append(Moment(step.at_ms, asks(tracker.life.head, None)))
    head = past.record.head
    if head.definition in own:
        own[head.definition].agents.add(head.id)
        own[head.definition].stands(head)
    for each, tally in own.items():
        tallies[each].add(tally)
    return Life(moments, has_asked)
