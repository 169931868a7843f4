"""What a picture of a workflow shows, before any renderer decides how it looks.

Pure, and in declaration order throughout. Five rules keep the picture small enough to read:

- Transitions of one kind between the same two states share one edge.
- What moves nothing (an internal transition) stands inside its state.
- What a compound state decides about its own inside stands in its header, for no line could show it.
- A compound state is entered at its border; a start dot inside shows which child comes first.
- The workflow's own transitions are drawn once, from a note, not once for every state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, TypeAlias

from fsm_agent.render.identity import Identities
from fsm_agent.render.wording import Compartment, Exit, ExitKind, Label, compartments, exits, ignored, staying
from fsm_agent.state import State
from fsm_agent.workflow import Workflow

#: id of the note from which the workflow's own transitions start
EVERYWHERE: Final = "everywhere"


class NodeKind(StrEnum):
    """What a leaf is to its reader; ``START`` and ``NOTE`` are no states."""

    START = "start"
    NOTE = "note"
    ACTION = "action"
    ASK = "ask"
    WAIT = "wait"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (NodeKind.DONE, NodeKind.FAILED, NodeKind.CANCELLED)


@dataclass(frozen=True, slots=True)
class Node:
    """A leaf, a start dot or a note. ``path`` is empty for what is no state."""

    id: str
    kind: NodeKind
    name: str = ""
    path: str = ""
    description: str = ""
    compartments: tuple[Compartment, ...] = ()


@dataclass(frozen=True, slots=True)
class Cluster:
    """A compound state; ``items`` begins with its start dot."""

    id: str
    name: str
    path: str
    items: tuple[Item, ...]
    description: str = ""
    compartments: tuple[Compartment, ...] = ()


Item: TypeAlias = Node | Cluster


@dataclass(frozen=True, slots=True)
class Edge:
    """All transitions of one kind from one node or cluster to another, by id.

    ``kind`` is ``None`` for the way out of a start dot.
    """

    id: str
    source: str
    target: str
    kind: ExitKind | None = None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A workflow as a picture, in neutral terms."""

    name: str
    version: int
    description: str
    #: what holds for the workflow as a whole
    remarks: tuple[str, ...]
    items: tuple[Item, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def ids(self) -> Mapping[str, str]:
        """State path -> id of its node or cluster."""
        return {item.path: item.id for item in walk(self.items) if item.path}

    def between(self, source: str, target: str, kind: ExitKind | None) -> Edge | None:
        """The one edge of a kind between two ids, if there is any."""
        ends = (source, target, kind)
        return next((edge for edge in self.edges if (edge.source, edge.target, edge.kind) == ends), None)


def walk(items: tuple[Item, ...]) -> Iterator[Item]:
    """Every item, a cluster before what it contains."""
    for item in items:
        yield item
        if isinstance(item, Cluster):
            yield from walk(item.items)


def graph_of(workflow: Workflow) -> Graph:
    """The picture of a workflow as a value."""
    drawing = _Drawing(workflow)
    items = (drawing.start("", workflow.initial), *drawing.items(workflow.states), *drawing.everywhere())
    steps = workflow.limits.steps
    return Graph(
        name=workflow.name,
        version=workflow.version,
        description=workflow.description,
        remarks=() if steps is None else (f"at most {steps} steps",),
        items=items,
        edges=drawing.edges(),
    )


class _Drawing:
    """Makes the items on one walk down the states, and gathers on the way what connects them."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._ids = Identities(workflow)
        self._labels: dict[tuple[str, str, ExitKind | None], list[Label]] = {}

    def items(self, states: tuple[State, ...]) -> tuple[Item, ...]:
        return tuple(self._leaf(state) if state.is_leaf else self._cluster(state) for state in states)

    def start(self, path: str, initial: str) -> Node:
        dot = self._ids.start(path)
        self._labels[dot, self._ids.state(initial), None] = []
        return Node(dot, NodeKind.START)

    def everywhere(self) -> tuple[Node, ...]:
        on = self._workflow.on
        if not on:
            return ()
        stays = (staying(way) for way in exits(on) if not self._connected(EVERYWHERE, way))
        inside = tuple(stays)
        return (Node(EVERYWHERE, NodeKind.NOTE, "from every state", compartments=(inside,) if inside else ()),)

    def edges(self) -> tuple[Edge, ...]:
        return tuple(
            Edge(self._ids.edge(kind or "first", source, target), source, target, kind, tuple(labels))
            for (source, target, kind), labels in self._labels.items()
        )

    def _leaf(self, state: State) -> Node:
        inside = self._inside(state)
        return Node(self._ids.state(state.path), _kind(state), state.name, state.path, state.description, inside)

    def _cluster(self, state: State) -> Cluster:
        inside = self._inside(state)
        first = (self.start(state.path, state.initial),) if state.initial else ()
        items = (*first, *self.items(state.states))
        return Cluster(self._ids.state(state.path), state.name, state.path, items, state.description, inside)

    def _inside(self, state: State) -> tuple[Compartment, ...]:
        home = self._ids.state(state.path)
        ways = exits(state.on, state.after)
        stays = [staying(way) for way in ways if _is_own_matter(state, way.target) or not self._connected(home, way)]
        visits = self._workflow.limits.visits.get(state.path)
        return compartments(state, visits=visits, stays=(*stays, *ignored(state.on)))

    def _connected(self, source: str, way: Exit) -> bool:
        """Whether a transition leads somewhere, and if it does, its edge is noted."""
        if way.target is None:
            return False
        ends = (source, self._ids.state(way.target), way.kind)
        self._labels.setdefault(ends, []).append(way.label)
        return True


def _is_own_matter(state: State, target: str | None) -> bool:
    """Whether a compound state sends its agent back into itself."""
    return bool(target) and not state.is_leaf and f"{target}.".startswith(f"{state.path}.")


def _kind(state: State) -> NodeKind:
    if state.final:
        return NodeKind(state.outcome)
    if state.ask:
        return NodeKind.ASK
    return NodeKind.ACTION if state.do else NodeKind.WAIT
