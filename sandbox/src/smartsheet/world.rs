//! What is there: sheets, rows, discussions, webhooks, and a log of every request.

use super::attachments::Attachment;
use super::error::Failure;
use super::samples::{self, Seed};
use crate::fault::Kind;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that the stand-in knows.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) origin: String,
    pub(crate) sheets: BTreeMap<i64, Sheet>,
    pub(crate) discussions: Vec<Discussion>,
    pub(crate) attachments: Vec<Attachment>,
    /// What cells were, by row and column, and when they became so; oldest first. A cell that never changed is missing.
    pub(crate) history: BTreeMap<(i64, i64), Vec<WasOnce>>,
    pub(crate) webhooks: BTreeMap<i64, Value>,
    pub(crate) changes: Vec<Value>,
    pub(crate) written: BTreeMap<i64, usize>,
    /// Cells with a link to another sheet: sheet, row and column.
    pub(crate) links: BTreeSet<(i64, i64, i64)>,
    /// Every request so far, oldest first.
    pub log: Vec<Logged>,
    ids: u64,
    ticks: i64,
    planted_at: String,
}

/// When a cell became what it was, and what that was.
pub(crate) type WasOnce = (String, Map<String, Value>);

tokio::task_local! {
    /// The `Smartsheet-Change-Agent` of the request that is being carried out.
    pub(crate) static AGENT: Option<String>;
}

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Logged {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Body, for all but GET.
    pub body: String,
    /// The `Smartsheet-Change-Agent` header.
    pub change_agent: Option<String>,
    /// The fault that was dealt to it.
    pub fault: Option<Kind>,
    /// The e-mail address of the person whose token it had.
    pub person: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    pub id: i64,
    pub name: String,
    pub version: i64,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub created_at: String,
    pub modified_at: String,
    pub access_level: &'static str,
    /// Whether it is a project: dependencies are enabled.
    pub project: bool,
    /// Days on which nobody works, beside weekends.
    pub holidays: Vec<jiff::civil::Date>,
    /// Where a row was found last.
    pub near: Cell<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub id: i64,
    pub title: String,
    pub kind: String,
    pub primary: bool,
    pub options: Vec<String>,
    /// How its numbers look, unless a cell has a format of its own.
    pub look: Look,
    pub extra: Map<String, Value>,
}

/// A format of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Money,
    Percent,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub id: i64,
    pub parent: Option<i64>,
    pub cells: BTreeMap<i64, Map<String, Value>>,
    pub created_at: String,
    pub modified_at: String,
    pub locked: bool,
    /// Whether its children are shown.
    pub expanded: bool,
    /// How it looks, as a format descriptor.
    pub format: Option<String>,
    /// Whether a filter of the account that asks hides it.
    pub filtered: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Discussion {
    pub id: i64,
    pub sheet: i64,
    pub row: Option<i64>,
    pub comments: Vec<Comment>,
}

#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub id: i64,
    pub text: String,
    pub created_at: String,
}

impl World {
    pub(crate) fn new(seed: Seed, today: jiff::civil::Date, origin: &str) -> Self {
        let mut world = Self { origin: origin.to_owned(), ..Self::default() };
        samples::plant(&mut world, seed, today);
        world.planted_at = world.at(world.ticks);
        world
    }

    /// Ids as the service makes them: large, unordered, below 2^53.
    pub(crate) fn new_id(&mut self) -> i64 {
        self.ids += 1;
        let mixed = self.ids.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 13;
        i64::try_from((1 << 50) | (mixed & ((1 << 52) - 1))).unwrap_or(i64::MAX)
    }

    /// Whether the search knows what was written at this moment: it is some writes behind, but for what was there at the start.
    pub(crate) fn is_indexed(&self, written_at: &str) -> bool {
        const BEHIND: i64 = 3;
        let horizon = self.at(self.ticks - BEHIND);
        written_at <= horizon.as_str() || written_at <= self.planted_at.as_str()
    }

    fn at(&self, ticks: i64) -> String {
        let start = jiff::Timestamp::constant(1_795_305_600, 0);
        start.checked_add(jiff::SignedDuration::from_secs(ticks)).unwrap_or(start).to_string()
    }

    /// Grows by a second with every call, so that order can be told.
    pub(crate) fn timestamp(&mut self) -> String {
        self.ticks += 1;
        self.at(self.ticks)
    }

