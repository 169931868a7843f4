"""What is read, one query each: a query sees one moment, so nothing of an agent is older than the rest of it.

What belongs to one agent comes with its head, rows gathered into a JSON text; no row means no agent.
"""

from __future__ import annotations

from typing import Final

from fsm_agent.stores.postgres import index_statements

_ONE: Final = "head.namespace = %(namespace)s AND head.id = %(id)s"
#: The columns of ``codec.head_of``.
HEAD_COLUMNS: Final = """head.id, head.name, definitions.version, definitions.hash, head.created_ms, head.state,
    head.status, head.version, head.updated_ms, head.cold, head.epoch, head.queued, head.host, head.pid,
    head.started_ms, head.until_ms"""
#: How many those are.
HEAD_WIDTH: Final = 16
#: An agent whose definition is gone is found all the same: it must not look as if it were gone, too.
FROM_HEAD: Final = "FROM fsm_agent.agents AS head LEFT JOIN fsm_agent.definitions USING (workflow)"
SELECT_HEAD: Final = f"SELECT {HEAD_COLUMNS} {FROM_HEAD}"


def _gathered(columns: str, source: str, order: str) -> str:
    """Rows of an agent as one JSON text, null if there are none."""
    return f"(SELECT json_agg(json_build_array({columns}) ORDER BY {order})::text FROM {source})"


#: The columns of a ``StepRow``, from ``s``.
_STEP: Final = """s.version, s.kind, s.event, s.source, s.target, s.at_ms, s.by, s.duration_ms, s.reason, s.append,
    s.payload, s.delta, s.used"""
_STEPS: Final = _gathered(_STEP, "fsm_agent.history AS s WHERE s.agent = head.agent", "s.version")
#: Of steps that the snapshot covers, only appended items are read: what stands after them may be big.
_TAIL: Final = _gathered(
    """s.version, s.kind, s.event, s.source, s.target, s.at_ms, s.by, s.duration_ms, s.reason, s.append,
    CASE WHEN s.version > coalesce(snapshot.version, 0) THEN s.payload END,
    CASE WHEN s.version > coalesce(snapshot.version, 0) THEN s.delta END, s.used""",
    """fsm_agent.history AS s
    WHERE s.agent = head.agent AND s.version > coalesce(snapshot.since, 0)
        AND (s.version > coalesce(snapshot.version, 0) OR s.append IS NOT NULL)""",
    "s.version",
)
_QUEUE: Final = _gathered("q.number, q.event, q.version", "fsm_agent.queue AS q WHERE q.agent = head.agent", "q.number")
_KEYS: Final = _gathered("k.key, k.version, k.fingerprint", "fsm_agent.keys AS k WHERE k.agent = head.agent", "k.key")
#: The columns of an ``EffectRow``.
_EFFECT: Final = "e.key, e.activation, e.name, e.use, e.mode, e.fingerprint, e.epoch, e.begun_ms, e.ended_ms, e.result"
_EFFECTS: Final = _gathered(
    _EFFECT,
    "fsm_agent.effects AS e WHERE e.agent = head.agent AND e.activation >= %(activation)s::bigint",
    "e.activation, e.name, e.use",
)
_OWN_THREAD: Final = """(
    SELECT thread FROM fsm_agent.thread_names AS own
    WHERE own.namespace = head.namespace AND own.name = '@' || head.id)"""
_MESSAGES: Final = _gathered(
    "m.number, m.role, m.at_ms, m.tokens, m.covers, m.by, m.content, m.parts",
    f"fsm_agent.messages AS m WHERE m.thread = {_OWN_THREAD}",
    "m.number",
)
_SNAPSHOT: Final = "snapshot.version, snapshot.appended_since, snapshot.data"
_ORIGIN: Final = "origin.version, origin.head, origin.data"

