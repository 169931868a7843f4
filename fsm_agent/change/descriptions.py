"""Rows for descriptions. They change nothing, unless a model that decides is shown them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from fsm_agent.change.alignment import HandlerPair
from fsm_agent.change.change import Change, ChangeKind, Level, both_keys
from fsm_agent.change.quotations import quoted, quoted_list
from fsm_agent.change.transitions import Site
from fsm_agent.domain.workflow import Workflow

#: the built-in action that shows descriptions of the workflow, its own state, choices and targets to a model
_SHOWS: Final = "llm.decide"


class Descriptions:
    """The descriptions of two versions; ``old`` has the new names."""

    def __init__(self, old: Workflow, new: Workflow) -> None:
        self._old, self._new = old, new

    def changes(self, sites: tuple[Site, ...]) -> Iterator[Change]:
        if self._old.description != self._new.description:
            yield _row("", "the workflow", (self._old.description, self._new.description), self._deciding)
        for path, state in self._new.by_path.items():
            before = self._old.by_path.get(path)
            if before is not None and before.description != state.description:
                readers = self._readers_of_state(path)
                yield _row(path, quoted(path), (before.description, state.description), readers)
        for site in sites:
            for pair in site.pairs:
                yield from self._transitions(site, pair)
        yield from self._fields()

    def _transitions(self, site: Site, pair: HandlerPair) -> Iterator[Change]:
        for each in pair.pairs:
            before, now = pair.transition(each)
            if before is None or now is None or before.description == now.description:
                continue
            readers = [path for path in self._deciding if not site.path or f"{path}.".startswith(f"{site.path}.")]
            said, keys = f"{quoted(pair.label)} {site.place}", pair.keys(each)
            yield _row(site.path, said, (before.description, now.description), readers, keys=keys)

    def _fields(self) -> Iterator[Change]:
        """Annotations of schemas, which only a schema without them is equal in."""
        for name, schema in self._new.data.items():
            before = self._old.data.get(name, {})
            if schema != before and schema.get("description") != before.get("description") and name in self._old.data:
                old, new = before.get("description", ""), schema.get("description", "")
                yield _row("", quoted(f"data.{name}"), (old, new), [], keys=both_keys("data", name))

    @cached_property
    def _deciding(self) -> list[str]:
        """Leaves in which a model decides."""
        return [leaf.path for leaf in self._new.leaves if leaf.do == _SHOWS]

    def _readers_of_state(self, path: str) -> list[str]:
        """The leaves whose model is shown the description of a state: its own, and those that lead to it."""
        leads = {leaf: self._targets(leaf) for leaf in self._deciding}
        return [leaf for leaf in self._deciding if leaf == path or path in leads[leaf]]

    def _targets(self, leaf: str) -> set[str]:
        candidates = (each for event in self._new.handled(leaf) for each in self._new.candidates(leaf, event))
        return {each.target for each in candidates if each.target is not None}


_WHOLE: Final = both_keys("description")


def _row(
    where: str, said: str, descriptions: tuple[str, str], readers: Sequence[str], *, keys: tuple[str, ...] = _WHOLE
) -> Change:
    old, new = descriptions
    verb = "is described in other words" if old and new else "is described now" if new else "is not described any more"
    risk = f"the model that decides in {quoted_list(readers[:3])} reads it" if readers else ""
    level = Level.LOOK if readers else Level.FINE
    is_drawn = bool(readers) and bool(where)
    return Change(ChangeKind.CHANGED, "description", where, f"{said} {verb}", old, new, risk, level, keys, is_drawn)
