"""The statements by which processes share the work: who is due, and who drives.

The column ``wake_ms`` is when an agent is due, null is never. One that is due at once has there the time of its last
step, since when it waits for somebody; and 0 while somebody holds it, so that its steps change no index. So the index
``due`` has those first that have waited longest: since ``wake_ms``, or since their lease ran out. An agent that is due
at once is so by every clock, also by one that is behind that of whoever made the step: the index is read up to the
server's time, and what the caller's clock says decides about all others.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from fsm_agent.stores.postgres.queries import SELECT_HEAD
from fsm_agent.stores.postgres.statements import LEASE, ONE, SEEN

#: by what the index ``due`` is ordered
SINCE: Final = "greatest(head.wake_ms, head.until_ms)"
_SERVER_MS: Final = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
_DUE: Final = f"""head.namespace = %(namespace)s AND head.wake_ms IS NOT NULL
    AND {SINCE} <= greatest(%(now_ms)s::bigint, {_SERVER_MS})
    AND ({SINCE} <= %(now_ms)s::bigint OR (head.wake_ms = head.updated_ms AND head.until_ms IS NULL))"""
DUE: Final = f"""
SELECT head.id FROM fsm_agent.agents AS head WHERE {_DUE} ORDER BY {SINCE} LIMIT %(limit)s::bigint
""".encode()
#: What is claimed is held, and so has 0 where it is due at once.
_CLAIMED: Final = f"""epoch = head.epoch + 1, {LEASE},
    wake_ms = CASE WHEN head.wake_ms = head.updated_ms THEN 0 ELSE head.wake_ms END"""
CLAIM: Final = f"UPDATE fsm_agent.agents AS head SET {_CLAIMED} WHERE {ONE} AND {SEEN} RETURNING epoch".encode()
RENEW: Final = f"""
UPDATE fsm_agent.agents AS head SET {LEASE}
WHERE {ONE} AND epoch = %(epoch)s::bigint AND host IS NOT NULL RETURNING epoch
""".encode()
#: One look-up for each, and locked while it stands under its epoch; a join may read all that are held.
RENEW_ALL: Final = f"""
UPDATE fsm_agent.agents AS head SET {LEASE}
WHERE head.agent = ANY (ARRAY(
    SELECT standing.agent FROM unnest(%(ids)s::text[], %(epochs)s::bigint[]) AS held (agent_id, made), LATERAL (
        SELECT agent FROM fsm_agent.agents
        WHERE namespace = %(namespace)s AND id = held.agent_id AND epoch = held.made AND until_ms IS NOT NULL
        FOR NO KEY UPDATE) AS standing))
RETURNING head.id
""".encode()
RELEASE: Final = f"""
UPDATE fsm_agent.agents AS head SET host = NULL, pid = NULL, started_ms = NULL, until_ms = NULL,
    wake_ms = CASE WHEN wake_ms = 0 THEN updated_ms ELSE wake_ms END
WHERE {ONE} AND epoch = %(epoch)s::bigint RETURNING epoch
""".encode()
HELD: Final = f"{SELECT_HEAD} WHERE head.namespace = %(namespace)s AND head.host = %(host)s".encode()
#: in the order of the index of those that are held, which are few: no other index, of all agents, would do as well
LAPSED: Final = f"""
{SELECT_HEAD}
WHERE head.namespace = %(namespace)s AND head.host >= '' AND head.until_ms <= %(now_ms)s::bigint
ORDER BY head.host LIMIT %(limit)s::bigint
""".encode()
RING: Final = b"SELECT pg_notify(%(channel)s, '')"

#: Both are written so that no index fits but ``due``: in the order of another one, all agents of a workflow would have
#: to be read and sorted.
_OF_WORKFLOWS: Final = "AND array_position(%(workflows)s::text[], head.name) IS NOT NULL"
_NOT_AT: Final = """AND (head.workflow || ' ' || head.state) <> ALL (ARRAY(
    SELECT definitions.workflow || ' ' || left_out.state
    FROM unnest(%(hashes)s::text[], %(states)s::text[]) AS left_out (hash, state)
    JOIN fsm_agent.definitions ON definitions.namespace = %(namespace)s AND definitions.hash = left_out.hash))"""


@cache
def take_statement(*, has_workflows: bool, leaves_out: bool) -> bytes:
    """Claim the longest due. Who is locked is just being claimed by somebody else, or makes a step, and is passed; and
    so is what stands in for an agent in another tier, whose version is below 0.

    The numbers are gathered first, as an array: a join with a list of unknown length may read all agents.
    """
    conditions = f"{_DUE} AND head.version > 0 {_OF_WORKFLOWS if has_workflows else ''} {_NOT_AT if leaves_out else ''}"
    return f"""
UPDATE fsm_agent.agents AS head SET {_CLAIMED}
WHERE head.agent = ANY (ARRAY(
    SELECT head.agent FROM fsm_agent.agents AS head WHERE {conditions}
    ORDER BY {SINCE} LIMIT %(limit)s::bigint FOR NO KEY UPDATE SKIP LOCKED))
RETURNING head.id, head.epoch
""".encode()
