//! Every sentence the bot says. Functions take data and return text, so that tone and form are seen together.

mod access;
mod accounts;
pub(super) mod claims;
mod forms;
mod help;
mod jobs;
mod places;
mod rules;
mod sheets;

pub(super) use access::*;
pub use accounts::connected as account_connected;
pub(super) use accounts::{connect, connect_first, disconnected, no_accounts};
pub(super) use forms::*;
pub(super) use help::{help, introduction, one_at_a_time};
pub(super) use jobs::*;
pub(super) use places::*;
pub(super) use rules::*;
pub(super) use sheets::*;

use crate::changes::Plan;
use crate::error::Choice;
use crate::jobs::in_a_line;
use crate::sheet::{SheetId, Snapshot};
use crate::store::{Job, Waits};
use crate::tools::MOST_SAID;
use chat::{Block, Button, ButtonStyle, Markdown, Message, Progress, escape};
use std::time::Duration;
use url::Url;

/// Sheets that are offered as buttons.
pub(super) const OFFERED: usize = 5;

/// What is being done, as it stands behind “is” and, with a capital, alone.
pub(super) fn looking_at(sheet: &str) -> String {
    format!("looking at {sheet}")
}

pub(super) fn having_a_look() -> &'static str {
    "having a look"
}

pub(super) fn under_way(doing: &str) -> Message {
    Message::text(&format!("⏳ {} …", escape(&capital(doing)))).partial()
}

pub(super) fn one_moment() -> &'static str {
    "⏳ One moment …"
}

pub(super) fn queued(waits: Waits) -> &'static str {
    match waits {
        Waits::ForItsThread => "⏳ Noted. I answer this as soon as the question above is done.",
        Waits::ForAPlace => "⏳ Noted. Many people ask at the moment; I answer this as soon as I can.",
    }
}

pub(super) fn taken_over() -> &'static str {
    "The answer is in another message."
}

pub(super) fn used_up(what: &str) -> String {
    format!(
        "That is your limit for today: {what}. I answer again from 00:00 UTC on; buttons, `undo` and `help` work meanwhile. The operator sets this limit."
    )
}

pub(super) fn gave_up() -> String {
    "I tried three times to answer this and was interrupted each time, so I stop here. Please ask again; if it happens again, tell the person who runs me.".into()
}

pub(super) fn our_fault(reference: &str) -> String {
    format!(
        "Something went wrong on my side, and I could not finish. Please try again. If it stays so, give the person who runs me this number: **{reference}**"
    )
}

pub(super) fn turn_stopped(dropped: u64) -> String {
    match dropped {
        0 => "⏹ Stopped. Nothing was changed.".into(),
        n => format!("⏹ Stopped, and dropped {} that waited. Nothing was changed.", count(n as usize, "message")),
    }
}

pub(super) fn stopped(running: bool, dropped: u64, job: Option<&str>) -> String {
    match (running, dropped, job) {
        (false, 0, Some(job)) => format!("I am not answering anything here. Job `{job}` goes on; `cancel {job}` stops it."),
        (false, 0, None) => "There is nothing to stop: I am not working on anything in this thread.".into(),
        (true, 0, _) => "⏹ Stopped. A change that was confirmed already is finished; use undo to take it back.".into(),
        (_, n, _) => format!("⏹ Stopped, and dropped {} that waited.", count(n as usize, "message")),
    }
}

/// Of somebody who has sent something without a word about it.
pub(super) fn what_with_it() -> &'static str {
    "What shall I do with it? Ask something about it, or say what to change."
}

pub(super) fn cannot_read(name: &str, why: &str) -> String {
    format!("I cannot read {}: {why}. Write it, or use `edit` to type it into the sheet yourself.", escape(name))
}

/// What is left of a sign of life after which there is nothing to say.
pub(super) fn not_for_me() -> &'static str {
    "This was not for me."
}

/// How things stand; only admins are told which model answers.
pub(super) fn status(snapshot: &Snapshot, yours: bool, waiting: usize, undoable: bool, model: Option<&str>, running: &[Job]) -> Message {
    let mut lines = vec![
        format!(
            "Sheet: [{}]({}), {}, version {}",
            escape(&snapshot.name),
            snapshot.permalink,
            count(snapshot.rows.len(), "row"),
            snapshot.version
        ),
        format!("{} rights there: {}", if yours { "Your" } else { "My" }, snapshot.access_level.to_lowercase().replace('_', " ")),
    ];
    lines.extend(model.map(|model| format!("Model: {}", escape(model))));
    lines.push(if waiting == 0 {
        "No proposal waits for you.".into()
    } else {
        format!("{} for a decision.", if waiting == 1 { "1 proposal waits".into() } else { format!("{waiting} proposals wait") })
    });
    if undoable {
        lines.push("The last change can be taken back with `undo`.".into());
    }
    lines.extend(running.iter().map(|j| format!("Job {}", in_a_line(j))));
    Message::text(&lines.iter().map(|l| format!("- {l}\n")).collect::<String>())
}

