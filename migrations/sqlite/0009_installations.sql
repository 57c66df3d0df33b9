-- Workspaces and organisations that have installed an app by a link; what opens them is encrypted.
CREATE TABLE installations (
    platform         TEXT NOT NULL,
    id               TEXT NOT NULL,
    sealed           TEXT NOT NULL,
    installed_at_ms  INTEGER NOT NULL,
    renewed_until_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (platform, id)
);
-- Invitations that were used, until they would have ended by themselves.
CREATE TABLE invitations (
    id         TEXT PRIMARY KEY,
    used_at_ms INTEGER NOT NULL
);
