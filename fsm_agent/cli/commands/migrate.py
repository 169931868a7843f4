"""``migrate``: agents move to a newer definition, page by page, so that the memory does not grow with their number."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import IO, Final, NamedTuple

import click

from fsm_agent.cli.blocks import Ink, Table, Tone, visible
from fsm_agent.cli.commands.run import load_workflow
from fsm_agent.cli.input.agent_ids import whole_ids
from fsm_agent.cli.input.parameters import AGENT_ID, WORKFLOW_FILE, WholeNumber
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Damage
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.migration.migrate import Outcome
from fsm_agent.engine.migration.plan import MigrationVerdict
from fsm_agent.runtime.migrate import MigrationPage
from fsm_agent.runtime.runner import Runner

_PAGE: Final = 100
#: bytes of a JSON document that are kept in memory; a larger one waits on disk until it is complete
_IN_MEMORY: Final = 1 << 20
_LOOKS: Final = {
    MigrationVerdict.UNAFFECTED: (Tone.QUIET, "·"),
    MigrationVerdict.MOVES: (Tone.GOOD, "→"),
    MigrationVerdict.MOVED: (Tone.GOOD, "✓"),
    MigrationVerdict.NEEDS_MAPPING: (Tone.ASKING, "?"),
    MigrationVerdict.STRANDED: (Tone.BAD, "✗"),
    MigrationVerdict.DRIVEN: (Tone.BUSY, "▶"),
}


class MigrateArguments(NamedTuple):
    """The arguments of the command line; without ids, all agents of the workflow are meant."""

    workflow: Workflow
    agent_ids: tuple[str, ...]
    apply: bool
    expect_version: int | None


@click.command()
@click.argument("workflow", type=WORKFLOW_FILE, metavar="WORKFLOW")
@click.argument("agent_ids", type=AGENT_ID, metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All agents of the workflow.")
@click.option("--apply", is_flag=True, help="Move the agents that can be moved.")
@click.option("--expect-version", type=WholeNumber(), metavar="N", help="Only agents that are still at version N.")
@click.pass_obj
def migrate(
    settings: CommandSettings,
    /,
    *,
    workflow: str,
    agent_ids: tuple[str, ...],
    every: bool,
    apply: bool,
    expect_version: int | None,
) -> int:
    """Move agents to the newer definition of their workflow in the file WORKFLOW: those that are named, or --all.

    Without --apply nothing is changed, and it says of each agent what would be.
    """
    _check(agent_ids, every=every, expect_version=expect_version)
    return _migrate(settings, MigrateArguments(load_workflow(settings, workflow), agent_ids, apply, expect_version))


def _check(agent_ids: tuple[str, ...], *, every: bool, expect_version: int | None) -> None:
    if not agent_ids and not every:
        raise click.UsageError("say which agents, with their ids or with --all", click.get_current_context())
    if agent_ids and every:
        raise click.ClickException("ids and --all exclude each other")
    if expect_version is not None and len(agent_ids) != 1:
        raise click.ClickException("--expect-version is for one agent: name just that one")


def _migrate(settings: CommandSettings, arguments: MigrateArguments) -> int:
    counts: Counter[MigrationVerdict] = Counter()
    damaged: list[Damage] = []

    async def within() -> None:
        around = settings.surroundings()
        async with Runner(settings.open_store(), actions=settings.actions, surroundings=around) as runner:
            async for moves in _pages(runner, arguments, settings.by):
                counts.update(outcome.verdict for outcome in moves.outcomes)
                damaged.extend(moves.damaged)
                report.add([replace(each, reason=settings.in_full(each.reason)) for each in moves.outcomes])

    with tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8") as kept:
        report = _JsonReport(arguments, kept) if settings.json else _TextReport(arguments, is_wide=settings.wide)
        try:
            with output.kept_clean(settings):
                asyncio.run(within())
        except KeyboardInterrupt:
            raise _Stopped from None
        report.end(counts, damaged)
    output.say_left_out(settings, damaged)
    return 1 if damaged or any(counts[verdict] for verdict in _left(arguments)) else 0


def _left(arguments: MigrateArguments) -> list[MigrationVerdict]:
    """The verdicts that need a person's attention."""
    return [
        MigrationVerdict.NEEDS_MAPPING,
        MigrationVerdict.STRANDED,
        *([MigrationVerdict.DRIVEN] if arguments.apply else []),
    ]


