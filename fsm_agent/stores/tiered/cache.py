"""What this process has read lately. It is kept as rows, so that no caller shares an object with it, and it is current
as long as version and epoch are those of the store."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fsm_agent.domain.agent import Head
from fsm_agent.domain.record import Commit, Committed, Record
from fsm_agent.stores import codec


@dataclass(slots=True)
class _Read:
    """An agent at one version under one epoch. The epoch counts too: shortening a history changes nothing else."""

    created_ms: int
    version: int
    epoch: int
    snapshot: tuple[int, str, str] | None
    tail: list[codec.StepRow]


class Hot:
    """The last ``most`` agents that were read or moved on here."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._read: OrderedDict[str, _Read] = OrderedDict()

    def has(self, agent_id: str) -> bool:
        return agent_id in self._read

    def keep(self, record: Record) -> None:
        """Remember what was read."""
        head = record.head
        snapshot = codec.snapshot_row(record.snapshot) if record.snapshot else None
        tail = [codec.step_row(step) for step in record.tail]
        self._read[head.id] = _Read(head.created_ms, head.version, head.epoch, snapshot, tail)
        self._read.move_to_end(head.id)
        while len(self._read) > self._most:
            self._read.popitem(last=False)

    def record(self, head: Head) -> Record | None:
        """The agent as it stands at ``head``, if that is what is remembered. Queues are not."""
        read = self._read.get(head.id)
        if read is None or head.queued or _stand(read) != (head.created_ms, head.version, head.epoch):
            return None
        self._read.move_to_end(head.id)
        snapshot = codec.snapshot_of(read.snapshot) if read.snapshot else None
        return Record(head, snapshot, tuple(codec.step_of(row) for row in read.tail))

    def step(self, commit: Commit, committed: Committed) -> None:
        """Go along with a step that was committed here."""
        head, before = commit.head, committed.epoch if commit.epoch is not None else committed.epoch - 1
        read = self._read.get(head.id)
        if read is None:
            return
        if commit.snapshot or _stand(read) != (head.created_ms, head.version - 1, before):
            del self._read[head.id]
            return
        read.version, read.epoch = head.version, committed.epoch
        read.tail.append(codec.step_row(commit.step))

    def claimed(self, seen: Head, epoch: int) -> None:
        """Go along with a lease that was taken here."""
        read = self._read.get(seen.id)
        if read is not None and read.epoch == seen.epoch:
            read.epoch = epoch

    def taken(self, agent_id: str, epoch: int) -> None:
        """Go along with a lease that was taken here, of whoever was due: the epoch went up by one."""
        read = self._read.get(agent_id)
        if read is not None and read.epoch == epoch - 1:
            read.epoch = epoch

    def forget(self, agent_id: str) -> None:
        self._read.pop(agent_id, None)


def _stand(read: _Read) -> tuple[Any, ...]:
    return (read.created_ms, read.version, read.epoch)
