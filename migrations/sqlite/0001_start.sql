-- Conversations. Seed tables keep their column names; machine times are epoch milliseconds.
CREATE TABLE chat_sessions (
    id         TEXT PRIMARY KEY,
    sheet_id   TEXT NOT NULL,
    sheet_name TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE messages (
    id         TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'function', 'error')),
    content    TEXT NOT NULL,
    name       TEXT,
    timestamp  TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    metadata   TEXT,
    position   INTEGER NOT NULL
);
CREATE INDEX messages_session_id ON messages (session_id, position);

CREATE TABLE jobs (
    id         TEXT PRIMARY KEY,
    status     TEXT NOT NULL,
    progress   INTEGER NOT NULL DEFAULT 0,
    total      INTEGER NOT NULL DEFAULT 0,
    error      TEXT,
    result     TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX jobs_status ON jobs (status);

-- A thread of a platform and the session it is bound to; several threads may share one session.
CREATE TABLE threads (
    thread_key TEXT PRIMARY KEY,
    thread     TEXT NOT NULL,
    anchor     TEXT NOT NULL,
    session_id TEXT REFERENCES chat_sessions (id) ON DELETE SET NULL,
    question   TEXT,
    stop_at_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX threads_session_id ON threads (session_id);

-- Events that were accepted from the platforms, each once.
CREATE TABLE inbox (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe_key     TEXT NOT NULL UNIQUE,
    thread_key     TEXT NOT NULL,
    lane           TEXT NOT NULL CHECK (lane IN ('queue', 'express')),
    state          TEXT NOT NULL CHECK (state IN ('new', 'taken', 'done', 'failed')),
    event          TEXT NOT NULL,
    reply          TEXT,
    announced      INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    fence          INTEGER NOT NULL DEFAULT 0,
    lease_owner    TEXT,
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    received_at_ms INTEGER NOT NULL,
    done_at_ms     INTEGER
);
CREATE INDEX inbox_waiting ON inbox (thread_key, id) WHERE state IN ('new', 'taken');
CREATE INDEX inbox_open ON inbox (id) WHERE state IN ('new', 'taken');
CREATE INDEX inbox_done ON inbox (done_at_ms) WHERE state IN ('done', 'failed');

-- Writes that nobody has approved yet.
CREATE TABLE proposals (
    id            TEXT PRIMARY KEY,
    session_id    TEXT NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    thread_key    TEXT NOT NULL,
    asker         TEXT NOT NULL,
    identity      TEXT NOT NULL,
    sheet_id      TEXT NOT NULL,
    sheet_version BIGINT NOT NULL,
    plan          TEXT NOT NULL,
    row_count     INTEGER NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('open', 'counting', 'confirmed', 'cancelled', 'expired')),
    message       TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    decided_by    TEXT,
    decided_at_ms INTEGER
);
CREATE INDEX proposals_waiting ON proposals (thread_key) WHERE state IN ('open', 'counting');

-- The journal: approved writes, old values first.
CREATE TABLE changes (
    id             TEXT PRIMARY KEY,
    proposal_id    TEXT UNIQUE REFERENCES proposals (id) ON DELETE SET NULL,
    undo_of        TEXT UNIQUE REFERENCES changes (id),
    session_id     TEXT NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    thread_key     TEXT NOT NULL,
    asker          TEXT NOT NULL,
    identity       TEXT NOT NULL,
    sheet_id       TEXT NOT NULL,
    sheet_version  BIGINT NOT NULL,
    plan           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('applying', 'applied', 'failed')),
    created_at_ms  INTEGER NOT NULL,
    applied_at_ms  INTEGER,
    fence          INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX changes_thread ON changes (thread_key, created_at_ms);

CREATE TABLE change_rows (
    change_id TEXT NOT NULL REFERENCES changes (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'done', 'skipped', 'failed')),
    made      TEXT,
    reason    TEXT,
    PRIMARY KEY (change_id, seq)
);

-- Who writes to a sheet at the moment, among processes.
CREATE TABLE sheet_writers (
    sheet_id INTEGER PRIMARY KEY,
    owner    TEXT NOT NULL,
    until_ms INTEGER NOT NULL
);
