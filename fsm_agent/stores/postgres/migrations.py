"""What brings a database from one version of the schema to the next.

Only ever add to them: databases that stand in the world have run the earlier ones.
"""

from __future__ import annotations

from typing import Final

#: Everything by which rows are found or ordered compares by code point, as in every other store: COLLATE "C".
_FIRST: Final = """
CREATE TABLE fsm_agent.workflows (
    workflow    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace   text COLLATE "C" NOT NULL,
    hash        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    version     bigint  NOT NULL,
    definition  text    NOT NULL,
    UNIQUE (namespace, hash)
);

-- A step that changes neither when its agent is due nor who holds it changes no index: with room left on its page,
-- the new row stands beside the old one (HOT).
CREATE TABLE fsm_agent.head (
    agent       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow    integer NOT NULL,
    status      smallint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,            -- of the workflow, to list by
    created_ms  bigint  NOT NULL,
    state       text    NOT NULL,
    version     bigint  NOT NULL,
    updated_ms  bigint  NOT NULL,
    epoch       bigint  NOT NULL DEFAULT 1,
    queued      integer NOT NULL DEFAULT 0,
    numbered    bigint  NOT NULL DEFAULT 0,           -- number of the last event that was ever queued
    wake_ms     bigint,
    host        text COLLATE "C",                     -- the lease, with the next three
    pid         bigint,
    started_ms  bigint,
    until_ms    bigint,
    start_key   text COLLATE "C",                     -- under which it was created
    start_fingerprint text,
    cold        text    NOT NULL,
    UNIQUE (namespace, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX started ON fsm_agent.head (namespace, start_key) WHERE start_key IS NOT NULL;
CREATE INDEX waking ON fsm_agent.head (namespace, wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX held ON fsm_agent.head (namespace, host) WHERE host IS NOT NULL;
CREATE INDEX by_status ON fsm_agent.head (namespace, status, id);
CREATE INDEX by_name ON fsm_agent.head (namespace, name, id);

CREATE TABLE fsm_agent.history (
    agent       bigint  NOT NULL,
    version     bigint  NOT NULL,
    at_ms       bigint  NOT NULL,
    duration_ms bigint,
    kind        integer NOT NULL,
    event       text    NOT NULL,
    source      text,
    target      text    NOT NULL,
    by          text,
    reason      text,
    append      text,
    payload     text,
    delta       text,
    PRIMARY KEY (agent, version)
);

CREATE TABLE fsm_agent.snapshot (
    agent          bigint PRIMARY KEY,
    version        bigint NOT NULL,
    since          bigint NOT NULL,                   -- the least version in appended_since
    appended_since text   NOT NULL,
    data           text   NOT NULL
);

-- Where a shortened history begins.
CREATE TABLE fsm_agent.origin (
    agent       bigint PRIMARY KEY,
    version     bigint NOT NULL,
    head        text   NOT NULL,
    data        text   NOT NULL
);

CREATE TABLE fsm_agent.queue (
    agent       bigint NOT NULL,
    number      bigint NOT NULL,
    version     bigint NOT NULL,                      -- that of the agent when the event arrived
    key         text COLLATE "C",
    event       text   NOT NULL,
    PRIMARY KEY (agent, number)
);

CREATE TABLE fsm_agent.keys (
    agent       bigint NOT NULL,
    version     bigint,                               -- null while the event is queued
    key         text COLLATE "C" NOT NULL,
    fingerprint text   NOT NULL,
    PRIMARY KEY (agent, key)
);

CREATE TABLE fsm_agent.effects (
    agent       bigint NOT NULL,
    activation  bigint NOT NULL,
    use         bigint NOT NULL,
    epoch       bigint NOT NULL,
    begun_ms    bigint NOT NULL,
    ended_ms    bigint,                               -- null, like the result, while it is open
    key         text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    mode        text   NOT NULL,
    fingerprint text   NOT NULL,
    result      text,
    PRIMARY KEY (agent, key)
);
"""

