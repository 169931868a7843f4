"""Commits as units: the two roads that lead to the same rows.

Most steps bring nothing but themselves to an agent of whom nothing else has changed. Such a step is one conditional
INSERT and one UPDATE: the condition names everything that ``_whole`` would look at, so whatever differs (the version,
the epoch, a queued event, a lease, the question) matches no row, and ``_whole`` decides. It is the specification:
it takes any commit, and says what a refusal is. ``tests/stores/test_sqlite_steps.py`` holds the two equal.
"""

from typing import Final, NamedTuple

from fsm_agent.domain.agent import WAITING, Head
from fsm_agent.domain.record import Commit, Committed
from fsm_agent.domain.tuples import from_fields
from fsm_agent.stores import codec
from fsm_agent.stores.refusals import moved_on
from fsm_agent.stores.sqlite import indexes, thread_statements
from fsm_agent.stores.sqlite.connection import Connection, Row, one
from fsm_agent.stores.sqlite.due_times import due_since_ms
from fsm_agent.stores.sqlite.effects import is_open, settle
from fsm_agent.stores.sqlite.standing import Standing
from fsm_agent.stores.sqlite.transaction import Unit
from fsm_agent.stores.sqlite.writes import SNAPSHOT, is_used, pinned, standing, use_key

#: A ``MovingRow`` (?1 to ?5), and the epoch. The last step is the one that was just written. Status, due time and lease
#: stand in indexes: a step that changes none of them leaves them alone.
_MOVE: Final = """
UPDATE heads SET state = ?1, version = ?3, updated_ms = ?4, cold = ?5, epoch = ?6, last_step = last_insert_rowid()
WHERE namespace = ?7 AND id = ?8
"""
_BE: Final = "UPDATE heads SET status = ? WHERE namespace = ? AND id = ?"
_HOLD: Final = """
UPDATE heads SET due_since_ms = ?, host = ?, pid = ?, started_ms = ?, until_ms = ? WHERE namespace = ? AND id = ?
"""
#: ``_MOVE`` and ``_HOLD`` in one, and ``_BE`` as well.
_MOVE_AND_HOLD: Final = """
UPDATE heads SET state = ?1, version = ?3, updated_ms = ?4, cold = ?5, epoch = ?6,
                 due_since_ms = ?7, host = ?8, pid = ?9, started_ms = ?10, until_ms = ?11,
                 last_step = last_insert_rowid()
WHERE namespace = ?12 AND id = ?13
"""
_MOVE_HOLD_AND_BE: Final = _MOVE_AND_HOLD.replace("SET state = ?1,", "SET state = ?1, status = ?2,")
_DEQUEUE: Final = "UPDATE heads SET queued = queued - 1 WHERE namespace = ? AND id = ?"
_PIN: Final = "UPDATE heads SET workflow = ? WHERE namespace = ? AND id = ?"
#: A ``StepRow``; what the step is of is read from the agent, which is the one that whoever commits has seen, or none.
_STEP: Final = """
INSERT INTO steps SELECT NULL, agent, ?, last_step, ?, ?, ?, ?, ? - created_ms, ?, ?, ?, ?, ?, ?, ?
FROM heads WHERE namespace = ? AND id = ?
"""
#: As it was seen, with nothing in its queue, and asking what it asks after the step, or nothing before and after.
_STEP_IF_SEEN: Final = f"{_STEP} AND version = ? AND epoch = ? AND queued = 0 AND asks IS ?"
#: And with the status that it has after the step.
_STEP_IF_SAME: Final = f"{_STEP_IF_SEEN} AND status = ?"
#: And with the due time and the lease.
_STEP_IF_HELD: Final = f"""
{_STEP_IF_SAME} AND due_since_ms IS ? AND host IS ? AND pid IS ? AND started_ms IS ? AND until_ms IS ?
"""
_SNAPSHOT: Final = """
INSERT OR REPLACE INTO snapshot SELECT agent, ?, ?, ? FROM heads WHERE namespace = ? AND id = ?
"""


class _Encoded(NamedTuple):
    """What a commit writes, made into rows before anything is written."""

    moving: codec.MovingRow
    #: unless events are queued
    due_since_ms: int | None
    lease: codec.LeaseRow
    step: codec.StepRow
    snapshot: tuple[int, str, str] | None
    asks: bytes | None


def committing(namespace: str, commit: Commit, url: str) -> Unit[Committed]:
    """See ``Store.commit``: by the short road if the commit is plain and the agent as it was seen, else by the long."""
    encoded = _encoded(commit)
    if not commit.is_plain:
        return _whole(namespace, commit, encoded, url)
    plain = _plain(namespace, commit, encoded)

    def take_step(db: Connection) -> Committed:
        return plain(db) or _whole(namespace, commit, encoded, url)(db)

    return take_step


def committing_whole(namespace: str, commit: Commit, url: str) -> Unit[Committed]:
    """Commit by the general unit, which takes any commit."""
    return _whole(namespace, commit, _encoded(commit), url)


