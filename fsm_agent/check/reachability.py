"""What agents of a workflow can do in each leaf, whatever guards and people decide.

A declared event may come from outside in every state that is not final, and so may ``cancel``. ``error`` only comes
from actions, ``timeout`` from actions with a timeout, and ``after`` from the timers of a leaf and its ancestors. Of the
candidates of an event, those count that can be chosen: none after one without a guard, and none with a guard that an
earlier candidate has, too.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from fsm_agent.check.digraph import Digraph, Tree, digraph, search
from fsm_agent.check.transition_sites import Site, handler_sites, timer_sites
from fsm_agent.dialect.builtins import BUILT_INS, emitted_by
from fsm_agent.dialect.claims import external_events, unsaid_events
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow, lineage
from fsm_agent.expressions.text import masked, mentions

#: If the workflow itself handles these, it is for emergencies, so they do not count as the way out of a state.
_EMERGENCIES: Final = frozenset({"cancel", "error", "timeout"})


class Way(NamedTuple):
    """A transition that can be chosen in the leaf ``source`` and ends in the leaf ``target``."""

    source: str
    target: str
    #: the name in the declaration: an ``error`` handler may be taken by a ``timeout``
    event: str
    site: Site
    #: whether it depends on a guard that counts visits, either its own or an earlier one
    is_counted: bool = False

    @property
    def is_internal(self) -> bool:
        return self.site.transition.target is None

    @property
    def is_emergency(self) -> bool:
        return self.site.owner is None and self.site.event in _EMERGENCIES

    def enters(self, path: str) -> bool:
        """Whether the way enters the state ``path``, and does not only move inside it."""
        named = self.site.transition.target
        if named is None or path not in lineage(self.target):
            return False
        return path not in lineage(self.source) or path == named or path.startswith(f"{named}.")


@dataclass(frozen=True, eq=False)
class Behaviour:
    """All ways of a workflow. ``actions`` has the signatures of actions; ``None`` trusts every name."""

    workflow: Workflow
    actions: Mapping[str, Signature] | None = None
    #: the known tools; ``None`` trusts every name
    tools: Collection[str] | None = None
    #: name of an action or a tool -> why there is none
    unfound: Mapping[str, str] = field(default_factory=dict)
    #: name of an action, a function or a tool -> why something about it is unknown
    doubts: Mapping[str, str] = field(default_factory=dict)
    #: names of extras that are not installed
    lacking: Collection[str] = ()
    #: name of an action, a function or a tool -> which modules cannot be imported and may have it
    unread: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def leaves(self) -> tuple[State, ...]:
        """The leaves in which something can happen."""
        return tuple(leaf for leaf in self.workflow.leaves if not leaf.final)

    @cached_property
    def order(self) -> Mapping[str, int]:
        """Path of a leaf -> its place among the leaves."""
        return {leaf.path: place for place, leaf in enumerate(self.leaves)}

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        return tuple(way for leaf in self.leaves for way in self._ways(leaf))

    @cached_property
    def graph(self) -> Digraph[Way]:
        """The transitions from each leaf."""
        return moves(self.ways)

    @cached_property
    def reached(self) -> Tree:
        """The leaves that an agent can reach, each with the one before it on a shortest way from the beginning."""
        return search(self.graph, [self.workflow.leaf(self.workflow.initial).path])

    @cached_property
    def finals(self) -> frozenset[str]:
        return frozenset(leaf.path for leaf in self.workflow.leaves if leaf.final)

    @cached_property
    def handled(self) -> Mapping[str, tuple[str, ...]]:
        """Path of a leaf -> the events that have candidates there."""
        return {leaf.path: self.workflow.handled(leaf.path) for leaf in self.leaves}

    @cached_property
    def choices(self) -> Mapping[str, tuple[tuple[str, tuple[Site, ...]], ...]]:
        """Path of a leaf -> each event or timer there, with its candidates that can be chosen."""
        return {leaf.path: tuple(self._choices(leaf.path)) for leaf in self.leaves}

    def _choices(self, leaf: str) -> Iterator[tuple[str, tuple[Site, ...]]]:
        for event in self.handled[leaf]:
            yield event, tuple(choosable(self.candidates(leaf, event)))
        for timer in self.timers(leaf):
            if timer:
                yield timer[0].event, tuple(choosable(timer))

    def candidates(self, leaf: str, event: str) -> list[Site]:
        """The transitions of an event in a leaf in the order in which they are tried, from all levels."""
        found: list[Site] = []
        for owner in (*self.workflow.chain(leaf), None):
            handlers = self.workflow.on if owner is None else owner.on
            if event in handlers:
                if handlers[event] is None:
                    break
                found += self._handlers(owner, event)
        return found + (self.candidates(leaf, "error") if event == "timeout" else [])

    def _handlers(self, owner: State | None, event: str) -> tuple[Site, ...]:
        """The transitions of a state or (``None``) of the workflow; cached, since many leaves inherit them."""
        key = (owner.path if owner else None, event)
        if key not in self._known_handlers:
            handlers = self.workflow.on if owner is None else owner.on
            self._known_handlers[key] = handler_sites(owner, event, handlers[event])
        return self._known_handlers[key]

    @cached_property
    def _known_handlers(self) -> dict[tuple[str | None, str], tuple[Site, ...]]:
        return {}

    def timers(self, leaf: str) -> Iterator[tuple[Site, ...]]:
        """The transitions of each timer that runs in a leaf."""
        for owner in self.workflow.chain(leaf):
            yield from timer_sites(owner).values()

    def emits(self, leaf: State) -> frozenset[str]:
        """The events that the action of a leaf may name.

        If the action does not list them, these are the events that are handled there and do not come from outside. A
        model that chooses may also choose those from outside. If something about the action is in doubt, there are
        none, since only certain mistakes are reported.
        """
        if leaf.do is None:
            return frozenset()
        if leaf.path not in self._known_emits:
            self._known_emits[leaf.path] = self._emits(leaf, leaf.do)
        return self._known_emits[leaf.path]

    @cached_property
    def _known_emits(self) -> dict[str, frozenset[str]]:
        return {}

    def _emits(self, leaf: State, do: str) -> frozenset[str]:
        handled = frozenset(self.handled[leaf.path]) & self.workflow.events.keys()
        if do in BUILT_INS:
            ending_events = emitted_by(self.workflow, leaf)
            return handled if ending_events is None else ending_events
        known = self.actions.get(do) if self.actions else None
        if known is not None and (known.emits is not None or known.doubt):
            return known.emits or frozenset()
        return unsaid_events(self.workflow, leaf, self._external)

    @cached_property
    def _external(self) -> frozenset[str]:
        return external_events(self.workflow)

    def _ways(self, leaf: State) -> Iterator[Way]:
        for event, candidates in self.choices[leaf.path]:
            if not can_happen(event, leaf):
                continue
            is_counted = False
            for site in candidates:
                is_counted = is_counted or _counts_visits(site)
                named = site.transition.target
                target = leaf.path if named is None else self.workflow.leaf(named).path
                yield Way(leaf.path, target, event, site, is_counted)


def moves(ways: Iterable[Way]) -> Digraph[Way]:
    """The graph of the ways from leaf to leaf, or back into the same one."""
    return digraph((way.source, way.target, way) for way in ways if not way.is_internal)


def can_happen(event: str, leaf: State) -> bool:
    """Whether an event that a leaf handles can arrive there at all."""
    match event:
        case "error":
            return leaf.do is not None
        case "timeout":
            return leaf.do is not None and leaf.timeout is not None
        case _:
            return not leaf.final


def _counts_visits(site: Site) -> bool:
    guard = site.transition.when or ""
    return "visits" in guard and any(mention.name.partition(".")[0] == "visits" for mention in mentions(masked(guard)))


def choosable(candidates: Iterable[Site]) -> Iterator[Site]:
    """Those of the candidates that can be chosen."""
    asked: set[str] = set()
    for site in candidates:
        guard = (site.transition.when or "true").strip()
        if guard not in asked:
            yield site
        if guard == "true":
            return
        asked.add(guard)
