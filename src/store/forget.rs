//! Everything that is kept of a person, a channel or a workspace, and how it goes at once.

use super::{AuditAction, AuditEvent, Db, Store, inside, on, on_durable};
use crate::access::Person;
use chat::{Platform, ThreadKey};
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::fmt;

/// Of whom everything is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A person, wherever they have spoken to the bot.
    Person(Person),
    /// A channel or chat with all of its threads.
    Channel(Somewhere),
    /// A workspace, tenant or server with all of its channels.
    Workspace(Somewhere),
}

/// A channel, or a workspace where the channel is unset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somewhere {
    platform: Platform,
    /// The workspace, tenant, server or bot; unset where the channel's id says enough.
    install: Option<String>,
    channel: Option<String>,
}

impl Somewhere {
    /// Reads `slack:T1:C1`, `teams:TENANT:19:…`, `discord:CHANNEL` or `telegram:CHAT`; `None` when it is none of them.
    pub fn channel(text: &str) -> Option<Self> {
        let (platform, rest) = platform_in(text)?;
        let (install, channel) = match platform {
            Platform::Discord | Platform::Telegram => (None, rest),
            _ => rest.split_once(':').map(|(install, channel)| (Some(install.to_owned()), channel))?,
        };
        let channel = Some(channel.to_owned()).filter(|channel| !channel.is_empty());
        channel.is_some().then_some(Self { platform, install, channel })
    }

    /// Reads `slack:T1`, `teams:TENANT`, `discord:SERVER` or `telegram:BOT`; `None` when it is none of them.
    pub fn workspace(text: &str) -> Option<Self> {
        let (platform, rest) = platform_in(text)?;
        let install = Some(rest.to_owned()).filter(|install| !install.is_empty() && !install.contains(':'));
        install.is_some().then_some(Self { platform, install, channel: None })
    }

    /// The LIKE pattern (escaped by `!`) of its key.
    fn pattern(&self) -> String {
        let key = |install: &str, channel: &str| {
            ThreadKey { platform: self.platform, install: install.into(), conversation: channel.into(), root: None }.storage_key()
        };
        match (&self.install, &self.channel) {
            (Some(install), Some(channel)) => escaped(&key(install, channel)),
            (Some(install), None) => escaped(key(install, "").trim_end_matches('|')),
            (None, channel) => {
                let whole = key("", channel.as_deref().unwrap_or_default());
                let behind = whole.strip_prefix(&format!("{}|", self.platform)).unwrap_or(&whole);
                format!("{}|%{}", self.platform, escaped(behind))
            }
        }
    }
}

impl fmt::Display for Somewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.install.as_deref(), self.channel.as_deref()];
        write!(f, "{}", self.platform)?;
        parts.into_iter().flatten().try_for_each(|part| write!(f, ":{part}"))
    }
}

fn platform_in(text: &str) -> Option<(Platform, &str)> {
    let (platform, rest) = text.trim().split_once(':')?;
    let platform: Platform = serde_json::from_value(platform.into()).ok()?;
    (!matches!(platform, Platform::Web | Platform::Console)).then_some((platform, rest))
}

fn escaped(text: &str) -> String {
    let pattern = inside(text);
    pattern.trim_end_matches("|%").to_owned()
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "person:{person}"),
            Self::Channel(place) => write!(f, "channel:{place}"),
            Self::Workspace(place) => write!(f, "workspace:{place}"),
        }
    }
}

/// What was kept, or what went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// How much of what, such as 12 of `messages`; nothing that there is none of.
    pub gone: Vec<(&'static str, u64)>,
    /// Events, changes and jobs that are under way, and stay until they have ended.
    pub under_way: i64,
    /// Sheets whose approver the person is, who stays that.
    pub approver_of: usize,
    /// Lines of the audit log, which stay.
    pub audit_lines: i64,
}

/// A part of what is kept: its name for people, its table, and which rows of it are meant.
struct Step {
    label: &'static str,
    table: &'static str,
    rows: String,
}

const ENDED_CHANGE: &str = "state <> 'applying'";
const ENDED_JOB: &str = "status NOT IN ('queued', 'processing')";
const ENDED_EVENT: &str = "state NOT IN ('new', 'taken')";

