-- What is shown in all threads, also what people say there: NULL is the bot, an empty name somebody whom the platform does not name.
ALTER TABLE posts ADD COLUMN author TEXT;
-- The revision that a message was shown with first: the order in which a conversation is read.
ALTER TABLE posts ADD COLUMN shown BIGINT NOT NULL DEFAULT 0;
UPDATE posts SET shown = revision;
CREATE INDEX posts_created ON posts (created_at_ms);
