"""``export``: the life of an agent as one file."""

from __future__ import annotations

from pathlib import Path

import click

from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.parameters import AGENT_ID, text
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.domain.text import did_you_mean, some
from fsm_agent.report.life import Life, life_of
from fsm_agent.report.redaction import Redaction
from fsm_agent.runtime.replay import load_past
from fsm_agent.stores.base import Store


@click.command()
@click.argument("agent_id", type=AGENT_ID, metavar="ID")
@click.option("--html", is_flag=True, help="Write a page for a browser.  [default: JSON]")
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@click.option(
    "--redact",
    "fields",
    type=text,
    metavar="FIELD",
    multiple=True,
    help="Hide this field of data, payloads and output, and what it held wherever else that stands. Repeatable.",
)
@click.pass_obj
def export(settings: CommandSettings, *, agent_id: str, html: bool, file: Path | None, fields: tuple[str, ...]) -> None:
    """Write the life of agent ID to be read without a store: its workflow, its steps, and its data at each of them.

    FIELD is the end of a path: email hides every field of that name, customer.email those inside a customer;
    by and user hide who acted, and for whom.
    """

    async def read(store: Store) -> Life:
        past = await find(store, agent_id, lambda whole: load_past(store, whole))
        redaction = Redaction(fields)
        life = life_of(past, redaction)
        for field in redaction.unknown:
            raise click.ClickException(
                f"no field {field!r} to redact is in the history of agent {life.id!r}"
                f"{did_you_mean(field, redaction.known)}; there are {some(redaction.known, 20)}"
            )
        return life

    written = _written(read_store(settings, read), html=html)
    if file is None:
        click.echo(written)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(written + "\n", encoding="utf-8")
    output.say(f"wrote {file}")
    if settings.json:
        output.print_json({"files": [str(file)]})


def _written(life: Life, *, html: bool) -> str:
    if html:
        from fsm_agent.report.page.life import life_page

        return life_page(life)
    return output.json_text(life.to_json())
