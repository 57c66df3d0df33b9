//! What admins have decided of channels and sheets.

use super::{Store, on, on_durable};
use crate::access::{AllowedKind, AllowedSheets, Approval, ChannelRules};
use crate::sheet::SheetId;
use sqlx::types::Json;

impl Store {
    /// What was decided of a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn channel_rules(&self, channel: &str) -> Result<ChannelRules, sqlx::Error> {
        const GET: &str = "SELECT only_me, restricted FROM channels WHERE channel = $1";
        const ALLOWED: &str = "SELECT kind, id, name FROM channel_sheets WHERE channel = $1 ORDER BY kind, name, id";
        let decided: Option<(bool, bool)> = on!(self, pool => sqlx::query_as(GET).bind(channel).fetch_optional(pool).await?);
        let Some((only_me, restricted)) = decided else { return Ok(ChannelRules::default()) };
        if !restricted {
            return Ok(ChannelRules { only_me, allowed: None });
        }
        let rows: Vec<(String, String, String)> = on!(self, pool => sqlx::query_as(ALLOWED).bind(channel).fetch_all(pool).await?);
        let read = |(kind, id, name): (String, String, String)| {
            let kind = [AllowedKind::Sheet, AllowedKind::Workspace].into_iter().find(|k| k.as_str() == kind)?;
            Some(AllowedSheets { kind, id: id.parse().ok()?, name })
        };
        Ok(ChannelRules { only_me, allowed: Some(rows.into_iter().filter_map(read).collect()) })
    }

    /// The channels of which something is decided.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ruled_channels(&self) -> Result<Vec<String>, sqlx::Error> {
        const ALL: &str = "SELECT channel FROM channels WHERE only_me OR restricted ORDER BY channel";
        let rows: Vec<(String,)> = on!(self, pool => sqlx::query_as(ALL).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(channel,)| channel).collect())
    }

    /// The sheets that have approvers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approvals(&self) -> Result<Vec<(SheetId, Approval)>, sqlx::Error> {
        const ALL: &str = "SELECT sheet_id, over_rows, approvers FROM approvals ORDER BY sheet_id";
        let rows: Vec<(String, i64, Json<Vec<_>>)> = on!(self, pool => sqlx::query_as(ALL).fetch_all(pool).await?);
        let read = |(sheet, over, Json(approvers)): (String, i64, Json<Vec<_>>)| {
            let over_rows = usize::try_from(over).unwrap_or(0);
            Some((SheetId::try_from(sheet).ok()?, Approval { over_rows, approvers }))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Says whether answers in a channel are for the asker alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_only_me(&self, channel: &str, only_me: bool) -> Result<(), sqlx::Error> {
        const PUT: &str =
            "INSERT INTO channels (channel, only_me) VALUES ($1, $2) ON CONFLICT (channel) DO UPDATE SET only_me = excluded.only_me";
        on_durable!(self, pool => sqlx::query(PUT).bind(channel).bind(only_me).execute(pool).await.map(|_| ()))
    }

    /// Allows a sheet or a workspace in a channel; from then on nothing else may be used there but what was allowed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allow_in(&self, channel: &str, allowed: &AllowedSheets) -> Result<(), sqlx::Error> {
        const RESTRICT: &str =
            "INSERT INTO channels (channel, restricted) VALUES ($1, TRUE) ON CONFLICT (channel) DO UPDATE SET restricted = TRUE";
        const ADD: &str = "INSERT INTO channel_sheets (channel, kind, id, name) VALUES ($1, $2, $3, $4)
            ON CONFLICT (channel, kind, id) DO UPDATE SET name = excluded.name";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(RESTRICT).bind(channel).execute(&mut *tx).await?;
            let add = sqlx::query(ADD).bind(channel).bind(allowed.kind.as_str()).bind(allowed.id.to_string()).bind(&allowed.name);
            add.execute(&mut *tx).await?;
            tx.commit().await
        })
    }

    /// Allows a sheet or a workspace no more; `false` when it was not allowed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disallow_in(&self, channel: &str, kind: AllowedKind, id: i64) -> Result<bool, sqlx::Error> {
        const DELETE: &str = "DELETE FROM channel_sheets WHERE channel = $1 AND kind = $2 AND id = $3";
        let gone = on_durable!(self, pool => {
            sqlx::query(DELETE).bind(channel).bind(kind.as_str()).bind(id.to_string()).execute(pool).await?.rows_affected()
        });
        Ok(gone > 0)
    }

    /// Allows every sheet in a channel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn allow_everything_in(&self, channel: &str) -> Result<(), sqlx::Error> {
        const LIFT: &str = "UPDATE channels SET restricted = FALSE WHERE channel = $1";
        const DELETE: &str = "DELETE FROM channel_sheets WHERE channel = $1";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            for statement in [LIFT, DELETE] {
                sqlx::query(statement).bind(channel).execute(&mut *tx).await?;
            }
            tx.commit().await
        })
    }

    /// A channel goes on under another name, with what was decided of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_channel_rules(&self, from: &str, to: &str) -> Result<(), sqlx::Error> {
        // What was decided under the new name already is not lost, and no restriction is.
        const CHANNEL: &str = "INSERT INTO channels (channel, only_me, restricted) SELECT $2, only_me, restricted FROM channels WHERE channel = $1
            ON CONFLICT (channel) DO UPDATE SET only_me = channels.only_me OR excluded.only_me, restricted = channels.restricted OR excluded.restricted";
        const SHEETS: &str =
            "INSERT INTO channel_sheets (channel, kind, id, name) SELECT $2, kind, id, name FROM channel_sheets WHERE channel = $1
            ON CONFLICT (channel, kind, id) DO NOTHING";
        const LEFT: &str = "DELETE FROM channels WHERE channel = $1 AND $1 <> $2";
        const LEFT_SHEETS: &str = "DELETE FROM channel_sheets WHERE channel = $1 AND $1 <> $2";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            for statement in [CHANNEL, SHEETS, LEFT, LEFT_SHEETS] {
                sqlx::query(statement).bind(from).bind(to).execute(&mut *tx).await?;
            }
            tx.commit().await
        })
    }

    /// Whose OK changes of a sheet need; `None` when nobody was named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn approval(&self, sheet: SheetId) -> Result<Option<Approval>, sqlx::Error> {
        const GET: &str = "SELECT over_rows, approvers FROM approvals WHERE sheet_id = $1";
        let row: Option<(i64, Json<Vec<_>>)> = on!(self, pool => sqlx::query_as(GET).bind(sheet.to_string()).fetch_optional(pool).await?);
        Ok(row.map(|(over, Json(approvers))| Approval { over_rows: usize::try_from(over).unwrap_or(0), approvers }))
    }

    /// Names the approvers of a sheet, in place of those who were named before; none: nobody's OK is needed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_approval(&self, sheet: SheetId, approval: Option<&Approval>) -> Result<(), sqlx::Error> {
        const PUT: &str = "INSERT INTO approvals (sheet_id, over_rows, approvers) VALUES ($1, $2, $3)
            ON CONFLICT (sheet_id) DO UPDATE SET over_rows = excluded.over_rows, approvers = excluded.approvers";
        const DELETE: &str = "DELETE FROM approvals WHERE sheet_id = $1";
        let id = sheet.to_string();
        on_durable!(self, pool => match approval {
            Some(approval) => {
                let put = sqlx::query(PUT).bind(&id).bind(approval.over_rows as i64).bind(Json(&approval.approvers));
                put.execute(pool).await.map(|_| ())
            }
            None => sqlx::query(DELETE).bind(&id).execute(pool).await.map(|_| ()),
        })
    }
}
