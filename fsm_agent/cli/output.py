"""Where output goes: one JSON document, tables in colour on a terminal, aligned text in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from typing import Final

import click

from fsm_agent.cli.settings import Settings
from fsm_agent.cli.sheet import Block, visible
from fsm_agent.jsontypes import Json

_LINES: Final = "\n"


def show(settings: Settings, document: Json, blocks: Callable[[], Iterable[Block]]) -> None:
    """Print ``document`` with ``--json``, else what ``blocks`` draws for a person."""
    if settings.json:
        print_json(document)
    else:
        print_blocks(blocks())


def print_json(document: Json) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_blocks(blocks: Iterable[Block]) -> None:
    if sys.stdout.isatty():
        from fsm_agent.cli import terminal

        terminal.print_blocks(blocks)
    else:
        from fsm_agent.cli.plain import plain_text

        click.echo(plain_text(blocks))


@contextmanager
def kept_clean(settings: Settings) -> Iterator[None]:
    """Where stdout is one JSON document, what actions print goes to stderr meanwhile."""
    with redirect_stdout(sys.stderr) if settings.json else nullcontext():
        yield


def say(sentence: str) -> None:
    """Tell a person what goes on, beside the output."""
    click.echo(visible(sentence, keep=_LINES), err=True)


def complain(sentence: str) -> None:
    """Tell what went wrong."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {visible(sentence, keep=_LINES)}", err=True)


def is_conversation(settings: Settings) -> bool:
    """Whether a person sits in front of it who can be asked."""
    return not settings.json and sys.stdin.isatty() and sys.stdout.isatty()


def counted(count: int, noun: str) -> str:
    """``1 mistake``, ``2 mistakes``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
