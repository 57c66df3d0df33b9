//! Numbers as people write them: `1,5`, `1.234,50 €`, `1 234,50`, `1'000`, `(500)`, `5k`, `12,5 %`. No sign is deleted blindly.

use crate::locality::Locale;

/// A text that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Written {
    /// A number; of a percent the number before the sign.
    Number {
        value: f64,
        percent: bool,
        /// The sign of the money that stands beside it.
        currency: Option<String>,
    },
    /// One number or another: with the point, or with the comma, before the fraction.
    Either(f64, f64),
    /// Meant as a number, but none.
    Broken,
    /// A text, such as a code with leading zeros, or words.
    Text,
}

/// Codes of money and their signs.
const CURRENCIES: [(&str, &str); 12] = [
    ("usd", "$"),
    ("eur", "€"),
    ("gbp", "£"),
    ("jpy", "¥"),
    ("chf", "CHF"),
    ("cad", "CAD"),
    ("aud", "AUD"),
    ("inr", "₹"),
    ("sek", "SEK"),
    ("nok", "NOK"),
    ("dkk", "DKK"),
    ("pln", "PLN"),
];
const SIGNS: [char; 5] = ['$', '€', '£', '¥', '₹'];

pub(super) fn read(text: &str, locale: Option<Locale>) -> Written {
    let text = one_spelling(text);
    let mut rest = text.trim();
    let mut negative = false;
    if let Some(inner) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')) {
        // As accountants write what is owed.
        rest = inner.trim();
        negative = true;
    }
    let (mut currency, mut percent) = (None, false);
    if let Some(inner) = rest.strip_prefix('-') {
        rest = inner.trim_start();
        negative = !negative;
    }
    if let Some(inner) = rest.strip_suffix('%') {
        rest = inner.trim_end();
        percent = true;
    }
    if let Some((sign, inner)) = money(rest) {
        currency = Some(sign);
        rest = inner;
    }
    if let Some(inner) = rest.strip_prefix('-').filter(|_| !negative) {
        rest = inner.trim_start();
        negative = true;
    }
    let (scale, digits) = scale(rest, currency.is_some());
    let finish = |n: f64| {
        let value = n * scale;
        Written::Number { value: if negative { -value } else { value }, percent, currency: currency.clone() }
    };
    match amount(digits, locale) {
        Written::Number { value, .. } => finish(value),
        Written::Either(point, comma) => {
            let sign = if negative { -scale } else { scale };
            let share = if percent { 0.01 } else { 1.0 };
            Written::Either(point * sign * share, comma * sign * share)
        }
        other => other,
    }
}

/// Spaces of all widths, dashes and apostrophes in the one way that is looked for.
fn one_spelling(text: &str) -> String {
    let one = |c: char| match c {
        '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{2007}' => ' ',
        '−' | '–' => '-',
        '’' | '‘' => '\'',
        c => c,
    };
    text.chars().map(one).collect()
}

/// The sign of money before or behind a number, and the rest.
fn money(text: &str) -> Option<(String, &str)> {
    let sign = |c: char| SIGNS.contains(&c);
    if let Some(c) = text.chars().next().filter(|c| sign(*c)) {
        return Some((c.to_string(), text[c.len_utf8()..].trim_start()));
    }
    if let Some(c) = text.chars().last().filter(|c| sign(*c)) {
        return Some((c.to_string(), text[..text.len() - c.len_utf8()].trim_end()));
    }
    let lower = text.to_lowercase();
    CURRENCIES.iter().find_map(|(code, sign)| {
        let front = lower.strip_prefix(code).map(|_| text[code.len()..].trim_start());
        let back = || lower.strip_suffix(code).map(|_| text[..text.len() - code.len()].trim_end());
        front.or_else(back).map(|rest| ((*sign).to_owned(), rest))
    })
}

/// Thousands and millions by a letter behind the number. An `m` alone may be metres or minutes, so it counts beside money only.
fn scale(text: &str, of_money: bool) -> (f64, &str) {
    let text = text.strip_suffix('.').filter(|t| t.ends_with(char::is_alphabetic)).unwrap_or(text);
    let lower = text.to_lowercase();
    let letters: [(&str, f64, bool); 6] =
        [("bn", 1e9, true), ("mio", 1e6, false), ("mn", 1e6, true), ("k", 1e3, false), ("m", 1e6, true), ("tsd", 1e3, false)];
    for (letter, scale, wants_money) in letters {
        if (of_money || !wants_money) && lower.ends_with(letter) {
            let rest = text[..text.len() - letter.len()].trim_end_matches(['.', ' ']);
            if rest.ends_with(|c: char| c.is_ascii_digit()) {
                return (scale, rest);
            }
        }
    }
    (1.0, text)
}

