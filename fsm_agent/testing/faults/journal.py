"""The journal of a writer: it notes everything that it does, one line before and one after, in a file of its own.

A written line survives a kill of the process. Lines about calls and about effects are synced to the disk before
anything else happens. Lines about the store's verbs are synced together with the next of these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final, Literal, NamedTuple, TypeAlias

#: ``lost``: it never returned. ``failed``: it raised a ``StoreError``, so all of it happened or nothing. ``broken``: it
#: raised an error that is not one of ``fsm_agent.errors``.
Outcome: TypeAlias = Literal["ok", "refused", "failed", "broken", "lost"]

#: Verbs whose lines are synced to the disk at once.
SYNCED: Final = frozenset(
    {"start", "send", "answer", "unpark", "execute", "begin", "say", "speak", "remember", "forget"}
)


class Entry(NamedTuple):
    """One thing that a writer did. All processes of a host take the times from one clock, so they can be compared."""

    writer: str
    number: int
    verb: str
    facts: Mapping[str, Any]
    invoked_ns: int
    #: ``None`` if the writer ended before it returned
    returned_ns: int | None = None
    outcome: Outcome = "lost"
    reply: Mapping[str, Any] = {}

    @property
    def is_ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def is_unknown(self) -> bool:
        """Whether it may have happened or not."""
        return self.outcome in ("lost", "failed", "broken")


class WriterKilled(BaseException):
    """The writer of this journal was killed."""


class Journal:
    """The file ``<writer>.jsonl`` in ``folder``, one line a fact."""

    def __init__(self, folder: Path, writer: str) -> None:
        self.writer = writer
        self._file = os.open(folder / f"{writer}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._number = 0
        self._is_closed = False

    def begin(self, verb: str, facts: Mapping[str, Any]) -> int:
        """Note that an operation begins; returns its number."""
        self._number += 1
        self._write({"n": self._number, "verb": verb, "facts": facts}, is_synced=verb in SYNCED)
        return self._number

    def end(self, number: int, verb: str, outcome: Outcome, reply: Mapping[str, Any]) -> None:
        """Note how the operation ended."""
        self._write({"n": number, "outcome": outcome, "reply": reply}, is_synced=verb in SYNCED)

    def note(self, name: str, facts: Mapping[str, Any]) -> None:
        """Note something that has no end."""
        self._write({"note": name, "facts": facts}, is_synced=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._file).st_size

    def close(self) -> None:
        """Close the file. Every later attempt to note something raises ``WriterKilled``."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._file)

    def _write(self, line: dict[str, Any], *, is_synced: bool) -> None:
        if self._is_closed:
            raise WriterKilled
        os.write(self._file, (json.dumps({"t": monotonic_ns(), **line}) + "\n").encode())
        if is_synced:
            os.fdatasync(self._file)


class WriterLog(NamedTuple):
    """A journal as it was read back."""

    writer: str
    entries: tuple[Entry, ...]
    #: name, facts
    notes: tuple[tuple[str, Mapping[str, Any]], ...]
    #: the failpoint that ended the writer, if one did
    ended_at: Mapping[str, Any] | None
    #: the time of the last line
    last_ns: int = 0

    @property
    def open_verbs(self) -> frozenset[str]:
        """What the writer was doing when it ended."""
        return frozenset(entry.verb for entry in self.entries if entry.returned_ns is None)


def read_log(path: Path) -> WriterLog:
    """Read a journal. A last line that was cut short is ignored."""
    entries: dict[int, Entry] = {}
    notes: list[tuple[str, Mapping[str, Any]]] = []
    line: dict[str, Any] = {}
    for line in _lines(path):
        if "verb" in line:
            entries[line["n"]] = Entry(path.stem, line["n"], line["verb"], line["facts"], line["t"])
        elif "outcome" in line:
            entry = entries[line["n"]]
            entries[line["n"]] = entry._replace(returned_ns=line["t"], outcome=line["outcome"], reply=line["reply"])
        else:
            notes.append((line["note"], line["facts"]))
    ended_at = line["facts"] if line.get("note") == "failpoint" else None
    return WriterLog(path.stem, tuple(entries.values()), tuple(notes), ended_at, line.get("t", 0))


def read_logs(folder: Path) -> list[WriterLog]:
    """Read every journal in a folder."""
    return [read_log(path) for path in sorted(folder.glob("*.jsonl"))]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
