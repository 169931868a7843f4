"""Commands about users: show what is remembered of one, and erase one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from fsm_agent.cli.blocks import Block, Facts, Ink, Table, Tone, visible
from fsm_agent.cli.input.parameters import person
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.cli.views.agents import short
from fsm_agent.concurrency import event_loop
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import iso, moment
from fsm_agent.domain.user import UserRecord
from fsm_agent.report.times import when

if TYPE_CHECKING:
    from fsm_agent.cli.session import Session
    from fsm_agent.runtime.maintenance.erase import ErasureReport

#: kind of what is erased -> its name for people
_CALLED: Final = {
    "agents": "agents, whole",
    "cancelled": "of them cancelled",
    "others": "agents of others, in parts",
    "steps": "steps",
    "events": "events not decided yet",
    "questions": "names in questions",
    "effects": "results of effects",
    "messages": "messages",
    "memory": "fields remembered",
}


@click.command()
@click.argument("name", type=person, metavar="NAME")
@click.pass_obj
def user(settings: CommandSettings, *, name: str) -> None:
    """Show what is remembered of user NAME, by all workflows together."""
    record = read_store(settings, lambda store: store.user(name))
    output.show(settings, _document(record), lambda: _remembered(record))


def _document(record: UserRecord) -> Json:
    return {
        "user": record.name,
        "version": record.version,
        "updated_at": iso(record.updated_ms) if record.version else None,
        "remembered": dict(record.values),
    }


def _remembered(record: UserRecord) -> Iterator[Block]:
    rows = [("user", Ink(visible(record.name), Tone.STRONG))]
    if record.version:
        rows += [("version", Ink(str(record.version))), ("updated", Ink(when(moment(record.updated_ms))))]
    yield Facts("", rows)
    known = [(name, Ink(short(value))) for name, value in record.values.items()]
    yield Facts("remembered", known or [("", Ink("nothing", Tone.QUIET))])


@click.command()
@click.argument("name", type=person, metavar="USER")
@click.option("--yes", is_flag=True, help="Do not ask: it cannot be undone.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would be erased.")
@click.pass_obj
def forget(settings: CommandSettings, *, name: str, yes: bool, dry_run: bool) -> int:
    """Erase USER everywhere: what is remembered, the agents that serve them, what they have said to others.

    Agents of theirs that have not ended are cancelled first. Versions, states and times stay.
    """
    if not (yes or dry_run or output.is_conversation(settings)):
        raise click.ClickException(
            "forgetting cannot be undone, and nothing was changed: add --yes, or --dry-run to see what would be erased"
        )
    from fsm_agent.cli.session import finish

    forgotten = finish(settings, lambda session: _forget(session, name, is_dry=dry_run, is_sure=yes))
    output.left_in_full(settings, forgotten.left)
    output.show(settings, forgotten.to_json(), lambda: _erased(forgotten))
    return 1 if forgotten.left else 0


async def _forget(session: Session, name: str, *, is_dry: bool, is_sure: bool) -> ErasureReport:
    """Erase a user. On a terminal, a preview comes first, unless ``is_sure``."""
    runner, by = session.runner, session.settings.by
    if not is_dry and not is_sure:
        output.print_blocks(_erased(await runner.forget(name, is_dry=True)))
        await event_loop.reach()  # Ctrl-C is not held back in an event loop
        click.confirm(f"Erase this of {visible(name)}, for good?", abort=True, err=True)
    return await session.follow(runner.forget(name, by=by, is_dry=is_dry))


def _erased(forgotten: ErasureReport) -> Iterator[Block]:
    rows = [(_CALLED[kind], Ink(str(count))) for kind in _CALLED if (count := forgotten.erased[kind])]
    title = "would be erased" if forgotten.is_dry else "erased"
    yield Facts(title, rows or [("", Ink(f"nothing: there is nothing of {visible(forgotten.user)}", Tone.QUIET))])
    if forgotten.left:
        left = [[Ink(agent_id), Ink(f"left as it is: {why}", Tone.BAD)] for agent_id, why in forgotten.left.items()]
        yield Table(("id", "outcome"), left, "", names_agents=True)
