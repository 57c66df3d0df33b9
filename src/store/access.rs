//! Who may use the bot, as far as it was decided by name, and the codes of invitations.

use super::audit::audit;
use super::{AuditAction, AuditEvent, Store, on, on_durable, on_write};
use crate::access::{Person, Role};
use chat::Platform;
use serde_json::json;

/// Somebody of whom it was decided by name what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Who.
    pub person: Person,
    /// Their name, where it is known.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When that was decided.
    pub at_ms: i64,
}

const PUT: &str = "INSERT INTO access (platform, install, person, name, role, granted_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (platform, install, person) DO UPDATE SET role = excluded.role, granted_at_ms = excluded.granted_at_ms,
    name = coalesce(excluded.name, access.name)";

fn changed(who: &str, person: &Person, role: Role, at_ms: i64) -> AuditEvent {
    AuditEvent {
        at_ms,
        what: AuditAction::Access,
        who: who.to_owned(),
        place: format!("{}|{}", person.platform, person.install),
        subject: format!("person:{}", person.id),
        detail: json!({ "role": role.as_str() }),
    }
}

impl Store {
    /// Whether somebody who is not let in is to be told so: not again within so long, whichever process they reach.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_turn_away(&self, person: &str, now_ms: i64, within_ms: i64) -> Result<bool, sqlx::Error> {
        const OLD: &str = "DELETE FROM turned_away WHERE at_ms <= $1";
        const PUT: &str = "INSERT INTO turned_away (person, at_ms) VALUES ($1, $2) ON CONFLICT (person) DO NOTHING";
        on_write!(self, pool => {
            sqlx::query(OLD).bind(now_ms - within_ms).execute(pool).await?;
            sqlx::query(PUT).bind(person).bind(now_ms).execute(pool).await.map(|done| done.rows_affected() > 0)
        })
    }

    /// What was decided of somebody; `None` when nothing was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_of(&self, person: &Person) -> Result<Option<Role>, sqlx::Error> {
        const GET: &str = "SELECT role FROM access WHERE platform = $1 AND install = $2 AND person = $3";
        let row: Option<(String,)> = on!(self, pool => {
            sqlx::query_as(GET).bind(person.platform.as_str()).bind(&person.install).bind(&person.id).fetch_optional(pool).await?
        });
        // A word of a later version lets nobody in.
        Ok(row.map(|(role,)| role.parse().unwrap_or(Role::Nobody)))
    }

    /// When somebody was last removed on a platform, in an install of it; `None` when nobody is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_removal_ms(&self, platform: Platform, install: &str) -> Result<Option<i64>, sqlx::Error> {
        const GET: &str = "SELECT max(granted_at_ms) FROM access WHERE platform = $1 AND install = $2 AND role = 'nobody'";
        let (at_ms,): (Option<i64>,) = on!(self, pool => sqlx::query_as(GET).bind(platform.as_str()).bind(install).fetch_one(pool).await?);
        Ok(at_ms)
    }

    /// Everybody of whom something was decided, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access(&self) -> Result<Vec<Granted>, sqlx::Error> {
        const ALL: &str = "SELECT platform, install, person, name, role, granted_at_ms FROM access ORDER BY granted_at_ms, person";
        type Row = (String, String, String, Option<String>, String, i64);
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(ALL).fetch_all(pool).await?);
        let read = |(platform, install, id, name, role, at_ms): Row| {
            let platform = serde_json::from_value::<Platform>(platform.into()).ok()?;
            Some(Granted { person: Person { platform, install, id }, name, role: role.parse().unwrap_or(Role::Nobody), at_ms })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Decides what somebody may do.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant_access(&self, to: &Granted) -> Result<(), sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let put = sqlx::query(PUT).bind(to.person.platform.as_str()).bind(&to.person.install).bind(&to.person.id);
            put.bind(&to.name).bind(to.role.as_str()).bind(to.at_ms).execute(&mut *tx).await?;
            audit!(tx, changed("operator", &to.person, to.role, to.at_ms));
            tx.commit().await
        })
    }

    /// Keeps the code of an invitation, as its hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_access_code(&self, hash: &str, role: Role, ends_at_ms: i64) -> Result<(), sqlx::Error> {
        const ADD: &str = "INSERT INTO access_codes (hash, role, ends_at_ms) VALUES ($1, $2, $3)";
        on_durable!(self, pool => sqlx::query(ADD).bind(hash).bind(role.as_str()).bind(ends_at_ms).execute(pool).await.map(|_| ()))
    }

    /// Uses a code up for somebody; what they may do from then on, `None` when there is no such code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem(&self, hash: &str, person: &Person, name: Option<&str>, now_ms: i64) -> Result<Option<Role>, sqlx::Error> {
        const TAKE: &str = "DELETE FROM access_codes WHERE hash = $1 AND ends_at_ms > $2 RETURNING role";
        Ok(on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let taken: Option<(String,)> = sqlx::query_as(TAKE).bind(hash).bind(now_ms).fetch_optional(&mut *tx).await?;
            let role = taken.and_then(|(role,)| role.parse::<Role>().ok());
            if let Some(role) = role {
                let put = sqlx::query(PUT).bind(person.platform.as_str()).bind(&person.install).bind(&person.id);
                put.bind(name).bind(role.as_str()).bind(now_ms).execute(&mut *tx).await?;
                audit!(tx, changed(&person.id, person, role, now_ms));
                tx.commit().await?;
            }
            role
        }))
    }

    /// Forgets the codes that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_access_codes(&self, now_ms: i64) -> Result<(), sqlx::Error> {
        const OLD: &str = "DELETE FROM access_codes WHERE ends_at_ms < $1";
        on_durable!(self, pool => sqlx::query(OLD).bind(now_ms).execute(pool).await.map(|_| ()))
    }
}
