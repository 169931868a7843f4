"""The words of a look at a whole store: what is wrong in it, and how much was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Damage

RESTORE: Final = "restore it from a backup; until then nothing of it can be used, and everything else can"
RESTORE_STORE: Final = "restore the store from a backup"
REPAIR: Final = "`fsm-agent doctor --repair` makes the index say what the agents say"


class Defect(NamedTuple):
    """Something that is wrong: of which agent (``None`` is of none), where, what, and what to do about it."""

    agent: str | None
    place: str
    what: str
    advice: str

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints, which is a contract."""
        return dict(self._asdict())


@dataclass(slots=True)
class Inspection:
    """How much was looked at, and what is wrong with it."""

    #: those that cannot be read included
    agents: int = 0
    #: of them those that lists leave out
    unreadable: int = 0
    definitions: int = 0
    threads: int = 0
    users: int = 0
    defects: list[Defect] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.defects

    def to_json(self) -> dict[str, Json]:
        """The JSON that the command line prints, which is a contract."""
        return {
            "sound": self.is_sound,
            "agents": self.agents,
            "unreadable": self.unreadable,
            "definitions": self.definitions,
            "threads": self.threads,
            "users": self.users,
            "findings": [defect.to_json() for defect in self.defects],
        }


def defect_of(damage: Damage) -> Defect:
    restore = RESTORE if damage.agent_id else RESTORE_STORE
    return Defect(damage.agent_id or None, damage.place, damage.what, REPAIR if damage.is_index else restore)
