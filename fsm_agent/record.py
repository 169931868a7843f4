"""The words between the rules and the stores: what is to be written, and what was read.

The rules make these and the stores keep them; neither looks into the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fsm_agent.agent import Head, KeyOutcome, Queued, Step
from fsm_agent.jsontypes import Json
from fsm_agent.lease import Lease


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The data as of ``version``, in place of the deltas up to it.

    ``values`` holds every field. A list that is only appended to is not repeated in it: ``values`` has what it was
    at version ``appended_since[field]``, and the items since then stand in the histories' ``append``.
    """

    version: int
    values: Mapping[str, Json]
    appended_since: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Creation:
    """A new agent: its head after ``steps`` (``created``, and the first event's step if there was one)."""

    head: Head
    steps: tuple[Step, ...]
    key: str | None = None
    fingerprint: str = ""
    #: taken over the new agent at once, if it has work to do and the creator does it
    lease: Lease | None = None


class Commit(NamedTuple):
    """One step of one agent. ``head.version`` is ``step.version``, one more than the version it stands on."""

    head: Head
    step: Step
    #: the epoch under which the driver holds its lease; ``None`` is somebody from outside, who raises the epoch
    epoch: int | None
    #: the lease after this step; ``None`` gives it up
    lease: Lease | None = None
    snapshot: Snapshot | None = None
    #: number of the queued event that this step decides
    dequeue: int | None = None
    #: written with the step; a taken key refuses it
    key: str | None = None
    fingerprint: str = ""


class Committed(NamedTuple):
    """What the store knows after a commit: the epoch that now holds, and how many events are queued."""

    epoch: int
    queued: int


@dataclass(frozen=True, slots=True)
class Record:
    """An agent as stored. ``tail`` is what ``delta.fold`` needs on top of ``snapshot``, in order of version."""

    head: Head
    snapshot: Snapshot | None
    #: every step after the snapshot, and those before it that appended to a list in ``appended_since``
    tail: tuple[Step, ...]
    queue: tuple[Queued, ...] = ()
    #: of the key that ``load`` was asked about
    outcome: KeyOutcome | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some heads, in order of id, and the id to go on after, if there are more."""

    heads: tuple[Head, ...]
    next: str | None
