"""What a run leaves behind: journals, the world, and every agent as the store keeps it in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from fsm_agent.data.delta import Folded, own
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AgentExport
from fsm_agent.domain.step import Delta, KeyOutcome, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.testing.faults.journal import Entry, Life
from fsm_agent.testing.faults.ticket_workload import is_visit


@dataclass(frozen=True)
class Kept:
    """One agent. ``values`` is its data as a load gives it; ``outcomes`` is what the store says of keys."""

    export: AgentExport
    values: Mapping[str, Json]
    workflow: Workflow
    outcomes: Mapping[str, KeyOutcome | None] = field(default_factory=dict)
    #: what ``replay`` finds wrong: the whole head, visits and timers too, is what the history tells
    mismatches: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.export.steps

    def folded(self) -> Iterator[tuple[int, dict[str, Json]]]:
        """Each version, and the data as of then, which the next one changes in place."""
        origin = self.export.origin
        folded = Folded(own(dict(origin.values)) if origin else {})
        for step in self.steps:
            folded.take(step.version, Delta.from_json(own(step.delta.to_json())))  # or the step would change too
            yield step.version, folded.values

    def durations(self, state: str) -> dict[str, int]:
        """The timers that a state arms: as written -> milliseconds."""
        return {timer.duration.text: timer.duration.ms for timer in self.workflow.leaf(state).after} if state else {}


@dataclass(frozen=True)
class Evidence:
    """``deeds`` is what was done to the world: key -> the mode of each time. ``troubles`` is what went wrong while a
    process without faults went on with everything."""

    #: those of the errand, of which nothing is ever forgotten
    agents: Mapping[str, Kept]
    lives: tuple[Life, ...] = ()
    deeds: Mapping[str, list[str]] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    #: those that operators look after, and their children
    visits: Mapping[str, Kept] = field(default_factory=dict)
    #: what was said in the thread that they share
    room: tuple[Message, ...] = ()
    users: Mapping[str, UserRecord] = field(default_factory=dict)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """All that was done, in order of its beginning."""
        return tuple(sorted((entry for life in self.lives for entry in life.entries), key=lambda each: each.invoked_ns))

    def with_trouble(self, trouble: str) -> Evidence:
        return replace(self, troubles=(*self.troubles, trouble))

    def done(self, *verbs: str) -> Iterator[Entry]:
        """With these verbs, to any agent."""
        return (entry for entry in self.entries if entry.verb in verbs)

    def said(self, *verbs: str) -> Iterator[Entry]:
        """With these verbs, to agents of the errand."""
        return (entry for entry in self.done(*verbs) if not is_visit(entry.facts.get("agent", "")))

    def notes(self, name: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """Writer and facts of every note of that name."""
        return ((life.writer, facts) for life in self.lives for note, facts in life.notes if note == name)
