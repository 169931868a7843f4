"""The operator's hand: a parked agent tries again, something else happens to it, an effect in doubt is settled, or
the agent ends whatever its workflow says. Each is a step on record."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Final

from fsm_agent.domain.agent import ENDED, Status
from fsm_agent.domain.decision import GuardsRefuse, NotAllowed, Taken
from fsm_agent.domain.effect import EffectEntry, Settlement
from fsm_agent.domain.problem import Problem
from fsm_agent.domain.step import Event, StepKind
from fsm_agent.engine.aggregate import Live, Proposal, cancel, take, unpark
from fsm_agent.engine.commands import Effect, Interrupt, ReadEffects
from fsm_agent.engine.conflicts import insist
from fsm_agent.engine.delivery import Delivered
from fsm_agent.engine.drive import drive
from fsm_agent.engine.transaction import Desk, Flow, open_agent, patiently, write
from fsm_agent.errors import EffectNotOpen, GuardsRefused, IllegalEvent, LimitExceeded, NotParked, Refused, UnknownEvent


def unpark_agent(desk: Desk, agent_id: str, event: Event, *, retry: bool, expect_version: int | None = None) -> Flow:
    """Try again what parked the agent, or let ``event`` happen. Returns ``Delivered``.

    What parked it for exceeding a limit may exceed it once more.
    """

    def attempt() -> Flow:
        live, problem = yield from _parked(desk, agent_id, event, expect_version)
        proposal = _retried(live, event, problem) if retry else _by_hand(live, event)
        said = proposal.step._replace(by=event.by)  # who said what is held, its own step tells
        return (yield from _go_on(desk, live, proposal._replace(step=said)))

    return (yield from patiently(attempt))


def settle_effect(
    desk: Desk, agent_id: str, settlement: Settlement, *, by: str | None, expect_version: int | None = None
) -> Flow:
    """Say what became of an effect in doubt, and let the agent try again. Returns ``Delivered``."""
    said = {"effect": settlement.key, "was_done": settlement.was_done}
    event = Event("settle", {**said, "result": settlement.result} if settlement.was_done else said, by)

    def attempt() -> Flow:
        live, problem = yield from _parked(desk, agent_id, event, expect_version)
        if problem.held is not None:
            what = f"agent {agent_id!r} is parked with event {problem.held.name!r}, and not for an effect"
            raise Refused(f"{what}: let it go on with `--retry` or `--event`")
        yield from _check_open(agent_id, settlement.key)
        return (yield from _go_on(desk, live, unpark(live, event, exempt=False), settlement))

    return (yield from patiently(attempt))


def end_agent(desk: Desk, agent_id: str, event: Event) -> Flow:
    """End an agent as cancelled, whatever its workflow makes of ``cancel``. Returns ``Delivered``; does nothing to one
    that has ended."""

    def attempt() -> Flow:
        live, _ = yield from open_agent(desk, agent_id)
        if live.head.status in ENDED:
            return Delivered(live, None)
        was_running = live.head.status is Status.RUNNING
        yield from write(desk, live, cancel(live, event), from_outside=True)
        if was_running:
            yield Interrupt(agent_id, live.head.epoch)
        return Delivered(live, "applied", (yield from drive(desk, live)))

    return (yield from patiently(attempt))


#: The problems of agents that have gone as far as they may.
_BOUNDS: Final = frozenset({LimitExceeded.__name__, "BudgetExceeded"})


def _parked(
    desk: Desk, agent_id: str, said: Event, expect_version: int | None
) -> Generator[Effect, Any, tuple[Live, Problem]]:
    live, _ = yield from open_agent(desk, agent_id)
    yield from insist(live, said, expect_version)
    problem = live.head.problem
    if live.head.status is not Status.PARKED or problem is None:
        raise NotParked(agent_id, str(live.head.status))
    return live, problem


def _check_open(agent_id: str, key: str) -> Flow:
    entries: Sequence[EffectEntry] = yield ReadEffects(agent_id)
    names = {entry.key: entry.name for entry in entries if entry.is_open}
    if key not in names:
        raise EffectNotOpen(agent_id, key, [f"{name} ({open_key})" for open_key, name in names.items()])


def _go_on(desk: Desk, live: Live, proposal: Proposal, settlement: Settlement | None = None) -> Flow:
    yield from write(desk, live, proposal, from_outside=True, settlement=settlement)
    return Delivered(live, "applied", (not desk.drives) or (yield from drive(desk, live)))


def _retried(live: Live, event: Event, problem: Problem) -> Proposal:
    exempt = problem.type in _BOUNDS
    if problem.held is None:
        return unpark(live, event, exempt=exempt)
    return _by_hand(live, problem.held)


def _by_hand(live: Live, event: Event) -> Proposal:
    """An event that an operator lets happen, limits or not; it is the step that unparks."""
    program = live.program
    if not program.knows(event.name):
        raise UnknownEvent(event.name, list(program.workflow.events))
    checked = event._replace(payload=program.payload_rules.complete(event.name, event.payload))
    live.head = live.head._replace(is_exempt=True)
    match program.decide(live.head.state, checked, live.scene(checked)):
        case Taken(move):
            return _woken(live, take(live, checked, move, kind=StepKind.UNPARKED))
        case GuardsRefuse(guards):
            raise GuardsRefused(event.name, live.head.state, guards)
        case NotAllowed():
            allowed = program.workflow.allowed(live.head.state)
            raise IllegalEvent(event.name, live.head.state, allowed, is_declared=True)


def _woken(live: Live, proposal: Proposal) -> Proposal:
    """An internal transition leaves the agent where it is; it goes on there."""
    if proposal.head.status is not Status.PARKED:
        return proposal
    resumed = unpark(live, Event(proposal.step.event), exempt=False).head
    return proposal._replace(head=proposal.head._replace(status=resumed.status, problem=None, attempts=0))
