"""What the terms of a property name in a workflow: a state, an event, an action, a timer, or how an agent stands."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.property import Terms
from fsm_agent.domain.workflow import HANDLED_BUILT_INS, Workflow


class TermKind(StrEnum):
    """What a term names; the value is the word that stands in front of the name."""

    #: is entered, or one of the states in it is
    STATE = "state"
    #: is taken
    EVENT = "event"
    #: its state is entered
    ACTION = "do"
    #: is due, and taken
    TIMER = "after"
    #: is how the agent stands from now on
    OUTCOME = "outcome"


_OUTCOMES: Final = ("parked", "done", "failed", "cancelled")


class Term(NamedTuple):
    """One thing in a workflow."""

    kind: TermKind
    #: of a state its dotted path, of a timer its duration as the workflow writes it
    name: str

    @property
    def event(self) -> str:
        """The event that a guard sees when an event or a timer is taken."""
        return "after" if self.kind is TermKind.TIMER else self.name


def resolve(workflow: Workflow, terms: Terms) -> frozenset[Term]:
    """What these terms name; raises ``ValueError`` for one that names nothing, or several things."""
    return frozenset(_named(workflow, written) for written in terms)


def _named(workflow: Workflow, written: str) -> Term:
    word, _, rest = written.rpartition(" ")
    found = [term for term in _things(workflow) if term.name == rest and word in {"", term.kind}]
    if len(found) > 1:
        found = [term for term in found if term.kind is TermKind.OUTCOME] or found
    if len(found) != 1:
        raise ValueError(f"`{written}` names {len(found)} things in workflow {workflow.name!r}, and must name one")
    return found[0]


def _things(workflow: Workflow) -> Iterator[Term]:
    for path in workflow.by_path:
        yield Term(TermKind.STATE, path)
    for event in (*workflow.events, "created", *sorted(HANDLED_BUILT_INS)):
        yield Term(TermKind.EVENT, event)
    for action in dict.fromkeys(leaf.do for leaf in workflow.leaves if leaf.do is not None):
        yield Term(TermKind.ACTION, action)
    for timer in dict.fromkeys(timer.duration.text for state in workflow.by_path.values() for timer in state.after):
        yield Term(TermKind.TIMER, timer)
    for outcome in _OUTCOMES:
        yield Term(TermKind.OUTCOME, outcome)
