//! The functions that the model may call: one file each, schema beside code, one list here.
//!
//! A function reads, or proposes. None writes to Smartsheet and none can confirm.

mod describe_sheet;
mod explain_result;
mod find_sheets;
mod fit;
mod get_row;
mod named;
mod propose_column;
mod propose_comment;
mod propose_delete;
mod propose_job;
mod propose_rows;
mod propose_update;
mod query_sheet;
mod written;

use crate::access::{Approval, Role, SheetScope};
use crate::changes::{APPROVED_WITHIN, Changes, Draft};
use crate::error::{Choice, Result, Trouble, UserError, told};
use crate::jobs::Jobs;
use crate::llm::ToolCall;
use crate::locality::Locality;
use crate::sheet::{Author, Checked, QueryResult, SheetId, Sheets, Snapshot, SnapshotRow, nearest, smartsheet_trouble};
use crate::smartsheet::Identity;
use crate::store::{Place, Proposal, Session};
use chat::{Anchor, ThreadKey};
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

pub use find_sheets::{Match, among, resolve};
pub use written::calls_in;

/// All functions, in the order in which the model sees them: first those that most questions need.
const TOOLS: [Tool; 11] = [
    find_sheets::TOOL,
    describe_sheet::TOOL,
    query_sheet::TOOL,
    get_row::TOOL,
    propose_update::TOOL,
    propose_rows::TOOL,
    propose_delete::TOOL,
    explain_result::TOOL,
    propose_column::TOOL,
    propose_comment::TOOL,
    propose_job::TOOL,
];
/// How many of them are always offered; the others when words point to them, or when the model asks for them.
const ALWAYS: usize = 7;

/// What words begin with that point to the other functions.
const POINTERS: [&str; 43] = [
    "column",
    "field",
    "option",
    "picklist",
    "dropdown",
    "rename",
    "comment",
    "summar",
    "score",
    "rate",
    "rank",
    "extract",
    "keyword",
    "term",
    "classif",
    "categor",
    "translat",
    "tag",
    "label",
    "each",
    "every",
    "job",
    "why",
    "reason",
    "explain",
    "spalte",
    "feld",
    "umbenenn",
    "komment",
    "zusammenfass",
    "bewert",
    "übersetz",
    "warum",
    "begründ",
    "colonne",
    "résum",
    "tradui",
    "pourquoi",
    "columna",
    "resum",
    "traduc",
    "porqu",
    "por qué",
];

/// Bytes that a button can say.
pub const MOST_SAID: usize = 60;

/// Characters of a result that go back to the model, about 4,000 tokens.
const MAX_RESULT_CHARS: usize = 16_000;

/// A function of the model.
struct Tool {
    name: &'static str,
    description: &'static str,
    parameters: fn() -> Value,
    run: for<'a> fn(&'a Context, Value) -> BoxFuture<'a, Result<Output>>,
}

/// What the functions work with during one turn.
pub struct Context {
    /// Sheets, and through them Smartsheet.
    pub sheets: Sheets,
    /// Proposals.
    pub changes: Changes,
    /// Long work.
    pub jobs: Arc<Jobs>,
    /// Where to post.
    pub anchor: Anchor,
    /// On whose behalf.
    pub identity: Identity,
    /// The conversation and its sheet.
    pub session: Session,
    /// Its thread.
    pub thread_key: String,
    /// Who asked.
    pub asker: String,
    /// Where whoever asked is.
    pub locality: Locality,
    /// People whom they mentioned, and themselves: addresses and names.
    pub people: Vec<(String, String)>,
    /// What they may do.
    pub role: Role,
    /// The event that is served.
    pub event: String,
    /// The sheets that may be used where it was asked.
    pub scope: SheetScope,
    /// Where it was asked, as far as others can see it there; `None` in a conversation with one person.
    pub seen_by_others: Option<ThreadKey>,
    /// What whoever asked has said lately, this last: others are shown no sheet beside the thread's that is not named in it.
    pub said: Vec<String>,
    /// Whether others are shown only what the installation's account may read.
    pub shared_only: bool,
}

/// What a function brought.
pub struct Output {
    /// For the model.
    pub json: Value,
    /// What a query has found.
    pub shown: Option<Shown>,
    /// A write that waits for approval.
    pub made: Option<Made>,
    /// What the person can mean, where that has to be asked.
    pub choices: Vec<Choice>,
}

/// The answer to a query, for people.
pub struct Shown {
    /// The sheet it was asked of.
    pub snapshot: Arc<Snapshot>,
    /// The query.
    pub checked: Checked,
    /// Its answer.
    pub result: QueryResult,
    /// Whether people should see its rows.
    pub rows_wanted: bool,
}

