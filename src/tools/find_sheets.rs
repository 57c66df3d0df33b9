//! `find_sheets`: which sheets there are, by name, workspace or content; and what a name means.

use super::{Context, Output, Tool, arguments, object};
use crate::access::SheetScope;
use crate::error::{Result, told};
use crate::sheet::{SheetId, Sheets, smartsheet_trouble};
use crate::smartsheet::{Identity, SheetEntry};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "find_sheets",
    description: "Lists sheets: all, or those whose name, workspace or content matches.",
    parameters: || object(json!({ "query": { "type": ["string", "null"], "description": "null: all." } })),
    run: |context, value| Box::pin(run(context, value)),
};

const MOST: usize = 20;

/// Links to what is no sheet: a part of their address, what it is, and what to do instead.
const OTHER_LINKS: [(&str, &str, &str); 6] = [
    ("/reports/", "a report", "send me the link of the sheet that its rows come from"),
    ("/dashboards/", "a dashboard", "send me the link of a sheet that it shows"),
    ("/sights/", "a dashboard", "send me the link of a sheet that it shows"),
    ("/b/form/", "a form", "send me the link of the sheet that its answers go to"),
    ("/workspaces/", "a workspace", "ask me for the sheets in it by its name"),
    ("/folders/", "a folder", "open a sheet in it and send me its link"),
];

#[derive(Deserialize)]
struct Arguments {
    query: Option<String>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { query } = arguments(value)?;
    let query = query.filter(|q| !q.trim().is_empty());
    let all = sheets(&context.sheets, &context.identity, &context.scope).await?;
    let mut found: Vec<SheetEntry> = match &query {
        None => all,
        Some(query) => all.iter().filter(|s| s.name.to_lowercase().contains(&query.to_lowercase())).cloned().collect(),
    };
    if let (true, Some(query)) = (found.is_empty(), &query) {
        found = elsewhere(context, query).await?.into_iter().filter(|s| context.scope.allows(SheetId(s.id))).collect();
    }
    let total = found.len();
    let list: Vec<Value> = found.iter().take(MOST).map(|s| json!({ "id": s.id.to_string(), "name": s.name })).collect();
    Ok(Output::json(json!({ "sheets": list, "total": total })))
}

/// By the name of a workspace, then by content.
async fn elsewhere(context: &Context, query: &str) -> Result<Vec<SheetEntry>> {
    let client = context.sheets.client();
    let workspaces = client.workspaces(&context.identity).await.map_err(smartsheet_trouble)?;
    if let Some(workspace) = workspaces.iter().find(|w| w.name.to_lowercase() == query.to_lowercase()) {
        return client.workspace_sheets(&context.identity, workspace.id).await.map_err(smartsheet_trouble);
    }
    let hits = client.search(&context.identity, query).await.map_err(smartsheet_trouble)?;
    let mut found: Vec<SheetEntry> = Vec::new();
    for hit in hits {
        let (id, name) = match hit.object_type.as_str() {
            "sheet" => (Some(hit.object_id), Some(hit.text)),
            "row" | "discussion" => (hit.parent_object_id, hit.parent_object_name),
            _ => continue,
        };
        if let (Some(id), Some(name)) = (id, name)
            && !found.iter().any(|s| s.id == id)
        {
            found.push(SheetEntry { id, name, permalink: String::new(), modified_at: String::new(), resource_type: "sheet".into() });
        }
    }
    Ok(found)
}

/// The sheets that may be used, of those that the identity can see.
async fn sheets(sheets: &Sheets, identity: &Identity, scope: &SheetScope) -> Result<Vec<SheetEntry>> {
    let mut all = sheets.client().sheets(identity).await.map_err(smartsheet_trouble)?;
    all.retain(|sheet| scope.allows(SheetId(sheet.id)));
    Ok(all)
}

/// What a name, id or link leads to.
pub enum Match {
    /// Exactly one sheet.
    One(SheetEntry),
    /// Several: ask which.
    Several(Vec<SheetEntry>),
    /// None; these are there, last changed first.
    None(Vec<SheetEntry>),
}

/// Finds the sheet that a person means: by link, id, name, or part of a name.
///
/// # Errors
/// What people are told when Smartsheet does not answer.
pub async fn resolve(from: &Sheets, identity: &Identity, scope: &SheetScope, wanted: &str) -> Result<Match> {
    among(sheets(from, identity, scope).await?, wanted)
}

/// The same among these sheets.
///
/// # Errors
/// What people are told whose link leads to something else than a sheet.
pub fn among(mut all: Vec<SheetEntry>, wanted: &str) -> Result<Match> {
    let wanted = wanted.trim().trim_matches(['<', '>', '"', '“', '”', '*', '`']).trim();
    all.sort_by(|a, b| b.modified_at.cmp(&a.modified_at));
    if wanted.is_empty() {
        return Ok(Match::None(all));
    }
    let link = wanted.split(['?', '|', '#']).next().unwrap_or(wanted);
    if let Some(kind) = OTHER_LINKS.iter().find(|(part, ..)| link.contains("://") && link.contains(part)) {
        return Err(told(format!("That is the link of {}. I work with sheets: {}.", kind.1, kind.2)));
    }
    let lower = wanted.to_lowercase();
    // Some platforms leave out how an address begins.
    let address = |of: &str| of.trim_start_matches("https://").trim_start_matches("http://").to_owned();
    let tests: [&dyn Fn(&SheetEntry) -> bool; 4] = [
        &|s| s.id.to_string() == wanted || (link.contains("/sheets/") && address(&s.permalink) == address(link)),
        &|s| s.name == wanted,
        &|s| s.name.to_lowercase() == lower,
        &|s| s.name.to_lowercase().contains(&lower),
    ];
    for test in tests {
        let mut found: Vec<SheetEntry> = all.iter().filter(|s| test(s)).cloned().collect();
        match found.len() {
            0 => {}
            1 => return Ok(Match::One(found.remove(0))),
            _ => return Ok(Match::Several(found)),
        }
    }
    Ok(Match::None(all))
}

/// The one sheet of this name, for a function's argument.
pub(super) async fn only(context: &Context, name: &str) -> Result<SheetId> {
    match resolve(&context.sheets, &context.identity, &context.scope, name).await? {
        Match::One(sheet) => Ok(SheetId(sheet.id)),
        Match::Several(sheets) => {
            let list: Vec<String> = sheets.iter().take(MOST).map(|s| format!("{} (id {})", s.name, s.id)).collect();
            Err(told(format!("several sheets match {name}: {}; give the id", list.join(", "))))
        }
        Match::None(_) => Err(told(format!("there is no sheet called {name} that I can see; use find_sheets"))),
    }
}
