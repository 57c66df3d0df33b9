//! Running text: Markdown parsed once into nodes, so that each platform escapes by construction and
//! no image, foreign link or raw HTML of a model or a cell ever leaves.

use crate::text::clean;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Parsed running text.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Markdown {
    /// Paragraphs, list items, code … in reading order.
    pub nodes: Vec<Node>,
}

/// One paragraph-like part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A heading of any level.
    Heading(Vec<Span>),
    /// A list item.
    Item {
        /// 0 for the outermost list.
        depth: usize,
        /// Its number in a numbered list.
        number: Option<u64>,
        /// Its words.
        spans: Vec<Span>,
    },
    /// A block of code.
    Code(String),
}

/// A run of text with one style.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Span {
    /// The words, free of hidden characters.
    pub text: String,
    /// Strong.
    pub bold: bool,
    /// Emphasised.
    pub italic: bool,
    /// Monospaced.
    pub code: bool,
    /// Where it leads; only what the policy lets through.
    pub link: Option<String>,
}

/// Which links may stay in text that we did not write.
#[derive(Clone, Debug, Default)]
pub struct LinkPolicy {
    /// Links that stand in the sheet itself, letter by letter.
    pub exact: HashSet<String>,
    /// Hosts of ours (`https` or `http` URLs on exactly these hosts stay).
    pub hosts: HashSet<String>,
}

impl LinkPolicy {
    fn allows(&self, link: &str) -> bool {
        let Ok(url) = url::Url::parse(link) else { return false };
        let web = matches!(url.scheme(), "http" | "https");
        let known_host = url.host_str().is_some_and(|h| self.hosts.contains(h));
        web && url.username().is_empty() && (known_host || self.exact.contains(link))
    }
}

/// Escapes a value (a cell, a name) for use inside [`Markdown::ours`].
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in clean(value).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            c if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

impl Markdown {
    /// Words of ours: every link stays.
    pub fn ours(source: &str) -> Self {
        parse(source, &|_| true)
    }

    /// Words of a model: only links that the policy knows stay, also bare ones.
    pub fn untrusted(source: &str, policy: &LinkPolicy) -> Self {
        let mut parsed = parse(source, &|link| policy.allows(link));
        for span in parsed.nodes.iter_mut().flat_map(Node::spans_mut) {
            if span.link.is_none() && !span.code {
                span.text = without_foreign_links(&span.text, policy);
            }
        }
        parsed
    }

    /// The words without any markup; links are written behind their text.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        for (i, node) in self.nodes.iter().enumerate() {
            if i > 0 {
                out.push('\n');
            }
            match node {
                Node::Item { depth, number, .. } => {
                    out.push_str(&"  ".repeat(*depth));
                    match number {
                        Some(n) => out.push_str(&format!("{n}. ")),
                        None => out.push_str("• "),
                    }
                }
                Node::Code(code) => out.push_str(code.trim_end()),
                Node::Paragraph(_) | Node::Heading(_) => {}
            }
            for span in node.spans() {
                out.push_str(&span.text);
                if let Some(link) = span.link.as_ref().filter(|l| **l != span.text) {
                    out.push_str(&format!(" ({link})"));
                }
            }
        }
        out
    }
}

impl Node {
    /// The styled runs of text; none for code.
    pub fn spans(&self) -> &[Span] {
        match self {
            Node::Paragraph(s) | Node::Heading(s) | Node::Item { spans: s, .. } => s,
            Node::Code(_) => &[],
        }
    }

    fn spans_mut(&mut self) -> &mut [Span] {
        match self {
            Node::Paragraph(s) | Node::Heading(s) | Node::Item { spans: s, .. } => s,
            Node::Code(_) => &mut [],
        }
    }
}

/// What stands behind a link and is no part of it.
const AFTER_A_LINK: fn(char) -> bool = |c| c.is_whitespace() || ".,;:!?)]}>'\"".contains(c);

fn without_foreign_links(text: &str, policy: &LinkPolicy) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let lower = word.to_ascii_lowercase();
            let marked = ["http://", "https://", "www."].iter().filter_map(|p| lower.find(p)).min();
            let Some(start) = marked.or_else(|| bare_address(&lower)) else { return word.to_owned() };
            let url = word[start..].trim_end_matches(AFTER_A_LINK);
            if policy.allows(url) || policy.allows(&format!("https://{url}")) {
                return word.to_owned();
            }
            format!("{}(link removed){}", &word[..start], &word[start + url.len()..])
        })
        .collect()
}

/// Where an address without a scheme begins in a word (`evil.example/?d=…`): platforms make links of those, too. A name alone
/// carries nothing away, nor does what looks like a file (`Node.js/React`).
fn bare_address(word: &str) -> Option<usize> {
    const FILES: [&str; 14] = ["js", "ts", "md", "rs", "py", "go", "txt", "csv", "xlsx", "docx", "pdf", "json", "html", "xml"];
    let word = word.trim_end_matches(AFTER_A_LINK);
    let (before, rest) = word.split_at_checked(word.find(['/', '?'])?)?;
    let without_port = before.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix(':').unwrap_or(before);
    let of_a_name = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    let start = without_port.rfind(|c| !of_a_name(c)).map_or(0, |at| at + without_port[at..].chars().next().map_or(1, char::len_utf8));
    let labels: Vec<&str> = without_port[start..].split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    let is_top = top.starts_with("xn--") || (top.len() >= 2 && top.chars().all(char::is_alphabetic));
    let is_file = FILES.contains(&top) && !rest.contains(['?', '=']);
    let named = labels.len() >= 2 && labels.iter().all(|label| !label.is_empty());
    (named && is_top && !is_file && rest.len() > 1).then_some(start)
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    spans: Vec<Span>,
    bold: bool,
    italic: bool,
    link: Option<String>,
    lists: Vec<Option<u64>>,
    in_item: bool,
    code: Option<String>,
}

