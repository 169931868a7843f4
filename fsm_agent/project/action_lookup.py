"""What a workflow's names lead to, for the checks of whether its actions fit."""

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
    """The names that a workflow uses, sorted by what came of looking for them."""

    actions: dict[str, Signature] = field(default_factory=dict)
    tools: set[str] = field(default_factory=set)
    #: name -> the sentence that says why it leads to nothing
    unfound: dict[str, str] = field(default_factory=dict)
    #: name -> the sentence that says which modules cannot be imported, one of which may have it
    unread: dict[str, str] = field(default_factory=dict)
    #: name -> the sentence that says why not all of it can be told
    doubts: dict[str, str] = field(default_factory=dict)
    #: whether there is a name of an action that leads to nothing
    has_missing: bool = False
    #: extras of built-in actions that are not installed
    lacking: set[str] = field(default_factory=set)

    def look(self, name: str, way: Callable[[str], Found], unread: Found) -> Found | None:
        """What a way to look gives; notes where there is nothing. Of a misspelt name the checker says more. A name that
        may stand in a module that cannot be imported is trusted: it gives ``unread``."""
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
    """What is known of the actions, upcasts and tools of a workflow and of those that it embeds. With ``trusts_names``
    names without a module are taken to be right."""
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
        known.actions |= catalogue.actions()  # one of them may have been meant
    return known


def _look_for_action(known: Known, name: str | None, catalogue: Catalogue, *, trusts_names: bool) -> None:
    if name is None or name in BUILT_INS:
        return
    if trusts_names and ":" not in name:
        known.actions[name] = Signature()
    elif (signature := known.look(name, catalogue.action, Signature())) is not None:
        known.actions[name] = signature


def _family(workflow: Workflow) -> Iterator[Workflow]:
    """A workflow and those that it embeds."""
    yield workflow
    for child in workflow.workflows.values():
        yield from _family(child)
