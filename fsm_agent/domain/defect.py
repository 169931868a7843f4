"""The words of a look at a whole store: what is wrong in it, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fsm_agent.domain.json import Json


class Defect(NamedTuple):
    """Something that is wrong: of which agent (``None`` is of none), where, what, and what to do about it."""

    agent: str | None
    place: str
    what: str
    advice: str

    def to_json(self) -> dict[str, Json]:
        """As the command line prints it (a contract)."""
        return dict(self._asdict())


@dataclass(slots=True)
class Inspection:
    """How much was looked at, and what is wrong with it."""

    agents: int = 0
    definitions: int = 0
    threads: int = 0
    users: int = 0
    defects: list[Defect] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.defects

    def to_json(self) -> dict[str, Json]:
        """As the command line prints it (a contract)."""
        return {
            "sound": self.is_sound,
            "agents": self.agents,
            "definitions": self.definitions,
            "threads": self.threads,
            "users": self.users,
            "findings": [defect.to_json() for defect in self.defects],
        }
