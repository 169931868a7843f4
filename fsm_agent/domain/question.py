"""What a waiting agent asks.

A question has an identity: the version of the step that rendered it. Whoever answers may name it, so that an answer
never falls on another question than the one that was read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json, Schema


class Asked(NamedTuple):
    """The part of a question that is rendered and kept; the rest stands in the definition."""

    prompt: str
    #: who may answer; empty is anybody
    to: tuple[str, ...] = ()
    #: the possible answers, where an action asks; empty is what the state declares
    events: tuple[str, ...] = ()
    #: the version of the step that rendered it; 0 where an earlier version of the package has kept it
    id: int = 0

    def says_the_same(self, other: "Asked | None") -> bool:
        """Whether the other one asks the same of the same people, whichever step rendered it."""
        return other is not None and self[:_SAID] == other[:_SAID]


#: what stands before the id
_SAID: Final = Asked._fields.index("id")


class Question(NamedTuple):
    """What a waiting agent asks, complete."""

    prompt: str
    #: answer event -> JSON Schema of its payload
    events: Mapping[str, Schema]
    #: who may answer; empty is anybody
    to: tuple[str, ...] = ()
    #: when it lapses: the earliest armed timer
    deadline: datetime | None = None
    #: the version of the step that rendered it
    id: int = 0

    def is_for(self, by: str | None) -> bool:
        """Whether somebody may answer it."""
        return not self.to or by in self.to

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "prompt": self.prompt,
            "to": self.to[0] if len(self.to) == 1 else list(self.to) or None,
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "events": {event: dict(schema) for event, schema in self.events.items()},
        }