def _encoded(commit: Commit) -> _Encoded:
    head, step, _, lease, snapshot = commit[:5]
    moving, held = codec.moving_row(head), codec.lease_row(lease)
    snapshot_row = codec.snapshot_row(snapshot) if snapshot else None
    asks = None if head.asked is None else indexes.asks_of(head)
    due_ms = due_since_ms(head.own_wake_ms, head.updated_ms, held[-1])
    return from_fields(_Encoded, (moving, due_ms, held, codec.step_row(step), snapshot_row, asks))


def _plain(namespace: str, commit: Commit, encoded: _Encoded) -> Unit[Committed | None]:
    """The short road; ``None``, and nothing is written, if the agent is not as whoever commits has seen it.

    Somebody from outside may have seen another epoch than holds by now. Whether that matters is for ``_whole`` to say.
    """
    head, _, driver_epoch, held = commit[:4]
    moving, due_ms, lease, row, snapshot_row, asks = encoded
    agent = (namespace, head.id)
    seen_epoch = head.epoch if driver_epoch is None else driver_epoch
    epoch = seen_epoch + (driver_epoch is None)
    step: Row = (*row, *agent, head.version - 1, seen_epoch, asks)
    if driver_epoch is not None and held is not None:  # goes on holding it, most likely as before
        insert, step = _STEP_IF_HELD, (*step, moving.status, due_ms, *lease)
        update, moved = _MOVE, (*moving, epoch, *agent)
    else:
        insert, update, moved = _STEP_IF_SEEN, _MOVE_HOLD_AND_BE, (*moving, epoch, due_ms, *lease, *agent)
        if driver_epoch is None and head.status is WAITING:  # an event for one that waits, most likely
            insert, update, step = _STEP_IF_SAME, _MOVE_AND_HOLD, (*step, moving.status)
    snapshot = snapshot_row and (*snapshot_row, *agent)

    def take_plain_step(db: Connection) -> Committed | None:
        execute = db.at_hand.execute
        execute(insert, step)
        if not db.changes():
            return None
        execute(update, moved)
        if snapshot is not None:
            execute(_SNAPSHOT, snapshot)
        return from_fields(Committed, (epoch, 0))

    return take_plain_step


def _whole(namespace: str, commit: Commit, encoded: _Encoded, url: str) -> Unit[Committed]:
    """The long road, which every commit can take."""
    settlement, head = commit.settlement, commit.head
    moving, _, _, step, snapshot, _ = encoded
    stands_on = head.version - 1
    thread_writes = thread_statements.ThreadWrites(namespace, commit)

    def take_step(db: Connection) -> Committed:
        now = standing(db, namespace, head.id)
        is_fenced = commit.fence is not None and commit.fence != now.epoch
        is_settled = settlement is not None and not is_open(db, now.agent, settlement.key)
        if now.version != stands_on or is_fenced or is_settled or is_used(db, now.agent, commit.key):
            raise moved_on(head.id, stands_on, now.version)
        thread_writes.check(db)
        workflow = pinned(db, head, url) if commit.repins else now.workflow
        queued = now.queued
        if commit.dequeue is not None:
            _dequeue(db, namespace, head, now, commit.dequeue)
            queued -= 1
        epoch = now.epoch + (commit.epoch is None)
        db.execute(_STEP, (*step, namespace, head.id))
        db.execute(_MOVE, (*moving, epoch, namespace, head.id))
        _index(db, namespace, head._replace(queued=queued), now, (encoded, workflow))
        if settlement is not None:
            settle(db, now.agent, settlement, head.updated_ms)
        if snapshot is not None:
            db.execute(SNAPSHOT, (now.agent, *snapshot))
        if commit.key is not None:
            use_key(db, now.agent, commit.key, head.version, commit.fingerprint)
        thread_writes.keep(db)
        return Committed(epoch, queued)

    return take_step


def _index(db: Connection, namespace: str, head: Head, now: Standing, to: tuple[_Encoded, int]) -> None:
    """Write what stands in an index, where it is another than ``now``; ``to`` has the number of the definition, too."""
    encoded, workflow = to
    agent = (namespace, head.id)
    moving, due_ms, lease, _, _, asks = encoded
    if head.queued:
        due_ms = due_since_ms(head.wake_ms, head.updated_ms, lease[-1])
    if moving.status != now.status:
        db.execute(_BE, (moving.status, *agent))
    if due_ms != now.due_since_ms or lease != now.lease:
        db.execute(_HOLD, (due_ms, *lease, *agent))
    if workflow != now.workflow:
        db.execute(_PIN, (workflow, *agent))
    if asks != now.asks or (asks is not None and workflow != now.workflow):
        indexes.ask(db, now.owner(*agent), was=now.asks, now=asks, workflow=workflow)


def _dequeue(db: Connection, namespace: str, head: Head, now: Standing, number: int) -> None:
    """Take an event out of the queue; its key, if it has one, led to this version."""
    event = one(db, "DELETE FROM queue WHERE agent = ? AND number = ? RETURNING key", now.agent, number)
    if event is None:
        raise moved_on(head.id, now.version, now.version)
    db.execute(_DEQUEUE, (namespace, head.id))
    db.execute("UPDATE keys SET version = ? WHERE agent = ? AND key = ?", (head.version, now.agent, *event))
