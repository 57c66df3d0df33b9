//! Messages as Block Kit, within Slack's limits; escaped by construction, never a mention, never an unfurl.

use chat::{Block, Button, ButtonStyle, Markdown, Message, Node, Span, TableBlock, TableCell, text};
use serde_json::{Value, json};

/// One message of Slack: blocks, and the words for notifications and old clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Block Kit blocks; empty for plain text.
    pub blocks: Vec<Value>,
    /// The words.
    pub text: String,
}

const BLOCKS_PER_MESSAGE: usize = 50;
const SECTION_CHARS: usize = 3_000;
const CONTEXT_CHARS: usize = 2_000;
const TEXT_CHARS: usize = 3_900;
const TABLE_ROWS: usize = 100;
const TABLE_COLUMNS: usize = 20;
/// All cells of a table together; Slack allows 10,000.
const TABLE_CHARS: usize = 9_000;
const CELL_CHARS: usize = 250;
const BUTTONS_PER_BLOCK: usize = 25;
const LABEL_CHARS: usize = 75;
const ALT_CHARS: usize = 2_000;

/// The message as one or more messages of Slack.
pub fn render(message: &Message) -> Vec<Part> {
    let mut blocks: Vec<Value> = Vec::new();
    let mut has_table = false;
    let mut pressable = 0;
    for block in &message.blocks {
        match block {
            Block::Markdown(words) => blocks.extend(sections(words)),
            Block::Note(words) => blocks.extend(
                text::split(&mrkdwn(words), CONTEXT_CHARS).into_iter().map(|t| json!({ "type": "context", "elements": [markup(&t)] })),
            ),
            Block::Table(table) if !table.columns.is_empty() && !std::mem::replace(&mut has_table, true) => {
                blocks.extend(table_blocks(table));
            }
            // Slack takes one table a message; a second one is shown as aligned text.
            Block::Table(table) => blocks.extend(code_sections(&text::aligned_table(table, 40))),
            Block::Progress(progress) => blocks.push(section(&escape(&text::shorten(&progress.bar(20), 400)))),
            Block::Buttons(buttons) => {
                for chunk in buttons.chunks(BUTTONS_PER_BLOCK) {
                    blocks.push(actions(pressable, chunk));
                    pressable += chunk.len();
                }
            }
            Block::Image { url, alt } => {
                blocks.push(json!({ "type": "image", "image_url": url, "alt_text": text::shorten(alt, ALT_CHARS) }));
            }
        }
    }
    let summary = text_pieces(message).swap_remove(0);
    if blocks.is_empty() {
        return vec![Part { blocks, text: summary }];
    }
    blocks.chunks(BLOCKS_PER_MESSAGE).map(|b| Part { blocks: b.to_vec(), text: summary.clone() }).collect()
}

/// The message as plain text, for when Slack refuses the blocks.
pub fn text_only(message: &Message) -> Vec<Part> {
    text_pieces(message).into_iter().map(|text| Part { blocks: Vec::new(), text }).collect()
}

/// The words alone; at least one piece.
fn text_pieces(message: &Message) -> Vec<String> {
    let pieces = escaped_pieces(message.plain().trim(), TEXT_CHARS);
    if pieces.is_empty() { vec!["…".to_owned()] } else { pieces }
}

/// Pieces that are short enough after escaping; none is cut inside an escape.
fn escaped_pieces(plain: &str, chars: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    for piece in text::split(plain, chars) {
        let escaped = escape(&piece);
        if escaped.chars().count() <= TEXT_CHARS {
            pieces.push(escaped);
        } else {
            pieces.extend(escaped_pieces(&piece, chars / 2));
        }
    }
    pieces
}

fn markup(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": markup(text) })
}

fn sections(words: &Markdown) -> Vec<Value> {
    text::split(&mrkdwn(words), SECTION_CHARS).iter().filter(|t| !t.trim().is_empty()).map(|t| section(t)).collect()
}

fn code_sections(code: &str) -> Vec<Value> {
    let fenced = |piece: String| section(&format!("```{}```", piece.replace("```", "'''")));
    text::split(&escape(code), SECTION_CHARS - 10).into_iter().map(fenced).collect()
}

