"""``show``: it only reads, so it builds no table, compiles no expression and loads no action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from fsm_agent.cli.blocks import Block
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID, WholeNumber
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import agent_blocks
from fsm_agent.cli.views.children import (
    Family,
    children_blocks,
    children_json,
    failures_blocks,
    failures_json,
    read_family,
)
from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.workflow import Workflow
from fsm_agent.runtime.agent_reads import Failures, agent_of, read_doubts, read_failures, workflow_of
from fsm_agent.stores.base import Store


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.option("--at", type=WholeNumber(), metavar="VERSION", help="Show the agent as it was at this version.")
@click.pass_obj
def show(settings: CommandSettings, agent_id: str, at: int | None) -> None:
    """Show an agent: its state, its data, what it asks, what may be sent, and what to type next."""
    if at is not None:
        from fsm_agent.cli.commands.history import show_past

        return show_past(settings, agent_id, at)
    shown = read_store(settings, lambda store: described(store, agent_id))
    more = {"children": children_json(shown.children), "failed_children": failures_json(shown.failures)}
    return output.show(settings, {**shown.agent.to_json(), **more}, lambda: _blocks(settings, shown))


def _blocks(settings: CommandSettings, shown: Described) -> Iterator[Block]:
    agent, workflow, children, failures, doubts = shown
    more = [*children_blocks(children, is_awaited=agent.status is Status.RUNNING), *failures_blocks(failures)]
    return agent_blocks(settings, agent, workflow, more=more, doubts=doubts)


class Described(NamedTuple):
    """An agent and its definition."""

    agent: Agent
    workflow: Workflow
    #: the children that work for it now
    children: Family | None
    #: all its children that have failed
    failures: Failures
    #: the effects for which it is parked
    doubts: Sequence[EffectEntry]


async def described(store: Store, part: str) -> Described:
    """What `show` prints about an agent."""
    record = await find(store, part, store.load)
    head, workflow = record.head, await workflow_of(store, record.head)
    agent, children = await agent_of(store, record, workflow), await read_family(store, head)
    return Described(
        agent, workflow, children, await read_failures(store, head, workflow), await read_doubts(store, agent)
    )
