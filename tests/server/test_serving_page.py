"""The page on serving: its commands are ours, its unit lets a server drain, and nothing in it is open to all."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any, Final

import pytest

from fsm_agent.cli.commands.serve import serve

TEXT: Final = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")


def fence(language: str) -> str:
    """The only example in a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return str(found)


def unit() -> ConfigParser:
    read = ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign] # the names of systemd are in both cases
    read.read_string(fence("ini"))
    return read


def instruction(name: str) -> list[str]:
    """The words of an instruction of the container file that is a list."""
    [found] = re.findall(rf"^{name} (\[.*\])$", fence("dockerfile"), re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


COMMANDS: Final = {
    "unit": shlex.split(unit()["Service"]["ExecStart"])[1:],
    "container": [*instruction("ENTRYPOINT")[1:], *instruction("CMD")],
    **{text: shlex.split(text)[1:] for text in re.findall(r"(fsm-agent serve --[^`\n]*)", TEXT)},
}


def given(words: list[str]) -> dict[str, Any]:
    """The arguments of a command of the page."""
    assert words[0] == "serve"
    return serve.make_context("serve", words[1:]).params


def test_the_page_has_these_commands() -> None:
    assert len(COMMANDS) == 5


@pytest.mark.parametrize("name", COMMANDS)
def test_who_is_behind_a_proxy_asks_for_tokens(name: str) -> None:
    options = given(COMMANDS[name])
    assert options["allowed_hosts"] == ("agents.example.com",)
    assert options["tokens_file"] or options["identity_header"]


def test_the_unit_waits_for_actions_to_end() -> None:
    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) * 1_000 >= given(COMMANDS["unit"])["drain"].ms + 5_000
    assert service["KillMode"] == "mixed"
    assert service["ReadWritePaths"] == service["WorkingDirectory"]


def test_the_container_holds_no_secret_and_runs_as_nobody_special() -> None:
    text = fence("dockerfile")
    assert not re.search("^(ARG|ENV)", text, re.MULTILINE)
    assert re.findall("^USER (.*)$", text, re.MULTILINE) == ["agents"]
    assert given(COMMANDS["container"])["host"] == "0.0.0.0"  # noqa: S104 - the port is what is let out
