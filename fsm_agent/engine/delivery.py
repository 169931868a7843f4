"""What comes from outside to agents that live: events and answers; and going on with what was interrupted.

A refused event leaves nothing behind: no row, no key. What is acknowledged is in the store before it is.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, NamedTuple

from fsm_agent.domain.agent import ENDED, Delivery, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.step import Event, KeyOutcome, StepKind, Wanted
from fsm_agent.domain.text import standing
from fsm_agent.engine.aggregate import Live, Proposal, cancel, park, take
from fsm_agent.engine.answers import Answer, explained, meant, refuse_closed
from fsm_agent.engine.commands import Effect, Enqueue, Interrupt, IsAlive, RecordAttempt
from fsm_agent.engine.conflicts import Meanwhile, annotated, look_back, reconciled
from fsm_agent.engine.drive import addressed, decide_queued, drive, due_timer, fire, is_stranded
from fsm_agent.engine.problems import problem_of
from fsm_agent.engine.transaction import (
    Desk,
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
    """Where an agent stands after a call, and how the event fared. ``is_current`` is False when somebody else
    has taken the agent over meanwhile, so that it must be read again."""

    live: Live
    delivery: Delivery | None
    is_current: bool = True


def send(desk: Desk, agent_id: str, event: Event | Answer, *, expect_version: int | None = None) -> Flow:
    """Deliver an event or an answer, and drive on. Returns ``Delivered``; raises ``Refused``."""
    try:
        return (yield from patiently(lambda: _deliver(desk, agent_id, event, expect_version)))
    except Conflict:
        if expect_version is not None or isinstance(event, Answer):
            raise
    return (yield from patiently(lambda: _leave_note(desk, agent_id, event)))


def _leave_note(desk: Desk, agent_id: str, event: Event) -> Flow:
    """Queue an event for an agent that is faster than whoever reads it: who moves it on decides the event too."""
    live, outcome = yield from open_agent(desk, agent_id, event.key)
    if outcome is not None:
        return _repeated(live, event, outcome)
    noted = checked(live, event)
    yield Enqueue(agent_id, None, noted, fingerprint_of(event))
    live, _ = yield from open_agent(desk, agent_id)
    if live.head.queued and live.head.is_paused:
        yield from _wake_when_free(live)
    return (yield from _drive_on(desk, live, "queued")) if live.head.queued else Delivered(live, "queued")


def _deliver(desk: Desk, agent_id: str, said: Event | Answer, expect_version: int | None) -> Flow:
    live, outcome = yield from open_agent(desk, agent_id, said.key)
    if outcome is not None:
        return _repeated(live, said, outcome)
    if live.head.is_paused:
        yield from give_up_orphan(live)
    has_moved = yield from _catch_up(desk, live)
    try:
        yield from refuse_closed(live, said)
        meanwhile = yield from look_back(live, _wanted(said, expect_version))
        event, proposal = _judged(live, said, meanwhile)
    except Refused as error:
        refusal = yield from explained(live, error)
        if has_moved and desk.drives:
            yield from drive(desk, live)
        raise refusal from None
    what = fingerprint_of(event._replace(payload=said.payload))
    delivery: Delivery = yield from _apply(desk, live, event, proposal, what, is_idle=has_moved)
    return (yield from _drive_on(desk, live, delivery))


def _repeated(live: Live, said: Event | Answer, outcome: KeyOutcome) -> Delivered:
    if not used_alike(outcome.fingerprint, said.event if isinstance(said, Answer) else said.name, said.payload):
        raise KeyReuse(said.key or "")
    return Delivered(live, "duplicate")


def _wanted(said: Event | Answer, expect_version: int | None) -> Wanted | None:
    name = said.event if isinstance(said, Answer) else said.name
    return None if expect_version is None else Wanted(name, said.payload, expect_version)


def _judged(live: Live, said: Event | Answer, meanwhile: Meanwhile | None) -> tuple[Event, Proposal]:
    """The event that was meant, with its payload made total, and the step that it makes; raises ``Refused``."""
    event = checked(live, meant(live, said) if isinstance(said, Answer) else said)
    return event, decided(live, event, meanwhile)


def _catch_up(desk: Desk, live: Live) -> Generator[Effect, Any, bool]:
    """Decide what came before, so that a late event is late though nobody was awake; whether there was anything."""
    version = live.head.version
    while (turn := _overdue(desk, live)) is not None:
        yield from turn
    return live.head.version != version


def _overdue(desk: Desk, live: Live) -> Flow | None:
    """Queued events that no action holds up, then timers that are due. Of a running agent only those timers that
    take it out of its work; the others are for whoever drives it."""
    status = live.head.status
    if is_stranded(live):
        return decide_queued(desk, live, from_outside=True)
    if status is Status.PARKED:
        return None
    if live.queue and not live.head.is_at_work:
        return decide_queued(desk, live, from_outside=True)
    timer = None if status in ENDED else due_timer(live, leaving_only=live.head.is_at_work)
    return None if timer is None else _break_in(desk, live, fire(live, timer))


def _break_in(desk: Desk, live: Live, proposal: Proposal, *, key: str | None = None, fingerprint: str = "") -> Flow:
    """Commit a step from outside, and stop the action that it ends."""
    was_running = live.head.status is Status.RUNNING
    yield from write(desk, live, proposal, from_outside=True, key=key, fingerprint=fingerprint)
    if was_running:
        yield Interrupt(live.head.id, live.head.epoch)


def _apply(
    desk: Desk, live: Live, event: Event, proposal: Proposal, what: str, *, is_idle: bool
) -> Generator[Effect, Any, Delivery]:
    """Take an event from outside, or queue it behind the action that runs.

    ``is_idle`` says that none does: what this call decided before has brought the agent here.
    """
    kind = proposal.step.kind
    if live.head.is_at_work and not is_idle and kind is StepKind.EVENT and _is_internal(live, proposal):
        yield Enqueue(live.head.id, live.head.version, event, what)
        if live.head.is_paused:
            yield from _wake_when_free(live)
        return "queued"
    yield from _break_in(desk, live, proposal, key=event.key, fingerprint=what)
    return "queued" if kind is StepKind.PARKED else "applied"


def _wake_when_free(live: Live) -> Flow:
    """Let somebody look at the queue as soon as nobody holds the agent: whoever holds it may have died, or have looked
    for the last time. Who takes it over meanwhile looks as well."""
    with suppress(Conflict):
        yield RecordAttempt(live.head.id, live.head.epoch, 0, live.now_ms)
        live.head = live.head._replace(retry_ms=live.now_ms)


def _is_internal(live: Live, proposal: Proposal) -> bool:
    return proposal.head.visits is live.head.visits


def checked(live: Live, event: Event) -> Event:
    """The event with its payload made total; raises what refuses it before the table is asked."""
    program, head = live.program, live.head
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
    return addressed(live, event)._replace(payload=program.payload_rules.complete(event.name, event.payload))


def decided(live: Live, event: Event, meanwhile: Meanwhile | None = None) -> Proposal:
    """The step that an event from outside makes; raises what refuses it. Beyond a limit the agent parks with it.

    Guards look at what is; what is written is merged with what its sender has missed.
    """
    head, program = live.head, live.program
    match program.decide(head.state, event, live.scene(event)):
        case Taken(move):
            written = reconciled(live, event, move, meanwhile) if meanwhile else None
            try:
                return annotated(take(live, event, move, written=written), meanwhile)
            except LimitExceeded as error:
                return park(live, event, problem_of(error)._replace(held=event._replace(key=None)))
        case GuardsRefuse(guards):
            raise GuardsRefused(event.name, head.state, guards)
        case NotAllowed() if event.name == "cancel":
            if meanwhile:
                meanwhile.settle(live, meanwhile.fields)
            return annotated(cancel(live, event), meanwhile)
        case NotAllowed():
            raise IllegalEvent(event.name, head.state, program.workflow.allowed(head.state), is_declared=True)


def _drive_on(desk: Desk, live: Live, delivery: Delivery) -> Flow:
    """Drive what this call may drive: what it holds, or what nobody holds."""
    if not desk.drives:
        return Delivered(live, delivery)
    if delivery == "queued" and live.head.status is not Status.PARKED:
        if live.head.lease and (yield IsAlive(live.head.lease.holder)):
            return Delivered(live, delivery)  # whoever drives the agent decides it
        try:
            yield from claim(desk, live)
        except (LeaseHeld, Conflict):
            return Delivered(live, delivery)
    return Delivered(live, delivery, (yield from drive(desk, live)))


def resume(desk: Desk, agent_id: str) -> Flow:
    """Go on with an agent that was interrupted, is due or is retrying. Returns ``Delivered``.

    Raises ``LeaseHeld`` if a living process drives it. Does nothing to one that waits for an event or has ended.
    """
    return (yield from patiently(lambda: _resume(desk, agent_id)))


def _resume(desk: Desk, agent_id: str) -> Flow:
    live, _ = yield from open_agent(desk, agent_id)
    wake_ms = live.head.wake_ms
    is_due = live.head.status is Status.RUNNING or (wake_ms is not None and wake_ms <= live.now_ms)
    if not is_due and not is_stranded(live):
        yield from give_up_orphan(live)
        return Delivered(live, None)
    yield from claim(desk, live)
    return Delivered(live, None, (yield from drive(desk, live)))
