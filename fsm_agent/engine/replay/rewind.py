"""Going back, and going another way from there: a rewind is one more step of an agent, a fork is the first step of
another one. Neither changes anything that is written already.

A rewind is like an event from outside: whoever drove the agent drives no more. What was queued before it has no place
any more and is refused on record (``drive.is_stranded``), by this call or, after a crash, by whoever comes next. Keys
stay used, and what actions have done to the world stays done. Limits are not asked.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_agent.data.delta import own, step_weight
from fsm_agent.data.erased import Extent, extent_of
from fsm_agent.domain.agent import Status
from fsm_agent.domain.effect import EffectEntry
from fsm_agent.domain.record import Creation
from fsm_agent.domain.step import Delta, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Command, Interrupt, Now, ReadEffects
from fsm_agent.engine.conflicts import insist
from fsm_agent.engine.delivery import Delivered
from fsm_agent.engine.drive import decide_queued, drive, is_stranded
from fsm_agent.engine.replay.history import Past, read_past
from fsm_agent.engine.replay.restore import difference, parts_of, restored
from fsm_agent.engine.start import made_before
from fsm_agent.engine.steps import with_progress
from fsm_agent.engine.transaction import Driver, Flow, fingerprint, in_hand, patiently, started, write
from fsm_agent.errors import AgentErased, AgentExists, Conflict


@dataclass(frozen=True, slots=True)
class WentBack:
    """Where a rewound agent stands, and the effects that were begun after the version that is back."""

    delivered: Delivered
    effects: Sequence[EffectEntry]


def rewind(driver: Driver, agent_id: str, version: int, *, by: str | None, expect_version: int | None = None) -> Flow:
    """Bring an earlier version back as a new step, and drive on. Returns ``WentBack``.

    Raises ``VersionMissing``, ``AgentErased``, and ``Conflict`` if the agent is not at ``expect_version``.
    """
    event = Event("rewind", {"version": version}, by)
    return (yield from patiently(lambda: _rewind(driver, agent_id, event, expect_version)))


def _rewind(driver: Driver, agent_id: str, event: Event, expect_version: int | None) -> Flow:
    past, version = (yield from read_past(agent_id)), event.payload["version"]
    aggregate = in_hand(driver, past.record, (yield Now()))
    yield from insist(aggregate, event, expect_version)
    _refuse_erased(past)
    then = past.at(version)
    was_running = aggregate.head.status is Status.RUNNING
    pending = _back(aggregate, then, event)
    repins = pending.head.definition != aggregate.head.definition
    yield from write(driver, aggregate, pending, from_outside=True, repins=repins)
    aggregate.program = then.program
    if was_running:
        yield Interrupt(agent_id, aggregate.head.epoch)
    effects: Sequence[EffectEntry] = yield ReadEffects(agent_id, then.head.activation or version + 1)
    is_current = yield from _refuse_stranded(driver, aggregate)
    if is_current and driver.drives:
        is_current = yield from drive(driver, aggregate)
    since = (entry for entry in effects if entry.activation > version or entry.begun_ms >= then.head.updated_ms)
    return WentBack(Delivered(aggregate, None, is_current), tuple(since))


def _refuse_erased(past: Past) -> None:
    """Whoever was erased has nothing to go on with."""
    if extent_of(past.steps) is Extent.WHOLE:
        raise AgentErased(past.record.head.id)


def _back(aggregate: Aggregate, then: Aggregate, event: Event) -> PendingStep:
    """The step that makes an agent what it was. The event that it was parked with, if there is one, is dropped."""
    held = aggregate.head.problem.held if aggregate.head.problem else None
    step = Step(
        version=aggregate.head.version + 1,
        kind=StepKind.REWOUND,
        event=event.name,
        payload={**event.payload, **parts_of(then.head)},
        source=aggregate.head.state,
        target=then.head.state,
        at_ms=aggregate.now_ms,
        delta=difference(aggregate.folded.values, then.folded.values),
        by=event.by,
        reason=held and f"event {held.name!r}, with which it was parked, is refused",
    )
    head = aggregate.head._replace(unfolded=aggregate.head.unfolded + step_weight(step.delta))
    back = restored(then.program, head, step, then.folded.values)
    return PendingStep(with_progress(then.program, back, then.folded.values), step)


def _refuse_stranded(driver: Driver, aggregate: Aggregate) -> Generator[Command, Any, bool]:
    """Refuse what was queued before the rewind. False if somebody else was faster, and does it."""
    try:
        while is_stranded(aggregate):
            yield from decide_queued(driver, aggregate, from_outside=True)
    except Conflict:
        return False
    return True


def fork(driver: Driver, agent_id: str, version: int | None, *, new_id: str, key: str | None, by: str | None) -> Flow:
    """Bring another agent into being, as this one was at a version (``None`` is the present one). Returns
    ``Delivered``; a repeat of ``key`` gives the agent that the first call made.

    Raises ``VersionMissing``, ``AgentErased``, and ``AgentExists`` if the new id is taken.
    """
    what = fingerprint("fork", agent_id, version)
    if key is not None and (known := (yield from made_before(driver, key, what))):
        return known
    past = yield from read_past(agent_id)
    _refuse_erased(past)
    then = past.at(past.last if version is None else version)
    aggregate = started(then.program, new_id, (yield Now()), own(dict(then.folded.values)))
    forked = past.record.head
    aggregate.head = aggregate.head._replace(user=forked.user, labels=forked.labels)
    pending = _branch(aggregate, then, agent_id, by)
    try:
        head = yield Creation(pending.head, (pending.step,), key, what)
    except AgentExists:
        if key is not None and (known := (yield from made_before(driver, key, what))):
            return known
        raise
    aggregate.head = pending.head._replace(epoch=head.epoch)
    return Delivered(aggregate, "applied")


def _branch(aggregate: Aggregate, then: Aggregate, agent_id: str, by: str | None) -> PendingStep:
    step = Step(
        version=1,
        kind=StepKind.FORKED,
        event="fork",
        payload={"agent": agent_id, "version": then.head.version, **parts_of(then.head)},
        source=None,
        target=then.head.state,
        at_ms=aggregate.now_ms,
        delta=Delta(own(aggregate.folded.values)),
        by=by,
    )
    branch = restored(then.program, aggregate.head, step, aggregate.folded.values)
    return PendingStep(with_progress(then.program, branch, aggregate.folded.values), step)
