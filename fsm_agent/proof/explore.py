"""Every state that an agent can be in, and every step that can be made between two of them.

A state is a leaf, what the agent does there, the timers that are still to fire, and what is known of the data. An agent
of a workflow can do nothing that is not here: wherever more than one thing may happen, all of them do.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

from fsm_agent.dialect.terms import Term, TermKind
from fsm_agent.domain.decision import Move
from fsm_agent.domain.state import State
from fsm_agent.domain.workflow import lineage
from fsm_agent.proof.conditions import Masks, Split
from fsm_agent.proof.model import Choice, Kind, Model, terms_of_entry


class Mode(Enum):
    """What an agent does in its leaf."""

    #: its action is at work, or has asked something
    WORK = auto()
    REST = auto()
    ENDED = auto()


#: owner, and how many of its timers have fired; those that have all fired are left out
Timers: TypeAlias = tuple[tuple[str, int], ...]


class Configuration(NamedTuple):
    """One state of what is explored."""

    leaf: str
    mode: Mode
    timers: Timers
    masks: Masks
    is_parked: bool = False


class Edge(NamedTuple):
    """One step from a configuration to another; both are numbers."""

    source: int
    target: int
    kind: Kind
    #: its name; of a timer its duration
    event: str
    #: what happens with it
    terms: frozenset[Term]
    move: Move | None
    #: what is known when guards are asked
    known: Masks
    #: whether an agent can make it that is in the source
    is_certain: bool


class _Step(NamedTuple):
    """An edge before its ends have numbers."""

    target: Configuration
    kind: Kind
    event: str
    terms: frozenset[Term]
    move: Move | None
    known: Masks
    is_certain: bool


class _Occurrence(NamedTuple):
    """An event that happens to an agent, before guards are asked."""

    at: Configuration
    kind: Kind
    event: str
    masks: Masks
    #: those that go on
    timers: Timers
    #: whether it can happen to whoever is there
    is_certain: bool


_NOTHING: Final[frozenset[Term]] = frozenset()
_PARKED: Final = frozenset({Term(TermKind.OUTCOME, "parked")})
_CANCELLED: Final = frozenset({Term(TermKind.EVENT, "cancel"), Term(TermKind.OUTCOME, "cancelled")})
#: built-in actions that hardly ever fail
_STEADY: Final = frozenset({"wait", "human.ask", "workflow.run"})


class Exploration:
    """The configurations of a workflow, each with a number, and the edges between them. Each is looked at when somebody
    first asks for its edges, so that a short path costs little."""

    def __init__(self, model: Model, *, has_defaults: bool, most: int) -> None:
        self.model = model
        self.configurations: list[Configuration] = []
        #: whether everything that was asked for could be explored
        self.is_complete = True
        self._most = most
        self._out: dict[int, list[Edge]] = {}
        self._numbers: dict[Configuration, int] = {}
        leaf = model.workflow.leaf(model.workflow.initial)
        entered = lineage(leaf.path)
        beginning = model.space.beginning(has_defaults=has_defaults)
        masks = model.space.entered(beginning, entered)
        self._number(Configuration(leaf.path, _mode(leaf), self._armed(entered), masks))
        created = terms_of_entry(leaf, entered) | {Term(TermKind.EVENT, "created")}
        #: how an agent comes to be
        self.creation = Edge(0, 0, Kind.OUTSIDE, "created", created, None, beginning, is_certain=True)

    def out(self, at: int) -> list[Edge]:
        """The edges that begin at a configuration; none beyond the bound."""
        edges = self._out.get(at)
        if edges is None:
            if len(self._out) >= self._most:
                self.is_complete = False
                return []
            edges = self._out[at] = [
                Edge(at, self._number(step.target), *step[1:]) for step in self._steps(self.configurations[at])
            ]
        return edges

    def _number(self, configuration: Configuration) -> int:
        number = self._numbers.setdefault(configuration, len(self.configurations))
        if number == len(self.configurations):
            self.configurations.append(configuration)
        return number

    def _armed(self, entered: tuple[str, ...]) -> Timers:
        return tuple((path, 0) for path in entered if path in self.model.timers)

    # ----------------------------------------------------------------- steps

    def _steps(self, at: Configuration) -> Iterator[_Step]:
        """What an action says comes first, so that a path prefers it to what somebody sends."""
        if at.is_parked:
            yield _Step(at._replace(is_parked=False), Kind.UNPARK, "unpark", _NOTHING, None, at.masks, is_certain=True)
        elif at.mode is not Mode.ENDED:
            if at.mode is Mode.WORK:
                yield from self._of_action(at)
            yield from self._of_timers(at)
            yield from self._of_others(at)

    def _of_action(self, at: Configuration) -> Iterator[_Step]:
        here, space = self.model.surroundings(at.leaf), self.model.space
        unwritten = space.from_within(at.masks)
        written = space.overwritten(unwritten, here.writes)
        for event in here.said:
            yield from self._decided(_Occurrence(at, Kind.ACTION, event, written, at.timers, is_certain=True))
        after = space.settled(written)
        if here.asks and after is not None:
            asked = at._replace(masks=after)
            yield _Step(asked, Kind.ACTION, "ask", _NOTHING, None, unwritten, is_certain=False)
        is_certain = self.model.workflow.by_path[at.leaf].do not in _STEADY
        for event in here.failures:
            yield from self._decided(_Occurrence(at, Kind.FAILURE, event, unwritten, at.timers, is_certain))
        if here.can_misfit:
            yield _parked(at, "error", at.masks, is_certain=False)

    def _of_timers(self, at: Configuration) -> Iterator[_Step]:
        """Which of several fires first is not followed, nor whether an action ends before."""
        leaf, masks = self.model.workflow.by_path[at.leaf], self.model.space.from_within(at.masks)
        is_slow = at.mode is Mode.REST or (leaf.timeout is None and leaf.do not in _STEADY)
        is_certain = len(at.timers) == 1 and is_slow and self.model.workflow.limits.wall_time is None
        for timer in at.timers:
            owner, fired = timer
            following = ((owner, fired + 1),) if fired + 1 < len(self.model.timers[owner]) else ()
            place = at.timers.index(timer)
            left = (*at.timers[:place], *following, *at.timers[place + 1 :])
            clock = self.model.clock(at.leaf, owner, fired)
            occurrence = _Occurrence(at, Kind.TIMER, clock.label, masks, left, is_certain)
            yield from self._decided(occurrence, clock.choices)

    def _of_others(self, at: Configuration) -> Iterator[_Step]:
        here, leaf = self.model.surroundings(at.leaf), self.model.workflow.by_path[at.leaf]
        is_addressed = leaf.ask is not None and leaf.ask.to is not None
        for event in here.sent_at_work if at.mode is Mode.WORK else here.sent:
            yield from self._decided(
                _Occurrence(at, Kind.OUTSIDE, event, at.masks, at.timers, is_certain=not is_addressed)
            )
        if "cancel" not in here.sent:
            ended = Configuration(at.leaf, Mode.ENDED, (), at.masks)
            yield _Step(ended, Kind.CANCEL, "cancel", _CANCELLED, None, at.masks, is_certain=True)

    def _decided(self, occurrence: _Occurrence, choices: tuple[Choice, ...] | None = None) -> Iterator[_Step]:
        """The candidates are tried in turn; what the guard of one refuses is left for the next."""
        at, kind, event, masks, timers, is_certain = occurrence
        left = [masks]
        for choice in self.model.choices(at.leaf, kind, event) if choices is None else choices:
            is_certain = occurrence.is_certain and choice.is_certain
            taken, refused, failed = divided(choice.split, left)
            for known in taken:
                yield from self._taken(occurrence, choice, known)
            for known in failed[:1]:
                is_told = kind is Kind.OUTSIDE  # the sender, unless the event was queued
                yield _parked(at, event, known, is_certain=is_certain and not is_told and self._is_real(kind, known))
            left = refused
        if left and kind is Kind.FAILURE:
            yield _parked(at, event, left[0], is_certain=is_certain)
        elif kind is Kind.TIMER:
            for known in left:
                after = self.model.space.settled(known)
                if after is not None:
                    stays = at._replace(timers=timers, masks=after)
                    yield _Step(stays, kind, event, _NOTHING, None, known, is_certain)

    def _taken(self, occurrence: _Occurrence, choice: Choice, known: Masks) -> Iterator[_Step]:
        at, kind, event, _, timers, is_certain = occurrence
        if choice.can_park:
            yield _parked(at, event, known, is_certain=False)
        space, move = self.model.space, choice.move
        after = space.settled(choice.writes.after(known))
        if after is None:
            return
        is_certain = is_certain and choice.is_certain and choice.writes.is_certain
        if is_certain and kind is Kind.ACTION:
            is_certain = self._follows_from_valid(choice, known, after)
        if kind is Kind.ACTION:
            known = space.valid(known, unless={place for place, _ in choice.writes.changes})
        if move.is_internal:
            is_done = kind in (Kind.ACTION, Kind.FAILURE)
            target = Configuration(at.leaf, Mode.REST if is_done else at.mode, timers, after)
            is_certain = is_certain and (is_done or at.mode is not Mode.WORK)  # it may wait for the action
        else:
            leaf = self.model.workflow.by_path[move.target]
            kept = tuple(timer for timer in timers if timer[0] not in move.exited) + self._armed(move.entered)
            kept = () if leaf.final else kept
            target = Configuration(leaf.path, _mode(leaf), kept, space.entered(after, move.entered))
        yield _Step(target, kind, event, choice.terms, move, known, is_certain)

    def _follows_from_valid(self, choice: Choice, known: Masks, after: Masks) -> bool:
        """Whether an action need have written nothing that is invalid for any of the values that are known after it."""
        space = self.model.space
        valid = space.valid(known, unless=())
        return all(valid) and space.settled(choice.writes.after(valid)) == after

    def _is_real(self, kind: Kind, known: Masks) -> bool:
        """Whether what an action wrote need not be invalid for it."""
        return kind is not Kind.ACTION or self.model.space.settled(known) is not None


def divided(split: Split, left: list[Masks]) -> tuple[list[Masks], list[Masks], list[Masks]]:
    """Where the guard holds, refuses and fails."""
    ways: dict[bool | None, dict[Masks, None]] = {True: {}, False: {}, None: {}}
    for masks in left:
        for truth, known in split(masks):
            ways[truth][known] = None
    return list(ways[True]), list(ways[False]), list(ways[None])


def _mode(leaf: State) -> Mode:
    if leaf.final:
        return Mode.ENDED
    return Mode.REST if leaf.do is None else Mode.WORK


def _parked(at: Configuration, event: str, known: Masks, *, is_certain: bool) -> _Step:
    """The data stay as they were committed, and the timers armed."""
    return _Step(at._replace(is_parked=True), Kind.PARK, event, _PARKED, None, known, is_certain)
