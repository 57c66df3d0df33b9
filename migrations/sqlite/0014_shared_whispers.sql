-- Whether everybody was shown what one person alone had seen: its other buttons go on working.
ALTER TABLE whispers ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
