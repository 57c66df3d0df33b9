//! Words about which sheet a conversation is about.

use super::{OFFERED, count, md, note};
use crate::sheet::{SheetId, Snapshot};
use crate::smartsheet::SheetEntry;
use chat::{Addressed, Block, Button, ButtonStyle, Incoming, Markdown, Message, Platform, What, escape};

/// What people are told that they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bot) enum Here {
    Thread,
    /// A chat without threads.
    Chat,
    /// A channel whose posts open threads.
    Channel,
}

impl Here {
    pub fn of(incoming: &Incoming) -> Self {
        let own = matches!(incoming.thread.platform, Platform::Console | Platform::Web);
        match incoming.what {
            _ if own || incoming.thread.root.is_some() => Self::Thread,
            What::Command { .. } if incoming.addressed != Addressed::Dm => Self::Channel,
            _ => Self::Chat,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Chat => "chat",
            Self::Channel => "channel",
        }
    }
}

pub(in crate::bot) fn no_sheet_yet(here: Here) -> Message {
    let here = here.word();
    Message::text(&format!("This {here} has no sheet yet. Choose one with `use <name, id or link>`, or type `sheets` to see them."))
}

pub(in crate::bot) fn sheets(all: &[SheetEntry]) -> Message {
    if all.is_empty() {
        return no_sheets();
    }
    let list: String = all.iter().take(30).map(|s| format!("- [{}]({})\n", escape(&s.name), s.permalink)).collect();
    let more = if all.len() > 30 { format!("\n… and {} more. `use <name>` finds them.", all.len() - 30) } else { String::new() };
    Message::new(vec![md(&format!("These are the sheets I can see:\n\n{list}{more}")), offer(all)])
}

pub(super) fn no_sheets() -> Message {
    Message::text("I cannot see any sheet. Share one with the Smartsheet account I run under, then try again.")
}

fn offer(sheets: &[SheetEntry]) -> Block {
    sheet_choices(sheets.iter().map(|s| (SheetId(s.id), s.name.as_str())))
}

pub(super) fn sheet_choices<'a>(sheets: impl Iterator<Item = (SheetId, &'a str)>) -> Block {
    let button = |(id, name): (SheetId, &str)| Button {
        label: chat::text::shorten(name, 40),
        action: format!("use:{id}"),
        style: ButtonStyle::Plain,
    };
    Block::Buttons(sheets.take(OFFERED).map(button).collect())
}

pub(in crate::bot) fn which_sheet(name: &str, sheets: &[SheetEntry]) -> Message {
    Message::new(vec![md(&format!("Several sheets match “{}”. Which one do you mean?", escape(name))), offer(sheets)])
}

pub(in crate::bot) fn no_such_sheet(name: &str, sheets: &[SheetEntry], here: Here) -> Message {
    if sheets.is_empty() {
        return no_sheets();
    }
    let found = if name.is_empty() {
        format!("Which sheet should this {} be about?", here.word())
    } else {
        format!("I see no sheet called “{}”. Is it one of these? Otherwise share it with the account I run under.", escape(name))
    };
    Message::new(vec![md(&found), offer(sheets)])
}

pub(in crate::bot) fn ask_for_sheet(sheets: &[SheetEntry]) -> Message {
    if sheets.is_empty() {
        return no_sheets();
    }
    Message::new(vec![
        md("Which sheet is this about? I answer your question as soon as you choose one, or write its name, id or link."),
        offer(sheets),
    ])
}

pub(in crate::bot) fn asked_for_sheet_already(here: Here) -> String {
    format!("Noted. I answer this, too, as soon as this {} has a sheet: write its name, or type `sheets` to choose one.", here.word())
}

pub(in crate::bot) fn has_a_sheet_now(here: Here) -> String {
    format!("This {} has a sheet now: the answer follows.", here.word())
}

pub(in crate::bot) fn now_using(snapshot: &Snapshot, here: Here) -> Message {
    Message::text(&format!("This {} is now about {}.", here.word(), sheet_and_rows(snapshot)))
}

/// For everybody in a channel, after somebody has chosen its sheet.
pub(in crate::bot) fn new_threads_start_with(snapshot: &Snapshot, channel: Option<&str>, by: Option<&str>) -> Message {
    let channel = channel.map_or_else(|| "this channel".to_owned(), |name| format!("#{}", escape(name)));
    Message::text(&format!("New threads in {channel} start with {}.{}", sheet_and_rows(snapshot), chosen_by(by)))
}

/// For whoever has chosen the sheet of a channel in which the bot may not write.
pub(in crate::bot) fn nobody_else_was_told(mut told: Message) -> Message {
    told.blocks
        .push(Block::Note(Markdown::ours("I may not write in this channel: only you see this. Invite me, so that others see it, too.")));
    told
}

/// The same in a chat without threads.
pub(in crate::bot) fn chat_now_about(snapshot: &Snapshot, by: Option<&str>) -> Message {
    Message::text(&format!("This chat is now about {}.{}", sheet_and_rows(snapshot), chosen_by(by)))
}

fn sheet_and_rows(snapshot: &Snapshot) -> String {
    format!("[{}]({}) ({})", escape(&snapshot.name), snapshot.permalink, count(snapshot.rows.len(), "row"))
}

fn chosen_by(name: Option<&str>) -> String {
    name.map(|name| format!(" Chosen by {}.", escape(name))).unwrap_or_default()
}

/// A sheet below a link to it.
pub(in crate::bot) fn linked(snapshot: &Snapshot) -> Message {
    let columns: Vec<String> = snapshot.columns.iter().filter(|c| !c.hidden).take(8).map(|c| escape(&c.title)).collect();
    let more = if snapshot.columns.len() > columns.len() { ", …" } else { "" };
    Message::new(vec![
        md(&format!("**{}** · {}, {}", escape(&snapshot.name), count(snapshot.rows.len(), "row"), count(snapshot.columns.len(), "column"))),
        note(&format!("{}{more}", columns.join(", "))),
    ])
}
