"""What holds for every command: where agents live, which modules are allowed, who speaks, how to print.

What is given on the command line wins, then the environment, then ``[tool.fsm-agent]`` of the nearest
pyproject.toml upward from the working directory.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Final

import click

from fsm_agent.project.options import DEFAULT_NAMESPACE, DEFAULT_STORE, Options

if TYPE_CHECKING:
    from fsm_agent.actions.catalogue import Catalogue
    from fsm_agent.actions.registry import Actions
    from fsm_agent.actions.surroundings import Listener, Surroundings
    from fsm_agent.domain.retention import Retention
    from fsm_agent.project.pyproject import Project
    from fsm_agent.stores.base import Store


#: the beginning of a command that looks at a store, and has no options yet
_COMMAND: Final = r"`fsm-agent(?= (?!-|(?:check|diagram|init|keygen|schema)\b))"


def text(said: str) -> str:
    """The value of an option that may be left out, and not be empty."""
    return _filled(said, "give it a text, or leave it out")


def name(said: str) -> str:
    """The name of somebody that must be given, and not be empty."""
    return _filled(said, "say who it is")


def _filled(said: str, advice: str) -> str:
    from fsm_agent.data.arguments import why_blank

    if (why := why_blank(said)) is not None:
        raise click.BadParameter(f"it {why}; {advice}")
    return said


class Settings(Options):
    """The global options, and what stands behind those that were not given."""

    @cached_property
    def project(self) -> Project:
        from fsm_agent.project.pyproject import project_here

        return project_here()

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
        from fsm_agent.domain.environment import SEALING_KEYS

        text = os.environ.get(SEALING_KEYS)
        if not text:
            return {}
        from fsm_agent.stores.sealed.keys import read_keys

        return read_keys(text)

    @property
    def retention(self) -> Retention:
        """What the project keeps of its agents."""
        from fsm_agent.domain.retention import Retention

        return Retention.read(self.project.retention)

    def open_store(self, url: str | None = None) -> Store:
        """The store of these settings, or in its place the one at ``url``."""
        from fsm_agent.domain.environment import SEALING_KEYS
        from fsm_agent.stores.urls import open_store

        keys = self.keys
        if self.project.sealed and not keys:
            raise click.ClickException(
                f"the agents of this project are sealed (sealed = true in pyproject.toml), and {SEALING_KEYS} gives no "
                "key; nothing is kept in clear"
            )
        return open_store(url or self.store, namespace=self.namespace, keys=keys)

    @cached_property
    def actions(self) -> Actions:
        """The actions of the allowed modules, which may stand in the project's folder."""
        from fsm_agent.actions.registry import Actions

        folder = self.project.folder
        if self.modules and folder not in sys.path:
            sys.path.insert(0, folder)
        return Actions(modules=self.modules)

    def catalogue(self, *, imports: bool) -> Catalogue:
        """What may be known of actions: from the allowed modules themselves, which runs them, or from their text."""
        from pathlib import Path

        from fsm_agent.actions.catalogue import Imported
        from fsm_agent.actions.sources import Sources

        return Imported(self.actions) if imports else Sources(self.modules, folder=Path(self.project.folder))

    def surroundings(self, listen: Listener | None = None) -> Surroundings:
        """Which models and servers actions find, and who listens to them."""
        from fsm_agent.actions.surroundings import Surroundings

        project = self.project
        return Surroundings(
            model=self.given_model,
            default_model=project.model,
            listen=listen,
            mcp=project.mcp,
            environment=project.environment,
            data_limit=project.data_limit,
        )

    def command(self, *words: str) -> str:
        """How another command is to be typed with the same options; a store URL with a secret is left out."""
        import shlex

        return shlex.join(["fsm-agent", *self._options(), *words])

    def in_full(self, sentence: str) -> str:
        """A sentence of a room that knows no options, with those of this command line in the commands that it names."""
        import re
        import shlex

        options = "".join(f" {shlex.quote(word)}" for word in self._options())
        return re.sub(_COMMAND, lambda found: f"{found[0]}{options}", sentence)

    def _options(self) -> list[str]:
        options = ["--store", self.given_store] if self.given_store and not self._is_secret(self.given_store) else []
        options += ["--namespace", self.namespace] if self.namespace != DEFAULT_NAMESPACE else []
        options += ["--by", self.given_by] if self.given_by else []
        options += ["--model", self.given_model] if self.given_model else []
        return options + [word for module in self.given_modules for word in ("--module", module)]

    @staticmethod
    def _is_secret(url: str) -> bool:
        """Whether a store URL may hold a password."""
        from fsm_agent.stores.urls import without_password

        return "@" in url or without_password(url) != url