/// A proposal that was just made.
pub struct Made {
    /// The proposal as it is kept.
    pub proposal: Proposal,
    /// What it would do.
    pub draft: Draft,
    /// The sheet it is about.
    pub snapshot: Arc<Snapshot>,
    /// Whose OK it needs, if somebody's.
    pub approval: Option<Approval>,
}

impl Output {
    fn json(json: Value) -> Self {
        Self { json, shown: None, made: None, choices: Vec::new() }
    }
}

/// Whether words point to functions that are not always offered.
pub fn points_to_more(words: &str) -> bool {
    let lower = words.to_lowercase();
    let mut all = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    all.any(|word| POINTERS.iter().any(|pointer| word.starts_with(pointer)))
}

/// The functions as the model gets them; those that propose only where that may be done. `more`: all of them, not only the usual ones.
/// The usual ones come first and are the same for every question, so that they stay in the far side's cache.
pub fn schemas(snapshot: &Snapshot, role: Role, more: bool) -> Vec<Value> {
    let may = |t: &&Tool| match t.name {
        name if name.starts_with("propose_") && role < Role::Editor => false,
        "propose_comment" => snapshot.commentable(),
        name => !name.starts_with("propose_") || snapshot.writable(),
    };
    let schema = |t: &Tool| schema(t.name, t.description, (t.parameters)());
    let usual = TOOLS[..ALWAYS].iter().filter(may).map(schema);
    if more { usual.chain(TOOLS[ALWAYS..].iter().filter(may).map(schema)).collect() } else { usual.chain([schema_of_more()]).collect() }
}

fn schema(name: &str, description: &str, parameters: Value) -> Value {
    json!({ "type": "function", "function": { "name": name, "description": description, "strict": true, "parameters": parameters } })
}

/// With this function the model gets those that are not always offered.
pub const MORE_FUNCTIONS: &str = "more_functions";

fn schema_of_more() -> Value {
    let about = "Offers functions for columns (add, change, delete), comments, and work on the text of many rows (summarize, score, extract, explain). Call it when one of these is asked for.";
    schema(MORE_FUNCTIONS, about, object(json!({})))
}

/// With this function the model looks for sheets.
pub const FIND_SHEETS: &str = "find_sheets";
/// With this function the model looks around.
pub const DESCRIBE_SHEET: &str = "describe_sheet";

/// With this function the model says nothing; offered where nobody has spoken to the bot.
pub const NO_ANSWER: &str = "no_answer";

/// The function of that name as the model gets it.
pub fn no_answer() -> Value {
    let about = "Stay silent: the last message is not meant for you. Call it alone and write nothing.";
    schema(NO_ANSWER, about, object(json!({})))
}

/// Runs a call. What the model can mend (unknown function, bad JSON, bad SQL, values that do not
/// fit) comes back as its result; only faults of ours are errors.
///
/// # Errors
/// Faults that are logged.
pub async fn run(context: &Context, call: &ToolCall) -> Result<Output> {
    let Some(tool) = TOOLS.iter().find(|t| t.name == call.name) else {
        let names: Vec<&str> = TOOLS.iter().map(|t| t.name).collect();
        return Ok(failed(format!("there is no function called {}; the functions are: {}", call.name, names.join(", "))));
    };
    if tool.name.starts_with("propose_") && context.role < Role::Editor {
        return Ok(failed("this person may ask about sheets, not change them".into()));
    }
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let arguments: Value = match serde_json::from_str(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return Ok(failed(format!("the arguments of {} are not valid JSON: {error}", call.name))),
    };
    match (tool.run)(context, fit::fit(&(tool.parameters)(), arguments)).await {
        Ok(output) => Ok(output),
        Err(Trouble::Told(error) | Trouble::Later(error)) => Ok(Output { choices: error.choices, ..failed(error.words) }),
        Err(error) => Err(error),
    }
}

fn failed(error: String) -> Output {
    Output::json(json!({ "error": error }))
}

fn arguments<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| told(format!("the arguments do not fit the schema: {e}")))
}

/// An object schema in which every property is required, as strict mode wants it. Models write properties in this order, so what has
/// to be known first stands first.
fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().into_iter().flatten().map(|(k, _)| k).collect();
    let required = json!(required);
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn sheet_parameter() -> Value {
    json!({ "type": ["string", "null"], "description": "null: this thread's." })
}

