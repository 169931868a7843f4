"""The tables of the file, as migrations that lead from nothing to the present ones.

``application_id`` says that a file is ours, ``user_version`` how many of ``MIGRATIONS`` it has been through. Only
ever add to them: files that stand in the world have run the earlier ones.
"""

from __future__ import annotations

from typing import Final

#: "FSMA"
APPLICATION_ID: Final = 0x46534D41

_FIRST: Final = """
CREATE TABLE workflows (
    workflow    INTEGER PRIMARY KEY,
    hash        TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    definition  TEXT    NOT NULL
) STRICT;

CREATE TABLE head (
    namespace   TEXT    NOT NULL,            -- empty for "default", which most agents are in
    id          TEXT    NOT NULL,
    agent       INTEGER NOT NULL,            -- a number by which other tables know it
    workflow    INTEGER NOT NULL REFERENCES workflows,
    created_ms  INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    status      INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL DEFAULT 1,
    queued      INTEGER NOT NULL DEFAULT 0,
    numbered    INTEGER NOT NULL DEFAULT 0,  -- number of the last event that was ever queued
    wake_ms     INTEGER,
    host        TEXT,                        -- the lease, with the next three
    pid         INTEGER,
    started_ms  INTEGER,
    until_ms    INTEGER,
    cold        TEXT    NOT NULL,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waking ON head (namespace, wake_ms) WHERE wake_ms IS NOT NULL;
CREATE INDEX held ON head (host) WHERE host IS NOT NULL;

-- In order of commit, whoever's it is: a group commit then dirties a few pages at the end, not one page per agent.
-- `append` stands before what may be big: a row is read from its beginning, as far as a query needs.
CREATE TABLE history (
    step        INTEGER PRIMARY KEY,
    agent       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    source      TEXT,
    target      TEXT    NOT NULL,
    after_ms    INTEGER NOT NULL,            -- since the creation of its agent
    by          TEXT,
    duration_ms INTEGER,
    reason      TEXT,
    append      TEXT,
    payload     TEXT,
    delta       TEXT,
    UNIQUE (agent, version)
) STRICT;

CREATE TABLE snapshot (
    agent          INTEGER PRIMARY KEY,
    version        INTEGER NOT NULL,
    appended_since TEXT    NOT NULL,
    data           TEXT    NOT NULL
) STRICT;

CREATE TABLE queue (
    agent       INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    key         TEXT,
    event       TEXT    NOT NULL,
    PRIMARY KEY (agent, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    agent       INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    version     INTEGER,                     -- null while the event is queued
    fingerprint TEXT    NOT NULL,
    PRIMARY KEY (agent, key)
) STRICT, WITHOUT ROWID;

-- The keys under which agents were created.
CREATE TABLE starts (
    namespace   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
"""

_EFFECTS_AND_ORIGINS: Final = """
CREATE TABLE effects (
    agent       INTEGER NOT NULL,
    key         TEXT    NOT NULL,
    activation  INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    use         INTEGER NOT NULL,
    mode        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    begun_ms    INTEGER NOT NULL,
    ended_ms    INTEGER,                     -- null, like the result, while it is open
    result      TEXT,
    PRIMARY KEY (agent, key)
) STRICT, WITHOUT ROWID;

-- Where a shortened history begins.
CREATE TABLE origin (
    agent       INTEGER PRIMARY KEY,
    version     INTEGER NOT NULL,
    head        TEXT    NOT NULL,
    data        TEXT    NOT NULL
) STRICT;

-- The last number that was given to an agent. (It was that of its first step, which may be forgotten now.)
CREATE TABLE numbers (number INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
INSERT INTO numbers SELECT 1, ifnull(max(step), 0) FROM history;

CREATE INDEX started ON starts (namespace, id);
"""

_THREADS_AND_USERS: Final = """
ALTER TABLE history ADD COLUMN used TEXT;    -- messages added, and what models have cost

CREATE TABLE threads (
    thread      INTEGER PRIMARY KEY,
    namespace   TEXT    NOT NULL,
    name        TEXT    NOT NULL,            -- of an agent's own: `@` and its id
    last        INTEGER NOT NULL,            -- number of the last message that was ever added
    UNIQUE (namespace, name)
) STRICT;

CREATE TABLE messages (
    thread      INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    role        INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    covers      INTEGER NOT NULL,
    by          TEXT,
    content     TEXT    NOT NULL,
    parts       TEXT,
    PRIMARY KEY (thread, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    namespace   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    updated_ms  INTEGER NOT NULL,
    data        TEXT    NOT NULL,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;
"""

