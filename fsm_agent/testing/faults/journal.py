"""What a writer notes of everything that it does: a line before, a line after, in a file of its own.

A line that was written outlives a kill. Those of calls and of acts on the world are on the disk before anything else
happens; those of the store's verbs between them get there with the next of these.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final, Literal, NamedTuple, TypeAlias

#: ``lost``: nobody learnt what became of it. ``failed``: a ``StoreError``, so all or nothing. ``broken``: an error
#: that is none of ours.
Outcome: TypeAlias = Literal["ok", "refused", "failed", "broken", "lost"]

#: Verbs with lines that are on the disk before anything else happens.
SYNCED: Final = frozenset(
    {"start", "send", "answer", "unpark", "execute", "begin", "say", "speak", "remember", "forget"}
)


class Entry(NamedTuple):
    """One thing that a writer did. Times are of one clock for all processes of a host, and only to be compared."""

    writer: str
    number: int
    verb: str
    facts: Mapping[str, Any]
    invoked_ns: int
    #: ``None`` if the writer was gone before
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


class Gone(BaseException):
    """Whoever wrote this journal is no more."""


class Journal:
    """The file ``<writer>.jsonl`` in ``folder``, one line a fact."""

    def __init__(self, folder: Path, writer: str) -> None:
        self.writer = writer
        self._file = os.open(folder / f"{writer}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._number = 0
        self._is_closed = False

    def invoked(self, verb: str, facts: Mapping[str, Any]) -> int:
        """Note that something begins; returns its number."""
        self._number += 1
        self._write({"n": self._number, "verb": verb, "facts": facts}, is_synced=verb in SYNCED)
        return self._number

    def returned(self, number: int, verb: str, outcome: Outcome, reply: Mapping[str, Any]) -> None:
        """Note how it ended."""
        self._write({"n": number, "outcome": outcome, "reply": reply}, is_synced=verb in SYNCED)

    def noted(self, note: str, facts: Mapping[str, Any]) -> None:
        """Note what has no end of its own."""
        self._write({"note": note, "facts": facts}, is_synced=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._file).st_size

    def close(self) -> None:
        """From now on nothing more is noted; whoever tries is gone."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._file)

    def _write(self, line: dict[str, Any], *, is_synced: bool) -> None:
        if self._is_closed:
            raise Gone
        os.write(self._file, (json.dumps({"t": monotonic_ns(), **line}) + "\n").encode())
        if is_synced:
            os.fdatasync(self._file)


class Life(NamedTuple):
    """All that one writer noted."""

    writer: str
    entries: tuple[Entry, ...]
    #: note, facts
    notes: tuple[tuple[str, Mapping[str, Any]], ...]
    #: the failpoint that ended it, if one did
    ended_at: Mapping[str, Any] | None
    #: when it noted its last line
    last_ns: int = 0

    @property
    def open_verbs(self) -> frozenset[str]:
        """What it was about when it ended."""
        return frozenset(entry.verb for entry in self.entries if entry.returned_ns is None)


def read_life(path: Path) -> Life:
    """A journal as its writer left it; a last line that was cut short never was."""
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
    return Life(path.stem, tuple(entries.values()), tuple(notes), ended_at, line.get("t", 0))


def read_lives(folder: Path) -> list[Life]:
    """Every journal in a folder."""
    return [read_life(path) for path in sorted(folder.glob("*.jsonl"))]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
