"""What a store is, in plain dicts: no SQL, no codec, no code of the stores. ``Store`` says what must be true of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.message import Message
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.record import AgentExport, Commit, Committed, Creation, Origin
from fsm_agent.domain.step import Event, KeyOutcome, Queued, Step
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import AgentExists, AgentNotFound, Conflict, StoreCorrupt, UserConflict


class Rejected(Exception):
    """The store must raise one of these errors, each of which is true, and change nothing."""

    def __init__(self, *kinds: type[Exception]) -> None:
        super().__init__(*(kind.__name__ for kind in kinds))
        self.kinds = kinds


def refuse(wrong: Mapping[type[Exception], object]) -> None:
    """Raise ``Rejected`` for all that is wrong; which of it is told first is not said anywhere."""
    if kinds := [kind for kind, is_wrong in wrong.items() if is_wrong]:
        raise Rejected(*kinds)


@dataclass
class Thread:
    """Messages by their numbers, and the last number that was given."""

    messages: dict[int, Message] = field(default_factory=dict)
    last: int = 0

    def add(self, messages: Sequence[Message]) -> int:
        for message in messages:
            self.last += 1
            self.messages[self.last] = message._replace(number=self.last)
        return self.last

    def between(self, after: int, upto: int | None) -> list[int]:
        return [number for number in self.messages if number > after and (upto is None or number <= upto)]


@dataclass
class Agent:
    """Everything of one agent. ``values`` is the data after each version, whether its step is kept or not."""

    head: Head
    steps: dict[int, Step]
    values: dict[int, dict[str, Any]]
    start: tuple[str, str] | None = None
    queue: dict[int, Queued] = field(default_factory=dict)
    numbered: int = 0
    keys: dict[str, KeyOutcome] = field(default_factory=dict)
    effects: dict[str, EffectEntry] = field(default_factory=dict)
    origin: Origin | None = None
    #: its own
    thread: Thread = field(default_factory=Thread)

    def copy(self) -> Agent:
        thread = Thread(dict(self.thread.messages), self.thread.last)
        parts = (self.steps, self.values, self.queue, self.keys, self.effects)
        steps, values, queue, keys, effects = (dict(part) for part in parts)
        return replace(self, steps=steps, values=values, queue=queue, keys=keys, effects=effects, thread=thread)

    @property
    def now(self) -> Head:
        return self.head._replace(queued=len(self.queue))

    def listed_effects(self, activation: int = 0) -> list[EffectEntry]:
        those = [entry for entry in self.effects.values() if entry.activation >= activation]
        return sorted(those, key=lambda entry: (entry.activation, entry.name, entry.use))

    def export(self) -> AgentExport:
        """But for the snapshot, which is the store's own business."""
        return AgentExport(
            head=self.now,
            steps=tuple(self.steps.values()),
            origin=self.origin,
            queue=tuple(self.queue.values()),
            numbered=self.numbered,
            keys=dict(self.keys),
            start=self.start,
            effects=tuple(self.listed_effects()),
            messages=tuple(self.thread.messages.values()),
        )


