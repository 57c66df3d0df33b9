//! Adaptive Cards 1.5: the parts of the schema that the bot may use, and what a person reads in a card.

use serde_json::Value;

/// Characters of a card that Teams takes for certain.
const MAX_CHARS: usize = 28_000;

/// What is wrong with a card; `None` when Teams would take it.
pub fn fault(card: &Value) -> Option<String> {
    if card["type"] != "AdaptiveCard" || card["version"] != "1.5" {
        return Some("not an Adaptive Card 1.5".into());
    }
    let chars = card.to_string().encode_utf16().count();
    if chars > MAX_CHARS {
        return Some(format!("{chars} characters, {MAX_CHARS} are allowed"));
    }
    let body = card["body"].as_array().map(Vec::as_slice).unwrap_or_default();
    if body.is_empty() {
        return Some("a card without a body".into());
    }
    body.iter().find_map(element)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn element(element: &Value) -> Option<String> {
    match text(element, "type") {
        "TextBlock" => text(element, "text").is_empty().then(|| "a TextBlock without text".into()),
        "RichTextBlock" => {
            let runs = list(element, "inlines");
            if runs.is_empty() { Some("a RichTextBlock without inlines".into()) } else { runs.iter().find_map(run) }
        }
        "Table" => table(element),
        "Image" => (!text(element, "url").starts_with("http")).then(|| "an Image without an address".into()),
        "ActionSet" => {
            let actions = list(element, "actions");
            if !(1..=6).contains(&actions.len()) {
                Some(format!("{} actions side by side", actions.len()))
            } else {
                actions.iter().find_map(action)
            }
        }
        other => Some(format!("unsupported element {other:?}")),
    }
}

fn run(run: &Value) -> Option<String> {
    if run["type"] != "TextRun" || !run["text"].is_string() {
        return Some("an inline that is no TextRun with text".into());
    }
    let one_of = |key: &str, allowed: &[&str]| run[key].is_null() || allowed.contains(&text(run, key));
    if !one_of("weight", &["Default", "Lighter", "Bolder"]) || !one_of("size", &["Default", "Small", "Medium", "Large", "ExtraLarge"]) {
        return Some("an unknown weight or size".into());
    }
    if run["selectAction"].is_null() { None } else { action(&run["selectAction"]) }
}

fn table(table: &Value) -> Option<String> {
    let width = list(table, "columns").len();
    let rows = list(table, "rows");
    if width == 0 || rows.is_empty() {
        return Some("a Table without columns or rows".into());
    }
    for row in rows {
        let cells = list(row, "cells");
        if row["type"] != "TableRow" || cells.len() != width {
            return Some(format!("a row of {} cells in a Table of {width} columns", cells.len()));
        }
        for cell in cells {
            if cell["type"] != "TableCell" || list(cell, "items").is_empty() {
                return Some("a TableCell without items".into());
            }
            if let Some(wrong) = list(cell, "items").iter().find_map(element) {
                return Some(wrong);
            }
        }
    }
    None
}

fn action(action: &Value) -> Option<String> {
    match text(action, "type") {
        "Action.OpenUrl" => (!text(action, "url").starts_with("http")).then(|| "an Action.OpenUrl without an address".into()),
        "Action.Execute" if text(action, "title").is_empty() || text(action, "verb").is_empty() => {
            Some("an Action.Execute without title or verb".into())
        }
        "Action.Execute" => match action["style"].as_str() {
            None | Some("default" | "positive" | "destructive") => None,
            Some(other) => Some(format!("unknown style {other:?}")),
        },
        other => Some(format!("unsupported action {other:?}")),
    }
}

/// The data behind the button with this label.
pub(super) fn button(card: &Value, label: &str) -> Option<Value> {
    let actions = list(card, "body").iter().filter(|e| e["type"] == "ActionSet").flat_map(|e| list(e, "actions"));
    actions.into_iter().find(|a| a["title"] == label).cloned()
}

/// A card as lines of text.
pub(super) fn seen(card: &Value) -> String {
    list(card, "body").iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(element: &Value) -> String {
    let joined = |values: &[Value], with: &str, each: &dyn Fn(&Value) -> String| values.iter().map(each).collect::<Vec<_>>().join(with);
    match text(element, "type") {
        "TextBlock" => text(element, "text").replace('\\', ""),
        "RichTextBlock" => joined(list(element, "inlines"), "", &|r| text(r, "text").to_owned()),
        "Table" => joined(list(element, "rows"), "\n", &|row| {
            joined(list(row, "cells"), " | ", &|cell| joined(list(cell, "items"), " ", &line).trim().to_owned())
        }),
        "Image" => text(element, "altText").to_owned(),
        "ActionSet" => joined(list(element, "actions"), " ", &|a| format!("[{}]", text(a, "title"))),
        _ => String::new(),
    }
}
