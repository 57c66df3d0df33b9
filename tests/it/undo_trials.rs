//! Random sheets, random changes, and undo: whatever `GET` shows of a sheet is the same afterwards.

use crate::dice::Dice;
use crate::jobs::new_job;
use crate::world::{Setting, World};
use sandbox::azure::{Mode, Reply};
use sandbox::smartsheet::Options;
use serde_json::{Map, Value, json};

/// Changes of each trial run; each is taken back.
const CHANGES: u64 = 20;

fn shown(value: &str) -> Value {
    json!({ "value": value, "displayValue": value })
}

/// Everything that a column may be, with what may stand in its cells: what fits, and what does not.
fn columns() -> Vec<(Value, Vec<Value>)> {
    let contact = |name: &str, email: &str| json!({ "value": email, "displayValue": name });
    let several = |values: Value, kind: &str| {
        let names: Vec<&str> = values.as_array().into_iter().flatten().filter_map(|v| v.as_str().or(v["name"].as_str())).collect();
        json!({ "value": names.join(", "), "displayValue": names.join(", "), "objectValue": { "objectType": kind, "values": values } })
    };
    let link = json!({ "value": "Spec", "displayValue": "Spec", "hyperlink": { "url": "https://docs.example.com/a" } });
    let to_sheet = json!({ "value": "Plan", "displayValue": "Plan", "hyperlink": { "sheetId": 4_711 } });
    let number = |n: f64| json!({ "value": n, "displayValue": n.to_string() });
    let sum = json!({ "formula": "=1+1", "value": "#UNPARSEABLE", "displayValue": "#UNPARSEABLE" });
    vec![
        (
            json!({ "title": "Text", "type": "TEXT_NUMBER", "description": "What it is", "width": 210 }),
            vec![shown("a"), shown("=1+1"), link, to_sheet, number(5.0), sum],
        ),
        (
            json!({ "title": "Amount", "type": "TEXT_NUMBER", "format": ",,,,,,,,,,,13,,,,," }),
            vec![number(12.5), number(-3.0), shown("tbd"), shown("1,234"), shown("00123")],
        ),
        (json!({ "title": "Due", "type": "DATE" }), vec![json!({ "value": "2026-12-01" }), shown("TBD"), shown("after Easter")]),
        (
            json!({ "title": "Done", "type": "CHECKBOX", "symbol": "STAR" }),
            vec![json!({ "value": true }), shown("n/a"), json!({ "value": false })],
        ),
        (
            json!({ "title": "Owner", "type": "CONTACT_LIST", "contactOptions": [{ "name": "Mia Jensen", "email": "mia.jensen@example.com" }] }),
            vec![
                contact("Dana R. (contractor)", "dana.reyes@example.com"),
                shown("External vendor"),
                json!({ "value": "omar.haddad@example.com", "displayValue": "Omar Haddad" }),
            ],
        ),
        (
            json!({ "title": "Team", "type": "MULTI_CONTACT_LIST" }),
            vec![several(
                json!([{ "objectType": "CONTACT", "email": "dana.reyes@example.com", "name": "Dana Reyes" }, { "objectType": "CONTACT", "email": "lee.park@example.com", "name": "Lee Park" }]),
                "MULTI_CONTACT",
            )],
        ),
        (
            json!({ "title": "Health", "type": "PICKLIST", "options": ["Red", "Yellow", "Green"], "symbol": "RYG", "validation": true }),
            vec![shown("Red"), shown("Green"), shown("Purple")],
        ),
        (json!({ "title": "Tier", "type": "PICKLIST", "options": ["1", "2", "3"] }), vec![shown("1"), number(3.0), shown("gold")]),
        (
            json!({ "title": "Tags", "type": "MULTI_PICKLIST", "options": ["Legal", "Data", "Red, dark"] }),
            vec![several(json!(["Legal", "Red, dark"]), "MULTI_PICKLIST")],
        ),
        (
            json!({ "title": "Total", "type": "TEXT_NUMBER", "formula": "=Amount@row * 2" }),
            vec![json!({ "value": 2.0, "displayValue": "2", "formula": "=Amount@row * 2" })],
        ),
    ]
}

/// A sheet of random rows below one another.
fn sheet(dice: &mut Dice, name: &str) -> Value {
    let all = columns();
    let primary = json!({ "title": "Name", "type": "TEXT_NUMBER" });
    let mut kept: Vec<(Value, Vec<Value>)> = all.into_iter().filter(|_| dice.below(4) > 0).collect();
    if kept.is_empty() {
        kept = columns();
    }
    let rows: Vec<Value> = (0..3 + dice.below(7))
        .map(|r| {
            let mut cells: Map<String, Value> = Map::from_iter([("Name".to_owned(), shown(&format!("Row {r}")))]);
            for (column, values) in &kept {
                if dice.below(3) > 0 {
                    cells.insert(column["title"].as_str().unwrap().to_owned(), dice.of(values).clone());
                }
            }
            json!({ "parent": if r > 0 && dice.below(2) == 0 { json!(r - 1) } else { Value::Null }, "cells": cells })
        })
        .collect();
    let titles: Vec<Value> = std::iter::once(primary).chain(kept.into_iter().map(|(c, _)| c)).collect();
    json!({ "name": name, "columns": titles, "rows": rows })
}

