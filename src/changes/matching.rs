//! Rows that a condition holds for, with what was left out and what may have been meant.

use super::Changes;
use super::plan::Plan;
use super::propose::Draft;
use crate::error::{Result, told};
use crate::locality::Locality;
use crate::sheet::{Snapshot, check, query};
use crate::smartsheet::Identity;
use serde_json::Value;
use std::sync::Arc;

/// The condition that nothing came of, and what may have been meant.
pub(super) fn of_condition(filter: Option<&str>, hints: &[String]) -> String {
    let hints: String = hints.iter().map(|h| format!("; {h}")).collect();
    match filter {
        Some(filter) => format!(" (condition: {filter}){hints}"),
        None => hints,
    }
}

/// The rows that a condition holds for.
pub(crate) struct Matching {
    /// The condition in the sheet's own words; `None` for all rows.
    pub filter: Option<String>,
    /// Their ids, and the values of the expressions for each.
    pub rows: Vec<(i64, Vec<Value>)>,
    /// What the condition left out, for people.
    pub warnings: Vec<String>,
    /// What may have been meant otherwise.
    pub hints: Vec<String>,
}

/// Finds the rows that match, with the values of the expressions for each.
pub(crate) async fn matching(snapshot: &Arc<Snapshot>, condition: &str, expressions: &[&str], locality: &Locality) -> Result<Matching> {
    let condition = condition.trim().trim_end_matches(';').trim();
    // Some write the word, too.
    let condition = match condition.get(..6) {
        Some(word) if word.eq_ignore_ascii_case("where ") => condition[6..].trim(),
        _ => condition,
    };
    if expressions.is_empty()
        && let Some(id) = condition.strip_prefix("row_id = ").and_then(|id| id.parse().ok())
    {
        // One row is found without copying the sheet into SQL.
        let row = snapshot.row(id);
        let filter = row.map_or_else(|| "row id is unknown".to_owned(), |row| format!("this row: {}", snapshot.label(row)));
        let rows = row.map(|row| (row.id, Vec::new())).into_iter().collect();
        return Ok(Matching { filter: Some(filter), rows, warnings: Vec::new(), hints: Vec::new() });
    }
    let all = condition.is_empty() || matches!(condition.replace(' ', "").to_lowercase().as_str(), "1=1" | "true" | "1");
    let mut sql = String::from("SELECT row_id");
    for expression in expressions {
        sql.push_str(&format!(", ({expression})"));
    }
    sql.push_str(" FROM sheet");
    if !all {
        sql.push_str(&format!(" WHERE ({condition})"));
    }
    let checked = check(&sql, snapshot, locality.here()).map_err(|e| told(format!("the condition cannot be used: {e}")))?;
    let filter = checked.filter.clone().filter(|_| !all);
    let readings = checked.readings.clone();
    let result = query(snapshot, &checked, usize::MAX).await.map_err(|e| told(format!("the condition cannot be used: {e}")))?;
    let row = |mut row: Vec<Value>| {
        let values = row.split_off(1);
        Some((row[0].as_str()?.parse().ok()?, values))
    };
    // A word that no cell has may be why fewer rows are found than are meant.
    let unknown = result.hints.iter().filter(|hint| hint.starts_with("no row has")).map(|hint| format!("{}.", sentence(hint)));
    let warnings = result.notes.iter().cloned().chain(unknown).collect();
    Ok(Matching {
        filter,
        rows: result.rows.into_iter().filter_map(row).collect(),
        warnings,
        hints: readings.into_iter().chain(result.hints).collect(),
    })
}

/// With a capital letter, and without a sign at its end.
fn sentence(words: &str) -> String {
    let mut chars = words.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Rows up to which what hangs on them is counted; of more it is said without a number.
const COUNTED: usize = 1_050;

impl Changes {
    /// Says what a deletion takes that undo cannot bring back. When Smartsheet cannot be asked, that is said without numbers.
    pub async fn warn_of_losses(&self, identity: &Identity, snapshot: &Snapshot, draft: &mut Draft) {
        let Plan::Delete { rows } = &draft.plan else { return };
        let ids: Vec<i64> = rows.iter().map(|r| r.row_id).collect();
        let hanging = match ids.len() {
            0..=COUNTED => self.sheets.client().hanging_on(identity, snapshot.id, &ids).await.ok(),
            _ => None,
        };
        draft.warnings.push("Undo brings rows back as new ones: links to them lead nowhere then.".to_owned());
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        match hanging {
            Some((0, 0)) => {}
            Some((comments, attachments)) => {
                let lost = [(comments, "comment"), (attachments, "attachment")].into_iter().filter(|(n, _)| *n > 0);
                let lost: Vec<String> = lost.map(|(n, what)| count(n, what)).collect();
                draft.warnings.push(format!("{} go with these rows, and undo does not bring them back.", lost.join(" and ")));
            }
            None => {
                draft.warnings.push("Comments and attachments of these rows go with them, and undo does not bring them back.".to_owned());
            }
        }
    }
}
