"""docs/cli.md leaves nothing out, and its tour runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from fsm_agent.cli.main import COMMANDS, main
from fsm_agent.project import pyproject
from tests.support.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
NAMES = [name for entries in COMMANDS.values() for name in entries]


def section(title: str, level: int = 3) -> str:
    """What stands under a heading."""
    return re.split(r"^#+ ", PAGE.split(f"\n{'#' * level} {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def parameters(command: click.Command) -> list[click.Parameter]:
    """Those of a command, and of the commands that it has."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return [*command.params, *(parameter for each in inner for parameter in parameters(each))]


def undocumented(parameters: list[click.Parameter], text: str) -> list[str]:
    options = [opt for parameter in parameters if isinstance(parameter, click.Option) for opt in parameter.opts]
    return [option for option in options if f"`{option}" not in text]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_documented_with_every_option(name: str) -> None:
    text = section(name)
    assert f"`fsm-agent {name}" in text
    assert undocumented(parameters(command(name)), text) == []


def test_every_global_option_and_setting_is_documented() -> None:
    assert undocumented(main.params, section("Global options", 2)) == []
    assert [key for key in pyproject.KEYS if f"\n{key} = " not in section("Settings", 2)] == []


def test_nothing_is_documented_that_is_not_there() -> None:
    assert re.findall(r"^### (.*)$", PAGE, re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_says_what_a_command_says_of_itself(name: str) -> None:
    [entry] = [entries[name] for entries in COMMANDS.values() if name in entries]
    assert len(entry.sentence) <= 60
    assert command(name).name == name
    assert command(name).help


def test_the_tour_runs_from_top_to_bottom(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    [tour] = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in tour.replace(" && ", "\n$ ").splitlines():
        match shlex.split(line.removeprefix("$ ")):
            case ["cd", folder]:
                monkeypatch.chdir(shop.folder / folder)
            case ["fsm-agent", *words]:
                done = shop(*words)
                assert done.code == 0, done.err
