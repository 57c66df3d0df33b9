-- Answers that one person alone has seen, so that they can share them.
CREATE TABLE whispers (
    event_id INTEGER PRIMARY KEY,
    install  TEXT NOT NULL,
    person   TEXT NOT NULL,
    anchor   TEXT NOT NULL,
    message  TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
);
CREATE INDEX whispers_at ON whispers (at_ms);
