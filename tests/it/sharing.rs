//! What an account may do in a sheet, links that lead to no sheet, and changes that share what they have read.

use crate::jobs::new_job;
use crate::world::{Setting, World};
use sandbox::smartsheet;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_comment_comments_and_changes_nothing() {
    let world = World::start().await;
    world.sheets.world().set_access("Project Plan", "COMMENTER");
    world.use_sheet("Project Plan").await;
    insta::assert_snapshot!(world.type_line("comment on Load test: is this still planned?").await, @r"
    bot> Comment on “Load test” of Project Plan (‹sheet›)?
         “is this still planned?”
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: comment on “Load test” in Project Plan (‹sheet›).
         “is this still planned?”
           Asked for and confirmed by lee.
           Rows: Load test
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    let before = world.writes().len();
    insta::assert_snapshot!(world.type_line("set Status to Complete for \"Load test\"").await, @"bot> That did not work: I may only look at and comment on Project Plan; ask its owner for editor rights for the account I run under");
    assert_eq!(world.writes().len(), before);
    world.sheets.world().set_access("Budget 2026", "VIEWER");
    world.use_sheet("Budget 2026").await;
    insta::assert_snapshot!(world.type_line("comment on Cloud hosting: is this right?").await, @"bot> That did not work: I may only look at Budget 2026, not comment");
    assert_eq!(world.writes().len(), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_to_what_is_no_sheet_are_named_for_what_they_are() {
    let world = World::start().await;
    let mut told = String::new();
    for link in [
        "https://app.smartsheet.com/reports/8pXVmq6CwCWfVm2vWwPgMRqXJ7c4cHgMrjrQVpH1",
        "https://app.smartsheet.com/dashboards/RxfRV2HPQ7M5w8gRpvwc?view=full",
        "https://app.smartsheet.eu/b/form/0ab12c3d4e5f4a6b8c9d0e1f2a3b4c5d",
        "https://app.smartsheet.com/workspaces/6C8hhjRvPcW2f",
        "https://app.smartsheet.com/folders/personal",
    ] {
        told.push_str(&world.type_line(&format!("use {link}")).await);
        told.push('\n');
    }
    insta::assert_snapshot!(told, @r"
    bot> That is the link of a report. I work with sheets: send me the link of the sheet that its rows come from.
    bot> That is the link of a dashboard. I work with sheets: send me the link of a sheet that it shows.
    bot> That is the link of a form. I work with sheets: send me the link of the sheet that its answers go to.
    bot> That is the link of a workspace. I work with sheets: ask me for the sheets in it by its name.
    bot> That is the link of a folder. I work with sheets: open a sheet in it and send me its link.
    ");
    let sheet = world.sheets.world().permalink("Budget 2026").unwrap();
    assert!(world.type_line(&format!("use {sheet}?view=grid")).await.contains("now about Budget 2026"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_jobs_on_one_large_sheet_do_not_make_each_other_read_it() {
    let seed = smartsheet::Seed::Large { rows: 6_000, columns: 4 };
    let sheets = smartsheet::Options { seed, ..smartsheet::Options::default() };
    let world = World::with(Setting { smartsheet: Some(sheets), unbound: true, ..Setting::default() }).await.unwrap();
    let reads = || {
        let log = world.sheets.world();
        log.log.iter().filter(|l| l.method == "GET" && l.path.contains("/sheets/") && !l.path.ends_with("/version")).count()
    };
    for (id, person, half) in [("lower", "mia", "row_number <= 3000"), ("upper", "lee", "row_number > 3000")] {
        let place = world.place_of(person, "Large").await;
        let parameters = json!({ "criteria": half, "updates": { "Amount 2": id.len() as i64 * 1_000 + 7 } });
        world.app.jobs.create(new_job(id, "BULK_UPDATE", parameters, place)).await.unwrap();
    }
    world.app.jobs.until_idle().await.unwrap();
    let (writes, set) = {
        let sheet = world.sheets.world();
        let writes = sheet.log.iter().filter(|l| l.method == "PUT").count();
        (writes, sheet.rows("Large").iter().filter(|r| r["Amount 2"].replace(['$', ','], "").starts_with("5007")).count())
    };
    assert_eq!((writes, set), (12, 6_000));
    // Each compares once before it begins, or again where a write of the other came in between too late to be known.
    assert!(reads() <= 6, "{} reads of the sheet for {writes} writes", reads());
    world.end().await;
}
