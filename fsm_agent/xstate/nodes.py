"""The states of a machine of XState as a tree, and what a target means in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fsm_agent.dialect.keys import DEEPEST_STATE
from fsm_agent.domain.json import Json
from fsm_agent.domain.text import shortened
from fsm_agent.errors import MachineInvalid
from fsm_agent.xstate.losses import shown

#: the id of a machine without one
_NAMELESS: Final = "(machine)"
#: a character after a backslash, a dot, or another character
_PIECES: Final = re.compile(r"\\(.)|(\.)|([^.\\])", re.DOTALL)


@dataclass(eq=False)
class Node:
    """One state of a machine; the machine itself is one too, without a parent."""

    key: str
    body: Mapping[str, Json]
    parent: Node | None = None
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys from the top level down to it."""
        return () if self.parent is None else (*self.parent.keys, self.key)

    @property
    def place(self) -> str:
        """Where it stands in the machine, for sentences."""
        return ".".join(map(shown, self.keys)) or "machine"

    @property
    def type(self) -> str:
        """``atomic``, ``compound``, ``parallel``, ``final`` or ``history``."""
        usual = "compound" if self.children else "atomic"
        return str(self.body.get("type") or ("history" if self.body.get("history") else usual))

    def inside(self) -> Iterator[Node]:
        """It and all that is in it, from the outside inward."""
        yield self
        for child in self.children.values():
            yield from child.inside()


class Tree:
    """A whole machine."""

    def __init__(self, machine: Json) -> None:
        """Raises ``MachineInvalid`` for what is no machine."""
        body = _mapping(machine, "the machine")
        if not body.get("states"):
            raise MachineInvalid("this is no machine of XState that a workflow can be made of: it has no `states`")
        self.id = str(body.get("id") or _NAMELESS)
        self.root = _node("", body, None)
        self._by_id = {_id(self, node): node for node in self.root.inside()}

    def target(self, node: Node, written: Json) -> Node:
        """The state that a target means in a transition of ``node``; raises ``MachineInvalid``."""
        if not isinstance(written, str):
            raise MachineInvalid(f"{node.place}: a target must be a text, and is {shortened(written)}")
        if written.startswith("#"):
            first, *rest = _pieces(written[1:])
            found = self._by_id.get(written[1:]) or _below(self._by_id.get(first), rest)
        elif written.startswith("."):
            found = _below(node, _pieces(written[1:]))
        else:
            found = _below(node.parent or node, _pieces(written))
        if found is None:
            raise MachineInvalid(f"{node.place}: there is no state {shortened(written)} to go to")
        return found

    def initial(self, node: Node) -> Node:
        """The child in which a state begins; raises ``MachineInvalid``."""
        written: Json = node.body.get("initial")
        if isinstance(written, dict):
            written = written.get("target")
        if isinstance(written, list) and len(written) == 1:
            written = written[0]
        if not isinstance(written, str) or written not in node.children:
            names = ", ".join(map(shortened, node.children))
            raise MachineInvalid(f"{node.place}: `initial` must be one of {names}, and is {shortened(written)}")
        return node.children[written]


def _node(key: str, body: Mapping[str, Json], parent: Node | None) -> Node:
    node = Node(key, body, parent)
    if len(node.keys) > DEEPEST_STATE:
        raise MachineInvalid(f"{node.place}: states may nest {DEEPEST_STATE} levels deep, and this one is deeper")
    states = _mapping(body.get("states") or {}, f"`states` of {node.place}")
    for name, child in states.items():
        node.children[name] = _node(name, _mapping(child, f"state {shortened(name)}"), node)
    if node.type not in ("atomic", "compound", "parallel", "final", "history"):
        raise MachineInvalid(f"{node.place}: {shortened(node.type)} is no type of a state")
    return node


def _mapping(value: Any, what: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise MachineInvalid(f"{what} must be an object, and is {shortened(value)}")
    return value


def _id(tree: Tree, node: Node) -> str:
    return str(node.body.get("id") or ".".join((tree.id, *node.keys)))


def _pieces(written: str) -> list[str]:
    """``a.b\\.c`` -> ``a`` and ``b.c``."""
    found = [""]
    for escaped, dot, plain in _PIECES.findall(written):
        if dot:
            found.append("")
        else:
            found[-1] += escaped or plain
    return found


def _below(node: Node | None, keys: list[str]) -> Node | None:
    for key in keys:
        node = node.children.get(key) if node else None
    return node
