"""The words of effects: what an action does to the world outside, noted so that no recorded result is done again.

An effect belongs to an activation, whatever attempts, crashes and processes come between. It is *open* from its
beginning until its result is recorded; what is open when its driver is gone may have happened or not.
"""

from enum import Enum, StrEnum
from typing import Final, NamedTuple

from fsm_agent.domain.json import Json


class EffectMode(StrEnum):
    """What may happen to an open effect whose driver is gone."""

    #: done again, under the same key: whoever is asked knows the key and does it once
    IDEMPOTENT = "idempotent"
    #: never done again; the agent parks until an operator says what became of it
    AT_MOST_ONCE = "at_most_once"
    #: a probe is asked whether it was done
    CHECK = "check"


class Undone(Enum):
    """What a probe returns instead of a result."""

    NOT_DONE = "not done"


NOT_DONE: Final = Undone.NOT_DONE


class EffectEntry(NamedTuple):
    """One effect as it is kept."""

    #: by which the world outside knows it too
    key: str
    activation: int
    name: str
    #: 1 for the first use of that name under the activation
    use: int
    mode: EffectMode
    #: of its arguments
    fingerprint: str
    #: under which it was begun; only who begun it may record its result
    epoch: int
    begun_ms: int
    #: ``None`` while it is open
    ended_ms: int | None = None
    result: Json = None

    @property
    def is_open(self) -> bool:
        return self.ended_ms is None


class Settlement(NamedTuple):
    """What an operator says of an open effect: it was done, with this result, or (``was_done`` is false) it was not,
    and may be begun afresh."""

    key: str
    was_done: bool
    result: Json = None
