"""The option ``--tokens``: which file has the tokens of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.project.defaults import DEFAULT_TOKENS

tokens_option: Final = click.option(
    "--tokens",
    "tokens_file",
    metavar="FILE",
    help=f"The file of the tokens.  [default: {DEFAULT_TOKENS} in the folder of the project]",
)


def token_path(settings: CommandSettings, given: str | None) -> Path:
    """The file that was given, or the one of the project."""
    return Path(settings.project.folder, DEFAULT_TOKENS) if given is None else Path(given)
