"""The kinds of steps, and what is true of each: whoever adds one adds a row here."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class StepKind(StrEnum):
    """Why a version exists."""

    CREATED = "created"
    EVENT = "event"
    REFUSED = "refused"
    PARKED = "parked"
    UNPARKED = "unparked"
    CANCELLED = "cancelled"
    REWOUND = "rewound"
    FORKED = "forked"
    MIGRATED = "migrated"
    #: the action asks somebody, and waits in its state for the answer
    ASKED = "asked"
    #: words of a person became tombstones, in the data and in the steps before
    ERASED = "erased"

    @property
    def facts(self) -> "KindFacts":
        return STEP_KINDS[self]


class KindFacts(NamedTuple):
    """What is true of all steps of a kind."""

    #: by which it is stored; never given to another kind
    number: int
    #: what it is called in a history, with the names of facts of its payload
    label: str
    #: may be the first step of an agent
    begins: bool = False
    #: follows a transition of the workflow, or may
    follows_transition: bool = False
    #: leaves the agent in its state, and its data as they are
    stays: bool = False
    #: brings in what the agent, another agent or another definition says: its payload tells what
    restores: bool = False
    #: asks somebody something, or asks it anew
    asks: bool = False
    #: may leave the agent as somebody has seen it before, as far as their event is concerned
    merges: bool = False


STEP_KINDS: Final[Mapping[StepKind, KindFacts]] = MappingProxyType(
    {
        StepKind.CREATED: KindFacts(1, "", begins=True, follows_transition=True),
        StepKind.EVENT: KindFacts(2, "", follows_transition=True, merges=True),
        StepKind.REFUSED: KindFacts(3, "refused", stays=True, merges=True),
        StepKind.PARKED: KindFacts(4, "parked", stays=True, merges=True),
        StepKind.UNPARKED: KindFacts(5, "unparked", follows_transition=True, merges=True),
        StepKind.CANCELLED: KindFacts(6, "cancelled", stays=True),
        StepKind.REWOUND: KindFacts(7, "rewound to version {version}", restores=True, asks=True),
        StepKind.FORKED: KindFacts(
            8, "forked from agent {agent} at version {version}", begins=True, restores=True, asks=True
        ),
        StepKind.MIGRATED: KindFacts(
            9, "migrated from workflow version {from_version} to {to_version}", restores=True, asks=True
        ),
        StepKind.ASKED: KindFacts(10, "asked", asks=True),
        StepKind.ERASED: KindFacts(11, "words erased", stays=True),
    }
)
