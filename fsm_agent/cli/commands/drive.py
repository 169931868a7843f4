"""Commands that change agents. Each one prints the agent, and its exit code depends on the agent's status."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from fsm_agent.cli.commands import deliver
from fsm_agent.cli.commands import run as starting
from fsm_agent.cli.input.parameters import AGENT_ID, EVENT, WORKFLOW_FILE, WholeNumber, label, text
from fsm_agent.cli.input.values import any_json, json_object
from fsm_agent.cli.session import drive, drive_all
from fsm_agent.cli.settings import CommandSettings

_agent = click.argument("agent_id", type=AGENT_ID, metavar="ID")
_payload = click.option(
    "--payload", type=json_object, metavar="JSON|@file", help="Payload of the event: a JSON object, or a file with one."
)
_key = click.option("--key", type=text, metavar="KEY", help="Apply once: a repeat under this key changes nothing.")
_expect_version = click.option(
    "--expect-version", type=WholeNumber(), metavar="N", help="Only if the agent is still as it was at version N."
)

_no_drive = click.option("--no-drive", is_flag=True, help="Leave it to workers to drive it, and wake them.")


@click.command()
@click.argument("workflow", type=WORKFLOW_FILE, metavar="WORKFLOW")
@click.option("--id", "agent_id", metavar="ID", help="Id of the agent.  [default: a new one]")
@click.option("--data", type=json_object, metavar="JSON|@file", help="Data that the agent begins with.")
@click.option("--event", metavar="EVENT", help="First event.  [default: the only one that the initial state takes]")
@_payload
@_key
@click.option(
    "--user", type=text, metavar="NAME", help="Whom it serves: agents of one user share a memory.  [default: nobody]"
)
@click.option(
    "--label",
    "labels",
    type=label,
    metavar="NAME=TEXT",
    multiple=True,
    help="Give it a label by which `list` finds it; repeatable.",
)
@click.option("--no-input", is_flag=True, help="Never ask, even on a terminal.")
@_no_drive
@click.pass_obj
def run(settings: CommandSettings, /, *, workflow: str, **order: Any) -> int:
    """Start an agent of the workflow in the file WORKFLOW, and drive it until it waits or ends.

    On a terminal it asks its questions in place; Ctrl-C and Ctrl-D leave it waiting.
    """
    declared = starting.checked_workflow(settings, workflow)
    return drive(settings, lambda session: starting.begin(session, declared, starting.RunArguments(**order)))


class NumberTaking(click.Command):
    """A command whose last argument may be a negative number, which must not be read as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_numbers_last(ctx, args))

    def _with_numbers_last(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``args`` with negative numbers moved behind ``--``, so that click does not read them as options."""
        options = {name: option for option in self.get_params(ctx) for name in option.opts if name.startswith("-")}
        plain: list[str] = []
        numbers: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                numbers += rest
            elif _NEGATIVE.fullmatch(arg):
                numbers.append(arg)
            else:
                plain.append(arg)
                if arg in options and not getattr(options[arg], "is_flag", True):
                    plain += [value] if (value := next(rest, None)) is not None else []
        return [*plain, "--", *numbers] if numbers else args


_NEGATIVE: Final = re.compile(r"-\.?\d.*")


@click.command(cls=NumberTaking)
@_agent
@click.argument("value", metavar="[VALUE]", required=False)
@click.option(
    "--event", type=EVENT, metavar="EVENT", help="Which of the possible answers it is, where there are several."
)
@click.option(
    "--question", type=WholeNumber(), metavar="N", help="Which question is answered: refused if another one is open."
)
@_expect_version
@_no_drive
@click.pass_obj
def answer(settings: CommandSettings, /, *, agent_id: str, value: str | None, **order: Any) -> int:
    """Answer the question of agent ID, and drive it on.

    VALUE is the payload if it is a JSON object; else it is the value of the only required field. Without VALUE the
    payload is empty, or you are asked for it on a terminal.
    """
    return drive(settings, lambda session: deliver.answer(session, agent_id, value, **order))


@click.command()
@_agent
@click.argument("event", type=EVENT, metavar="EVENT")
@_payload
@_key
@_expect_version
@_no_drive
@click.pass_obj
def send(settings: CommandSettings, /, *, agent_id: str, event: str, **order: Any) -> int:
    """Send EVENT to agent ID, and drive it on."""
    return drive(settings, lambda session: deliver.send(session, agent_id, event, **order))


@click.command()
@click.argument("agent_ids", type=AGENT_ID, metavar="[ID]...", nargs=-1)
@click.pass_obj
def resume(settings: CommandSettings, *, agent_ids: tuple[str, ...]) -> int | None:
    """Drive agents that were interrupted, are due or are retrying: those that are named, or all there are."""
    match agent_ids:
        case ():
            from fsm_agent.cli.commands.worker import WorkerArguments, work

            work(settings, WorkerArguments(is_once=True))
            return None
        case (only,):
            return drive(settings, lambda session: deliver.resume(session, only))
        case _:
            return drive_all(settings, deliver.resume, agent_ids)


@click.command()
@_agent
@_expect_version
@click.pass_obj
def cancel(settings: CommandSettings, *, agent_id: str, expect_version: int | None) -> int:
    """Cancel agent ID as its workflow declares; where it declares nothing, the agent simply ends."""
    drive(settings, lambda session: deliver.cancel(session, agent_id, expect_version))
    return 0


@click.command()
@_agent
@click.option("--retry", is_flag=True, help="Try again what parked it.")
@click.option("--event", type=EVENT, metavar="EVENT", help="Let this event happen instead.")
@_payload
@click.option("--effect", metavar="KEY", help="Settle this effect, with --result or --not-done, and try again.")
@click.option("--result", type=any_json, metavar="JSON|@file", help="It was done, with this result.")
@click.option("--not-done", is_flag=True, help="It was not done, and may be done now.")
@_expect_version
@click.pass_obj
def unpark(settings: CommandSettings, /, *, agent_id: str, **way: Any) -> int:
    """Let the parked agent ID go on; --retry, --event or --effect is needed."""
    chosen = deliver.way_out(**way)
    return drive(settings, lambda session: deliver.unpark(session, agent_id, chosen))
