//! Sample sheets as untidy as real ones: texts where dates, people and numbers are expected, a project, a wide sheet and a deep one.

use super::samples::{PEOPLE, sheet_of};
use super::world::World;
use super::{formulas, project};
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

pub(super) fn plant(world: &mut World, today: Date) {
    requests(world, today);
    office_move(world, today);
    inventory(world, today);
    organisation(world, today);
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|l| (*l).to_owned()).collect()
}

/// Titles that are words of SQL or of another script, ids that are numbers and texts, and dirt of every kind.
fn requests(world: &mut World, today: Date) {
    let columns = [
        "Request",
        "Order",
        "To",
        "Ticket",
        "Due Date:DATE",
        "Assigned To:CONTACT_LIST",
        "Cost:MONEY",
        "Rate",
        "Done:CHECKBOX",
        "Tier:PICKLIST=1,2,3",
        "Статус:PICKLIST=Open,Closed",
        "Spec",
    ];
    let rows = [
        "Desk lamps|1|Warehouse|1001|3|Dana Reyes|450|1,5||1|Open|Spec A",
        "Badge printer|2|Front desk|A-17|-4|Lee Park|1200|12%|yes|2|Closed|",
        "Coffee machine|3|Kitchen|1003|||n/a|||3|Open|Spec B",
        "Müller GmbH: signs|4|Façade|1004|12|Omar Haddad|2,300|tbd|||Open|",
        "Carpets|5|2nd floor|A-18|30|Mia Jensen|8900|300|yes|1|Closed|",
        "Plants|6|All|1006|||75|2||2||",
    ];
    sheet_of(world, "Supplier Requests", &columns, &owned(&rows), today);
    let text = |value: &str| json!({ "value": value, "displayValue": value });
    for (row, column, cell) in [
        ("Coffee machine", "Due Date", text("TBD")),
        ("Plants", "Due Date", text("after the move")),
        ("Coffee machine", "Assigned To", text("Brewmasters Ltd")),
        ("Carpets", "Done", json!({ "value": "n/a", "displayValue": "n/a" })),
        ("Müller GmbH: signs", "Tier", json!({ "value": 3.0, "displayValue": "3" })),
        ("Coffee machine", "Ticket", text("1003")),
        (
            "Desk lamps",
            "Spec",
            json!({ "value": "Spec A", "displayValue": "Spec A", "hyperlink": { "url": "https://docs.example.com/spec-a" } }),
        ),
        ("Badge printer", "Assigned To", json!({ "value": "lee.park@example.com", "displayValue": "Lee (contractor)" })),
    ] {
        world.put_cell("Supplier Requests", row, column, &cell);
    }
    reset_version(world, "Supplier Requests");
}

/// A project with dependencies: dates carry times, ends are computed, parents roll up.
fn office_move(world: &mut World, today: Date) {
    let columns = [
        "Task",
        "Start:ABSTRACT_DATETIME",
        "Finish:ABSTRACT_DATETIME",
        "Duration:DURATION",
        "Predecessors:PREDECESSOR",
        "% Complete:PERCENT",
        "Assigned:MULTI_CONTACT_LIST",
    ];
    let rows = [
        "Phase 1: Prepare||||||",
        "> Choose a site||||| 100|Dana Reyes",
        "> Design|||||50|Mia Jensen, Omar Haddad",
        "Phase 2: Build||||||",
        "> Permits||||| 10|Lee Park",
        "> Build|||||0|Omar Haddad",
        "> Paint|||||0|",
        "Moving day|||||0|Dana Reyes",
    ];
    let name = "🏢 Office Move";
    sheet_of(world, name, &columns, &owned(&rows), today);
    let Some(id) = world.sheet_id(name) else { return };
    let Some(sheet) = world.sheets.get_mut(&id) else { return };
    sheet.project = true;
    // Two holidays in the middle of the plan.
    let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
    sheet.holidays = vec![monday.saturating_add(31.days()), monday.saturating_add(32.days())];
    let tags = [
        "",
        "GANTT_START_DATE",
        "GANTT_END_DATE",
        "GANTT_DURATION",
        "GANTT_PREDECESSOR",
        "GANTT_PERCENT_COMPLETE",
        "GANTT_ASSIGNED_RESOURCE",
    ];
    for (column, tag) in sheet.columns.iter_mut().zip(tags).filter(|(_, tag)| !tag.is_empty()) {
        column.extra.insert("tags".into(), json!([tag]));
    }
    let contacts: Vec<Value> = PEOPLE.iter().map(|(name, email)| json!({ "name": name, "email": email })).collect();
    sheet.columns[6].extra.insert("contactOptions".into(), json!(contacts));
    let ids: Vec<i64> = sheet.columns.iter().map(|c| c.id).collect();
    let plan = [(1, "5d", None), (2, "10d", Some(1)), (4, "3d", Some(1)), (5, "15d", Some(4)), (6, "1w 2d", Some(5)), (7, "1d", Some(6))];
    for (row, duration, waits_for) in plan {
        let before = waits_for.map(|at: usize| (sheet.rows[at].id, at + 1));
        let cells = &mut sheet.rows[row].cells;
        cells.insert(ids[1], project::moment_of(&monday.to_string()).unwrap_or_default());
        cells.insert(ids[3], project::shown(duration));
        if let Some((id, number)) = before {
            let mut cell = project::shown(&number.to_string());
            let list = json!([{ "rowId": id, "type": "FS" }]);
            cell.insert("objectValue".into(), json!({ "objectType": "PREDECESSOR_LIST", "predecessors": list }));
            cells.insert(ids[4], cell);
        }
    }
    formulas::recompute(sheet);
}

/// As wide as lists get that grew over years.
fn inventory(world: &mut World, today: Date) {
    let described: Vec<String> = (0..80)
        .map(|c| match c {
            0 => "Asset".to_owned(),
            c if c % 4 == 1 => format!("Check {c}:CHECKBOX"),
            c if c % 4 == 2 => format!("Reading {c}"),
            c if c % 4 == 3 => format!("Checked {c}:DATE"),
            c => format!("Remark {c}"),
        })
        .collect();
    let described: Vec<&str> = described.iter().map(String::as_str).collect();
    let line = |r: usize| {
        let cell = |c: usize| match c {
            0 => format!("Asset {:03}", r + 1),
            c if c % 4 == 1 => if (r + c).is_multiple_of(3) { "yes" } else { "" }.to_owned(),
            c if c % 4 == 2 => {
                if (r * c) % 11 == 5 {
                    "n/a".to_owned()
                } else {
                    ((r * 7 + c) % 90).to_string()
                }
            }
            c if c % 4 == 3 => ((r + c) as i64 % 60 - 30).to_string(),
            _ => String::new(),
        };
        (0..80).map(cell).collect::<Vec<_>>().join("|")
    };
    sheet_of(world, "Asset Inventory", &described, &(0..12).map(line).collect::<Vec<_>>(), today);
}

/// Fourteen levels deep.
fn organisation(world: &mut World, today: Date) {
    let rows: Vec<String> = (0..14)
        .flat_map(|level: usize| {
            let indent = ">".repeat(level);
            [format!("{indent}Unit {}|{}|{}", level + 1, 40 - level * 2, PEOPLE[level % 6].0), format!("{indent}>Desk {}|1|", level + 1)]
        })
        .collect();
    sheet_of(world, "Organisation", &["Unit", "People", "Lead:CONTACT_LIST"], &rows, today);
}

fn reset_version(world: &mut World, name: &str) {
    if let Some(sheet) = world.sheets.values_mut().find(|s| s.name == name) {
        sheet.version = 1;
    }
}
