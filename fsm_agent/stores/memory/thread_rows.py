"""Threads and users as the memory store keeps them: the rows that a database would keep."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from fsm_agent.domain.message import Message, is_own
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import UserConflict
from fsm_agent.stores import codec


@dataclass(slots=True)
class KeptThread:
    """One thread: rows by their numbers, which rise, and the last that was ever given."""

    numbers: list[int] = field(default_factory=list)
    rows: list[codec.MessageRow] = field(default_factory=list)
    last: int = 0

    def add(self, rows: Sequence[codec.MessageRow]) -> int:
        self.numbers.extend(range(self.last + 1, self.last + len(rows) + 1))
        self.rows.extend(rows)
        self.last += len(rows)
        return self.last

    def bounds(self, after: int, upto: int | None) -> tuple[int, int]:
        """Where in the lists the numbers above ``after`` begin, and where those above ``upto`` do."""
        end = len(self.numbers) if upto is None else bisect_right(self.numbers, upto)
        return bisect_right(self.numbers, after), end


class ThreadRows:
    """The threads and the users of one namespace."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptThread] = {}
        self._users: dict[str, tuple[int, int, str]] = {}

    def add(self, added: Sequence[tuple[str, Sequence[codec.MessageRow]]]) -> None:
        for name, rows in added:
            self.thread(name).add(rows)

    def thread(self, name: str) -> KeptThread:
        return self._kept.setdefault(name, KeptThread())

    def read(self, name: str, after: int, upto: int | None, limit: int | None, *, newest: bool) -> list[Message]:
        kept = self._kept.get(name, KeptThread())
        first, end = kept.bounds(after, upto)
        if limit is not None:
            first, end = (max(first, end - limit), end) if newest else (first, min(end, first + limit))
        return [codec.message_of(kept.numbers[at], kept.rows[at]) for at in range(first, end)]

    def revise(self, name: str, messages: Sequence[Message]) -> int:
        kept, count = self._kept.get(name, KeptThread()), 0
        for message, row in zip(messages, codec.message_rows(messages), strict=True):
            first, end = kept.bounds(message.number - 1, message.number)
            if first < end:
                kept.rows[first], count = row, count + 1
        return count

    def retract(self, name: str, after: int, upto: int | None) -> int:
        kept = self._kept.get(name, KeptThread())
        first, end = kept.bounds(after, upto)
        del kept.numbers[first:end], kept.rows[first:end]
        return max(end - first, 0)

    def adopt(self, name: str, last: int, messages: Sequence[Message]) -> None:
        self._kept[name] = KeptThread([message.number for message in messages], codec.message_rows(messages), last)

    def forget(self, name: str) -> None:
        self._kept.pop(name, None)

    def names(self, limit: int, after: str | None) -> list[str]:
        shared = sorted(name for name in self._kept if not is_own(name) and name > (after or ""))
        return shared[:limit]

    def weight(self, name: str) -> int:
        kept = self._kept.get(name, KeptThread())
        return codec.weight([list(row[1:]) for row in kept.rows]) + 8 * len(kept.rows)

    def user(self, name: str) -> UserRecord:
        row = self._users.get(name)
        return codec.user_of(name, row) if row else UserRecord(name)

    def users(self, limit: int, after: str | None) -> list[str]:
        return sorted(name for name in self._users if name > (after or ""))[:limit]

    def check_user(self, record: UserRecord) -> None:
        """Raises ``UserConflict`` unless a user is at the version before this one."""
        version = self._users.get(record.name, (0,))[0]
        if version != record.version - 1:
            raise UserConflict(record.name, record.version - 1, version)

    def keep_user(self, name: str, row: tuple[int, int, str]) -> None:
        self._users[name] = row
