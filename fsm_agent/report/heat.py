"""Coverage as heat on the picture of a workflow: what is warm, agents enter and take often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Final

from fsm_agent.domain.leaf_transition import DeclaredTransition
from fsm_agent.domain.usage import NO_USAGE
from fsm_agent.domain.workflow import lineage
from fsm_agent.render.graph import Cluster, Graph, NodeKind, Notes, graph_of, walk
from fsm_agent.render.labels import Detail, DetailKind, ExitKind
from fsm_agent.render.overlay import Emphasis, Mark, Overlay
from fsm_agent.report.amounts import dollars
from fsm_agent.report.coverage import Coverage, StateCount, TransitionCount
from fsm_agent.report.times import lasting

_LEVELS: Final = (Emphasis.HEAT_1, Emphasis.HEAT_2, Emphasis.HEAT_3, Emphasis.HEAT_4)
_TIMES: Final = "\N{MULTIPLICATION SIGN}"


def heat(told: Coverage) -> Overlay:
    """How often each state was entered and each transition taken; what never was is faded, and says so."""
    graph = graph_of(told.workflow)
    notes = Notes(
        {each.declared: times(each) for each in told.transitions},
        {each.path: lines for each in told.states if (lines := tuple(_lines(each)))},
    )
    marks = {**_state_marks(told, graph), **_edge_marks(told, graph)}
    share = f"{told.taken} of {len(told.transitions)} transitions taken"
    return Overlay(marks, remark=f"{told.agents} agents, {share}", notes=notes)


def times(count: TransitionCount) -> str:
    """How often, and how often perhaps besides."""
    perhaps = f" (+{count.perhaps}?)" if count.perhaps else ""
    return f"{count.taken}{_TIMES}{perhaps}" if count.taken or perhaps else "never"


def stayed(state: StateCount) -> str:
    """How long agents stayed in a state; empty if none has left it."""
    if state.dwell_p50_ms is None or state.dwell_p95_ms is None:
        return ""
    return f"p50 {lasting(state.dwell_p50_ms)}, p95 {lasting(state.dwell_p95_ms)}"


def _lines(state: StateCount) -> Iterator[Detail]:
    if text := stayed(state):
        yield Detail(DetailKind.STAYED, text)
    if state.here:
        yield Detail(DetailKind.HERE, str(state.here))
    if state.errors:
        yield Detail(DetailKind.ERRORS, str(state.errors))
    if state.usage != NO_USAGE:
        yield Detail(DetailKind.COST, dollars(state.usage.cost_micros))


def _state_marks(told: Coverage, graph: Graph) -> dict[str, Mark]:
    """Leaves are warm; around them compounds, dots and notes keep their look."""
    visits = {each.path: each.visits for each in told.states}
    most = max(visits.values(), default=0)
    marks: dict[str, Mark] = {}
    for item in walk(graph.items):
        if isinstance(item, Cluster):
            entered = any(count for path, count in visits.items() if item.path in lineage(path))
            marks[item.id] = Mark(Emphasis.VISITED if entered else Emphasis.FADED)
        elif item.kind in (NodeKind.START, NodeKind.NOTE):
            marks[item.id] = Mark(Emphasis.VISITED)
        else:
            count = visits.get(item.path, 0)
            marks[item.id] = Mark(_level(count, most), text=f"{count}{_TIMES}" if count else "never")
    firsts = [edge.id for edge in graph.edges if edge.kind is None]
    return marks | dict.fromkeys(firsts, Mark(Emphasis.VISITED))


def _edge_marks(told: Coverage, graph: Graph) -> dict[str, Mark]:
    counts: Counter[str] = Counter()
    for each in told.transitions:
        if each.transition.target is not None:
            counts[_edge(graph, each.declared, each.transition.target)] += each.taken
    most = max(counts.values(), default=0)
    return {edge: Mark(_level(count, most)) for edge, count in counts.items()}


def _edge(graph: Graph, declared: DeclaredTransition, target: str) -> str:
    """The id of the edge that a transition is drawn with."""
    kind = ExitKind.TIMER if declared.event.startswith("after ") else ExitKind.of(declared.event)
    return graph.between(graph.origin(declared.owner, target), graph.ids[target], kind).id


def _level(count: int, most: int) -> Emphasis:
    """The level of warmth, by the logarithm: what happens ten times as often is not ten times as warm."""
    if not count:
        return Emphasis.FADED
    return _LEVELS[min(len(_LEVELS) - 1, math.floor(len(_LEVELS) * math.log1p(count) / math.log1p(most)))]
