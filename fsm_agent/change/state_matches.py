"""Which state of the old version is which of the new one, level by level from the top.

States inside one state belong together if they have the same name; else as ``migrations`` says; else they may be
recognised: two are alike if they do or ask the same, are called alike, and have the same neighbours. A state that is
like two others was not renamed. A state that moved into another one is another state, since it inherits other handlers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow

#: old path -> new path
Renames: TypeAlias = Mapping[str, str]
_Ways: TypeAlias = frozenset[tuple[str, str]]

_ENOUGH: Final = 2.5
#: a rival whose score is not further away makes a match doubtful
_NEAR: Final = 0.5
#: or, from a score on that is sure, only one that is just as near
_SURE: Final = 4.0
_TIE: Final = 0.1
_SAME_WORK: Final = 2.0
_SAME_NAME: Final = 1.5
_NEIGHBOURS: Final = 2.5
_CHILDREN: Final = 2.0
_SAME_OUTCOME: Final = 0.5


class _Score(NamedTuple):
    value: float
    old: str
    new: str


class _Neighbours(NamedTuple):
    """The transitions around a state: event and target of those that lead out, source and event of the others."""

    ahead: _Ways
    behind: _Ways


def renames(old: Workflow, new: Workflow) -> dict[str, str]:
    """Old path -> new path, of the states that have another path now. A state that is gone from inside a renamed one is
    named like what is around it, so that the old version can be told in the new names as a whole."""
    matcher = _Matcher(old, new)
    matcher.match(old.states, new.states, "")
    return {path: place for path, place in matcher.places.items() if path != place}


class _Matcher:
    def __init__(self, old: Workflow, new: Workflow) -> None:
        self._old, self._new = old, new
        #: path of every old state that was met -> its path in the new names
        self.places: dict[str, str] = {}

    def match(self, olds: Sequence[State], news: Sequence[State], around: str) -> None:
        """Match the states inside two states that are the same, which is called ``around`` now, and what is in them."""
        fresh = {state.path: state for state in news}
        lost: list[State] = []
        for state in olds:
            place = f"{around}.{state.name}" if around else state.name
            if place in fresh:
                self._found(state, fresh.pop(place))
            else:
                lost.append(state)
        for state in tuple(lost):
            if (declared := _declared(state.path, self._old, self._new)) in fresh:
                self._found(state, fresh.pop(declared))
                lost.remove(state)
        for path, place in self._recognised(lost, list(fresh)).items():
            self._found(self._old.by_path[path], fresh.pop(place))
        for state in lost:
            if state.path not in self.places:
                self._gone(state, f"{around}.{state.name}" if around else state.name)

    def _found(self, old: State, new: State) -> None:
        self.places[old.path] = new.path
        self.match(old.states, new.states, new.path)

    def _gone(self, state: State, place: str) -> None:
        self.places[state.path] = place
        for child in state.states:
            self._gone(child, f"{place}.{child.name}")

    def _recognised(self, lost: Sequence[State], fresh: Sequence[str]) -> dict[str, str]:
        pairs = product([state.path for state in lost], fresh)
        return _best(_scores(self._old, self._new, pairs, self.places) if lost and fresh else ())


def _declared(path: str, old: Workflow, new: Workflow) -> str:
    """What the migrations since the old version make of a path."""
    since = [each for each in new.migrations if old.version <= each.from_version < new.version]
    for migration in sorted(since, key=lambda each: each.from_version):
        path = migration.place(path) or path
    return path


def _best(found: Iterable[_Score]) -> dict[str, str]:
    """The pairs that are most alike, without those that are in doubt."""
    scores = sorted(found, key=lambda score: -score.value)
    rivals: dict[str, list[_Score]] = {}
    for score in scores:
        rivals.setdefault(f"old {score.old}", []).append(score)
        rivals.setdefault(f"new {score.new}", []).append(score)
    best: dict[str, str] = {}
    taken: set[str] = set()
    for score in scores:
        if score.old in best or score.new in taken:
            continue
        others = (*rivals[f"old {score.old}"], *rivals[f"new {score.new}"])
        margin = _TIE if score.value >= _SURE else _NEAR
        is_doubtful = any(
            other != score and other.value > score.value - margin
            for other in others
            if other.old not in best and other.new not in taken
        )
        if not is_doubtful:
            best[score.old] = score.new
            taken.add(score.new)
    return best


def _scores(old: Workflow, new: Workflow, pairs: Iterable[tuple[str, str]], known: Renames) -> Iterator[_Score]:
    before, now = _neighbours(old, known), _neighbours(new, {})
    for path, other in pairs:
        this, that = old.by_path[path], new.by_path[other]
        if this.is_leaf != that.is_leaf or this.final != that.final:
            continue
        ahead, behind = _share(before[path].ahead, now[other].ahead), _share(before[path].behind, now[other].behind)
        value = _likeness(this, that) + _NEIGHBOURS * (ahead + behind)
        if value + _SAME_NAME >= _ENOUGH and (value := value + _name_likeness(this.name, that.name)) >= _ENOUGH:
            yield _Score(value, path, other)


def _likeness(this: State, that: State) -> float:
    """How alike two states are in themselves, but for their names."""
    value = 0.0
    if this.do is not None and this.do == that.do:
        value += _SAME_WORK
    if this.ask is not None and that.ask is not None and this.ask.events == that.ask.events:
        value += _SAME_WORK
    if this.final and this.outcome == that.outcome:
        value += _SAME_OUTCOME
    names = frozenset(each.name for each in this.states), frozenset(each.name for each in that.states)
    return value + _CHILDREN * _share(*names)


def _name_likeness(this: str, that: str) -> float:
    return _SAME_NAME if this == that else SequenceMatcher(None, this, that).ratio()


def _share(these: frozenset[object], those: frozenset[object]) -> float:
    """How much two sets share, from 0 to 1."""
    return len(these & those) / len(these | those) if these or those else 0.0


def _neighbours(workflow: Workflow, known: Renames) -> dict[str, _Neighbours]:
    ahead: dict[str, set[tuple[str, str]]] = {path: set() for path in workflow.by_path}
    behind: dict[str, set[tuple[str, str]]] = {path: set() for path in workflow.by_path}
    for path, event, target in _ways(workflow):
        ahead[path].add((event, known.get(target, target)))
        behind[target].add((known.get(path, path), event))
    return {path: _Neighbours(frozenset(ahead[path]), frozenset(behind[path])) for path in workflow.by_path}


def _ways(workflow: Workflow) -> Iterator[tuple[str, str, str]]:
    for state in workflow.by_path.values():
        handlers = [*state.on.items(), *((f"after {timer.duration}", timer.transitions) for timer in state.after)]
        for event, candidates in handlers:
            for each in candidates or ():
                if each.target is not None:
                    yield state.path, event, each.target