    pub(crate) fn sheet(&self, id: i64) -> Result<&Sheet, Failure> {
        self.sheets.get(&id).ok_or_else(Failure::not_found)
    }

    pub(crate) fn sheet_mut(&mut self, id: i64) -> Result<&mut Sheet, Failure> {
        self.sheets.get_mut(&id).ok_or_else(Failure::not_found)
    }

    /// A write happened: version + 1, and something to tell the webhooks.
    pub(crate) fn touched(&mut self, sheet_id: i64, mut event: Value) -> i64 {
        let now = self.timestamp();
        event["timestamp"] = json!(now.replace('Z', ".000+0000"));
        if let Ok(Some(agent)) = AGENT.try_with(Clone::clone) {
            event["changeAgent"] = json!(agent);
        }
        if !self.webhooks.is_empty() {
            self.changes.push(json!({ "sheetId": sheet_id, "event": event }));
        }
        match self.sheets.get_mut(&sheet_id) {
            Some(sheet) => {
                sheet.version += 1;
                sheet.modified_at = now;
                sheet.version
            }
            None => 0,
        }
    }

    /// Notes that a cell is something else from now on.
    pub(crate) fn remember(&mut self, row: &Row, column: i64, new: &Map<String, Value>, now: &str) {
        let old = row.cells.get(&column);
        if old.is_none_or(|old| old != new) {
            let before = old.map(|old| (row.created_at.clone(), old.clone()));
            let entries = self.history.entry((row.id, column)).or_insert_with(|| before.into_iter().collect());
            entries.push((now.to_owned(), new.clone()));
        }
    }

    /// Takes rows out of a sheet, and what hangs on them; returns the new version.
    pub(crate) fn forget_rows(&mut self, sheet_id: i64, gone: &BTreeSet<i64>) -> Result<i64, Failure> {
        let sheet = self.sheet_mut(sheet_id)?;
        sheet.rows.retain(|row| !gone.contains(&row.id));
        super::formulas::recompute(sheet);
        let stays = |row: Option<i64>| row.is_none_or(|row| !gone.contains(&row));
        self.discussions.retain(|one| stays(one.row));
        self.attachments.retain(|one| stays(one.row));
        let mut version = self.sheet(sheet_id)?.version;
        for id in gone {
            version = self.touched(sheet_id, json!({ "objectType": "row", "eventType": "deleted", "id": id }));
        }
        Ok(version)
    }

    /// Switches the webhooks of a sheet off, and tells nobody.
    pub fn silence_webhooks(&mut self, sheet: &str) {
        let id = self.sheet_id(sheet);
        for webhook in self.webhooks.values_mut().filter(|w| id.is_some() && w["scopeObjectId"].as_i64() == id) {
            webhook["enabled"] = json!(false);
            webhook["status"] = json!("DISABLED_CALLBACK_FAILED");
        }
    }

