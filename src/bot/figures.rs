//! The figures and days in a text, in the ways in which people and models write them.

use jiff::civil::Date;

/// A figure in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    /// As it is written, with its unit of size or per cent.
    pub text: String,
    /// What it may mean: “1.234” is a thousand or one.
    pub readings: Vec<Reading>,
    /// Whether it is in per cent.
    pub percent: bool,
    /// Whether it is said to be rough: “about 19,000”.
    pub rough: bool,
    /// The word behind it that says of what, in small letters: “days” of “17 working days”.
    pub unit: String,
}

/// What a figure may mean, without its sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub value: f64,
    /// How far the exact value may be off, as it is rounded.
    pub tolerance: f64,
}

/// A day in a text: in one of the ways in which it can be read, the year where it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Day {
    pub text: String,
    pub readings: Vec<(Option<i16>, i8, i8)>,
}

/// What a text tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub figures: Vec<Figure>,
    pub days: Vec<Day>,
}

/// Words of size behind a figure. Single letters have to stand at it, or before a currency.
const SIZES: [(&str, f64); 24] = [
    ("k", 1e3),
    ("thousand", 1e3),
    ("tsd", 1e3),
    ("tausend", 1e3),
    ("mille", 1e3),
    ("mil", 1e3),
    ("m", 1e6),
    ("mn", 1e6),
    ("mm", 1e6),
    ("mio", 1e6),
    ("million", 1e6),
    ("millions", 1e6),
    ("millionen", 1e6),
    ("millones", 1e6),
    ("millón", 1e6),
    ("bn", 1e9),
    ("b", 1e9),
    ("billion", 1e9),
    ("md", 1e9),
    ("mrd", 1e9),
    ("milliard", 1e9),
    ("milliards", 1e9),
    ("milliarde", 1e9),
    ("milliarden", 1e9),
];
/// Words of per cent behind a figure; “per cent” and its like are two words.
const PERCENT: [&str; 7] = ["percent", "pct", "prozent", "procent", "pourcent", "porcento", "pc"];
const TWO_WORDS: [&str; 4] = ["per cent", "pour cent", "por ciento", "per cento"];
/// Words before a figure that make it rough.
const ROUGH: [&str; 22] = [
    "about",
    "around",
    "roughly",
    "approximately",
    "approx",
    "almost",
    "nearly",
    "over",
    "than",
    "some",
    "~",
    "≈",
    "rund",
    "etwa",
    "circa",
    "ca",
    "fast",
    "ungefähr",
    "environ",
    "presque",
    "unos",
    "casi",
];
/// Words between a figure and its unit.
const BETWEEN: [&str; 6] = ["working", "business", "calendar", "more", "full", "weitere"];
const CURRENCIES: [&str; 12] = ["EUR", "USD", "GBP", "CHF", "JPY", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "INR"];
/// Months, in the languages that name them in letters of ours.
const MONTHS: [&[&str]; 12] = [
    &["jan", "january", "januar", "jän", "jänner", "janvier", "janv", "enero", "ene", "gennaio", "januari"],
    &["feb", "february", "februar", "février", "fév", "févr", "febrero", "febbraio", "februari"],
    &["mar", "march", "märz", "mrz", "mars", "marzo", "maart"],
    &["apr", "april", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maggio", "mei"],
    &["jun", "june", "juni", "juin", "junio", "giugno"],
    &["jul", "july", "juli", "juillet", "juil", "julio", "luglio"],
    &["aug", "august", "août", "agosto", "ago", "augustus"],
    &["sep", "sept", "september", "septembre", "septiembre", "settembre"],
    &["oct", "october", "oktober", "okt", "octobre", "octubre", "ottobre"],
    &["nov", "november", "novembre", "noviembre"],
    &["dec", "december", "dezember", "dez", "décembre", "déc", "diciembre", "dic", "dicembre"],
];
/// Months that are other words, too, unless they begin with a capital.
const WORDS_TOO: [&str; 4] = ["may", "mar", "march", "ago"];

/// Small numbers as words, from two on.
const NUMBER_WORDS: [&[&str]; 11] = [
    &["two", "zwei", "deux", "dos"],
    &["three", "drei", "trois", "tres"],
    &["four", "vier", "quatre", "cuatro"],
    &["five", "fünf", "cinq", "cinco"],
    &["six", "sechs", "seis"],
    &["seven", "sieben", "sept", "siete"],
    &["eight", "acht", "huit", "ocho"],
    &["nine", "neun", "neuf", "nueve"],
    &["ten", "zehn", "dix", "diez"],
    &["eleven", "elf", "onze", "once"],
    &["twelve", "zwölf", "douze", "doce"],
];
/// What stands before a number that counts what was asked for.
const COUNTS: [&str; 10] = ["there are", "there were", "i found", "i see", "we have", "es gibt", "es sind", "il y a", "hay", "found"];

/// What a text tells people: not what belongs to names (Q3, A-17), links, code, times and the numbers of lists.
pub(super) fn told(text: &str) -> Told {
    let text = without_code(text);
    let mut told = scan(&text, true);
    told.figures.extend(text.split(['.', '!', '?', '\n', ':']).filter_map(counted_in_words));
    told
}

/// The number word with which a sentence counts: “Five tasks …”, “There are five …”; not those elsewhere, which rather belong to names and
/// sayings.
fn counted_in_words(sentence: &str) -> Option<Figure> {
    let lower = sentence.replace(['*', '_'], "").trim().to_lowercase();
    let behind = COUNTS.iter().find_map(|words| lower.strip_prefix(words)).map_or(lower.as_str(), str::trim_start);
    let (word, rest) = behind.split_once(' ')?;
    let value = NUMBER_WORDS.iter().position(|words| words.contains(&word))? as f64 + 2.0;
    let unit = rest.split(|c: char| !c.is_alphabetic()).find(|word| !BETWEEN.contains(word)).unwrap_or_default().to_owned();
    Some(Figure { text: word.to_owned(), readings: vec![Reading { value, tolerance: 1e-9 }], percent: false, rough: false, unit })
}

/// All numbers and days in a text, wherever they stand, but for times.
pub(super) fn all(text: &str) -> Told {
    scan(text, false)
}

/// Whether a text tells this figure, rounded or in per cent.
pub fn tells(text: &str, figure: f64) -> bool {
    let near = |reading: &Reading, value: f64| (value.abs() - reading.value).abs() <= reading.tolerance;
    told(text).figures.iter().any(|f| f.readings.iter().any(|r| near(r, figure) || f.percent && near(r, figure * 100.0)))
}

/// A text with blanks in the place of code: formulas are no answers. A single number between backticks is one.
fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let ticks = rest[at..].chars().take_while(|c| *c == '`').count();
        let (fence, behind) = (&rest[at..at + ticks], &rest[at + ticks..]);
        let Some(end) = behind.find(fence) else { break };
        out.push_str(&rest[..at]);
        let code = &behind[..end];
        out.push_str(if code.chars().any(char::is_alphabetic) { " " } else { code });
        rest = &behind[end + ticks..];
    }
    out + rest
}

