"""Fields that are read where nothing may have set them yet: they are null there, unless an agent is given them at its
creation.

A field that nothing in the workflow sets is one that agents are given; and an action that does not say what it writes
may have set everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from fsm_agent.check.codes import Code
from fsm_agent.check.graph import drawn
from fsm_agent.check.reachability import Behaviour, Way
from fsm_agent.check.transition_sites import Site, sites, state_path
from fsm_agent.dialect.builtin_names import BUILT_IN_NAMES
from fsm_agent.domain.finding import Finding, Path
from fsm_agent.domain.json import Json, is_nullable
from fsm_agent.domain.state import State, Transition
from fsm_agent.expressions.compiler import Guards
from fsm_agent.expressions.invalid import ExpressionInvalid
from fsm_agent.expressions.text import template
from fsm_agent.expressions.tree import Name, Node
from fsm_agent.proof.environment import written_by
from fsm_agent.proof.nulls import needed, shown

_NONE: Final[frozenset[str]] = frozenset()


class _Read(NamedTuple):
    """An expression that needs fields, and where it stands."""

    fields: frozenset[str]
    path: Path


def unset_reads(behaviour: Behaviour, compiler: Guards) -> Iterator[Finding]:
    """The first read of each field in each place that an agent can come to before anything has set the field."""
    if behaviour.workflow.knows_data and (fields := _settable(behaviour)):
        yield from _Reads(behaviour, fields, compiler).findings()


def _settable(behaviour: Behaviour) -> frozenset[str]:
    """The fields that begin with null, and that something sets later."""
    workflow = behaviour.workflow
    empty = {name for name, schema in workflow.data.items() if is_nullable(schema) and schema.get("default") is None}
    found = {name for site in sites(workflow) for name in _set(site.transition)}
    for leaf in behaviour.leaves:
        found.update(_written(behaviour, leaf))
    return frozenset(empty & found)


def _set(transition: Transition) -> set[str]:
    return {name for name, value in transition.assign.items() if value is not None} | set(transition.append)


def _written(behaviour: Behaviour, leaf: State) -> frozenset[str]:
    if leaf.do is None:
        return _NONE
    return frozenset(written_by(behaviour.workflow, leaf, behaviour.actions or {}))


class _Reads:
    def __init__(self, behaviour: Behaviour, fields: frozenset[str], compiler: Guards) -> None:
        self._behaviour = behaviour
        self._fields = fields
        self._guards = compiler
        self._known_shown: dict[Path, tuple[frozenset[str], frozenset[str]]] = {}
        #: leaf and field -> the leaf and the event before it, by which an agent comes there without the field
        self._before: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._ways: dict[str, list[Way]] = {}
        for way in behaviour.ways:
            self._ways.setdefault(way.source, []).append(way)

    def findings(self) -> Iterator[Finding]:
        self._spread()
        told = set[tuple[Path, str]]()
        for leaf in self._behaviour.leaves:
            unset = frozenset(name for name in self._fields if (leaf.path, name) in self._before)
            for read in self._reads(leaf, unset) if unset else ():
                for name in sorted(read.fields & unset):
                    if (read.path, name) not in told:
                        told.add((read.path, name))
                        witness = self._witness(leaf.path, name)
                        message = f"`data.{name}` may still be null here, since nothing has set it: {drawn(witness)}"
                        yield Code.UNSET.found(message, read.path, witness=witness)

    def _spread(self) -> None:
        """Follow every way with what may not be set yet."""
        initial = self._behaviour.workflow.leaf(self._behaviour.workflow.initial).path
        self._before.update({(initial, name): None for name in self._fields})
        queue, waiting = deque([initial]), {initial}
        while queue:
            source = queue.popleft()
            waiting.discard(source)
            unset = frozenset(name for name in self._fields if (source, name) in self._before)
            for way, after in self._after(source, unset):
                new = [name for name in sorted(after) if (way.target, name) not in self._before]
                self._before.update({(way.target, name): (source, way.event) for name in new})
                if new and way.target not in waiting:
                    waiting.add(way.target)
                    queue.append(way.target)

    def _after(self, source: str, unset: frozenset[str]) -> Iterator[tuple[Way, frozenset[str]]]:
        """What may not be set after each way out of a leaf. What the guards before it refused is known, too."""
        left: dict[str, frozenset[str]] = {}
        for way in self._ways.get(source, ()):
            asked = left.get(way.event, self._seen(source, way.event, unset))
            held, refused = self._shown(way.site)
            taken, left[way.event] = asked - held, asked - refused
            cleared = {name for name, value in way.site.transition.assign.items() if value is None}
            yield way, (taken - _set(way.site.transition)) | (self._fields & cleared)

    def _seen(self, source: str, event: str, unset: frozenset[str]) -> frozenset[str]:
        """What may not be set when guards are asked: an action that says the event has written."""
        leaf = self._behaviour.workflow.by_path[source]
        said = self._behaviour.emits(leaf)
        return unset - _written(self._behaviour, leaf) if event in said else unset

    def _witness(self, leaf: str, name: str) -> tuple[str, ...]:
        """The way by which an agent comes to a leaf without a field: states and events, alternating."""
        parts = [leaf]
        while (before := self._before[leaf, name]) is not None:
            leaf, event = before
            parts += [event, leaf]
        return tuple(reversed(parts))

    # ----------------------------------------------------------------- reads

    def _reads(self, leaf: State, unset: frozenset[str]) -> Iterator[_Read]:
        path = state_path(leaf.path)
        if leaf.ask is not None:
            yield _Read(self._of_prompt(leaf.ask.prompt), (*path, "ask", "prompt"))
            if leaf.ask.to is not None:
                yield _Read(self._needed(leaf.ask.to, None), (*path, "ask", "to"))
        for name, value in leaf.with_.items():
            yield _Read(self._of_argument(leaf, value), (*path, "with", name))
        for way in self._ways.get(leaf.path, ()):
            seen = self._seen(leaf.path, way.event, unset)
            yield from (_Read(read.fields & seen, read.path) for read in self._of_transition(way.site))

    def _of_transition(self, site: Site) -> Iterator[_Read]:
        held, _ = self._shown(site)
        if fields := self._needed(site.transition.when, site):
            yield _Read(fields, (*site.path, "when"))
        for key, values in (("assign", site.transition.assign), ("append", site.transition.append)):
            for name, value in values.items():
                fields = self._needed(value, site)
                is_copied = bool(fields) and isinstance(self._tree(value, site), Name)
                if fields and not (is_copied and is_nullable(self._behaviour.workflow.data.get(name, {}))):
                    yield _Read(fields - held, (*site.path, key, name))

    def _of_argument(self, leaf: State, value: Json) -> frozenset[str]:
        """What an argument needs. A function of the user may be given null; a built-in action writes it into a text."""
        if not isinstance(value, str):
            return _NONE
        if leaf.do in BUILT_IN_NAMES:
            return self._of_prompt(value) if "{{" in value else _NONE
        return _NONE if isinstance(self._tree(value, None), Name) else self._needed(value, None)

    def _of_prompt(self, text: str) -> frozenset[str]:
        try:
            pieces = [piece for piece, at in template(text) if at is not None]
        except ExpressionInvalid:
            return _NONE
        return frozenset().union(*(self._needed(piece, None) for piece in pieces))

    def _shown(self, site: Site) -> tuple[frozenset[str], frozenset[str]]:
        """What is surely not null where a guard holds, and where it refuses; the same for all leaves."""
        if site.path not in self._known_shown:
            tree = self._tree(site.transition.when, site)
            self._known_shown[site.path] = (
                (_NONE, _NONE) if tree is None else (shown(tree, is_true=True), shown(tree, is_true=False))
            )
        return self._known_shown[site.path]

    def _needed(self, text: Json, site: Site | None) -> frozenset[str]:
        """The fields that an expression needs not to be null."""
        if not isinstance(text, str) or not any(name in text for name in self._fields):
            return _NONE
        tree = self._tree(text, site)
        return _NONE if tree is None else needed(tree)

    def _tree(self, text: Json, site: Site | None) -> Node | None:
        """The tree of an expression that may look at one of the fields; ``None`` for any other."""
        if not isinstance(text, str) or not any(name in text for name in self._fields):
            return None
        event = None if site is None else "after" if site.event.startswith("after ") else site.event
        return self._guards.tree(text, event=event)
