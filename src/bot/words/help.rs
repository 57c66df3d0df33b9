//! What the bot can do, in a few lines, with examples from the sheet at hand.

use super::sheets::Here;
use super::{md, note};
use crate::sheet::{Snapshot, SnapshotColumn};
use crate::store::Session;
use chat::{Block, Message, escape};

/// Examples that fit most sheets of tasks, for where no sheet is known.
const ASK: &str = "“which tasks are overdue?”, “total budget by department”";
const CHANGE: &str = "“set Status to Complete for \"Load test\"”";
const JOB: &str = "“summarize Notes into Summary”";

pub(in crate::bot) fn help(session: Option<&Session>, snapshot: Option<&Snapshot>, accounts: bool, here: Here) -> Message {
    let here = here.word();
    let sheet = match session {
        Some(s) => format!("This {here} is about **{}**. Another sheet: `use <name, id or link>`.", escape(&s.sheet_name)),
        None => format!("This {here} has no sheet yet: `use <name, id or link>`, or just ask and I offer some."),
    };
    let mut blocks = vec![md(&format!("I answer questions about a Smartsheet sheet and change it for you, from this {here}.\n\n{sheet}"))];
    blocks.extend(abilities(snapshot, accounts));
    Message::new(blocks)
}

/// For everybody in a channel that the bot was added to.
pub(in crate::bot) fn introduction(by: Option<&str>, sheet: Option<&str>) -> Message {
    let added = by.map(|name| format!("{} added me. ", escape(name))).unwrap_or_default();
    let begins = match sheet {
        Some(sheet) => format!("Threads here begin with **{}**; `/sheet use <name>` chooses another sheet.", escape(sheet)),
        None => "`/sheet use <name>` says which sheet threads here begin with.".into(),
    };
    Message::text(&format!(
        "{added}I answer questions about Smartsheet sheets and change them; what changes you see first, and confirm. Mention me with a question. {begins} `help` shows more."
    ))
}

/// What people can say, by example.
pub(in crate::bot) fn abilities(snapshot: Option<&Snapshot>, accounts: bool) -> [Block; 2] {
    let connect = if accounts { ", `connect`, `disconnect`" } else { "" };
    let examples = snapshot.map(Examples::of).unwrap_or_default();
    let or = |example: Option<String>, usual: &str| example.map_or_else(|| usual.to_owned(), |words| escape(&words));
    [
        md(&format!(
            "- **Ask**: {}\n- **Change**: {} (you see it first and confirm it with a button; `undo` takes it back)\n\
            - **Long work**: {} (in the background, with a bar in the thread)\n\
            - **Beside it**: quote or forward a message, or attach a text or CSV file, and say what to do with it\n\
            - **Words**: `help`, `status`, `sheets`, `use <sheet>`, `view`, `edit`, `unshare`, `undo`, `stop`, `jobs`, `cancel <job>`, `retry <job>`, `rules`, `why?`{connect}",
            or(examples.ask, ASK),
            or(examples.change, CHANGE),
            or(examples.job, JOB),
        )),
        note("Figures are computed by SQL over the sheet."),
    ]
}

/// What can be said about a sheet.
#[derive(Default)]
struct Examples {
    ask: Option<String>,
    change: Option<String>,
    job: Option<String>,
}

impl Examples {
    fn of(snapshot: &Snapshot) -> Self {
        let columns = || snapshot.columns.iter().filter(|c| !c.hidden);
        let picked = columns().find(|c| c.kind == "PICKLIST" && c.options.len() > 1 && c.options.iter().all(|o| is_short(o)));
        let numbers = columns().find(|c| c.is_numeric() && c.read_only.is_none() && !c.primary && !c.title.contains('%'));
        let due = columns().find(|c| c.kind == "DATE");
        // Parents of others stand before them.
        let row = snapshot.rows.iter().rev().map(|row| snapshot.label(row)).find(|label| is_short(label));
        let mut asks = Vec::new();
        if let Some((column, option)) = picked.and_then(|c| Some((c, c.options.first()?))) {
            asks.push(format!("“how many rows have {} {option}?”", column.title));
        }
        match (numbers, picked, due) {
            (Some(sum), Some(by), _) => asks.push(format!("“total {} by {}”", sum.title, by.title)),
            (_, _, Some(due)) => asks.push(format!("“what has {} this week?”", due.title)),
            _ => {}
        }
        let writable = |c: &&SnapshotColumn| c.read_only.is_none();
        let change = picked.filter(writable).zip(row).and_then(|(column, row)| {
            let option = column.options.last()?;
            Some(format!("“set {} to {option} for \"{row}\"”", column.title))
        });
        let texts = columns().find(|c| c.kind == "TEXT_NUMBER" && !c.primary && !c.is_numeric() && is_short(&c.title));
        Self {
            ask: (!asks.is_empty()).then(|| asks.join(", ")),
            change: change.filter(|_| snapshot.writable()),
            job: texts.filter(|_| snapshot.writable()).map(|c| format!("“summarize {} into a new column Summary”", c.title)),
        }
    }
}

/// Below a proposal, when more than that was asked for.
pub(in crate::bot) fn one_at_a_time() -> &'static str {
    "I propose one change at a time: the rest of what you asked is not in this one. Decide it, then ask for the next."
}

/// Whether a name fits into an example.
fn is_short(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 40 && !name.contains(['“', '”', '"', '\n'])
}
