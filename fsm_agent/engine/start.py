"""Start of agents: an agent is created together with its first event, and once for each key."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fsm_agent.data.delta import own
from fsm_agent.domain.agent import Head, Parent, Status
from fsm_agent.domain.decision import Move
from fsm_agent.domain.json import Json
from fsm_agent.domain.record import Creation
from fsm_agent.domain.state import Transition
from fsm_agent.domain.step import NOTHING, Event, Step
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.workflow import lineage
from fsm_agent.engine.aggregate import Aggregate
from fsm_agent.engine.commands import Command, FindKey, Now
from fsm_agent.engine.delivery import Delivered, checked, decided
from fsm_agent.engine.drive import drive
from fsm_agent.engine.steps import take
from fsm_agent.engine.transaction import Driver, Flow, fingerprint, new_lease, open_agent, started
from fsm_agent.errors import AgentExists, KeyReuse

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program


class Serves(NamedTuple):
    """The user of a new agent, its parent, and its labels."""

    user: str | None = None
    parent: Parent | None = None
    labels: Mapping[str, str] = NOTHING


NOBODY: Final = Serves()


def start(
    driver: Driver,
    program: Program,
    agent_id: str,
    event: Event | None,
    data: Mapping[str, Json],
    *,
    serves: Serves = NOBODY,
) -> Flow:
    """Bring an agent into being, with its first event if there is one, and drive it on. Returns ``Delivered``.

    ``event.key`` is the key of the whole call: a repeat returns the agent that the first one made. A call without
    an event gives the key by an ``Event("created", key=...)``.
    """
    key = event.key if event else None
    what = _use_of(program, event, data, serves) if event and key else ""
    if key and (known := (yield from made_before(driver, key, what))):
        return known
    aggregate = started(program, agent_id, (yield Now()), program.data_rules.initial(data))
    aggregate.head = aggregate.head._replace(user=serves.user, parent=serves.parent, labels=serves.labels)
    steps = _first_steps(aggregate, event)
    lease = new_lease(driver, aggregate) if driver.drives and aggregate.head.status is Status.RUNNING else None
    try:
        head: Head = yield Creation(aggregate.head, steps, key, what, lease)
    except AgentExists:
        if key and (known := (yield from made_before(driver, key, what))):
            return known
        raise
    aggregate.head, aggregate.lease = aggregate.head._replace(epoch=head.epoch), lease
    is_current = not driver.drives or (yield from drive(driver, aggregate))
    return Delivered(aggregate, "applied", is_current)


def _use_of(program: Program, event: Event, data: Mapping[str, Json], serves: Serves) -> str:
    """The fingerprint of a start, which is stored with its key. It has the workflow's name and not its version: whoever
    repeats a start while a new version is deployed is told of the agent that the first one made."""
    whom: list[Json] = [] if serves.user is None else [serves.user]
    whom += [dict(serves.labels)] if serves.labels else []
    return fingerprint(program.workflow.name, event.name, dict(event.payload), dict(data), *whom)


def made_before(driver: Driver, key: str, what: str) -> Generator[Command, Any, Delivered | None]:
    """The agent that was started under this key, if there is one; raises ``KeyReuse`` if it was started otherwise."""
    found: tuple[str, str] | None = yield FindKey(key)
    if found is None:
        return None
    agent_id, used_for = found
    if used_for != what:
        raise KeyReuse(key, "workflow, event, payload, data, user or labels")
    aggregate, _ = yield from open_agent(driver, agent_id)
    return Delivered(aggregate, "duplicate")


def _first_steps(aggregate: Aggregate, event: Event | None) -> tuple[Step, ...]:
    """``created``, and the step of the first event; ``aggregate`` goes along, as if both were written."""
    by = event.by if event else None
    leaf = aggregate.program.workflow.leaf(aggregate.program.workflow.initial)
    entry = Move(Transition(target=leaf.path), leaf.path, (), lineage(leaf.path))
    made = take(aggregate, Event("created", by=by), entry, kind=StepKind.CREATED)
    values = dict(aggregate.folded.values)
    created = made.step._replace(source=None, delta=made.step.delta._replace(set=values))
    aggregate.head = made.head
    aggregate.folded.values = own(values)
    if event is None or event.name == "created":
        return (created,)
    pending = decided(aggregate, checked(aggregate, event))
    aggregate.head = pending.head
    aggregate.folded.take(pending.step.version, pending.step.delta)
    return created, pending.step
