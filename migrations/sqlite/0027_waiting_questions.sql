-- Questions that wait for the sheet of their thread, in the order in which they came.
CREATE TABLE waiting_questions (
    id          INTEGER PRIMARY KEY,
    dedupe_key  TEXT NOT NULL UNIQUE,
    thread_key  TEXT NOT NULL,
    event       TEXT NOT NULL,
    asked_at_ms BIGINT NOT NULL
);
CREATE INDEX waiting_questions_thread ON waiting_questions (thread_key, id);
CREATE INDEX waiting_questions_at ON waiting_questions (asked_at_ms);
INSERT INTO waiting_questions (dedupe_key, thread_key, event, asked_at_ms)
    SELECT (question->'thread'->>'platform') || '|' || (question->'thread'->>'install') || '|' || (question->>'dedupe_id'), thread_key, question, question->>'received_at_ms'
    FROM threads WHERE question IS NOT NULL;
ALTER TABLE threads DROP COLUMN question;
