"""What a proof says of each property, in words that a replay and a report can use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.proof.explore import Edge, Exploration
from fsm_agent.proof.model import Kind
from fsm_agent.proof.space import Guard
from fsm_agent.proof.words import seen


class Outcome(StrEnum):
    PROVED = "proved"
    VIOLATED = "violated"
    #: a path was found that an agent can perhaps not take, or the search came to its bound
    OPEN = "open"


#: a sign in front of a verdict, the same everywhere
SIGNS: Final = {Outcome.PROVED: "✓", Outcome.VIOLATED: "✗", Outcome.OPEN: "?"}


class PathStep(NamedTuple):
    """One step of an agent on its way to where a rule is broken."""

    #: the leaf in which it happens, and the one that it leads to
    source: str
    target: str
    kind: Kind
    #: its name; of a timer its duration
    event: str
    #: what was looked at when guards were asked, in CEL -> examples of the values that it may have had
    known: Mapping[str, tuple[Json, ...]]
    #: whether every agent can make it that is in the source
    is_certain: bool
    #: whether states are entered, be it the one that was left
    enters: bool = False
    #: what its guards looked at, and what was known of that: pieces of a sentence
    seen: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """Whether a workflow keeps one property."""

    name: str
    outcome: Outcome
    #: a shortest path to where the rule is broken
    path: tuple[PathStep, ...] = ()
    #: what can then happen again and again, for ever
    cycle: tuple[PathStep, ...] = ()
    #: why the rule is broken, or holds; empty where the path says it
    cause: str = ""
    #: why it is open whether an agent can go the path
    doubt: str = ""
    #: sentences without which it is not proved
    assumptions: tuple[str, ...] = ()
    #: how many states were looked at
    states: int = 0
    #: the same by a shorter path, which an agent can perhaps not go
    shorter: Verdict | None = None

    @property
    def why(self) -> str:
        """All that is to be said of it, beside its path."""
        return "; ".join(filter(None, [self.cause, self.doubt]))


class Proof(NamedTuple):
    """The verdicts about one workflow, in the order of its properties."""

    verdicts: tuple[Verdict, ...]
    #: how many states were looked at for all of them together
    states: int
    is_complete: bool
    #: sentences on which all verdicts depend
    assumptions: tuple[str, ...]


def told(exploration: Exploration, edges: tuple[Edge, ...], asked: Collection[Guard] = ()) -> tuple[PathStep, ...]:
    """Edges as steps of a path. ``asked`` are conditions that were asked at the last of them."""
    space, at = exploration.model.space, exploration.configurations
    return tuple(
        PathStep(
            at[edge.source].leaf,
            at[edge.target].leaf,
            edge.kind,
            edge.event,
            space.known(edge.known),
            edge.is_certain,
            bool(edge.move and edge.move.entered),
            seen(exploration, edge, asked if place == len(edges) else ()),
        )
        for place, edge in enumerate(edges, start=1)
    )