pub(super) fn link_to_sheet(snapshot: &Snapshot, url: &Url, lifetime: Duration) -> Message {
    Message::new(vec![
        md(&format!("[Open {}]({url}), {}.", escape(&snapshot.name), count(snapshot.rows.len(), "row"))),
        note(&format!(
            "Whoever has this link can look at the sheet for {} hours, without a Smartsheet account. `edit` gives you a link of your own, `unshare` ends all links of this thread.",
            lifetime.as_secs() / 3600
        )),
    ])
}

pub(super) fn own_link(sheet: &str, url: &Url, lifetime: Duration) -> Message {
    Message::new(vec![
        md(&format!("[Open {} for editing]({url}).", escape(sheet))),
        note(&format!(
            "This link is yours: what is done with it is done in your name, so do not pass it on. It works for {} hours; `unshare` ends it.",
            lifetime.as_secs() / 3600
        )),
    ])
}

pub(super) fn link_whispered() -> Message {
    Message::text("I sent you a link that only you see.")
}

pub(super) fn links_ended() -> Message {
    Message::text("The links to the sheet that were made in this thread do not work any more. `view` makes a new one.")
}

pub(super) fn no_viewer() -> &'static str {
    "I have no address where you could open the sheet: whoever runs me sets PUBLIC_BASE_URL for that. In Smartsheet it opens as usual; `status` has its link."
}

/// The page that a platform gives the bot, as one person sees it.
pub(super) fn home(sheets: &[(SheetId, String)], running: &[Job], connected: Option<bool>) -> Message {
    let mut blocks = match sheets {
        [] if connected == Some(false) => vec![md(accounts::sheets_need_one())],
        [] => no_sheets().blocks,
        _ => vec![
            md("**Sheets**\nThe one you press is the one that our direct messages are about."),
            sheet_choices(sheets.iter().map(|(id, name)| (*id, name.as_str()))),
        ],
    };
    let jobs: String = running.iter().map(|j| format!("\n- {}", in_a_line(j))).collect();
    blocks.push(md(&format!("**Your running jobs**{}", if jobs.is_empty() { "\nNone." } else { &jobs })));
    blocks.extend(connected.into_iter().flat_map(accounts::account));
    blocks.extend(help::abilities(None, connected.is_some()));
    Message::new(blocks)
}

/// For a person who has said nothing yet; the buttons are what they may want to say.
pub(super) fn greeting(sheets: &[(SheetId, String)]) -> Message {
    let say = |label: String, words: String| Button { label, action: format!("say:{words}"), style: ButtonStyle::Plain };
    let of_sheet = |(id, name): &(SheetId, String)| {
        // An action carries 64 bytes at most.
        let called = if name.len() <= 50 { name.clone() } else { id.to_string() };
        say(format!("Work on {}", chat::text::shorten(name, 40)), format!("use {called}"))
    };
    let mut prompts: Vec<Button> = sheets.iter().take(3).map(of_sheet).collect();
    prompts.push(say("What can you do?".into(), "help".into()));
    let words = "Hello! I answer questions about Smartsheet sheets and change them for you; nothing is changed before you confirm it. Which sheet is it about?";
    Message::new(vec![md(words), Block::Buttons(prompts)])
}

/// How the last answer was found, query by query.
pub(super) fn why(queries: &[String]) -> Message {
    match queries {
        [] => Message::text("My last answer here asked the sheet nothing, so there is no query to show."),
        queries => Message::new(queries.iter().map(|query| md(query)).collect()),
    }
}

pub(super) fn too_many_rounds() -> String {
    "I could not come to an answer in eight steps. Please ask for less at once, for example one question per message.".into()
}

pub(super) fn filtered(categories: &[String]) -> String {
    let which = if categories.is_empty() { String::new() } else { format!(" ({})", categories.join(", ")) };
    format!("The content filter of the model refused this{which}. Please put it in other words.")
}

