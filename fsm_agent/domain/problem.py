"""The words of what went wrong: why an agent failed or is parked, or why its action is tried again."""

from typing import Final, NamedTuple

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Event, Step, iso

#: the type of the problem that no action has the name that a state gives; also the name of the error's class
MISSING_ACTION: Final = "ActionMissing"


class Problem(NamedTuple):
    """Why an agent failed or is parked, or why its last attempt failed."""

    type: str
    message: str
    #: the event it was parked with, to be retried
    held: Event | None = None
    #: ``file:line`` of the user's code; empty where that is not known
    place: str = ""

    @property
    def is_missing_action(self) -> bool:
        """Whether the action was missing. A running agent is then left to other workers, any other one is parked."""
        return self.type == MISSING_ACTION

    def to_json(self) -> dict[str, Json]:
        """``place`` is left out where it is not known."""
        told = {"type": self.type, "message": self.message}
        return {**told, "place": self.place} if self.place else told


def why_parked(step: Step) -> Problem:
    """What a step that parked its agent says of why. Its event may tell of another error, which could not be dealt
    with."""
    kind, _, message = (step.reason or "").partition(": ")
    told = (step.payload.get("type", kind), step.payload.get("message", message))
    is_same = told == (kind, message)
    return Problem(kind, message, place=step.payload.get("place", "") if is_same else "")


class Retrying(NamedTuple):
    """An action that has failed and is tried again, or that no worker has had so far."""

    #: the one that comes next; 2 after the first has failed, 1 if there was none
    attempt: int
    #: when that is due; ``None`` is now
    at_ms: int | None
    #: why the last one failed; ``None`` where the store does not keep that
    problem: Problem | None

    @property
    def is_left_to_others(self) -> bool:
        """Whether no worker that took the agent had its action."""
        return self.problem is not None and self.problem.is_missing_action

    def to_json(self) -> dict[str, Json]:
        return {
            "attempt": self.attempt,
            "at": None if self.at_ms is None else iso(self.at_ms),
            "error": self.problem.to_json() if self.problem else None,
        }
