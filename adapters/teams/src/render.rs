//! Messages as Adaptive Cards 1.5, or as plain text where there is nothing but words; text stands in runs, so that nothing
//! of it is read as markup.

use chat::{Align, Block, Button, ButtonStyle, Citation, Markdown, Message, Node, Progress, Span, TableBlock, TableCell, text};
use serde_json::{Value, json};

/// One message of Teams.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The card; `None` for text.
    pub card: Option<Value>,
    /// The words: of the message, or for notifications of a card.
    pub text: String,
    /// Whether Teams is to say that a model has written it, and to ask people what they think of it.
    pub by_model: bool,
    /// The sheets that it rests on, in the order of the marks in its words: `[1]`, `[2]`.
    pub sources: Vec<Citation>,
}

/// Of 100 KB that a message may have, as UTF-16: characters of a card.
const CARD_CHARS: usize = 24_000;
const TEXT_CHARS: usize = 12_000;
const SUMMARY_CHARS: usize = 200;
const COLUMNS: usize = 12;
const CELL_CHARS: usize = 200;
const BUTTONS_IN_SET: usize = 6;
const LABEL_CHARS: usize = 60;
/// The most sources that a message names.
const SOURCES: usize = 10;

/// The message as one or more messages of Teams.
pub fn render(message: &Message) -> Vec<Part> {
    // A notification needs no marks.
    let summary = summary(message);
    let message = &with_marks(message);
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let mut chars = 0;
    for element in message.blocks.iter().flat_map(elements) {
        let size = element.to_string().chars().count();
        if chars + size > CARD_CHARS && chars > 0 {
            parts.push(Vec::new());
            chars = 0;
        }
        chars += size;
        if let Some(part) = parts.last_mut() {
            part.push(element);
        }
    }
    let card = |body: Vec<Value>| json!({ "type": "AdaptiveCard", "version": "1.5", "msteams": { "width": "Full" }, "body": body });
    let full = parts.into_iter().filter(|body| !body.is_empty());
    let parts: Vec<Part> = full.map(|body| Part { card: Some(card(body)), text: summary.clone(), ..Part::default() }).collect();
    if parts.is_empty() { as_text(message) } else { labelled(parts, message) }
}

/// A whole answer with a mark behind its words for each of its sources: Teams shows a source where its mark stands.
fn with_marks(message: &Message) -> Message {
    let mut marked = message.clone();
    let count = message.sources.len().min(SOURCES);
    if count == 0 || message.partial || !message.by_model {
        return marked;
    }
    let words = marked.blocks.iter_mut().find_map(|block| if let Block::Markdown(words) = block { words.nodes.last_mut() } else { None });
    let marks: String = (1..=count).map(|n| format!(" [{n}]")).collect();
    if let Some(Node::Paragraph(spans) | Node::Item { spans, .. }) = words {
        spans.push(Span { text: marks, ..Span::default() });
    }
    marked
}

/// Once for each answer, and not before it is whole.
fn labelled(mut parts: Vec<Part>, message: &Message) -> Vec<Part> {
    if let Some(first) = parts.first_mut() {
        first.by_model = message.by_model && !message.partial;
        if first.by_model {
            first.sources = message.sources.iter().take(SOURCES).cloned().collect();
        }
    }
    parts
}

/// The message as text without markup, for when Teams refuses the card.
pub fn plain(message: &Message) -> Vec<Part> {
    as_text(&with_marks(message))
}

fn as_text(message: &Message) -> Vec<Part> {
    let pieces = text::split(message.plain().trim(), TEXT_CHARS);
    let pieces = if pieces.is_empty() { vec!["…".to_owned()] } else { pieces };
    labelled(pieces.into_iter().map(|text| Part { text, ..Part::default() }).collect(), message)
}

/// What a notification says.
fn summary(message: &Message) -> String {
    let words = message.plain().split_whitespace().collect::<Vec<_>>().join(" ");
    let words = text::shorten(&words, SUMMARY_CHARS);
    if words.is_empty() { "…".into() } else { words }
}

fn elements(block: &Block) -> Vec<Value> {
    match block {
        Block::Markdown(words) => words.nodes.iter().flat_map(|n| node(n, false)).collect(),
        Block::Note(words) => note(words),
        Block::Table(table) => table_elements(table),
        Block::Progress(progress) => vec![bar(progress)],
        Block::Buttons(buttons) => buttons.chunks(BUTTONS_IN_SET).map(actions).collect(),
        Block::Image { url, alt } => vec![json!({ "type": "Image", "url": url, "altText": text::shorten(&text::clean(alt), 1_000) })],
    }
}

fn note(words: &Markdown) -> Vec<Value> {
    words.nodes.iter().flat_map(|n| node(n, true)).collect()
}

fn bar(progress: &Progress) -> Value {
    json!({ "type": "TextBlock", "text": escape(&text::clean(&progress.bar(20))), "wrap": true })
}