async def _pages(runner: Runner, arguments: MigrateArguments, by: str | None) -> AsyncIterator[MigrationPage]:
    if arguments.agent_ids:
        named = await whole_ids(runner.store, arguments.agent_ids)
        yield await runner.migrate(
            arguments.workflow, named, apply=arguments.apply, by=by, expect_version=arguments.expect_version
        )
        return
    after: str | None = None
    while True:
        moves = await runner.migrate(arguments.workflow, apply=arguments.apply, by=by, limit=_PAGE, after=after)
        yield moves
        if (after := moves.next) is None:
            return


class _Stopped(click.ClickException):
    """Ctrl-C between two agents."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted: each agent is moved whole or not at all; the same command goes on with the rest")


class _TextReport:
    """One table per page on stdout, and the total on stderr."""

    def __init__(self, arguments: MigrateArguments, *, is_wide: bool) -> None:
        self._arguments, self._is_wide = arguments, is_wide
        self._is_empty = True

    def add(self, outcomes: Iterable[Outcome]) -> None:
        version = self._arguments.workflow.version
        rows = [_row(outcome, version) for outcome in outcomes]
        if rows or self._is_empty:
            columns = ("id", "version", "state", "verdict", "why")
            table = Table(columns, rows, "there are no such agents", names_agents=True)
            output.print_blocks([table], is_wide=self._is_wide)
        self._is_empty = False

    def end(self, counts: Counter[MigrationVerdict], damaged: Sequence[Damage]) -> None:
        del damaged  # they are named on stderr
        if not counts:
            return
        counted = ", ".join(f"{counts[verdict]} {verdict}" for verdict in MigrationVerdict if counts[verdict])
        hint = (
            ""
            if self._arguments.apply or not counts[MigrationVerdict.MOVES]
            else "; nothing was changed: --apply does it"
        )
        output.say(f"{output.counted(sum(counts.values()), 'agent')}: {counted}{hint}")


def _row(outcome: Outcome, version: int) -> list[Ink]:
    tone, glyph = _LOOKS[outcome.verdict]
    moves = outcome.to_state is not None
    is_elsewhere = moves and outcome.to_state != outcome.state
    return [
        Ink(outcome.id, Tone.STRONG),
        Ink(f"{outcome.from_version} → {version}" if moves else str(outcome.from_version)),
        Ink(f"{outcome.state} → {outcome.to_state}" if is_elsewhere else outcome.state),
        Ink(str(outcome.verdict), tone, glyph),
        Ink(visible("; ".join([outcome.reason, *outcome.changes]))),
    ]


class _JsonReport:
    """One document, which is printed when it is complete."""

    def __init__(self, arguments: MigrateArguments, kept: IO[str]) -> None:
        self._arguments, self._kept = arguments, kept
        self._is_empty = True

    def add(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._kept.write("\n" if self._is_empty else ",\n")
            self._kept.write(_indented(outcome.to_json(), 4))
            self._is_empty = False

    def end(self, counts: Counter[MigrationVerdict], damaged: Sequence[Damage]) -> None:
        workflow = self._arguments.workflow
        facts = {"workflow": workflow.name, "version": workflow.version, "hash": workflow.hash}
        first = _indented({**facts, "applied": self._arguments.apply}, 0).removesuffix("\n}")
        counted = {str(verdict): counts[verdict] for verdict in MigrationVerdict}
        click.echo(f'{first},\n  "agents": [', nl=False)
        self._kept.seek(0)
        shutil.copyfileobj(self._kept, sys.stdout)
        close = "]" if self._is_empty else "\n  ]"
        left_out: list[Json] = [each.to_json() for each in damaged]
        click.echo(f'{close},\n  "counts": {_indented(counted, 2).lstrip()},', nl=False)
        click.echo(f'\n  "damaged": {_indented(left_out, 2).lstrip()}\n}}')


def _indented(document: Json, depth: int) -> str:
    text = output.json_text(document)
    return "\n".join(f"{' ' * depth}{line}" for line in text.splitlines())
