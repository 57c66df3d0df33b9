//! Who this installation is, for all its processes and for good.

use super::{Store, on_write};

impl Store {
    /// The id of this installation; made by whoever asks first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn installation_id(&self) -> Result<String, sqlx::Error> {
        const MAKE: &str = "INSERT INTO installation (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
        const READ: &str = "SELECT id FROM installation WHERE one = 1";
        let id = uuid::Uuid::new_v4().simple().to_string();
        on_write!(self, pool => {
            sqlx::query(MAKE).bind(&id).execute(pool).await?;
            sqlx::query_scalar(READ).fetch_one(pool).await
        })
    }
}
