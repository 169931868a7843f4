"""What holds for every command: where agents live, which modules are allowed, who speaks, how to print.

What is given on the command line wins, then the environment, then ``[tool.fsm-agent]`` of the nearest
pyproject.toml upward from the working directory.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fsm_agent.wording import did_you_mean, listed

if TYPE_CHECKING:
    from fsm_agent.actions.registry import Actions
    from fsm_agent.retention import Retention
    from fsm_agent.stores.base import Store

DEFAULT_STORE: Final = "sqlite:///fsm-agent.db"
DEFAULT_NAMESPACE: Final = "default"

#: of ``[tool.fsm-agent]``
KEYS: Final = ("modules", "store", "sealed", "retention")

#: the environment variable that has the keys of sealed agents; they stand nowhere else
SEALING_KEYS: Final = "FSM_AGENT_KEYS"

#: A file in a URL, which may hold two.
_FILE: Final = re.compile(r"(sqlite:///)([^,]+)")


@dataclass(frozen=True, slots=True)
class Project:
    """The settings of a folder: its pyproject.toml, as far as it speaks to us."""

    folder: Path
    modules: tuple[str, ...] = ()
    #: a relative SQLite file is meant from the folder, wherever the command runs
    store: str | None = None
    #: nothing is kept in clear
    sealed: bool = False
    retention: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """The global options, and what stands behind those that were not given."""

    given_store: str | None = None
    namespace: str = DEFAULT_NAMESPACE
    given_by: str | None = None
    given_modules: tuple[str, ...] = ()
    json: bool = False

    @cached_property
    def project(self) -> Project:
        return find_project(Path.cwd())

    @property
    def store(self) -> str:
        return self.given_store or self.project.store or DEFAULT_STORE

    @property
    def is_lasting(self) -> bool:
        """Whether an agent outlives the command that started it."""
        return not self.store.startswith("memory://")

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.project.modules, *self.given_modules]))

    @cached_property
    def by(self) -> str | None:
        """Who speaks: the login name, unless ``--by`` says another; ``None`` where the system knows no name."""
        import getpass

        try:
            return self.given_by or getpass.getuser()
        except (KeyError, OSError):
            return None

    @property
    def keys(self) -> dict[str, bytes]:
        """The keys of sealed agents, the one that writes first; raises ``KeyInvalid``."""
        text = os.environ.get(SEALING_KEYS)
        if not text:
            return {}
        from fsm_agent.stores.sealed.keys import read_keys

        return read_keys(text)

    @property
    def retention(self) -> Retention:
        """What the project keeps of its agents."""
        from fsm_agent.retention import Retention

        return Retention.read(self.project.retention)

    def open_store(self) -> Store:
        from fsm_agent.stores.urls import open_store

        keys = self.keys
        if self.project.sealed and not keys:
            raise click.ClickException(
                f"the agents of this project are sealed (sealed = true in pyproject.toml), and {SEALING_KEYS} gives no "
                "key; nothing is kept in clear"
            )
        return open_store(self.store, namespace=self.namespace, keys=keys)

    @cached_property
    def actions(self) -> Actions:
        """The actions of the allowed modules, which may stand in the project's folder."""
        from fsm_agent.actions.registry import Actions

        folder = str(self.project.folder)
        if self.modules and folder not in sys.path:
            sys.path.insert(0, folder)
        return Actions(modules=self.modules)

    def command(self, *words: str) -> str:
        """The same command line for another command, to be typed; a store URL with a secret is left out."""
        options = ["--store", self.given_store] if self.given_store and "@" not in self.given_store else []
        options += ["--namespace", self.namespace] if self.namespace != DEFAULT_NAMESPACE else []
        options += ["--by", self.given_by] if self.given_by else []
        options += [word for module in self.given_modules for word in ("--module", module)]
        return shlex.join(["fsm-agent", *options, *words])


def find_project(start: Path) -> Project:
    """The project around a folder; without any pyproject.toml it is the folder itself."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            return _read_project(file)
    return Project(start)


def _read_project(file: Path) -> Project:
    text = file.read_text(encoding="utf-8", errors="replace")
    if "fsm-agent" not in text:
        return Project(file.parent)
    import tomllib

    try:
        section = tomllib.loads(text).get("tool", {}).get("fsm-agent", {})
    except tomllib.TOMLDecodeError as error:
        raise click.ClickException(f"{file} is not TOML: {error}") from error
    if problem := _problem(section):
        raise click.ClickException(f"[tool.fsm-agent] in {file}: {problem}")
    return Project(
        file.parent,
        tuple(section.get("modules", ())),
        _anchored(section.get("store"), file.parent),
        sealed=section.get("sealed", False),
        retention=section.get("retention", {}),
    )


def _problem(section: Mapping[str, Any]) -> str | None:
    modules, store = section.get("modules", []), section.get("store")
    if unknown := [key for key in section if key not in KEYS]:
        return f"unknown key {unknown[0]!r}{did_you_mean(unknown[0], KEYS)}; there are {listed(KEYS)}"
    if not isinstance(modules, list) or not all(isinstance(module, str) for module in modules):
        return 'modules must be a list of module names, such as ["shop.actions"]'
    if not isinstance(store, str | None):
        return f'store must be a URL, such as "{DEFAULT_STORE}"'
    if not isinstance(section.get("sealed", False), bool):
        return "sealed must be true or false"
    return _problem_of_retention(section["retention"]) if "retention" in section else None


def _problem_of_retention(retention: Any) -> str | None:
    from fsm_agent.retention import Retention

    if not isinstance(retention, dict):
        return 'retention must be a table, such as {history = 100, finished = "30d", idle = "90d"}'
    try:
        Retention.read(retention)
    except ValueError as error:
        return f"retention: {error}"
    return None


def _anchored(store: str | None, folder: Path) -> str | None:
    """The URL with its relative files, of which a tiered store may have two, in ``folder``."""
    return store and _FILE.sub(lambda file: f"{file[1]}{folder / file[2]}", store)
