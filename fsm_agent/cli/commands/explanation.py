"""``check --explain CODE`` prints the entry of docs/checks.md, which a wheel contains inside the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from fsm_agent.cli.settings import CommandSettings
from fsm_agent.cli.views import output
from fsm_agent.domain.text import did_you_mean

_PACKAGE: Final = Path(__file__).parents[2]
#: in an installed package, and in the repository
_PAGES: Final = (_PACKAGE / "checks.md", _PACKAGE.parent / "docs" / "checks.md")
_ENTRY: Final = re.compile(r"^### (FSM\d{3}): .+?\n.*?(?=^#|\Z)", re.MULTILINE | re.DOTALL)


def entries() -> Mapping[str, str]:
    """Code -> its entry in Markdown."""
    page = next(page for page in _PAGES if page.is_file())
    return {found[1]: found[0].rstrip() for found in _ENTRY.finditer(page.read_text(encoding="utf-8"))}


def explain(settings: CommandSettings, code: str) -> None:
    """Print what a code means, with an example that has the mistake and one without it."""
    known = entries()
    entry = known.get(code.upper())
    if entry is None:
        first, last = min(known), max(known)
        raise click.ClickException(
            f"there is no code {code!r}{did_you_mean(code.upper(), known)}; they run from {first} to {last}"
        )
    if settings.json:
        output.print_json({"code": code.upper(), "entry": entry})
    else:
        click.echo(entry.removeprefix("### "))
