"""One agent as the memory store keeps it: the rows that a database would keep, and how verbs change them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fsm_agent.domain.agent import Head
from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.domain.lease import Lease
from fsm_agent.domain.record import AgentExport, Commit, Creation, Origin, Size
from fsm_agent.domain.step import KeyOutcome
from fsm_agent.stores import codec

#: what pins an agent to a definition
_PIN: Final = slice(Head._fields.index("workflow"), Head._fields.index("definition") + 1)


@dataclass(slots=True)
class Kept:
    """One agent: its head, the rows of the rest, and what is the store's own."""

    #: as it was written; what is the store's own says nothing in it
    written: Head
    #: ``Head.wake_ms``
    wake_ms: int | None
    lease: Lease | None
    steps: list[codec.StepRow]
    #: ``Head.updated_ms``
    updated_ms: int
    epoch: int = 1
    snapshot: tuple[int, str, str] | None = None
    #: number -> event
    queue: dict[int, str] = field(default_factory=dict)
    numbered: int = 0
    #: event key -> version (``None`` while queued), fingerprint
    keys: dict[str, tuple[int | None, str]] = field(default_factory=dict)
    effects: dict[str, codec.EffectRow] = field(default_factory=dict)
    origin: tuple[int, str, str] | None = None
    #: the key of the creation, and what it was used for
    start: tuple[str, str] | None = None

    @property
    def forgotten(self) -> int:
        """How many steps are kept no more: as many as the version of the last of them."""
        return self.origin[0] if self.origin else 0

    @property
    def head(self) -> Head:
        return detached(self.written)._replace(epoch=self.epoch, lease=self.lease, queued=len(self.queue))

    def take(self, commit: Commit, *, brings_more: bool) -> None:
        """Write a step; whatever can fail, fails before the first change."""
        written, step = pinned_as(self.written, commit), codec.step_row(commit.step)
        snapshot = codec.snapshot_row(commit.snapshot) if commit.snapshot else self.snapshot
        if brings_more:
            self._take_what_comes_with(commit)
        self.written, self.lease, self.snapshot = written, commit.lease, snapshot
        self.updated_ms = written.updated_ms
        self.wake_ms = written._replace(queued=len(self.queue)).wake_ms if self.queue else written.own_wake_ms
        self.steps.append(step)
        if commit.epoch is None:
            self.epoch += 1

    def _take_what_comes_with(self, commit: Commit) -> None:
        """The effect that is settled, the key that is used, the event that is decided."""
        head = commit.head
        if commit.settlement is not None:
            self._settle(commit.settlement, head.updated_ms)
        if commit.key is not None:
            self.keys[commit.key] = (head.version, commit.fingerprint)
        if commit.dequeue is not None:
            key = codec.queued_of(commit.dequeue, self.queue.pop(commit.dequeue)).event.key
            if key is not None:
                self.keys[key] = (head.version, self.keys[key][1])

    def tail(self) -> Iterator[codec.StepRow]:
        """What ``Record.tail`` is made of; of steps that the snapshot covers, only the appended items."""
        if self.snapshot is None:
            yield from self.steps
            return
        covered, appended_since, _ = self.snapshot
        since = min(codec.decode(appended_since).values(), default=covered)
        for step in self.after(since, covered - since):
            if step.append is not None:
                yield step._replace(payload=None, delta=None, used=None)
        yield from self.after(covered)

    def after(self, version: int, limit: int | None = None) -> list[codec.StepRow]:
        """Steps above a version."""
        steps = self.steps[max(version - self.forgotten, 0) :]
        return steps if limit is None else steps[:limit]

    def is_open(self, key: str) -> bool:
        return key in self.effects and self.effects[key].ended_ms is None

    def _settle(self, settlement: Settlement, now_ms: int) -> None:
        row = self.effects.pop(settlement.key)
        if settlement.was_done:
            self.effects[row.key] = row._replace(ended_ms=now_ms, result=codec.encode(settlement.result))

    def begin(self, entry: EffectEntry, *, again: bool) -> EffectEntry | None:
        kept = self.effects.get(entry.key)
        if kept is None or (again and kept.ended_ms is None):
            self.effects[entry.key] = codec.effect_row(entry)
        return None if kept is None else codec.effect_of(kept)

    def end(self, entry: EffectEntry) -> bool:
        if not self.is_open(entry.key) or self.effects[entry.key].epoch != entry.epoch:
            return False
        ended = codec.effect_row(entry)
        self.effects[entry.key] = self.effects[entry.key]._replace(ended_ms=ended.ended_ms, result=ended.result)
        return True

    def effects_since(self, activation: int) -> tuple[EffectEntry, ...]:
        found = [row for row in self.effects.values() if row.activation >= activation]
        return tuple(codec.effect_of(row) for row in sorted(found, key=lambda row: row[1:4]))

    def shorten(self, origin: Origin) -> int:
        """Forget the steps that ``origin`` stands for."""
        row, forgotten = codec.origin_row(origin), max(origin.head.version - self.forgotten, 0)
        self.steps = self.steps[forgotten:]
        self.origin, self.snapshot = row, (row[0], "{}", row[2])
        self.epoch += 1
        return forgotten

    def size(self) -> Size:
        snapshots = [row for row in (self.snapshot, self.origin) if row]
        rest = [*self.queue.values(), *self.keys, *self.effects.values()]
        return Size(
            steps=len(self.steps),
            head=codec.weight([codec.pin_row(self.written), codec.moving_row(self.written)]),
            history=codec.weight(self.steps),
            snapshot=codec.weight(snapshots),
            rest=codec.weight(rest),
        )

    def export(self) -> AgentExport:
        return AgentExport(
            head=self.head,
            steps=tuple(codec.step_of(step) for step in self.steps),
            snapshot=codec.snapshot_of(self.snapshot) if self.snapshot else None,
            origin=codec.origin_of(self.origin) if self.origin else None,
            queue=tuple(codec.queued_of(number, text) for number, text in self.queue.items()),
            numbered=self.numbered,
            keys={key: KeyOutcome(*outcome) for key, outcome in self.keys.items()},
            start=self.start,
            effects=self.effects_since(0),
        )


