"""The command line: one group with global options, where each error becomes a sentence.

The module of a command is imported when the command is called, so that ``--help`` and reads of an agent are fast.
"""

from __future__ import annotations

import importlib
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from fsm_agent import __version__
from fsm_agent.cli.input.global_options import is_debugging, show_log, taking_globals
from fsm_agent.cli.input.parameters import text
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.domain.text import did_you_mean
from fsm_agent.project.defaults import DEFAULT_NAMESPACE, DEFAULT_STORE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """Where a command is (``module:function`` of this package), and its sentence in the help."""

    place: str
    sentence: str


#: heading -> command -> entry, in the order of the help
COMMANDS: Final = {
    "Declare": {
        "init": Entry("commands.files:init", "Begin a project that runs."),
        "check": Entry("commands.files:check", "Report every mistake in workflow files."),
        "prove": Entry("commands.prove:prove", "Prove what workflows say under `must`."),
        "simulate": Entry("commands.simulate:simulate", "Walk through a workflow without effects."),
        "schema": Entry("commands.files:schema", "Print the JSON Schema of workflow files."),
        "diff": Entry("commands.diff:diff", "Tell what changed between two versions of a workflow."),
        "review": Entry("commands.review:review", "Report what a pull request does to workflows."),
        "diagram": Entry("commands.diagram:diagram", "Draw workflows."),
        "xstate": Entry("commands.xstate:xstate", "Export workflows as machines of XState, or import them."),
    },
    "Run": {
        "run": Entry("commands.drive:run", "Start an agent, and drive it until it waits or ends."),
        "answer": Entry("commands.drive:answer", "Answer the question of an agent, and drive it on."),
        "send": Entry("commands.drive:send", "Send an event to an agent, and drive it on."),
        "resume": Entry("commands.drive:resume", "Go on with agents that were interrupted or are due."),
        "serve": Entry("commands.serve:serve", "Serve the inbox, the page and the HTTP API."),
        "worker": Entry("commands.worker:worker", "Drive whatever is due, until stopped."),
    },
    "Look": {
        "list": Entry("commands.lists:list_command", "List agents."),
        "show": Entry("commands.show:show", "Show an agent, what it asks, and what to type next."),
        "history": Entry("commands.records:history", "Show every step of an agent."),
        "explain": Entry("commands.explain:explain", "Tell the life of an agent in sentences."),
        "export": Entry("commands.export:export", "Write the life of an agent to one file."),
        "why": Entry("commands.why:why", "Tell why an event would be taken or refused now."),
        "coverage": Entry("commands.coverage:coverage", "Show which transitions agents have taken."),
        "replay": Entry("commands.history:replay", "Verify a history, and rebuild a version from it."),
        "effects": Entry("commands.records:effects", "Show what an agent did to the world outside."),
        "thread": Entry("commands.threads:thread", "Show, export or import a conversation."),
        "user": Entry("commands.users:user", "Show what is remembered of a user."),
    },
    "Change": {
        "cancel": Entry("commands.drive:cancel", "Cancel an agent."),
        "unpark": Entry("commands.drive:unpark", "Let a parked agent go on."),
        "migrate": Entry("commands.migrate:migrate", "Move agents to a newer version of their workflow."),
        "rewind": Entry("commands.history:rewind", "Bring an earlier version of an agent back."),
        "fork": Entry("commands.history:fork", "Begin another agent from a version of this one."),
    },
    "Maintain": {
        "size": Entry("commands.maintenance:size", "Show how much agents take in the store."),
        "purge": Entry("commands.maintenance:purge", "Delete old agents, and shorten histories."),
        "forget": Entry("commands.users:forget", "Erase a person everywhere."),
        "doctor": Entry("commands.doctor:doctor", "Find what is wrong with the store, and say what to do."),
        "keygen": Entry("commands.maintenance:keygen", "Make a key for sealing agents."),
        "reseal": Entry("commands.maintenance:reseal", "Seal agents again, with the first of the keys."),
        "token": Entry("commands.token:token", "Make, list and revoke the tokens of the server."),
    },
}
_ENTRIES: Final = {name: entry for entries in COMMANDS.values() for name, entry in entries.items()}


