"""Which state of the old version is which of the new one.

A state has its path; else the name that ``migrations`` gives it; else it may be recognised. Two states are alike if
they do or ask the same, are called alike, and have the same neighbours. A state that is like two others was not
renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import product
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import Workflow, lineage

#: old path -> new path
Renames: TypeAlias = Mapping[str, str]
_Ways: TypeAlias = frozenset[tuple[str, str]]

_ENOUGH: Final = 2.5
#: a rival whose score is not further away makes a match doubtful, unless the score is sure
_NEAR: Final = 0.5
_SURE: Final = 4.0
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
    """Of one state: event and target of what leads out, source and event of what leads in."""

    ahead: _Ways
    behind: _Ways


def renames(old: Workflow, new: Workflow) -> dict[str, str]:
    """Old path -> new path, of the states that have another path now."""
    found = dict(_declared(old, new))
    lost = [path for path in old.by_path if path not in new.by_path and path not in found]
    fresh = [path for path in new.by_path if path not in old.by_path and path not in found.values()]
    found |= _recognised(old, new, lost, fresh, found)
    return found | dict(_inside_renamed(old, new, found))


def _declared(old: Workflow, new: Workflow) -> Iterator[tuple[str, str]]:
    for path in old.by_path:
        place = _place(path, old, new)
        if place in new.by_path and place not in old.by_path and path not in new.by_path:
            yield path, place


def _place(path: str, old: Workflow, new: Workflow) -> str:
    """What the migrations since the old version make of a path."""
    since = [each for each in new.migrations if old.version <= each.from_version < new.version]
    for migration in sorted(since, key=lambda each: each.from_version):
        path = migration.place(path) or path
    return path


def _recognised(old: Workflow, new: Workflow, lost: list[str], fresh: list[str], known: Renames) -> dict[str, str]:
    if not lost or not fresh:
        return {}
    scores = sorted(_scores(old, new, product(lost, fresh), known), key=lambda score: -score.value)
    rivals: dict[str, list[_Score]] = {}
    for score in scores:
        rivals.setdefault(f"old {score.old}", []).append(score)
        rivals.setdefault(f"new {score.new}", []).append(score)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for score in scores:
        if score.old in found or score.new in taken:
            continue
        others = (*rivals[f"old {score.old}"], *rivals[f"new {score.new}"])
        is_doubtful = any(
            other != score and other.value > score.value - _NEAR
            for other in others
            if other.old not in found and other.new not in taken
        )
        if score.value >= _SURE or not is_doubtful:
            found[score.old] = score.new
            taken.add(score.new)
    return found


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


def _inside_renamed(old: Workflow, new: Workflow, found: Renames) -> Iterator[tuple[str, str]]:
    """States that are called as before inside a state that is called otherwise."""
    for path in old.by_path:
        if path in found or path in new.by_path:
            continue
        for outer in reversed(lineage(path)[:-1]):
            place = found.get(outer, outer) + path[len(outer) :]
            if outer in found and place in new.by_path and place not in found.values():
                yield path, place
                break
