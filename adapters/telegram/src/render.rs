//! Messages as Telegram's HTML, within its limits, which count UTF-16 units after the markup is read; escaped by
//! construction, never a mention. Tables are rich messages where the service knows them, else monospaced text.

use chat::{Align, Block, Button, Markdown, Message, Node, Span, TableBlock, TableCell, text};
use teloxide::types::{InlineKeyboardButton, InlineKeyboardMarkup};
use url::Url;

/// One message of Telegram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// The words, as HTML.
    pub html: String,
    /// Buttons under it.
    pub keyboard: Option<InlineKeyboardMarkup>,
    /// The picture that is shown with it.
    pub picture: Option<Url>,
}

/// Of 4,096 that Telegram takes.
const UNITS: usize = 4_000;
/// Of the 100 entities that count.
const MARKS: usize = 90;
/// Addresses of links take part of what Telegram keeps of a message, about 9.5 KB (tdlib/telegram-bot-api 165).
const LINK_BYTES: usize = 8_000;
/// A line that is longer is cut.
const LINE_UNITS: usize = 1_500;
const CELL_CHARS: usize = 28;
const RICH_CELL_CHARS: usize = 250;
/// Of 32,768 characters and 500 blocks of a rich message.
const RICH_CHARS: usize = 30_000;
const RICH_BLOCKS: usize = 450;
const RICH_COLUMNS: usize = 20;
const BUTTONS: usize = 100;
const BUTTONS_IN_ROW: usize = 4;
/// Labels side by side that can be read on a phone.
const ROW_CHARS: usize = 32;
const LABEL_CHARS: usize = 60;
const ACTION_BYTES: usize = 64;

/// A line of text: its markup, and what counts of it.
struct Line {
    html: String,
    units: usize,
    marks: usize,
    /// Bytes of addresses.
    links: usize,
    /// It goes on where the line before was cut.
    goes_on: bool,
}

/// The message as one or more messages; buttons stand under the first, which is the one that is edited.
pub fn render(message: &Message) -> Vec<Part> {
    let lines = message.blocks.iter().flat_map(lines_of);
    let mut parts = vec![Part { keyboard: keyboard(message), picture: picture(message), ..Part::default() }];
    let (mut units, mut marks, mut links) = (0, 0, 0);
    for line in lines {
        if units + line.units + 1 > UNITS || marks + line.marks > MARKS || links + line.links > LINK_BYTES {
            parts.push(Part::default());
            (units, marks, links) = (0, 0, 0);
        }
        let Some(part) = parts.last_mut() else { continue };
        if !part.html.is_empty() && !line.goes_on {
            part.html.push('\n');
        }
        part.html.push_str(&line.html);
        units += line.units + 1;
        marks += line.marks;
        links += line.links;
    }
    parts.retain(|p| !p.html.trim().is_empty());
    if parts.is_empty() {
        parts.push(Part { html: "…".into(), keyboard: keyboard(message), picture: None });
    }
    parts
}

/// The message as plain text, for when Telegram refuses the markup.
pub fn plain(message: &Message) -> Vec<Part> {
    let words = unmentioned(message.plain().trim());
    let chars = if units(&words) == words.chars().count() { UNITS } else { UNITS / 2 };
    let mut pieces = text::split(&words, chars);
    if pieces.is_empty() {
        pieces.push("…".into());
    }
    let mut keyboard = keyboard(message);
    pieces.into_iter().map(|html| Part { html, keyboard: keyboard.take(), picture: None }).collect()
}

/// The whole message as HTML of a rich message, if it has a table.
pub fn rich(message: &Message) -> Option<String> {
    message.blocks.iter().any(|b| matches!(b, Block::Table(t) if !t.columns.is_empty())).then_some(())?;
    let mut out = String::new();
    let mut blocks = 0;
    for block in &message.blocks {
        match block {
            Block::Markdown(words) => rich_words(words, &mut out, &mut blocks),
            Block::Note(words) => {
                let line: String = words.nodes.iter().flat_map(Node::spans).map(|s| span(s, false, escape)).collect();
                out.push_str(&format!("<p><i>{line}</i></p>"));
            }
            Block::Table(table) => rich_table(table, &mut out, &mut blocks),
            Block::Progress(progress) => out.push_str(&format!("<p>{}</p>", escape(&text::clean(&progress.bar(15))))),
            Block::Image { url, alt } => out.push_str(&format!("<p><a href=\"{}\">{}</a></p>", attribute(url.as_str()), escape(alt))),
            Block::Buttons(_) => continue,
        }
        blocks += 1;
    }
    (blocks <= RICH_BLOCKS && out.chars().count() <= RICH_CHARS).then_some(out)
}

