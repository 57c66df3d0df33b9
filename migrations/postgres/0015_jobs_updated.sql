-- When a job got on last; signs of life of whoever carries it out do not count.
CREATE FUNCTION touch_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER jobs_updated
BEFORE UPDATE OF status, progress, result ON jobs FOR EACH ROW EXECUTE FUNCTION touch_job();