fn scan(text: &str, told: bool) -> Told {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at) = (Told::default(), 0);
    while at < chars.len() {
        if told && let Some(end) = link(&chars, at) {
            at = end;
            continue;
        }
        if !chars[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        if let Some((day, end)) = day(&chars, at) {
            found.days.push(day);
            at = end;
            continue;
        }
        if let Some(end) = time(&chars, at) {
            at = end;
            continue;
        }
        let end = number_end(&chars, at);
        let skipped = told && (is_named(&chars, at, end) || is_item(&chars, at, end) || is_saying(&chars, at, end));
        if let Some(figure) = read(&chars, at, end).filter(|_| !skipped) {
            found.figures.push(figure);
        }
        at = end;
    }
    found
}

fn word_at(chars: &[char], at: usize) -> String {
    chars[at.min(chars.len())..].iter().take_while(|c| c.is_alphabetic()).collect()
}

fn number_at(chars: &[char], at: usize, most: usize) -> Option<(i16, usize)> {
    let digits: String = chars[at.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).collect();
    (1..=most).contains(&digits.len()).then(|| Some((digits.parse().ok()?, at + digits.len()))).flatten()
}

fn month(word: &str) -> Option<i8> {
    let lower = word.to_lowercase();
    if WORDS_TOO.contains(&word) {
        return None;
    }
    MONTHS.iter().position(|names| names.contains(&lower.as_str())).map(|at| at as i8 + 1)
}

