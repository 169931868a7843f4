"""How a property is broken, as an overlay: the steps are numbered in their order, and what breaks it stands out."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.step import Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.proof.model import Kind
from fsm_agent.proof.verdicts import PathStep, Verdict
from fsm_agent.render.graph import graph_of
from fsm_agent.render.overlay import Emphasis, Mark, Overlay, taken_by

#: steps that take no transition
_WITHOUT: Final[frozenset[Kind]] = frozenset({Kind.PARK, Kind.UNPARK, Kind.CANCEL})


def overlay_from_verdict(workflow: Workflow, verdict: Verdict) -> Overlay:
    """The path of a verdict, and after it the steps that can happen again and again. The last step breaks the property,
    or all of those do; and the state in which the agent then is stands out, too."""
    steps = (*verdict.path, *verdict.cycle)
    marks = _Marks(workflow)
    for number, step in enumerate(steps, start=1):
        is_last = number > len(verdict.path) if verdict.cycle else number == len(steps)
        marks.take(number, step, is_breaking=is_last)
    marks.end(steps[-1].target if steps else workflow.leaf(workflow.initial).path)
    return Overlay(marks.all(), remark=f"how `{verdict.name}` is broken")


class _Marks:
    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._graph = graph_of(workflow)
        self._turns: dict[str, list[int]] = {}
        self._breaking = set[str]()
        initial = workflow.leaf(workflow.initial).path
        for path in lineage(initial):
            self._enter(path)

    def take(self, number: int, step: PathStep, *, is_breaking: bool) -> None:
        identity = self._place(step)
        self._turns.setdefault(identity, []).append(number)
        if is_breaking:
            self._breaking.add(identity)
        for path in lineage(step.target):
            self._enter(path)

    def end(self, leaf: str) -> None:
        """The state in which the agent is when the property is broken."""
        self._enter(leaf)
        self._breaking.add(self._graph.ids[leaf])

    def all(self) -> dict[str, Mark]:
        return {
            identity: Mark(
                Emphasis.BROKEN if identity in self._breaking else Emphasis.VISITED, tuple(turns), is_planned=True
            )
            for identity, turns in self._turns.items()
        }

    def _place(self, step: PathStep) -> str:
        """The edge that a step takes; the state in which it happens, if it takes none."""
        here = self._graph.ids[step.source]
        found = None if step.kind in _WITHOUT else taken_by(self._workflow, _as_step(step))
        if found is None or found.target is None:
            return here
        origin = self._graph.origin(found.declared_in, found.target)
        if origin in self._graph.notes.values():
            self._turns.setdefault(origin, [])
        return self._graph.between(origin, self._graph.ids[found.target], found.kind).id

    def _enter(self, path: str) -> None:
        """A state that the path passes, and the dot and the edge by which an agent comes in first."""
        identity = self._graph.ids[path]
        self._turns.setdefault(identity, [])
        for edge in self._graph.edges:
            if edge.kind is None and edge.target == identity:
                self._turns.setdefault(edge.source, [])
                self._turns.setdefault(edge.id, [])


def _as_step(step: PathStep) -> Step:
    """A step of a path as one of a history."""
    is_timer = step.kind is Kind.TIMER
    payload = {"after": step.event} if is_timer else {}
    return Step(1, StepKind.EVENT, "after" if is_timer else step.event, payload, step.source, step.target, 0)
