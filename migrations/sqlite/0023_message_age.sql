-- Messages go when they are old (MESSAGE_RETENTION_DAYS).
CREATE INDEX messages_timestamp ON messages (timestamp);
