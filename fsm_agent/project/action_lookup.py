"""Look-ups of the names in a workflow, for the checks of its actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TypeVar

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.dialect.builtins import BUILT_INS, extras_of, tools_of
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import ActionError, ActionMissing

Found = TypeVar("Found", Signature, str)


@dataclass(slots=True)
class Known:
    """The names in a workflow, by the outcome of their look-up."""

    actions: dict[str, Signature] = field(default_factory=dict)
    tools: set[str] = field(default_factory=set)
    #: name -> why there is nothing of this name
    unfound: dict[str, str] = field(default_factory=dict)
    #: name -> which modules cannot be imported and may have it
    unread: dict[str, str] = field(default_factory=dict)
    #: name -> why something about it is unknown
    doubts: dict[str, str] = field(default_factory=dict)
    #: whether some action does not exist
    has_missing: bool = False
    #: extras that are not installed, of built-in actions
    lacking: set[str] = field(default_factory=set)

    def look(self, name: str, way: Callable[[str], Found], unread: Found) -> Found | None:
        """The result of ``way(name)``, or ``None`` with a note why there is none. For a misspelt name the checker says
        more. A name that may be in a module whose import fails is trusted, and gives ``unread``."""
        try:
            found = way(name)
        except ActionError as error:
            if error.unread:
                self.unread[name] = "; ".join(error.unread)
                return unread
            if ":" in name or not isinstance(error, ActionMissing) or error.unmarked_in:
                self.unfound[name] = str(error)
            self.has_missing = self.has_missing or isinstance(error, ActionMissing)
            return None
        doubt = found.doubt if isinstance(found, Signature) else str(found)
        if doubt:
            self.doubts[name] = doubt
        return found


def look_up(workflow: Workflow, catalogue: Catalogue, *, trusts_names: bool) -> Known:
    """What is known of the actions, upcasts and tools of a workflow and of its embedded ones. With ``trusts_names``,
    names without a module are taken as right."""
    known = Known()
    for each in _family(workflow):
        for leaf in each.leaves:
            known.lacking |= {extra.name for extra in extras_of(leaf) if find_spec(extra.module) is None}
            _look_for_action(known, leaf.do, catalogue, trusts_names=trusts_names)
            for tool in tools_of(leaf):
                if (trusts_names and ":" not in tool) or known.look(tool, catalogue.tool, "") is not None:
                    known.tools.add(tool)
        for upcast in [migration.upcast for migration in each.migrations if migration.upcast]:
            if known.look(upcast, catalogue.function, "") is not None:
                known.actions.setdefault(upcast, Signature())
    if known.has_missing:
        known.actions |= catalogue.actions()  # a wrong name may mean one of them
    return known


def _look_for_action(known: Known, name: str | None, catalogue: Catalogue, *, trusts_names: bool) -> None:
    if name is None or name in BUILT_INS:
        return
    if trusts_names and ":" not in name:
        known.actions[name] = Signature()
    elif (signature := known.look(name, catalogue.action, Signature())) is not None:
        known.actions[name] = signature


def _family(workflow: Workflow) -> Iterator[Workflow]:
    """A workflow and its embedded ones."""
    yield workflow
    for child in workflow.workflows.values():
        yield from _family(child)
