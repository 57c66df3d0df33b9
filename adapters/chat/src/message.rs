//! What the bot says: a small document that every platform can render, never a platform's markup.

use crate::{Markdown, text};
use serde::{Deserialize, Serialize};
use url::Url;

/// A message: blocks in reading order, and whether more is to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The content, top to bottom.
    pub blocks: Vec<Block>,
    /// `true` while the answer is still growing.
    pub partial: bool,
    /// Whether a model has written words of it; some platforms say so beside it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_model: bool,
    /// What the answer rests on, for platforms that name sources beside a message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Citation>,
}

/// A sheet that an answer was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The name of the sheet.
    pub title: String,
    /// The sheet in Smartsheet.
    pub url: Url,
    /// What was asked of it, in words without markup.
    pub about: String,
}

/// One part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Block {
    /// Running text.
    Markdown(Markdown),
    /// Rows and columns.
    Table(TableBlock),
    /// A bar.
    Progress(Progress),
    /// Things to press.
    Buttons(Vec<Button>),
    /// A picture of ours (never one that a model or a cell asked for).
    Image {
        /// Where it is served.
        url: Url,
        /// What it shows, for people who do not see it.
        alt: String,
    },
    /// A small line: where figures come from, what was left out.
    Note(Markdown),
}

/// A table. Cells are plain text, never markup.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct TableBlock {
    /// Column heads.
    pub columns: Vec<Column>,
    /// The rows to show; each has as many cells as there are columns.
    pub rows: Vec<Vec<TableCell>>,
    /// How many rows there are in all, shown or not.
    pub total: usize,
}

/// A column head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its title.
    pub title: String,
    /// How its cells stand.
    pub align: Align,
}

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableCell {
    /// What is shown; may be empty.
    pub text: String,
    /// Where it leads (a row of the sheet).
    pub link: Option<Url>,
}

/// How far something is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is going on.
    pub label: String,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
}

/// Something to press.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What comes back in [`crate::What::Press`]; at most 64 bytes, so that every platform can carry it.
    pub action: String,
    /// How it looks.
    pub style: ButtonStyle,
}

/// How a button looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ButtonStyle {
    /// The usual next step.
    Primary,
    /// Cannot easily be taken back.
    Danger,
    /// Anything else.
    Plain,
}

impl Message {
    /// A finished message.
    pub fn new(blocks: Vec<Block>) -> Self {
        Self { blocks, partial: false, by_model: false, sources: Vec::new() }
    }

    /// A finished message of words of ours.
    pub fn text(words: &str) -> Self {
        Self::new(vec![Block::Markdown(Markdown::ours(words))])
    }

    /// The same content, marked as still growing.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// All buttons, in reading order.
    pub fn buttons(&self) -> impl Iterator<Item = &Button> {
        self.blocks.iter().flat_map(|b| match b {
            Block::Buttons(buttons) => buttons.as_slice(),
            _ => &[],
        })
    }

    /// The message as plain text: for notifications, terminals and platforms that refuse markup.
    pub fn plain(&self) -> String {
        let parts: Vec<String> = self.blocks.iter().map(plain_block).filter(|p| !p.is_empty()).collect();
        parts.join("\n")
    }
}

impl Progress {
    /// A bar of `width` characters with percent and counts.
    pub fn bar(&self, width: usize) -> String {
        if self.total == 0 {
            return format!("{} …", self.label);
        }
        let done = self.done.min(self.total);
        let filled = usize::try_from(done * width as u64 / self.total).unwrap_or(width);
        let percent = done * 100 / self.total;
        let bar = format!("{}{}", "▓".repeat(filled), "░".repeat(width - filled));
        format!("{} {bar} {percent}% ({done}/{})", self.label, self.total)
    }
}

impl TableCell {
    /// A cell without a link.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), link: None }
    }
}

fn plain_block(block: &Block) -> String {
    match block {
        Block::Markdown(words) | Block::Note(words) => words.plain(),
        Block::Table(table) => text::aligned_table(table, 40),
        Block::Progress(progress) => progress.bar(20),
        Block::Buttons(buttons) => buttons.iter().map(|b| format!("[{}]", b.label)).collect::<Vec<_>>().join(" "),
        Block::Image { alt, .. } => alt.clone(),
    }
}