    /// The states of the webhooks of a sheet.
    pub fn webhooks_of(&self, sheet: &str) -> Vec<String> {
        let id = self.sheet_id(sheet);
        let of_sheet = self.webhooks.values().filter(|w| id.is_some() && w["scopeObjectId"].as_i64() == id);
        of_sheet.map(|w| w["status"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The id of the sheet with this name.
    pub fn sheet_id(&self, name: &str) -> Option<i64> {
        self.sheets.values().find(|s| s.name == name).map(|s| s.id)
    }

    /// The names of all sheets.
    pub fn names(&self) -> Vec<String> {
        self.sheets.values().map(|s| s.name.clone()).collect()
    }

    /// The link for people to the sheet with this name.
    pub fn permalink(&self, name: &str) -> Option<String> {
        self.sheets.values().find(|s| s.name == name).map(|s| s.permalink(&self.origin))
    }

    /// The version of the sheet with this name.
    pub fn version(&self, name: &str) -> Option<i64> {
        self.sheets.values().find(|s| s.name == name).map(|s| s.version)
    }

    /// The id of the column with this title.
    pub fn column_id(&self, sheet: &str, title: &str) -> Option<i64> {
        let sheet = self.sheets.values().find(|s| s.name == sheet)?;
        sheet.columns.iter().find(|c| c.title == title).map(|c| c.id)
    }

    /// The id of the row that is called so by its primary cell.
    pub fn row_id(&self, sheet: &str, row: &str) -> Option<i64> {
        let sheet = self.sheets.values().find(|s| s.name == sheet)?;
        let primary = sheet.columns.iter().find(|c| c.primary)?.id;
        sheet.rows.iter().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row)).map(|r| r.id)
    }

    /// How often each row was added or changed by a request, by row id; rows that never were are missing.
    pub fn times_written(&self) -> &BTreeMap<i64, usize> {
        &self.written
    }

    /// The words of all comments on a sheet and its rows, oldest first.
    pub fn comments(&self, sheet: &str) -> Vec<String> {
        let id = self.sheet_id(sheet);
        let of_sheet = self.discussions.iter().filter(|d| Some(d.sheet) == id);
        of_sheet.flat_map(|d| d.comments.iter().map(|c| c.text.clone())).collect()
    }

    /// The columns of a sheet, by title.
    pub fn column_titles(&self, sheet: &str) -> Vec<String> {
        let of = |s: &Sheet| s.columns.iter().map(|c| c.title.clone()).collect();
        self.sheets.values().find(|s| s.name == sheet).map(of).unwrap_or_default()
    }

    /// Every row of a sheet as shown values by column title, top to bottom; `_parent` names the parent row.
    pub fn rows(&self, sheet: &str) -> Vec<BTreeMap<String, String>> {
        let Some(sheet) = self.sheets.values().find(|s| s.name == sheet) else { return Vec::new() };
        let primary = |id: i64| {
            let row = sheet.rows.iter().find(|r| r.id == id)?;
            let column = sheet.columns.iter().find(|c| c.primary)?;
            row.cells.get(&column.id).map(shown)
        };
        let row = |row: &Row| -> BTreeMap<String, String> {
            let mut cells: BTreeMap<String, String> = sheet
                .columns
                .iter()
                .filter_map(|c| Some((c.title.clone(), shown(row.cells.get(&c.id)?))))
                .filter(|(_, v)| !v.is_empty())
                .collect();
            if let Some(parent) = row.parent.and_then(primary) {
                cells.insert("_parent".into(), parent);
            }
            cells
        };
        sheet.rows.iter().map(row).collect()
    }

    /// From now on the token has these rights on a sheet: `OWNER`, `EDITOR`, `VIEWER` …
    pub fn set_access(&mut self, sheet: &str, level: &'static str) {
        if let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) {
            sheet.access_level = level;
            sheet.version += 1;
        }
    }

    /// Nobody shares the sheet with the bot any more.
    pub fn withdraw(&mut self, sheet: &str) {
        self.sheets.retain(|_, s| s.name != sheet);
    }

    /// A day becomes one on which nobody works.
    pub fn add_holiday(&mut self, sheet: &str, day: jiff::civil::Date) {
        if let Some(sheet) = self.sheet_id(sheet).and_then(|id| self.sheets.get_mut(&id)) {
            sheet.holidays.push(day);
            sheet.version += 1;
            super::formulas::recompute(sheet);
        }
    }

