"""The words of looking back: what a replay found, and what became of an agent that went back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fsm_agent.domain.agent import Agent
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.json import Json
from fsm_agent.domain.step import iso


class Mismatch(NamedTuple):
    """What does not add up; ``version`` names the step where it shows, ``None`` is the end."""

    version: int | None
    message: str

    def __str__(self) -> str:
        return self.message if self.version is None else f"version {self.version}: {self.message}"

    def to_json(self) -> dict[str, Json]:
        return {"version": self.version, "message": self.message}


@dataclass(frozen=True, slots=True)
class Replayed:
    """An agent that was rebuilt from its history."""

    id: str
    #: the earliest version that can be rebuilt, and the last
    first: int
    last: int
    mismatches: Sequence[Mismatch]
    #: as it was at the version that was asked for; ``None`` where the history makes no sense before it
    agent: Agent | None
    #: False if the beginning was written before steps said what they entered: visits and timers cannot be verified
    counts: bool = True
    #: True if words are erased, since a person is forgotten: what guards said of them cannot be verified
    is_erased: bool = False

    @property
    def is_verified(self) -> bool:
        return not self.mismatches

    def to_json(self) -> dict[str, Json]:
        """The replay as the command line prints it (a contract)."""
        return {
            "id": self.id,
            "versions": {"first": self.first, "last": self.last},
            "verified": self.is_verified,
            "mismatches": [mismatch.to_json() for mismatch in self.mismatches],
            "agent": self.agent and self.agent.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Rewound:
    """An agent that was rewound, and what its actions have done to the world since: that stays done."""

    agent: Agent
    #: begun after the version that is back; an open one may have happened or not
    effects: Sequence[EffectEntry]

    def to_json(self) -> dict[str, Json]:
        return {**self.agent.to_json(), "effects": [effect_json(entry) for entry in self.effects]}


def effect_json(entry: EffectEntry) -> dict[str, Json]:
    """An effect as the command line prints it (a contract)."""
    return {
        "key": entry.key,
        "name": entry.name,
        "use": entry.use,
        "activation": entry.activation,
        "mode": str(entry.mode),
        "begun_at": iso(entry.begun_ms),
        "ended_at": None if entry.ended_ms is None else iso(entry.ended_ms),
        "result": entry.result,
    }
