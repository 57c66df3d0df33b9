//! Questions at the terminal: tables, exact figures, what was left out, and words that need no model.

use crate::world::{Setting, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overdue_tasks_come_as_a_table_with_links_and_the_query_in_one_line() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("which tasks are overdue, and who owns them?").await, @"
    bot> 5 rows match.
         Task Name             Assigned To  Status       Due Date
         ────────────────────  ───────────  ───────────  ──────────
         Page templates        Priya Nair   In Progress  2026-11-14
         Privacy statement     Lee Park     In Progress  2026-11-16
         Copy writing          Mia Jensen   In Progress  2026-11-19
         Accessibility review  Dana Reyes   Blocked      2026-11-20
         Payment integration                Blocked      2026-11-21
           5 results · Due Date is before 22 Nov 2026 and Status is none of “Complete”, “Cancelled” (or empty) · rows without children: 34 of 42 · Project Plan · as of 10:30 UTC
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_are_exact_and_name_what_they_leave_out() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("total budget by department").await, @r"
    bot> Total Budget by Department:
         Department   Total budget
         ───────────  ────────────
         Engineering      $158,750
         Marketing         $48,300
         Design            $37,500
         Operations        $30,200
         Legal              $6,200
           5 results · rows without children: 34 of 42 · Project Plan · as of 10:30 UTC
           ⚠️ Budget holds text in 1 row and is left out there (Search page: “tbd”)
    ");
    world.use_sheet("Budget 2026").await;
    insta::assert_snapshot!(world.type_line("sum of actual for IT").await, @"
    bot> Total Actual: $92,731.25
           Total actual: $92,731.25 · Department is “IT” · all 30 rows · Budget 2026 · as of 10:30 UTC
           ⚠️ Actual holds text in 1 row and is left out there (Cables: “tbd”)
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_equal_those_counted_by_hand() {
    let world = World::start().await;
    world.use_sheet("Budget 2026").await;
    let by_hand: f64 =
        world.sheets.world().rows("Budget 2026").iter().filter_map(|r| r.get("Planned")?.replace(['$', ','], "").parse::<f64>().ok()).sum();
    let said = world.type_line("total planned").await;
    let shown: String =
        said.chars().skip_while(|c| *c != '$').take_while(|c| !c.is_whitespace()).filter(|c| c.is_ascii_digit() || *c == '.').collect();
    assert_eq!(shown.parse::<f64>().unwrap(), by_hand, "{said}");
    world.end().await;
}

/// A dozen ways to say each kind of thing; every one must lead to a query or a proposal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usual_phrasings_are_understood() {
    let world = World::start().await;
    let phrases = [
        ("how many tasks are blocked?", "There are 2 rows"),
        ("how many rows are there", "There are 42 rows"),
        ("number of tasks per status", "Number of rows by Status"),
        ("count the tasks by department", "Number of rows by Department"),
        ("how many tasks does Omar have?", "There are 7 rows"),
        ("how many tasks are not complete?", "There are"),
        ("count high priority tasks", "There are"),
        ("how many are overdue", "There are 5 rows"),
        ("number of tasks assigned to Priya", "There are"),
        ("how many tasks are due next week", "There are"),
        ("how many tasks have no owner", "There are 2 rows"),
        ("how many items are in progress?", "There are"),
        ("show me the blocked tasks", "2 rows match"),
        ("list everything assigned to Mia", "rows match"),
        ("what is due this week?", "rows match"),
        ("which tasks are unassigned", "2 rows match"),
        ("find tasks in Marketing that are Not Started", "rows match"),
        ("tasks with budget over 15k", "rows match"),
        ("who owns Load test?", "One row matches"),
        ("what is late?", "5 rows match"),
        ("which tasks are under Phase 3", "rows match"),
        ("show me the status of phase 3", "under “Phase 3: Build”"),
        ("show tasks without a budget", "match"),
        ("anything due before 2026-11-25?", "match"),
        ("top 3 by budget", "By Budget, highest first"),
        ("which task has the largest budget", "By Budget, highest first"),
        ("tasks containing \"test\"", "rows match"),
        ("overdue tasks", "5 rows match"),
        ("average budget by status", "Average Budget by Status"),
        ("sum of budget", "Total Budget"),
        ("what is the total budget for Engineering?", "Total Budget"),
        ("mean % complete per department", "Average % Complete by Department"),
        ("how much budget is in design", "Total Budget"),
        ("budget per department in total", "Total Budget by Department"),
        ("total budget for each priority", "Total Budget by Priority"),
        ("average budget of blocked tasks", "Average Budget"),
        ("overall budget by assigned to", "Total Budget by Assigned To"),
        ("mark \"Usability test\" as complete", "Set Status in 1 row"),
        ("mark everything in Legal as In Progress", "Set Status in 1 row"),
        ("set priority to Low for Press kit", "nothing would change"),
        ("change the status of Mail service to Blocked", "Set Status in 1 row"),
        ("assign Payment integration to Omar", "Set Assigned To in 1 row"),
        ("set Due Date to 2027-03-01 for Go-live", "Set Due Date in 1 row"),
        ("update budget to 5000 where status is blocked", "Set Budget in 2 rows"),
        ("set % Complete to 50% for Mail service", "Set % Complete in 1 row"),
        ("please set department to Legal for everything assigned to Mia", "Set Department in"),
        ("clear notes for Legacy audit", "Set Notes in 1 row"),
        ("make all tasks in Legal low priority", "Set Priority in 2 rows"),
        ("set Status to Blocked for all tasks owned by Lee that are Not Started", "Set Status in"),
        ("add a task called Press day under Phase 4, status Not Started", "Add 1 row under"),
        ("add row \"Extra check\"", "Add 1 row of"),
        ("create a new task: Sign contract, owner Lee, due tomorrow", "Add 1 row of"),
        ("new task \"Buy flowers\" with budget $250", "Add 1 row of"),
        ("insert a row \"Party\" under Phase 4, priority Low", "Add 1 row under"),
        ("add a new row called Dry run", "Add 1 row of"),
        ("please add the task \"Legal sign-off\" under Phase 2", "Add 1 row under"),
        ("I need a new task \"Backup test\" for Omar", "Add 1 row of"),
        ("create task \"Order cake\", due 2027-02-01", "Add 1 row of"),
        ("put a task \"Check links\" under Phase 3", "Add 1 row under"),
        ("add item \"Photo shoot\" to Phase 4", "Add 1 row"),
        ("can you add a task \"Write guide\" owned by Mia?", "Add 1 row of"),
        ("delete the rows marked Cancelled", "Delete 2 rows"),
        ("remove \"Press kit\"", "Delete 1 row"),
        ("delete all tasks in Legal", "Delete 2 rows"),
        ("remove Retrospective", "Delete 1 row"),
        ("please delete the task Hypercare", "Delete 1 row"),
        ("delete row \"Training\"", "Delete 1 row"),
        ("get rid of the cancelled tasks", "Delete 2 rows"),
        ("drop everything assigned to Priya that is Complete", "Delete"),
        ("delete completed tasks in Engineering", "Delete"),
        ("remove all rows where status is Cancelled", "Delete 2 rows"),
        ("can you remove the task \"Go-live\"?", "Delete 1 row"),
        ("delete tasks without an owner", "Delete 2 rows"),
        ("add a picklist column Risk with Low, Medium, High", "Add column Risk"),
        ("add a date column Signed", "Add column Signed"),
        ("create a checkbox column called Done", "Add column Done"),
        ("add column Comments", "Add column Comments"),
        ("rename column Notes to Remarks", "Rename column Notes to Remarks"),
        ("delete the Notes column", "Delete column Notes"),
        ("add option Paused to Status", "Change the options of column Status"),
        ("new column Cost centre", "Add column Cost centre"),
        ("please add a contact column \"Reviewer\"", "Add column Reviewer"),
        ("add a dropdown column Size with options S, M and L", "Add column Size"),
        ("create a text column named Link", "Add column Link"),
        ("remove column Department", "Delete column Department"),
        ("change the name of Priority to Urgency", "Rename column Priority to Urgency"),
        ("rename the Start column to Begin", "Rename column Start to Begin"),
        ("drop the column Budget", "Delete column Budget"),
        ("help me", "I answer questions about"),
        ("what can you do?", "I answer questions about"),
        ("how does this work", "I answer questions about"),
        ("comment on Load test: who books the servers?", "Comment on “Load test”"),
    ];
    let mut wrong = Vec::new();
    for (phrase, expected) in phrases {
        let said = world.type_line(phrase).await;
        if !said.contains(expected) {
            wrong.push(format!("{phrase:?} -> {}", said.lines().next().unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_does_not_understand_it_says_with_examples() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("quux the frobnicator").await, @r#"
    bot> I am the built-in demo model and only know patterns; I could not use “quux”, “frobnicator” of your question, so I will not guess (set AZURE_OPENAI_* for the real model). Try for example:
         • which tasks are overdue, and who owns them?
         • how many tasks are blocked?
         • total budget by department
         • set Status to "In Progress" for everything assigned to Dana that is Not Started
         • add a task "Security review", owner Omar
         • delete the rows marked Cancelled
         • add a picklist column Risk with Low, Medium, High
         • summarize Notes into Summary
    "#);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_status_and_sheets_need_no_model() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("help").await, @r#"
    bot> I answer questions about a Smartsheet sheet and change it for you, from this thread.
         This thread is about Project Plan. Another sheet: use <name, id or link>.
         • Ask: “how many rows have Status Not Started?”, “total Budget by Status”
         • Change: “set Status to Cancelled for "Retrospective"” (you see it first and confirm it with a button; undo takes it back)
         • Long work: “summarize Notes into a new column Summary” (in the background, with a bar in the thread)
         • Beside it: quote or forward a message, or attach a text or CSV file, and say what to do with it
         • Words: help, status, sheets, use <sheet>, view, edit, unshare, undo, stop, jobs, cancel <job>, retry <job>, rules, why?
           Figures are computed by SQL over the sheet.
    "#);
    insta::assert_snapshot!(world.type_line("status").await, @"
    bot> • Sheet: Project Plan (‹sheet›), 42 rows, version 1
         • My rights there: owner
         • No proposal waits for you.
    ");
    insta::assert_snapshot!(world.type_line("sheets").await, @r"
    bot> These are the sheets I can see:
         • Sales Pipeline (‹sheet›)
         • Clinical Trials (‹sheet›)
         • Risk Register (‹sheet›)
         • Budget 2026 (‹sheet›)
         • Project Plan (‹sheet›)
         • Organisation (‹sheet›)
         • Asset Inventory (‹sheet›)
         • 🏢 Office Move (‹sheet›)
         • Supplier Requests (‹sheet›)
         [1] Sales Pipeline   [2] Clinical Trials   [3] Risk Register   [4] Budget 2026   [5] Project Plan   (type the number or the words)
    ");
    insta::assert_snapshot!(world.type_line("stop").await, @"bot> There is nothing to stop: I am not working on anything in this thread.");
    insta::assert_snapshot!(world.type_line("undo").await, @"bot> There is no change of this thread that could be taken back.");
    assert!(world.azure.requests().is_empty(), "no model was asked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_without_a_sheet_is_asked_for_one_and_the_question_is_not_lost() {
    let world = World::with(Setting { unbound: true, ..Setting::default() }).await.unwrap();
    insta::assert_snapshot!(world.type_line("how many rows are there?").await, @"
    bot> Which sheet is this about? I answer your question as soon as you choose one, or write its name, id or link.
         [1] Sales Pipeline   [2] Clinical Trials   [3] Risk Register   [4] Budget 2026   [5] Project Plan   (type the number or the words)
    ");
    insta::assert_snapshot!(world.type_line("Risk Register").await, @"
    bot> This thread is now about Risk Register (‹sheet›) (18 rows).

    bot> There are 18 rows.
           Rows: 18 · all 18 rows · Risk Register · as of 10:30 UTC
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sheet_is_chosen_by_name_id_link_or_button() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("use budget").await, @"bot> This thread is now about Budget 2026 (‹sheet›) (30 rows).");
    insta::assert_snapshot!(world.type_line("/sheet use r").await, @r"
    bot> Several sheets match “r”. Which one do you mean?
         [1] Clinical Trials   [2] Risk Register   [3] Project Plan   [4] Organisation   [5] Asset Inventory   (type the number or the words)
    ");
    let id = world.sheets.world().sheet_id("Clinical Trials").unwrap();
    insta::assert_snapshot!(world.type_line(&format!("use {id}")).await, @"bot> This thread is now about Clinical Trials (‹sheet›) (60 rows).");
    let link = world.sheets.base_url().replace("/2.0", "/sheets/");
    let id = world.sheets.world().sheet_id("Sales Pipeline").unwrap();
    insta::assert_snapshot!(world.type_line(&format!("use {link}{id}?rowId=1")).await, @"bot> This thread is now about Sales Pipeline (‹sheet›) (80 rows).");
    insta::assert_snapshot!(world.type_line("use Payroll").await, @"
    bot> I see no sheet called “Payroll”. These are the sheets I can see:
         • Project Plan
         • Supplier Requests
         • Organisation
         • Risk Register
         • Asset Inventory
         • Budget 2026
         • 🏢 Office Move
         • Sales Pipeline
         • Clinical Trials
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_of_the_same_name_are_told_apart() {
    let world = World::start().await;
    world.use_sheet("Risk Register").await;
    insta::assert_snapshot!(world.type_line("set State to Closed for Dana's risks").await, @"bot> There is more than one Dana in Owner: Dana Reyes and Dana Cho. Which one do you mean? Please write the full name.");
    insta::assert_snapshot!(world.type_line("assign \"Old links break\" to Dana").await, @r"
    bot> More than one person is called “Dana”: Dana Reyes (dana.reyes@example.com) and Dana Cho (dana.cho@example.com). Which one do you mean?
         [1] Dana Reyes   [2] Dana Cho   (type the number or the words)
    ");
    assert!(world.type_line("set State to Closed for everything of Dana Cho").await.contains("Set State in 2 rows"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_up_is_understood_with_the_question_before() {
    let world = World::start().await;
    world.type_line("which tasks are in progress?").await;
    let said = world.type_line("and only Mia's?").await;
    assert!(said.contains("Copy writing") && !said.contains("Order service"), "{said}");
    world.end().await;
}

/// How an answer was found is shown to whoever asks why: in words and as it ran.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_shows_how_the_last_answer_was_found() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("why?").await, @"bot> My last answer here asked the sheet nothing, so there is no query to show.");
    world.type_line("total budget by department").await;
    insta::assert_snapshot!(world.type_line("why?").await, @r"
    bot> • Sheet: Project Plan (‹sheet›), version 1, read 2026-11-22 10:30 UTC
         • Condition: none
         • Asked of: rows without children: 34 of 42
         • Found: 5 results
         • Left out: Budget holds text in 1 row and is left out there (Search page: “tbd”)
         SELECT department, sum(budget) AS total_budget FROM leaf GROUP BY department ORDER BY 2 DESC
    ");
    world.type_line("how many tasks are blocked?").await;
    insta::assert_snapshot!(world.type_line("why?").await, @"
    bot> • Sheet: Project Plan (‹sheet›), version 1, read 2026-11-22 10:30 UTC
         • Condition: Status is “Blocked”
         • Asked of: rows without children: 34 of 42
         • Found: Rows: 2
         • Made of: 2 rows (Accessibility review, Payment integration)
         SELECT count(*) AS rows FROM leaf WHERE status = 'Blocked'
    ");
    world.type_line("hello").await;
    assert!(world.type_line("show the query").await.contains("SELECT"), "small talk is no answer");
    // What answered without a query has none to show.
    world.type_line("total moonlight by lighthouse").await;
    assert!(world.type_line("why").await.contains("asked the sheet nothing"));
    world.end().await;
}
