"""Commands of the operator: let a parked agent try again, send it another event, settle an effect in doubt, or end an
agent whatever its workflow declares. Each is a step in the history."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import ENDED, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.step import Event
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Command, Interrupt, ReadEffects
from fsm_agent.engine.conflicts import insist
from fsm_agent.engine.delivery import Delivered
from fsm_agent.engine.drive import drive
from fsm_agent.engine.steps import cancel, take, unpark
from fsm_agent.engine.transaction import Driver, Flow, open_agent, patiently, write
from fsm_agent.errors import EffectNotOpen, GuardsRefused, IllegalEvent, LimitExceeded, NotParked, Refused, UnknownEvent


def unpark_agent(
    driver: Driver, agent_id: str, event: Event, *, retry: bool, expect_version: int | None = None
) -> Flow:
    """Try again what parked the agent, or send it ``event``. Returns ``Delivered``.

    An agent that was parked because it exceeded a limit may exceed it once more.
    """

    def attempt() -> Flow:
        aggregate, problem = yield from _parked(driver, agent_id, event, expect_version)
        pending = _retried(aggregate, event, problem) if retry else _by_hand(aggregate, event)
        said = pending.step._replace(by=event.by)  # who said what is held, its own step tells
        return (yield from _go_on(driver, aggregate, pending._replace(step=said)))

    return (yield from patiently(attempt))


def settle_effect(
    driver: Driver, agent_id: str, settlement: Settlement, *, by: str | None, expect_version: int | None = None
) -> Flow:
    """Say what became of an effect in doubt, and let the agent try again. Returns ``Delivered``."""
    said = {"effect": settlement.key, "was_done": settlement.was_done}
    event = Event("settle", {**said, "result": settlement.result} if settlement.was_done else said, by)

    def attempt() -> Flow:
        aggregate, problem = yield from _parked(driver, agent_id, event, expect_version)
        if problem.held is not None:
            what = f"agent {agent_id!r} is parked with event {problem.held.name!r}, and not for an effect"
            raise Refused(f"{what}: let it try again, or send it another event")
        yield from _check_open(agent_id, settlement.key)
        return (yield from _go_on(driver, aggregate, unpark(aggregate, event, exempt=False), settlement))

    return (yield from patiently(attempt))


def end_agent(driver: Driver, agent_id: str, event: Event) -> Flow:
    """End an agent as cancelled, whatever its workflow makes of ``cancel``. Returns ``Delivered``; does nothing to one
    that has ended."""

    def attempt() -> Flow:
        aggregate, _ = yield from open_agent(driver, agent_id)
        if aggregate.head.status in ENDED:
            return Delivered(aggregate, None)
        was_running = aggregate.head.status is Status.RUNNING
        yield from write(driver, aggregate, cancel(aggregate, event), from_outside=True)
        if was_running:
            yield Interrupt(agent_id, aggregate.head.epoch)
        return Delivered(aggregate, "applied", (yield from drive(driver, aggregate)))

    return (yield from patiently(attempt))


#: The problems of agents that have gone as far as they may.
_BOUNDS: Final = frozenset({LimitExceeded.__name__, "BudgetExceeded"})


def _parked(
    driver: Driver, agent_id: str, said: Event, expect_version: int | None
) -> Generator[Command, Any, tuple[Aggregate, Problem]]:
    aggregate, _ = yield from open_agent(driver, agent_id)
    yield from insist(aggregate, said, expect_version)
    problem = aggregate.head.problem
    if aggregate.head.status is not Status.PARKED or problem is None:
        raise NotParked(agent_id, str(aggregate.head.status))
    return aggregate, problem


def _check_open(agent_id: str, key: str) -> Flow:
    entries: Sequence[EffectEntry] = yield ReadEffects(agent_id)
    names = {entry.key: entry.name for entry in entries if entry.is_open}
    if key not in names:
        raise EffectNotOpen(agent_id, key, [f"{name} ({open_key})" for open_key, name in names.items()])


def _go_on(driver: Driver, aggregate: Aggregate, pending: PendingStep, settlement: Settlement | None = None) -> Flow:
    yield from write(driver, aggregate, pending, from_outside=True, settlement=settlement)
    return Delivered(aggregate, "applied", (not driver.drives) or (yield from drive(driver, aggregate)))


def _retried(aggregate: Aggregate, event: Event, problem: Problem) -> PendingStep:
    exempt = problem.type in _BOUNDS
    if problem.held is None:
        return unpark(aggregate, event, exempt=exempt)
    return _by_hand(aggregate, problem.held)


def _by_hand(aggregate: Aggregate, event: Event) -> PendingStep:
    """An event that an operator lets happen, limits or not; it is the step that unparks."""
    program = aggregate.program
    if not program.knows(event.name):
        raise UnknownEvent(event.name, list(program.workflow.events))
    checked = event._replace(payload=program.payload_rules.complete(event.name, event.payload))
    aggregate.head = aggregate.head._replace(is_exempt=True)
    match program.decide(aggregate.head.state, checked, aggregate.context(checked)):
        case Taken(move):
            return _woken(aggregate, take(aggregate, checked, move, kind=StepKind.UNPARKED))
        case GuardsRefuse(guards):
            raise GuardsRefused(event.name, aggregate.head.state, guards)
        case NotAllowed():
            allowed = program.workflow.allowed(aggregate.head.state)
            raise IllegalEvent(event.name, aggregate.head.state, allowed, is_declared=True)


def _woken(aggregate: Aggregate, pending: PendingStep) -> PendingStep:
    """An internal transition leaves the agent where it is; it goes on there."""
    if pending.head.status is not Status.PARKED:
        return pending
    resumed = unpark(aggregate, Event(pending.step.event), exempt=False).head
    return pending._replace(head=pending.head._replace(status=resumed.status, problem=None, attempts=0))