pub(super) fn cut_off() -> String {
    "The answer became too long and was cut off before it was usable, so nothing was done. Please ask for less at once.".into()
}

pub(super) fn too_long() -> String {
    "This is more than the model can take in at once. Please ask for fewer columns or rows, or start a new thread.".into()
}

pub(super) fn model_busy(wait: Duration) -> String {
    format!("The model's rate limit is used up at the moment. Please try again in {}.", chat::text::duration(wait))
}

pub(super) fn quota_spent() -> String {
    "The quota of the model is used up, and waiting does not help. Please tell the person who runs me.".into()
}

/// The beginning of an answer, and why there is no more of it.
pub(super) fn broke_off(said: &str, why: &str) -> String {
    format!("{} …\n\n⚠️ The answer broke off here. {why}", escape(said))
}

pub(super) fn model_down() -> String {
    "The model does not answer at the moment. Nothing was changed; please try again in a minute.".into()
}

pub(super) fn model_misconfigured() -> String {
    "I cannot use the model: its address or key is wrong. Please ask the person who runs me to run `chatsheet check`.".into()
}

pub(super) fn takes_no_functions() -> String {
    "The model I am connected to cannot look into sheets: it takes no functions. Please ask the person who runs me to choose another one; `chatsheet check` tries it.".into()
}

pub(super) fn hello() -> &'static str {
    "Hello! Ask me about a Smartsheet sheet, or type `help` to see what I can do."
}

pub(super) fn you_are_welcome() -> &'static str {
    "You are welcome."
}

pub(super) fn who_i_am() -> &'static str {
    "I am ChatSheetAI, a bot that answers questions about Smartsheet sheets and changes them for you. Nothing is changed before you confirm it. `help` shows how."
}

pub(super) fn which_one() -> &'static str {
    "Which one do you mean?"
}

/// What can be meant, to be said by a press.
pub(super) fn choices(of: &[Choice]) -> Block {
    // An action carries 64 bytes at most.
    let says = |choice: &Choice| {
        [&choice.says, &choice.label].into_iter().find(|words| words.len() <= MOST_SAID).map(|words| format!("say:{words}"))
    };
    let button =
        |choice: &Choice| Some(Button { label: chat::text::shorten(&choice.label, 40), action: says(choice)?, style: ButtonStyle::Plain });
    Block::Buttons(of.iter().filter_map(button).take(OFFERED).collect())
}

pub(super) fn step_failed(error: &str) -> String {
    format!("⚠️ The last step failed: {}", escape(&chat::text::shorten(error, 300)))
}

pub(super) fn answer_cut_off() -> &'static str {
    "The answer was cut off at the model's limit."
}

pub(super) fn unknown_button() -> String {
    "I do not know this button any more. Please ask again.".into()
}

/// A number as people write it: “1,240”, “1 240 rows”.
pub(super) fn number(text: &str) -> Option<i64> {
    text.to_lowercase().replace([',', ' '], "").trim_end_matches("rows").parse().ok()
}

/// What lets a person show everybody an answer that only they see.
/// The same message for one person alone, with a button to show it to everybody: its buttons know which event it answers, since a press on a message that nobody else
/// sees does not tell where that stands.
pub(super) fn alone(event: i64, message: &Message) -> Message {
    let mut message = message.clone();
    for block in &mut message.blocks {
        if let Block::Buttons(buttons) = block {
            buttons.iter_mut().for_each(|b| b.action = format!("{ALONE}:{event}:{}", b.action));
        }
    }
    message.blocks.push(share(event));
    message
}

/// The event that a message for one person alone answers, and what its button does.
pub(super) fn pressed_alone(action: &str) -> Option<(i64, &str)> {
    let (event, action) = action.strip_prefix(ALONE)?.strip_prefix(':')?.split_once(':')?;
    Some((event.parse().ok()?, action))
}

const ALONE: &str = "to";

fn share(event: i64) -> Block {
    Block::Buttons(vec![Button { label: "Share to channel".into(), action: format!("share:{event}"), style: ButtonStyle::Plain }])
}

pub(super) fn shared_by(name: Option<&str>) -> Block {
    note(&format!("Shared by {}", escape(name.unwrap_or("somebody who asked for it"))))
}

pub(super) fn nothing_to_share() -> &'static str {
    "This was shared already, or is more than a day old. Please ask again."
}

pub(super) fn proposal_gone() -> String {
    "This proposal is gone. Please ask for the change again.".into()
}

