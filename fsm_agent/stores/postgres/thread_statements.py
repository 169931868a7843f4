"""Threads and users: what is read and written of them alone, and what a step says and remembers.

Who adds to a thread raises its last number first, and holds its row until the messages are there: so numbers follow one
another, whoever else adds to it. A step does so after its compare-and-set, and of several threads in order of their
names; what it remembers of a user it looks at before: users, heads, threads, so nobody waits in a circle.
"""

from __future__ import annotations

from typing import Final

_THREAD: Final = "(SELECT thread FROM fsm_agent.thread_names WHERE namespace = %(namespace)s AND name = %(thread)s)"
#: The columns of a ``MessageRow`` after the number.
_MESSAGE: Final = "number, role, at_ms, tokens, covers, by, content, parts"
_USER: Final = "namespace = %(namespace)s AND name = %(user)s"

_RANGE: Final = f"""
SELECT {_MESSAGE} FROM fsm_agent.messages
WHERE thread = {_THREAD} AND number > %(after)s::bigint
    AND number <= coalesce(%(upto)s::bigint, 9223372036854775807)
"""
OLDEST: Final = f"{_RANGE} ORDER BY number LIMIT %(limit)s::bigint".encode()
NEWEST: Final = f"{_RANGE} ORDER BY number DESC LIMIT %(limit)s::bigint".encode()
REVISE: Final = f"""
WITH revised AS (
    UPDATE fsm_agent.messages SET role = (row->>1)::smallint, at_ms = (row->>2)::bigint, tokens = (row->>3)::bigint,
        covers = (row->>4)::bigint, by = row->>5, content = row->>6, parts = row->>7
    FROM json_array_elements(%(messages)s::json) AS told (row)
    WHERE thread = {_THREAD} AND number = (row->>0)::bigint RETURNING number
)
SELECT count(*) FROM revised
""".encode()
RETRACT: Final = f"""
WITH retracted AS (
    DELETE FROM fsm_agent.messages
    WHERE thread = {_THREAD} AND number > %(after)s::bigint
        AND number <= coalesce(%(upto)s::bigint, 9223372036854775807)
    RETURNING number
)
SELECT count(*) FROM retracted
""".encode()
THREADS: Final = b"""
SELECT name FROM fsm_agent.thread_names
WHERE namespace = %(namespace)s AND name > %(after)s AND left(name, 1) <> '@' ORDER BY name LIMIT %(limit)s::bigint
"""
USERS: Final = b"""
SELECT name FROM fsm_agent.user_records
WHERE namespace = %(namespace)s AND name > %(after)s ORDER BY name LIMIT %(limit)s::bigint
"""
USER: Final = f"SELECT version, updated_ms, data FROM fsm_agent.user_records WHERE {_USER}".encode()


def insert_messages(suffix: str, source: str, before: str) -> str:
    """The messages of the parameter that ends in ``suffix``, for the thread that ``source`` has a row of, numbered on
    from ``before``."""
    return f"""
    INSERT INTO fsm_agent.messages (thread, {_MESSAGE})
    SELECT thread, {before} + (row->>0)::bigint, (row->>1)::smallint, (row->>2)::bigint, (row->>3)::bigint,
        (row->>4)::bigint, row->>5, row->>6, row->>7
    FROM {source}, json_array_elements(%(messages{suffix})s::json) AS told (row)"""


def say(threads: int, source: str) -> list[str]:
    """The parts of a statement that add to threads, each if ``source`` has a row, and one after the other."""
    parts = []
    for number in range(threads):
        name = f"thread_{number}"
        parts.append(f"""{name} AS (
    INSERT INTO fsm_agent.thread_names AS known (namespace, name, last)
    SELECT %(namespace)s, %(thread_{number})s, %(count_{number})s::bigint FROM {source}
    ON CONFLICT (namespace, name) DO UPDATE SET last = known.last + excluded.last RETURNING thread, last)""")
        before = f"last - %(count_{number})s::bigint"
        parts.append(f"said_{number} AS ({insert_messages(f'_{number}', name, before)})")
        source = name
    return parts


APPEND: Final = f"WITH {', '.join(say(1, '(SELECT) AS nobody'))} SELECT last FROM thread_0".encode()

#: A user as he must be for a step that remembers something of him: at the version before, until the step is there.
KNOWN: Final = f"""known AS MATERIALIZED (
    SELECT version FROM fsm_agent.user_records
    WHERE {_USER} AND version = %(user_version)s::bigint - 1 FOR NO KEY UPDATE)"""
IS_KNOWN: Final = "EXISTS (SELECT FROM known)"
IS_UNKNOWN: Final = f"NOT EXISTS (SELECT FROM fsm_agent.user_records WHERE {_USER})"

_MEET: Final = """
    INSERT INTO fsm_agent.user_records (namespace, name, version, updated_ms, data)
    SELECT %(namespace)s, %(user)s, %(user_version)s::bigint, %(user_ms)s::bigint, %(user_data)s"""
_REMEMBER: Final = """
    UPDATE fsm_agent.user_records
    SET version = %(user_version)s::bigint, updated_ms = %(user_ms)s::bigint, data = %(user_data)s"""
#: What a step remembers of a user of whom nothing was known. Two who do so at once break the unique index.
MET: Final = f"met AS ({_MEET} FROM moved)"
REMEMBERED: Final = f"remembered AS ({_REMEMBER} FROM moved WHERE {_USER})"
SAVE_NEW_USER: Final = f"{_MEET} ON CONFLICT DO NOTHING RETURNING version".encode()
SAVE_USER: Final = f"{_REMEMBER} WHERE {_USER} AND version = %(user_version)s::bigint - 1 RETURNING version".encode()

#: What goes with an agent: its own thread.
GONE: Final = """gone_thread AS (
    DELETE FROM fsm_agent.thread_names AS own USING moved
    WHERE own.namespace = %(namespace)s AND own.name = '@' || %(id)s RETURNING own.thread
), gone_messages AS (
    DELETE FROM fsm_agent.messages USING gone_thread WHERE messages.thread = gone_thread.thread)"""
ADOPT_THREAD: Final = b"""
INSERT INTO fsm_agent.thread_names (namespace, name, last)
VALUES (%(namespace)s, %(thread)s, %(last)s::bigint) RETURNING thread
"""
ADOPT_MESSAGES: Final = insert_messages("", "(SELECT %(thread)s::bigint AS thread) AS adopted", "0").encode()