/// The buttons of a message, in rows that fit on a phone.
pub(crate) fn keyboard(message: &Message) -> Option<InlineKeyboardMarkup> {
    let mut rows: Vec<Vec<InlineKeyboardButton>> = Vec::new();
    let mut width = usize::MAX;
    for Button { label, action, .. } in message.buttons().filter(|b| b.action.len() <= ACTION_BYTES).take(BUTTONS) {
        let label = text::shorten(text::clean(label).trim(), LABEL_CHARS);
        let label = if label.is_empty() { "…".to_owned() } else { label };
        let chars = label.chars().count() + 2;
        let button = InlineKeyboardButton::callback(label, action.clone());
        match rows.last_mut() {
            Some(row) if row.len() < BUTTONS_IN_ROW && width.saturating_add(chars) <= ROW_CHARS => {
                row.push(button);
                width += chars;
            }
            _ => {
                rows.push(vec![button]);
                width = chars;
            }
        }
    }
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

fn picture(message: &Message) -> Option<Url> {
    message.blocks.iter().find_map(|b| if let Block::Image { url, .. } = b { Some(url.clone()) } else { None })
}

fn lines_of(block: &Block) -> Vec<Line> {
    match block {
        Block::Markdown(words) => words.nodes.iter().flat_map(|n| node_lines(n, false)).collect(),
        Block::Note(words) => words.nodes.iter().flat_map(|n| node_lines(n, true)).collect(),
        Block::Table(table) => code_lines(&text::aligned_table(table, CELL_CHARS)),
        Block::Progress(progress) => node_lines(&Node::Paragraph(vec![words(progress.bar(15))]), false),
        Block::Image { url, alt } => {
            let alt = if alt.trim().is_empty() { "picture" } else { alt.as_str() };
            node_lines(&Node::Paragraph(vec![Span { link: Some(url.to_string()), ..words(alt.into()) }]), false)
        }
        Block::Buttons(_) => Vec::new(),
    }
}

fn words(text: String) -> Span {
    Span { text, ..Span::default() }
}

fn node_lines(node: &Node, small: bool) -> Vec<Line> {
    let lead = match node {
        Node::Code(code) => return code_lines(code.trim_end()),
        Node::Item { depth, number, .. } => {
            format!("{}{}", "   ".repeat(*depth), number.map_or("• ".to_owned(), |n| format!("{n}. ")))
        }
        Node::Paragraph(_) | Node::Heading(_) => String::new(),
    };
    let heading = matches!(node, Node::Heading(_));
    let mut lines = vec![Line { html: escape(&lead), units: units(&lead), marks: 0, links: 0, goes_on: false }];
    for of in node.spans() {
        for piece in cut(&of.text) {
            let piece = Span { text: piece.to_owned(), italic: of.italic || small, ..of.clone() };
            let size = units(&piece.text) + 1;
            let link = piece.link.as_ref().map_or(0, String::len);
            if lines.last().is_some_and(|l| (l.units + size > LINE_UNITS || l.links + link > LINK_BYTES) && l.units > 0) {
                lines.push(Line { html: String::new(), units: 0, marks: 0, links: 0, goes_on: true });
            }
            if let Some(line) = lines.last_mut() {
                line.html.push_str(&span(&piece, heading, |t| escape(&unmentioned(t))));
                // Each '@' may have got a character that keeps it from calling somebody.
                line.units += size + piece.text.matches('@').count();
                // Only what is marked up is an entity.
                line.marks += [piece.bold || heading, piece.italic, piece.code, piece.link.is_some()].into_iter().filter(|m| *m).count();
                line.links += link;
            }
        }
    }
    lines
}

/// Pieces of a long run of text.
fn cut(text: &str) -> Vec<&str> {
    if units(text) < LINE_UNITS { vec![text] } else { text::cut(text, LINE_UNITS / 3) }
}

fn code_lines(code: &str) -> Vec<Line> {
    let code = text::clean(code);
    text::split(&code, LINE_UNITS / 2 * 2 - 100)
        .into_iter()
        .map(|piece| Line { html: format!("<pre>{}</pre>", escape(&piece)), units: units(&piece), marks: 1, links: 0, goes_on: false })
        .collect()
}

fn span(span: &Span, heading: bool, escape: impl Fn(&str) -> String) -> String {
    if span.text.trim().is_empty() {
        return escape(&span.text);
    }
    let mut html = escape(&span.text);
    if span.code {
        html = format!("<code>{html}</code>");
    }
    if span.bold || heading {
        html = format!("<b>{html}</b>");
    }
    if span.italic {
        html = format!("<i>{html}</i>");
    }
    match &span.link {
        Some(link) => format!("<a href=\"{}\">{html}</a>", attribute(link)),
        None => html,
    }
}

/// How Telegram counts.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;")
}

