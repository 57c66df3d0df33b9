-- Whether a person was told the answer that is for them alone: served again after a crash, it is not told again.
ALTER TABLE whispers ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;
-- When somebody who is not let in was last told so: once an hour, whichever process they reach.
CREATE TABLE turned_away (
    person TEXT PRIMARY KEY,
    at_ms  BIGINT NOT NULL
);
CREATE INDEX turned_away_at ON turned_away (at_ms);
