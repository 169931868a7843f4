"""``doctor``: everything that is wrong with a store, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import click

from fsm_agent.cli.blocks import Block, Ink, Table, Tone, visible
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.domain.defect import Defect, Inspection
from fsm_agent.runtime.maintenance.inspection import inspect
from fsm_agent.stores.base import Store


@click.command()
@click.option("--repair", is_flag=True, help="Before that, make indexes say what the agents say.")
@click.pass_obj
def doctor(settings: CommandSettings, *, repair: bool) -> int:
    """Go through the store, and say all that is wrong with it and what to do. Changes no agent."""
    mended = 0

    async def work(store: Store) -> Inspection:
        nonlocal mended
        mended = await store.reindex() if repair else 0
        return await inspect(store)

    inspection = read_store(settings, work)
    inspection.defects = [_in_full(settings, defect) for defect in inspection.defects]
    facts = {**inspection.to_json(), **({"mended": mended} if repair else {})}
    output.show(settings, facts, lambda: _report(inspection))
    if not settings.json:
        if repair:
            output.say(f"indexes were mended for {output.counted(mended, 'agent')}")
        output.say(_summary(inspection))
    return 0 if inspection.is_sound else 1


def _in_full(settings: CommandSettings, defect: Defect) -> Defect:
    """The defect with a remedy whose commands have the options of this command line."""
    return defect._replace(what=settings.in_full(defect.what), advice=settings.in_full(defect.advice))


def _report(inspection: Inspection) -> Iterator[Block]:
    rows = [
        [
            Ink(visible(defect.agent or "-"), Tone.STRONG),
            Ink(visible(defect.place)),
            Ink(visible(defect.what), Tone.BAD),
            Ink(visible(defect.advice)),
        ]
        for defect in inspection.defects
    ]
    columns = ("agent", "place", "what is wrong", "what to do")
    yield Table(columns, rows, "nothing is wrong", names_agents=True)


def _summary(inspection: Inspection) -> str:
    agents = output.counted(inspection.agents, "agent")
    if inspection.unreadable:
        agents += f" ({inspection.unreadable} of them cannot be read)"
    counts = (
        (inspection.definitions, "definition"),
        (inspection.threads, "shared thread"),
        (inspection.users, "user"),
    )
    looked_at = ", ".join([agents, *(output.counted(count, noun) for count, noun in counts)])
    return f"looked at {looked_at}: {output.counted(len(inspection.defects), 'finding')}"
