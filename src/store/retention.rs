//! What is kept only for a while: messages, finished jobs, the journal of changes, decided proposals.

use super::{Store, database_time, on_write};

/// Rows that one statement removes, so that nobody waits long for the database.
const AT_ONCE: i64 = 20;

/// Removes what is older than a moment, a few rows at a time; how many went.
macro_rules! bit_by_bit {
    ($store:expr, $statement:expr, $before:expr) => {{
        let mut gone = 0;
        loop {
            let n = on_write!($store, pool => sqlx::query($statement).bind($before).bind(AT_ONCE).execute(pool).await?.rows_affected());
            gone += n;
            if n == 0 {
                break gone;
            }
        }
    }};
}

impl Store {
    /// Forgets jobs, changes and proposals that ended before this moment, and what was shown in threads before. Changes go only together with what took
    /// them back. Returns how many of all these went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_finished(&self, before_ms: i64) -> Result<u64, sqlx::Error> {
        // The last word of a job comes after its changes, so jobs go first and leave their changes behind.
        const JOBS: &str = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at_ms < $1 LIMIT $2)";
        const CHANGES: &str = "DELETE FROM changes WHERE id IN (SELECT c.id FROM changes c WHERE c.applied_at_ms < $1 AND c.job_id IS NULL
            AND NOT EXISTS (SELECT 1 FROM changes u WHERE u.undo_of = c.id) LIMIT $2)";
        const PROPOSALS: &str = "DELETE FROM proposals WHERE id IN (SELECT p.id FROM proposals p WHERE p.created_at_ms < $1
            AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.proposal_id = p.id) LIMIT $2)";
        // Those of the web belong to their sessions, the others are copies of what stands in the chat.
        const POSTS: &str =
            "DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE created_at_ms < $1 AND thread_key NOT LIKE 'web|%' LIMIT $2)";
        let mut gone = 0;
        for statement in [JOBS, CHANGES, PROPOSALS, POSTS] {
            gone += bit_by_bit!(self, statement, before_ms);
        }
        Ok(gone)
    }

    /// Forgets what was said before this moment: the messages of all sessions, what is shown in those of the web, and questions that still wait. Returns how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_said(&self, before_ms: i64) -> Result<u64, sqlx::Error> {
        const MESSAGES: &str = "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE timestamp < $1 LIMIT $2)";
        const POSTS: &str = "DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE created_at_ms < $1 LIMIT $2)";
        const QUESTIONS: &str =
            "DELETE FROM waiting_questions WHERE id IN (SELECT id FROM waiting_questions WHERE asked_at_ms < $1 LIMIT $2)";
        let before = database_time(jiff::Timestamp::from_millisecond(before_ms).unwrap_or(jiff::Timestamp::MIN));
        Ok(bit_by_bit!(self, MESSAGES, before) + bit_by_bit!(self, POSTS, before_ms) + bit_by_bit!(self, QUESTIONS, before_ms))
    }
}
