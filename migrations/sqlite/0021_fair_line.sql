-- Whom an event belongs to, so that places are shared fairly among people and channels.
ALTER TABLE inbox ADD COLUMN channel TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN person TEXT NOT NULL DEFAULT '';

-- The line is read in its order without the events themselves.
DROP INDEX inbox_open;
CREATE INDEX inbox_line ON inbox (id, channel, person, thread_key, lane, state, lease_until_ms, announced) WHERE state IN ('new', 'taken');
CREATE INDEX inbox_express ON inbox (id) WHERE lane = 'express' AND state IN ('new', 'taken');

-- The jobs of somebody, the newest first.
CREATE INDEX jobs_asker ON jobs (asker, created_at_ms);

-- What people have used of the model, by day (UTC).
CREATE TABLE usage (
    person      TEXT NOT NULL,
    day         TEXT NOT NULL,
    turns       BIGINT NOT NULL DEFAULT 0,
    tokens      BIGINT NOT NULL DEFAULT 0,
    cost_micros BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (person, day)
);

-- A word that was sealed with the secret key of this installation: another key does not open it.
ALTER TABLE installation ADD COLUMN key_check TEXT;
