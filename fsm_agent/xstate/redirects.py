"""States of a machine that no workflow can have, and the states to which transitions to them go instead."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.domain.json import Json
from fsm_agent.errors import MachineInvalid
from fsm_agent.xstate.losses import Loss
from fsm_agent.xstate.nodes import Node, Tree


class Redirects:
    """The redirects of one machine. ``losses`` says each of them once."""

    def __init__(self, tree: Tree) -> None:
        self.losses: list[Loss] = []
        self._tree = tree
        #: a state that is left out -> where transitions to it go
        self._instead: dict[Node, Node] = {}
        #: states whose ``onDone`` says where their final states lead
        self.followed: set[Node] = set()
        if tree.root.type == "parallel":
            raise MachineInvalid(
                "the machine is parallel, and an agent is in one state at a time: nothing can be made of it"
            )
        for node in tree.root.inside():
            if node not in self._instead and node.parent is not None:
                self._look_at(node, node.parent)

    def is_left_out(self, node: Node) -> bool:
        return node in self._instead

    def target(self, node: Node) -> Node:
        """Where a transition to ``node`` goes."""
        passed = {node}
        while (following := self._instead.get(node)) is not None and following not in passed:
            node = following
            passed.add(node)
        return node

    def _look_at(self, node: Node, parent: Node) -> None:
        match node.type:
            case "parallel":
                self._instead |= {each: node for each in node.inside() if each is not node}
                self._lose(node, "it is parallel, and an agent is in one state at a time: what is inside is left out")
            case "history":
                self._instead[node] = self._default(node, parent)
                self._lose(node, f"it goes back to where the machine was, and here to `{self._instead[node].place}`")
            case "final" if parent.parent is not None:
                self._ends(node, parent)
            case _:
                pass

    def _default(self, node: Node, parent: Node) -> Node:
        written = node.body.get("target")
        return parent if written is None else self._tree.target(node, written)

    def _ends(self, node: Node, parent: Node) -> None:
        """A final state that is not at the top level ends what is around it, and not the machine."""
        following = self._following(parent)
        if following is None or self._tree.initial(parent) is node:
            self._lose(node, "it is final inside another state, which ends no agent: here it is a state that waits")
        else:
            self._instead[node] = following
            self.followed.add(parent)
            self._lose(
                node, f"it ends what is around it: here, what leads to it leads on to `{following.place}` at once"
            )

    def _following(self, parent: Node) -> Node | None:
        """Where ``onDone`` of a state leads in any case."""
        match list(_listed(parent.body.get("onDone"))):
            case [str(target)]:
                return self._tree.target(parent, target)
            case [{"target": str(target) | [str(target)], **rest}] if "guard" not in rest:
                return self._tree.target(parent, target)
        return None

    def _lose(self, node: Node, sentence: str) -> None:
        self.losses.append(Loss(node.place, sentence))


def _listed(value: Json) -> Iterator[Json]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