/// A name behind an '@' would call that person; a word joiner between them keeps it text. Addresses stay as they are.
fn unmentioned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        out.push(c);
        if c == '@' && !before.is_alphanumeric() {
            out.push('\u{2060}');
        }
        before = c;
    }
    out
}

fn rich_words(words: &Markdown, out: &mut String, blocks: &mut usize) {
    let mut list = false;
    for node in &words.nodes {
        let item = matches!(node, Node::Item { .. });
        if item != list {
            out.push_str(if item { "<ul>" } else { "</ul>" });
            list = item;
        }
        let line: String = node.spans().iter().map(|s| span(s, false, escape)).collect();
        out.push_str(&match node {
            Node::Paragraph(_) => format!("<p>{line}</p>"),
            Node::Heading(_) => format!("<h4>{line}</h4>"),
            Node::Item { number, .. } => format!("<li>{}{line}</li>", number.map_or(String::new(), |n| format!("{n}. "))),
            Node::Code(code) => format!("<pre>{}</pre>", escape(code.trim_end())),
        });
        *blocks += 1;
    }
    if list {
        out.push_str("</ul>");
    }
}

fn rich_table(table: &TableBlock, out: &mut String, blocks: &mut usize) {
    let columns = table.columns.len().min(RICH_COLUMNS);
    let side = |i: usize| if table.columns[i].align == Align::Right { " align=\"right\"" } else { "" };
    let cell = |c: &TableCell| {
        let shown = escape(text::shorten(text::clean(&c.text).trim(), RICH_CELL_CHARS).as_str());
        c.link.as_ref().map_or(shown.clone(), |url| format!("<a href=\"{}\">{shown}</a>", attribute(url.as_str())))
    };
    out.push_str("<table bordered striped><tr>");
    for (i, column) in table.columns[..columns].iter().enumerate() {
        out.push_str(&format!("<th{}>{}</th>", side(i), escape(&text::shorten(text::clean(&column.title).trim(), RICH_CELL_CHARS))));
    }
    out.push_str("</tr>");
    let mut shown = 0;
    let mut chars = out.chars().count();
    for row in &table.rows {
        let cells: String = row.iter().take(columns).enumerate().map(|(i, c)| format!("<td{}>{}</td>", side(i), cell(c))).collect();
        chars += cells.chars().count() + 9;
        if chars > RICH_CHARS - 2_000 || *blocks + 2 > RICH_BLOCKS - 50 {
            break;
        }
        out.push_str(&format!("<tr>{cells}</tr>"));
        shown += 1;
        *blocks += 1;
    }
    out.push_str("</table>");
    if shown < table.total || columns < table.columns.len() {
        let columns = if columns < table.columns.len() { format!(", {columns} of {} columns", table.columns.len()) } else { String::new() };
        out.push_str(&format!("<p><i>{shown} of {} rows shown{columns}</i></p>", table.total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what has marks counts as marked: plain lines do not make a message several.
    #[test]
    fn sixty_plain_lines_are_one_message() {
        let lines: Vec<String> = (1..=60).map(|n| format!("{n}. task number {n} is due")).collect();
        assert_eq!(render(&Message::text(&lines.join("\n"))).len(), 1);
        let bold: Vec<String> = (1..=60).map(|n| format!("- **task {n}** is due")).collect();
        assert_eq!(render(&Message::text(&bold.join("\n"))).len(), 1);
    }
}