    /// Makes a sheet one of a project: it gets columns for start and duration, which only Smartsheet itself can make, and its
    /// first row has both.
    pub fn make_project(&mut self, sheet: &str) {
        let columns = [("Start", "ABSTRACT_DATETIME", "2026-03-02T08:00:00"), ("Duration", "DURATION", "5d 4h")];
        let columns = columns.map(|of| (self.new_id(), of));
        let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) else { return };
        for (id, (title, kind, value)) in columns {
            let column = Column {
                id,
                title: title.into(),
                kind: kind.into(),
                primary: false,
                options: Vec::new(),
                look: Look::default(),
                extra: Map::new(),
            };
            sheet.columns.push(column);
            let cell = [("columnId", json!(id)), ("value", json!(value)), ("displayValue", json!(value))];
            // Dates have no other look than their value.
            let cell = cell.into_iter().filter(|(key, _)| kind == "DURATION" || *key != "displayValue");
            if let Some(row) = sheet.rows.first_mut() {
                row.cells.insert(id, cell.map(|(key, value)| (key.to_owned(), value)).collect());
            }
        }
        sheet.version += 1;
    }

    /// A personal filter of the account hides this row in Smartsheet. Whoever excludes what is filtered out does not get it.
    pub fn filter_out(&mut self, sheet: &str, row: &str) {
        let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) else { return };
        let Some(primary) = sheet.columns.iter().find(|c| c.primary).map(|c| c.id) else { return };
        if let Some(row) = sheet.rows.iter_mut().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row)) {
            row.filtered = true;
        }
    }

    /// Deletes a column as another person would.
    pub fn drop_column(&mut self, sheet: &str, column: &str) {
        if let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) {
            sheet.columns.retain(|c| c.title != column);
            sheet.version += 1;
        }
    }

    /// Locks the row that is called so by its primary cell. The version stays, as a lock set by an owner may be unseen.
    pub fn lock_row(&mut self, sheet: &str, row: &str) {
        let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) else { return };
        let Some(primary) = sheet.columns.iter().find(|c| c.primary).map(|c| c.id) else { return };
        if let Some(row) = sheet.rows.iter_mut().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row)) {
            row.locked = true;
        }
    }

    /// Changes a cell as another person would, behind the bot's back. The row is named by its primary cell.
    pub fn edit(&mut self, sheet: &str, row: &str, column: &str, value: Value) {
        let Some(id) = self.sheet_id(sheet) else { return };
        let Some(sheet) = self.sheets.get_mut(&id) else { return };
        let Some(primary) = sheet.columns.iter().find(|c| c.primary).map(|c| c.id) else { return };
        let Some(column) = sheet.columns.iter().find(|c| c.title == column).cloned() else { return };
        let found = sheet.rows.iter_mut().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row));
        let Some(row) = found else { return };
        let (row_id, before) = (row.id, row.clone());
        let typed = json!({ "columnId": column.id, "value": value, "strict": false, "overrideValidation": true });
        if let Ok(cell) = super::cells::accept(&column, &typed, true) {
            row.cells.insert(column.id, cell.clone());
            super::formulas::recompute(sheet);
            let now = self.timestamp();
            self.remember(&before, column.id, &cell, &now);
        }
        self.touched(id, json!({ "objectType": "cell", "eventType": "updated", "rowId": row_id, "columnId": column.id }));
    }
}

/// What a person sees in a cell.
pub(crate) fn shown(cell: &Map<String, Value>) -> String {
    match (cell.get("displayValue"), cell.get("value")) {
        (Some(Value::String(s)), _) | (None, Some(Value::String(s))) => s.clone(),
        (_, Some(Value::Null) | None) => String::new(),
        (_, Some(other)) => other.to_string(),
    }
}

impl Sheet {
    pub fn permalink(&self, origin: &str) -> String {
        format!("{origin}/sheets/{}", self.id)
    }

    pub fn column(&self, id: i64) -> Option<&Column> {
        self.columns.iter().find(|c| c.id == id)
    }

    /// The index of a row. Rows are mostly asked for one after the other, so it is looked for from the last one on.
    pub fn position(&self, row: i64) -> Option<usize> {
        let near = self.near.get().min(self.rows.len());
        let here = |r: &Row| r.id == row;
        let found = self.rows[near..].iter().position(here).map(|i| near + i).or_else(|| self.rows[..near].iter().position(here));
        self.near.set(found.unwrap_or(0));
        found
    }

    /// The index just behind the last descendant of the row at `index`.
    pub fn end_of_family(&self, index: usize) -> usize {
        let mut family = vec![self.rows[index].id];
        let mut end = index + 1;
        while end < self.rows.len() && self.rows[end].parent.is_some_and(|p| family.contains(&p)) {
            family.push(self.rows[end].id);
            end += 1;
        }
        end
    }

    pub fn column_json(&self, column: &Column) -> Value {
        let index = self.columns.iter().position(|c| c.id == column.id).unwrap_or(0);
        let multi = column.kind.starts_with("MULTI_");
        let version = if multi { if column.kind == "MULTI_PICKLIST" { 2 } else { 1 } } else { 0 };
        let mut json = json!({
            "id": column.id, "version": version, "index": index, "title": column.title,
            "type": column.kind, "validation": false, "width": 150,
        });
        if column.primary {
            json["primary"] = json!(true);
        }
        if !column.options.is_empty() {
            json["options"] = json!(column.options);
        }
        for (key, value) in &column.extra {
            json[key] = value.clone();
        }
        if column.extra.get("locked") == Some(&json!(true)) {
            json["lockedForUser"] = json!(!super::cells::is_admin(self.access_level));
        }
        json
    }
}
