"""What comes from outside: agents that begin, events and answers; and going on with what was interrupted.

A refused event leaves nothing behind: no row, no key. What is acknowledged is in the store before it is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fsm_agent.agent import ENDED, Delivery, Event, Head, Status, Step, StepKind
from fsm_agent.delta import own
from fsm_agent.engine.drive import decide_queued, drive, due_timer, fire, problem_of
from fsm_agent.engine.effects import Effect, Enqueue, FindKey, Interrupt, IsAlive, Now
from fsm_agent.engine.live import Live, Proposal, cancel, park, take
from fsm_agent.engine.program import Program
from fsm_agent.engine.session import (
    Desk,
    Flow,
    claim,
    fingerprint,
    fingerprint_of,
    new_lease,
    open_agent,
    patiently,
    started,
    used_alike,
    write,
)
from fsm_agent.errors import (
    AgentExists,
    AnswerUnclear,
    Conflict,
    GuardsRefused,
    IllegalEvent,
    KeyReuse,
    LeaseHeld,
    LimitExceeded,
    NotAddressee,
    NotAsked,
    Refused,
    UnknownEvent,
)
from fsm_agent.jsontypes import Json
from fsm_agent.machine import GuardsRefuse, Move, NotAllowed, Taken
from fsm_agent.record import Creation
from fsm_agent.state import Transition
from fsm_agent.workflow import lineage


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where an agent stands after a call, and how the event fared. ``is_current`` is False when somebody else
    has taken the agent over meanwhile, so that it must be read again."""

    live: Live
    delivery: Delivery | None
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A payload, and the event it is meant for; ``None`` is the only one that is asked for."""

    payload: Mapping[str, Json]
    event: str | None = None
    by: str | None = None
    key: str | None = None


def start(desk: Desk, program: Program, agent_id: str, event: Event | None, data: Mapping[str, Json]) -> Flow:
    """Bring an agent into being, with its first event if there is one, and drive it on. Returns ``Delivered``.

    ``event.key`` is the key of the whole call: a repeat returns the agent that the first one made. A call without
    an event gives the key by an ``Event("created", key=...)``.
    """
    key = event.key if event else None
    what = _use_of(program, event, data) if event and key else ""
    if key and (known := (yield from _known(desk, key, what))):
        return known
    live = started(program, agent_id, (yield Now()), program.data_rules.initial(data))
    steps = _first_steps(live, event)
    lease = new_lease(desk, live) if desk.drives and live.head.status is Status.RUNNING else None
    try:
        head: Head = yield Creation(live.head, steps, key, what, lease)
    except AgentExists:
        if key and (known := (yield from _known(desk, key, what))):
            return known
        raise
    live.head, live.is_held = live.head._replace(epoch=head.epoch), lease is not None
    is_current = not desk.drives or (yield from drive(desk, live))
    return Delivered(live, "applied", is_current)


def _use_of(program: Program, event: Event, data: Mapping[str, Json]) -> str:
    """What the key of a start is used for."""
    return fingerprint(program.workflow.hash, event.name, dict(event.payload), dict(data))


def _known(desk: Desk, key: str, what: str) -> Generator[Effect, Any, Delivered | None]:
    found: tuple[str, str] | None = yield FindKey(key)
    if found is None:
        return None
    agent_id, used_for = found
    if used_for != what:
        raise KeyReuse(key)
    live, _ = yield from open_agent(desk, agent_id)
    return Delivered(live, "duplicate")


def _first_steps(live: Live, event: Event | None) -> tuple[Step, ...]:
    """``created``, and the step of the first event; ``live`` goes along, as if both were written."""
    by = event.by if event else None
    leaf = live.program.workflow.leaf(live.program.workflow.initial)
    entry = Move(Transition(target=leaf.path), leaf.path, (), lineage(leaf.path))
    made = take(live, Event("created", by=by), entry, kind=StepKind.CREATED)
    values = dict(live.folded.values)
    created = made.step._replace(source=None, delta=made.step.delta._replace(set=values))
    live.head = made.head
    live.folded.values = own(values)
    if event is None or event.name == "created":
        return (created,)
    proposal = _decided(live, _checked(live, event))
    live.head = proposal.head
    live.folded.take(proposal.step.version, proposal.step.delta)
    return created, proposal.step


def send(desk: Desk, agent_id: str, event: Event | Answer, *, expect_version: int | None = None) -> Flow:
    """Deliver an event or an answer, and drive on. Returns ``Delivered``; raises ``Refused``."""
    if expect_version is not None:
        return (yield from _deliver(desk, agent_id, event, expect_version))
    return (yield from patiently(lambda: _deliver(desk, agent_id, event, None)))


def _deliver(desk: Desk, agent_id: str, said: Event | Answer, expect_version: int | None) -> Flow:
    live, outcome = yield from open_agent(desk, agent_id, said.key)
    if outcome is not None:
        if not used_alike(outcome.fingerprint, said.event if isinstance(said, Answer) else said.name, said.payload):
            raise KeyReuse(said.key or "")
        return Delivered(live, "duplicate")
    has_moved = yield from _catch_up(desk, live)
    try:
        event, proposal = _judged(live, said, expect_version)
    except Refused:
        if has_moved and desk.drives:
            yield from drive(desk, live)
        raise
    what = fingerprint_of(event._replace(payload=said.payload))
    delivery: Delivery = yield from _apply(desk, live, event, proposal, what, is_idle=has_moved)
    return (yield from _drive_on(desk, live, delivery))


def _judged(live: Live, said: Event | Answer, expect_version: int | None) -> tuple[Event, Proposal]:
    """The event that was meant, with its payload made total, and the step that it makes; raises ``Refused``."""
    if expect_version is not None and live.head.version != expect_version:
        raise Conflict(live.head.id, expect_version, live.head.version)
    event = _checked(live, _answered(live, said) if isinstance(said, Answer) else said)
    return event, _decided(live, event)


def _answered(live: Live, answer: Answer) -> Event:
    """The event that an answer means."""
    head, ask = live.head, live.program.state(live.head.state).ask
    if ask is None or head.status is not Status.WAITING:
        raise NotAsked(head.id, head.state, str(head.status))
    name = answer.event or (ask.events[0] if len(ask.events) == 1 else None)
    if name is None:
        raise AnswerUnclear(head.id, head.state, ask.events)
    if name not in ask.events:
        raise IllegalEvent(name, head.state, ask.events, why=" as an answer")
    return Event(name, dict(answer.payload), answer.by, answer.key)


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
    if status is Status.PARKED:
        return None
    if live.queue and status is not Status.RUNNING:
        return decide_queued(desk, live, from_outside=True)
    timer = None if status in ENDED else due_timer(live, leaving_only=status is Status.RUNNING)
    return None if timer is None else _break_in(desk, live, fire(live, timer))


def _break_in(desk: Desk, live: Live, proposal: Proposal, *, key: str | None = None, fingerprint: str = "") -> Flow:
    """Commit a step from outside, and stop the action that it ends."""
    was_running = live.head.status is Status.RUNNING
    yield from write(desk, live, proposal, from_outside=True, key=key, fingerprint=fingerprint)
    if was_running:
        yield Interrupt(live.head.id)


def _apply(
    desk: Desk, live: Live, event: Event, proposal: Proposal, what: str, *, is_idle: bool
) -> Generator[Effect, Any, Delivery]:
    """Take an event from outside, or queue it behind the action that runs.

    ``is_idle`` says that none does: what this call decided before has brought the agent here.
    """
    kind = proposal.step.kind
    is_running = live.head.status is Status.RUNNING and not is_idle
    if is_running and kind is StepKind.EVENT and _is_internal(live, proposal):
        yield Enqueue(live.head.id, live.head.version, event, what)
        return "queued"
    yield from _break_in(desk, live, proposal, key=event.key, fingerprint=what)
    return "queued" if kind is StepKind.PARKED else "applied"


def _is_internal(live: Live, proposal: Proposal) -> bool:
    return proposal.head.visits is live.head.visits


def _checked(live: Live, event: Event) -> Event:
    """The event with its payload made total; raises what refuses it before the table is asked."""
    program, head = live.program, live.head
    state = program.state(head.state)
    allowed = ("cancel",) if head.status is Status.PARKED else program.workflow.allowed(head.state)
    if event.name not in program.workflow.events and event.name != "cancel":
        raise UnknownEvent(event.name, [*program.workflow.events, "cancel"])
    if head.status in ENDED:
        raise IllegalEvent(event.name, head.state, (), why=f", because the agent is {head.status}")
    if head.status is Status.PARKED and event.name != "cancel":
        raise IllegalEvent(event.name, head.state, allowed, why=", because the agent is parked and needs `unpark`")
    signature = program.signature(state.do) if state.do and head.status is Status.RUNNING else None
    if signature and signature.emits and event.name in signature.emits:
        others = [name for name in allowed if name not in signature.emits]
        raise IllegalEvent(event.name, head.state, others, why=f", because action {state.do!r} will say it")
    if event.name != "cancel" and not program.machine.moves(head.state, event.name):
        raise IllegalEvent(event.name, head.state, allowed)
    if state.ask and event.name in state.ask.events and head.asked and head.asked.to and event.by not in head.asked.to:
        raise NotAddressee(event.by, head.asked.to)
    return event._replace(payload=program.payload_rules.complete(event.name, event.payload))


def _decided(live: Live, event: Event) -> Proposal:
    """The step that an event from outside makes; raises what refuses it. Beyond a limit the agent parks with it."""
    head, program = live.head, live.program
    match program.decide(head.state, event, live.scene(event)):
        case Taken(move):
            try:
                return take(live, event, move)
            except LimitExceeded as error:
                return park(live, event, replace(problem_of(error), held=event._replace(key=None)))
        case GuardsRefuse(guards):
            raise GuardsRefused(event.name, head.state, guards)
        case NotAllowed() if event.name == "cancel":
            return cancel(live, event)
        case NotAllowed():
            raise IllegalEvent(event.name, head.state, program.workflow.allowed(head.state))


def _drive_on(desk: Desk, live: Live, delivery: Delivery) -> Flow:
    """Drive what this call may drive: what it holds, or what nobody holds."""
    if not desk.drives:
        return Delivered(live, delivery)
    if delivery == "queued" and live.head.status is Status.RUNNING:
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
    if live.head.status is not Status.RUNNING and (wake_ms is None or wake_ms > live.now_ms):
        return Delivered(live, None)
    yield from claim(desk, live)
    return Delivered(live, None, (yield from drive(desk, live)))
