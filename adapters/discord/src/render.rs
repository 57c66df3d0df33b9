//! Messages in Discord's markdown, within its limits; escaped by construction, never a mention. Discord has no tables: they
//! are aligned text in a block of code.

use chat::{Block, Button, ButtonStyle, Message, Node, Span, text};
use serde_json::{Value, json};

/// One message of Discord.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The words.
    pub content: String,
    /// Rows of buttons.
    pub components: Vec<Value>,
    /// A picture.
    pub embeds: Vec<Value>,
}

/// Of 2,000.
const CHARS: usize = 1_950;
const LINE_CHARS: usize = 900;
const CELL_CHARS: usize = 24;
const ROWS: usize = 5;
const BUTTONS_IN_ROW: usize = 5;
const LABEL_CHARS: usize = 76;
const ACTION_CHARS: usize = 100;

/// The message as one or more messages of Discord; buttons stand under the first, which is the one that is edited.
pub fn render(message: &Message) -> Vec<Part> {
    let mut parts = vec![Part { components: components(message), embeds: pictures(message), ..Part::default() }];
    for line in message.blocks.iter().flat_map(lines) {
        let size = line.chars().count() + 1;
        if parts.last().is_some_and(|p| !p.content.is_empty() && p.content.chars().count() + size > CHARS) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            if !part.content.is_empty() {
                part.content.push('\n');
            }
            part.content.push_str(&line);
        }
    }
    for part in &mut parts {
        if part.content.trim().is_empty() {
            part.content = "…".into();
        }
    }
    parts
}

/// The message as words without markup or buttons, for when Discord refuses them.
pub fn plain(message: &Message) -> Vec<Part> {
    let pieces = text::split(message.plain().trim(), CHARS / 2);
    let pieces = if pieces.is_empty() { vec!["…".to_owned()] } else { pieces };
    pieces.iter().map(|piece| Part { content: escape(piece), ..Part::default() }).collect()
}

fn pictures(message: &Message) -> Vec<Value> {
    let picture = |b: &Block| match b {
        Block::Image { url, alt } => Some(json!({ "image": { "url": url }, "description": text::shorten(&text::clean(alt), 400) })),
        _ => None,
    };
    message.blocks.iter().filter_map(picture).take(10).collect()
}

fn components(message: &Message) -> Vec<Value> {
    let buttons: Vec<Value> =
        message.buttons().filter(|b| b.action.chars().count() <= ACTION_CHARS).take(ROWS * BUTTONS_IN_ROW).map(button).collect();
    buttons.chunks(BUTTONS_IN_ROW).map(|row| json!({ "type": 1, "components": row })).collect()
}

fn button(button: &Button) -> Value {
    let label = text::shorten(text::clean(&button.label).trim(), LABEL_CHARS);
    let label = if label.is_empty() { "…".to_owned() } else { label };
    let style = match button.style {
        ButtonStyle::Primary => 1,
        ButtonStyle::Plain => 2,
        ButtonStyle::Danger => 4,
    };
    json!({ "type": 2, "style": style, "label": label, "custom_id": button.action })
}

fn lines(block: &Block) -> Vec<String> {
    match block {
        Block::Markdown(words) => words.nodes.iter().flat_map(|n| node(n, "")).collect(),
        Block::Note(words) => words.nodes.iter().flat_map(|n| node(n, "-# ")).collect(),
        Block::Table(table) => code(&text::aligned_table(table, CELL_CHARS)),
        Block::Progress(progress) => vec![escape(&text::shorten(&text::clean(&progress.bar(15)), LINE_CHARS / 2))],
        Block::Image { .. } | Block::Buttons(_) => Vec::new(),
    }
}

/// A paragraph-like part, in as many lines as its length needs.
fn node(node: &Node, lead: &str) -> Vec<String> {
    let lead = match node {
        Node::Code(block) => return code(block.trim_end()),
        Node::Item { depth, number, .. } => {
            format!("{lead}{}{}", "  ".repeat(*depth), number.map_or("• ".to_owned(), |n| format!("{n}\\. ")))
        }
        Node::Paragraph(_) | Node::Heading(_) => lead.to_owned(),
    };
    let heading = matches!(node, Node::Heading(_));
    let mut lines = vec![lead.clone()];
    for of in node.spans() {
        for piece in text::cut(&of.text, LINE_CHARS / 2) {
            let piece = span(&Span { text: piece.to_owned(), ..of.clone() }, heading);
            if lines.last().is_some_and(|l| l.chars().count() + piece.chars().count() > CHARS - 50 && l.len() > lead.len()) {
                lines.push(lead.clone());
            }
            if let Some(line) = lines.last_mut() {
                // Small print ends with its line.
                line.push_str(&if lead.starts_with("-#") { piece.replace('\n', " ") } else { piece });
            }
        }
    }
    lines
}

fn span(span: &Span, heading: bool) -> String {
    if span.text.trim().is_empty() {
        return span.text.clone();
    }
    let (core, lead) = (span.text.trim(), &span.text[..span.text.len() - span.text.trim_start().len()]);
    let trail = &span.text[span.text.trim_end().len()..];
    let mut marked = if span.code { format!("`{}`", core.replace('`', "'")) } else { escape(core) };
    if span.italic {
        marked = format!("*{marked}*");
    }
    if span.bold || heading {
        marked = format!("**{marked}**");
    }
    if let Some(link) = span.link.as_deref().filter(|l| l.starts_with("https://") || l.starts_with("http://")) {
        let link = link.replace(['(', '<'], "%28").replace([')', '>'], "%29").replace(char::is_whitespace, "%20");
        marked = if link.chars().count() < LINE_CHARS { format!("[{}](<{link}>)", marked.replace('\n', " ")) } else { marked };
    }
    format!("{lead}{marked}{trail}")
}

/// Everything that Discord might read as markup or as a mention.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '-' | '[' | ']' | '(' | ')' | '@' | ':') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Blocks of code, each whole.
fn code(code: &str) -> Vec<String> {
    let code = text::clean(code).replace("```", "'''");
    text::split(&code, CHARS - 20).into_iter().map(|piece| format!("```\n{piece}\n```")).collect()
}