/// Running text in Slack's own markup.
fn mrkdwn(words: &Markdown) -> String {
    let mut lines = Vec::new();
    for node in &words.nodes {
        let spans: String = node.spans().iter().map(|s| span(s, matches!(node, Node::Heading(_)))).collect();
        lines.push(match node {
            Node::Paragraph(_) | Node::Heading(_) => spans,
            Node::Item { depth, number: Some(n), .. } => format!("{}{n}. {spans}", "    ".repeat(*depth)),
            Node::Item { depth, .. } => format!("{}• {spans}", "    ".repeat(*depth)),
            Node::Code(code) => format!("```{}```", escape(code.trim_end()).replace("```", "'''")),
        });
    }
    lines.join("\n")
}

fn span(span: &Span, heading: bool) -> String {
    let text = escape(&span.text);
    if span.text.trim().is_empty() {
        return text;
    }
    let (core, lead) = (text.trim(), &text[..text.len() - text.trim_start().len()]);
    let trail = &text[text.trim_end().len()..];
    let mut core = core.to_owned();
    if span.code {
        core = format!("`{}`", core.replace('`', "'"));
    }
    if let Some(link) = &span.link {
        core = format!("<{}|{}>", link.replace('|', "%7C").replace('>', "%3E").replace('<', "%3C"), core.replace('\n', " "));
    }
    if (span.bold || heading) && !core.contains('\n') {
        core = format!("*{core}*");
    }
    if span.italic && !core.contains('\n') {
        core = format!("_{core}_");
    }
    format!("{lead}{core}{trail}")
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn table_blocks(table: &TableBlock) -> Vec<Value> {
    let columns = table.columns.len().min(TABLE_COLUMNS);
    let heads: Vec<Value> = table.columns[..columns].iter().map(|c| cell(&TableCell::plain(c.title.clone()))).collect();
    let mut chars: usize = table.columns[..columns].iter().map(|c| c.title.chars().count().clamp(1, CELL_CHARS)).sum();
    let mut rows = vec![Value::Array(heads)];
    for row in table.rows.iter().take(TABLE_ROWS - 1) {
        chars += row[..columns.min(row.len())].iter().map(|c| c.text.chars().count().clamp(1, CELL_CHARS)).sum::<usize>();
        if chars > TABLE_CHARS {
            break;
        }
        let mut cells: Vec<Value> = row.iter().take(columns).map(cell).collect();
        cells.resize_with(columns, || cell(&TableCell::plain("")));
        rows.push(Value::Array(cells));
    }
    let settings: Vec<Value> = table.columns[..columns]
        .iter()
        .map(|c| match c.align {
            chat::Align::Left => json!({ "is_wrapped": true }),
            chat::Align::Right => json!({ "align": "right" }),
        })
        .collect();
    let shown = rows.len() - 1;
    let mut blocks = vec![json!({ "type": "table", "rows": rows, "column_settings": settings })];
    if shown < table.total || columns < table.columns.len() {
        let columns = if columns < table.columns.len() { format!(", {columns} of {} columns", table.columns.len()) } else { String::new() };
        blocks.push(json!({ "type": "context", "elements": [markup(&format!("{shown} of {} rows shown{columns}", table.total))] }));
    }
    blocks
}

/// Slack refuses empty cells, so they carry a dash.
fn cell(cell: &TableCell) -> Value {
    let shown = text::shorten(text::clean(&cell.text).trim(), CELL_CHARS);
    let shown = if shown.is_empty() { "–".to_owned() } else { shown };
    match &cell.link {
        Some(url) => {
            json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "link", "url": url, "text": shown }] }] })
        }
        // Not read as markup; a word joiner sees to it that it looks like none, either.
        None => json!({ "type": "raw_text", "text": shown.replace('<', "<\u{2060}") }),
    }
}

fn actions(first: usize, buttons: &[Button]) -> Value {
    let element = |(n, b): (usize, &Button)| {
        let label = text::shorten(text::clean(&b.label).trim(), LABEL_CHARS);
        let label = if label.is_empty() { "…".to_owned() } else { label };
        let mut json = json!({ "type": "button", "action_id": format!("button{}", first + n), "value": text::shorten(&b.action, 2_000),
            "text": { "type": "plain_text", "text": label, "emoji": true } });
        match b.style {
            ButtonStyle::Primary => json["style"] = json!("primary"),
            ButtonStyle::Danger => json["style"] = json!("danger"),
            ButtonStyle::Plain => {}
        }
        json
    };
    json!({ "type": "actions", "elements": buttons.iter().enumerate().map(element).collect::<Vec<_>>() })
}
