"""``doctor``: all that is wrong with a store, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click

from fsm_agent.cli.blocks import Block, Ink, Table, Tone, visible
from fsm_agent.cli.views import output
from fsm_agent.domain.defect import Inspection
from fsm_agent.project.settings import Settings
from fsm_agent.project.store import open_to_look
from fsm_agent.runtime.maintenance.inspection import inspect


@click.command()
@click.pass_obj
def doctor(settings: Settings) -> int:
    """Go through the store, and say all that is wrong with it and what to do. Changes nothing."""

    async def within() -> Inspection:
        async with open_to_look(settings) as store:
            return await inspect(store)

    inspection = asyncio.run(within())
    output.show(settings, inspection.to_json(), lambda: _report(inspection))
    if not settings.json:
        output.say(_summary(inspection))
    return 0 if inspection.is_sound else 1


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
    counts = (
        (inspection.agents, "agent"),
        (inspection.definitions, "definition"),
        (inspection.threads, "shared thread"),
        (inspection.users, "user"),
    )
    looked_at = ", ".join(output.counted(count, noun) for count, noun in counts)
    return f"looked at {looked_at}: {output.counted(len(inspection.defects), 'finding')}"
