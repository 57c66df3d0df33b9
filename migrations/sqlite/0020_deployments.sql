-- What was learned of a model's deployment by its refusals (JSON).
CREATE TABLE deployments (
    deployment TEXT PRIMARY KEY,
    habits     TEXT NOT NULL,
    learned_at BIGINT NOT NULL
);
