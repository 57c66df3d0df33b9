//! Messages as text for people at a terminal.

use chat::{Align, Block, Column, Markdown, Message, Node, TableBlock, TableCell, text};

/// The whole message; with escape codes only for a terminal.
pub(crate) fn text(message: &Message, terminal: bool) -> String {
    let mut parts = Vec::new();
    for block in &message.blocks {
        parts.push(match block {
            Block::Markdown(words) => markdown(words, terminal),
            Block::Note(words) if terminal => format!("\x1b[2m{}\x1b[0m", markdown(words, terminal)),
            Block::Note(words) => format!("  {}", markdown(words, terminal)),
            Block::Table(table) => table_text(table, terminal),
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
pub(crate) fn speech(text: &str, terminal: bool) -> String {
    let bar = if terminal { "\x1b[36m│\x1b[0m " } else { "bot> " };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|l| format!("\n{}{l}", if terminal { bar } else { "     " })).collect();
    format!("{bar}{first}{rest}")
}

fn markdown(words: &Markdown, terminal: bool) -> String {
    let mut out: Vec<String> = Vec::new();
    for node in &words.nodes {
        let mut line = match node {
            Node::Item { depth, number: Some(n), .. } => format!("{}{n}. ", "  ".repeat(*depth)),
            Node::Item { depth, .. } => format!("{}• ", "  ".repeat(*depth)),
            Node::Code(code) => code.trim_end().to_owned(),
            Node::Paragraph(_) | Node::Heading(_) => String::new(),
        };
        for span in node.spans() {
            let bold = terminal && (span.bold || matches!(node, Node::Heading(_)));
            let shown = if bold { format!("\x1b[1m{}\x1b[0m", span.text) } else { span.text.clone() };
            line.push_str(&match &span.link {
                Some(link) if terminal => hyperlink(link, &shown),
                Some(link) if *link != span.text => format!("{shown} ({link})"),
                _ => shown,
            });
        }
        out.push(line);
    }
    out.join("\n")
}

/// A link that terminals understand (OSC 8).
fn hyperlink(link: &str, shown: &str) -> String {
    let safe: String = link.chars().filter(|c| !c.is_control()).collect();
    format!("\x1b]8;;{safe}\x1b\\{shown}\x1b]8;;\x1b\\")
}

/// Links become clickable cells on a terminal, a column of their own otherwise.
fn table_text(table: &TableBlock, terminal: bool) -> String {
    let linked = table.rows.iter().flatten().any(|c| c.link.is_some());
    if !linked {
        return text::aligned_table(table, 40);
    }
    if terminal {
        let plain = text::aligned_table(table, 40);
        let lines = plain.lines().enumerate().map(|(i, line)| {
            let cell = i.checked_sub(2).and_then(|r| table.rows.get(r)).and_then(|r| r.first());
            match cell.and_then(|c| c.link.as_ref().zip(Some(&c.text))) {
                Some((link, shown)) if line.starts_with(shown.as_str()) && !shown.is_empty() => {
                    format!("{}{}", hyperlink(link.as_str(), shown), &line[shown.len()..])
                }
                _ => line.to_owned(),
            }
        });
        return lines.collect::<Vec<_>>().join("\n");
    }
    let mut with_links = table.clone();
    with_links.columns.push(Column { title: "Link".into(), align: Align::Left });
    for row in &mut with_links.rows {
        let link = row.iter().find_map(|c| c.link.clone()).map(String::from).unwrap_or_default();
        row.push(TableCell::plain(link));
    }
    text::aligned_table(&with_links, 100)
}
