"""Commands that only read: they build no table, compile no expression and load no action."""

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
from fsm_agent.cli.views.agents import agent_blocks, history_blocks
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
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import Agent, Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.record import Damage
from fsm_agent.domain.step import Step
from fsm_agent.domain.text import some
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.pinned import require_version
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
