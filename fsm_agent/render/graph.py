"""The contents of a picture of a workflow; renderers decide how they look.

Pure, and in declaration order everywhere. Five rules keep the picture small enough to read:

- Transitions of one kind between the same two states share one edge.
- An internal transition is a line inside its state.
- A compound state is entered at its border; a start dot inside shows which child comes first.
- What holds everywhere inside a compound state is on a note inside it, and its transitions inward start there.
- The workflow's own transitions start at such a note too: once, not once for each state.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.state import Handlers, State, Timer
from fsm_agent.domain.step import NOTHING
from fsm_agent.domain.workflow import Workflow
from fsm_agent.render import action_labels
from fsm_agent.render.ids import Identities
from fsm_agent.render.labels import (
    NO_TRANSITION_NOTES,
    Compartment,
    Detail,
    DetailKind,
    Exit,
    ExitKind,
    Label,
    TransitionNotes,
    compartments,
    exits,
    ignored,
    staying,
)


class NodeKind(StrEnum):
    """The kind of a leaf; ``START``, ``NOTE`` and ``FOLDED`` are no states."""

    START = "start"
    NOTE = "note"
    #: stands for states that are not drawn one by one
    FOLDED = "folded"
    ACTION = "action"
    ASK = "ask"
    WAIT = "wait"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_state(self) -> bool:
        return self not in (NodeKind.START, NodeKind.NOTE, NodeKind.FOLDED)

    @property
    def is_final(self) -> bool:
        return self in (NodeKind.DONE, NodeKind.FAILED, NodeKind.CANCELLED)


class Node(NamedTuple):
    """A leaf, a start dot or a note. The path of a start dot or note is that of the state around it (empty at the
    top)."""

    id: str
    kind: NodeKind
    name: str = ""
    path: str = ""
    description: str = ""
    compartments: tuple[Compartment, ...] = ()


class Cluster(NamedTuple):
    """A compound state; ``items`` begins with its start dot and its note, if it has one."""

    id: str
    name: str
    path: str
    items: tuple["Item", ...]


Item: TypeAlias = Node | Cluster


class Edge(NamedTuple):
    """All transitions of one kind between two ids of nodes or clusters.

    ``kind`` is ``None`` for the edge that leaves a start dot.
    """

    id: str
    source: str
    target: str
    kind: ExitKind | None = None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A workflow as a picture, independent of any renderer."""

    name: str
    version: int
    description: str
    #: remarks about the whole workflow
    remarks: tuple[str, ...]
    items: tuple[Item, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def ids(self) -> Mapping[str, str]:
        """State path -> id of its node or cluster."""
        return {item.path: item.id for item in walk(self.items) if isinstance(item, Cluster) or item.kind.is_state}

    @cached_property
    def notes(self) -> Mapping[str, str]:
        """Path of a compound state, or empty for the workflow -> id of its note."""
        return {
            item.path: item.id for item in walk(self.items) if isinstance(item, Node) and item.kind is NodeKind.NOTE
        }

    def origin(self, path: str, target: str) -> str:
        """The id where the edge of a transition starts. ``path`` declares the transition (empty: the workflow)."""
        return self.notes[path] if path in self.notes and leads_inward(path, target) else self.ids[path]

    def between(self, source: str, target: str, kind: ExitKind | None) -> Edge:
        """The edge of a kind between two ids; raises ``KeyError`` if there is none."""
        return self._by_ends[source, target, kind]

    @cached_property
    def _by_ends(self) -> Mapping[tuple[str, str, ExitKind | None], Edge]:
        return {(edge.source, edge.target, edge.kind): edge for edge in self.edges}


def walk(items: tuple[Item, ...]) -> Iterator[Item]:
    """All items; a cluster comes before what it contains."""
    for item in items:
        yield item
        if isinstance(item, Cluster):
            yield from walk(item.items)


def leads_inward(path: str, target: str) -> bool:
    """Whether ``target`` is the compound state at ``path`` or inside it. Everything is inside the workflow."""
    return not path or f"{target}.".startswith(f"{path}.")


class Notes(NamedTuple):
    """What an overlay remarks inside a picture."""

    #: at their labels
    transitions: TransitionNotes = NO_TRANSITION_NOTES
    #: path of a leaf -> lines below all others
    states: Mapping[str, Compartment] = NOTHING


NO_NOTES: Final = Notes()


def graph_of(workflow: Workflow, notes: Notes = NO_NOTES) -> Graph:
    """The picture of a workflow as a value."""
    drawing = _Drawing(workflow, notes)
    return Graph(
        name=workflow.name,
        version=workflow.version,
        description=workflow.description,
        remarks=tuple(_remarks(workflow)),
        items=drawing.items(),
        edges=drawing.edges(),
    )


def _remarks(workflow: Workflow) -> Iterator[str]:
    limits = workflow.limits
    bounds = {
        " steps": limits.steps,
        " tokens": limits.tokens,
        " USD": limits.cost,
        "": limits.wall_time,
        " of data": limits.data,
    }
    texts = [
        f"{bound:g}{unit}" if isinstance(bound, float) else f"{bound}{unit}" for unit, bound in bounds.items() if bound
    ]
    if texts:
        yield f"at most {', '.join(texts)}"
    if workflow.conversation.thread is not None:
        yield "shared conversation"


class _Drawing:
    """Makes the items while it walks down the states, and collects the edges."""

    def __init__(self, workflow: Workflow, notes: Notes) -> None:
        self._workflow = workflow
        self._notes = notes
        self._ids = Identities(workflow)
        self._labels: dict[tuple[str, str, ExitKind | None], list[Label]] = {}
        self._sources: set[str] = set()

    def items(self) -> tuple[Item, ...]:
        workflow = self._workflow
        states = (self._start("", workflow.initial), *map(self._item, workflow.states))
        stays = tuple(self._stays(self._ids.note(""), self._exits("", workflow.on)))
        return (*states, *self._note("", "in every state", (stays,) if stays else ()))

    def edges(self) -> tuple[Edge, ...]:
        return tuple(
            Edge(self._ids.edge(kind or "first", source, target), source, target, kind, tuple(labels))
            for (source, target, kind), labels in self._labels.items()
        )

    def _exits(self, owner: str, on: Handlers, after: Sequence[Timer] = ()) -> Iterator[Exit]:
        return exits(on, after, owner=owner, notes=self._notes.transitions)

    def _item(self, state: State) -> Item:
        return self._leaf(state) if state.is_leaf else self._cluster(state)

    def _leaf(self, state: State) -> Node:
        home = self._ids.state(state.path)
        stays = self._stays(home, self._exits(state.path, state.on, state.after))
        noted = self._notes.states.get(state.path)
        inside = (*self._inside(state, stays), *([noted] if noted else []))
        return Node(home, _kind(state), state.name, state.path, state.description, inside)

    def _cluster(self, state: State) -> Cluster:
        home, note = self._ids.state(state.path), self._ids.note(state.path)
        ways = list(self._exits(state.path, state.on, state.after))
        inward = [way for way in ways if way.target is None or leads_inward(state.path, way.target)]
        outward = [way for way in ways if way.target is not None and not leads_inward(state.path, way.target)]
        stays = [*self._stays(note, inward), *self._stays(home, outward)]
        notes = self._note(state.path, f"in every state of {state.name}", self._inside(state, stays), state.description)
        first = (self._start(state.path, state.initial),) if state.initial else ()
        return Cluster(home, state.name, state.path, (*first, *notes, *map(self._item, state.states)))

    def _start(self, path: str, initial: str) -> Node:
        dot = self._ids.start(path)
        self._labels[dot, self._ids.state(initial), None] = []
        return Node(dot, NodeKind.START, path=path)

    def _note(self, path: str, name: str, inside: tuple[Compartment, ...], description: str = "") -> tuple[Node, ...]:
        """The note of a compound state or the workflow, if there is anything to say.

        It has a name if it is about the states inside, too.
        """
        identity = self._ids.note(path)
        starts = identity in self._sources
        stays = any(detail.kind is DetailKind.STAYS for each in inside for detail in each)
        named = name if starts or stays else ""
        return (
            (Node(identity, NodeKind.NOTE, named, path, description, inside),) if named or inside or description else ()
        )

    def _inside(self, state: State, stays: Iterable[Detail]) -> tuple[Compartment, ...]:
        return lines_of(self._workflow, state, stays)

    def _stays(self, source: str, transitions: Iterable[Exit]) -> Iterator[Detail]:
        """Add the transitions with a target to the edges, and return the others as lines."""
        for each in transitions:
            if each.target is None:
                yield staying(each.label)
            else:
                self._labels.setdefault((source, self._ids.state(each.target), each.kind), []).append(each.label)
                self._sources.add(source)


def lines_of(workflow: Workflow, state: State, stays: Iterable[Detail] = ()) -> tuple[Compartment, ...]:
    """The lines inside a state; ``stays`` are its internal transitions."""
    visits = workflow.limits.visits.get(state.path)
    choices = action_labels.choices(workflow, state) if state.do == "llm.decide" else ""
    return compartments(state, visits=visits, stays=(*stays, *ignored(state.on)), choices=choices)


def _kind(state: State) -> NodeKind:
    if state.final:
        return NodeKind(state.outcome)
    if action_labels.question(state):
        return NodeKind.ASK
    return NodeKind.ACTION if state.do else NodeKind.WAIT
