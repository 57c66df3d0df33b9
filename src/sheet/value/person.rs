//! People: by name, address, `Name <address>` or `Last, First`, from everybody that the sheet and its columns know.

use super::super::snapshot::SnapshotColumn;
use super::super::sql::nearest;
use super::super::typed::normal;
use super::{Coerced, parts, plain};
use serde_json::json;
use unicode_normalization::UnicodeNormalization;

/// Names that an error lists.
const MOST_LISTED: usize = 20;

pub(super) fn one(column: &SnapshotColumn, text: &str, people: &[(String, String)]) -> Result<Coerced, String> {
    let (email, name) = find(column, text, people)?;
    Ok(plain(email, name))
}

pub(super) fn several(column: &SnapshotColumn, text: &str, people: &[(String, String)]) -> Result<Coerced, String> {
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
fn find(column: &SnapshotColumn, text: &str, people: &[(String, String)]) -> Result<(String, String), String> {
    let (name, address) = name_and_address(text);
    if let Some(address) = address {
        let known = people.iter().find(|(email, _)| email.to_lowercase() == address.to_lowercase());
        return Ok(known.cloned().unwrap_or_else(|| (address.clone(), name.unwrap_or(address))));
    }
    let name = name.unwrap_or_default();
    let found = by_name(&name, people);
    match found.as_slice() {
        [one] => return Ok((*one).clone()),
        [] => {}
        [..] => {
            let names: Vec<String> = found.iter().map(|(email, name)| format!("{name} ({email})")).collect();
            return Err(format!(
                "more than one person in this sheet is called {name}: {}; use the full name or the e-mail address for {}",
                names.join(" and "),
                column.title
            ));
        }
    }
    let near = nearest(&name, people.iter().map(|(_, name)| name.clone()));
    let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let names: Vec<&str> = people.iter().map(|(_, n)| n.as_str()).take(MOST_LISTED).collect();
    let more = if people.len() > MOST_LISTED { ", …" } else { "" };
    let known = if names.is_empty() { String::new() } else { format!(", or one of: {}{more}", names.join(", ")) };
    Err(format!("I do not know the e-mail address of “{name}” for {}{guess}; use an e-mail address{known}", column.title))
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
fn by_name<'a>(name: &str, people: &'a [(String, String)]) -> Vec<&'a (String, String)> {
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