class _Failed(Exception):
    """Our own error with the settings of its command, so that commands in its sentence get the same options."""


def _is_ours(error: Exception) -> bool:
    """Whether the error is fsm-agent's own. If our errors are not imported, it cannot be."""
    errors = sys.modules.get("fsm_agent.errors")
    return errors is not None and isinstance(error, errors.FsmAgentError)


class CommandLine(click.Group):
    """Imports commands on demand, and turns errors into one sentence and an exit code."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line, and exit with the code that its command returns."""
        _never_fail_to_print()
        try:
            code = super().main(*args, **{"prog_name": "fsm-agent", **extra, "standalone_mode": False})
        except (Exception, KeyboardInterrupt) as error:
            from fsm_agent.cli.error_reports import report

            failed = error.args if isinstance(error, _Failed) else (error, None)
            code = report(*failed, words=extra.get("args", args[0] if args else None))
        sys.exit(code or 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if is_debugging(ctx):
                import traceback

                traceback.print_exc()
            if ctx.obj is not None and _is_ours(error):
                raise _Failed(error, ctx.obj) from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        return list(_ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _ENTRIES:
            return None
        module, _, function = _ENTRIES[cmd_name].place.partition(":")
        command: click.Command = getattr(importlib.import_module(f"fsm_agent.cli.{module}"), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _ENTRIES:
            raise click.UsageError(f"there is no command {args[0]!r}{did_you_mean(args[0], _ENTRIES)}", ctx)
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and taking_globals(command, self.params, shows_them=ctx.resilient_parsing), rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer commands without importing them."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found = [(name, entry) for name, entry in _ENTRIES.items() if name.startswith(incomplete)]
        return [CompletionItem(name, help=entry.sentence) for name, entry in found]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, entries in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(12), entry.sentence) for name, entry in entries.items()])


def _never_fail_to_print() -> None:
    """Let a terminal print the code of a character that it lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@click.group(cls=CommandLine, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--store",
    envvar="FSM_AGENT_STORE",
    metavar="URL",
    help=f"Where agents live.  [env: FSM_AGENT_STORE; else pyproject.toml, else {DEFAULT_STORE}]",
)
@click.option(
    "--namespace",
    default=DEFAULT_NAMESPACE,
    metavar="NAME",
    show_default=True,
    help="Only the agents of this part of the store.",
)
@click.option("--by", type=text, metavar="NAME", help="In whose name you act.  [default: your login name]")
@click.option("--module", "modules", multiple=True, metavar="MODULE", help="Allow the actions of a module; repeatable.")
@click.option(
    "--model",
    metavar="NAME",
    help="The model to be asked: `test`, `scripted:FILE` or `PROVIDER:NAME`.  [env: FSM_AGENT_MODEL]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--wide", is_flag=True, help="Show ids whole in tables, and labels in lists.")
@click.option("--debug", is_flag=True, help="Show tracebacks and log lines.")
@click.version_option(__version__, prog_name="fsm-agent", message="%(prog)s %(version)s")
@click.pass_context
def main(
    ctx: click.Context,
    *,
    store: str | None,
    namespace: str,
    by: str | None,
    modules: tuple[str, ...],
    model: str | None,
    as_json: bool,
    wide: bool,
    debug: bool,
) -> None:
    """Agents as explicit state machines: declared, checked, durable, drawn.

    These options may stand before the command or after it.
    """
    if ctx.invoked_subcommand is None:
        if as_json:
            raise click.UsageError("no command is given", ctx)
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)
    if debug:
        show_log(ctx)
    ctx.obj = CommandSettings(store, namespace, by, modules, model, json=as_json, wide=wide, debug=debug)