class Space:
    """One namespace: the verbs of ``Store`` that decide something."""

    def __init__(self, definitions: set[str]) -> None:
        self.agents: dict[str, Agent] = {}
        self.definitions = definitions
        self.shared: dict[str, Thread] = {}
        self.users: dict[str, UserRecord] = {}

    def find(self, agent_id: str) -> Agent:
        if agent_id not in self.agents:
            raise Rejected(AgentNotFound)
        return self.agents[agent_id]

    def find_key(self, key: str) -> tuple[str, str] | None:
        made = (agent for agent in self.agents.values() if agent.start and agent.start[0] == key)
        return next(((agent.head.id, agent.start[1]) for agent in made if agent.start), None)

    def create(self, creation: Creation) -> Head:
        head, key = creation.head, creation.key
        is_taken = head.id in self.agents or (key is not None and self.find_key(key))
        refuse({AgentExists: is_taken, StoreCorrupt: head.definition not in self.definitions})
        [step] = creation.steps
        start = None if key is None else (key, creation.fingerprint)
        made = head._replace(epoch=1, lease=creation.lease)
        self.agents[head.id] = Agent(made, {1: step}, {1: after({}, step)}, start)
        return self.agents[head.id].now

    def commit(self, commit: Commit) -> Committed:
        agent, head = self.find(commit.head.id), commit.head
        is_late = (
            head.version != agent.head.version + 1
            or commit.fence not in (None, agent.head.epoch)
            or commit.key in agent.keys
            or (commit.dequeue is not None and commit.dequeue not in agent.queue)
            or (commit.settlement and not self._is_open(agent, commit.settlement.key))
        )
        is_lost = commit.repins and head.definition not in self.definitions
        refuse({Conflict: is_late, StoreCorrupt: is_lost, UserConflict: commit.user and self.is_stale(commit.user)})
        was, epoch = agent.head, agent.head.epoch + (commit.epoch is None)
        agent.head = head._replace(epoch=epoch, lease=commit.lease, created_ms=was.created_ms)
        if not commit.repins:
            pin = (was.workflow, was.workflow_version, was.definition)
            agent.head = agent.head._replace(workflow=pin[0], workflow_version=pin[1], definition=pin[2])
        agent.steps[head.version] = commit.step
        agent.values[head.version] = after(agent.values[was.version], commit.step)
        if commit.key is not None:
            agent.keys[commit.key] = KeyOutcome(head.version, commit.fingerprint)
        if commit.dequeue is not None:
            self._decided(agent, commit.dequeue)
        self._settle(agent, commit)
        for said in commit.said:
            self.open_thread(said.thread).add(said.messages)
        if commit.user is not None:
            self.users[commit.user.name] = commit.user
        return Committed(epoch, len(agent.queue))

    def _decided(self, agent: Agent, number: int) -> None:
        key = agent.queue.pop(number).event.key
        if key is not None:
            agent.keys[key] = agent.keys[key]._replace(version=agent.head.version)

    def _settle(self, agent: Agent, commit: Commit) -> None:
        if (said := commit.settlement) is not None:
            entry = agent.effects.pop(said.key)
            if said.was_done:
                ended_ms = commit.head.updated_ms
                agent.effects[said.key] = entry._replace(ended_ms=ended_ms, result=said.result)

    def enqueue(self, agent_id: str, version: int | None, event: Event, fingerprint: str) -> int:
        agent = self.find(agent_id)
        if version not in (None, agent.head.version) or event.key in agent.keys:
            raise Rejected(Conflict)
        agent.numbered += 1
        agent.queue[agent.numbered] = Queued(agent.numbered, event, agent.head.version)
        if event.key is not None:
            agent.keys[event.key] = KeyOutcome(None, fingerprint)
        return len(agent.queue)

    def unmoved(self, seen: Head) -> Agent:
        agent = self.find(seen.id)
        if (agent.head.version, agent.head.epoch, agent.head.lease) != (seen.version, seen.epoch, seen.lease):
            raise Rejected(Conflict)
        return agent

    def fenced(self, agent_id: str, epoch: int) -> Agent:
        agent = self.find(agent_id)
        if agent.head.epoch != epoch:
            raise Rejected(Conflict)
        return agent

    def claim(self, seen: Head, lease: Lease) -> int:
        agent = self.unmoved(seen)
        agent.head = agent.head._replace(epoch=agent.head.epoch + 1, lease=lease)
        return agent.head.epoch

    def renew(self, agent_id: str, epoch: int, lease: Lease) -> bool:
        agent = self.find(agent_id)
        if agent.head.epoch != epoch or agent.head.lease is None:
            return False
        agent.head = agent.head._replace(lease=lease)
        return True

    def release(self, agent_id: str, epoch: int) -> None:
        agent = self.find(agent_id)
        if agent.head.epoch == epoch:
            agent.head = agent.head._replace(lease=None)

    def record_attempt(
        self,
        agent_id: str,
        epoch: int,
        attempts: int,
        retry_ms: int | None,
        children: int | None,
        problem: Problem | None,
    ) -> None:
        agent = self.fenced(agent_id, epoch)
        agent.head = agent.head._replace(attempts=attempts, retry_ms=retry_ms)
        if problem is not None or (agent.head.status is Status.RUNNING and attempts == 0):
            agent.head = agent.head._replace(problem=problem)
        if children is not None:
            agent.head = agent.head._replace(children=children)

    def begin_effect(self, agent_id: str, entry: EffectEntry, *, again: bool) -> EffectEntry | None:
        agent = self.fenced(agent_id, entry.epoch)
        kept = agent.effects.get(entry.key)
        if kept is None or (again and kept.is_open):
            agent.effects[entry.key] = entry
        return kept

    def end_effect(self, agent_id: str, entry: EffectEntry) -> bool:
        agent = self.find(agent_id)
        kept = agent.effects.get(entry.key)
        if kept is None or not kept.is_open or kept.epoch != entry.epoch:
            return False
        agent.effects[entry.key] = kept._replace(ended_ms=entry.ended_ms, result=entry.result)
        return True

    def shorten(self, seen: Head, origin: Origin) -> int:
        agent = self.unmoved(seen)
        forgotten = [version for version in agent.steps if version <= origin.head.version]
        for version in forgotten:
            del agent.steps[version]
        agent.origin = origin
        agent.head = agent.head._replace(epoch=agent.head.epoch + 1)
        return len(forgotten)

    def delete(self, seen: Head) -> None:
        self.unmoved(seen)
        del self.agents[seen.id]

    def adopt(self, agent: Agent, replaces: Head | None) -> None:
        head, is_late = agent.head, False
        if replaces is not None:
            there = self.find(replaces.id)
            told = (replaces.version, replaces.epoch, replaces.lease, replaces.queued)
            is_late = (there.head.version, there.head.epoch, there.head.lease, len(there.queue)) != told
        others = {name for name in self.agents if replaces is None or name != replaces.id}
        taken = self.find_key(agent.start[0]) if agent.start else None
        is_taken = head.id in others or (taken is not None and taken[0] in others)
        refuse({Conflict: is_late, AgentExists: is_taken, StoreCorrupt: head.definition not in self.definitions})
        self.agents[head.id] = agent.copy()

    def thread(self, name: str) -> Thread:
        """As it is read; one that is not there says nothing."""
        if name.startswith("@"):
            return self.agents[name[1:]].thread if name[1:] in self.agents else Thread()
        return self.shared.get(name, Thread())

    def open_thread(self, name: str) -> Thread:
        """As it is written to."""
        return self.thread(name) if name.startswith("@") else self.shared.setdefault(name, Thread())

    def messages(self, name: str, after: int, upto: int | None, limit: int | None, *, newest: bool) -> list[Message]:
        thread = self.thread(name)
        found = [thread.messages[number] for number in thread.between(after, upto)]
        if limit is None:
            return found
        return found[max(len(found) - limit, 0) :] if newest else found[:limit]

    def revise(self, name: str, messages: Sequence[Message]) -> int:
        kept = self.thread(name).messages
        there = {message.number: message for message in messages if message.number in kept}
        kept.update(there)
        return len(there)

    def retract(self, name: str, after: int, upto: int | None) -> int:
        thread = self.thread(name)
        gone = thread.between(after, upto)
        for number in gone:
            del thread.messages[number]
        return len(gone)

    def user(self, name: str) -> UserRecord:
        return self.users.get(name, UserRecord(name))

    def is_stale(self, user: UserRecord) -> bool:
        return user.version != self.user(user.name).version + 1

    def save_user(self, user: UserRecord) -> None:
        refuse({UserConflict: self.is_stale(user)})
        self.users[user.name] = user

    def due(self, now_ms: int) -> dict[str, int]:
        """Who needs somebody, and since when."""
        free = [agent.now for agent in self.agents.values() if not _is_leased(agent.head, now_ms)]
        return {
            head.id: max(head.wake_ms, head.lease.until_ms) if head.lease else head.wake_ms or head.updated_ms
            for head in free
            if head.wake_ms is not None and head.wake_ms <= now_ms
        }

    def takeable(
        self, now_ms: int, workflows: Collection[str] | None, without: Collection[tuple[str, str]]
    ) -> dict[str, int]:
        """Those of them whom a worker wants, and since when they are due."""
        heads = {agent_id: self.agents[agent_id].head for agent_id in self.due(now_ms)}
        return {
            agent_id: since_ms
            for agent_id, since_ms in self.due(now_ms).items()
            if (workflows is None or heads[agent_id].workflow in workflows)
            and (heads[agent_id].definition, heads[agent_id].state) not in without
        }

    def _is_open(self, agent: Agent, key: str) -> bool:
        return key in agent.effects and agent.effects[key].is_open


def _is_leased(head: Head, now_ms: int) -> bool:
    return head.lease is not None and head.lease.until_ms > now_ms


def after(values: Mapping[str, Any], step: Step) -> dict[str, Any]:
    """The data as a step leaves it; fields are set or appended to, whole."""
    changed = deepcopy({**values, **step.delta.set})
    for name, items in step.delta.append.items():
        changed[name] = changed[name] + list(items)
    return changed
