-- What one process does for all, such as asking Telegram for updates: who does it, and until when without a sign of life.
CREATE TABLE holders (
    name     TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    until_ms BIGINT NOT NULL
);
