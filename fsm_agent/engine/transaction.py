"""Loading an agent, committing its steps, taking and releasing its lease: the parts that all flows share."""

import json
from collections import deque
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from fsm_agent.data.delta import Folded, fold, own, snapshot_weight
from fsm_agent.domain.agent import ENDED, RUNNING, Head, Status
from fsm_agent.domain.effect import Settlement
from fsm_agent.domain.json import Json
from fsm_agent.domain.lease import LEASE_MS, Holder, Lease, lease_runs, renewal_ms
from fsm_agent.domain.record import Commit, Committed, Record, Snapshot
from fsm_agent.domain.step import EMPTY_DELTA, Event, KeyOutcome
from fsm_agent.domain.tuples import from_fields
from fsm_agent.engine.aggregate import Aggregate, PendingStep
from fsm_agent.engine.commands import Claim, Command, Interrupt, IsAlive, Load, Now, Release
from fsm_agent.engine.questions import numbered
from fsm_agent.errors import Conflict, DataInvalid, LeaseHeld

if TYPE_CHECKING:
    from fsm_agent.engine.program import Program

#: How often a flow starts over when others commit between its reading and its writing.
PATIENCE: Final = 50

_SMALLEST_FOLD: Final = 1_024

Flow: TypeAlias = Generator[Command, Any, Any]


class Driver(NamedTuple):
    """The process that drives agents: it holds leases, and finds the program of a definition by its hash."""

    holder: Holder
    program: "Callable[[str], Program]"
    #: whether a flow drives an agent on, or leaves that to a worker
    drives: bool = True
    #: whether it stays with an agent while a backoff runs, or leaves it to the next sweep
    stays: bool = True
    #: whether parents must be told of children who end; one who looks after its children itself sees it
    notifies_parents: bool = True
    #: whether an agent is parked whose action is missing here, or left to others who may have it
    parks_missing: bool = True
    #: how long its leases last unless they are renewed
    lease_ms: int = LEASE_MS


def open_agent(
    driver: Driver, agent_id: str, key: str | None = None
) -> Generator[Command, Any, tuple[Aggregate, KeyOutcome | None]]:
    """Load an agent as it is now, and the outcome of ``key``."""
    record: Record = yield Load(agent_id, key)
    now_ms: int = yield Now()
    if record.head.asked is not None:
        record = record._replace(head=(yield from numbered(record.head)))
    return in_hand(driver, record, now_ms), record.outcome


def in_hand(driver: Driver, record: Record, now_ms: int) -> Aggregate:
    """The aggregate of a loaded record, ready for its next step."""
    return Aggregate(
        program=driver.program(record.head.definition),
        head=record.head,
        folded=fold(record.snapshot, record.tail),
        now_ms=max(now_ms, record.head.updated_ms),
        queue=record.queue,
    )


def write(
    driver: Driver,
    aggregate: Aggregate,
    pending: PendingStep,
    *,
    from_outside: bool = False,
    dequeue: int | None = None,
    key: str | None = None,
    fingerprint: str = "",
    settlement: Settlement | None = None,
    repins: bool = False,
    is_joined: bool = False,
) -> Flow:
    """Commit a step and update ``aggregate``. A step from outside raises the epoch, and the process that drove the
    agent loses it. ``is_joined`` says that all children of the state that is left have ended.

    Raises ``Conflict`` if somebody else was first; then ``aggregate`` is stale.
    """
    head, step, appended, user = pending
    lease = _kept_lease(driver, aggregate) if driver.drives and head.status is RUNNING else None
    snapshot = None
    if head.unfolded > _SMALLEST_FOLD and head.unfolded > head.fold_at:
        head, snapshot = _folding(aggregate, head)
    if head.parent is not None or aggregate.program.has_families or aggregate.head.children or repins:
        head = _with_children_due(driver, aggregate, head, is_joined=is_joined, repins=repins)
    epoch = None if from_outside else head.epoch
    committed: Committed = yield from_fields(
        Commit, (head, step, epoch, lease, snapshot, dequeue, key, fingerprint, settlement, repins, appended, user)
    )
    if step.delta is not EMPTY_DELTA:
        aggregate.folded.take(step.version, step.delta)
    holding_epoch, queued = committed
    if holding_epoch != head.epoch or queued != head.queued:
        head = head._replace(epoch=holding_epoch, queued=queued)
    aggregate.head, aggregate.lease, aggregate.is_idle = head, lease, False
    if dequeue is not None:
        aggregate.queue.popleft()
    if queued > len(aggregate.queue):
        record: Record = yield Load(head.id)
        aggregate.queue = deque(record.queue)