fn parse(source: &str, link_allowed: &dyn Fn(&str) -> bool) -> Markdown {
    let cleaned = clean(source);
    let mut b = Builder::default();
    for event in Parser::new_ext(&cleaned, Options::ENABLE_STRIKETHROUGH) {
        b.take(event, link_allowed);
    }
    b.flush_paragraph();
    Markdown { nodes: b.nodes }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, link_allowed: &dyn Fn(&str) -> bool) {
        match event {
            Event::Start(tag) => self.start(tag, link_allowed),
            Event::End(tag) => self.end(tag),
            Event::Text(t) => match &mut self.code {
                Some(code) => code.push_str(&t),
                None => self.push(&t, false),
            },
            Event::Code(t) => self.push(&t, true),
            Event::Html(t) | Event::InlineHtml(t) => self.push(&t, false),
            Event::SoftBreak | Event::HardBreak => self.push("\n", false),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, link_allowed: &dyn Fn(&str) -> bool) {
        match tag {
            Tag::Strong => self.bold = true,
            Tag::Emphasis => self.italic = true,
            Tag::Link { dest_url, .. } if link_allowed(&dest_url) => self.link = Some(dest_url.into_string()),
            Tag::List(first) => {
                self.flush_paragraph();
                self.lists.push(first);
            }
            Tag::Item => self.in_item = true,
            Tag::CodeBlock(_) => {
                self.flush_paragraph();
                self.code = Some(String::new());
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.bold = false,
            TagEnd::Emphasis => self.italic = false,
            TagEnd::Link => self.link = None,
            TagEnd::Paragraph | TagEnd::Item | TagEnd::HtmlBlock => self.flush_paragraph(),
            TagEnd::Heading(_) => {
                let spans = std::mem::take(&mut self.spans);
                self.nodes.push(Node::Heading(spans));
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => self.nodes.extend(self.code.take().map(Node::Code)),
            _ => {}
        }
    }

    fn push(&mut self, text: &str, code: bool) {
        let style = Span { text: String::new(), bold: self.bold, italic: self.italic, code, link: self.link.clone() };
        match self.spans.last_mut() {
            Some(last) if Span { text: String::new(), ..last.clone() } == style => last.text.push_str(text),
            _ => self.spans.push(Span { text: text.to_owned(), ..style }),
        }
    }

    fn flush_paragraph(&mut self) {
        if self.spans.is_empty() {
            return;
        }
        let spans = std::mem::take(&mut self.spans);
        if !std::mem::take(&mut self.in_item) {
            self.nodes.push(Node::Paragraph(spans));
            return;
        }
        let depth = self.lists.len().saturating_sub(1);
        let number = self.lists.last_mut().and_then(Option::as_mut).map(|n| {
            *n += 1;
            *n - 1
        });
        self.nodes.push(Node::Item { depth, number, spans });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn styles_lists_and_code_are_kept() {
        let text = "**4 tasks** are _late_:\n\n1. Pay `x`\n2. See [row](https://s.test/1)\n\n```\na < b\n```";
        insta::assert_snapshot!(Markdown::ours(text).plain(), @"
        4 tasks are late:
        1. Pay x
        2. See row (https://s.test/1)
        a < b
        ");
    }

    #[test]
    fn a_models_images_and_foreign_links_do_not_leave() {
        let policy = LinkPolicy {
            exact: HashSet::from(["https://docs.test/a".to_owned()]),
            hosts: HashSet::from(["app.smartsheet.com".to_owned()]),
        };
        let text = "See ![x](https://evil.test/?d=1), [here](https://evil.test/2), https://evil.test/3. \
                    [ok](https://docs.test/a) https://app.smartsheet.com/s/1 <img src=x>";
        insta::assert_snapshot!(Markdown::untrusted(text, &policy).plain(), @"See x, here, (link removed). ok (https://docs.test/a) https://app.smartsheet.com/s/1 <img src=x>");
        let bare = "Look at evil.example/?d=42, see:x.evil.example?q a,evil.example:8080/x. and/or 3/4 of v1.2/3, km/h, plan.md? Node.js/React app.smartsheet.com/s/1.";
        insta::assert_snapshot!(Markdown::untrusted(bare, &policy).plain(), @"Look at (link removed), see:(link removed) a,(link removed). and/or 3/4 of v1.2/3, km/h, plan.md? Node.js/React app.smartsheet.com/s/1.");
    }

    #[test]
    fn a_link_that_hides_its_host_behind_a_user_name_is_foreign() {
        let policy = LinkPolicy { hosts: HashSet::from(["app.smartsheet.com".into()]), ..LinkPolicy::default() };
        assert!(!policy.allows("https://app.smartsheet.com@evil.test/"));
        assert!(!policy.allows("javascript:alert(1)"));
    }

    proptest! {
        #[test]
        fn escaped_values_come_out_as_they_went_in(value in "[ -~]{1,60}") {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assume!(!value.is_empty());
            prop_assert_eq!(Markdown::ours(&format!("x {}", escape(&value))).plain(), format!("x {value}"));
        }
    }
}