impl Context {
    /// The sheet that an argument means.
    async fn snapshot(&self, sheet: Option<&str>) -> Result<Arc<Snapshot>> {
        let id = match sheet.map(str::trim).filter(|s| !s.is_empty()) {
            None => self.session.sheet,
            // Models take the tables of a query for sheets.
            Some(name) if name == self.session.sheet_name || ["sheet", "leaf"].contains(&name) => self.session.sheet,
            Some(name) => match SheetId::try_from(name.to_owned()) {
                Ok(id) => id,
                Err(_) => find_sheets::only(self, name).await?,
            },
        };
        self.scope.check(id)?;
        let snapshot = self.sheets.snapshot(&self.identity, id).await?;
        if id != self.session.sheet && self.seen_by_others.is_some() {
            self.may_be_seen(&snapshot).await?;
        }
        Ok(snapshot)
    }

    /// A cell, a comment or a file may tell the model to look into another sheet: in a thread of several people that takes the words of
    /// whoever asks, or a press.
    async fn may_be_seen(&self, beside: &Snapshot) -> Result<()> {
        let name = &beside.name;
        if !named::named(&self.said, beside) {
            let by_name = format!("look at “{name}”");
            let says = if by_name.len() <= MOST_SAID { by_name } else { format!("look at sheet {}", beside.id) };
            let words = format!(
                "several people read this thread, and the person has not named the sheet {name}: ask whether they want to look at it; do not call this again before they answer"
            );
            return Err(UserError { words, choices: vec![Choice { label: format!("Look at {name}"), says }] }.into());
        }
        if self.shared_only && !self.sheets.client().can_read(&Identity::Service, beside.id).await.map_err(smartsheet_trouble)? {
            return Err(told(format!("not everybody in this thread may read the sheet {name}: the person can ask in a direct message")));
        }
        Ok(())
    }

    /// The row that an argument means: by its id, or by what it is called.
    fn row(&self, snapshot: &Snapshot, text: &str) -> Result<i64> {
        let wanted = text.trim();
        if let Some(id) = wanted.parse().ok().filter(|id| snapshot.row(*id).is_some()) {
            return Ok(id);
        }
        let called: Vec<&SnapshotRow> =
            snapshot.rows.iter().filter(|row| snapshot.label(row).trim().to_lowercase() == wanted.to_lowercase()).collect();
        match called.as_slice() {
            [row] => Ok(row.id),
            [] if wanted.parse::<i64>().is_ok() => Err(told(format!("there is no row {wanted}; find its row_id with query_sheet"))),
            [] => {
                let near = nearest(wanted, snapshot.rows.iter().map(|row| snapshot.label(row)));
                let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
                Err(told(format!("no row is called “{wanted}”{guess}; give a row_id of query_sheet")))
            }
            several => {
                let numbers: Vec<String> = several.iter().take(10).map(|row| format!("{} (row {})", row.id, row.number)).collect();
                let more = if several.len() > numbers.len() { ", …" } else { "" };
                Err(told(format!("{} rows are called “{wanted}”: {}{more}; ask which one is meant", several.len(), numbers.join(", "))))
            }
        }
    }

    /// Whoever asked, as the author of values in these columns.
    async fn author(&self, snapshot: &Snapshot, columns: &[&str]) -> Author {
        let mut author = self.sheets.author(&self.identity, self.locality.clone(), snapshot, columns).await;
        let known: Vec<String> = author.people.iter().map(|(email, _)| email.to_lowercase()).collect();
        author.people.extend(self.people.iter().filter(|(email, _)| !known.contains(&email.to_lowercase())).cloned());
        author
    }

    /// Keeps a draft and hands it to the person.
    ///
    /// # Errors
    /// When the store fails; a sentence when it needs an OK that nobody can give here.
    pub async fn propose(&self, draft: Draft, snapshot: Arc<Snapshot>) -> Result<Output> {
        let place = Place {
            session_id: self.session.id.clone(),
            thread_key: self.thread_key.clone(),
            anchor: self.anchor.clone(),
            asker: self.asker.clone(),
            identity: self.identity.stored(),
            sheet: self.session.sheet,
        };
        let approval = self.changes.approval(SheetId(snapshot.id), &draft.plan).await?;
        if let Some(approval) = &approval {
            let here = self.seen_by_others.as_ref().is_some_and(|thread| approval.others_in(thread, &self.asker).next().is_some());
            if !here {
                return Err(told(approval.elsewhere(&self.asker)));
            }
        }
        let within = if approval.is_some() { APPROVED_WITHIN } else { self.changes.rules.proposal_lifetime };
        let proposal = self.changes.keep(Some(&self.event), &draft, &snapshot, &place, within).await?;
        let json = json!({ "status": "shown to the person, who decides by a button; nothing is written yet", "rows": proposal.row_count, "warnings": draft.warnings });
        Ok(Output { made: Some(Made { proposal, draft, snapshot, approval }), ..Output::json(json) })
    }
}

/// A text that is not longer than a cell needs for wording.
fn short(text: &str) -> String {
    chat::text::shorten(&chat::text::clean(text), 300)
}