_THREADS_AND_USERS: Final = """
ALTER TABLE fsm_agent.history ADD COLUMN used text;   -- messages added, and what models have cost

CREATE TABLE fsm_agent.threads (
    thread      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    last        bigint NOT NULL,                      -- the last number that was given to a message
    namespace   text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    UNIQUE (namespace, name)
) WITH (fillfactor = 70);
CREATE INDEX shared ON fsm_agent.threads (namespace, name) WHERE left(name, 1) <> '@';

CREATE TABLE fsm_agent.messages (
    thread      bigint NOT NULL,
    number      bigint NOT NULL,
    at_ms       bigint NOT NULL,
    tokens      bigint NOT NULL,
    covers      bigint NOT NULL,
    role        smallint NOT NULL,
    by          text,
    content     text   NOT NULL,
    parts       text,
    PRIMARY KEY (thread, number)
);

CREATE TABLE fsm_agent.users (
    version     bigint NOT NULL,
    updated_ms  bigint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    data        text   NOT NULL,
    PRIMARY KEY (namespace, name)
) WITH (fillfactor = 70);
"""

#: What a process that was started with an earlier fsm-agent is told; it still has the database open, and would write
#: heads that no index knows of. So the names that it knows are views that raise, and its error says why.
UPGRADED: Final = "a newer fsm-agent has upgraded this database: restart with that one"
_FOUND_BY: Final = f"""
ALTER TABLE fsm_agent.head RENAME TO agents;
ALTER TABLE fsm_agent.workflows RENAME TO definitions;
ALTER TABLE fsm_agent.threads RENAME TO thread_names;
ALTER TABLE fsm_agent.users RENAME TO user_records;

-- A step that neither asks nor answers leaves both null, and so changes no index. Only a question to one person or to
-- anybody is found by the second: that there are several is rare, and they stand in a table of their own.
ALTER TABLE fsm_agent.agents
    ADD COLUMN asked_due bigint,                      -- when its question lapses, the largest number is never
    ADD COLUMN asked_to text COLLATE "C";             -- whom it asks, empty is anybody; null if it asks several
CREATE INDEX asking ON fsm_agent.agents (namespace, asked_due, created_ms, id) WHERE asked_due IS NOT NULL;
CREATE INDEX asking_by_name ON fsm_agent.agents (namespace, name, asked_due, created_ms, id)
    WHERE asked_due IS NOT NULL;
CREATE INDEX asked ON fsm_agent.agents (namespace, asked_to, asked_due, created_ms, id) WHERE asked_to IS NOT NULL;

-- A query is planned once, whatever is looked for. That there are many workflows, and many people, is said here, or a
-- plan that suits the workflow of most agents would read all of them to find one of another.
ALTER TABLE fsm_agent.agents
    ALTER COLUMN name SET (n_distinct = 100),
    ALTER COLUMN asked_to SET (n_distinct = 1000);

-- By what agents are found that does not change with a step, unless that moves them to another workflow: in a table of
-- its own, since a row of agents that changes any index changes all of them.
CREATE TABLE fsm_agent.creations (
    agent       bigint PRIMARY KEY,
    created_ms  bigint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,            -- of the workflow
    serves      text COLLATE "C"                      -- the user
);
ALTER TABLE fsm_agent.creations ALTER COLUMN name SET (n_distinct = 100);
INSERT INTO fsm_agent.creations SELECT agent, created_ms, namespace, id, name FROM fsm_agent.agents;
ANALYZE fsm_agent.agents, fsm_agent.creations;
CREATE INDEX newest ON fsm_agent.creations (namespace, created_ms, id);
CREATE INDEX newest_by_name ON fsm_agent.creations (namespace, name, created_ms, id);
CREATE INDEX serving ON fsm_agent.creations (namespace, serves, created_ms, id) WHERE serves IS NOT NULL;

-- Whom a question asks, if those are several.
CREATE TABLE fsm_agent.addressees (
    agent       bigint NOT NULL,
    asked_due   bigint NOT NULL,
    created_ms  bigint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    who         text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, who)
);
CREATE INDEX addressed ON fsm_agent.addressees (namespace, who, asked_due, created_ms, id);

-- They are written with the agent, and never change.
CREATE TABLE fsm_agent.labels (
    agent       bigint NOT NULL,
    created_ms  bigint NOT NULL,
    namespace   text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    label       text COLLATE "C" NOT NULL,
    PRIMARY KEY (agent, name)
);
CREATE INDEX labelled ON fsm_agent.labels (namespace, name, label, created_ms, id);
CREATE INDEX labelled_by_name ON fsm_agent.labels (namespace, name, created_ms, id);

CREATE FUNCTION fsm_agent.upgraded() RETURNS boolean LANGUAGE plpgsql STABLE AS
    $$ BEGIN RAISE object_not_in_prerequisite_state USING MESSAGE = '{UPGRADED}'; END $$;
CREATE VIEW fsm_agent.head AS SELECT * FROM fsm_agent.agents WHERE fsm_agent.upgraded() WITH CHECK OPTION;
CREATE VIEW fsm_agent.workflows AS SELECT * FROM fsm_agent.definitions WHERE fsm_agent.upgraded() WITH CHECK OPTION;
CREATE VIEW fsm_agent.threads AS SELECT * FROM fsm_agent.thread_names WHERE fsm_agent.upgraded() WITH CHECK OPTION;
CREATE VIEW fsm_agent.users AS SELECT * FROM fsm_agent.user_records WHERE fsm_agent.upgraded() WITH CHECK OPTION;
"""

