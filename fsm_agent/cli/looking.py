"""Commands that look and change nothing: no table is built, no expression compiled, no action loaded."""

from __future__ import annotations

from collections.abc import Sequence

import click

from fsm_agent.agent import Agent, Head, Status
from fsm_agent.cli import output
from fsm_agent.cli.children import children_blocks, children_json
from fsm_agent.cli.doubts import effects_blocks
from fsm_agent.cli.portraits import agent_blocks, agents_table, history_table
from fsm_agent.cli.settings import Settings
from fsm_agent.cli.sheet import visible
from fsm_agent.cli.store import look
from fsm_agent.effect import EffectEntry
from fsm_agent.jsontypes import Json
from fsm_agent.reader import Children, read_agent, read_children, read_workflow
from fsm_agent.record import Damage
from fsm_agent.retrospect import effect_json
from fsm_agent.sealing import refuse_sealed
from fsm_agent.step import iso
from fsm_agent.stores.base import Store
from fsm_agent.workflow import Workflow

MOST_LISTED = 1_000


@click.command("list")
@click.option("--status", type=click.Choice([str(status) for status in Status]), help="Only those.")
@click.option("--workflow", metavar="NAME", help="Only agents of this workflow.")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", help="Go on after this agent: `next` of the list before.")
@click.pass_obj
def list_agents(settings: Settings, *, status: str | None, workflow: str | None, limit: int, after: str | None) -> None:
    """List agents in order of their ids, which is by age unless you named them."""
    kind = Status(status) if status else None
    page = look(settings, lambda store: store.list(status=kind, workflow=workflow, limit=limit, after=after))
    damaged = [damage.to_json() for damage in page.damaged]
    document = {"agents": [_entry(head) for head in page.heads], "next": page.next, "damaged": damaged}
    output.show(settings, document, lambda: [agents_table(page.heads)])
    say_left_out(settings, page.damaged)
    if page.next and not settings.json:
        output.say(f"there are more: `{settings.command('list', '--after', page.next)}`")


@click.command()
@click.argument("agent_id", metavar="ID")
@click.option("--at", type=int, metavar="VERSION", help="As it was at this version.")
@click.pass_obj
def show(settings: Settings, agent_id: str, at: int | None) -> None:
    """Show an agent: its state, its data, what it asks, what may be sent, and what to type next."""
    if at is not None:
        from fsm_agent.cli.travelling import show_past

        return show_past(settings, agent_id, at)
    agent, workflow, children = look(settings, lambda store: described(store, agent_id))
    document = {**agent.to_json(), "children": children_json(children)}
    blocks = lambda: agent_blocks(settings, agent, workflow, more=children_blocks(children))  # noqa: E731
    return output.show(settings, document, blocks)


@click.command()
@click.argument("agent_id", metavar="ID")
@click.pass_obj
def history(settings: Settings, agent_id: str) -> None:
    """Show every step of an agent, the first first."""
    steps = look(settings, lambda store: store.history(agent_id))
    for step in steps:
        refuse_sealed(step.payload)
    document = {"id": agent_id, "steps": [step.to_json() for step in steps]}
    output.show(settings, document, lambda: [history_table(steps)])


@click.command()
@click.argument("agent_id", metavar="ID")
@click.pass_obj
def effects(settings: Settings, agent_id: str) -> None:
    """Show what the actions of an agent did to the world outside, and what of it is in doubt."""
    head, entries = look(settings, lambda store: _with_effects(store, agent_id))
    document = {"id": agent_id, "effects": [effect_json(entry) for entry in entries]}
    output.show(settings, document, lambda: effects_blocks(settings, head, entries))


async def _with_effects(store: Store, agent_id: str) -> tuple[Head, Sequence[EffectEntry]]:
    return await store.head(agent_id), await store.effects(agent_id)


async def described(store: Store, agent_id: str) -> tuple[Agent, Workflow, Children | None]:
    """An agent as it stands, the definition that it is pinned to, and the children who work for it."""
    head = await store.head(agent_id)
    workflow = await read_workflow(store, head.definition)
    return await read_agent(store, agent_id), workflow, await read_children(store, head)


def say_left_out(settings: Settings, damaged: Sequence[Damage]) -> None:
    """Name the agents that a list has left out."""
    if damaged and not settings.json:
        which = "; ".join(f"{visible(each.agent_id)} in {each.place} ({each.what})" for each in damaged)
        are = "is" if len(damaged) == 1 else "are"
        count, command = output.counted(len(damaged), "agent"), settings.command("doctor")
        output.say(f"{count} {are} left out, being damaged: {which}; `{command}` says what to do")


def _entry(head: Head) -> dict[str, Json]:
    """An agent in a list: what is known without reading its data."""
    return {
        "id": head.id,
        "workflow": head.workflow,
        "workflow_version": head.workflow_version,
        "state": head.state,
        "status": str(head.status),
        "version": head.version,
        "created_at": iso(head.created_ms),
        "updated_at": iso(head.updated_ms),
        "progress": head.progress.to_json() if head.progress else None,
    }
