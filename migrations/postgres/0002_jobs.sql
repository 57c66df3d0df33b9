-- What the engine needs beside the seed's columns; `id` is that of the proposal that a person confirmed.
ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN parameters JSONB;
ALTER TABLE jobs ADD COLUMN session_id TEXT REFERENCES chat_sessions (id) ON DELETE CASCADE;
ALTER TABLE jobs ADD COLUMN thread_key TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN anchor TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN asker TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN identity TEXT NOT NULL DEFAULT 'service';
ALTER TABLE jobs ADD COLUMN sheet_id TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN message JSONB;
ALTER TABLE jobs ADD COLUMN cancel_requested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lease_owner TEXT;
ALTER TABLE jobs ADD COLUMN lease_until_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN run_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN created_at_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN started_at_ms BIGINT;
ALTER TABLE jobs ADD COLUMN finished_at_ms BIGINT;
CREATE INDEX jobs_waiting ON jobs (created_at_ms) WHERE status IN ('queued', 'processing');
CREATE INDEX jobs_thread ON jobs (thread_key, created_at_ms);

-- One row of a job: what the model answered (paid for, so kept before it is used), and what became of it.
CREATE TABLE job_rows (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq    BIGINT NOT NULL,
    row_id BIGINT NOT NULL,
    label  TEXT NOT NULL,
    state  TEXT NOT NULL CHECK (state IN ('pending', 'answered', 'written', 'skipped', 'failed')),
    before JSONB NOT NULL,
    answer JSONB,
    reason TEXT,
    PRIMARY KEY (job_id, seq)
);

-- The writes of a job, in order.
ALTER TABLE changes ADD COLUMN job_id TEXT REFERENCES jobs (id) ON DELETE SET NULL;
CREATE INDEX changes_job ON changes (job_id, created_at_ms);
