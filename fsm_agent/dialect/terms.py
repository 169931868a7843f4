"""What the terms of a property name in a workflow: a state, an event, an action, a timer, or how an agent stands.

A bare name may be any of these, and must be only one. The word in front of it decides: ``state X``, ``event X``,
``do X``, ``outcome X``. Timers are always written as ``after 3d``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.dialect.keys import TERM_OUTCOMES
from fsm_agent.domain.property import Terms
from fsm_agent.domain.similarity import nearest
from fsm_agent.domain.state import Duration
from fsm_agent.domain.text import listed, some
from fsm_agent.domain.workflow import HANDLED_BUILT_INS, Workflow


class TermKind(StrEnum):
    """What a term names; the value is the word that stands in front of the name."""

    #: is entered: from outside, or anew by a transition that leaves it and comes back
    STATE = "state"
    #: is taken
    EVENT = "event"
    #: its state is entered
    ACTION = "do"
    #: is due, and taken
    TIMER = "after"
    #: is how the agent stands from now on
    OUTCOME = "outcome"


#: What ``whenever`` speaks of: what a guard is asked at.
TAKEN: Final = frozenset({TermKind.EVENT, TermKind.TIMER})
_ALL: Final = frozenset(TermKind)


class Term(NamedTuple):
    """One thing in a workflow; ``str`` gives the way in which it can always be written."""

    kind: TermKind
    #: of a state its dotted path, of a timer its duration as the workflow writes it
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def event(self) -> str:
        """The event that a guard sees when an event or a timer is taken."""
        return "after" if self.kind is TermKind.TIMER else self.name


class TermInvalid(ValueError):
    """A term that names nothing in its workflow, or several things; its text says what can be written."""

    def __init__(self, message: str, meanings: tuple[Term, ...]) -> None:
        super().__init__(message)
        #: what it may mean; none for what is unknown
        self.meanings = meanings


def resolve(workflow: Workflow, terms: Terms, *, among: frozenset[TermKind] = _ALL) -> frozenset[Term]:
    """What these terms name, each only as one of the kinds ``among``; raises ``TermInvalid``."""
    return frozenset(found for written in terms for found in named(workflow, written, among=among))


def named(workflow: Workflow, written: str, *, among: frozenset[TermKind] = _ALL) -> tuple[Term, ...]:
    """What one term names: one thing, or the timers of that length, which may be written in several ways; raises
    ``TermInvalid``."""
    word, _, rest = written.rpartition(" ")
    if word == TermKind.TIMER:
        return _timers(workflow, rest, written, among)
    known = [Term(kind, name) for kind, name in _things(workflow) if kind in among and kind is not TermKind.TIMER]
    found = tuple(term for term in known if term.name == rest and word in {"", term.kind})
    found = _ended(workflow, found)
    if not found:
        raise TermInvalid(_unknown(written, known), ())
    if len(found) > 1:
        ways = listed(f"`{each}`" for each in found)
        raise TermInvalid(f"`{written}` has {len(found)} meanings here: write one of {ways}", found)
    return found


def _things(workflow: Workflow) -> Iterator[tuple[TermKind, str]]:
    """Everything that can be named."""
    for path in workflow.by_path:
        yield TermKind.STATE, path
    for event in (*workflow.events, "created", *sorted(HANDLED_BUILT_INS)):
        yield TermKind.EVENT, event
    for action in dict.fromkeys(leaf.do for leaf in workflow.leaves if leaf.do is not None):
        yield TermKind.ACTION, action
    for timer in dict.fromkeys(timer.duration.text for state in workflow.by_path.values() for timer in state.after):
        yield TermKind.TIMER, timer
    for outcome in TERM_OUTCOMES:
        yield TermKind.OUTCOME, outcome


def _timers(workflow: Workflow, length: str, written: str, among: frozenset[TermKind]) -> tuple[Term, ...]:
    """The timers that are as long; 72h is also 3d."""
    known = [Term(kind, name) for kind, name in _things(workflow) if kind is TermKind.TIMER and kind in among]
    found = tuple(term for term in known if Duration.parse(term.name).ms == Duration.parse(length).ms)
    if not found:
        there = f"; there are {some([f'`{each}`' for each in known], 20)}" if known else ", and none at all"
        raise TermInvalid(f"there is no timer `{written}`{there}", ())
    return found


def _ended(workflow: Workflow, found: tuple[Term, ...]) -> tuple[Term, ...]:
    """The meanings without a final state whose outcome is called as it is: then the outcome is meant, which includes
    that state."""
    outcomes = {term.name for term in found if term.kind is TermKind.OUTCOME}
    return tuple(
        term
        for term in found
        if not (
            term.kind is TermKind.STATE
            and term.name in outcomes
            and workflow.by_path[term.name].final
            and workflow.by_path[term.name].outcome == term.name
        )
    )


def _unknown(written: str, known: Collection[Term]) -> str:
    """A sentence about a term that names nothing, with what may have been meant."""
    word, space, name = written.rpartition(" ")
    alike = list(dict.fromkeys(term.name for term in known if word in {"", term.kind}))
    within = [each for each in alike if each.rpartition(".")[2] == name]
    near = within[0] if within else nearest(name, alike)
    way_out = f" (did you mean `{word}{space}{near}`?)" if near else f"; there are {some(alike, 20)}"
    return f"there is no {_NOUNS.get(word) or _any(known)} `{name}`{way_out}"


def _any(terms: Collection[Term]) -> str:
    return "event" if {term.kind for term in terms} == {TermKind.EVENT} else "state, event, action or outcome"


_NOUNS: Final = {
    TermKind.STATE.value: "state",
    TermKind.EVENT.value: "event",
    TermKind.ACTION.value: "action",
    TermKind.OUTCOME.value: "outcome",
}
