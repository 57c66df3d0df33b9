//! Block Kit: the documented limits, and what a person reads in a message.

use serde_json::Value;

/// What is wrong with the blocks; `None` when Slack would take them.
pub fn fault(blocks: &[Value]) -> Option<String> {
    if blocks.len() > 50 {
        return Some(format!("{} blocks, 50 are allowed", blocks.len()));
    }
    if blocks.iter().filter(|b| b["type"] == "table").count() > 1 {
        return Some("only one table is allowed".into());
    }
    let mut action_ids = Vec::new();
    for block in blocks {
        let wrong = match block["type"].as_str() {
            Some("section") => text(&block["text"], 3000),
            Some("header") => text(&block["text"], 150),
            Some("divider") => None,
            Some("context") => context(block),
            Some("image") => (!block["image_url"].is_string() || chars(&block["alt_text"]) > 2000).then(|| "bad image".to_owned()),
            Some("actions") => actions(block, &mut action_ids),
            Some("table") => table(block),
            other => Some(format!("unsupported block type {other:?}")),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |s| s.chars().count())
}

fn text(object: &Value, max: usize) -> Option<String> {
    let n = chars(&object["text"]);
    let kind = matches!(object["type"].as_str(), Some("mrkdwn" | "plain_text"));
    if !kind || n == 0 || n > max {
        return Some(format!("text of {n} characters, 1 to {max} are allowed"));
    }
    None
}

fn context(block: &Value) -> Option<String> {
    let elements = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    if elements.is_empty() || elements.len() > 10 {
        return Some("a context block has 1 to 10 elements".into());
    }
    elements.iter().find_map(|e| text(e, 3000))
}

fn actions(block: &Value, ids: &mut Vec<String>) -> Option<String> {
    let elements = block["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    if elements.is_empty() || elements.len() > 25 {
        return Some("an actions block has 1 to 25 elements".into());
    }
    for element in elements {
        let id = element["action_id"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() || id.chars().count() > 255 || ids.contains(&id) {
            return Some("action_id is missing, too long or used twice".into());
        }
        ids.push(id);
        if let Some(wrong) = text(&element["text"], 75) {
            return Some(wrong);
        }
        if chars(&element["value"]) > 2000 {
            return Some("the value of a button has at most 2000 characters".into());
        }
        if !matches!(element["style"].as_str(), None | Some("primary" | "danger")) {
            return Some("unknown button style".into());
        }
    }
    None
}

fn table(block: &Value) -> Option<String> {
    let rows = block["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() || rows.len() > 100 {
        return Some(format!("{} rows in a table, 1 to 100 are allowed", rows.len()));
    }
    let mut all = 0;
    let width = rows[0].as_array().map_or(0, Vec::len);
    for row in rows {
        let cells = row.as_array().map(Vec::as_slice).unwrap_or_default();
        if cells.is_empty() || cells.len() > 20 || cells.len() != width {
            return Some(format!("{} cells in a row of a table", cells.len()));
        }
        for cell in cells {
            let shown = cell_text(cell);
            if shown.trim().is_empty() {
                return Some("empty cell in a table".into());
            }
            all += shown.chars().count();
        }
    }
    (all > 10_000).then(|| format!("{all} characters in a table, 10000 are allowed"))
}

fn cell_text(cell: &Value) -> String {
    if cell["type"] == "raw_text" {
        return cell["text"].as_str().unwrap_or_default().to_owned();
    }
    let sections = cell["elements"].as_array().into_iter().flatten();
    let parts = sections.flat_map(|s| s["elements"].as_array().into_iter().flatten());
    parts.filter_map(|p| p["text"].as_str()).collect()
}

/// Blocks as lines of text.
pub(super) fn seen(blocks: &[Value]) -> String {
    let lines = blocks.iter().map(|block| match block["type"].as_str() {
        Some("section" | "header") => unescape(block["text"]["text"].as_str().unwrap_or_default()),
        Some("context") => block["elements"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["text"].as_str())
            .map(unescape)
            .collect::<Vec<_>>()
            .join(" "),
        Some("actions") => block["elements"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["text"]["text"].as_str())
            .map(|l| format!("[{l}]"))
            .collect::<Vec<_>>()
            .join(" "),
        Some("table") => {
            let rows = block["rows"].as_array().into_iter().flatten();
            rows.map(|r| r.as_array().into_iter().flatten().map(cell_text).collect::<Vec<_>>().join(" | ")).collect::<Vec<_>>().join("\n")
        }
        Some("image") => block["alt_text"].as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Slack's markup as people see it: links by their label, no stars, entities as characters.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>').map(|e| e + start) else { break };
        let inner = &rest[start + 1..end];
        out.push_str(inner.split_once('|').map_or(inner, |(_, label)| label));
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out.replace('*', "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
