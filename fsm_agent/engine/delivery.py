"""Delivery of events and answers to agents that exist, and resumption of interrupted agents.

A refused event leaves nothing in the store: no row and no key. An event is stored before it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, NamedTuple

from fsm_agent.domain.agent import ENDED, Delivery, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.lease import Claimed
from fsm_agent.domain.step import Event, KeyOutcome, Wanted
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import standing
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.answers import Answer, explained, meant, refuse_closed
from fsm_agent.engine.commands import Command, Enqueue, Interrupt, IsAlive, RecordAttempt
from fsm_agent.engine.conflicts import MissedSteps, annotated, missed_steps, reconciled
from fsm_agent.engine.drive import addressed, advance, decide_queued, drive, fire, is_stranded, release
from fsm_agent.engine.problem_reports import problem_of
from fsm_agent.engine.steps import cancel, park, take
from fsm_agent.engine.timers import due_timer
from fsm_agent.engine.transaction import (
    Driver,
    Flow,
    claim,
    fingerprint_of,
    give_up_orphan,
    open_agent,
    patiently,
    used_alike,
    write,
)
from fsm_agent.errors import (
    Conflict,
    GuardsRefused,
    IllegalEvent,
    KeyReuse,
    LeaseHeld,
    LimitExceeded,
    Refused,
    UnknownEvent,
)


class Delivered(NamedTuple):
    """The agent after a call, and what became of the event. ``is_current`` is False if another process has taken the
    agent over meanwhile, so that it must be read again."""

    aggregate: Aggregate
    delivery: Delivery | None
    is_current: bool = True


class Turn(NamedTuple):
    """What a process has done with an agent that it had taken."""

    delivered: Delivered
    #: the driving has changed nothing, though the agent was due; its lease is kept
    is_vain: bool = False


def send(driver: Driver, agent_id: str, event: Event | Answer, *, expect_version: int | None = None) -> Flow:
    """Deliver an event or an answer, and drive on. Returns ``Delivered``; raises ``Refused``."""
    try:
        return (yield from patiently(lambda: _deliver(driver, agent_id, event, expect_version)))
    except Conflict:
        if expect_version is not None or isinstance(event, Answer):
            raise
    return (yield from patiently(lambda: _enqueue_anywhere(driver, agent_id, event)))


def _enqueue_anywhere(driver: Driver, agent_id: str, event: Event) -> Flow:
    """Queue an event for an agent that changes faster than this process can read it: the process that drives the agent
    decides the event too."""
    aggregate, outcome = yield from open_agent(driver, agent_id, event.key)
    if outcome is not None:
        return _repeated(aggregate, event, outcome)
    checked_event = checked(aggregate, event)
    yield Enqueue(agent_id, None, checked_event, fingerprint_of(event))
    aggregate, _ = yield from open_agent(driver, agent_id)
    if aggregate.head.queued and aggregate.head.is_paused:
        yield from _wake_when_free(aggregate)
    return (
        (yield from _drive_on(driver, aggregate, "queued")) if aggregate.head.queued else Delivered(aggregate, "queued")
    )


def _deliver(driver: Driver, agent_id: str, sent: Event | Answer, expect_version: int | None) -> Flow:
    aggregate, outcome = yield from open_agent(driver, agent_id, sent.key)
    if outcome is not None:
        return _repeated(aggregate, sent, outcome)
    if aggregate.head.is_paused:
        yield from give_up_orphan(aggregate)
    has_moved = yield from _catch_up(driver, aggregate)
    try:
        yield from refuse_closed(aggregate, sent)
        missed = yield from missed_steps(aggregate, _wanted(sent, expect_version))
        event, pending = _judged(aggregate, sent, missed)
    except Refused as error:
        refusal = yield from explained(aggregate, error)
        if has_moved and driver.drives:
            yield from drive(driver, aggregate)
        raise refusal from None
    what = fingerprint_of(event._replace(payload=sent.payload))
    delivery: Delivery = yield from _apply(driver, aggregate, event, pending, what, is_idle=has_moved)
    return (yield from _drive_on(driver, aggregate, delivery))


def _repeated(aggregate: Aggregate, sent: Event | Answer, outcome: KeyOutcome) -> Delivered:
    if not used_alike(outcome.fingerprint, sent.event if isinstance(sent, Answer) else sent.name, sent.payload):
        raise KeyReuse(sent.key or "")
    return Delivered(aggregate, "duplicate")


def _wanted(sent: Event | Answer, expect_version: int | None) -> Wanted | None:
    name = sent.event if isinstance(sent, Answer) else sent.name
    return None if expect_version is None else Wanted(name, sent.payload, expect_version)


def _judged(aggregate: Aggregate, sent: Event | Answer, missed: MissedSteps | None) -> tuple[Event, PendingStep]:
    """The event that was meant, with its payload made total, and the step that it makes; raises ``Refused``."""
    event = checked(aggregate, meant(aggregate, sent) if isinstance(sent, Answer) else sent)
    return event, decided(aggregate, event, missed)


def _catch_up(driver: Driver, aggregate: Aggregate) -> Generator[Command, Any, bool]:
    """Decide what was due before this event, so that a late event is refused as late even if no process was running.
    Returns whether anything was due."""
    version = aggregate.head.version
    while (turn := _overdue(driver, aggregate)) is not None:
        yield from turn
    return aggregate.head.version != version


def _overdue(driver: Driver, aggregate: Aggregate) -> Flow | None:
    """Queued events that no action holds up, then timers that are due. Of a running agent only those timers that
    take it out of its work; the others are for whoever drives it."""
    status = aggregate.head.status
    if is_stranded(aggregate):
        return decide_queued(driver, aggregate, from_outside=True)
    if status is Status.PARKED:
        return None
    if aggregate.queue and not aggregate.head.is_at_work:
        return decide_queued(driver, aggregate, from_outside=True)
    timer = None if status in ENDED else due_timer(aggregate, leaving_only=aggregate.head.is_at_work)
    return None if timer is None else _break_in(driver, aggregate, fire(aggregate, timer))


def _break_in(
    driver: Driver, aggregate: Aggregate, pending: PendingStep, *, key: str | None = None, fingerprint: str = ""
) -> Flow:
    """Commit a step from outside, and stop the action that it ends."""
    was_running = aggregate.head.status is Status.RUNNING
    yield from write(driver, aggregate, pending, from_outside=True, key=key, fingerprint=fingerprint)
    if was_running:
        yield Interrupt(aggregate.head.id, aggregate.head.epoch)


def _apply(
    driver: Driver, aggregate: Aggregate, event: Event, pending: PendingStep, what: str, *, is_idle: bool
) -> Generator[Command, Any, Delivery]:
    """Take an event from outside, or queue it behind the action that runs.

    ``is_idle`` says that none does: what this call decided before has brought the agent here.
    """
    kind = pending.step.kind
    if aggregate.head.is_at_work and not is_idle and kind is StepKind.EVENT and _is_internal(aggregate, pending):
        yield Enqueue(aggregate.head.id, aggregate.head.version, event, what)
        if aggregate.head.is_paused:
            yield from _wake_when_free(aggregate)
        return "queued"
    yield from _break_in(driver, aggregate, pending, key=event.key, fingerprint=what)
    return "queued" if kind is StepKind.PARKED else "applied"


def _wake_when_free(aggregate: Aggregate) -> Flow:
    """Make the agent due now, so that its queue is looked at as soon as nobody holds its lease. The present holder may
    have died, or may have looked at the queue for the last time."""
    with suppress(Conflict):
        yield RecordAttempt(aggregate.head.id, aggregate.head.epoch, 0, aggregate.now_ms)
        aggregate.head = aggregate.head._replace(retry_ms=aggregate.now_ms)


def _is_internal(aggregate: Aggregate, pending: PendingStep) -> bool:
    return pending.head.visits is aggregate.head.visits


def checked(aggregate: Aggregate, event: Event) -> Event:
    """The event with the defaults of its payload filled in; raises the refusals that need no look at the table."""
    program, head = aggregate.program, aggregate.head
    allowed = ("cancel",) if head.status is Status.PARKED else program.workflow.allowed(head.state)
    if event.name not in program.workflow.events and event.name != "cancel":
        raise UnknownEvent(event.name, [*program.workflow.events, "cancel"])
    if head.status in ENDED:
        raise IllegalEvent(
            event.name, head.state, (), why=f", because the agent {standing(head.status)}", is_declared=True
        )
    if head.status is Status.PARKED and event.name != "cancel":
        why = ", because the agent is parked and needs `unpark`"
        raise IllegalEvent(event.name, head.state, allowed, why=why, is_declared=True)
    if event.name in (claimed := program.claimed(head)):
        others = [name for name in allowed if name not in claimed]
        why = f" from outside, because {program.why_claimed(head.state)}"
        raise IllegalEvent(event.name, head.state, others, why=why, is_declared=True)
    if event.name != "cancel" and not program.machine.moves(head.state, event.name):
        others = [name for name in allowed if name not in claimed]
        raise IllegalEvent(event.name, head.state, others, is_declared=True)
    return addressed(aggregate, event)._replace(payload=program.payload_rules.complete(event.name, event.payload))


def decided(aggregate: Aggregate, event: Event, missed: MissedSteps | None = None) -> PendingStep:
    """The step that an event from outside makes; raises the refusal. An event that exceeds a limit parks the agent.

    Guards see the present data; what is written is merged with the steps that the sender has missed.
    """
    head, program = aggregate.head, aggregate.program
    match program.decide(head.state, event, aggregate.context(event)):
        case Taken(move):
            written = reconciled(aggregate, event, move, missed) if missed else None
            try:
                return annotated(take(aggregate, event, move, written=written), missed)
            except LimitExceeded as error:
                return park(aggregate, event, problem_of(error)._replace(held=event._replace(key=None)))
        case GuardsRefuse(guards):
            raise GuardsRefused(event.name, head.state, guards)
        case NotAllowed() if event.name == "cancel":
            if missed:
                missed.settle(aggregate, missed.fields)
            return annotated(cancel(aggregate, event), missed)
        case NotAllowed():
            raise IllegalEvent(event.name, head.state, program.workflow.allowed(head.state), is_declared=True)


def _drive_on(driver: Driver, aggregate: Aggregate, delivery: Delivery) -> Flow:
    """Drive what this call may drive: what it holds, or what nobody holds."""
    if not driver.drives:
        return Delivered(aggregate, delivery)
    if delivery == "queued" and aggregate.head.status is not Status.PARKED:
        if aggregate.head.lease and (yield IsAlive(aggregate.head.lease.holder)):
            return Delivered(aggregate, delivery)  # whoever drives the agent decides it
        try:
            yield from claim(driver, aggregate)
        except (LeaseHeld, Conflict):
            return Delivered(aggregate, delivery)
    return Delivered(aggregate, delivery, (yield from drive(driver, aggregate)))


def resume(driver: Driver, agent_id: str) -> Flow:
    """Go on with an agent that was interrupted, is due or is retrying. Returns ``Delivered``.

    Raises ``LeaseHeld`` if a living process drives it. Does nothing to one that waits for an event or has ended.
    """
    return (yield from patiently(lambda: _resume(driver, agent_id)))


def _resume(driver: Driver, agent_id: str) -> Flow:
    aggregate, _ = yield from open_agent(driver, agent_id)
    wake_ms = aggregate.head.wake_ms
    is_due = aggregate.head.status is Status.RUNNING or (wake_ms is not None and wake_ms <= aggregate.now_ms)
    if not is_due and not is_stranded(aggregate):
        yield from give_up_orphan(aggregate)
        return Delivered(aggregate, None)
    yield from claim(driver, aggregate)
    return Delivered(aggregate, None, (yield from drive(driver, aggregate)))


def go_on(driver: Driver, claimed: Claimed) -> Flow:
    """Go on with an agent that this process has taken. Returns a ``Turn``. Does nothing if somebody else has taken the
    agent over meanwhile."""
    aggregate, _ = yield from open_agent(driver, claimed.agent_id)
    before = aggregate.head
    if before.epoch != claimed.epoch or before.lease is None:
        return Turn(Delivered(aggregate, None))
    aggregate.lease = before.lease
    yield Interrupt(claimed.agent_id, claimed.epoch)  # what goes on here under a lease that ran out
    is_ours: bool = yield from advance(driver, aggregate)
    is_vain = is_ours and aggregate.missing is None and aggregate.head == before
    if is_ours and not is_vain:
        yield from release(aggregate)
    return Turn(Delivered(aggregate, None, is_ours), is_vain)