/// A day that begins here, and its end.
fn day(chars: &[char], at: usize) -> Option<(Day, usize)> {
    let is = |i: usize, c: char| chars.get(i) == Some(&c);
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let made = |end: usize, readings: Vec<(Option<i16>, i8, i8)>| {
        let readings: Vec<_> = readings.into_iter().filter(|(year, m, d)| Date::new(year.unwrap_or(2024), *m, *d).is_ok()).collect();
        (!readings.is_empty()).then(|| (Day { text: chars[at..end].iter().collect(), readings }, end))
    };
    if at > 0 && (chars[at - 1].is_ascii_digit() || chars[at - 1].is_alphabetic()) {
        return None;
    }
    let (first, end) = number_at(chars, at, 4)?;
    // 2026-11-29, with a time behind it or not.
    if end - at == 4 && is(end, '-') {
        let (m, end) = number_at(chars, end + 1, 2)?;
        let (d, end) = if is(end, '-') { number_at(chars, end + 1, 2)? } else { return None };
        let clock = if is(end, 'T') {
            chars[end..].iter().take_while(|c| c.is_ascii_digit() || matches!(c, 'T' | ':' | '.' | 'Z' | '+')).count()
        } else {
            0
        };
        return made(end + clock, vec![(Some(first), m as i8, d as i8)]);
    }
    if end - at > 2 || first > 31 {
        return None;
    }
    // 29.11.2026, 29.11., 29/11/2026, 11/29/26.
    for sign in ['.', '/'] {
        if is(end, sign)
            && let Some((second, mid)) = number_at(chars, end + 1, 2)
        {
            let year = if is(mid, sign) { number_at(chars, mid + 1, 4) } else { None };
            let (year, last) = match year {
                Some((y, last)) if last - mid == 5 => (Some(y), last),
                Some((y, last)) if last - mid == 3 => (Some(2000 + y), last),
                Some(_) => return None,
                // “3.5” is a number, “24/7” a saying; “29.11.” is a day.
                None if sign == '.' && is(mid, '.') && !digit(mid + 1) => (None, mid + 1),
                None => return None,
            };
            let both = [(year, second as i8, first as i8), (year, first as i8, second as i8)];
            return made(last, if sign == '.' { both[..1].to_vec() } else { both.to_vec() });
        }
    }
    // 29 Nov 2026, 29. November, 29th of November.
    let mut next = end;
    let suffix = word_at(chars, next);
    if ["st", "nd", "rd", "th", "er"].contains(&suffix.as_str()) {
        next += 2;
    }
    next += usize::from(is(next, '.'));
    if chars.get(next).is_some_and(|c| matches!(c, ' ' | '\u{a0}')) {
        let mut word = word_at(chars, next + 1);
        let mut start = next + 1;
        for joint in ["of", "de"] {
            if word == joint {
                start += joint.len() + 1;
                word = word_at(chars, start);
            }
        }
        if let Some(m) = month(&word) {
            let end = start + word.chars().count();
            let behind = end + chars[end..].iter().take_while(|c| matches!(c, ' ' | ',' | '.')).count();
            let year = number_at(chars, behind, 4).filter(|(y, last)| last - behind == 4 && (1990..2100).contains(y));
            return made(year.map_or(end, |(_, last)| last), vec![(year.map(|(y, _)| y), m, first as i8)]);
        }
    }
    // Nov 29, November 29th, 2026.
    let before: String = chars[..at]
        .iter()
        .rev()
        .skip_while(|c| matches!(c, ' ' | '.'))
        .take_while(|c| c.is_alphabetic())
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let m = month(&before)?;
    let after = end + if ["st", "nd", "rd", "th"].contains(&suffix.as_str()) { 2 } else { 0 };
    let behind = after + chars[after.min(chars.len())..].iter().take_while(|c| matches!(c, ' ' | ',')).count();
    let year = number_at(chars, behind, 4).filter(|(y, last)| last - behind == 4 && (1990..2100).contains(y));
    let (mut day, end) = made(year.map_or(after, |(_, last)| last), vec![(year.map(|(y, _)| y), m, first as i8)])?;
    day.text = format!("{before} {}", day.text);
    Some((day, end))
}

