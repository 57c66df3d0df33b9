//! What the functions of the model do beyond the demo's phrases: a scripted model calls them, people read what comes of it.

use crate::world::World;
use sandbox::azure::Reply;
use serde_json::{Value, json};

/// The result of the last function call, as the model got it.
fn result(world: &World) -> Value {
    let request = world.azure.requests().pop().unwrap();
    let last = request["messages"].as_array().unwrap().iter().rfind(|m| m["role"] == "tool").unwrap().clone();
    serde_json::from_str(last["content"].as_str().unwrap()).unwrap()
}

fn id_of(world: &World, row: &str) -> String {
    world.sheets.world().row_id("Project Plan", row).unwrap().to_string()
}

fn update(column: &str, value: Value, where_sql: &str) -> Reply {
    let set = json!([{ "column": column, "value": value, "expression": null }]);
    Reply::call("propose_update", json!({ "sheet": null, "where_sql": where_sql, "set": set }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_read_in_full_with_its_comments() {
    let world = World::scripted(Vec::new()).await;
    let row = id_of(&world, "Search page");
    world.azure.script([
        Reply::call("propose_comment", json!({ "sheet": null, "row_id": row, "text": "Waiting for legal" })),
        Reply::call("get_row", json!({ "sheet": null, "row_id": row })),
        Reply::Say("There it is.".into()),
        Reply::call("get_row", json!({ "sheet": null, "row_id": "12" })),
        Reply::Say("No such row.".into()),
    ]);
    world.type_line("comment it").await;
    assert!(world.type_line("confirm").await.contains("Done"));
    world.type_line("what about the search page?").await;
    let read = result(&world);
    assert_eq!(read["cells"]["Task Name"], "Search page");
    assert_eq!(read["comments"][0]["text"], "Waiting for legal");
    world.type_line("and row 12?").await;
    insta::assert_snapshot!(result(&world)["error"].as_str().unwrap(), @"there is no row 12; find its row_id with query_sheet");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sheets_are_found_by_name_workspace_and_content() {
    let find = |query: Value| Reply::call("find_sheets", json!({ "query": query }));
    let world = World::scripted(Vec::new()).await;
    for (query, expected) in
        [(json!("risk"), vec!["Risk Register"]), (json!("neuroblastoma"), vec!["Clinical Trials"]), (json!("nothing of the kind"), vec![])]
    {
        world.azure.script([find(query.clone()), Reply::Say("found".into())]);
        world.type_line("where is it?").await;
        let names: Vec<String> =
            result(&world)["sheets"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, expected, "{query}");
    }
    for query in [json!("samples"), Value::Null] {
        world.azure.script([find(query.clone()), Reply::Say("found".into())]);
        world.type_line("which are there?").await;
        assert_eq!(result(&world)["total"], 9, "{query}: all of the workspace");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dates_are_moved_by_an_expression() {
    let set = json!([{ "column": "Due Date", "value": null, "expression": "date(due_date, '+7 days')" }]);
    let call = json!({ "sheet": null, "where_sql": "assigned_to = 'Mia Jensen' AND status = 'Not Started'", "set": set });
    let world = World::scripted(vec![Reply::call("propose_update", call)]).await;
    insta::assert_snapshot!(world.type_line("move what Mia has not begun by a week").await, @r"
    bot> Set Due Date in 2 rows of Project Plan (‹sheet›)?
           Where Assigned To is “Mia Jensen” and Status is “Not Started”
         Row              Now         New
         ───────────────  ──────────  ──────────
         Press kit        2027-01-31  2027-02-07
         Launch campaign  2027-02-15  2027-02-22
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Due Date in 2 rows in Project Plan (‹sheet›).
         Row              Was         Is
         ───────────────  ──────────  ──────────
         Press kit        2027-01-31  2027-02-07
         Launch campaign  2027-02-15  2027-02-22
           Asked for and confirmed by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): set Due Date in 2 rows.
         Row              Was         Is
         ───────────────  ──────────  ──────────
         Press kit        2027-02-07  2027-01-31
         Launch campaign  2027-02-22  2027-02-15
           Asked for, confirmed and taken back by lee.
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_rows_go_where_they_were_asked_for() {
    let world = World::scripted(Vec::new()).await;
    let add = |names: &[&str], parent: Value, after: Value, position: &str| {
        let rows: Vec<Value> = names.iter().map(|n| json!({ "cells": [{ "column": "Task Name", "value": n }] })).collect();
        Reply::call(
            "propose_rows",
            json!({ "sheet": null, "rows": rows, "parent_row_id": parent, "after_row_id": after, "position": position }),
        )
    };
    let (search, phase) = (id_of(&world, "Search page"), id_of(&world, "Phase 4: Launch"));
    for (call, first, second, parent) in [
        (add(&["Index", "Ranking"], Value::Null, json!(search), "bottom"), "Search page", "Index", None),
        (add(&["Balloons", "Confetti"], json!(phase), Value::Null, "top"), "Phase 4: Launch", "Balloons", Some("Phase 4: Launch")),
        (add(&["Opening night", "Toast"], Value::Null, Value::Null, "top"), "", "Opening night", None),
    ] {
        world.azure.script([call]);
        world.type_line("add them").await;
        assert!(world.type_line("confirm").await.contains("Done: add 2 rows"));
        let rows = world.sheets.world().rows("Project Plan");
        let at = rows.iter().position(|r| r["Task Name"] == second).unwrap();
        assert_eq!(at.checked_sub(1).map_or("", |i| rows[i]["Task Name"].as_str()), first);
        let parent = parent.or_else(|| rows[at.checked_sub(1)?].get("_parent").map(String::as_str));
        assert_eq!(rows[at].get("_parent").map(String::as_str), parent, "{second}");
        assert_eq!(rows[at + 1].get("_parent").map(String::as_str), parent, "both stand side by side");
        let said = world.type_line("undo").await;
        assert!(world.sheets.world().row_id("Project Plan", second).is_none(), "{said}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_changes_its_type_options_and_title() {
    let change = |title: Value, kind: Value, options: Value| {
        let call = json!({ "sheet": null, "action": "update", "column": "Priority", "new_title": title, "type": kind, "options": options });
        Reply::call("propose_column", call)
    };
    let world = World::scripted(vec![
        change(json!("Urgency"), Value::Null, json!(["Now", "High", "Medium", "Low"])),
        change(Value::Null, json!("TEXT_NUMBER"), Value::Null),
        change(json!("Status"), Value::Null, Value::Null),
        Reply::Say("That title is taken.".into()),
    ])
    .await;
    insta::assert_snapshot!(world.type_line("call it Urgency, with Now").await, @"
    bot> Rename column Priority to Urgency of Project Plan (‹sheet›)?
         • from title Priority · type picklist · options High, Medium, Low
         • to title Urgency · type picklist · options Now, High, Medium, Low
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert!(world.sheets.world().column_titles("Project Plan").contains(&"Urgency".to_owned()));
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): rename column Urgency to Priority.
         • from title Urgency · type picklist · options Now, High, Medium, Low
         • to title Priority · type picklist · options High, Medium, Low
           Asked for, confirmed and taken back by lee.
    ");
    assert!(world.sheets.world().column_titles("Project Plan").contains(&"Priority".to_owned()));
    insta::assert_snapshot!(world.type_line("make it plain text").await, @"
    bot> Change the type of column Priority of Project Plan (‹sheet›)?
         • from type picklist · options High, Medium, Low
         • to type text/number
           ⚠️ Changing the type converts the cells; undo brings the type back, not what was lost in the conversion.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: change the type of column Priority in Project Plan (‹sheet›).
         • from type picklist · options High, Medium, Low
         • to type text/number
           Asked for and confirmed by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    world.type_line("call it Status").await;
    insta::assert_snapshot!(result(&world)["error"].as_str().unwrap(), @"there is a column called Status already");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_that_nobody_may_fill_are_refused_before_anything_is_sent() {
    let world = World::scripted(Vec::new()).await;
    world.sheets.world().set_access("Risk Register", "EDITOR");
    world.use_sheet("Risk Register").await;
    let mut told = String::new();
    for (column, value) in [("Exposure", json!(3)), ("Last Change", json!("2026-12-01")), ("Signed Off", json!(true))] {
        world.azure.script([update(column, value, "row_number = 1"), Reply::Say("That cannot be set.".into())]);
        world.type_line("set it").await;
        told.push_str(result(&world)["error"].as_str().unwrap());
        told.push('\n');
    }
    insta::assert_snapshot!(told, @"
    Exposure cannot be written: a column formula fills it
    Last Change cannot be written: Smartsheet fills this column itself (MODIFIED_DATE)
    Signed Off cannot be written: the column is locked
    ");
    assert_eq!(world.writes(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_with_several_values_are_set_and_taken_back() {
    let world = World::scripted(vec![
        update("Topics", json!("legal, Money"), "row_number = 1"),
        Reply::Say("Money is no option.".into()),
        update("Topics", json!("data, Legal"), "row_number = 1"),
        update("Informed", json!("Mia Jensen, omar.haddad@example.com"), "row_number = 1"),
    ])
    .await;
    world.use_sheet("Risk Register").await;
    let cell = |column: &str| world.sheets.world().rows("Risk Register")[0].get(column).cloned().unwrap_or_default();
    let (topics, informed) = (cell("Topics"), cell("Informed"));
    world.type_line("topics legal and money").await;
    insta::assert_snapshot!(result(&world)["error"].as_str().unwrap(), @"“Money” is not an option of Topics; the options are: Legal, Supplier, Data, People");
    insta::assert_snapshot!(world.type_line("topics data and legal").await, @r"
    bot> Set Topics in 1 row of Risk Register (‹sheet›)?
           Where row number is 1
         Row                                Now              New
         ─────────────────────────────────  ───────────────  ───────────
         Payment provider contract is late  Supplier, Legal  Data, Legal
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(cell("Topics"), "Data, Legal");
    world.type_line("undo").await;
    assert_eq!(cell("Topics"), topics);
    insta::assert_snapshot!(world.type_line("tell Mia and Omar").await, @r"
    bot> Set Informed in 1 row of Risk Register (‹sheet›)?
           Where row number is 1
         Row                                Now                      New
         ─────────────────────────────────  ───────────────────────  ───────────────────────
         Payment provider contract is late  Dana Reyes, Omar Haddad  Mia Jensen, Omar Haddad
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(cell("Informed"), "Mia Jensen, Omar Haddad");
    world.type_line("undo").await;
    assert_eq!(cell("Informed"), informed);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_in_one_answer_one_is_proposed_and_the_person_is_told() {
    let world = World::scripted(Vec::new()).await;
    let set = |value: &str| {
        let set = json!([{ "column": "Status", "value": value, "expression": null }]);
        json!({ "sheet": null, "where_sql": "\"task name\" = 'Load test'", "set": set })
    };
    world.azure.script([Reply::Calls(vec![("propose_update".into(), set("Blocked")), ("propose_update".into(), set("Complete"))])]);
    let said = world.type_line("block the load test and complete it").await;
    assert!(said.contains("Blocked") && !said.contains("Complete |") && said.contains("I propose one change at a time"), "{said}");
    assert!(world.type_line("confirm").await.contains("Done"));
    assert_eq!(world.cell("Load test", "Status"), "Blocked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_a_deletion_left_alone_are_not_listed_as_deleted() {
    let world = World::start().await;
    assert!(world.type_line("delete the rows that are blocked").await.contains("Confirm"));
    world.sheets.edit("Project Plan", "Payment integration", "Status", json!("In Progress"));
    let said = world.type_line("confirm").await;
    assert!(said.contains("Done for 1 of 2 rows") && said.matches("Payment integration").count() == 1, "{said}");
    assert!(said.contains("Payment integration: it was changed by somebody else meanwhile"), "{said}");
    world.end().await;
}
