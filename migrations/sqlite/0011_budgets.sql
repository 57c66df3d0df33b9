-- What has been taken from a rate budget by all processes: the moment at which it is whole again.
CREATE TABLE rate_budgets (
    name        TEXT PRIMARY KEY,
    whole_at_ms BIGINT NOT NULL
);

-- Ids of people are unique within an install only, also where their running jobs are counted.
ALTER TABLE jobs ADD COLUMN install TEXT NOT NULL DEFAULT '';
UPDATE jobs SET install = substr(thread_key, 1, instr(thread_key, '|')
    + instr(substr(thread_key, instr(thread_key, '|') + 1) || '|', '|') - 1);