pub(super) fn only_the_asker() -> String {
    "Only the person who asked for this change can confirm or cancel it.".into()
}

pub(super) fn only_the_asker_undoes() -> String {
    "Only the person who asked for this change can take it back.".into()
}

pub(super) fn was_cancelled() -> String {
    "This proposal was cancelled. Nothing was changed.".into()
}

pub(super) fn was_expired() -> String {
    "This proposal is too old to be confirmed: the sheet may have changed. Please ask for the change again.".into()
}

pub(super) fn already_decided() -> String {
    "This was decided already.".into()
}

pub(super) fn count_needed(rows: i64) -> String {
    format!("This is a large change. Press the button with the number, or type {rows}.")
}

pub(super) fn wrong_count(given: i64, rows: i64) -> String {
    format!("The waiting change touches {rows} rows, not {given}. Type {rows} to carry it out, or press Cancel.")
}

pub(super) fn press_instead() -> String {
    "Please press the Confirm button below the preview: a change is only carried out by a press of the person who asked.".into()
}

pub(super) fn nothing_waits() -> String {
    "Nothing waits for your decision in this thread.".into()
}

pub(super) fn nothing_to_undo() -> String {
    "There is no change of this thread that could be taken back.".into()
}

pub(super) fn expired(plan: &Plan) -> Message {
    Message::text(&format!("⌛ Too late to confirm: {}. Nothing was changed. Please ask again if you still want it.", what(plan)))
}

pub(super) fn cancelled(plan: &Plan) -> Message {
    Message::text(&format!("✖️ Cancelled: {}. Nothing was changed.", what(plan)))
}

pub(super) fn cancelled_text(plan: &Plan) -> String {
    format!("(The person cancelled: {}.)", what(plan))
}

pub(super) fn doing(plan: &Plan) -> String {
    format!("⏳ {}", capital(&what(plan)))
}

pub(super) fn progress(doing: &str, done: usize, total: usize) -> Message {
    Message::new(vec![Block::Progress(Progress { label: doing.into(), done: done as u64, total: total as u64 })]).partial()
}

/// What a plan does, as a phrase: “set Status in 3 rows”.
pub fn what(plan: &Plan) -> String {
    let title = |spec: &crate::smartsheet::ColumnSpec| escape(spec.title.as_deref().unwrap_or_default());
    match plan {
        Plan::Update { rows } => {
            let mut titles: Vec<&str> = Vec::new();
            for cell in rows.iter().flat_map(|r| &r.cells) {
                if !titles.contains(&cell.title.as_str()) {
                    titles.push(&cell.title);
                }
            }
            format!("set {} in {}", titles.iter().map(|t| escape(t)).collect::<Vec<_>>().join(", "), count(rows.len(), "row"))
        }
        Plan::Add { rows, location } => {
            let under = location.parent_label.as_ref().map(|p| format!(" under “{}”", escape(p))).unwrap_or_default();
            format!("add {}{under}", count(rows.len(), "row"))
        }
        Plan::Delete { rows } => format!("delete {}", count(rows.len(), "row")),
        Plan::Restore { rows } => format!("bring back {}", count(rows.len(), "row")),
        Plan::AddColumn { spec } => format!("add column {}", title(spec)),
        Plan::UpdateColumn { before, after, .. } => {
            let changes = |what: &str| format!("change the {what} of column {}", title(before));
            match &after.title {
                Some(new) if after.title != before.title => format!("rename column {} to {}", title(before), escape(new)),
                _ if after.kind != before.kind => changes("type"),
                _ => changes("options"),
            }
        }
        Plan::DeleteColumn { spec, .. } => format!("delete column {}", title(spec)),
        Plan::RestoreColumn { spec, .. } => format!("bring back column {}", title(spec)),
        Plan::Job { what, rows, .. } => format!("{} for {}", escape(what), count(*rows, "row")),
        Plan::Comment { label, .. } => format!("comment on “{}”", escape(label)),
        Plan::DeleteComment { label, .. } => format!("delete the comment on “{}”", escape(label)),
    }
}

/// “1 row”, “4,012 rows”.
pub(super) fn count(n: usize, noun: &str) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or_default()).collect();
    format!("{} {noun}{}", groups.join(","), if n == 1 { "" } else { "s" })
}

/// A phrase as the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

pub(super) fn md(text: &str) -> Block {
    Block::Markdown(Markdown::ours(text))
}

pub(super) fn note(text: &str) -> Block {
    Block::Note(Markdown::ours(text))
}
