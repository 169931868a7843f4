"""Findings that only follow from another mistake, and so are not reported."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_agent.check.codes import Code
from fsm_agent.check.digraph import Digraph, digraph, search, strong_components, turned, within
from fsm_agent.check.reachability import Behaviour
from fsm_agent.check.transition_sites import sites, state_path
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.workflow import lineage

#: mistakes through which a transition is never taken
_NEVER_TAKEN = frozenset({Code.SHADOWED, Code.IMPOSSIBLE})


def without_follow_ups(behaviour: Behaviour, findings: list[Finding]) -> list[Finding]:
    """The findings without some unreachable states: those that only follow from another unreachable state, or from a
    transition that is never taken, which has its own finding."""
    lost = {state_path(path): path for path in behaviour.workflow.by_path}
    missed = {lost[each.path]: None for each in findings if each.code == Code.UNREACHABLE}
    if not missed:
        return findings
    onward = _onward(behaviour, missed)
    never = frozenset(each.path for each in findings if each.code in _NEVER_TAKEN)
    explained = search(onward, _led_to(behaviour, never, missed))
    reported = {state_path(path) for path in _first(within(onward, missed.keys() - explained.keys()))}
    return [each for each in findings if each.code != Code.UNREACHABLE or each.path in reported]


def _onward(behaviour: Behaviour, missed: dict[str, None]) -> Digraph[None]:
    """Which of these states have transitions into which others."""
    ways = ((lineage(way.source), lineage(way.target)) for way in behaviour.ways)
    edges = (
        (source, target, None)
        for sources, targets in ways
        for source in sources
        if source in missed
        for target in targets
        if target in missed and target != source
    )
    return {**{path: {} for path in missed}, **digraph(edges)}


def _led_to(behaviour: Behaviour, never: frozenset[Path], missed: dict[str, None]) -> Iterator[str]:
    """The states with a transition into them that is never taken. A finding names the transition, or its list."""
    for site in sites(behaviour.workflow):
        target = site.transition.target
        if target is not None and not never.isdisjoint((site.path, site.path[:-1])):
            yield from (path for path in lineage(behaviour.workflow.leaf(target).path) if path in missed)


def _first(graph: Digraph[None]) -> Iterator[str]:
    """One state of each strongly connected group that no other group leads to."""
    backward = turned(graph)
    order = {path: place for place, path in enumerate(graph)}
    for group in strong_components(graph):
        if all(before in group for path in group for before in backward[path]):
            yield min(group, key=order.__getitem__)
