"""``simulate``: a walk through a workflow in the terminal, without effects and without a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from fsm_agent.cli.blocks import Ink, Tone, visible
from fsm_agent.cli.commands.run import load_workflow
from fsm_agent.cli.input.agent_ids import find
from fsm_agent.cli.input.imports import imports_option
from fsm_agent.cli.input.parameters import AGENT_ID, WORKFLOW_FILE, text
from fsm_agent.cli.input.values import json_object
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.store import read_store
from fsm_agent.cli.views import output
from fsm_agent.domain.json import Json
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import FsmAgentError
from fsm_agent.project.action_lookup import look_up
from fsm_agent.runtime.scripted.history_moves import Lived, lived
from fsm_agent.runtime.scripted.moves import Move, read_move
from fsm_agent.runtime.scripted.present import Present, present_of
from fsm_agent.runtime.scripted.simulation import Option, Simulation, test_of
from fsm_agent.stores.base import Store

_BACK: Final = frozenset({"back", "b"})
_QUIT: Final = frozenset({"quit", "q", "exit"})
_HELP: Final = "a number, a move such as sent('approve', by='ana'), back, or quit"


@click.command()
@click.argument("path", type=WORKFLOW_FILE, metavar="[WORKFLOW]", required=False)
@click.option("--from", "agent_id", type=AGENT_ID, metavar="ID", help="Begin where this agent is now.")
@click.option("--data", type=json_object, metavar="JSON|@file", help="What a new agent begins with.")
@click.option("--user", type=text, metavar="NAME", help="Whom a new agent serves.")
@imports_option
@click.pass_obj
def simulate(
    settings: CommandSettings,
    /,
    *,
    path: str | None,
    agent_id: str | None,
    data: Mapping[str, Json] | None,
    user: str | None,
    imports: bool,
) -> int:
    """Walk through WORKFLOW: see what may happen, choose what does, and see what comes of it.

    No action is run and nothing is stored. Lines are read from stdin: a number, a move as in a test, back, quit. At the
    end the walk is printed as a test.
    """
    present = _present(settings, agent_id) if agent_id else None
    if present is None and path is None:
        raise click.UsageError("name a workflow file, or an agent with --from ID", click.get_current_context())
    workflow = present.workflow if present else load_workflow(settings, path or "", imports=imports)
    catalogue = settings.catalogue(imports=imports)
    known = look_up(workflow, catalogue, trusts_names=not catalogue.are_listed)
    walk = Simulation(workflow, data=data, user=user, present=present, signatures=known.actions)
    is_whole = _walk(walk, is_quiet=settings.json)
    before = lived(workflow, present.past) if present else Lived((), data or {})
    file = path or _file_of(settings, workflow)
    _end(settings, walk, file, before, agent_id=present.export.head.id if present else None)
    return 0 if is_whole else 1


def _file_of(settings: CommandSettings, workflow: Workflow) -> str:
    """The file from which the workflow of an agent came, if it still stands in workflows/."""
    for path in sorted(Path("workflows").glob("*.y*ml")):
        with suppress(FsmAgentError, click.ClickException):  # a file that does not load is another one
            if load_workflow(settings, str(path), imports=False).hash == workflow.hash:
                return str(path)
    return f"{workflow.name}.yaml"


def _present(settings: CommandSettings, agent_id: str) -> Present:
    async def read(store: Store) -> Present:
        head = await find(store, agent_id, store.head)
        return await present_of(store, head.id)

    return read_store(settings, read)


def _walk(walk: Simulation, *, is_quiet: bool) -> bool:
    """Go on until somebody quits, stdin ends, or nothing more can happen; whether every line could be followed. On a
    terminal a line that cannot be is told, and asked again."""
    is_terminal = sys.stdin.isatty()
    options, shown = _show(walk, {}, is_quiet=is_quiet), dict(walk.life.data)
    while options:
        if is_terminal:
            click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        words = line.strip()
        if not line or words in _QUIT:
            return True
        if not words or words.startswith("#"):
            continue
        try:
            _follow(walk, words, options)
        except (FsmAgentError, ValueError) as error:
            output.complain(str(error))
            if not is_terminal:
                return False
            continue
        options, shown = _show(walk, shown, is_quiet=is_quiet), dict(walk.life.data)
    return True


def _follow(walk: Simulation, words: str, options: list[Option]) -> None:
    """Raises ``ValueError`` for what is not understood, and ``Refused``."""
    if words in _BACK:
        if not walk.back():
            raise ValueError("there is no move to take back")
        return
    if not words.isdecimal():
        walk.make(read_move(words) if "(" in words else _not_understood(words))
        return
    if not 1 <= int(words) <= len(options):
        raise ValueError(f"there is no {words} in the list: write 1 to {len(options)}")
    move = options[int(words) - 1].move
    if move is None:
        raise ValueError("no values were found for that: write the move with values of your own")
    walk.make(move)


def _not_understood(words: str) -> Move:
    raise ValueError(f"{words!r} is not understood: write {_HELP}")


def _show(walk: Simulation, shown: Mapping[str, Json], *, is_quiet: bool) -> list[Option]:
    """Tell where the agent is, which data were not shown yet, and what may happen; returns that."""
    options = walk.options()
    if is_quiet:
        return options
    for line in _lines(walk, shown, options):
        output.say(line)
    return options


def _lines(walk: Simulation, shown: Mapping[str, Json], options: list[Option]) -> Iterator[str]:
    agent = walk.life.agent
    yield ""
    yield _styled(Ink(f"{agent.state}: {agent.status}", Tone.STRONG))
    if agent.question is not None:
        yield f"asks: {visible(agent.question.prompt, keep=chr(10))}"
    if agent.error is not None:
        yield f"because: {agent.error['type']}: {agent.error['message']}"
    for name, value in agent.data.items():
        if name not in shown or shown[name] != value:
            yield f"  data.{name} = {_short(value)}"
    for number, option in enumerate(options, start=1):
        guard = f"  [{option.guard}]" if option.guard else ""
        what = repr(option.move) if option.move else f"{option.event} (no values were found for it)"
        yield f"{number:>3}  {what}  →  {option.target}{guard}"


def _styled(ink: Ink) -> str:
    return click.style(ink.text, bold=True) if sys.stderr.isatty() else ink.text


def _short(value: Json) -> str:
    whole = json.dumps(value, ensure_ascii=False)
    return whole if len(whole) <= 100 else f"{whole[:99]}…"


def _end(settings: CommandSettings, walk: Simulation, file: str, before: Lived | None, *, agent_id: str | None) -> None:
    """Print the walk as a test, as far as it can be written as one."""
    moves = [*(before.moves if before else ()), *walk.moves]
    test = test_of(file, moves, walk.life, before.data) if before else None
    agent = walk.life.agent
    if test and not Path(file).is_file():
        output.say(
            f"no file in workflows/ has the definition of this agent: write in the test where it is, for {file!r}"
        )
    if settings.json:
        written: list[Json] = [repr(move) for move in walk.moves]
        document: dict[str, Json] = {
            "id": agent_id,
            "state": agent.state,
            "status": str(agent.status),
            "data": dict(agent.data),
            "moves": written,
            "broken": walk.life.broken,
            "test": test,
        }
        output.print_json(document)
        return
    for name in walk.life.broken:
        output.say(f"this walk breaks the property {name}")
    if test is not None:
        click.echo(visible(test, keep="\n"), nl=False)
        return
    output.say("what happened to the agent before cannot be written as moves, so here is the walk alone:")
    click.echo(visible("".join(f"{move!r},\n" for move in walk.moves), keep="\n"), nl=False)