#: Since when an agent needs somebody, or from when on it will, is one index, in which those that are held stand behind
#: all that are due. What processes of version 3 go on writing is right, too, and only less fair: they leave a 0 where
#: nobody holds an agent, which then comes first. So they are not locked out.
_NOW_MS: Final = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
_DUE_SINCE: Final = f"""
DROP INDEX fsm_agent.waking;
UPDATE fsm_agent.agents SET wake_ms = updated_ms WHERE wake_ms = 0 AND until_ms IS NULL;
CREATE INDEX due ON fsm_agent.agents (namespace, greatest(wake_ms, until_ms)) WHERE wake_ms IS NOT NULL;
ANALYZE fsm_agent.agents;

-- For whoever decides how many workers there are: how many agents of a workflow are due, and for how many seconds the
-- longest due has been. It is a function because that brings its settings, and reads in the order of the index: no
-- estimate leads it past that. It runs as its owner, so that who may read the view need not read agents.
CREATE FUNCTION fsm_agent.due_now() RETURNS TABLE (namespace text, workflow text, due bigint, oldest_s numeric)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
    SELECT here.namespace, waits.name, count(*), ({_NOW_MS} - min(waits.since_ms))::numeric / 1000
    FROM (SELECT DISTINCT namespace FROM fsm_agent.definitions) AS here CROSS JOIN LATERAL (
        SELECT name, coalesce(nullif(greatest(wake_ms, until_ms), 0), updated_ms) AS since_ms
        FROM fsm_agent.agents
        WHERE agents.namespace = here.namespace AND wake_ms IS NOT NULL AND greatest(wake_ms, until_ms) <= {_NOW_MS}
        ORDER BY greatest(wake_ms, until_ms)) AS waits
    GROUP BY here.namespace, waits.name
$$;
CREATE VIEW fsm_agent.backlog AS SELECT * FROM fsm_agent.due_now();
"""

#: the n-th brings a database from version n to n + 1
MIGRATIONS: Final = (_FIRST, _THREADS_AND_USERS, _FOUND_BY, _DUE_SINCE)

#: The version since which steps write what agents are found by. An older database is filled in.
INDEXED_SINCE: Final = 3
