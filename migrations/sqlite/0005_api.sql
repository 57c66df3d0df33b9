-- Keys of programs that use the REST API. Only hashes of their secrets are kept.
CREATE TABLE api_keys (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    secret_hash     TEXT NOT NULL,
    scopes          TEXT NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    last_used_at_ms INTEGER,
    revoked_at_ms   INTEGER
);

-- Answers to requests that carried an Idempotency-Key; no status: the first one is still under way, or was interrupted.
CREATE TABLE idempotent_requests (
    key_id        TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    request_hash  TEXT NOT NULL,
    status        INTEGER,
    body          TEXT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (key_id, name)
);
CREATE INDEX idempotent_requests_created ON idempotent_requests (created_at_ms);

-- What the bot shows in threads of the web, each message as it is now; the revision grows with every change in a thread.
CREATE TABLE posts (
    id            TEXT PRIMARY KEY,
    thread_key    TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    partial       BOOLEAN NOT NULL,
    body          TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX posts_thread ON posts (thread_key, revision);
