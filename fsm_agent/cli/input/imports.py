"""The option that lets a command import the project's modules although it only reads files."""

from __future__ import annotations

from typing import Final

import click

#: modules may be somebody else's code, so they only run on request
imports_option: Final = click.option(
    "--import/--no-import",
    "imports",
    default=False,
    help="Import the allowed modules, which runs them; without it only their text is read.",
)