def _with_children_due(driver: Driver, aggregate: Aggregate, head: Head, *, is_joined: bool, repins: bool) -> Head:
    """The head, marked if children are to be cancelled or the parent is to be notified after the step. This is computed
    from the state that is left, so that no process can overlook what its action has started."""
    was, is_left = aggregate.head, aggregate.head.activation not in (0, head.activation)
    children = was.children
    if is_left and not is_joined and (repins or aggregate.program.has_children(was.state)):
        children = was.children or was.activation
    elif driver.notifies_parents and head.parent is not None and head.status in ENDED and was.status not in ENDED:
        children = was.children or head.version
    return head if children == head.children else head._replace(children=children)


def _folding(aggregate: Aggregate, head: Head) -> tuple[Head, Snapshot | None]:
    """A snapshot when the deltas since the last outweigh twice what it would weigh: of the version before this
    step, so that it costs nothing if the step is refused."""
    fold_at = 2 * snapshot_weight(aggregate.folded)
    if head.unfolded <= fold_at:
        return head._replace(fold_at=fold_at), None
    return head._replace(unfolded=0, fold_at=fold_at), aggregate.folded.snapshot(aggregate.head.version)


def new_lease(driver: Driver, aggregate: Aggregate) -> Lease:
    return Lease(driver.holder, aggregate.now_ms + driver.lease_ms)


def _kept_lease(driver: Driver, aggregate: Aggregate) -> Lease:
    """The lease to go on with: the same one, while less than a renewal's time of it has passed."""
    least_ms = driver.lease_ms - renewal_ms(driver.lease_ms)
    if aggregate.lease is not None and aggregate.lease.until_ms - aggregate.now_ms > least_ms:
        return aggregate.lease
    return new_lease(driver, aggregate)


def claim(driver: Driver, aggregate: Aggregate) -> Flow:
    """Take the lease of an agent that nobody holds, or whose holder has died; raises ``LeaseHeld`` otherwise."""
    lease = aggregate.head.lease
    if lease is not None and lease_runs(lease, aggregate.now_ms):
        is_alive: bool | None = yield IsAlive(lease.holder)
        if is_alive is not False:
            raise LeaseHeld(aggregate.head.id, lease)
    taken = new_lease(driver, aggregate)
    epoch: int = yield Claim(aggregate.head, taken)
    aggregate.head, aggregate.lease = aggregate.head._replace(epoch=epoch), taken
    yield Interrupt(aggregate.head.id, epoch)  # what goes on here under a lease that ran out


def give_up_orphan(aggregate: Aggregate) -> Flow:
    """Release a lease that has run out, or whose holder has died."""
    lease = aggregate.head.lease
    if lease is None or (lease_runs(lease, aggregate.now_ms) and (yield IsAlive(lease.holder)) is not False):
        return
    yield Release(aggregate.head.id, aggregate.head.epoch)
    aggregate.head = aggregate.head._replace(lease=None)


def patiently(attempt: Callable[[], Flow], *, times: int = PATIENCE) -> Flow:
    """Run a flow again each time that another process commits in between, unless the conflict is the answer."""
    for _ in range(times - 1):
        try:
            return (yield from attempt())
        except Conflict as conflict:
            if conflict.ours is not None:
                raise
    return (yield from attempt())


def fingerprint(*facts: Json) -> str:
    """A short hash of the use of a key: equal facts give equal fingerprints. Facts that are no JSON give an empty text;
    such a call is refused, so no key is ever stored with it."""
    try:
        text = json.dumps([own(fact) for fact in facts], sort_keys=True, separators=(",", ":"))
    except DataInvalid:
        return ""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fingerprint_of(event: Event) -> str:
    """The fingerprint of the use of an event's key: its name, and its payload as it was sent; empty without a key."""
    return f"{event.name} {fingerprint(dict(event.payload))}" if event.key else ""


def used_alike(known: str, event: str | None, payload: Mapping[str, Json]) -> bool:
    """Whether a key was used for this event (``None`` is any) and payload."""
    name, _, digest = known.partition(" ")
    return event in (None, name) and digest == fingerprint(dict(payload))


def started(program: "Program", agent_id: str, now_ms: int, values: Mapping[str, Json]) -> Aggregate:
    """An agent of which nothing is stored yet: version 0, in no state."""
    workflow = program.workflow
    head = Head(
        id=agent_id,
        workflow=workflow.name,
        workflow_version=workflow.version,
        definition=workflow.hash,
        state="",
        status=Status.WAITING,
        version=0,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    return Aggregate(program, head, Folded(dict(values)), now_ms)