/// A paragraph-like part, in as many blocks as its length needs.
fn node(node: &Node, small: bool) -> Vec<Value> {
    let lead = match node {
        Node::Code(code) => return code_blocks(code.trim_end()),
        Node::Item { depth, number, .. } => {
            format!("{}{}", "\u{2003}".repeat(*depth), number.map_or("• ".to_owned(), |n| format!("{n}. ")))
        }
        Node::Paragraph(_) | Node::Heading(_) => String::new(),
    };
    let heading = matches!(node, Node::Heading(_));
    let mut blocks = vec![Vec::new()];
    let mut chars = lead.chars().count();
    if !lead.is_empty() {
        blocks[0].push(run(&Span { text: lead, ..Span::default() }, false, small));
    }
    for span in node.spans() {
        for piece in text::cut(&span.text, TEXT_CHARS / 4) {
            let size = piece.chars().count();
            if chars + size > TEXT_CHARS / 2 && chars > 0 {
                blocks.push(Vec::new());
                chars = 0;
            }
            chars += size;
            if let Some(block) = blocks.last_mut() {
                block.push(run(&Span { text: piece.to_owned(), ..span.clone() }, heading, small));
            }
        }
    }
    blocks.retain(|runs| !runs.is_empty());
    blocks.into_iter().map(|inlines| json!({ "type": "RichTextBlock", "inlines": inlines })).collect()
}

fn run(span: &Span, heading: bool, small: bool) -> Value {
    let mut run = json!({ "type": "TextRun", "text": span.text });
    if span.bold || heading {
        run["weight"] = json!("Bolder");
    }
    if heading {
        run["size"] = json!("Medium");
    }
    if span.italic {
        run["italic"] = json!(true);
    }
    if span.code {
        run["fontType"] = json!("Monospace");
    }
    if small {
        run["size"] = json!("Small");
        run["isSubtle"] = json!(true);
    }
    if let Some(link) = span.link.as_deref().filter(|l| l.starts_with("https://") || l.starts_with("http://")) {
        run["selectAction"] = json!({ "type": "Action.OpenUrl", "url": link });
        run["color"] = json!("Accent");
    }
    run
}

fn code_blocks(code: &str) -> Vec<Value> {
    let run = |text: String| json!({ "type": "TextRun", "text": text, "fontType": "Monospace" });
    text::split(&text::clean(code), TEXT_CHARS / 2).into_iter().map(|t| json!({ "type": "RichTextBlock", "inlines": [run(t)] })).collect()
}

/// Text of a block that reads markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '<' | '>' | '#' | '`' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn table_elements(table: &TableBlock) -> Vec<Value> {
    let columns = table.columns.len().min(COLUMNS);
    if columns == 0 {
        return Vec::new();
    }
    let aligned = |i: usize| if table.columns[i].align == Align::Right { "Right" } else { "Left" };
    let cell = |cell: &TableCell, i: usize, head: bool| {
        let shown = text::shorten(text::clean(&cell.text).trim(), CELL_CHARS);
        let span = Span {
            text: if shown.is_empty() { " ".into() } else { shown },
            bold: head,
            link: cell.link.as_ref().map(ToString::to_string),
            ..Span::default()
        };
        json!({ "type": "TableCell", "items": [{ "type": "RichTextBlock", "horizontalAlignment": aligned(i), "inlines": [run(&span, false, false)] }] })
    };
    let row = |cells: Vec<Value>| json!({ "type": "TableRow", "cells": cells });
    let heads = (0..columns).map(|i| cell(&TableCell::plain(table.columns[i].title.clone()), i, true)).collect();
    let mut rows = vec![row(heads)];
    let mut chars = rows[0].to_string().chars().count();
    for wanted in &table.rows {
        let mut cells: Vec<Value> = wanted.iter().take(columns).enumerate().map(|(i, c)| cell(c, i, false)).collect();
        while cells.len() < columns {
            cells.push(cell(&TableCell::plain(""), cells.len(), false));
        }
        let next = row(cells);
        chars += next.to_string().chars().count();
        if chars > CARD_CHARS - 4_000 {
            break;
        }
        rows.push(next);
    }
    let shown = rows.len() - 1;
    let widths: Vec<Value> = (0..columns).map(|i| json!({ "width": if i == 0 { 2 } else { 1 } })).collect();
    let mut elements = vec![json!({ "type": "Table", "columns": widths, "firstRowAsHeader": true, "gridStyle": "default", "rows": rows })];
    if shown < table.total || columns < table.columns.len() {
        let columns = if columns < table.columns.len() { format!(", {columns} of {} columns", table.columns.len()) } else { String::new() };
        let words = Markdown::ours(&chat::escape(&format!("{shown} of {} rows shown{columns}", table.total)));
        elements.extend(note(&words));
    }
    elements
}

fn actions(buttons: &[Button]) -> Value {
    let action = |b: &Button| {
        let label = text::shorten(text::clean(&b.label).trim(), LABEL_CHARS);
        let label = if label.is_empty() { "…".to_owned() } else { label };
        let mut json = json!({ "type": "Action.Execute", "title": label, "verb": "press", "data": { "action": b.action } });
        match b.style {
            ButtonStyle::Primary => json["style"] = json!("positive"),
            ButtonStyle::Danger => json["style"] = json!("destructive"),
            ButtonStyle::Plain => {}
        }
        json
    };
    json!({ "type": "ActionSet", "actions": buttons.iter().map(action).collect::<Vec<_>>() })
}
