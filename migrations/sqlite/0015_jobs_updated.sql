-- When a job got on last; signs of life of whoever carries it out do not count.
CREATE TRIGGER jobs_updated
AFTER UPDATE OF status, progress, result ON jobs
BEGIN
    UPDATE jobs SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id;
END;
