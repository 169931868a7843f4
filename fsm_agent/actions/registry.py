"""Actions and data models are found by name, among those that the operator allows.

A name in YAML never causes an import by itself: it is looked up among the given functions, and in the modules that the
operator has listed.
"""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import Any

from fsm_agent.actions.action import Action, describe
from fsm_agent.actions.builtin import built_in
from fsm_agent.domain.json import Schema
from fsm_agent.domain.signature import Signature
from fsm_agent.errors import (
    ActionError,
    ActionMissing,
    DataModelMissing,
    ModuleNotAllowed,
    ModuleUnread,
    ToolMissing,
)

logger = logging.getLogger("fsm_agent")


class Actions:
    """All actions that may be called here. Modules are imported at the first look-up."""

    def __init__(self, functions: Iterable[Callable[..., Any]] = (), *, modules: Iterable[str] = ()) -> None:
        self._given = {known.name: known for known in map(describe, functions)}
        self._allowed = tuple(modules)
        #: module -> why its import failed
        self._unread: dict[str, str] = {}

    def add(self, functions: Iterable[Callable[..., Any]]) -> None:
        """Allow more functions."""
        self._given.update((known.name, known) for known in map(describe, functions))

    @property
    def are_listed(self) -> bool:
        """Whether anything is allowed at all, so that a missing name is a mistake."""
        return bool(self._given or self._allowed)

    def find(self, do: str) -> Action:
        """The action of a ``do:``; raises ``ActionMissing`` or ``ModuleNotAllowed``."""
        if do in self._given:
            return self._given[do]
        if (known := built_in(do)) is not None:
            return known
        module, colon, name = do.partition(":")
        if colon:
            function = getattr(self._module(module), name, None)
            if not callable(function):
                raise ActionMissing(do, self._names_in(module))
            return describe(function)
        if do not in self._found:
            raise self._missing(do)
        return self._found[do]

    @property
    def unread(self) -> tuple[str, ...]:
        """A sentence for each allowed module that cannot be imported, since the missing name may be there."""
        return tuple(self._unread.values())

    def signature(self, do: str) -> Signature | None:
        """The signature of an action, or ``None`` if there is no such action."""
        try:
            return self.find(do).signature
        except ActionError:
            return None

    def function(self, reference: str) -> Callable[..., Any]:
        """The plain function of an ``upcast: module:function``; raises ``ActionError``."""
        module, _, name = reference.partition(":")
        function = getattr(self._module(module), name, None)
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise ActionError(f"module {module!r} has no plain function {name!r}, which a migration calls")
        return function  # type: ignore[no-any-return]

    def tool(self, reference: str) -> Callable[..., Any]:
        """The function of a tool: a given one, a public one of an allowed module by its name, or ``module:function``. A
        function that a module only imports is not a tool of that module. Raises ``ActionError``."""
        if reference in self._given:
            return self._given[reference].function
        module, colon, name = reference.partition(":")
        places = [module] if colon else list(self._allowed)
        for place in places:
            function = getattr(self._module(module) if colon else self._readable(place), name or reference, None)
            if not inspect.isfunction(function) or function.__name__.startswith("_"):
                continue
            if f"{function.__module__}.".startswith(f"{place}."):
                return function
        raise ToolMissing(reference, places, self.unread)

    def names(self) -> Iterator[str]:
        """The names that ``do:`` may use without a module."""
        yield from dict.fromkeys([*self._given, *self._found])

    def model(self, reference: str) -> Any:
        """The pydantic model of ``data: module:Model``; raises ``ActionError``."""
        module, _, name = reference.partition(":")
        model = getattr(self._module(module), name, None)
        if not hasattr(model, "model_json_schema"):
            raise DataModelMissing(module, name)
        return model

    def model_schema(self, reference: str) -> Schema:
        """The JSON Schema of a data model."""
        from fsm_agent.dialect.pydantic_models import model_schema

        return model_schema(self.model(reference))

    def _module(self, name: str) -> ModuleType:
        if name not in self._allowed:
            raise ModuleNotAllowed(name, self._allowed)
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit) as error:  # the module may be a script that exits
            raise ModuleUnread(name, error) from error

    def _readable(self, name: str) -> ModuleType | None:
        """An allowed module, or ``None`` if its import fails, since other modules must still be found. The failure is
        logged once, and each ``ActionMissing`` names it."""
        if name in self._unread:
            return None
        try:
            return self._module(name)
        except ModuleUnread as error:
            self._unread[name] = str(error)
            facts = {"action": "module_not_imported", "module_name": name}
            logger.warning("%s; its actions and tools are missing", error, extra=facts)
            return None

    @cached_property
    def _found(self) -> dict[str, Action]:
        """The marked functions of all allowed modules that can be imported. Two of the same name are an error."""
        found: dict[str, Action] = {}
        for module in filter(None, map(self._readable, self._allowed)):
            for known in _marked(module):
                other = found.setdefault(known.name, known)
                if other.function is not known.function:
                    places = f"{other.function.__module__} and {known.function.__module__}"
                    raise ActionError(f"action {known.name!r} stands in {places}: write `module:{known.name}`")
        return found

    def _missing(self, do: str) -> ActionMissing:
        """The error that says why there is no action of this name."""
        for module in filter(None, map(self._readable, self._allowed)):
            function = getattr(module, do, None)
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                return ActionMissing(do, (), unmarked_in=module.__name__)
        return ActionMissing(do, list(self.names()), self.unread)

    def _names_in(self, module: str) -> list[str]:
        return [f"{module}:{known.name}" for known in _marked(self._module(module))]


def _marked(module: ModuleType) -> Iterator[Action]:
    for value in vars(module).values():
        known = getattr(value, "action", None)
        if isinstance(known, Action) and value is known.function:
            yield known
