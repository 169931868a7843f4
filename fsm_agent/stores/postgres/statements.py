"""The verbs that write, one statement each.

A statement begins with its compare-and-set: the UPDATE of the head. Everything else hangs on the row that it returns,
so where it finds none, nothing happens. READ COMMITTED is enough: who waits for the row looks at it again. Other tables
are seen as they were when the statement began, and that does no harm, since whoever changes them changes the head, too,
or breaks a unique index and fails whole; effects alone end without the head, and are locked before it moves.

Numbers have no type of their own here, so each is cast where nothing else tells it.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from fsm_agent.domain.agent import Status
from fsm_agent.domain.record import Commit
from fsm_agent.stores import codec
from fsm_agent.stores.postgres import index_statements, thread_statements

#: Statuses in which the queue is no news.
_HELD_UP: Final = f"({codec.status_number(Status.RUNNING)}, {codec.status_number(Status.PARKED)})"
ONE: Final = "namespace = %(namespace)s AND id = %(id)s"
#: The compare-and-set on all that was seen.
SEEN: Final = """version = %(seen_version)s::bigint AND epoch = %(seen_epoch)s::bigint
    AND host IS NOT DISTINCT FROM %(seen_host)s AND pid IS NOT DISTINCT FROM %(seen_pid)s::bigint
    AND started_ms IS NOT DISTINCT FROM %(seen_started_ms)s::bigint
    AND until_ms IS NOT DISTINCT FROM %(seen_until_ms)s::bigint"""
LEASE: Final = """host = %(host)s, pid = %(pid)s::bigint, started_ms = %(started_ms)s::bigint,
    until_ms = %(until_ms)s::bigint"""
_KEY_IS_FREE: Final = """NOT EXISTS (
    SELECT FROM fsm_agent.keys WHERE keys.agent = head.agent AND keys.key = %(key)s)"""

SAVE_WORKFLOW: Final = b"""
INSERT INTO fsm_agent.definitions (namespace, hash, name, version, definition)
SELECT %(namespace)s, %(hash)s, %(name)s, %(version)s::bigint, %(definition)s
WHERE NOT EXISTS (SELECT FROM fsm_agent.definitions WHERE namespace = %(namespace)s AND hash = %(hash)s)
ON CONFLICT DO NOTHING RETURNING workflow
"""

_PINNED: Final = """pinned AS MATERIALIZED (
    SELECT workflow, name FROM fsm_agent.definitions WHERE namespace = %(namespace)s AND hash = %(definition)s
)"""
MAKE_HEAD: Final = """
    INSERT INTO fsm_agent.agents AS head (
        namespace, id, workflow, name, created_ms, state, status, version, updated_ms, cold, epoch, queued, numbered,
        wake_ms, host, pid, started_ms, until_ms, start_key, start_fingerprint, asked_due, asked_to)
    SELECT %(namespace)s, %(id)s, workflow, name, %(created_ms)s::bigint, %(state)s, %(status)s::smallint,
        %(version)s::bigint, %(updated_ms)s::bigint, %(cold)s, %(epoch)s::bigint, %(queued)s::integer,
        %(numbered)s::bigint, %(wake_ms)s::bigint, %(host)s, %(pid)s::bigint, %(started_ms)s::bigint,
        %(until_ms)s::bigint, %(start_key)s, %(start_fingerprint)s, %(asked_due)s::bigint, %(asked_to)s
    FROM pinned RETURNING agent, created_ms, name"""

#: What a head says of when it is due; whether somebody holds it, only the row tells.
_WAKES: Final = "(CASE WHEN queued > 0 THEN %(wake_if_queued)s::bigint ELSE %(wake_ms)s::bigint END)"
RECORD_ATTEMPT: Final = f"""
UPDATE fsm_agent.agents AS head SET cold = %(cold)s,
    wake_ms = CASE WHEN {_WAKES} = 0 AND until_ms IS NULL THEN updated_ms ELSE {_WAKES} END