_CHAINS: Final = """
ALTER TABLE head ADD COLUMN last_step INTEGER NOT NULL DEFAULT 0;
UPDATE head SET last_step = ifnull(
    (SELECT step FROM history WHERE history.agent = head.agent ORDER BY version DESC LIMIT 1), 0);
ALTER TABLE head RENAME TO agents;

-- In order of commit, whoever's it is: a group commit then writes a few pages at the end, not one per agent.
-- `append` stands before what may be big: a row is read from its beginning, as far as a query needs.
CREATE TABLE steps (
    step        INTEGER PRIMARY KEY,
    agent       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    previous    INTEGER NOT NULL,            -- the step before this one of the same agent; 0 before the first
    kind        INTEGER NOT NULL,
    event       TEXT    NOT NULL,
    source      TEXT,
    target      TEXT    NOT NULL,
    after_ms    INTEGER NOT NULL,            -- since the creation of its agent
    by          TEXT,
    duration_ms INTEGER,
    reason      TEXT,
    append      TEXT,
    payload     TEXT,
    delta       ANY,                         -- text, or what `packed` has made of a long one
    used        TEXT                         -- messages added, and what models have cost
) STRICT;
INSERT INTO steps
SELECT step, agent, version, lag(step, 1, 0) OVER (PARTITION BY agent ORDER BY version), kind, event, source, target,
       after_ms, by, duration_ms, reason, append, payload, delta, used
FROM history ORDER BY step;
CREATE UNIQUE INDEX milestones ON steps (agent, version) WHERE version % 8 = 0;
DROP TABLE history;

-- A process that was started with an earlier fsm-agent may still have the file open. It would write steps without a
-- place in the chain; so the names it knows lead nowhere, and its error says why. (No table can be renamed while a
-- view leads nowhere: a migration that does drops it first.)
CREATE VIEW head AS SELECT * FROM "a newer fsm-agent has upgraded this file: restart with that one";
CREATE VIEW history AS SELECT * FROM "a newer fsm-agent has upgraded this file: restart with that one";
"""

#: The names under which an earlier process knows the rest of what it could still write. What it asks for is gone, and
#: its error says why.
_UPGRADED: Final = "a newer fsm-agent has upgraded this file: restart with that one"
_RENAMED: Final = f"""
DROP VIEW head;
DROP VIEW history;
ALTER TABLE workflows RENAME TO definitions;
ALTER TABLE threads RENAME TO thread_names;
ALTER TABLE users RENAME TO user_records;
CREATE VIEW head AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW history AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW workflows AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW threads AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW users AS SELECT * FROM "{_UPGRADED}";
"""  # noqa: S608 - no value is part of it

_INDEXES: Final = f"""
DROP VIEW head;
DROP VIEW history;
DROP VIEW workflows;
DROP VIEW threads;
DROP VIEW users;
ALTER TABLE agents RENAME TO heads;
ALTER TABLE heads ADD COLUMN asks BLOB;      -- null if it asks nothing; else what its rows in `questions` follow from
CREATE INDEX by_status ON heads (namespace, status, created_ms, id, workflow);

-- A row for each open question, one for each addressee of it, and one for those to whoever comes. `indexes` says how
-- `who` tells them apart.
CREATE TABLE questions (
    namespace   TEXT    NOT NULL,
    who         BLOB    NOT NULL,
    due_ms      INTEGER NOT NULL,            -- beyond all times where there is no deadline
    created_ms  INTEGER NOT NULL,            -- of the agent, like the next two
    id          TEXT    NOT NULL,
    workflow    INTEGER NOT NULL,
    PRIMARY KEY (namespace, who, due_ms, created_ms, id)
) STRICT, WITHOUT ROWID;

-- The labels of agents, and whom they serve. They are written when an agent is created.
CREATE TABLE labels (
    namespace   TEXT    NOT NULL,
    name        BLOB    NOT NULL,
    text        BLOB    NOT NULL,
    id          TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,            -- of the agent
    PRIMARY KEY (namespace, name, text, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_age ON labels (namespace, name, text, created_ms);

CREATE VIEW head AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW history AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW workflows AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW threads AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW users AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW agents AS SELECT * FROM "{_UPGRADED}";
"""  # noqa: S608 - no value is part of it

#: The column is named anew: whatever an earlier process writes of an agent begins with a look at it, or sets it.
_DUE: Final = f"""
DROP VIEW head;
DROP VIEW history;
DROP VIEW workflows;
DROP VIEW threads;
DROP VIEW users;
DROP VIEW agents;
DROP INDEX waking;
ALTER TABLE heads RENAME COLUMN wake_ms TO due_since_ms;
UPDATE heads SET due_since_ms = -updated_ms WHERE due_since_ms = 0 AND until_ms IS NULL;
CREATE INDEX due ON heads (namespace, ifnull(max(due_since_ms, until_ms), due_since_ms))
WHERE due_since_ms IS NOT NULL;
CREATE VIEW head AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW history AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW workflows AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW threads AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW users AS SELECT * FROM "{_UPGRADED}";
CREATE VIEW agents AS SELECT * FROM "{_UPGRADED}";
"""  # noqa: S608 - no value is part of it

#: the n-th brings a file from ``user_version`` n to n + 1
MIGRATIONS: Final = (_FIRST, _EFFECTS_AND_ORIGINS, _THREADS_AND_USERS, _CHAINS, _RENAMED, _INDEXES, _DUE)
#: the first ``user_version`` with questions and labels: what agents of earlier files say is indexed when it is reached
INDEXED: Final = 6
