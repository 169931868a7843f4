"""What is wrong in a database beneath the agents, as queries that find nothing in a sound one.

Each row is an agent's id (null for none), a table, and what is wrong in it. Rows of agents that are gone belong to no
namespace, and are found from any.
"""

from __future__ import annotations

from typing import Final

DEFINITIONS: Final = b"""
SELECT hash FROM fsm_agent.definitions
WHERE namespace = %(namespace)s AND hash > %(after)s ORDER BY hash LIMIT %(limit)s::bigint
"""


def _orphans(table: str) -> bytes:
    return f"""
SELECT NULL, '{table}', 'there are rows of agent number ' || agent || ', and no such agent is kept'
FROM (SELECT DISTINCT agent FROM fsm_agent.{table}) AS kept
WHERE NOT EXISTS (SELECT FROM fsm_agent.agents AS head WHERE head.agent = kept.agent)
""".encode()


_QUEUES: Final = b"""
SELECT id, 'queue', found || ' events are kept, and the head says ' || queued
FROM (SELECT id, queued, (SELECT count(*) FROM fsm_agent.queue WHERE queue.agent = head.agent) AS found
      FROM fsm_agent.agents AS head WHERE namespace = %(namespace)s) AS counted
WHERE found <> queued
"""
_NUMBERED: Final = b"""
SELECT id, 'agents', 'its numbered is ' || numbered || ', and event ' || last || ' is queued'
FROM (SELECT id, numbered, (SELECT max(number) FROM fsm_agent.queue WHERE queue.agent = head.agent) AS last
      FROM fsm_agent.agents AS head WHERE namespace = %(namespace)s) AS counted
WHERE last > numbered
"""
_NAMES: Final = b"""
SELECT id, 'agents', 'its workflow is called ' || head.name || ', and its definition ' || definitions.name
FROM fsm_agent.agents AS head JOIN fsm_agent.definitions USING (workflow)
WHERE head.namespace = %(namespace)s AND head.name <> definitions.name
"""
_LEASES: Final = b"""
SELECT id, 'agents', 'its lease is there in part' FROM fsm_agent.agents AS head
WHERE namespace = %(namespace)s AND num_nulls(host, pid, started_ms, until_ms) BETWEEN 1 AND 3
"""
_SINCE: Final = b"""
SELECT id, 'snapshot', 'its version is ' || snapshot.version || ', and its lists begin later, at ' || since
FROM fsm_agent.agents AS head JOIN fsm_agent.snapshot USING (agent)
WHERE namespace = %(namespace)s AND since > snapshot.version
"""
_MESSAGES: Final = b"""
SELECT NULL, 'messages', 'there are messages of thread number ' || thread || ', and no such thread is kept'
FROM (SELECT DISTINCT thread FROM fsm_agent.messages) AS kept
WHERE NOT EXISTS (SELECT FROM fsm_agent.thread_names WHERE thread_names.thread = kept.thread)
"""
_LAST: Final = b"""
SELECT NULL, 'thread_names', 'thread ' || name || ' has messages beyond its last number'
FROM fsm_agent.thread_names
WHERE namespace = %(namespace)s
    AND last < (SELECT max(number) FROM fsm_agent.messages WHERE messages.thread = thread_names.thread)
"""
_OF_AGENTS: Final = ("history", "snapshot", "origin", "queue", "keys", "effects")
CHECKS: Final = (
    *map(_orphans, _OF_AGENTS),
    _QUEUES,
    _NUMBERED,
    _NAMES,
    _LEASES,
    _SINCE,
    _MESSAGES,
    _LAST,
)