def pinned_as(was: Head, commit: Commit) -> Head:
    """The head that a commit writes; what pins the agent is not a commit's to change, unless it ``repins``."""
    head = detached(commit.head)
    if not commit.repins and head[_PIN] != was[_PIN]:
        head = head._replace(workflow=was.workflow, workflow_version=was.workflow_version, definition=was.definition)
    return head if head.created_ms == was.created_ms else head._replace(created_ms=was.created_ms)


def detached(head: Head) -> Head:
    """A copy of ``head`` that shares nothing with it that is handed to users: they might change it."""
    if head.output is None and head.problem is None:
        return head
    return codec.head_of((*codec.pin_row(head), *codec.moving_row(head), *codec.HeldRow(0, 0)))


def kept_of(creation: Creation) -> Kept:
    """The rows of a new agent."""
    head, key = creation.head, creation.key
    return Kept(
        written=detached(head),
        wake_ms=head.own_wake_ms,
        lease=creation.lease,
        steps=[codec.step_row(step) for step in creation.steps],
        updated_ms=head.updated_ms,
        start=None if key is None else (key, creation.fingerprint),
    )


def kept_from(export: AgentExport) -> Kept:
    """The rows of an agent that another store kept."""
    head = export.head
    return Kept(
        written=detached(head),
        wake_ms=head.wake_ms,
        lease=head.lease,
        steps=[codec.step_row(step) for step in export.steps],
        updated_ms=head.updated_ms,
        epoch=head.epoch,
        snapshot=codec.snapshot_row(export.snapshot) if export.snapshot else None,
        queue={queued.number: codec.queued_row(queued) for queued in export.queue},
        numbered=export.numbered,
        keys={key: (outcome.version, outcome.fingerprint) for key, outcome in export.keys.items()},
        effects={entry.key: codec.effect_row(entry) for entry in export.effects},
        origin=codec.origin_row(export.origin) if export.origin else None,
        start=export.start,
    )
