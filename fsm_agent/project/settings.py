"""The settings that each door needs to open a project: the store, the allowed modules, the acting person, the model.

An argument of the door wins over ``[tool.fsm-agent]`` in the nearest pyproject.toml, at or above the working directory.
Modules are imported when they are needed, since a command that reads one agent needs few of them.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from fsm_agent.project.defaults import DEFAULT_NAMESPACE, DEFAULT_STORE

if TYPE_CHECKING:
    from fsm_agent.actions.catalogue import Catalogue
    from fsm_agent.actions.registry import Actions
    from fsm_agent.actions.surroundings import Listener, Surroundings
    from fsm_agent.domain.retention import Retention
    from fsm_agent.project.pyproject import Project
    from fsm_agent.stores.base import Store


class Settings:
    """The arguments of a door (``None`` if not given), and the settings that result."""

    def __init__(
        self,
        store: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        by: str | None = None,
        modules: tuple[str, ...] = (),
        model: str | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        self.given_store = store
        self.namespace = namespace
        self.given_by = by
        self.given_modules = modules
        self.given_model = model
        self.given_engine = engine

    @cached_property
    def project(self) -> Project:
        """Raises ``SettingsInvalid``."""
        from fsm_agent.project.pyproject import project_here

        return project_here()

    @property
    def store(self) -> str:
        """Raises ``SettingsInvalid`` if the project has rules for namespaces, and none fits this one."""
        return self.given_store or self.project.store_of(self.namespace) or DEFAULT_STORE

    @property
    def is_lasting(self) -> bool:
        """Whether agents outlive the process that starts them."""
        return not self.store.startswith("memory://")

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.project.modules, *self.given_modules]))

    @cached_property
    def by(self) -> str | None:
        """The name of who acts: the given one, or else the login name; ``None`` if the system knows none."""
        import getpass

        try:
            return self.given_by or getpass.getuser()
        except (KeyError, OSError):
            return None

    @property
    def engine(self) -> str | None:
        """The URL of the engine that carries wake-ups; without one, the bell of the store does."""
        from fsm_agent.domain.environment import ENGINE

        return self.given_engine or os.environ.get(ENGINE) or self.project.engine

    @property
    def keys(self) -> dict[str, bytes]:
        """The keys of a sealed store, the writing key first; raises ``KeyInvalid``."""
        from fsm_agent.domain.environment import SEALING_KEYS

        text = os.environ.get(SEALING_KEYS)
        if not text:
            return {}
        from fsm_agent.stores.sealed.keys import read_keys

        return read_keys(text)

    @property
    def retention(self) -> Retention:
        """How long the project keeps its agents."""
        from fsm_agent.domain.retention import Retention

        return Retention.read(self.project.retention)

    def open_store(self, url: str | None = None) -> Store:
        """The store of these settings, or that at ``url``. Raises ``SettingsInvalid`` if a sealed store has no key."""
        from fsm_agent.domain.environment import SEALING_KEYS
        from fsm_agent.errors import SettingsInvalid
        from fsm_agent.stores.urls import open_store

        keys = self.keys
        if self.project.sealed and not keys:
            raise SettingsInvalid(
                f"the agents of this project are sealed (sealed = true in pyproject.toml), and {SEALING_KEYS} gives no "
                "key; nothing is kept in clear"
            )
        return open_store(url or self.store, namespace=self.namespace, keys=keys)

    @cached_property
    def actions(self) -> Actions:
        """The actions of the allowed modules, which may be in the project's folder."""
        from fsm_agent.actions.registry import Actions

        folder = self.project.folder
        if self.modules and folder not in sys.path:
            sys.path.insert(0, folder)
        return Actions(modules=self.modules)

    def catalogue(self, *, imports: bool) -> Catalogue:
        """The catalogue of actions. With ``imports`` it imports, and so runs, the allowed modules, else it reads their
        text."""
        from pathlib import Path

        from fsm_agent.actions.catalogue import Imported
        from fsm_agent.actions.source_catalogue import Sources

        return Imported(self.actions) if imports else Sources(self.modules, folder=Path(self.project.folder))

    def surroundings(self, listen: Listener | None = None) -> Surroundings:
        """The models and servers for actions, and the listener."""
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
