//! Answers to requests that were sent with an `Idempotency-Key`, so that the same request is carried out once.

use super::{Store, on, on_durable, on_write};

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRequest {
    /// What it asked for.
    pub request_hash: String,
    /// Its answer; none while it is under way, or after it was interrupted.
    pub answer: Option<KeptAnswer>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Where what it has made is found.
    pub location: Option<String>,
}

/// Hash, status, body and location.
type Row = (String, Option<i32>, Option<String>, Option<String>);

impl Store {
    /// Begins a request of a key under this name; the request that has this name already, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_request(&self, key: &str, name: &str, hash: &str, now_ms: i64) -> Result<Option<KnownRequest>, sqlx::Error> {
        const ADD: &str =
            "INSERT INTO idempotent_requests (key_id, name, request_hash, created_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        const GET: &str = "SELECT request_hash, status, body, location FROM idempotent_requests WHERE key_id = $1 AND name = $2";
        let added =
            on_durable!(self, pool => sqlx::query(ADD).bind(key).bind(name).bind(hash).bind(now_ms).execute(pool).await?.rows_affected());
        if added > 0 {
            return Ok(None);
        }
        let row: Option<Row> = on!(self, pool => sqlx::query_as(GET).bind(key).bind(name).fetch_optional(pool).await?);
        Ok(row.map(|(request_hash, status, body, location)| KnownRequest {
            request_hash,
            answer: status.and_then(|s| u16::try_from(s).ok()).zip(body).map(|(status, body)| KeptAnswer { status, body, location }),
        }))
    }

    /// Keeps the answer to a request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answer_request(&self, key: &str, name: &str, answer: &KeptAnswer) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE idempotent_requests SET status = $3, body = $4, location = $5 WHERE key_id = $1 AND name = $2";
        on_durable!(self, pool => {
            let set = sqlx::query(SET).bind(key).bind(name).bind(i32::from(answer.status));
            set.bind(&answer.body).bind(&answer.location).execute(pool).await.map(|_| ())
        })
    }

    /// Forgets a request that came to nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_request(&self, key: &str, name: &str) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM idempotent_requests WHERE key_id = $1 AND name = $2";
        on_write!(self, pool => sqlx::query(DELETE).bind(key).bind(name).execute(pool).await.map(|_| ()))
    }

    /// Forgets requests that began before this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_requests(&self, before_ms: i64) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM idempotent_requests WHERE created_at_ms < $1";
        Ok(on_write!(self, pool => sqlx::query(DELETE).bind(before_ms).execute(pool).await?.rows_affected()))
    }
}
