"""What a workflow's names lead to, for the checks of whether its actions fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fsm_agent.actions.catalogue import Catalogue
from fsm_agent.dialect.builtins import BUILT_INS, tools_of
from fsm_agent.errors import ActionError, ActionMissing
from fsm_agent.signature import Signature
from fsm_agent.workflow import Workflow


@dataclass(slots=True)
class Known:
    """The names that a workflow uses, sorted by what came of looking for them."""

    actions: dict[str, Signature] = field(default_factory=dict)
    tools: set[str] = field(default_factory=set)
    #: name -> the sentence that says why it leads to nothing
    unfound: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, look: Callable[[str], object]) -> bool:
        """Whether there is what ``look`` looks for; notes it if not. Of a misspelt name the checker says more."""
        try:
            look(name)
        except ActionError as error:
            if ":" in name or not isinstance(error, ActionMissing) or error.unmarked_in:
                self.unfound[name] = str(error)
            return False
        return True


def look_up(workflow: Workflow, catalogue: Catalogue, *, trusts_names: bool) -> Known:
    """What is known of the actions, upcasts and tools of a workflow and of those that it embeds. With ``trusts_names``
    names without a module are taken to be right."""
    known = Known()
    if not trusts_names:
        known.actions |= {name: catalogue.action(name) for name in catalogue.names()}
    for each in _family(workflow):
        for leaf in each.leaves:
            _look_for_action(known, leaf.do, catalogue, trusts_names=trusts_names)
            for tool in tools_of(leaf):
                if (trusts_names and ":" not in tool) or known.note(tool, catalogue.tool):
                    known.tools.add(tool)
        for upcast in [migration.upcast for migration in each.migrations if migration.upcast]:
            if known.note(upcast, catalogue.function):
                known.actions.setdefault(upcast, Signature())
    return known


def _look_for_action(known: Known, name: str | None, catalogue: Catalogue, *, trusts_names: bool) -> None:
    if name is None or name in known.actions or name in BUILT_INS:
        return
    if trusts_names and ":" not in name:
        known.actions[name] = Signature()
    elif known.note(name, catalogue.action):
        known.actions[name] = catalogue.action(name)


def _family(workflow: Workflow) -> Iterator[Workflow]:
    """A workflow and those that it embeds."""
    yield workflow
    for child in workflow.workflows.values():
        yield from _family(child)
