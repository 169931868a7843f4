"""Rows for transitions and timers: what was added, removed, changed, or is tried in another order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fsm_agent.change.alignment import HandlerPair, Pair, bare, handler_pairs, unguarded
from fsm_agent.change.change import Change, ChangeKind, Level
from fsm_agent.change.examples import REFUSED, Comparison, Decider, Example
from fsm_agent.change.meaning import Meanings
from fsm_agent.change.quotations import quoted
from fsm_agent.domain.json import Json
from fsm_agent.domain.state import Candidates, State, Transition
from fsm_agent.domain.workflow import Workflow

_FORMS = {
    ChangeKind.ADDED: "{place}: {new}",
    ChangeKind.REMOVED: "{place}: {old}",
}
#: how many examples stand in a row
_SHOWN = 3
#: what a row says where no leaf decides otherwise
_UNCHANGED = "no state decides otherwise"


class Site(NamedTuple):
    """One state, or the workflow itself (``path`` is empty), and what it handles in both versions."""

    path: str
    pairs: tuple[HandlerPair, ...]

    @property
    def place(self) -> str:
        return f"in {quoted(self.path)}" if self.path else "in every state"


def sites(old: Workflow, new: Workflow) -> Iterator[Site]:
    """The workflow and every state of either version, the workflow first; the old one has the new names."""
    yield Site("", tuple(handler_pairs(old.on, new.on)))
    nobody = State("")
    for path in dict.fromkeys([*new.by_path, *old.by_path]):
        this, that = old.by_path.get(path, nobody), new.by_path.get(path, nobody)
        yield Site(path, tuple(handler_pairs(this.on, that.on, this.after, that.after)))


class Versions(NamedTuple):
    """Two versions under the same names, and how they decide."""

    old: Workflow
    new: Workflow
    meanings: Meanings
    decider: Decider


def transition_changes(of: Versions, site: Site) -> Iterator[Change]:
    """The rows of one site. What a state handles that only one version has belongs to the row of that state."""
    if site.path and not (site.path in of.old.by_path and site.path in of.new.by_path):
        return
    for pair in site.pairs:
        if pair.old is None or pair.new is None:
            yield from _forbidding(site, pair, of)
        elif _differs(pair):
            yield from _HandlerRows(of, site, pair).changes()


def _differs(pair: HandlerPair) -> bool:
    return pair.old_label != pair.new_label or pair.old != pair.new


def _forbidding(site: Site, pair: HandlerPair, of: Versions) -> Iterator[Change]:
    """``event: null`` forbids what is inherited."""
    if pair.old is pair.new:
        return
    verb = "ignored" if pair.new is None else "not ignored any more"
    comparison = _affected(site, pair.event, of)
    said = "; ".join(map(str, comparison.examples[:_SHOWN])) if comparison else _UNCHANGED
    level = Level.LOOK if comparison else Level.FINE
    text = f"{site.place}, {quoted(pair.label)} is {verb}"
    yield Change(ChangeKind.CHANGED, "transition", site.path, text, risk=said, level=level, keys=pair.whole_keys)
    for each in pair.pairs:
        before, now = pair.transition(each)
        kind = ChangeKind.ADDED if before is None else ChangeKind.REMOVED
        written = told(now or before, pair.label)
        text = _FORMS[kind].format(place=site.place, new=written, old=written)
        yield Change(kind, "transition", site.path, text, written, written, level=level, keys=pair.keys(each))


def _affected(site: Site, event: str, of: Versions) -> Comparison | None:
    """How the first leaf below a site decides an event differently."""
    below: Iterable[str] = (leaf.path for leaf in of.new.leaves if f"{leaf.path}.".startswith(f"{site.path}."))
    if not site.path:
        below = (leaf.path for leaf in of.new.leaves)
    elif of.new.by_path[site.path].is_leaf:
        below = (site.path,)
    found = (of.meanings.of(leaf, event) for leaf in below)
    return next((each for each in found if each is not None), None)


class _HandlerRows:
    """The rows for one event or timer of one site."""

    def __init__(self, of: Versions, site: Site, pair: HandlerPair) -> None:
        self._of, self._new, self._site, self._pair = of, of.new, site, pair
        self._what = "timer" if pair.is_timer else "transition"
        self._comparison = self._compared()

    def _compared(self) -> Comparison | None:
        """How agents decide differently; ``None`` if they do not."""
        if self._pair.is_timer:
            if None in (self._pair.old_label, self._pair.new_label):
                return Comparison()
            comparison = self._of.decider.compare("after", self._pair.old or (), self._pair.new or ())
            return None if comparison.is_same and self._pair.is_as_long else comparison
        return _affected(self._site, self._pair.event, self._of)

    def changes(self) -> Iterator[Change]:
        rows = list(self._rows())
        if self._comparison is None:
            yield from (row._replace(level=Level.FINE, risk=_UNCHANGED) for row in rows)
            return
        shown: dict[int, list[str]] = {}
        for example in self._comparison.examples[:_SHOWN]:
            place = self._place_of(example, rows)
            if example.conditions or not _is_said(rows[place], example):
                shown.setdefault(place, []).append(str(example))
        for place, row in enumerate(rows):
            yield row._replace(risk="; ".join([*filter(None, [row.risk]), *shown.get(place, ())]))

    def _place_of(self, example: Example, rows: Sequence[Change]) -> int:
        """The row that an example belongs to: that of the transition which is taken now, or else was taken before."""
        for side, result in (("new", example.now), ("old", example.before)):
            for place, each in enumerate(self._candidates(side)):
                if result.taken is not None and unguarded(each) == result.taken:
                    key = f"{side}:{self._pair.place(side)}.{place}"
                    found = (at for at, row in enumerate(rows) if key in row.keys)
                    if (at := next(found, None)) is not None:
                        return at
        return 0

    def _candidates(self, side: str) -> Candidates:
        return (self._pair.new if side == "new" else self._pair.old) or ()

    def _rows(self) -> Iterator[Change]:
        pair = self._pair
        if pair.is_timer and None not in (pair.old_label, pair.new_label) and pair.old_label != pair.new_label:
            yield self._moved_timer()
        for each in pair.pairs:
            yield from self._pair_rows(each)
        if pair.is_timer and pair.new_label is None:
            return
        if pair.is_reordered:
            text = f"{self._site.place}, the candidates of {quoted(pair.label)} are tried in another order"
            yield self._row(ChangeKind.REORDERED, text, keys=pair.whole_keys)

    def _pair_rows(self, each: Pair) -> Iterator[Change]:
        pair, keys = self._pair, self._pair.keys(each)
        before, now = pair.transition(each)
        if before is None and now is not None:
            written = told(now, pair.label)
            yield self._row(ChangeKind.ADDED, f"{self._site.place}: {written}", new=now.to_json(), keys=keys)
        elif now is None and before is not None:
            text, risk = f"{self._site.place}: {told(before, pair.label)}", self._risk_of_loss()
            level = Level.BREAKS if risk else Level.LOOK
            yield self._row(ChangeKind.REMOVED, text, old=before.to_json(), keys=keys, risk=risk, level=level)
        elif before is not None and now is not None and bare(before) != bare(now):
            yield self._changed(before, now, keys)

    def _changed(self, before: Transition, now: Transition, keys: tuple[str, ...]) -> Change:
        parts = []
        if before.target != now.target:
            parts.append(f"leads to {_goal(now)}, not to {_goal(before)}")
        if before.when != now.when:
            parts.append(f"guard {quoted(before.when or 'always')} became {quoted(now.when or 'always')}")
        if (before.assign, before.append) != (now.assign, now.append):
            parts.append(f"writes {_fields(now)}, not {_fields(before)}")
        text = f"{self._site.place}, {quoted(self._pair.label)} {'; '.join(parts)}"
        is_lost = before.when is not None and now.when is None
        return self._row(
            ChangeKind.CHANGED,
            text,
            old=before.to_json(),
            new=now.to_json(),
            keys=keys,
            risk=f"the guard {quoted(before.when or '')} is gone" if is_lost else "",
            level=Level.BREAKS if is_lost else Level.LOOK,
        )

    def _moved_timer(self) -> Change:
        pair = self._pair
        old, new = (str(label).partition(" ")[2] for label in (pair.old_label, pair.new_label))
        text = f"{self._site.place}, the time is up after {quoted(new)}, not after {quoted(old)}"
        if pair.is_as_long:
            text = f"{self._site.place}, the timer {quoted(old)} is written {quoted(new)} now"
        return self._row(ChangeKind.CHANGED, text, old=old, new=new, keys=pair.whole_keys)

    def _risk_of_loss(self) -> str:
        """What is to be feared where a timer is gone that was the last to end a wait."""
        if not self._pair.is_timer or self._pair.new_label is not None or self._site.path not in self._new.by_path:
            return ""
        if any(state.after for state in self._new.chain(self._site.path)):
            return ""
        state = self._new.by_path[self._site.path]
        waits = state.states or state.do is None
        return "an agent may wait there for ever" if waits and not state.final else ""

    def _row(
        self,
        kind: ChangeKind,
        text: str,
        *,
        keys: tuple[str, ...],
        old: Json = None,
        new: Json = None,
        risk: str = "",
        level: Level = Level.LOOK,
    ) -> Change:
        return Change(kind, self._what, self._site.path, text, old, new, risk, level, keys)


def _is_said(row: Change, example: Example) -> bool:
    """Whether a row says already what happens whatever the values are."""
    return row.kind is ChangeKind.CHANGED or (row.kind is ChangeKind.ADDED and example.before == REFUSED)


def told(transition: Transition | None, label: str) -> str:
    """A transition as a piece of a sentence."""
    if transition is None:
        return quoted(label)
    guard = f" when {quoted(transition.when)}" if transition.when else ""
    writes = f", writes {_fields(transition)}" if transition.assign or transition.append else ""
    return f"{quoted(label)}{guard} leads to {_goal(transition)}{writes}"


def _goal(transition: Transition) -> str:
    return quoted(transition.target) if transition.target is not None else "no other state"


def _fields(transition: Transition) -> str:
    assigned = [f"{field} = {_value(value)}" for field, value in transition.assign.items()]
    appended = [f"{field} += {item}" for field, item in transition.append.items()]
    return ", ".join(map(quoted, [*assigned, *appended])) or "nothing"


def _value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
