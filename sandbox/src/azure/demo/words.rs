//! Small tools for reading sentences: whole-word search, quoted parts, numbers, dates.

/// Where `needle` stands in `text` as whole words, ignoring case.
pub(super) fn find(text: &str, needle: &str) -> Option<(usize, usize)> {
    let (hay, needle) = (text.to_lowercase(), needle.to_lowercase());
    if needle.is_empty() || hay.len() != text.len() {
        return None;
    }
    let mut from = 0;
    while let Some(at) = hay[from..].find(&needle).map(|i| i + from) {
        let end = at + needle.len();
        let before = hay[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let after = hay[end..].chars().next().is_none_or(|c| !c.is_alphanumeric());
        if before && after {
            return Some((at, end));
        }
        from = at + hay[at..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

/// Whether any of the phrases stands in the text as whole words.
pub(super) fn any(text: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|p| find(text, p).is_some())
}

/// The text behind the first of the phrases that stands in it, and the text before it.
pub(super) fn around<'a>(text: &'a str, phrases: &[&str]) -> Option<(&'a str, &'a str)> {
    let spans = phrases.iter().filter_map(|p| find(text, p));
    spans.min_by_key(|(at, end)| (*at, usize::MAX - *end)).map(|(at, end)| (text[..at].trim(), text[end..].trim()))
}

/// The first part in quotes.
pub(super) fn quoted(text: &str) -> Option<String> {
    let marks = [('"', '"'), ('“', '”'), ('\'', '\''), ('‘', '’')];
    marks
        .iter()
        .filter_map(|(open, close)| {
            let from = text.find(*open)? + open.len_utf8();
            let to = text[from..].find(*close)? + from;
            Some((from, text[from..to].to_owned()))
        })
        .filter(|(_, q)| !q.trim().is_empty())
        .min_by_key(|(at, _)| *at)
        .map(|(_, q)| q)
}

/// A name or value without quotes, articles and closing punctuation.
pub(super) fn bare(text: &str) -> String {
    let text = text.trim().trim_end_matches(['.', '!', '?', ',', ';']).trim();
    let text = text.trim_matches(['"', '“', '”', '\'', '‘', '’']);
    let lower = text.to_lowercase();
    let article = ["the ", "a ", "an "].iter().find(|a| lower.starts_with(**a));
    article.map_or(text, |a| &text[a.len()..]).trim().to_owned()
}

/// A text as an SQL string.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `50k`, `$5,000`, `1.5m`, `20%`: the first number in the text.
pub(super) fn number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits: String = text[start..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, ',' | '.')).collect();
    let rest = text[start + digits.len()..].chars().next().map(|c| c.to_ascii_lowercase());
    let value: f64 = digits.trim_end_matches(['.', ',']).replace(',', "").parse().ok()?;
    Some(match rest {
        Some('k') => value * 1e3,
        Some('m') => value * 1e6,
        Some('%') => value / 100.0,
        _ => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole() {
        assert_eq!(find("Not started yet", "not started"), Some((0, 11)));
        assert_eq!(find("restarted", "started"), None);
        assert_eq!(number("over $5,000?"), Some(5000.0));
        assert_eq!(number("50k"), Some(50_000.0));
        assert_eq!(quoted("a task “Security review” under"), Some("Security review".into()));
        assert_eq!(bare("the Usability test."), "Usability test");
    }
}
