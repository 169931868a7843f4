"""``history`` and ``effects``: what is on record of an agent."""

from __future__ import annotations

from collections.abc import Sequence

import click

from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import history_blocks
from fsm_agent.cli.views.changes import change_blocks
from fsm_agent.cli.views.effects import effects_blocks
from fsm_agent.data.sealed import refuse_sealed
from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.step import Step
from fsm_agent.engine.pinned import require_version
from fsm_agent.stores.base import Store


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
