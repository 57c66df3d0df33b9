-- What has been taken from a rate budget by all processes: the moment at which it is whole again. Not worth a flush:
-- who loses it begins with a whole budget.
CREATE TABLE rate_budgets (
    name        TEXT PRIMARY KEY,
    whole_at_ms BIGINT NOT NULL
);
ALTER TABLE rate_budgets SET UNLOGGED;

-- Ids of people are unique within an install only, also where their running jobs are counted.
ALTER TABLE jobs ADD COLUMN install TEXT NOT NULL DEFAULT '';
UPDATE jobs SET install = split_part(thread_key, '|', 1) || '|' || split_part(thread_key, '|', 2);
