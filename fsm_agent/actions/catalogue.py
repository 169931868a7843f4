"""What a check can know about the functions that a workflow names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from fsm_agent.actions.registry import Actions
from fsm_agent.domain.json import Schema
from fsm_agent.domain.signature import Signature


class Catalogue(ABC):
    """Actions, functions, tools and data models, by the names that workflows use.

    Each look-up raises ``ActionError`` if there is no such thing. If only running a module would tell, the look-up
    returns a *doubt*: the reason, and otherwise an empty text.
    """

    @property
    @abstractmethod
    def are_listed(self) -> bool:
        """Whether any module is allowed, so that a missing name is a mistake."""

    @abstractmethod
    def actions(self) -> Mapping[str, Signature]:
        """The actions that certainly exist, by their names without a module."""

    @abstractmethod
    def action(self, name: str) -> Signature:
        """The signature of the action of a ``do:``, and the doubt."""

    @abstractmethod
    def function(self, reference: str) -> str:
        """The doubt about a function for an ``upcast``."""

    @abstractmethod
    def tool(self, reference: str) -> str:
        """The doubt about a tool."""

    @abstractmethod
    def model_schema(self, reference: str) -> Schema | None:
        """The JSON Schema of a data model; ``None`` if it is unknown."""


class Imported(Catalogue):
    """A catalogue that imports the modules, and so runs them."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    @property
    def are_listed(self) -> bool:
        return self._actions.are_listed

    def actions(self) -> Mapping[str, Signature]:
        return {name: self._actions.find(name).signature for name in self._actions.names()}

    def action(self, name: str) -> Signature:
        return self._actions.find(name).signature

    def function(self, reference: str) -> str:
        self._actions.function(reference)
        return ""

    def tool(self, reference: str) -> str:
        self._actions.tool(reference)
        return ""

    def model_schema(self, reference: str) -> Schema | None:
        return self._actions.model_schema(reference)
