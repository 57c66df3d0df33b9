-- Where what a request has made is found: told again with its answer.
ALTER TABLE idempotent_requests ADD COLUMN location TEXT;