/// Digits with signs between them.
fn amount(text: &str, locale: Option<Locale>) -> Written {
    let number = |digits: &str| digits.parse().map_or(Written::Broken, |value| Written::Number { value, percent: false, currency: None });
    let digits_only = |c: char| c.is_ascii_digit();
    if text.is_empty() || !text.chars().all(|c| digits_only(c) || ".,' ".contains(c)) || !text.ends_with(digits_only) {
        return Written::Text;
    }
    if text.starts_with(['.', ',']) {
        let fraction = &text[1..];
        return if fraction.chars().all(digits_only) { number(&format!("0.{fraction}")) } else { Written::Text };
    }
    if !text.starts_with(digits_only) {
        return Written::Text;
    }
    let count = |sign: char| text.matches(sign).count();
    let signs: Vec<char> = ['.', ',', '\'', ' '].into_iter().filter(|s| count(*s) > 0).collect();
    let groups_of = |whole: &str, sign: char| -> Option<String> {
        let groups: Vec<&str> = whole.split(sign).collect();
        let (first, rest) = groups.split_first()?;
        let last = rest.last()?;
        // In India two digits make a group, but for the last.
        let middle = if sign == ',' && rest.len() > 1 && rest[..rest.len() - 1].iter().all(|g| g.len() == 2) { 2 } else { 3 };
        let fits = last.len() == 3 && (1..=3).contains(&first.len()) && rest[..rest.len() - 1].iter().all(|g| g.len() == middle);
        (fits && !first.starts_with('0')).then(|| groups.concat())
    };
    match signs.as_slice() {
        // A code keeps its leading zeros.
        [] if text.len() > 1 && text.starts_with('0') => Written::Text,
        [] => number(text),
        [sign @ ('\'' | ' ')] => groups_of(text, *sign).map_or(Written::Text, |digits| number(&digits)),
        [sign] if count(*sign) > 1 => match groups_of(text, *sign) {
            Some(digits) => number(&digits),
            // Points between short numbers are those of a version or a chapter.
            None if *sign == '.' => Written::Text,
            None => Written::Broken,
        },
        [sign] => {
            let (whole, fraction) = text.split_once(*sign).unwrap_or((text, ""));
            let decimal = format!("{whole}.{fraction}");
            if whole.len() > 1 && whole.starts_with('0') {
                return Written::Text;
            }
            let grouped = groups_of(text, *sign).filter(|_| whole != "0");
            match (grouped, locale) {
                (None, _) => number(&decimal),
                (Some(grouped), Some(locale)) => number(if locale.decimal_comma == (*sign == ',') { &decimal } else { &grouped }),
                (Some(grouped), None) => {
                    let (decimal, grouped) = (decimal.parse().unwrap_or_default(), grouped.parse().unwrap_or_default());
                    if *sign == '.' { Written::Either(decimal, grouped) } else { Written::Either(grouped, decimal) }
                }
            }
        }
        [..] => {
            // The last sign stands before the fraction, and stands once; the other one separates groups.
            let last = text.rfind(|c| signs.contains(&c)).unwrap_or(0);
            let decimal_sign = text[last..].chars().next().unwrap_or('.');
            let (whole, fraction) = (&text[..last], &text[last + 1..]);
            let others: Vec<char> = signs.iter().copied().filter(|s| *s != decimal_sign).collect();
            match others.as_slice() {
                [group] if count(decimal_sign) == 1 && matches!(decimal_sign, '.' | ',') => {
                    groups_of(whole, *group).map_or(Written::Broken, |whole| number(&format!("{whole}.{fraction}")))
                }
                _ => Written::Broken,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, tag: &str) -> String {
        match read(text, Locale::read(tag)) {
            Written::Number { value, percent, currency } => {
                format!("{value}{}{}", if percent { " %" } else { "" }, currency.map(|c| format!(" {c}")).unwrap_or_default())
            }
            Written::Either(a, b) => format!("{a} or {b}"),
            Written::Broken => "broken".into(),
            Written::Text => "text".into(),
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let cases = [
            ("1,5", "1.5"),
            ("12,50", "12.5"),
            ("1.234,50 €", "1234.5 €"),
            ("€1.234,50", "1234.5 €"),
            ("1 234,50", "1234.5"),
            ("1\u{202f}234,50", "1234.5"),
            ("1'000", "1000"),
            ("1’234.50", "1234.5"),
            ("(500)", "-500"),
            ("($1,200.50)", "-1200.5 $"),
            ("5k", "5000"),
            ("12.5k", "12500"),
            ("$2m", "2000000 $"),
            ("12,5 %", "12.5 %"),
            ("75,5%", "75.5 %"),
            ("−5", "-5"),
            ("-$5", "-5 $"),
            ("$-5", "-5 $"),
            ("1,23,456", "123456"),
            ("1.234.567", "1234567"),
            ("1200 EUR", "1200 €"),
            (".5", "0.5"),
            ("0,500", "0.5"),
            ("1.000", "1 or 1000"),
            ("1,234", "1234 or 1.234"),
            ("12,345,6", "broken"),
            ("1,2,3", "broken"),
            ("00123", "text"),
            ("1E5", "text"),
            ("+49 89 1234567", "text"),
            ("089 1234567", "text"),
            ("3-4", "text"),
            ("12-34", "text"),
            ("1 000 2", "text"),
            ("7:30", "text"),
            ("1/2", "text"),
            ("5m", "text"),
            ("1.2.3", "text"),
            ("tbd", "text"),
            ("", "text"),
            ("5 days", "text"),
        ];
        for (text, right) in cases {
            assert_eq!(shown(text, ""), right, "{text}");
        }
    }

    #[test]
    fn a_locale_decides_between_two_readings() {
        assert_eq!((shown("1.000", "de-DE"), shown("1,234", "de-DE")), ("1000".into(), "1.234".into()));
        assert_eq!((shown("1.000", "en_US"), shown("1,234", "en_US")), ("1".into(), "1234".into()));
        assert_eq!((shown("1.234,50", "en_US"), shown("1,234.50", "de")), ("1234.5".into(), "1234.5".into()), "by form");
    }
}
