-- Webhooks that Smartsheet calls when a sheet changes; their secrets are encrypted.
CREATE TABLE webhooks (
    sheet_id    TEXT PRIMARY KEY,
    webhook_id  INTEGER,
    secret      TEXT,
    status      TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    next_try_ms INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX webhooks_id ON webhooks (webhook_id);
