"""Commands of maintenance: sizes of agents, deletion, and sealing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fsm_agent.cli.input.agent_ids import whole_ids
from fsm_agent.cli.input.parameters import AGENT_ID, WORKFLOW_NAME, WholeNumber, read_by
from fsm_agent.cli.logs import in_sentences
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import maintenance, output
from fsm_agent.domain.retention import read_history
from fsm_agent.domain.state import Duration
from fsm_agent.stores.base import Store

if TYPE_CHECKING:
    from fsm_agent.runtime.maintenance.purge import Purged
    from fsm_agent.runtime.maintenance.reseal import Resealed
    from fsm_agent.runtime.maintenance.size import Weighed

Result = TypeVar("Result")

_agents = click.argument("agent_ids", type=AGENT_ID, metavar="[ID]...", nargs=-1)
_workflow = click.option("--workflow", type=WORKFLOW_NAME, metavar="NAME", help="Only agents of this workflow.")


_length = read_by(Duration.parse)


@click.command()
@_agents
@_workflow
@click.option("--top", type=WholeNumber(0), default=10, show_default=True, help="Show so many agents one by one.")
@click.pass_obj
def size(settings: CommandSettings, *, agent_ids: tuple[str, ...], workflow: str | None, top: int) -> None:
    """Show how much agents and workflows take in the store, the largest first.

    Of each: head (where it stands), history (its steps), snapshot (its data at some step), rest (its queue, keys and
    effects), thread (its messages).
    """
    from fsm_agent.runtime.maintenance.size import weigh

    most = None if agent_ids else top

    async def work(store: Store) -> Weighed:
        return await weigh(store, await whole_ids(store, agent_ids), workflow=workflow, top=most)

    weighed = _with_sentences(settings, work)
    output.show(settings, weighed.to_json(), lambda: maintenance.weights(weighed))
    output.say_left_out(settings, weighed.damaged)


@click.command()
@_agents
@_workflow
@click.option(
    "--finished", callback=_length, metavar="DURATION", help="Delete agents that ended so long ago, such as 30d."
)
@click.option("--idle", callback=_length, metavar="DURATION", help="Delete agents that wait so long, and for no timer.")
@click.option(
    "--history",
    callback=read_by(read_history),
    metavar="all|N|since-snapshot",
    help="Keep all steps, the last N, or those since the snapshot.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@click.pass_obj
def purge(
    settings: CommandSettings, /, *, agent_ids: tuple[str, ...], workflow: str | None, dry_run: bool, **said: Any
) -> None:
    """Delete agents and shorten histories: those that are named, or all.

    What is not given here is taken from [tool.fsm-agent.retention] in pyproject.toml.
    """
    from fsm_agent.runtime.maintenance.purge import purge as apply

    wanted = maintenance.retention(settings.retention, **said)

    async def work(store: Store) -> Purged:
        named = await whole_ids(store, agent_ids)
        return await apply(store, wanted, agent_ids=named, workflow=workflow, is_dry=dry_run)

    purged = _with_sentences(settings, work, creates=True)
    output.left_in_full(settings, purged.left)
    output.show(settings, purged.to_json(), lambda: maintenance.purged(purged))


@click.command()
@_agents
@click.pass_obj
def reseal(settings: CommandSettings, *, agent_ids: tuple[str, ...]) -> int:
    """Seal agents again, with the first key of FSM_AGENT_KEYS: those that are named, or all there are."""
    from fsm_agent.runtime.maintenance.reseal import reseal as write

    if not settings.keys:
        raise click.ClickException("FSM_AGENT_KEYS gives no key to seal with; `fsm-agent keygen` makes one")

    async def work(store: Store) -> Resealed:
        return await write(store, await whole_ids(store, agent_ids))

    resealed = _with_sentences(settings, work, creates=True)
    output.left_in_full(settings, resealed.left)
    output.show(settings, resealed.to_json(), lambda: maintenance.resealed(resealed))
    return 1 if resealed.left else 0


@click.command()
@click.argument("key_id", metavar="[ID]", default="k1")
@click.pass_obj
def keygen(settings: CommandSettings, *, key_id: str) -> None:
    """Print a fresh key, as an entry for FSM_AGENT_KEYS; ID tells it from others."""
    from fsm_agent.stores.sealed.keys import new_key

    entry = new_key(key_id)
    if settings.json:
        output.print_json({"entry": entry})
    else:
        click.echo(entry)


def _with_sentences(
    settings: CommandSettings, work: Callable[[Store], Awaitable[Result]], *, creates: bool = False
) -> Result:
    with in_sentences(settings):
        return read_store(settings, work, creates=creates)
