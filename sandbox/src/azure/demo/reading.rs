//! A sentence while it is read: every pattern takes the words it used, so that what nothing used can be named.

use super::schema::{Column, Schema};
use super::words;

/// Words that carry nothing here. Negations, comparisons and numbers are not among them.
const FILLERS: [&str; 155] = [
    "a",
    "an",
    "the",
    "of",
    "in",
    "on",
    "at",
    "to",
    "for",
    "from",
    "with",
    "and",
    "or",
    "by",
    "per",
    "as",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "am",
    "do",
    "does",
    "did",
    "has",
    "have",
    "having",
    "had",
    "there",
    "that",
    "this",
    "these",
    "those",
    "it",
    "its",
    "they",
    "them",
    "their",
    "which",
    "what",
    "whats",
    "what's",
    "what’s",
    "who",
    "whose",
    "who's",
    "who’s",
    "when",
    "where",
    "how",
    "many",
    "much",
    "any",
    "all",
    "every",
    "each",
    "everything",
    "everybody",
    "everyone",
    "anything",
    "please",
    "pls",
    "plz",
    "hey",
    "hi",
    "ok",
    "so",
    "now",
    "currently",
    "right",
    "still",
    "yet",
    "show",
    "list",
    "find",
    "give",
    "tell",
    "display",
    "see",
    "get",
    "print",
    "want",
    "need",
    "know",
    "can",
    "could",
    "would",
    "should",
    "will",
    "you",
    "i",
    "we",
    "us",
    "our",
    "let",
    "look",
    "row",
    "rows",
    "task",
    "tasks",
    "item",
    "items",
    "entry",
    "entries",
    "record",
    "records",
    "line",
    "lines",
    "thing",
    "things",
    "one",
    "ones",
    "sheet",
    "table",
    "number",
    "count",
    "marked",
    "flagged",
    "called",
    "named",
    "set",
    "value",
    "values",
    "working",
    "works",
    "name",
    "names",
    "also",
    "then",
    "about",
    "go",
    "here",
    "today's",
    "if",
    "i'd",
    "like",
    "mine",
    "out",
    "assigned",
    "belong",
    "belongs",
    "owned",
    "tasks'",
    "risk",
    "risks",
    "deal",
    "deals",
    "trial",
    "trials",
    "milestone",
    "milestones",
    "subtask",
    "subtasks",
];

/// Words that a refusal names.
const NAMED: usize = 8;

pub(super) struct Reading<'a> {
    pub schema: &'a Schema,
    /// The sentence as it was written.
    pub text: String,
    /// The same, with blanks where words were used.
    pub rest: String,
    /// The columns that are spoken of, by where.
    pub mentions: Vec<(usize, &'a Column)>,
}

impl<'a> Reading<'a> {
    pub fn new(text: &str, schema: &'a Schema) -> Self {
        Self { schema, text: text.to_owned(), rest: text.to_owned(), mentions: Vec::new() }
    }

    /// Takes a span, so that it is not read twice.
    pub fn blank(&mut self, (at, end): (usize, usize)) {
        self.rest.replace_range(at..end, &" ".repeat(end - at));
    }

    /// Takes the first of the phrases that stands in the sentence.
    pub fn take(&mut self, phrases: &[&str]) -> Option<(usize, usize)> {
        let span = phrases.iter().find_map(|p| words::find(&self.rest, p))?;
        self.blank(span);
        Some(span)
    }

    /// Takes the word right before a place if it is one of these; fillers may stand between.
    pub fn take_before(&mut self, at: usize, known: &[&str]) -> bool {
        let head = &self.rest[..at];
        let mut spans = tokens(head);
        spans.reverse();
        let tail: Vec<(usize, usize)> = spans.into_iter().take(3).collect();
        for span in tail {
            let word = head[span.0..span.1].to_lowercase();
            if known.contains(&word.as_str()) {
                self.blank(span);
                return true;
            }
            if !FILLERS.contains(&word.as_str()) && self.mentions.iter().all(|(m, _)| *m != span.0) {
                return false;
            }
        }
        false
    }

