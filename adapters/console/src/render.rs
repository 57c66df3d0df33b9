//! Messages as text for people at a terminal.

use chat::{Block, Markdown, Message, Node, Span, TableBlock, text};
use terminal_size::{Width, terminal_size};

/// Columns of an output that does not tell how many it has.
const COLUMNS: usize = 120;
/// The widest and the narrowest cell of a table.
const CELL: std::ops::RangeInclusive<usize> = 8..=40;
/// An address in small print that is longer is left out: nobody can type it, and `view` writes it out.
const LONGEST_ADDRESS: usize = 100;

/// What the output can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Somebody sees it as it comes; else it goes into a file or a pipe.
    pub terminal: bool,
    pub colours: bool,
    /// Addresses can be hidden behind words (OSC 8).
    pub links: bool,
}

impl Look {
    /// How many columns there are.
    pub(crate) fn width(self) -> usize {
        let size = if self.terminal { terminal_size() } else { None };
        size.map_or(COLUMNS, |(Width(columns), _)| usize::from(columns).max(20))
    }

    fn styled(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole message.
pub(crate) fn text(message: &Message, look: Look) -> String {
    let mut parts = Vec::new();
    // What the bot says is set off by a bar.
    let width = look.width() - 6;
    for block in &message.blocks {
        parts.push(match block {
            Block::Markdown(words) => wrapped(&markdown(words, look, false), look, width),
            Block::Note(words) => {
                let note = wrapped(&markdown(words, look, true), look, width - 2);
                let lines = note.lines().map(|l| if look.terminal { look.styled("2", l) } else { format!("  {l}") });
                lines.collect::<Vec<_>>().join("\n")
            }
            Block::Table(table) => table_text(table, look, width),
            Block::Progress(progress) => progress.bar(20),
            Block::Buttons(buttons) => {
                let numbered = buttons.iter().enumerate().map(|(i, b)| format!("[{}] {}", i + 1, b.label));
                format!("{}   (type the number or the words)", numbered.collect::<Vec<_>>().join("   "))
            }
            Block::Image { url, alt } => format!("{alt}: {url}"),
        });
    }
    parts.retain(|p| !p.trim().is_empty());
    parts.join("\n")
}

/// What the bot says, set off from what was typed.
pub(crate) fn speech(text: &str, look: Look) -> String {
    let bar = if look.terminal { format!("{} ", look.styled("36", "│")) } else { "bot> ".into() };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|l| format!("\n{}{l}", if look.terminal { &bar } else { "     " })).collect();
    format!("{bar}{first}{rest}")
}

/// Breaks lines between words where somebody reads them; what is piped stays whole.
fn wrapped(text: &str, look: Look, width: usize) -> String {
    if !look.terminal {
        return text.to_owned();
    }
    // An address stays in one piece, so that it can be opened.
    let options = textwrap::Options::new(width).break_words(false).word_splitter(textwrap::WordSplitter::NoHyphenation);
    text.lines().map(|line| textwrap::fill(line, &options)).collect::<Vec<_>>().join("\n")
}

fn markdown(words: &Markdown, look: Look, small: bool) -> String {
    let mut out: Vec<String> = Vec::new();
    for node in &words.nodes {
        let mut line = match node {
            Node::Item { depth, number: Some(n), .. } => format!("{}{n}. ", "  ".repeat(*depth)),
            Node::Item { depth, .. } => format!("{}• ", "  ".repeat(*depth)),
            Node::Code(code) => code.trim_end().to_owned(),
            Node::Paragraph(_) | Node::Heading(_) => String::new(),
        };
        for span in node.spans() {
            if small && !look.links && span.link.as_ref().is_some_and(|l| l.as_str().len() > LONGEST_ADDRESS) {
                line.truncate(line.trim_end_matches([' ', '·']).len());
                continue;
            }
            line.push_str(&shown(span, look, matches!(node, Node::Heading(_)), small));
        }
        out.push(line);
    }
    out.join("\n")
}

fn shown(span: &Span, look: Look, heading: bool, small: bool) -> String {
    let bold = span.bold || (heading && !small);
    let words = if bold { look.styled("1", &span.text) } else { span.text.clone() };
    match &span.link {
        Some(link) if look.links => hyperlink(link, &words),
        Some(link) if *link != span.text && !small => format!("{words} ({link})"),
        _ => words,
    }
}

/// A link that terminals understand (OSC 8).
fn hyperlink(link: &str, shown: &str) -> String {
    let safe: String = link.chars().filter(|c| !c.is_control()).collect();
    format!("\x1b]8;;{safe}\x1b\\{shown}\x1b]8;;\x1b\\")
}

/// A table that fits: cells are shortened, and at last columns left out, which is said. Links are cells where they can be.
fn table_text(table: &TableBlock, look: Look, width: usize) -> String {
    let wide = |text: &str| text.lines().map(textwrap::core::display_width).max().unwrap_or(0);
    let mut kept = table.clone();
    let plain = loop {
        let fitting = CELL.rev().map(|cell| text::aligned_table(&kept, cell)).find(|t| wide(t) <= width);
        match fitting {
            Some(fitting) => break fitting,
            None if kept.columns.len() > 1 => {
                kept.columns.pop();
            }
            None => break text::aligned_table(&kept, *CELL.start()),
        }
    };
    let mut lines: Vec<String> = plain.lines().map(str::to_owned).collect();
    if look.links {
        for (line, row) in lines.iter_mut().skip(2).zip(&table.rows) {
            let cell = row.first().and_then(|c| c.link.as_ref().map(|link| (link, c.text.as_str())));
            if let Some((link, words)) = cell.filter(|(_, words)| !words.is_empty() && line.starts_with(words)) {
                *line = format!("{}{}", hyperlink(link.as_str(), words), &line[words.len()..]);
            }
        }
    }
    let left_out: Vec<&str> = table.columns.iter().skip(kept.columns.len()).map(|c| c.title.as_str()).collect();
    if !left_out.is_empty() {
        lines.push(format!("(too wide for this terminal: {})", left_out.join(", ")));
    }
    lines.join("\n")
}
