"""The option by which a command that only looks at files may import the modules that a project lists."""

from __future__ import annotations

from typing import Final

import click

#: somebody else's modules are somebody else's code, so it takes a word to run them
imports_option: Final = click.option(
    "--import/--no-import",
    "imports",
    default=False,
    help="Import the allowed modules, which runs them; without it only their text is read.",
)