    /// Takes the names of columns: those of several words, or all.
    pub fn take_columns(&mut self, only_phrases: bool) {
        loop {
            let mut spans = self.schema.spans(&self.rest);
            spans.retain(|(at, end, _)| !only_phrases || self.rest[*at..*end].contains(' '));
            if spans.is_empty() {
                break;
            }
            for (at, end, column) in spans {
                self.mentions.push((at, column));
                self.blank((at, end));
            }
        }
        self.mentions.sort_by_key(|(at, _)| *at);
    }

    /// Takes the name of a column that begins at a place, past articles.
    pub fn take_column_at(&mut self, from: usize) -> Option<&'a Column> {
        let schema = self.schema;
        let head: Vec<(usize, usize)> = tokens(&self.rest[from..]).into_iter().map(|(a, b)| (a + from, b + from)).collect();
        let first = head
            .iter()
            .find(|(a, b)| !["the", "a", "an", "any", "each", "its", "of"].contains(&self.rest[*a..*b].to_lowercase().as_str()))?
            .0;
        let (length, column) = schema.leading(&self.rest[first..])?;
        self.blank((first, first + length));
        Some(column)
    }

    /// Takes the first number behind a place.
    pub fn take_number(&mut self, from: usize) -> Option<f64> {
        let (at, end) = tokens(&self.rest[from..]).into_iter().map(|(a, b)| (a + from, b + from)).next()?;
        let number = words::number(&self.rest[at..end])
            .filter(|_| self.rest[at..end].trim_start_matches(['$', '€', '£']).starts_with(|c: char| c.is_ascii_digit()))?;
        self.blank((at, end));
        Some(number)
    }

    /// The column of the wanted kind that is spoken of nearest before a place, or at all.
    pub fn mentioned(&self, at: usize, wanted: impl Fn(&Column) -> bool) -> Option<&'a Column> {
        let fits = || self.mentions.iter().filter(|(_, c)| wanted(c));
        fits().rfind(|(m, _)| *m < at).or_else(|| fits().next()).map(|(_, c)| *c)
    }

    /// The words that nothing used, in the order in which they stand, with where.
    pub fn left_over(&self) -> Vec<(usize, usize)> {
        let known = |w: &str| {
            let lower = w.to_lowercase();
            FILLERS.contains(&lower.as_str()) || ["'s", "’s", "'", "’"].contains(&lower.as_str())
        };
        tokens(&self.rest).into_iter().filter(|(a, b)| !known(&self.rest[*a..*b])).collect()
    }

    /// Whether nothing but words without meaning was not used.
    pub fn is_used_up(&self) -> bool {
        self.left_over().is_empty()
    }

    /// What to say when words were left over.
    pub fn refusal(&self) -> Option<String> {
        let mut left: Vec<String> = Vec::new();
        for (at, end) in self.left_over() {
            let word = format!("“{}”", &self.rest[at..end]);
            if !left.contains(&word) {
                left.push(word);
            }
        }
        if left.len() > NAMED {
            left.truncate(NAMED);
            left.push("…".into());
        }
        (!left.is_empty()).then(|| {
            format!(
                "I am the built-in demo model and only know patterns; I could not use {} of your question, so I will not guess (set AZURE_OPENAI_* for the real model). \
                 Try for example:\n{}",
                left.join(", "),
                super::EXAMPLES
            )
        })
    }
}

/// Where the words of a text stand.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let inside = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '\'' | '’' | '-' | '.' | ',' | '%' | '$' | '€' | '£' | '/' | '<' | '>' | '=' | '_' | '#' | '+' | '*')
    };
    let mut found = Vec::new();
    let mut start = None;
    for (i, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (inside(c), start) {
            (true, None) => start = Some(i),
            (false, Some(from)) => {
                let word = text[from..i].trim_end_matches(['.', ',', '-', '/', '\'', '’']);
                if word.chars().any(|c| c.is_alphanumeric() || "<>=%".contains(c)) {
                    found.push((from, from + word.len()));
                }
                start = None;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn words_are_told_apart() {
        let text = "over $5,000, by Dana's (7/8)?";
        let words: Vec<&str> = tokens(text).into_iter().map(|(a, b)| &text[a..b]).collect();
        assert_eq!(words, ["over", "$5,000", "by", "Dana's", "7/8"]);
    }
}
