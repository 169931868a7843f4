"""Moving agents to a newer definition, one at a time: planned on what was read, and committed only if that still holds.

A migration comes from outside, like an event: it raises the epoch, so whoever drove the agent drives it no more. But it
waits its turn: an agent that a living process drives is left alone.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from fsm_agent.data.delta import fold
from fsm_agent.domain.agent import Head, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import lease_runs
from fsm_agent.domain.record import Record
from fsm_agent.domain.step import Event
from fsm_agent.domain.workflow import Workflow
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Command, IsAlive, Now, ReadRecord, ReadWorkflow, SaveWorkflow
from fsm_agent.engine.migration.migration_path import Route
from fsm_agent.engine.migration.plan import MigrationPlan, MigrationVerdict, plan
from fsm_agent.engine.pinned import require_fit
from fsm_agent.engine.transaction import Driver, Flow, claim, patiently, write
from fsm_agent.errors import AgentNotFound, Conflict, LeaseHeld, StoreCorrupt


@dataclass(frozen=True, slots=True)
class MigrationRequest:
    """What is to be done: to look only, or to move what can be moved."""

    #: ``migrate``, and who says so
    event: Event
    apply: bool = False
    #: the version that the agent must have
    expect_version: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one agent, or would become of it."""

    id: str
    #: of the workflow on which it was
    from_version: int
    state: str
    verdict: MigrationVerdict
    reason: str
    to_state: str | None = None
    changes: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether somebody must do something before the agent can move."""
        return self.verdict in (MigrationVerdict.NEEDS_MAPPING, MigrationVerdict.STRANDED, MigrationVerdict.DRIVEN)

    def to_json(self) -> dict[str, Json]:
        """The agent as ``migrate`` prints it (a contract)."""
        return {
            "id": self.id,
            "from_version": self.from_version,
            "state": self.state,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "to_state": self.to_state,
            "changes": list(self.changes),
        }


def migrate(driver: Driver, route: Route, seen: Head, request: MigrationRequest) -> Flow:
    """Plan the move of the agent ``seen``, and make it if that is the request. Returns an ``Outcome``.

    An agent that others move on meanwhile is planned anew. Raises ``Conflict`` only if its version is not the one that
    the request expects.
    """
    try:
        return (yield from patiently(lambda: _migrate(driver, route, seen, request)))
    except Conflict:
        if request.expect_version is not None:
            raise
    return _outcome(seen, MigrationPlan(MigrationVerdict.DRIVEN, "moves on faster than it can be read: try again"))


def _migrate(driver: Driver, route: Route, seen: Head, request: MigrationRequest) -> Flow:
    try:
        record: Record = yield ReadRecord(seen.id)
        old: Workflow = yield ReadWorkflow(record.head.definition)
    except StoreCorrupt as error:
        return _outcome(seen, MigrationPlan(MigrationVerdict.STRANDED, str(error)))
    except AgentNotFound:
        return _outcome(seen, MigrationPlan(MigrationVerdict.UNAFFECTED, "was deleted meanwhile"))
    head = record.head
    require_fit(old, head)
    if request.expect_version not in (None, head.version):
        raise Conflict(head.id, request.expect_version, head.version)
    aggregate = _in_hand(route, record, (yield Now()))
    planned = plan(route, old, aggregate, request.event)
    if planned.pending is None:
        return _outcome(head, planned)
    if (holder := (yield from _driver(aggregate))) is not None:
        reason = f"is driven by {holder}: try again when that has come to rest"
        return _outcome(head, planned._replace(verdict=MigrationVerdict.DRIVEN, reason=reason))
    return _outcome(head, (yield from _applied(driver, aggregate, planned)) if request.apply else planned)


def _applied(driver: Driver, aggregate: Aggregate, planned: MigrationPlan) -> Generator[Command, Any, MigrationPlan]:
    """Commit the planned step. An agent with work to do is claimed first, so that nobody begins it meanwhile."""
    assert planned.pending is not None  # noqa: S101 - only what moves is applied
    yield SaveWorkflow(aggregate.program.workflow)
    is_running = aggregate.head.status is Status.RUNNING
    if is_running:
        try:
            yield from claim(driver, aggregate)
        except LeaseHeld as error:
            return planned._replace(
                verdict=MigrationVerdict.DRIVEN, reason=f"is driven by {error.lease.holder}: try again"
            )
    pending = planned.pending._replace(head=planned.pending.head._replace(epoch=aggregate.head.epoch))
    yield from write(driver, aggregate, pending, from_outside=not is_running, repins=True)
    return planned._replace(verdict=MigrationVerdict.MOVED)


def _driver(aggregate: Aggregate) -> Generator[Command, Any, Any]:
    """The process that drives an agent with work to do, unless it is known to be dead."""
    lease = aggregate.head.lease
    if aggregate.head.status is not Status.RUNNING or lease is None or not lease_runs(lease, aggregate.now_ms):
        return None
    is_alive: bool | None = yield IsAlive(lease.holder)
    return None if is_alive is False else lease.holder


def _in_hand(route: Route, record: Record, now_ms: int) -> Aggregate:
    """The agent as it stands. Its own definition is only looked at: its data model may not be there any more."""
    return Aggregate(
        program=route.program,
        head=record.head,
        folded=fold(record.snapshot, record.tail),
        now_ms=max(now_ms, record.head.updated_ms),
        queue=record.queue,
    )


def _outcome(head: Head, planned: MigrationPlan) -> Outcome:
    to_state = planned.pending.head.state if planned.pending else None
    return Outcome(
        head.id, head.workflow_version, head.state, planned.verdict, planned.reason, to_state, planned.changes
    )
