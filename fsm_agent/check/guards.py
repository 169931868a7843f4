"""What the guards of a workflow make of all values: those that never decide, that overlap, or that leave a gap; and
agents that are stuck behind them.

All that is told is proven: of each example it is known that an agent can come there with these values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import groupby
from typing import Final, NamedTuple

from fsm_agent.check.codes import Code
from fsm_agent.check.digraph import digraph, search, turned
from fsm_agent.check.graph import dead_ends, drawn, trapped_states
from fsm_agent.check.reachability import Behaviour
from fsm_agent.check.transition_sites import Site, state_path
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import State
from fsm_agent.domain.text import listed
from fsm_agent.engine.machine import Machine
from fsm_agent.expressions.compiler import Guards
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.environment import written_by
from fsm_agent.proof.guard_lists import example, left_over, never_taken, overlaps
from fsm_agent.proof.model import Kind
from fsm_agent.proof.reached import Reached
from fsm_agent.proof.space import Space

#: how many states are looked at for the examples; what lies beyond is not told
_MOST: Final = 5_000
#: what becomes of an event that no guard takes
_REFUSED: Final[Mapping[Kind, str]] = {
    Kind.ACTION: "the action that names it fails",
    Kind.FAILURE: "the agent is parked",
    Kind.TIMER: "nothing happens then",
    Kind.OUTSIDE: "it is refused",
}


def guard_findings(behaviour: Behaviour, compiler: Guards) -> Iterator[Finding]:
    """What is found about guards, in a workflow whose expressions are right."""
    lists = list(_lists(behaviour))
    if not lists and not _has_rests(behaviour):
        return
    looked = _Looked(behaviour, compiler)
    yield from looked.never_taken(lists)
    yield from looked.overlapping(lists)
    yield from looked.gaps(lists)
    yield from looked.stuck()


class _List(NamedTuple):
    """The candidates of one event in one leaf, in the order in which they are asked."""

    leaf: State
    kind: Kind
    #: as guards know it: every timer is ``after``
    event: str
    sites: tuple[Site, ...]

    @property
    def guards(self) -> tuple[str | None, ...]:
        return tuple(map(_guard, self.sites))

    def by_owner(self) -> Iterator[tuple[Site, ...]]:
        """The candidates that stand in one list of the document."""
        for _, sites in groupby(self.sites, key=lambda site: site.path[:-1]):
            yield tuple(sites)


def _lists(behaviour: Behaviour) -> Iterator[_List]:
    """Those with a guard, of the leaves that an agent can reach."""
    for leaf in behaviour.leaves:
        if leaf.path not in behaviour.reached:
            continue
        said = behaviour.emits(leaf)
        for event in behaviour.handled[leaf.path]:
            kind = Kind.FAILURE if event in ("error", "timeout") else Kind.ACTION if event in said else Kind.OUTSIDE
            sites = tuple(behaviour.candidates(leaf.path, event))
            if any(site.transition.when is not None for site in sites):
                yield _List(leaf, kind, event, sites)
        for sites in behaviour.timers(leaf.path):
            if any(site.transition.when is not None for site in sites):
                yield _List(leaf, Kind.TIMER, "after", sites)


def _guard(site: Site) -> str | None:
    guard = site.transition.when
    return None if guard is None or guard.strip() == "true" else guard


class _Looked:
    def __init__(self, behaviour: Behaviour, compiler: Guards) -> None:
        self._behaviour = behaviour
        self._actions = behaviour.actions or {}
        self._compiler = compiler
        self._spaces: dict[tuple[str, tuple[str | None, ...]], Space] = {}

    @cached_property
    def _reached(self) -> Reached:
        """Looked at only where something is to be told."""
        return Reached(self._behaviour.workflow, Machine(self._behaviour.workflow), self._actions, _MOST)

    @cached_property
    def _space(self) -> Space:
        """The space of everything that guards of the workflow look at, as it is where agents come."""
        return self._reached.model.space

    def _space_of(self, event: str, guards: tuple[str | None, ...]) -> Space:
        """The space of what these guards alone look at: it has few cells."""
        if (event, guards) not in self._spaces:
            known = [(guard, event) for guard in guards if guard is not None]
            self._spaces[event, guards] = Space(self._behaviour.workflow, self._compiler, known)
        return self._spaces[event, guards]

    def never_taken(self, lists: Iterable[_List]) -> Iterator[Finding]:
        """Guards that no value makes true that those before them leave: told where plain look did not find it."""
        chosen = {site.path for of in self._behaviour.choices.values() for _, sites in of for site in sites}
        taken, dead = set[Path](), dict[Path, tuple[Site, bool]]()
        known: dict[tuple[str, tuple[str | None, ...], Masks], frozenset[int]] = {}
        for each in lists:
            guards, space = each.guards, self._space_of(each.event, each.guards)
            start = self._start(each, space)
            if (each.event, guards, start) not in known:  # what a state declares, all leaves inside share
                known[each.event, guards, start] = frozenset(never_taken(space, each.event, guards, start))
            never = known[each.event, guards, start]
            for place, site in enumerate(each.sites):
                if place not in never:
                    taken.add(site.path)
                elif guards[place] is not None and site.path in chosen:
                    is_false = bool(never_taken(space, each.event, [guards[place]], start))
                    dead[site.path] = (site, is_false)
        for path, (site, is_false) in dead.items():
            if path not in taken:
                why = "is never true" if is_false else "is only true where one before it is, too"
                message = f"this transition is never chosen: the guard `{site.transition.when}` {why}"
                yield Code.SHADOWED.found(message, path)

    def _start(self, each: _List, space: Space) -> Masks:
        """All that guards may see: what an action wrote need not be valid."""
        if each.kind is not Kind.ACTION:
            return space.fresh
        return space.overwritten(space.fresh, written_by(self._behaviour.workflow, each.leaf, self._actions))

    def overlapping(self, lists: Iterable[_List]) -> Iterator[Finding]:
        """Guards of one list that hold for the same values and lead elsewhere, where none of them is for all the rest.
        Whoever writes a transition without a guard at the end means the order."""
        told = set[tuple[Path, Path]]()
        for each in lists:
            for sites in each.by_owner():
                guards = [guard for guard in map(_guard, sites) if guard is not None]
                if len(guards) < len(sites) or len(sites) < 2:
                    continue
                for one, other, known in self._overlaps(each, guards):
                    first, second = sites[one], sites[other]
                    if (first.path, second.path) not in told and not _is_alike(first, second):
                        told.add((first.path, second.path))
                        values = _told(example(self._space, each.event, [guards[one], guards[other]], known))
                        message = (
                            f"{values} both `{guards[one]}` and `{guards[other]}` are true; the first one wins: "
                            "exclude one by the other, or end the list with a transition without a guard"
                        )
                        yield Code.OVERLAP.found(message, second.path)

    def _overlaps(self, each: _List, guards: list[str]) -> Iterator[tuple[int, int, Masks]]:
        space = self._space_of(each.event, tuple(guards))
        if not list(overlaps(space, each.event, guards, space.fresh)):
            return
        for seen in self._reached.seen(each.leaf.path, each.kind):
            yield from overlaps(self._space, each.event, guards, seen)

    def gaps(self, lists: Iterable[_List]) -> Iterator[Finding]:
        """Values for which no transition takes an event. One guard alone says when an event is allowed; unless an
        action names the event, which nobody can tell to do without."""
        told = set[Path]()
        for each in lists:
            guards, sites = each.guards, each.sites
            is_condition = len(sites) < 2 and each.kind is not Kind.ACTION
            if is_condition or None in guards or sites[0].path[:-1] in told:
                continue
            space = self._space_of(each.event, guards)
            if left_over(space, each.event, guards, space.fresh) is None:
                continue
            found = (left_over(self._space, each.event, guards, seen) for seen in self._seen(each))
            known = next((masks for masks in found if masks is not None), None)
            if known is not None:
                told.add(sites[0].path[:-1])
                values = _told(example(self._space, each.event, guards, known))
                message = f"{values} no transition takes `{sites[0].event}` in state `{each.leaf.path}`: "
                yield Code.GAP.found(f"{message}{_REFUSED[each.kind]}", sites[0].path[:-1], at_key=True)

    def _seen(self, each: _List) -> Iterator[Masks]:
        return self._reached.seen(each.leaf.path, each.kind)

    def stuck(self) -> Iterator[Finding]:
        """States that an agent enters and can never end from, although the table seems to lead on."""
        if not _may_be_stuck(self._behaviour) or any(dead_ends(self._behaviour)):
            return
        trapped = {each.path for each in trapped_states(self._behaviour)}
        if trapped:
            return
        for leaf, path in self._reached.stuck().items():
            witness = self._reached.states(path)
            message = f"an agent that is in state `{leaf}` like this never ends, whatever happens: {drawn(witness)}"
            yield Code.STUCK.found(message, state_path(leaf), witness=witness)


def _is_alike(one: Site, other: Site) -> bool:
    """Whether it does not matter which of two transitions is taken."""
    return one.transition._replace(when=None, description="") == other.transition._replace(when=None, description="")


def _told(values: Mapping[str, Json]) -> str:
    """Values as they open a sentence."""
    if not values:
        return "sometimes"
    return f"for {listed(f'{name} = {json.dumps(value, ensure_ascii=False)}' for name, value in values.items())}"


def _has_rests(behaviour: Behaviour) -> bool:
    """Whether the action of some state may be done while the agent stays there."""
    return any(way.is_internal and behaviour.workflow.by_path[way.source].do for way in behaviour.ways)


def _may_be_stuck(behaviour: Behaviour) -> bool:
    """Whether some state leads to an end only by transitions that may be refused. Where an action may be done while the
    agent stays in its state, its events may be, too."""
    resting = {way.source for way in behaviour.ways if way.is_internal and behaviour.workflow.by_path[way.source].do}
    said = {leaf.path: behaviour.emits(leaf) | {"error", "timeout"} for leaf in behaviour.leaves}
    sure = digraph(
        (way.source, way.target, way)
        for way in behaviour.ways
        if not (way.is_internal or way.is_emergency or _guard(way.site))
        and not (way.source in resting and way.event in said[way.source])
    )
    return bool(behaviour.reached.keys() - search(turned(sure), sorted(behaviour.finals)).keys())