HEAD: Final = f"{SELECT_HEAD} WHERE {_ONE}".encode()
LOAD: Final = f"""
SELECT {HEAD_COLUMNS}, {_SNAPSHOT}, keys.version, keys.fingerprint, {_QUEUE}, {_TAIL} {FROM_HEAD}
LEFT JOIN fsm_agent.snapshot ON snapshot.agent = head.agent
LEFT JOIN fsm_agent.keys ON keys.agent = head.agent AND keys.key = %(key)s
WHERE {_ONE}
""".encode()
DUMP: Final = f"""
SELECT {HEAD_COLUMNS}, {_SNAPSHOT}, {_ORIGIN}, head.numbered, head.start_key, head.start_fingerprint,
    {_QUEUE}, {_KEYS}, {_EFFECTS}, {_STEPS}, {_MESSAGES} {FROM_HEAD}
LEFT JOIN fsm_agent.snapshot ON snapshot.agent = head.agent
LEFT JOIN fsm_agent.origin ON origin.agent = head.agent
WHERE {_ONE}
""".encode()
HISTORY: Final = f"""
SELECT (SELECT json_agg(json_build_array({_STEP}) ORDER BY s.version)::text FROM (
    SELECT * FROM fsm_agent.history AS h WHERE h.agent = head.agent AND h.version > %(after)s::bigint
    ORDER BY h.version LIMIT %(limit)s::bigint) AS s)
FROM fsm_agent.agents AS head WHERE {_ONE}
""".encode()
FIND_IDS: Final = b"""
SELECT head.id FROM fsm_agent.agents AS head WHERE head.namespace = %(namespace)s
    AND %(part)s::text IN (left(head.id, length(%(part)s::text)), right(head.id, length(%(part)s::text)))
ORDER BY head.id LIMIT %(limit)s::bigint
"""
EFFECTS: Final = f"SELECT {_EFFECTS} FROM fsm_agent.agents AS head WHERE {_ONE}".encode()
EFFECT: Final = f"""
SELECT {_EFFECT} FROM fsm_agent.agents AS head JOIN fsm_agent.effects AS e USING (agent)
WHERE {_ONE} AND e.key = %(key)s
""".encode()
ORIGIN: Final = f"""
SELECT {_ORIGIN} FROM fsm_agent.agents AS head LEFT JOIN fsm_agent.origin USING (agent) WHERE {_ONE}
""".encode()
STANDING: Final = f"SELECT version, epoch FROM fsm_agent.agents AS head WHERE {_ONE}".encode()
#: a row if the question of an agent is to several people
ASKS_SEVERAL: Final = f"SELECT FROM fsm_agent.agents AS head WHERE {_ONE} AND {index_statements.ASKS_SEVERAL}".encode()
DEFINITION: Final = b"""
SELECT definition FROM fsm_agent.definitions WHERE namespace = %(namespace)s AND hash = %(hash)s
"""
FIND_KEY: Final = b"""
SELECT id, start_fingerprint FROM fsm_agent.agents AS head WHERE namespace = %(namespace)s AND start_key = %(key)s
"""
NOW: Final = b"SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def _weight(table: str, *texts: str, numbers: int, of: str = "w.agent = head.agent") -> str:
    """Bytes of what a table keeps of an agent; numbers count eight bytes each, as in ``codec.weight``."""
    row = " + ".join([*(f"coalesce(octet_length(w.{text}), 0)" for text in texts), f"{8 * numbers}"])
    return f"(SELECT coalesce(sum({row}), 0)::bigint FROM fsm_agent.{table} AS w WHERE {of})"


_HISTORY_TEXTS: Final = ("event", "source", "target", "by", "reason", "append", "payload", "delta", "used")
#: The fields of ``Size``.
SIZE: Final = f"""
SELECT (SELECT count(*) FROM fsm_agent.history AS h WHERE h.agent = head.agent),
    octet_length(head.id) + octet_length(head.name) + coalesce(octet_length(definitions.hash), 0)
        + octet_length(head.state) + octet_length(head.cold) + 5 * 8,
    {_weight("history", *_HISTORY_TEXTS, numbers=4)},
    {_weight("snapshot", "appended_since", "data", numbers=1)} + {_weight("origin", "head", "data", numbers=1)},
    {_weight("queue", "event", numbers=1)} + {_weight("keys", "key", "fingerprint", numbers=1)}
        + {_weight("effects", "key", "name", "mode", "fingerprint", "result", numbers=5)},
    {_weight("messages", "by", "content", "parts", numbers=4, of=f"w.thread = {_OWN_THREAD}")}
{FROM_HEAD} WHERE {_ONE}
""".encode()
