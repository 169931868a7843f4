"""Errors of agents: what was wanted of one cannot be had now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from fsm_agent.domain.text import listed, shortened, standing
from fsm_agent.errors.base import Refused

if TYPE_CHECKING:
    from fsm_agent.domain.lease import Lease
    from fsm_agent.domain.step import Happened, Wanted


#: Steps of others that a conflict tells one by one.
_MOST_TOLD: Final = 3


class Conflict(Refused):
    """Carries both sides: the version that was expected and the one that is.

    Where somebody gave ``expect_version``, ``ours`` is what they wanted and ``theirs`` the steps that were first; of
    very many, the first ones. ``ours`` is ``None`` where two only met at the store, so that the same call may be tried
    again.
    """

    def __init__(
        self,
        agent_id: str,
        expected: int,
        actual: int | None = None,
        *,
        ours: Wanted | None = None,
        theirs: Sequence[Happened] = (),
    ) -> None:
        self.agent_id, self.expected, self.actual = agent_id, expected, actual
        self.ours, self.theirs = ours, tuple(theirs)
        found = "has moved on" if actual is None else f"is at version {actual}"
        why = f"somebody else was first{'' if ours is None else ', and the history of it is not kept'}"
        if self.theirs:
            missed = max(actual or 0, self.theirs[-1].version) - expected
            why = f"since then {_told(self.theirs, missed)}"
        elif ours is not None and actual is not None and actual < expected:
            why = "there is no such version yet"
        super().__init__(f"agent {agent_id!r} {found}, and version {expected} was expected: {why}")


class UserConflict(Refused):
    """What is remembered of a user has changed since it was read."""

    def __init__(self, user: str, expected: int, actual: int) -> None:
        self.user, self.expected, self.actual = user, expected, actual
        super().__init__(
            f"what is remembered of user {user!r} is at version {actual}, and version {expected} was expected: "
            "read it again, and decide on what it says now"
        )


class LeaseHeld(Refused):
    def __init__(self, agent_id: str, lease: Lease) -> None:
        self.lease = lease
        super().__init__(f"agent {agent_id!r} is driven by {lease.holder} now; wait for it, or stop that process")


class AgentExists(Refused):
    def __init__(self, agent_id: str) -> None:
        super().__init__(f"agent {agent_id!r} exists already; choose another id, or repeat the key that made it")


class AgentNotFound(Refused):
    """``shortest_part`` is how much of an id would have been enough, where that was the mistake."""

    def __init__(self, agent_id: str, namespace: str = "default", *, shortest_part: int | None = None) -> None:
        where = f"in namespace {namespace!r}"
        part = f", and a part of an id needs at least {shortest_part} characters" if shortest_part else ""
        super().__init__(f"no agent {shortened(agent_id)} {where}{part}; `fsm-agent list` shows those there are")


class AgentAmbiguous(Refused):
    """A part of an id that several agents have; ``allowed`` are theirs, or the first of them."""

    def __init__(self, text: str, candidates: Sequence[str], *, are_all: bool = True) -> None:
        self.allowed = tuple(candidates)
        more = "" if are_all else " and others"
        super().__init__(
            f"several agents have an id that begins or ends with {text!r}: {listed(candidates)}{more}; write more of it"
        )


class IdInvalid(Refused):
    def __init__(self, text: str) -> None:
        super().__init__(
            f"id {shortened(text)} is not allowed: write 1 to 128 letters, digits, '.', '_' or '-', "
            "a letter or digit first"
        )


class NotParked(Refused):
    def __init__(self, agent_id: str, status: str) -> None:
        super().__init__(f"agent {agent_id!r} {standing(status)}, and only a parked one can be unparked")


class EffectNotOpen(Refused):
    """``open_`` names what may be settled, each as ``name (key)``."""

    def __init__(self, agent_id: str, key: str, open_: Iterable[str]) -> None:
        super().__init__(f"agent {agent_id!r} has no open effect {shortened(key)}; open: {listed(open_)}")


class MoveImpossible(Refused):
    """A play wants an action to say something, and none works."""

    def __init__(self, number: int, move: str, state: str, status: str) -> None:
        super().__init__(
            f"move {number}, {move}, needs an action at work, and the agent {standing(status)} in {state!r}"
        )


class OtherWorkflow(Refused):
    def __init__(self, agent_id: str, workflow: str, wanted: str) -> None:
        super().__init__(
            f"agent {agent_id!r} is of workflow {workflow!r}, and can move only within it, not to {wanted!r}"
        )


class AgentErased(Refused):
    def __init__(self, agent_id: str) -> None:
        super().__init__(
            f"agent {agent_id!r} is erased, since the person whom it served is forgotten: it can be looked at, and "
            "neither be brought back nor be forked"
        )


class WorkflowUnknown(Refused):
    """``allowed`` are the workflows that can be started."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.allowed = tuple(sorted(known))
        super().__init__(f"no workflow {shortened(name)} can be started here; there are {listed(self.allowed)}")


class VersionMissing(Refused):
    def __init__(self, agent_id: str, version: int, first: int, last: int, *, is_forgotten: bool = False) -> None:
        there = f"there is version {first}" if first == last else f"there are versions {first} to {last}"
        why = f"version {version} of agent {agent_id!r} is forgotten, since its history was shortened"
        super().__init__(f"{why if is_forgotten else f'agent {agent_id!r} has no version {version}'}; {there}")


def _told(steps: Sequence[Happened], count: int) -> str:
    """The first of ``count`` steps, and how many more there are."""
    told = [str(step) for step in steps[:_MOST_TOLD]]
    if rest := count - len(told):
        told.append("1 more step was taken" if rest == 1 else f"{rest} more steps were taken")
    return f"{', '.join(told[:-1])} and {told[-1]}" if len(told) > 1 else told[0]
