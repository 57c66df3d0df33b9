//! Plain-text helpers that every renderer needs: cleaning, shortening, splitting, aligned tables.

use crate::{Align, TableBlock};
use std::time::Duration;

/// Removes what could hide or disguise text: control characters (but line breaks and tabs), bidi
/// overrides, zero-width and tag characters.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

/// Takes a part out of a text with one of the spaces around it; what else was typed stays as it was, between the first and the
/// last word.
pub fn without(text: &str, part: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(part).filter(|_| !part.is_empty()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + part.len()..];
        if out.is_empty() || out.ends_with(' ') {
            rest = rest.strip_prefix(' ').unwrap_or(rest);
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

fn is_hidden(c: char) -> bool {
    let kept = matches!(c, '\n' | '\t');
    (c.is_control() && !kept)
        || matches!(c,
            '\u{200B}'..='\u{200C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// At most `max_chars` characters, with an ellipsis where something was cut.
pub fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// A length of time in words, rounded up: "40 seconds", "2 minutes", "24 hours".
pub fn duration(length: Duration) -> String {
    let seconds = (length.as_secs() + u64::from(length.subsec_nanos() > 0)).max(1);
    let (n, unit) = match seconds {
        0..=90 => (seconds, "second"),
        91..=5_400 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

/// Cuts text into pieces of at most `max_chars` characters, at line breaks where there are any,
/// else at spaces, else anywhere. Nothing but white space at the cuts is lost.
pub fn split(text: &str, max_chars: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_end();
    while rest.chars().count() > max_chars {
        let hard_end = rest.char_indices().nth(max_chars).map_or(rest.len(), |(i, _)| i);
        let window = &rest[..hard_end];
        let end = window.rfind('\n').or_else(|| window.rfind(' ')).filter(|end| *end > window.len() / 4).unwrap_or(hard_end);
        pieces.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start_matches(['\n', ' ']);
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces.retain(|p| !p.is_empty());
    pieces
}

/// The same text in pieces of at most so many characters; cut after white space where there is any, and nothing is lost.
pub fn cut(text: &str, max_chars: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((hard_end, _)) = rest.char_indices().nth(max_chars.max(1)) {
        let space = rest[..hard_end].char_indices().rev().find(|(_, c)| c.is_whitespace());
        let end = space.map(|(at, c)| at + c.len_utf8()).filter(|end| *end > hard_end / 4).unwrap_or(hard_end);
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The table as lines of aligned text; cells longer than `cell_chars` are cut.
pub fn aligned_table(table: &TableBlock, cell_chars: usize) -> String {
    let cell = |s: &str| shorten(&clean(s).replace(['\n', '\t'], " "), cell_chars);
    let heads: Vec<String> = table.columns.iter().map(|c| cell(&c.title)).collect();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|r| r.iter().take(heads.len()).map(|c| cell(&c.text)).collect()).collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|i| {
            let cells = rows.iter().map(|r| r.get(i).map_or(0, |c| c.chars().count()));
            cells.chain([heads[i].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[String]| -> String {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(i, c)| match table.columns[i].align {
                Align::Left => format!("{c:<0$}", widths[i]),
                Align::Right => format!("{c:>0$}", widths[i]),
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
    let mut lines = vec![line(&heads), rule.join("  ")];
    lines.extend(rows.iter().map(|r| line(r)));
    if table.total > table.rows.len() {
        lines.push(format!("… {} of {} rows shown", table.rows.len(), table.total));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mention_goes_and_spaces_that_people_typed_stay() {
        assert_eq!(without("<@1> set Name to \"A  B\"", "<@1>"), "set Name to \"A  B\"");
        assert_eq!(without("please <@1> help  me <@1>", "<@1>"), "please help  me");
        assert_eq!(without(" as it is ", ""), "as it is");
    }

    #[test]
    fn hidden_characters_are_removed() {
        assert_eq!(clean("a\u{202E}b\u{200B}c\u{7}d\ne"), "abcd\ne");
    }

    #[test]
    fn lengths_of_time_are_told_in_the_unit_that_people_would_use() {
        let told = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        assert_eq!(
            [0.0, 0.2, 59.5, 90.0, 91.0, 5_400.0, 86_400.0].map(told),
            ["1 second", "1 second", "60 seconds", "90 seconds", "2 minutes", "90 minutes", "24 hours"]
        );
    }

    proptest! {
        #[test]
        fn pieces_fit_and_lose_only_white_space(text in "[a-z \n]{0,400}", max in 1usize..60) {
            let pieces = split(&text, max);
            prop_assert!(pieces.iter().all(|p| p.chars().count() <= max));
            let squeeze = |s: &str| s.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(&pieces.concat()), squeeze(&text));
        }

        #[test]
        fn what_is_cut_is_all_of_the_text(text in "[a-zä \n]{0,400}", max in 1usize..60) {
            let pieces = cut(&text, max);
            prop_assert!(pieces.iter().all(|p| p.chars().count() <= max));
            prop_assert_eq!(pieces.concat(), text);
        }

        #[test]
        fn shortened_text_fits(text in "\\PC{0,80}", max in 1usize..40) {
            prop_assert!(shorten(&text, max).chars().count() <= max);
        }
    }
}
