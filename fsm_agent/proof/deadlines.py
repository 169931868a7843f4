"""How long it takes at most from one thing to another.

Time passes while an agent waits for a timer, and while an action is at work. Timers, timeouts and retries bound each
stay, and the longest way adds them up.

For each configuration the latest moment is kept at which an agent can come there, and at which each timer that is armed
and the action at work have begun. A moment counts from what the rule begins with. Where moments go on growing there is
no bound.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.dialect.builtin_names import PAUSING
from fsm_agent.dialect.terms import resolve
from fsm_agent.domain.property import Reaches
from fsm_agent.domain.state import Duration, State
from fsm_agent.proof.explore import Edge, Exploration, Mode
from fsm_agent.proof.model import Kind

#: state that has timers, or ``""`` for the action at work -> when it was entered at the latest, in ms
Begun: TypeAlias = dict[str, float]

_ACTION: Final = ""
#: so often may a moment grow before there is no bound to be found
_MOST_TIMES: Final = 100


class Stay(NamedTuple):
    """When an agent leaves a configuration at the latest, and for what."""

    until_ms: float
    why: str


class Bound(NamedTuple):
    """The longest way, and what takes the last of its time."""

    ms: float
    why: str
    path: tuple[Edge, ...]


def action_ms(leaf: State) -> float:
    """How long the action of a leaf is at work at most, with all of its attempts."""
    if leaf.do == "wait" and "for" in leaf.with_:
        return Duration.parse(leaf.with_["for"]).ms
    if leaf.timeout is None:
        return math.inf
    if leaf.retry is None or leaf.do in PAUSING:
        return leaf.timeout.ms
    delays = sum(leaf.retry.delay_ms(failures) for failures in range(1, leaf.retry.attempts))
    return leaf.retry.attempts * leaf.timeout.ms + delays


def longest(exploration: Exploration, rule: Reaches) -> Bound:
    """How long an agent may take from what ``rule`` begins with to what it wants: an upper bound."""
    return _Search(exploration, rule).longest()


def duration(exploration: Exploration, path: tuple[Edge, ...], *, is_new: bool) -> float:
    """How long an agent takes on a path if it waits wherever it can, in ms: from the end of its first step on, or from
    the creation if it is new at the beginning of the path."""
    moment_ms: float = 0
    begun: Begun = {}
    if is_new:
        moment_ms = _stay(exploration, path[0].source, begun, 0).until_ms
    for edge, following in itertools.pairwise(path):
        begun = _carried(begun, edge, moment_ms)
        moment_ms = _stay(exploration, following.source, begun, moment_ms).until_ms
    return moment_ms


class _Search:
    def __init__(self, exploration: Exploration, rule: Reaches) -> None:
        workflow = exploration.model.workflow
        self._exploration = exploration
        self._goal, self._since = (
            resolve(workflow, rule.terms),
            resolve(workflow, rule.since or ("event created",)),
        )
        self._latest: dict[int, float] = {}
        self._begun: dict[int, Begun] = {}
        self._times: dict[int, int] = {}
        #: configuration -> the edge by which an agent comes there latest
        self._before: dict[int, Edge] = {}
        self._queue: deque[int] = deque()

    def longest(self) -> Bound:
        self._begin()
        found = Bound(0, "", ())
        while self._queue:
            at = self._queue.popleft()
            stay = _stay(self._exploration, at, self._begun[at], self._latest[at])
            for edge in self._exploration.out(at):
                if edge.kind in (Kind.PARK, Kind.UNPARK):
                    continue
                if stay.until_ms > found.ms:
                    found = Bound(stay.until_ms, stay.why, (*self._path(at), edge))
                if math.isinf(stay.until_ms):
                    return found
                if self._goal.isdisjoint(edge.terms):
                    self._arrive(edge, stay.until_ms, _carried(self._begun[at], edge, stay.until_ms))
        return found

    def _begin(self) -> None:
        """Wherever something happens that the rule begins with, at the moment 0."""
        created = self._exploration.creation.terms
        if not self._since.isdisjoint(created) and self._goal.isdisjoint(created):
            self._latest[0], self._begun[0] = 0, {}
            self._queue.append(0)
        at = 0
        while at < len(self._exploration.configurations):
            for edge in self._exploration.out(at):
                if not self._since.isdisjoint(edge.terms) and self._goal.isdisjoint(edge.terms):
                    self._arrive(edge, 0, {})
            at += 1

    def _arrive(self, edge: Edge, moment_ms: float, begun: Begun) -> None:
        at = edge.target
        known = self._begun.get(at, {})
        later = {path: max(moment, known.get(path, 0)) for path, moment in begun.items()} | {
            path: moment for path, moment in known.items() if path not in begun
        }
        if at in self._latest and moment_ms <= self._latest[at] and later == known:
            return
        self._times[at] = self._times.get(at, 0) + 1
        if at not in self._latest or moment_ms > self._latest[at]:
            self._before[at] = edge
        is_endless = self._times[at] > _MOST_TIMES
        self._latest[at] = math.inf if is_endless else max(moment_ms, self._latest.get(at, 0))
        self._begun[at] = later
        self._queue.append(at)

    def _path(self, at: int) -> tuple[Edge, ...]:
        """From what the rule begins with to a configuration, by the edges that come latest."""
        path: list[Edge] = []
        while at in self._before and self._before[at] not in path:
            path.append(self._before[at])
            at = self._before[at].source
        return tuple(reversed(path))


def _carried(begun: Begun, edge: Edge, moment_ms: float) -> Begun:
    """What goes on after an edge, and what begins with it."""
    exited, entered = (edge.move.exited, edge.move.entered) if edge.move else ((), ())
    kept = {path: moment for path, moment in begun.items() if path not in exited}
    if entered:
        kept.pop(_ACTION, None)
    return kept | dict.fromkeys((*entered, _ACTION) if entered else (), moment_ms)


def _stay(exploration: Exploration, at: int, begun: Begun, latest_ms: float) -> Stay:
    """What ends the stay in a configuration: the first of its timers, and of what bounds its action."""
    configuration, model = exploration.configurations[at], exploration.model
    leaf = model.workflow.by_path[configuration.leaf]
    if math.isinf(latest_ms):
        return Stay(math.inf, f"an agent may come to `{leaf.path}` again and again")
    stays = []
    for owner, fired in configuration.timers:
        length = model.workflow.by_path[owner].after[model.timers[owner][fired]].duration
        stays.append(Stay(begun.get(owner, 0) + length.ms, f"timer {length} of `{owner}`"))
    if configuration.mode is Mode.WORK and not model.surroundings(leaf.path).asks:
        longest = action_ms(leaf)
        which = f"action `{leaf.do}` in `{leaf.path}`"
        stays.append(Stay(begun.get(_ACTION, 0) + longest, f"{which} has no timeout" if math.isinf(longest) else which))
    return min(stays, default=Stay(math.inf, f"nothing bounds the stay in `{leaf.path}`"))


def human(ms: float) -> str:
    """A length of time as a person writes it: ``3d 2h``."""
    if math.isinf(ms):
        return "for ever"
    words, left = [], int(ms)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, left = divmod(left, size)
        words += [f"{count}{unit}"] if count else []
    return " ".join(words) or "0s"
