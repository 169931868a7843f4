"""``list``: agents by what they have in common, and the inbox of open questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from fsm_agent.cli.input.agent_ids import place_in_list
from fsm_agent.cli.input.parameters import ADDRESSEE, AGENT_ID, LABEL, STATE, USER, WORKFLOW_NAME, WholeNumber
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import LabelsText, agents_blocks, inbox_blocks, labels_text, nothing, short_line
from fsm_agent.data.arguments import LONGEST_PAGE, check_optional
from fsm_agent.domain.agent import Status
from fsm_agent.domain.selection import ANYBODY, Selection
from fsm_agent.domain.summary import AgentPage
from fsm_agent.runtime.agent_lists import ListQuery, list_agents, why_impossible
from fsm_agent.stores.base import Store

#: addressees of questions that are no names
_ME: Final = "me"
_ANYBODY: Final = "anybody"


@click.command("list")
@click.option(
    "--status",
    "statuses",
    type=click.Choice([str(status) for status in Status]),
    multiple=True,
    help="Only agents in this status; repeatable.",
)
@click.option("--workflow", type=WORKFLOW_NAME, metavar="NAME", help="Only agents of this workflow.")
@click.option("--state", type=STATE, metavar="STATE", help="Only agents in this state.")
@click.option("--user", type=USER, metavar="NAME", help="Only agents that serve this person.")
@click.option("--label", type=LABEL, metavar="NAME[=TEXT]", help="Only agents with this label.")
@click.option("--newest", is_flag=True, help="Those that began last come first.")
@click.option(
    "--waiting", is_flag=True, help="Only open questions, and for whom they are: the earliest deadline first."
)
@click.option(
    "--to", type=ADDRESSEE, metavar="NAME", help="Only questions for this person, for `anybody`, or for `me`."
)
@click.option(
    "--limit",
    type=WholeNumber(1, LONGEST_PAGE),
    default=50,
    show_default=True,
    help=f"At most N, up to {LONGEST_PAGE}.",
)
@click.option("--after", type=AGENT_ID, metavar="PLACE", help="Go on where the list before ended, as it says.")
@click.pass_obj
def list_command(settings: CommandSettings, /, *, limit: int, after: str | None, **wanted: Any) -> None:
    """List agents, the oldest first, and those that you have named yourself in order of their names; with --waiting,
    the questions that are open.

    The order is that of the whole ids. A new id begins with its time, and tables print only its end; --wide prints all.
    """
    query = _query(settings, **wanted)._replace(limit=limit, after=after)
    if (why := why_impossible(query, named="--{}".format)) is not None:
        raise click.ClickException(why)

    async def read(store: Store) -> AgentPage:
        in_order_of_ids = not (query.newest or query.waiting)
        place = await place_in_list(store, after) if in_order_of_ids else after
        return await list_agents(store, query._replace(after=place))

    page = read_store(settings, read)
    blocks = inbox_blocks if query.waiting else agents_blocks
    labels = _shown_labels(settings, query.selection.label)
    output.show(settings, page.to_json(), lambda: blocks(page.agents, labels=labels))
    output.say_left_out(settings, page.damaged)
    if page.next and not settings.json:
        output.say(f"there are more: `{settings.command('list', *_words(wanted), '--after', page.next)}`")


def _query(
    settings: CommandSettings,
    *,
    statuses: tuple[str, ...],
    workflow: str | None,
    state: str | None,
    user: str | None,
    label: tuple[str, str | None] | None,
    newest: bool,
    waiting: bool,
    to: str | None,
) -> ListQuery:
    check_optional(workflow_name=workflow, state=state, user=user, label=label, addressee=to)
    selection = Selection([Status(status) for status in statuses], workflow, state, user, label)
    return ListQuery(selection, newest, waiting, _addressee(settings, to))


def _addressee(settings: CommandSettings, to: str | None) -> str | None:
    if to == _ANYBODY:
        return ANYBODY
    if to != _ME:
        return to
    if settings.by is None:
        raise click.ClickException("the system knows no name of yours: say with --by who `--to me` is")
    return settings.by


def _shown_labels(settings: CommandSettings, wanted: tuple[str, str | None] | None) -> LabelsText:
    """What a table shows of labels: all with --wide; else, if a label was asked for, all but what every row has."""
    if settings.wide:
        return labels_text
    if wanted is None:
        return nothing
    return lambda labels: short_line(labels_text(dict(label for label in labels.items() if label != wanted)))


def _words(wanted: Mapping[str, Any]) -> Iterator[str]:
    """The options of a list, as they are written."""
    for name, value in wanted.items():
        match value:
            case None | False:
                continue
            case True:
                yield f"--{name}"
            case str():
                yield from (f"--{name}", value)
            case _ if name == "label":
                yield from ("--label", "=".join(part for part in value if part is not None))
            case _:
                for status in value:
                    yield from ("--status", status)