/// A value that somebody might set in a column of this title.
fn value_for(dice: &mut Dice, title: &str) -> Value {
    match title {
        "Amount" => json!(dice.of(&[1.0, 99.5])),
        "Due" => json!("2027-01-02"),
        "Done" => json!(true),
        "Owner" | "Team" => json!("lee.park@example.com"),
        "Health" => json!(dice.of(&["Yellow", "Red"])),
        "Tier" => json!("2"),
        "Tags" => json!("Data"),
        _ => json!("something else"),
    }
}

/// A change that a model might propose for the sheet.
fn change(dice: &mut Dice, sheet: &Value) -> Reply {
    let titles: Vec<String> = sheet["columns"].as_array().unwrap().iter().map(|c| c["title"].as_str().unwrap().to_owned()).collect();
    let rows = sheet["rows"].as_array().unwrap().len();
    let (from, title) = (1 + dice.below(rows), dice.of(&titles));
    let which = format!("row_number BETWEEN {from} AND {}", from + dice.below(3));
    match dice.below(5) {
        0 | 1 => {
            let others = [title.clone(), dice.of(&titles).clone()];
            let set = |dice: &mut Dice, title: &String| json!({ "column": title, "value": value_for(dice, title), "expression": null });
            let mut set: Vec<Value> = others.iter().map(|t| set(dice, t)).collect();
            set.dedup_by(|a, b| a["column"] == b["column"]);
            Reply::call("propose_update", json!({ "sheet": null, "where_sql": which, "set": set }))
        }
        2 => Reply::call("propose_delete", json!({ "sheet": null, "where_sql": which })),
        3 => Reply::call(
            "propose_column",
            json!({ "sheet": null, "action": "delete", "column": title, "new_title": null, "type": null, "options": null }),
        ),
        _ => {
            let renamed = json!({ "sheet": null, "action": "update", "column": title, "new_title": format!("{title} II"), "type": null, "options": null });
            Reply::call("propose_column", renamed)
        }
    }
}

/// Makes a random sheet, changes it and takes that back, again and again. Changes that are refused change nothing.
async fn trials(seed: u64) {
    let smartsheet = Options { requests_per_minute: usize::MAX, ..Options::default() };
    let world =
        World::with(Setting { model: Some(Mode::Script(Vec::new())), smartsheet: Some(smartsheet), ..Setting::default() }).await.unwrap();
    let mut dice = Dice(seed);
    let mut carried_out = 0;
    for trial in 0..CHANGES {
        let name = format!("Sheet {seed}-{trial}");
        let described = sheet(&mut dice, &name);
        world.sheets.world().plant(&described);
        world.use_sheet(&name).await;
        let before = world.sheets.world().picture(&name);
        world.azure.script([change(&mut dice, &described)]);
        let proposed = world.type_line("please").await;
        if !proposed.contains("[1] Confirm") {
            assert_eq!(world.sheets.world().picture(&name), before, "seed {seed}, trial {trial}: {proposed}");
            continue;
        }
        let done = world.type_line("confirm").await;
        assert!(done.contains("✅ Done:"), "seed {seed}, trial {trial}: {proposed}\n{done}");
        assert_ne!(world.sheets.world().picture(&name), before, "seed {seed}, trial {trial}: said to be done: {done}");
        let back = world.type_line("undo").await;
        assert!(back.contains("↩️ Taken back"), "seed {seed}, trial {trial}: {proposed}\n{back}");
        let after = world.sheets.world().picture(&name);
        assert_eq!(after, before, "seed {seed}, trial {trial}: {}\n{proposed}\n{back}", difference(&before, &after));
        carried_out += 1;
    }
    println!("seed {seed}: {carried_out} of {CHANGES} changes were carried out and taken back without a loss");
    assert!(carried_out > CHANGES / 2, "{carried_out} of {CHANGES}");
    world.end().await;
}

/// The first rows or columns that differ.
fn difference(before: &Value, after: &Value) -> String {
    let lists = ["columns", "rows"].map(|key| (before[key].as_array().unwrap().clone(), after[key].as_array().unwrap().clone()));
    let pairs = lists.iter().flat_map(|(a, b)| a.iter().zip(b).filter(|(a, b)| a != b).take(2));
    pairs.map(|(a, b)| format!("\n  was {a}\n  is  {b}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_as_it_was() {
    trials(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_as_it_was_in_other_sheets() {
    trials(2026).await;
}

/// `UNDO_SEED=7 cargo test --test it undo_trials` tries another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_as_it_was_in_still_others() {
    trials(crate::world::number("UNDO_SEED").unwrap_or(99)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_taken_back_without_a_loss() {
    let world = World::start().await;
    let mut dice = Dice(5);
    let described = sheet(&mut dice, "Odd");
    world.sheets.world().plant(&described);
    let before = world.sheets.world().picture("Odd");
    let place = world.place_of("lee", "Odd").await;
    let titles: Vec<&str> = described["columns"].as_array().unwrap().iter().filter_map(|c| c["title"].as_str()).collect();
    let writable = titles.iter().filter(|t| !["Name", "Total", "Text"].contains(t));
    let updates: Map<String, Value> = writable.map(|t| ((*t).to_owned(), value_for(&mut dice, t))).collect();
    let parameters = json!({ "criteria": "1 = 1", "updates": updates });
    world.app.jobs.create(new_job("odd", "BULK_UPDATE", parameters, place)).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert_ne!(world.sheets.world().picture("Odd"), before);
    world.app.jobs.undo("odd", &world.asker("lee"), "lee").await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    let after = world.sheets.world().picture("Odd");
    assert_eq!(after, before, "{}", difference(&before, &after));
    world.end().await;
}
