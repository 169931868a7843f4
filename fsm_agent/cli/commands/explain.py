"""``explain``: the life of an agent in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import click

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, visible
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.domain.step import moment
from fsm_agent.report.narrative import Sentence, narrative
from fsm_agent.report.times import when
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.pass_obj
def explain(settings: CommandSettings, agent_id: str) -> None:
    """Tell the life of agent ID in sentences, from its first step to its last."""

    async def read(store: Store) -> tuple[str, list[Sentence]]:
        past = await find(store, agent_id, lambda whole: load_past(store, whole))
        return past.record.head.id, list(narrative(past))

    whole_id, sentences = read_store(settings, read)
    document = {"id": whole_id, "sentences": [sentence.to_json() for sentence in sentences]}
    output.show(settings, document, lambda: [_block(sentences)])


def _block(sentences: Sequence[Sentence]) -> Block:
    if not sentences:
        return Table((), (), "no step is kept")
    rows = [(f"{each.version}  {when(moment(each.at_ms))}", Ink(visible(each.text))) for each in sentences]
    return Facts("life", rows)