/// The end of a time that begins here: 10:30, 10:30:15, 10.30 Uhr.
fn time(chars: &[char], at: usize) -> Option<usize> {
    let (_, mut end) = number_at(chars, at, 2)?;
    if chars.get(end) == Some(&':') {
        while chars.get(end) == Some(&':') {
            end = number_at(chars, end + 1, 2)?.1;
        }
        return Some(end);
    }
    if chars.get(end) == Some(&'.') {
        end = number_at(chars, end + 1, 2)?.1;
    }
    let behind = end + usize::from(chars.get(end) == Some(&' '));
    word_at(chars, behind).eq_ignore_ascii_case("uhr").then_some(end)
}

/// The end of a link that begins here.
fn link(chars: &[char], at: usize) -> Option<usize> {
    let begins = |word: &str| word.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    if !(begins("http://") || begins("https://") || begins("www.")) {
        return None;
    }
    Some(chars[at..].iter().position(|c| c.is_whitespace() || matches!(c, ')' | '>' | ']')).map_or(chars.len(), |n| at + n))
}

/// The end of a number: digits, and signs between digits that group or part them.
fn number_end(chars: &[char], start: usize) -> usize {
    let digits = |from: usize| chars[from.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = start + digits(start);
    loop {
        let follow = digits(end + 1);
        let joined = match chars.get(end) {
            Some('.' | ',' | '’' | '\'') => follow > 0,
            // Blanks group thousands only.
            Some('\u{a0}' | '\u{202f}' | ' ') => {
                follow == 3 && (end - start <= 3 || chars[start..end].iter().any(|c| matches!(c, '\u{a0}' | '\u{202f}' | ' ')))
            }
            _ => false,
        };
        if !joined {
            return end;
        }
        end += 1 + follow;
    }
}

/// Whether a number belongs to a name or is an ordinal: letters, or a hyphen behind letters, stand at it.
fn is_named(chars: &[char], start: usize, end: usize) -> bool {
    let before: String = chars[..start].iter().rev().take_while(|c| c.is_alphabetic()).collect::<Vec<_>>().into_iter().rev().collect();
    let at_name = match start.checked_sub(1).map(|i| chars[i]) {
        Some(c) if c.is_alphabetic() => !CURRENCIES.contains(&before.as_str()),
        Some('_' | '#' | '@') => true,
        Some('-' | '/') => start.checked_sub(2).is_some_and(|i| chars[i].is_alphabetic()),
        _ => false,
    };
    let word: String = chars[end..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
    let sized = word.is_empty() || CURRENCIES.contains(&word.as_str()) || SIZES.iter().any(|(size, _)| word.to_lowercase() == *size);
    // Keycaps are pictures.
    let keycap = matches!(chars.get(end), Some('\u{fe0f}' | '\u{20e3}'));
    at_name || !sized && word != "_" && !word.chars().all(|c| c == '_') || keycap
}

/// Whether it numbers an item of a list.
fn is_item(chars: &[char], start: usize, end: usize) -> bool {
    let line_start = chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |i| i + 1);
    let alone = chars[line_start..start].iter().all(|c| c.is_whitespace() || matches!(c, '*' | '-' | '•' | '(' | '>'));
    alone && matches!(chars.get(end), Some('.' | ')')) && chars.get(end + 1).is_none_or(|c| c.is_whitespace() || *c == '*')
}

/// “24/7”.
fn is_saying(chars: &[char], start: usize, end: usize) -> bool {
    let around: String = chars[start.saturating_sub(3)..(end + 2).min(chars.len())].iter().collect();
    around.contains("24/7")
}

fn read(chars: &[char], start: usize, end: usize) -> Option<Figure> {
    let digits: String = chars[start..end].iter().collect();
    // Marks of bold and italics stand between a figure and its unit.
    let rest: String = chars[end..].iter().filter(|c| !matches!(c, '*' | '_')).take(40).collect();
    let (behind, spaced) = match rest.strip_prefix([' ', '\u{a0}', '\u{202f}', '-']) {
        Some(behind) => (behind, true),
        None => (rest.as_str(), false),
    };
    let words: Vec<String> = behind.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).take(4).map(str::to_lowercase).collect();
    let name = if behind.starts_with(char::is_alphabetic) { words.first().cloned().unwrap_or_default() } else { String::new() };
    let two = TWO_WORDS.iter().any(|two| behind.to_lowercase().starts_with(two));
    let percent = behind.starts_with('%') || two || PERCENT.contains(&name.as_str());
    let before_currency =
        || behind.chars().nth(1).is_some_and(|c| c == ' ' || "€$£".contains(c)) && behind.chars().take(4).any(|c| "€$£".contains(c));
    let size = SIZES.iter().find(|(size, _)| *size == name && (size.len() > 1 || !spaced || before_currency()));
    let unit = if behind.starts_with('%') { "%" } else { size.map_or("", |(size, _)| size) };
    let gap = if spaced && !unit.is_empty() { " " } else { "" };
    let scale = size.map_or(1.0, |(_, scale)| *scale);
    let plain = readings(&digits);
    let mut readings: Vec<Reading> = plain.iter().map(|r| Reading { value: r.value * scale, tolerance: r.tolerance * scale }).collect();
    // “280.9 thousand” may be what a query has worked out in thousands.
    readings.extend(plain.into_iter().filter(|r| scale > 1.0 && r.value.fract() != 0.0));
    let of = words.into_iter().find(|word| !BETWEEN.contains(&word.as_str())).unwrap_or_default();
    let before: String = chars[..start].iter().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect();
    let before = before.trim_end_matches(|c: char| !c.is_alphabetic() && !"~≈".contains(c)).to_lowercase();
    let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default().to_owned();
    let rough = ROUGH.contains(&last.as_str()) || before.ends_with(['~', '≈']);
    (!readings.is_empty()).then(|| Figure { text: format!("{digits}{gap}{unit}"), readings, percent, rough, unit: of })
}