WHERE {ONE} AND version = %(version)s::bigint AND epoch = %(epoch)s::bigint RETURNING epoch
""".encode()

_KEEP_SNAPSHOT: Final = """
    ON CONFLICT (agent) DO UPDATE SET
        version = excluded.version, since = excluded.since, appended_since = excluded.appended_since,
        data = excluded.data"""
SHORTEN: Final = f"""
WITH moved AS (
    UPDATE fsm_agent.agents AS head SET epoch = epoch + 1 WHERE {ONE} AND {SEEN} RETURNING agent
), forgotten AS (
    DELETE FROM fsm_agent.history USING moved
    WHERE history.agent = moved.agent AND history.version <= %(version)s::bigint RETURNING history.version
), began AS (
    INSERT INTO fsm_agent.origin (agent, version, head, data)
    SELECT agent, %(version)s::bigint, %(head)s, %(data)s FROM moved
    ON CONFLICT (agent) DO UPDATE SET version = excluded.version, head = excluded.head, data = excluded.data
), covered AS (
    INSERT INTO fsm_agent.snapshot (agent, version, since, appended_since, data)
    SELECT agent, %(version)s::bigint, %(version)s::bigint, '{{}}', %(data)s FROM moved {_KEEP_SNAPSHOT}
)
SELECT (SELECT count(*) FROM forgotten) FROM moved
""".encode()

_OF_AN_AGENT: Final = ("history", "snapshot", "origin", "queue", "keys", "effects", "creations", "addressees", "labels")
_GONE: Final = ", ".join(
    f"gone_{table} AS (DELETE FROM fsm_agent.{table} USING moved WHERE {table}.agent = moved.agent)"
    for table in _OF_AN_AGENT
)


#: Of an agent, or for one who takes its place; an event that came in the meantime would be lost.
DELETE: Final = f"""
WITH moved AS (
    DELETE FROM fsm_agent.agents AS head WHERE {ONE} AND {SEEN} AND queued = %(seen_queued)s::integer RETURNING agent
), {_GONE}, {thread_statements.GONE}
SELECT agent FROM moved
""".encode()


class CommitShape(NamedTuple):
    """What a commit does besides the step; most do nothing. Each shape is a statement of its own, as small as can be,
    since a plan is paid for at every execution."""

    is_fenced: bool
    has_key: bool
    has_snapshot: bool
    dequeues: bool
    settles: bool
    was_done: bool
    repins: bool
    #: to how many threads it adds
    says: int
    remembers: bool
    #: it remembers somebody of whom nothing was known
    meets: bool
    #: there is a question after it
    asks: bool
    #: the question before it or after it is to several people
    addresses: bool


def shape_of(commit: Commit, *, asks: bool, addresses: bool) -> CommitShape:
    settlement = commit.settlement
    return CommitShape(
        is_fenced=commit.epoch is not None,
        has_key=commit.key is not None,
        has_snapshot=commit.snapshot is not None,
        dequeues=commit.dequeue is not None,
        settles=settlement is not None,
        was_done=settlement is not None and settlement.was_done,
        repins=commit.repins,
        says=len(commit.said),
        remembers=commit.user is not None,
        meets=commit.user is not None and commit.user.version == 1,
        asks=asks,
        addresses=addresses,
    )


@cache
def commit_statement(shape: CommitShape) -> bytes:
    """One step with all that comes with it. Returns the epoch and how many events are queued, or nothing."""
    stands, parts = _standing(shape), [_PINNED] if shape.repins else []
    if shape.remembers and not shape.meets:
        parts.append(thread_statements.KNOWN)
    if shape.settles:
        parts += [f"standing AS MATERIALIZED ({_LOCK_HEAD} WHERE {stands} FOR NO KEY UPDATE)", _settled(shape)]
        stands = f"{ONE} AND head.agent IN (SELECT agent FROM settled)"
    parts += [_moved(shape, stands), f"step AS ({insert_step('0', 'moved')})"]
    if shape.has_key:
        parts.append(f"used AS ({_USE_KEY})")
    if shape.has_snapshot:
        parts.append(f"covered AS ({_SNAPSHOT})")
    if shape.dequeues:
        parts += [f"taken AS ({_TAKE})", f"decided AS ({_DECIDE})"]
    if shape.remembers:
        parts.append(thread_statements.MET if shape.meets else thread_statements.REMEMBERED)
    if shape.repins:
        parts.append(index_statements.RENAMED)
    if shape.addresses:
        parts += index_statements.address("moved")
    parts += thread_statements.say(shape.says, "moved")
    return f"WITH {', '.join(parts)} SELECT epoch, queued FROM moved".encode()


_LOCK_HEAD: Final = "SELECT agent FROM fsm_agent.agents AS head"
_USE_KEY: Final = """
    INSERT INTO fsm_agent.keys (agent, key, version, fingerprint)
    SELECT agent, %(key)s, %(version)s::bigint, %(fingerprint)s FROM moved"""
_SNAPSHOT: Final = f"""
    INSERT INTO fsm_agent.snapshot (agent, version, since, appended_since, data)
    SELECT agent, %(covered)s::bigint, %(since)s::bigint, %(appended_since)s, %(data)s FROM moved {_KEEP_SNAPSHOT}"""
_TAKE: Final = """
    DELETE FROM fsm_agent.queue USING moved
    WHERE queue.agent = moved.agent AND queue.number = %(dequeue)s::bigint RETURNING queue.agent, queue.key"""
_DECIDE: Final = """
    UPDATE fsm_agent.keys SET version = %(version)s::bigint FROM taken
    WHERE keys.agent = taken.agent AND keys.key = taken.key"""


def _standing(shape: CommitShape) -> str:
    """What must be true of the head for the step to be taken."""
    conditions = [ONE, "head.version = %(version)s::bigint - 1"]
    if shape.is_fenced or shape.has_snapshot:
        conditions.append("head.epoch = %(epoch)s::bigint")
    if not shape.addresses:
        conditions.append(f"NOT {index_statements.ASKS_SEVERAL}")
    if shape.has_key:
        conditions.append(_KEY_IS_FREE)
    if shape.dequeues:
        conditions.append(
            "EXISTS (SELECT FROM fsm_agent.queue WHERE queue.agent = head.agent AND queue.number = %(dequeue)s::bigint)"
        )
    if shape.repins:
        conditions.append("EXISTS (SELECT FROM pinned)")
    if shape.remembers:
        conditions.append(thread_statements.IS_UNKNOWN if shape.meets else thread_statements.IS_KNOWN)
    return " AND ".join(conditions)


def _settled(shape: CommitShape) -> str:
    where = """WHERE effects.agent = standing.agent AND effects.key = %(effect)s AND effects.ended_ms IS NULL
    RETURNING effects.agent"""
    if not shape.was_done:
        return f"settled AS (DELETE FROM fsm_agent.effects USING standing {where})"
    values = "ended_ms = %(updated_ms)s::bigint, result = %(result)s"
    return f"settled AS (UPDATE fsm_agent.effects SET {values} FROM standing {where})"


def _moved(shape: CommitShape, stands: str) -> str:
    changes = [
        "state = %(state)s, status = %(status)s::smallint, version = %(version)s::bigint",
        "updated_ms = %(updated_ms)s::bigint, cold = %(cold)s",
        LEASE,
        index_statements.ASKED if shape.asks else index_statements.NOT_ASKED,
        f"""wake_ms = CASE WHEN queued > {1 if shape.dequeues else 0}
        THEN %(wake_if_queued)s::bigint ELSE %(wake_ms)s::bigint END""",
    ]
    if not shape.is_fenced:
        changes.append("epoch = epoch + 1")
    if shape.dequeues:
        changes.append("queued = queued - 1")
    if shape.repins:
        changes.append("workflow = pinned.workflow, name = pinned.name")
    source = "FROM pinned" if shape.repins else ""
    returned = ["agent, epoch, queued", *["head.name AS called"] * shape.repins, *["created_ms"] * shape.addresses]
    return f"""moved AS (
    UPDATE fsm_agent.agents AS head SET {", ".join(changes)} {source} WHERE {stands} RETURNING {", ".join(returned)})"""


def insert_step(suffix: str, source: str) -> str:
    """The step of the parameters that end in ``suffix``, for the agent that ``source`` has a row of."""
    return f"""
    INSERT INTO fsm_agent.history (
        agent, version, kind, event, source, target, at_ms, by, duration_ms, reason, append, payload, delta, used)
    SELECT agent, %(version_{suffix})s::bigint, %(kind_{suffix})s::integer, %(event_{suffix})s, %(source_{suffix})s,
        %(target_{suffix})s, %(at_ms_{suffix})s::bigint, %(by_{suffix})s, %(duration_ms_{suffix})s::bigint,
        %(reason_{suffix})s, %(append_{suffix})s, %(payload_{suffix})s, %(delta_{suffix})s, %(used_{suffix})s
    FROM {source}"""


@cache
def create_statement(steps: int, *, addresses: bool, has_labels: bool) -> bytes:
    """An agent with its first steps. Returns a row, unless its definition is not kept."""
    parts = [_PINNED, f"made AS ({MAKE_HEAD})", index_statements.create("made")]
    parts += [f"step_{n} AS ({insert_step(str(n), 'made')})" for n in range(steps)]
    if addresses:
        parts += index_statements.address("made")
    if has_labels:
        parts.append(index_statements.label("made"))
    return f"WITH {', '.join(parts)} SELECT agent FROM made".encode()


@cache
def enqueue_statement(*, has_version: bool, has_key: bool) -> bytes:
    """One more event. Returns how many there are, or nothing."""
    conditions = [ONE]
    if has_version:
        conditions.append("head.version = %(version)s::bigint")
    if has_key:
        conditions.append(_KEY_IS_FREE)
    use = """, used AS (
    INSERT INTO fsm_agent.keys (agent, key, version, fingerprint)
    SELECT agent, %(key)s, NULL, %(fingerprint)s FROM moved)"""
    return f"""
WITH moved AS (
    UPDATE fsm_agent.agents AS head SET queued = queued + 1, numbered = numbered + 1,
        wake_ms = CASE WHEN status IN {_HELD_UP} THEN wake_ms WHEN until_ms IS NULL THEN updated_ms ELSE 0 END
    WHERE {" AND ".join(conditions)} RETURNING agent, version, numbered, queued
), kept AS (
    INSERT INTO fsm_agent.queue (agent, number, version, key, event)
    SELECT agent, numbered, version, %(key)s, %(event)s FROM moved
) {use if has_key else ""}
SELECT queued FROM moved
""".encode()
