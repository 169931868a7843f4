"""What a sender has missed who has seen an earlier version than the present one, and what becomes of their event.

Who gives ``expect_version`` speaks about what they have seen. If the agent has left that (a state was entered, be it
the same one again; it was moved by hand; its history is not kept), the event is a ``Conflict``. If it stands where it
stood, and people have only edited its data:

- An event that stays in the state is an edit. It may stand beside others, unless both write a field that has no merge
  policy. Fields that both write are merged: what ours becomes is computed on what was seen.
- An event that leaves is a decision, on all that was seen. What has changed since must have a merge policy: that says
  of a field that its changes fight with nobody; and the question must be the one that was seen.

``append:`` of a transition adds to whatever is there, and fights with nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import Any, Final, NamedTuple

from fsm_agent.data.delta import Folded, fold
from fsm_agent.domain.agent import Status
from fsm_agent.domain.decision import Changes, Move
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Origin, Record
from fsm_agent.domain.step import NOTHING, Event, Happened, Step, Wanted
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Command, Load, ReadHistory, ReadOrigin
from fsm_agent.engine.merge import Unmergeable, merged
from fsm_agent.errors import Conflict

#: Who has missed more than this has seen another agent.
_MOST_STEPS: Final = 1_000


class MissedSteps(NamedTuple):
    """The steps between the version that ``ours`` expects and the present one, ``actual``."""

    agent_id: str
    actual: int
    ours: Wanted
    steps: tuple[Step, ...]
    #: the data as it was seen, where merging needs it
    seen: Mapping[str, Json] = NOTHING

    @property
    def fields(self) -> tuple[str, ...]:
        """The data fields that others have changed."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.delta.fields))

    @property
    def is_calm(self) -> bool:
        """Whether all missed steps are known, and none of them entered a state or was made by an operator."""
        is_whole = 0 < len(self.steps) == self.actual - self.ours.expected
        return is_whole and all(step.kind.facts.merges and not step.entered for step in self.steps)

    def conflict(self, fields: Collection[str] = ()) -> Conflict:
        """The ``Conflict`` that describes both sides; ``fields`` are those that our event would have written."""
        ours, theirs = self.ours._replace(fields=tuple(fields)), [Happened.of(step) for step in self.steps]
        return Conflict(self.agent_id, ours.expected, self.actual, ours=ours, theirs=theirs)

    def settle(self, aggregate: Aggregate, fighting: Collection[str], fields: Collection[str] = ()) -> None:
        """Raises ``Conflict`` if one of the fighting fields has no merge policy."""
        if not set(fighting) <= aggregate.program.workflow.merge.keys():
            raise self.conflict(fields)


def read_missed_steps(aggregate: Aggregate, ours: Wanted) -> Generator[Command, Any, MissedSteps | None]:
    """What happened since the version that ``ours`` expects; ``None`` if that is the present one."""
    head = aggregate.head
    if ours.expected == head.version:
        return None
    steps: tuple[Step, ...] = ()
    if ours.expected < head.version:
        steps = yield ReadHistory(head.id, max(ours.expected, 0), _MOST_STEPS)
    return MissedSteps(head.id, head.version, ours, tuple(step for step in steps if step.version <= head.version))


def insist(aggregate: Aggregate, event: Event, expect_version: int | None) -> Generator[Command, Any, None]:
    """Raises ``Conflict`` if a version is expected and the agent has another."""
    if expect_version is not None:
        missed = yield from read_missed_steps(aggregate, Wanted(event.name, event.payload, expect_version))
        if missed is not None:
            raise missed.conflict()


def missed_steps(aggregate: Aggregate, ours: Wanted | None) -> Generator[Command, Any, MissedSteps | None]:
    """Like ``read_missed_steps``, with the data as ``ours`` saw it where merging needs it. Raises ``Conflict`` if the
    agent has left the state that was seen."""
    if ours is None or (missed := (yield from read_missed_steps(aggregate, ours))) is None:
        return None
    if not missed.is_calm:
        raise missed.conflict()
    if aggregate.program.workflow.merge.keys().isdisjoint(missed.fields):
        return missed
    folded = yield from _data_at(aggregate.head.id, ours.expected)
    if folded is None:
        raise missed.conflict()
    return missed._replace(seen=folded.values)


def _data_at(agent_id: str, version: int) -> Generator[Command, Any, Folded | None]:
    """The data as of ``version``: from the snapshot, if it is not younger, else from the whole history."""
    record: Record = yield Load(agent_id)
    snapshot = record.snapshot
    if snapshot is None or snapshot.version <= version:
        return fold(snapshot, (step for step in record.tail if step.version <= version))
    origin: Origin | None = yield ReadOrigin(agent_id)
    since = origin.head.version if origin else 0
    if since > version:
        return None
    steps: tuple[Step, ...] = yield ReadHistory(agent_id, since, version - since)
    folded = Folded(dict(origin.values) if origin else {})
    for step in steps:
        folded.take(step.version, step.delta)
    return folded


def reconciled(aggregate: Aggregate, event: Event, move: Move, missed: MissedSteps) -> Changes:
    """The values that a transition writes, merged with those that others have written meanwhile; raises ``Conflict``
    where they cannot be merged."""
    program, visits, values = aggregate.program, aggregate.head.visits, aggregate.folded.values
    transition, changed = move.transition, missed.fields
    writes = (*transition.assign, *transition.append)
    ours = {name: value for name, value in transition.assign.items() if name in changed}
    missed.settle(aggregate, ours if move.is_internal else changed, writes)
    if not move.is_internal and any(step.asks_anew for step in missed.steps):
        raise missed.conflict(writes)
    if not ours:
        return program.changes(move, event, values, visits)
    # It would wait for the action, and what it is merged with would not.
    if move.is_internal and aggregate.head.status is Status.RUNNING:
        raise missed.conflict(writes)
    rest = {name: value for name, value in transition.assign.items() if name not in ours}
    now = program.changes(_writing(move, rest, transition.append), event, values, visits)
    then = program.changes(_writing(move, ours, {}), event, missed.seen, visits)
    policies = program.workflow.merge
    try:
        both = {
            name: merged(policies[name], missed.seen[name], theirs=values[name], ours=value)
            for name, value in then.assign.items()
        }
    except Unmergeable:
        raise missed.conflict(writes) from None
    return Changes({**now.assign, **both}, now.append)


def _writing(move: Move, assign: Mapping[str, Json], append: Mapping[str, str]) -> Move:
    """The move with only a part of what it writes."""
    return move._replace(transition=move.transition._replace(assign=assign, append=append))


def annotated(pending: PendingStep, missed: MissedSteps | None) -> PendingStep:
    """The step, with a reason that says which versions it was merged with."""
    if missed is None:
        return pending
    first, last = missed.ours.expected + 1, missed.actual
    which = f"version {last}" if first == last else f"versions {first} to {last}"
    return pending._replace(step=pending.step._replace(reason=f"merged with {which}"))
