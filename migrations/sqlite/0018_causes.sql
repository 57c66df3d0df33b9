-- The event that a proposal was made for: after a crash it is not made again when the person has decided on it.
ALTER TABLE proposals ADD COLUMN event TEXT;
CREATE INDEX proposals_event ON proposals (event);
