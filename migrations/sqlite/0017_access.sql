-- Who may use the bot beside those whom the settings let in, and what they may do ('nobody': they were removed).
CREATE TABLE access (
    platform      TEXT NOT NULL,
    install       TEXT NOT NULL,
    person        TEXT NOT NULL,
    name          TEXT,
    role          TEXT NOT NULL,
    granted_at_ms INTEGER NOT NULL,
    PRIMARY KEY (platform, install, person)
);
-- Codes by which people let themselves in, once; the codes themselves are not kept.
CREATE TABLE access_codes (
    hash       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    ends_at_ms INTEGER NOT NULL
);
