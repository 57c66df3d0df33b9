-- How often a sheet was taken, so that who comes back sees whether anybody wrote in between.
ALTER TABLE sheet_writers ADD COLUMN turns BIGINT NOT NULL DEFAULT 0;

-- What is kept only for a while.
CREATE INDEX jobs_finished ON jobs (finished_at_ms) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX changes_applied ON changes (applied_at_ms) WHERE applied_at_ms IS NOT NULL;
CREATE INDEX proposals_created ON proposals (created_at_ms);

-- What the model said about a row of a sheet, for people who ask why.
CREATE INDEX job_rows_row ON job_rows (row_id);

-- Which rows a proposal is about, in the words of the sheet.
ALTER TABLE proposals ADD COLUMN filter TEXT;

-- Plans say their kind first and the rest behind it, so that large ones are read as they stand.
UPDATE proposals SET plan = jsonb_build_object('kind', plan -> 'kind', 'details', plan - 'kind') WHERE plan -> 'details' IS NULL;
UPDATE changes SET plan = jsonb_build_object('kind', plan -> 'kind', 'details', plan - 'kind') WHERE plan -> 'details' IS NULL;
