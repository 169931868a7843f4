"""Output: one JSON document, or tables in colour on a terminal, or aligned text in a pipe."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Final, TypeGuard

import click

from fsm_agent.cli.blocks import Block, Table, harmless, visible
from fsm_agent.cli.settings import CommandSettings
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import some

if TYPE_CHECKING:
    from fsm_agent.domain.record import Damage

_LINES: Final = "\n"
#: controls beyond ASCII, and characters that change the direction of text; JSON itself escapes the rest
_STEERING: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def show(settings: CommandSettings, document: Json, blocks: Callable[[], Iterable[Block]]) -> None:
    """Print ``document`` with ``--json``, otherwise the blocks that ``blocks`` makes for a person."""
    if settings.json:
        print_json(document)
    else:
        print_blocks(blocks(), is_wide=settings.wide)


def print_json(document: Json) -> None:
    click.echo(json_text(document))


def json_text(document: Json) -> str:
    """A document as text for output; characters that could control a terminal are escaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return text if text.isascii() and "\x7f" not in text else _STEERING.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def left_in_full(settings: CommandSettings, left: dict[str, str]) -> None:
    """Why agents are left as they are; commands in the reasons get the options of this command line."""
    left.update({name: settings.in_full(why) for name, why in left.items()})


def say_left_out(settings: CommandSettings, damaged: Sequence[Damage]) -> None:
    """Name the agents that a list has left out, grouped by the reason."""
    if damaged and not settings.json:
        by_reason: dict[tuple[str, str], list[str]] = {}
        for each in damaged:
            by_reason.setdefault((each.place, each.what), []).append(each.agent_id)
        which = "; ".join(f"{some(ids)} in {place} ({what})" for (place, what), ids in by_reason.items())
        are = "is" if len(damaged) == 1 else "are"
        count, command = counted(len(damaged), "agent"), settings.command("doctor")
        say(f"{count} {are} left out, being damaged: {which}; `{command}` says what to do")


def print_blocks(blocks: Iterable[Block], *, is_wide: bool = False) -> None:
    """Print blocks for a person. Unless ``is_wide``, tables show the shortest unique ends of ids."""
    blocks = [harmless(block) for block in blocks]
    if not is_wide:
        blocks = with_short_ids(blocks)
    if sys.stdout.isatty():
        from fsm_agent.cli.views import terminal

        terminal.print_blocks(blocks)
    else:
        from fsm_agent.cli.views.plain_text import plain_text

        click.echo(plain_text(blocks))


def with_short_ids(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with short ids, which are unique among all ids that are printed together."""
    if not any(map(_names_agents, blocks)):
        return list(blocks)
    from fsm_agent.cli.input.agent_ids import short_ids

    short = short_ids([row[0].text for block in blocks if _names_agents(block) for row in block.rows])
    return [_shortened(block, short) if _names_agents(block) else block for block in blocks]


def _names_agents(block: Block) -> TypeGuard[Table]:
    return isinstance(block, Table) and block.names_agents


def _shortened(table: Table, short: Mapping[str, str]) -> Table:
    return table._replace(rows=[[row[0]._replace(text=short[row[0].text]), *row[1:]] for row in table.rows])


@contextmanager
def kept_clean(settings: CommandSettings) -> Iterator[None]:
    """If stdout is one JSON document, what actions print goes to stderr inside this context."""
    with redirect_stdout(sys.stderr) if settings.json else nullcontext():
        yield


def say(sentence: str) -> None:
    """Tell a person what happens, on stderr."""
    click.echo(visible(sentence, keep=_LINES), err=True)


def complain(sentence: str) -> None:
    """Print an error on stderr."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {visible(sentence, keep=_LINES)}", err=True)


def is_conversation(settings: CommandSettings) -> bool:
    """Whether a person is at the terminal who can be asked."""
    return not settings.json and sys.stdin.isatty() and sys.stdout.isatty()


def counted(count: int, noun: str) -> str:
    """``1 mistake``, ``2 mistakes``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
