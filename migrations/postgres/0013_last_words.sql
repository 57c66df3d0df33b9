-- When it is tried again to say in the thread what came of a job that has ended; NULL when it was said.
ALTER TABLE jobs ADD COLUMN tell_at_ms BIGINT;
CREATE INDEX jobs_untold ON jobs (tell_at_ms) WHERE tell_at_ms IS NOT NULL;
