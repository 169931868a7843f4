"""The evidence of a run: journals, executed effects, and every agent as the store has it in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from fsm_agent.data.delta import Folded, own
from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.record import AgentExport
from fsm_agent.domain.step import Delta, KeyOutcome, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.domain.workflow import Workflow
from fsm_agent.testing.faults.journal import Entry, WriterLog
from fsm_agent.testing.faults.ticket_workload import is_ticket


@dataclass(frozen=True)
class StoredAgent:
    """One agent. ``values`` is its data as a load gives it; ``outcomes`` is what the store answers about keys."""

    export: AgentExport
    values: Mapping[str, Json]
    workflow: Workflow
    outcomes: Mapping[str, KeyOutcome | None] = field(default_factory=dict)
    #: where ``replay`` of the history differs from the head, counts of visits and timers included
    mismatches: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.export.steps

    def folded(self) -> Iterator[tuple[int, dict[str, Json]]]:
        """Each version and its data. The next version changes the same dictionary."""
        origin = self.export.origin
        folded = Folded(own(dict(origin.values)) if origin else {})
        for step in self.steps:
            folded.take(step.version, Delta.from_json(own(step.delta.to_json())))  # or the step would change too
            yield step.version, folded.values

    def replay_results(self) -> Iterator[str | None]:
        """The result of the rule that ``replay`` of the history gives the head."""
        agent_id, mismatches = self.export.head.id, "; ".join(self.mismatches)
        yield f"{agent_id} differs from what its history gives: {mismatches}" if mismatches else None

    def durations(self, state: str) -> dict[str, int]:
        """The timers that a state arms: as written -> milliseconds."""
        return {timer.duration.text: timer.duration.ms for timer in self.workflow.leaf(state).after} if state else {}


class Lists(NamedTuple):
    """The agents that a store finds in the end, by each of its lists."""

    #: the ids of those that ask, and how many they are
    asking: tuple[str, ...] = ()
    asking_count: int = 0
    #: user -> the ids of those that serve them
    serving: Mapping[str, tuple[str, ...]] = {}
    #: the newest first
    newest: tuple[str, ...] = ()
    counted: int = 0
    #: what the store itself finds wrong with its indexes
    damage: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """``executions`` are the executed effects: key -> the mode of each execution. ``failures`` is what went wrong in
    the recovery."""

    #: the agents of the order workload, of which nothing is ever deleted
    orders: Mapping[str, StoredAgent]
    logs: tuple[WriterLog, ...] = ()
    executions: Mapping[str, list[str]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    #: the agents of the ticket workload, and their children
    tickets: Mapping[str, StoredAgent] = field(default_factory=dict)
    #: the messages of the thread that tickets share
    shared_thread: tuple[Message, ...] = ()
    users: Mapping[str, UserRecord] = field(default_factory=dict)
    lists: Lists | None = None

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that writers did, ordered by when it began. What was done to many agents at once is an entry for
        each."""
        found = (part for log in self.logs for entry in log.entries for part in _parts(entry))
        return tuple(sorted(found, key=lambda each: each.invoked_ns))

    def with_failure(self, failure: str) -> Evidence:
        return replace(self, failures=(*self.failures, failure))

    def entries_of(self, *verbs: str) -> Iterator[Entry]:
        """The entries with these verbs, about any agent."""
        return (entry for entry in self.entries if entry.verb in verbs)

    def order_entries(self, *verbs: str) -> Iterator[Entry]:
        """The entries with these verbs, about orders."""
        return (entry for entry in self.entries_of(*verbs) if not is_ticket(entry.facts.get("agent", "")))

    def notes(self, name: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """The writer and the facts of every note of that name."""
        return ((log.writer, facts) for log in self.logs for note, facts in log.notes if note == name)


def _parts(entry: Entry) -> Iterator[Entry]:
    """An entry for each agent that was taken, and one of ``renew`` for each that was to be renewed; others as they are.
    Whom a take has claimed that never returned, nobody knows."""
    facts, reply = entry.facts, entry.reply
    if entry.verb == "take" and entry.is_ok:
        for agent, epoch in reply["claimed"].items():
            yield entry._replace(facts={**facts, "agent": agent}, reply={**reply, "epoch": epoch})
    elif entry.verb == "renew_all":
        for agent, epoch in facts["held"].items():
            held = {"held": agent in reply["renewed"]} if entry.is_ok else reply
            yield entry._replace(verb="renew", facts={**facts, "agent": agent, "epoch": epoch}, reply=held)
    else:
        yield entry
