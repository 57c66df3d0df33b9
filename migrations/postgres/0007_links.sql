-- Links to the sheet viewer are signed and not kept; those of a session that were made until then do not open any more.
CREATE TABLE link_revocations (
    session_id TEXT PRIMARY KEY REFERENCES chat_sessions (id) ON DELETE CASCADE,
    until_ms   BIGINT NOT NULL
);