impl Whose {
    /// What the names in [`Step::rows`] stand for.
    fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Person(person) => {
                let platform = person.platform;
                let everywhere = person.install.is_empty();
                let install = ThreadKey { platform, install: person.install.clone(), conversation: String::new(), root: None };
                let threads = if everywhere { format!("{platform}|%") } else { inside(&install.install_key()) };
                let key = match everywhere {
                    true => format!("{platform}|%|{}", escaped(&person.id)),
                    false => format!("{}|{}", escaped(&install.install_key()), escaped(&person.id)),
                };
                vec![
                    (":id", person.id.clone()),
                    (":threads", threads),
                    (":key", key),
                    (":home", format!("{platform}|{}", person.install)),
                    (":platform", platform.as_str().to_owned()),
                    (":install", person.install.clone()),
                ]
            }
            Self::Channel(place) | Self::Workspace(place) => {
                let pattern = place.pattern();
                vec![
                    (":inside", format!("{pattern}|%")),
                    (":key", pattern),
                    (":platform", place.platform.as_str().to_owned()),
                    (":install", place.install.clone().unwrap_or_default()),
                ]
            }
        }
    }

    /// Whose proposals, changes and jobs are meant.
    fn theirs(&self) -> &'static str {
        match self {
            Self::Person(_) => "asker = :id AND thread_key LIKE :threads ESCAPE '!'",
            Self::Channel(_) | Self::Workspace(_) => "(thread_key LIKE :key ESCAPE '!' OR thread_key LIKE :inside ESCAPE '!')",
        }
    }

    fn events(&self) -> &'static str {
        match self {
            // LIKE takes letters for the same in either case.
            Self::Person(_) => "person LIKE :key ESCAPE '!' AND replace(person, :id, '') <> person",
            _ => self.theirs(),
        }
    }

    /// What goes, in the order in which it can.
    fn steps(&self) -> Vec<Step> {
        let step = |label, table, rows: String| Step { label, table, rows };
        let (theirs, events) = (self.theirs(), self.events());
        let there = format!(
            "SELECT session_id FROM threads WHERE {}",
            if let Self::Person(_) = self { "thread_key LIKE :threads ESCAPE '!'" } else { theirs }
        );
        let spoken = "metadata->>'asker' = :id";
        let posts = match self {
            // Of each message only the name of who said it is known, so what is shown of whole threads goes; it is a copy of the chat.
            Self::Person(_) => format!(
                "thread_key IN (SELECT thread_key FROM inbox WHERE {events}) OR thread_key IN (SELECT t.thread_key FROM threads t
                 JOIN messages m ON m.session_id = t.session_id WHERE m.{spoken} AND t.thread_key LIKE :threads ESCAPE '!')"
            ),
            _ => theirs.to_owned(),
        };
        let messages = match self {
            Self::Person(_) => format!(
                "{spoken} AND (session_id IN ({there}) OR session_id NOT IN (SELECT session_id FROM threads WHERE session_id IS NOT NULL))"
            ),
            _ => format!("session_id IN ({there})"),
        };
        let whispers = match self {
            Self::Person(_) => "person = :id AND install = :home".to_owned(),
            _ => format!("event_id IN (SELECT id FROM inbox WHERE {theirs})"),
        };
        let questions = match self {
            Self::Person(_) => "thread_key LIKE :threads ESCAPE '!' AND event->'sender'->>'id' = :id",
            _ => theirs,
        };
        let mut steps = vec![
            step("questions that wait for a sheet", "waiting_questions", questions.to_owned()),
            step("messages shown in the page", "posts", posts),
            step("messages", "messages", messages),
            step("private answers", "whispers", whispers),
            step("events", "inbox", format!("{events} AND {ENDED_EVENT}")),
            step("undos", "changes", format!("{ENDED_CHANGE} AND undo_of IN (SELECT id FROM changes WHERE {theirs})")),
            step(
                "changes",
                "changes",
                format!("{theirs} AND {ENDED_CHANGE} AND NOT EXISTS (SELECT 1 FROM changes u WHERE u.undo_of = changes.id)"),
            ),
            step(
                "proposals",
                "proposals",
                format!("{theirs} AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.proposal_id = proposals.id AND NOT (c.{ENDED_CHANGE}))"),
            ),
            step("jobs", "jobs", format!("{theirs} AND {ENDED_JOB}")),
        ];
        match self {
            Self::Person(_) => steps.extend([
                step("counts of use", "usage", events.to_owned()),
                step("roles", "access", "platform = :platform AND install = :install AND person = :id AND role <> 'nobody'".into()),
            ]),
            Self::Channel(_) | Self::Workspace(_) => {
                let idle = |session: &str| {
                    format!(
                        "NOT EXISTS (SELECT 1 FROM jobs WHERE session_id = {session} AND NOT ({ENDED_JOB}))
                         AND NOT EXISTS (SELECT 1 FROM changes WHERE session_id = {session} AND NOT ({ENDED_CHANGE}))"
                    )
                };
                steps.extend([
                    step("sessions", "chat_sessions", format!("id IN ({there}) AND {}", idle("chat_sessions.id"))),
                    step("threads", "threads", format!("{theirs} AND session_id IS NULL")),
                ]);
            }
        }
        if let Self::Workspace(_) = self {
            steps.extend([
                step("rules of channels", "channels", "channel LIKE :inside ESCAPE '!'".into()),
                step("sheets allowed in channels", "channel_sheets", "channel LIKE :inside ESCAPE '!'".into()),
                step("counts of use", "usage", "person LIKE :inside ESCAPE '!'".into()),
                step("roles", "access", "platform = :platform AND install = :install".into()),
            ]);
        }
        steps
    }

    /// What is emptied in rows that stay.
    fn emptied(&self) -> &'static [&'static str] {
        match self {
            Self::Person(_) => &[
                "UPDATE proposals SET decided_by = NULL WHERE thread_key LIKE :threads ESCAPE '!' AND decided_by = :id",
                "UPDATE access SET name = NULL WHERE platform = :platform AND install = :install AND person = :id",
            ],
            Self::Channel(_) | Self::Workspace(_) => &[],
        }
    }

    /// Whether a connected account, by the key that it is kept under, is meant.
    pub fn has_account(&self, account: &str) -> bool {
        let Some((install, id)) = account.rsplit_once('|') else { return false };
        match self {
            Self::Person(p) if p.install.is_empty() => p.id == id && install.starts_with(&format!("{}|", p.platform)),
            Self::Person(p) => p.id == id && install == format!("{}|{}", p.platform, p.install),
            Self::Channel(_) => false,
            Self::Workspace(place) => install == format!("{}|{}", place.platform, place.install.as_deref().unwrap_or_default()),
        }
    }
}

