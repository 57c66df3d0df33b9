//! People: by name, address, `Name <address>` or `Last, First`, from everybody whom the sheet, its columns or the author know.

use super::super::snapshot::SnapshotColumn;
use super::super::sql::nearest;
use super::super::typed::normal;
use super::{Coerced, Unfit, parts, plain};
use crate::error::Choice;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

/// Names that an error lists.
const MOST_LISTED: usize = 20;

/// Whom a name can mean: people of the sheet first, then others. Each is an address and a name.
pub(super) struct People<'a> {
    pub of_sheet: Vec<(String, String)>,
    pub others: &'a [(String, String)],
}

impl People<'_> {
    fn all(&self) -> impl Iterator<Item = &(String, String)> {
        self.of_sheet.iter().chain(self.others)
    }
}

pub(super) fn one(column: &SnapshotColumn, text: &str, people: &People<'_>) -> Result<Coerced, Unfit> {
    let (email, name) = find(column, text, people)?;
    Ok(plain(email, name))
}

pub(super) fn several(column: &SnapshotColumn, text: &str, people: &People<'_>) -> Result<Coerced, Unfit> {
    let (mut values, mut shown) = (Vec::new(), Vec::new());
    for part in parts(text, |part| find(column, part, people).is_ok() || (part.contains(',') && part.contains('<') && part.contains('>'))) {
        let (email, name) = find(column, part, people)?;
        let value = json!({ "objectType": "CONTACT", "email": email, "name": name });
        if !values.contains(&value) {
            values.push(value);
            shown.push(name);
        }
    }
    Ok(plain(json!({ "objectType": "MULTI_CONTACT", "values": values }), shown.join(", ")))
}

/// The address and the name of the person that a text means.
fn find(column: &SnapshotColumn, text: &str, people: &People<'_>) -> Result<(String, String), Unfit> {
    let (name, address) = name_and_address(text);
    if let Some(address) = address {
        let known = people.all().find(|(email, _)| email.to_lowercase() == address.to_lowercase());
        return Ok(known.cloned().unwrap_or_else(|| (address.clone(), name.unwrap_or(address))));
    }
    let name = name.unwrap_or_default();
    // Half an address is no name.
    let whole = !name.contains('@');
    let mut found = if whole { by_name(&name, &people.of_sheet) } else { Vec::new() };
    if found.is_empty() && whole {
        found = by_name(&name, people.others);
    }
    match found.as_slice() {
        [one] => return Ok((*one).clone()),
        [] => {}
        [..] => return Err(either(column, &name, &found)),
    }
    let near = nearest(&name, people.all().map(|(_, name)| name.clone()));
    let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let names: Vec<&str> = people.of_sheet.iter().map(|(_, n)| n.as_str()).take(MOST_LISTED).collect();
    let more = if people.of_sheet.len() > MOST_LISTED { ", …" } else { "" };
    let known = if names.is_empty() { String::new() } else { format!(", or one of: {}{more}", names.join(", ")) };
    Err(format!("I do not know the e-mail address of “{name}” for {}{guess}; use an e-mail address{known}", column.title).into())
}

/// A name that fits several people: who they are, to be chosen from.
fn either(column: &SnapshotColumn, name: &str, found: &[&(String, String)]) -> Unfit {
    let full = |(email, name): &(String, String)| format!("{name} ({email})");
    let names: Vec<String> = found.iter().map(|person| full(person)).collect();
    let choices = found.iter().map(|person| {
        let alone = found.iter().filter(|(_, name)| *name == person.1).count() == 1;
        Choice { label: if alone { person.1.clone() } else { full(person) }, says: person.0.clone() }
    });
    Unfit {
        why: format!("more than one person is called “{name}”: {}; ask which one is meant for {}", names.join(" and "), column.title),
        choices: choices.collect(),
    }
}

/// `Dana Reyes <dana@x.test>`, `mailto:dana@x.test`, `<mailto:dana@x.test|dana@x.test>`, `@Dana Reyes`.
fn name_and_address(text: &str) -> (Option<String>, Option<String>) {
    let text = text.trim();
    let address = |text: &str| {
        let text = text.trim().split('|').next().unwrap_or_default();
        let text = text.strip_prefix("mailto:").unwrap_or(text).trim();
        is_email(text).then(|| text.to_owned())
    };
    if let Some((name, rest)) = text.split_once('<')
        && let Some(found) = address(rest.trim_end_matches('>'))
    {
        let name = name.trim().trim_matches('"').trim();
        return (Some(in_order(name)).filter(|n| !n.is_empty()), Some(found));
    }
    if let Some(found) = address(text) {
        return (None, Some(found));
    }
    (Some(in_order(text.trim_start_matches('@'))), None)
}

/// A name with single spaces; `Reyes, Dana` as `Dana Reyes`.
fn in_order(name: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.split_once(',') {
        Some((last, first)) if !first.contains(',') => words(&format!("{first} {last}")),
        _ => words(name),
    }
}

/// Everybody whom a name fits best: the full name, the same without accents, the first name, the last name.
pub fn by_name<'a>(name: &str, people: &'a [(String, String)]) -> Vec<&'a (String, String)> {
    let lower = |text: &str| normal(&in_order(text)).to_lowercase();
    let bare = |text: &str| lower(text).nfd().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect::<String>();
    let (wanted, wanted_bare) = (lower(name), bare(name));
    let fits: [&dyn Fn(&str) -> bool; 4] = [
        &|of| lower(of) == wanted,
        &|of| bare(of) == wanted_bare,
        &|of| bare(of).split_whitespace().next() == Some(wanted_bare.as_str()),
        &|of| bare(of).split_whitespace().last() == Some(wanted_bare.as_str()),
    ];
    let found = fits.iter().map(|fits| people.iter().filter(|(_, of)| fits(of)).collect::<Vec<_>>());
    found.into_iter().find(|found| !found.is_empty() && !wanted_bare.is_empty()).unwrap_or_default()
}

fn is_email(text: &str) -> bool {
    let valid = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>,;:\"".contains(c));
    text.split_once('@').is_some_and(|(user, host)| valid(user) && valid(host) && host.contains('.') && !host.contains('@'))
}
