"""Commands that only read: they build no table, compile no expression and load no action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from fsm_agent.cli.blocks import Block
from fsm_agent.cli.input.agent_ids import find, place_in_list
from fsm_agent.cli.input.parameters import AGENT_ID, WORKFLOW_NAME, WholeNumber
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import agent_blocks, agents_blocks, history_blocks, inbox_blocks
from fsm_agent.cli.views.changes import change_blocks
from fsm_agent.cli.views.children import (
    Family,
    children_blocks,
    children_json,
    failures_blocks,
    failures_json,
    read_family,
)
from fsm_agent.cli.views.effects import effects_blocks
from fsm_agent.data.arguments import LONGEST_PAGE
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import Agent, Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.record import Damage
from fsm_agent.domain.step import Step
from fsm_agent.domain.summary import AgentPage
from fsm_agent.domain.text import some
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_version
from fsm_agent.runtime.agent_reads import Failures, agent_of, read_doubts, read_failures, workflow_of
from fsm_agent.stores.base import Store


@click.command("list")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([str(status) for status in Status]),
    multiple=True,
    help="Only agents in this status; repeatable.",
)
@click.option("--workflow", type=WORKFLOW_NAME, metavar="NAME", help="Only agents of this workflow.")
@click.option(
    "--waiting", is_flag=True, help="Only open questions, and for whom they are: the earliest deadline first."
)
@click.option(
    "--limit",
    type=WholeNumber(1, LONGEST_PAGE),
    default=50,
    show_default=True,
    help=f"At most N, up to {LONGEST_PAGE}.",
)
@click.option("--after", type=AGENT_ID, metavar="ID", help="Go on after this agent, the last of the list before.")
@click.pass_obj
def list_agents(
    settings: CommandSettings, /, *, statuses: tuple[str, ...], waiting: bool, after: str | None, **order: Any
) -> None:
    """List agents, the oldest first, and those that you have named yourself in order of their names; with --waiting,
    the questions that are open.

    The order is that of the whole ids. A new id begins with its time, and tables print only its end; --wide prints all.
    """
    from fsm_agent.runtime import agent_lists

    pages, blocks = (agent_lists.list_waiting, inbox_blocks) if waiting else (agent_lists.list_agents, agents_blocks)
    wanted = [Status(status) for status in statuses]

    async def read(store: Store) -> AgentPage:
        return await pages(store, wanted, after=await place_in_list(store, after), **order)

    page = read_store(settings, read)
    output.show(settings, page.to_json(), lambda: blocks(page.agents))
    say_left_out(settings, page.damaged)
    if page.next and not settings.json:
        words = [word for status in statuses for word in ("--status", status)]
        words += ["--workflow", order["workflow"]] if order["workflow"] else []
        words += ["--waiting"] if waiting else []
        output.say(f"there are more: `{settings.command('list', *words, '--after', page.next)}`")


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


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.option("--changes", is_flag=True, help="Show what each event brought, and what it changed in the data.")
@click.pass_obj
def history(settings: CommandSettings, agent_id: str, *, changes: bool) -> None:
    """Show every step of an agent, from the first to the last."""
    agent_id, steps = read_store(settings, lambda store: _with_history(store, agent_id))
    for step in steps:
        refuse_sealed(step.payload)
    document = {"id": agent_id, "steps": [step.to_json() for step in steps]}
    output.show(settings, document, lambda: (change_blocks if changes else history_blocks)(steps))


async def _with_history(store: Store, part: str) -> tuple[str, Sequence[Step]]:
    head = await find(store, part, store.head)
    require_version(head)
    return head.id, await store.history(head.id)


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.pass_obj
def effects(settings: CommandSettings, agent_id: str) -> None:
    """Show what the actions of an agent did to the world outside, and what of it is in doubt."""
    head, entries = read_store(settings, lambda store: _with_effects(store, agent_id))
    from fsm_agent.domain.replay import effect_json

    document = {"id": head.id, "effects": [effect_json(entry) for entry in entries]}
    output.show(settings, document, lambda: effects_blocks(settings, head, entries))


async def _with_effects(store: Store, part: str) -> tuple[Head, Sequence[EffectEntry]]:
    head = await find(store, part, store.head)
    return head, await store.effects(head.id)


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


def say_left_out(settings: CommandSettings, damaged: Sequence[Damage]) -> None:
    """Name the agents that a list has left out, grouped by the reason."""
    if damaged and not settings.json:
        by_reason: dict[tuple[str, str], list[str]] = {}
        for each in damaged:
            by_reason.setdefault((each.place, each.what), []).append(each.agent_id)
        which = "; ".join(f"{some(ids)} in {place} ({what})" for (place, what), ids in by_reason.items())
        are = "is" if len(damaged) == 1 else "are"
        count, command = output.counted(len(damaged), "agent"), settings.command("doctor")
        output.say(f"{count} {are} left out, being damaged: {which}; `{command}` says what to do")