/// Puts the values of their names into a statement: the statement with numbers, and the values in their order.
fn numbered(statement: &str, values: &[(&'static str, String)]) -> (String, Vec<String>) {
    let (mut sql, mut used) = (statement.to_owned(), Vec::new());
    for (name, value) in values {
        if sql.contains(name) {
            used.push(value.clone());
            sql = sql.replace(name, &format!("${}", used.len()));
        }
    }
    (sql, used)
}

impl Store {
    /// What is kept of somebody or some place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn traces(&self, whose: &Whose) -> Result<Traces, sqlx::Error> {
        let mut gone = Vec::new();
        for Step { label, table, rows } in whose.steps() {
            gone.push((label, self.count_of(table, &rows, whose).await? as u64));
        }
        self.with_what_stays(whose, gone).await
    }

    /// Forgets all of that in one transaction, and says what went. What is under way stays until it has ended.
    ///
    /// # Errors
    /// When the database fails; nothing is gone then.
    pub async fn forget(&self, whose: &Whose, now_ms: i64) -> Result<Traces, sqlx::Error> {
        let values = whose.values();
        let gone = on_durable!(self, pool => {
            let (mut tx, mut gone) = (pool.begin().await?, Vec::new());
            for Step { label, table, rows } in whose.steps() {
                let (sql, used) = numbered(&format!("DELETE FROM {table} WHERE {rows}"), &values);
                let mut delete = sqlx::query(AssertSqlSafe(sql));
                for value in used {
                    delete = delete.bind(value);
                }
                gone.push((label, delete.execute(&mut *tx).await?.rows_affected()));
            }
            for statement in whose.emptied() {
                let (sql, used) = numbered(statement, &values);
                let mut empty = sqlx::query(AssertSqlSafe(sql));
                for value in used {
                    empty = empty.bind(value);
                }
                empty.execute(&mut *tx).await?;
            }
            let entry = AuditEvent {
                at_ms: now_ms,
                what: AuditAction::Forgotten,
                who: "operator".into(),
                place: String::new(),
                subject: whose.to_string(),
                detail: json!({ "gone": gone.iter().map(|(label, n)| format!("{n} {label}")).collect::<Vec<_>>() }),
            };
            super::audit::audit!(tx, entry);
            tx.commit().await?;
            gone
        });
        self.overwrite_what_is_gone().await?;
        self.with_what_stays(whose, gone).await
    }

    /// SQLite leaves what was removed in free places of its file until they are used again.
    async fn overwrite_what_is_gone(&self) -> Result<(), sqlx::Error> {
        let Db::Sqlite(pool) = &self.durable else { return Ok(()) };
        let _turn = self.turn.lock().await;
        sqlx::query("VACUUM").execute(pool).await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(pool).await.map(|_| ())
    }

    async fn with_what_stays(&self, whose: &Whose, gone: Vec<(&'static str, u64)>) -> Result<Traces, sqlx::Error> {
        let mut under_way = 0;
        for (table, rows, ended) in
            [("inbox", whose.events(), ENDED_EVENT), ("changes", whose.theirs(), ENDED_CHANGE), ("jobs", whose.theirs(), ENDED_JOB)]
        {
            under_way += self.count_of(table, &format!("{rows} AND NOT ({ended})"), whose).await?;
        }
        let (approver_of, audit_lines) = match whose {
            Whose::Person(person) => {
                let approvals = self.approvals().await?;
                let named = approvals.iter().filter(|(_, approval)| approval.names(person)).count();
                (named, self.count_of("audit", "who = :id AND (place LIKE :threads ESCAPE '!' OR place = :home)", whose).await?)
            }
            _ => (0, self.count_of("audit", "(place LIKE :key ESCAPE '!' OR place LIKE :inside ESCAPE '!')", whose).await?),
        };
        Ok(Traces { gone: gone.into_iter().filter(|(_, n)| *n > 0).collect(), under_way, approver_of, audit_lines })
    }

    async fn count_of(&self, table: &str, rows: &str, whose: &Whose) -> Result<i64, sqlx::Error> {
        let (sql, used) = numbered(&format!("SELECT count(*) FROM {table} WHERE {rows}"), &whose.values());
        on!(self, pool => {
            let mut count = sqlx::query_as(AssertSqlSafe(sql));
            for value in used {
                count = count.bind(value);
            }
            let (n,): (i64,) = count.fetch_one(pool).await?;
            Ok(n)
        })
    }
}
