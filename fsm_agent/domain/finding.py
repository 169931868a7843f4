"""What a check finds: a code, a place and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from fsm_agent.domain.json import Json

#: Where a node stands in a declaration: ``("states", "idle", "on", "new_task", "target")``.
Path: TypeAlias = tuple[str | int, ...]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    #: no mistake: what could not be told
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake, or one warning; ``code`` is stable and has an entry in docs/checks.md."""

    code: str
    message: str
    path: Path = ()
    severity: Severity = Severity.ERROR
    place: Place | None = None
    #: the way that shows it: states and events, for findings about paths
    witness: tuple[str, ...] = ()
    #: whether the mistake is the last name of ``path`` itself, and not what stands under it
    at_key: bool = False
    #: line and column, from 1, inside the text that stands at ``path``, for findings about expressions
    offset: tuple[int, int] | None = None

    def __str__(self) -> str:
        where = str(self.place) if self.place else ".".join(map(str, self.path)) or "workflow"
        return f"{where}: {self.code} {self.message}"

    def to_json(self) -> Mapping[str, Json]:
        place = self.place
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "file": place.file if place else None,
            "line": place.line if place else None,
            "column": place.column if place else None,
            "path": list(self.path),
            "witness": list(self.witness),
        }
