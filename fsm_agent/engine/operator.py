"""The operator's hand: a parked agent tries again, or something else happens to it. Each is a step on record."""

from __future__ import annotations

from fsm_agent.agent import Problem, Status
from fsm_agent.engine.drive import drive
from fsm_agent.engine.intake import Delivered
from fsm_agent.engine.live import Live, Proposal, take, unpark
from fsm_agent.engine.meanwhile import insist
from fsm_agent.engine.session import Desk, Flow, open_agent, patiently, write
from fsm_agent.errors import GuardsRefused, IllegalEvent, LimitExceeded, NotParked, UnknownEvent
from fsm_agent.machine import GuardsRefuse, NotAllowed, Taken
from fsm_agent.step import Event, StepKind


def unpark_agent(desk: Desk, agent_id: str, event: Event, *, retry: bool, expect_version: int | None = None) -> Flow:
    """Try again what parked the agent, or let ``event`` happen. Returns ``Delivered``.

    What parked it for exceeding a limit may exceed it once more.
    """
    return (yield from patiently(lambda: _unpark(desk, agent_id, event, retry=retry, expect_version=expect_version)))


def _unpark(desk: Desk, agent_id: str, event: Event, *, retry: bool, expect_version: int | None) -> Flow:
    live, _ = yield from open_agent(desk, agent_id)
    yield from insist(live, event, expect_version)
    problem = live.head.problem
    if live.head.status is not Status.PARKED or problem is None:
        raise NotParked(agent_id, str(live.head.status))
    proposal = _retried(live, event, problem) if retry else _by_hand(live, event)
    proposal = proposal._replace(step=proposal.step._replace(by=event.by))  # who said what is held, its own step tells
    yield from write(desk, live, proposal, from_outside=True)
    return Delivered(live, "applied", (not desk.drives) or (yield from drive(desk, live)))


def _retried(live: Live, event: Event, problem: Problem) -> Proposal:
    exempt = problem.type == LimitExceeded.__name__
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
            raise IllegalEvent(event.name, live.head.state, program.workflow.allowed(live.head.state))


def _woken(live: Live, proposal: Proposal) -> Proposal:
    """An internal transition leaves the agent where it is; it goes on there."""
    if proposal.head.status is not Status.PARKED:
        return proposal
    resumed = unpark(live, Event(proposal.step.event), exempt=False).head
    return proposal._replace(head=proposal.head._replace(status=resumed.status, problem=None, attempts=0))
