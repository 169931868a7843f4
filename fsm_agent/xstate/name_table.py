"""What the states, events and fields of a machine are called in a workflow: the same, wherever that is allowed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from fsm_agent.domain.text import shortened
from fsm_agent.domain.workflow import BUILT_IN_EVENTS, HANDLED_BUILT_INS
from fsm_agent.xstate.losses import Loss
from fsm_agent.xstate.names import allowed_field, allowed_name
from fsm_agent.xstate.nodes import Node, Tree
from fsm_agent.xstate.redirects import Redirects

#: of the engine, which no workflow may handle
_RESERVED: Final = BUILT_IN_EVENTS - HANDLED_BUILT_INS


class NameTable:
    """The names of one machine. ``losses`` says each that has changed."""

    def __init__(self, tree: Tree, redirects: Redirects) -> None:
        self.losses: list[Loss] = []
        self.machine = allowed_name(tree.id.strip("()"), (), otherwise="machine")
        if self.machine != tree.id.strip("()"):
            self._changed("id", "the machine", tree.id, self.machine)
        #: every state that is carried -> its own name
        self.names: dict[Node, str] = {}
        self._redirects = redirects
        #: every event that was asked for -> its name
        self.events: dict[str, str] = {}
        self._name_children(tree.root, set())

    def path(self, node: Node) -> str:
        """The dotted path of a state; of the machine itself it is empty."""
        if node.parent is None:
            return ""
        outer = self.path(node.parent)
        return f"{outer}.{self.names[node]}" if outer else self.names[node]

    def event(self, written: str, wanted: str) -> str:
        """What an event is called: ``wanted``, or what is allowed of it; the same every time."""
        if written not in self.events:
            taken = {*self.events.values(), *_RESERVED}
            self.events[written] = name = allowed_name(wanted, taken, otherwise="event")
            if name != wanted:
                self._changed("events", "event", wanted, name)
        return self.events[written]

    def field(self, written: str, taken: Collection[str]) -> str:
        """What a field of the data is called that stands for something of this name."""
        name = allowed_field(written, taken, otherwise="field")
        if name != written:
            self._changed("context", "field", written, name)
        return name

    def _name_children(self, node: Node, around: set[str]) -> None:
        """``around`` has the names of states at the top level: one that is used inside as well would have two meanings
        there."""
        carried = [child for child in node.children.values() if not self._redirects.is_left_out(child)]
        right = {child.key for child in carried if allowed_name(child.key, (), otherwise="state") == child.key}
        taken = {*around}
        for child in sorted(carried, key=lambda child: child.key not in right):
            name = allowed_name(child.key, taken, otherwise="state")
            taken.add(name)
            self.names[child] = name
            if name != child.key:
                self._changed(child.place, "state", child.key, name)
        top = around or {self.names[child] for child in carried}
        for child in carried:
            self._name_children(child, top)

    def _changed(self, place: str, what: str, written: str, name: str) -> None:
        self.losses.append(Loss(place, f"{what} {shortened(written)} is called `{name}` here"))
