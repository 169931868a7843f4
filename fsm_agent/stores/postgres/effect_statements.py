"""What is written of effects while an action is at work, one statement each: see ``statements``."""

from __future__ import annotations

from typing import Final

_ONE: Final = "namespace = %(namespace)s AND id = %(id)s"

#: Nobody raises the epoch between the look at it and the row.
_UNDER_EPOCH: Final = f"""held AS MATERIALIZED (
    SELECT agent FROM fsm_agent.agents AS head WHERE {_ONE} AND epoch = %(epoch)s::bigint FOR NO KEY UPDATE
)"""
BEGIN_EFFECT: Final = f"""
WITH {_UNDER_EPOCH}, begun AS (
    INSERT INTO fsm_agent.effects (
        agent, key, activation, name, use, mode, fingerprint, epoch, begun_ms, ended_ms, result)
    SELECT agent, %(key)s, %(activation)s::bigint, %(name)s, %(use)s::bigint, %(mode)s, %(fingerprint)s,
        %(epoch)s::bigint, %(begun_ms)s::bigint, NULL, NULL
    FROM held ON CONFLICT DO NOTHING RETURNING agent
)
SELECT begun.agent IS NOT NULL FROM held LEFT JOIN begun USING (agent)
""".encode()
#: An open effect, as long as it is the one that was seen.
BEGIN_AGAIN: Final = f"""
WITH {_UNDER_EPOCH}
UPDATE fsm_agent.effects SET activation = %(activation)s::bigint, name = %(name)s, use = %(use)s::bigint,
    mode = %(mode)s, fingerprint = %(fingerprint)s, epoch = %(epoch)s::bigint, begun_ms = %(begun_ms)s::bigint
FROM held
WHERE effects.agent = held.agent AND key = %(key)s AND ended_ms IS NULL
    AND effects.epoch = %(seen_epoch)s::bigint AND effects.begun_ms = %(seen_begun_ms)s::bigint
RETURNING effects.agent
""".encode()
END_EFFECT: Final = f"""
WITH ended AS (
    UPDATE fsm_agent.effects SET ended_ms = %(ended_ms)s::bigint, result = %(result)s
    WHERE agent = (SELECT agent FROM fsm_agent.agents AS head WHERE {_ONE}) AND key = %(key)s
        AND effects.epoch = %(epoch)s::bigint AND ended_ms IS NULL
    RETURNING agent
)
SELECT ended.agent IS NOT NULL FROM fsm_agent.agents AS head LEFT JOIN ended USING (agent) WHERE {_ONE}
""".encode()
