"""An overlay for a picture of a workflow: marks on its nodes, clusters and edges, by id.

Renderers only know marks. Another kind of overlay is another function that returns an ``Overlay``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from fsm_agent.domain.progress import Progress
from fsm_agent.domain.state import Candidates
from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.render.graph import NO_NOTES, Notes, graph_of
from fsm_agent.render.labels import ExitKind
from fsm_agent.render.numbers import circled
from fsm_agent.render.renames import named_as_now


class Emphasis(StrEnum):
    """How important a part of the picture is."""

    CURRENT = "current"
    VISITED = "visited"
    FADED = "faded"
    #: where a property is broken
    BROKEN = "broken"
    #: how often something was entered or taken, from seldom to most often
    HEAT_1 = "heat-1"
    HEAT_2 = "heat-2"
    HEAT_3 = "heat-3"
    HEAT_4 = "heat-4"


@dataclass(frozen=True, slots=True)
class Mark:
    """The emphasis of something, and the steps at which the path touched it.

    ``turns`` are versions of steps that took an edge, or entered a state. Of a path that is planned they are its steps,
    counted from 1: those that took an edge, or that left a state as it is.
    """

    emphasis: Emphasis
    turns: tuple[int, ...] = ()
    is_planned: bool = False
    #: the text at a state, in place of the one that tells of turns
    text: str = ""

    @property
    def badge(self) -> str:
        """The text at a state: how often it was entered, and whether the agent is there now; of a path that is planned
        what happens there, and whether that breaks a property."""
        if self.text:
            return self.text
        if self.is_planned:
            return self.order
        visits = f"{len(self.turns)}\N{MULTIPLICATION SIGN}" if self.turns else ""
        return f"{visits} ◄ here".lstrip() if self.emphasis is Emphasis.CURRENT else visits

    @property
    def order(self) -> str:
        """The text at an edge: the versions of the steps that took it, such as ``#2 #5``; of many, only the outer
        ones."""
        if self.is_planned:
            cross = ["\N{BALLOT X}"] if self.emphasis is Emphasis.BROKEN else []
            return " ".join([*map(circled, self.turns), *cross])
        shown = [f"#{turn}" for turn in self.turns]
        return (
            " ".join(shown)
            if len(shown) <= 4
            else f"{shown[0]} {shown[1]} … {shown[-1]} ({len(shown)}\N{MULTIPLICATION SIGN})"
        )


_FADED: Final = Mark(Emphasis.FADED)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Marks by id; anything without a mark is faded."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    #: ids of the edges that were taken, in order, with repetitions
    path: tuple[str, ...] = ()
    #: a remark about the whole, such as how far the agent has come
    remark: str = ""
    #: remarks at transitions and inside states
    notes: Notes = NO_NOTES

    def mark(self, identity: str) -> Mark:
        return self.marks.get(identity, _FADED)


def overlay_from_history(
    workflow: Workflow, head_state: str, steps: Sequence[Step], *, progress: Progress | None = None
) -> Overlay:
    """The state of an agent, the states where it was and how often, and the path to its state.

    ``steps`` are the agent's history, in order. States that a migration has renamed have their present names. Steps
    that the workflow cannot explain are left out, such as those of an older version. A rewind takes no edge and enters
    nothing: the path stays, and continues from the state that the rewind restored. The path of a fork begins where it
    was forked.
    """
    tracker = PathTracker(workflow)
    for step in named_as_now(workflow, steps):
        tracker.follow(step)
    return replace(tracker.overlay(head_state), remark=str(progress or ""))


class PathTracker:
    """The path so far, and for each id the versions of the steps that touched it. Steps have the names that states have
    in ``workflow``."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._graph = graph_of(workflow)
        self._path: list[str] = []
        #: version of the present step
        self._version = 0
        self._turns: dict[str, list[int]] = {}

    @property
    def turns(self) -> Mapping[str, Sequence[int]]:
        """Id -> versions, in order. Who is inside a compound state is not said to touch it."""
        return self._turns

    def follow(self, step: Step) -> None:
        self._version = step.version
        if step.kind in (StepKind.REWOUND, StepKind.MIGRATED):
            return
        if step.kind is StepKind.CREATED:
            if step.target == self._workflow.leaf(self._workflow.initial).path:
                self._descend(self._workflow.initial)
        elif step.kind is not StepKind.FORKED and (taken := taken_by(self._workflow, step)) is not None:
            if taken.target is None:
                return
            self._cross(taken.declared_in, taken.target, taken.kind)
        elif step.source == step.target:
            return
        self._touch(self._graph.ids.get(step.target))

    def overlay(self, head_state: str) -> Overlay:
        ids = self._graph.ids
        marks = {identity: Mark(Emphasis.VISITED, tuple(turns)) for identity, turns in self._turns.items()}
        if head_state in ids:
            here = ids[head_state]
            marks[here] = Mark(Emphasis.CURRENT, marks.get(here, _FADED).turns)
        around = (ids[outer] for path, each in ids.items() if each in marks for outer in lineage(path)[:-1])
        return Overlay({**dict.fromkeys(around, Mark(Emphasis.VISITED)), **marks}, tuple(self._path))

    def _cross(self, source: str, target: str, kind: ExitKind) -> None:
        """Take the edge of a transition, and enter its target down to the leaf."""
        origin = self._graph.origin(source, target)
        edge = self._graph.between(origin, self._graph.ids[target], kind)
        self._path.append(edge.id)
        self._touch(edge.id)
        if origin in self._graph.notes.values():
            self._touch(origin)
        initial = self._workflow.by_path[target].initial
        if initial is not None:
            self._descend(initial)

    def _descend(self, path: str | None) -> None:
        """Follow the edge of the start dot, and then that of each start dot inside."""
        while path is not None:
            identity = self._graph.ids[path]
            first = next(edge for edge in self._graph.edges if edge.kind is None and edge.target == identity)
            self._touch(first.source)
            self._touch(first.id)
            path = self._workflow.by_path[path].initial

    def _touch(self, identity: str | None) -> None:
        if identity is not None:
            self._turns.setdefault(identity, []).append(self._version)


@dataclass(frozen=True, slots=True)
class Taken:
    """The transition of a step: where it is declared (empty: in the workflow), and its target."""

    declared_in: str
    target: str | None
    kind: ExitKind


def taken_by(workflow: Workflow, step: Step) -> Taken | None:
    """The first transition that explains a step. Guards are not evaluated, since their data are gone."""
    if step.source is None or step.source not in workflow.by_path:
        return None
    kind = ExitKind.TIMER if step.event == "after" else ExitKind.of(step.event)
    for declared_in, candidates in _candidates(workflow, step.source, step):
        for transition in candidates:
            rest = step.source if transition.target is None else workflow.leaf(transition.target).path
            if rest == step.target:
                return Taken(declared_in, transition.target, kind)
    return None


def _candidates(workflow: Workflow, source: str, step: Step) -> Iterator[tuple[str, Candidates]]:
    """The transitions for a step's event, level by level, the innermost level first."""
    levels = [(state.path, state.on) for state in workflow.chain(source)] + [("", workflow.on)]
    if step.event == "after":
        for state in workflow.chain(source):
            for timer in state.after:
                if timer.duration.text == step.payload.get("after"):
                    yield state.path, timer.transitions
        return
    for event in (step.event, "error") if step.event == "timeout" else (step.event,):
        for path, on in levels:
            yield path, on.get(event) or ()