/// What digits with their signs may mean.
fn readings(text: &str) -> Vec<Reading> {
    let plain: String = text.chars().filter(|c| !matches!(c, '’' | '\'' | ' ' | '\u{a0}' | '\u{202f}')).collect();
    let signs: Vec<(usize, char)> = plain.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
    let without = |kept: Option<usize>| -> String {
        let kept = |i: usize, c: char| if c.is_ascii_digit() { Some(c) } else { (Some(i) == kept).then_some('.') };
        plain.char_indices().filter_map(|(i, c)| kept(i, c)).collect()
    };
    let grouped = || reading(&without(None));
    let parted = |at: usize| reading(&without(Some(at)));
    let all = match (signs.as_slice(), signs.last().copied()) {
        ([], _) => vec![grouped()],
        ([(at, _)], _) if plain.len() - at - 1 == 3 && *at <= 3 => vec![grouped(), parted(*at)],
        ([(at, _)], _) => vec![parted(*at)],
        (several, Some((at, sign))) if several.iter().filter(|(_, c)| *c == sign).count() == 1 => vec![parted(at)],
        _ => vec![grouped()],
    };
    all.into_iter().flatten().collect()
}

fn reading(digits: &str) -> Option<Reading> {
    let value: f64 = digits.parse().ok()?;
    let decimals = digits.split_once('.').map_or(0, |(_, d)| d.len());
    Some(Reading { value, tolerance: 0.5 * 10f64.powi(-(decimals as i32)) + 1e-9 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        let told = told(text);
        let figures = told.figures.iter().map(|f| format!("{}{}", f.text, if f.rough { "~" } else { "" }));
        figures.chain(told.days.iter().map(|d| format!("[{}]", d.text))).collect::<Vec<_>>().join(" | ")
    }

    fn values(text: &str) -> Vec<f64> {
        told(text).figures.into_iter().flat_map(|f| f.readings).map(|r| r.value).collect()
    }

    #[test]
    fn figures_are_found_and_names_are_not() {
        insta::assert_snapshot!(seen("There are **17** tasks worth $1,234,567 (56.3 % of 2 million)."), @"17 | 1,234,567 | 56.3 % | 2 million");
        insta::assert_snapshot!(seen("1. Q3 of A-17\n2) the 3rd at 10:30, see https://x.test/12?q=7 and v2, WBS x_9"), @"");
        insta::assert_snapshot!(seen("- 2. foo\n(2) foo\n**2.** Foo\n2️⃣ open 24/7 until 10.30 Uhr"), @"");
        insta::assert_snapshot!(seen("about 19.2k, 1 234,50 €, 1’234.50 CHF, 12%, **56**%, **1.2** million, 1.2 M €, 450EUR and USD999"), @"19.2k~ | 1 234,50 | 1’234.50 | 12% | 56% | 1.2 million | 1.2 m | 450 | 999");
        insta::assert_snapshot!(seen("`=IF([Cost]@row > 500, 1)` and `7`, 56 per cent, a 17-day delay, 3 to the 5"), @"7 | 56 | 17 | 3 | 5");
    }

    #[test]
    fn what_a_sentence_counts_in_words_is_a_figure() {
        assert_eq!(seen("Five tasks are blocked. There are **two** others.\nEs gibt drei Zeilen"), "five | two | drei");
        assert_eq!(seen("In two weeks the two teams of Phase Two are done, one after the other."), "");
    }

    #[test]
    fn days_are_days() {
        insta::assert_snapshot!(seen("2026-11-29 is in 3 days; 2026-11-29T10:30:00Z; 12.11.2026, 5.12. and 11/29/2026"), @"3 | [2026-11-29] | [2026-11-29T10:30:00Z] | [12.11.2026] | [5.12.] | [11/29/2026]");
        insta::assert_snapshot!(seen("Nov 30 – Dec 6, 29. November 2026, 1st of March, November 29th, 2026, le 3 août, 3 marketing tasks"), @"3 | [Nov 30] | [Dec 6] | [29. November 2026] | [1st of March] | [November 29th, 2026] | [3 août]");
        assert_eq!(told("12.11.2026").days[0].readings, [(Some(2026), 11, 12)]);
    }

    #[test]
    fn every_reading_of_a_figure_counts() {
        assert_eq!(values("1,234"), [1_234.0, 1.234]);
        assert_eq!(values("1.234,50"), [1_234.5]);
        assert_eq!(values("1,234,567"), [1_234_567.0]);
        assert_eq!(values("12,5"), [12.5]);
        assert_eq!(values("19 237,04"), [19_237.04]);
        assert_eq!(values("280.9k"), [280_900.0, 280.9]);
        assert_eq!(values("1,2 M€"), [1_200_000.0, 1.2]);
        assert_eq!(told("17 working days").figures[0].unit, "days");
    }
}
