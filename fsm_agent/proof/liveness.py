"""Whether what must happen does happen: an agent must not rest, and not go round for ever, while it is still to come.

Fair is a run in which armed timers fire and actions end; people need not answer. So a state is no place to rest if
a timer is armed there or an action is at work. And a cycle is no way out if some timer is armed throughout and nothing
in it leaves the state that owns it, or if one and the same action is at work throughout.

What limits stop happens only finitely often, and is in no cycle. A parked agent waits for an operator: that is no rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fsm_agent.domain.property import Reaches
from fsm_agent.proof.explore import Configuration, Edge, Exploration, Mode
from fsm_agent.proof.model import Kind
from fsm_agent.proof.rules import owed
from fsm_agent.proof.search import Graph, Node, Product, components, path_to, product, way

#: what keeps a cycle from going on for ever: a timer (its owner, and how many have fired), or the action (``None``)
Obstacle = tuple[str, int] | None


class Failure(NamedTuple):
    """A run on which something never happens."""

    path: tuple[Edge, ...]
    cycle: tuple[Edge, ...]
    why: str


def unreached(exploration: Exploration, rule: Reaches, *, only_certain: bool) -> Failure | None:
    """A fair run that owes what ``rule`` wants; ``None`` if there is none."""
    step = owed(exploration.model.workflow, rule)
    walked = product(exploration, step, only_certain=only_certain, is_exact=only_certain)
    for node in walked.tree:
        why = _rests(exploration, exploration.configurations[node[0]]) if node[1] else None
        if why is not None:
            return Failure(path_to(walked.tree, node), (), why)
    return _endless(exploration, walked)


def _rests(exploration: Exploration, at: Configuration) -> str | None:
    """Why an agent may stay here for ever; ``None`` if something is bound to happen, or an operator is asked."""
    if at.is_parked:
        return None
    if at.mode is Mode.ENDED:
        return f"the agent ends in `{at.leaf}`"
    if at.timers or (at.mode is Mode.WORK and not exploration.model.surroundings(at.leaf).asks):
        return None
    return f"in `{at.leaf}` the agent waits, and there is no deadline"


def _endless(exploration: Exploration, walked: Product) -> Failure | None:
    graph: dict[Node, list[tuple[Edge, Node]]] = {
        node: [(edge, to) for edge, to in walked.graph.get(node, ()) if to[1] and not _is_bounded(exploration, edge)]
        for node in walked.tree
        if node[1]
    }
    order = {node: place for place, node in enumerate(walked.tree)}
    found: list[tuple[int, Node, Graph]] = []
    for group in components(graph):
        inside = set(group)
        inner = {node: [(edge, to) for edge, to in graph[node] if to in inside] for node in group}
        edges = [edge for ahead in inner.values() for edge, _ in ahead]
        if edges and not obstacles(exploration, edges):
            first = min(group, key=order.__getitem__)
            found.append((order[first], first, inner))
    if not found:
        return None
    _, first, around = min(found, key=lambda each: each[0])
    cycle = _fair_cycle(exploration, around, first)
    return Failure(path_to(walked.tree, first), cycle, "the agent may go round for ever")


def _is_bounded(exploration: Exploration, edge: Edge) -> bool:
    """Whether an edge can be taken only finitely often: a limit ends it, or an operator is needed. No limit stops who
    cancels."""
    workflow = exploration.model.workflow
    limits, source = workflow.limits, workflow.by_path[exploration.configurations[edge.source].leaf]
    if edge.event == "cancel":
        return edge.kind is Kind.PARK
    if edge.kind is Kind.PARK or limits.steps is not None:
        return True
    if edge.kind is Kind.ACTION and (source.do or "").startswith("llm."):
        return limits.tokens is not None or limits.cost is not None
    entered = edge.move.entered if edge.move else ()
    works = bool(entered) and exploration.configurations[edge.target].mode is Mode.WORK
    return not limits.visits.keys().isdisjoint(entered) or (limits.wall_time is not None and works)


def obstacles(exploration: Exploration, edges: Iterable[Edge]) -> list[Obstacle]:
    """What ends a run sooner or later that takes all these edges again and again."""
    edges = list(edges)
    passed = [exploration.configurations[edge.source] for edge in edges]
    exited = {path for edge in edges if edge.move for path in edge.move.exited}
    armed = frozenset(passed[0].timers).intersection(*(at.timers for at in passed))
    found: list[Obstacle] = [timer for timer in sorted(armed) if timer[0] not in exited]
    is_at_work = all(at.mode is Mode.WORK and not at.is_parked for at in passed)
    if is_at_work and not any(edge.move and edge.move.entered for edge in edges):
        asks = exploration.model.surroundings(passed[0].leaf).asks
        found += [] if asks else [None]
    return found


def _fair_cycle(exploration: Exploration, graph: Graph, start: Node) -> tuple[Edge, ...]:
    """A short cycle through ``start`` that nothing ends; the whole group is known to have one."""
    cycle = _there(graph, start, start)
    while left := obstacles(exploration, cycle):
        obstacle = left[0]
        found = way(graph, start, lambda edge, _, obstacle=obstacle: _ends(exploration, obstacle, edge))  # type: ignore[misc]
        if found is None:
            break
        path, node = found
        cycle = (*cycle, *path, *(() if node == start else _there(graph, node, start)))
    return cycle


def _there(graph: Graph, start: Node, goal: Node) -> tuple[Edge, ...]:
    found = way(graph, start, lambda _, node: node == goal)
    return () if found is None else found[0]


def _ends(exploration: Exploration, obstacle: Obstacle, edge: Edge) -> bool:
    """Whether an obstacle is gone with an edge."""
    target = exploration.configurations[edge.target]
    if obstacle is None:
        return target.mode is not Mode.WORK or bool(edge.move and edge.move.entered)
    return obstacle not in target.timers or bool(edge.move and obstacle[0] in edge.move.exited)
