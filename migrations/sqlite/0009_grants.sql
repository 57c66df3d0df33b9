-- What others have granted: workspaces and organisations that have installed the Slack app (kind 'slack'), and people
-- in whose name Smartsheet may be asked (kind 'smartsheet'). The tokens are encrypted.
CREATE TABLE grants (
    kind             TEXT NOT NULL,
    id               TEXT NOT NULL,
    sealed           TEXT NOT NULL,
    granted_at_ms    INTEGER NOT NULL,
    renewed_until_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id)
);
-- Invitations that were used, until they would have ended by themselves.
CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    used_at_ms INTEGER NOT NULL
);
