//! The far side fails in every way it can: people get an answer or a clear word, never silence, never half a truth.

use crate::world::{Setting, World};
use sandbox::azure::{self, Mode, Reply};
use sandbox::fault::Kind;
use sandbox::{slack, smartsheet};
use serde_json::json;
use std::time::Duration;

/// A world in which nobody waits long for an answer.
async fn impatient() -> World {
    World::with(Setting { impatient: true, ..Setting::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_of_smartsheet_are_waited_out() {
    let world = impatient().await;
    for kind in [Kind::RateLimited, Kind::ServerError, Kind::Reset, Kind::Truncated, Kind::Hang, Kind::HangAfter, Kind::Slow] {
        world.sheets.faults().next(kind, 1);
        let said = world.type_line("how many tasks are blocked?").await;
        assert!(said.contains("There are 2 rows"), "{kind:?}: {said}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_of_the_model_are_waited_out() {
    let world = impatient().await;
    for kind in [Kind::RateLimited, Kind::ServerError, Kind::Reset, Kind::Truncated, Kind::Hang] {
        world.azure.faults().next(kind, 1);
        let said = world.type_line("how many tasks are blocked?").await;
        assert!(said.contains("There are 2 rows"), "{kind:?}: {said}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_faults_are_told_in_plain_words() {
    let world = World::start().await;
    world.azure.faults().next(Kind::ServerError, 20);
    insta::assert_snapshot!(world.type_line("how many tasks are blocked?").await, @"bot> The model does not answer at the moment. Nothing was changed; please try again in a minute.");
    world.azure.faults().clear();
    world.use_sheet("Budget 2026").await;
    world.sheets.faults().next(Kind::ServerError, 50);
    insta::assert_snapshot!(world.type_line("how many rows are there?").await, @"bot> Smartsheet does not answer at the moment. Please try again in a minute.");
    world.sheets.faults().clear();
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(world.type_line("how many rows are there?").await.contains("There are 30 rows"), "and it recovers by itself");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_is_lost_is_done_once() {
    let world = impatient().await;
    for kind in [Kind::Truncated, Kind::Reset, Kind::ServerError, Kind::Hang] {
        let rows = world.sheets.world().rows("Project Plan").len();
        world.type_line("add a task \"Fire drill\" under Phase 4").await;
        // The first request of the confirmation reads the version; the write comes after it.
        world.sheets.faults().next_write(kind);
        let said = world.type_line("confirm").await;
        let now = world.sheets.world().rows("Project Plan").len();
        match kind {
            Kind::Truncated => assert!(said.contains("Done: add 1 row") && now == rows + 1, "{kind:?}: {said}"),
            _ => assert!(now <= rows + 1 && (said.contains("Done") == (now == rows + 1)), "{kind:?}: {said}"),
        }
        tokio::time::sleep(Duration::from_millis(320)).await;
        world.type_line("delete \"Fire drill\"").await;
        world.type_line("confirm").await;
        world.type_line("mark \"Mail service\" as Blocked").await;
        world.sheets.faults().next_write(kind);
        let said = world.type_line("confirm").await;
        assert!(said.contains("Done: set Status in 1 row") && world.cell("Mail service", "Status") == "Blocked", "{kind:?}: {said}");
        world.type_line("undo").await;
        tokio::time::sleep(Duration::from_millis(320)).await;
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_smartsheet_refuses_are_named_and_the_others_written() {
    let world = World::start().await;
    world.sheets.world().set_access("Project Plan", "EDITOR");
    world.type_line("set Status to Blocked for all rows owned by Lee that are Not Started").await;
    world.sheets.world().lock_row("Project Plan", "Mail service");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done for 4 of 5 rows: set Status in 5 rows in Project Plan (‹sheet›).
         Row                 Was          Is
         ──────────────────  ───────────  ───────
         Security hardening  Not Started  Blocked
         Phase 4: Launch     Not Started  Blocked
         Go-live             Not Started  Blocked
         Retrospective       Not Started  Blocked
           Asked for and confirmed by lee.
         Failed (1):
         • Mail service: Smartsheet refused it (1050): You cannot change a locked row.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(world.cell("Go-live", "Status"), "Blocked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reasoning_model_is_learned_from_its_refusals_once() {
    let world = World::with(Setting { behaviour: azure::Behaviour::named("reasoning"), ..Setting::default() }).await.unwrap();
    assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"));
    let first = world.azure.requests().len();
    assert!(world.type_line("what is late?").await.contains("5 rows match"));
    assert_eq!(world.azure.requests().len() - first, 3, "what was learned is not asked again");
    let last = world.azure.requests().pop().unwrap();
    assert!(last["max_completion_tokens"].is_number() && last["temperature"].is_null());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_content_filter_is_told_with_its_category() {
    let filtered = json!({ "error": { "message": "The response was filtered", "code": "content_filter", "status": 400,
        "innererror": { "code": "ResponsibleAIPolicyViolation", "content_filter_result": { "jailbreak": { "filtered": true, "detected": true } } } } });
    let inside = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\ndata: {\"error\":{\"code\":\"content_filter\",\"inner_error\":{\"content_filter_results\":{\"violence\":{\"filtered\":true}}}}}\n\n";
    let world = World::scripted(vec![
        Reply::Http { status: 400, headers: Default::default(), body: filtered },
        Reply::Stream(inside.into()),
        Reply::Cut { text: "I would".into(), finish_reason: "content_filter".into() },
    ])
    .await;
    insta::assert_snapshot!(world.type_line("one").await, @"bot> The content filter of the model refused this (jailbreak). Please put it in other words.");
    insta::assert_snapshot!(world.type_line("two").await, @"bot> The content filter of the model refused this (violence). Please put it in other words.");
    insta::assert_snapshot!(world.type_line("three").await, @"bot> The content filter of the model refused this. Please put it in other words.");
    assert_eq!(world.azure.requests().len(), 3, "a refusal is never repeated");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_cut_off_is_never_carried_out() {
    let cut = Reply::RawCall {
        name: "propose_delete".into(),
        arguments: "{\"sheet\":null,\"where_sql\":\"1 = 1\"}".into(),
        finish_reason: "length".into(),
    };
    let world = World::scripted(vec![cut, Reply::Cut { text: "The answer is long".into(), finish_reason: "length".into() }]).await;
    insta::assert_snapshot!(world.type_line("one").await, @"bot> The answer became too long and was cut off before it was usable, so nothing was done. Please ask for less at once.");
    insta::assert_snapshot!(world.type_line("two").await, @"
    bot> The answer is long
           The answer was cut off at the model's limit.
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_is_too_long_is_made_shorter_once() {
    let too_long = || Reply::Http {
        status: 400,
        headers: Default::default(),
        body: json!({ "error": { "code": "context_length_exceeded", "message": "This model's maximum context length is 128000 tokens." } }),
    };
    let world = World::scripted(vec![Reply::Say("first".into()), too_long(), Reply::Say("short".into()), too_long(), too_long()]).await;
    world.type_line("one").await;
    assert!(world.type_line("two").await.contains("short"));
    let requests = world.azure.requests();
    assert!(requests[2]["messages"].as_array().unwrap().len() < requests[1]["messages"].as_array().unwrap().len());
    insta::assert_snapshot!(world.type_line("three").await, @"bot> This is more than the model can take in at once. Please ask for fewer columns or rows, or start a new thread.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_every_shape_are_read() {
    let chunk = |text: &str, finish: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{}}},\"finish_reason\":{finish},\"index\":0}}]}}", json!(text))
    };
    let crlf = format!(": hello\r\n\r\n\r\n{}\r\n\r\n{}\r\n\r\n", chunk("Grüße, ", "null"), chunk("日本", "\"stop\""));
    let broken = format!("{}\n\n", chunk("half", "null"));
    let cut_letters = format!("{}\n\n{}\n\n", chunk("Grüße aus 東京 ", "null"), chunk("🗼", "\"stop\""));
    let world = World::with(Setting {
        model: Some(Mode::Script(vec![Reply::Stream(crlf), Reply::Stream(broken), Reply::Say("whole".into()), Reply::Pieces(cut_letters)])),
        ..Setting::default()
    })
    .await
    .unwrap();
    assert!(world.type_line("one").await.contains("Grüße, 日本"), "no [DONE] is needed when a reason was given");
    assert!(world.type_line("two").await.contains("whole"), "a stream that breaks off is asked for again");
    assert!(world.type_line("three").await.contains("Grüße aus 東京 🗼"), "letters that arrive in pieces are put together");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_an_answer_broke_off_stays() {
    let broken = "data: {\"choices\":[{\"delta\":{\"content\":\"Of the tasks, *five* are\"},\"finish_reason\":null,\"index\":0}]}\n\n";
    let world = World::scripted(vec![Reply::Stream(broken.into()); 8]).await;
    insta::assert_snapshot!(world.type_line("how are we doing?").await, @"
    bot> Of the tasks, five are …
         ⚠️ The answer broke off here. The model does not answer at the moment. Nothing was changed; please try again in a minute.
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_point_to_the_operator() {
    let world = World::with(Setting { settings: vec![("AZURE_OPENAI_DEPLOYMENT", "none".into())], ..Setting::default() }).await.unwrap();
    insta::assert_snapshot!(world.type_line("which tasks are late?").await, @"bot> I cannot use the model: its address or key is wrong. Please ask the person who runs me to run chatsheet check.");
    world.end().await;
    let world = World::with(Setting { settings: vec![("SMARTSHEET_ACCESS_TOKEN", "wrong".into())], ..Setting::default() }).await.unwrap();
    insta::assert_snapshot!(world.type_line("what is late?").await, @"bot> Smartsheet no longer accepts my access token. Please ask the person who runs me to set a new SMARTSHEET_ACCESS_TOKEN (chatsheet check tells whether it works).");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_meets_an_outage_ends_with_a_clear_word_and_can_be_undone() {
    let world = World::start().await;
    world.type_line("mark \"Usability test\" as complete").await;
    world.sheets.faults().next(Kind::ServerError, 30);
    insta::assert_snapshot!(world.type_line("confirm").await, @"
    bot> ⚠️ Nothing was changed: set Status in 1 row.
         Failed (1):
         • Usability test: Smartsheet does not answer at the moment. Please try again in a minute.
    ");
    world.sheets.faults().clear();
    tokio::time::sleep(Duration::from_millis(350)).await;
    world.type_line("mark \"Usability test\" as complete").await;
    assert!(world.type_line("confirm").await.contains("Done: set Status in 1 row"));
    world.sheets.faults().next(Kind::ServerError, 30);
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ⚠️ Nothing was taken back.
         Failed (1):
         • Usability test: Smartsheet does not answer at the moment. Please try again in a minute.
    ");
    world.sheets.faults().clear();
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(world.type_line("undo").await.contains("Taken back"), "an undo that came to nothing may be asked for again");
    assert_eq!(world.cell("Usability test", "Status"), "Not Started");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_carried_out_late_is_found_and_not_repeated() {
    let world = impatient().await;
    for (phrase, done) in [
        ("add a task \"Fire drill\" under Phase 4", "Done: add 1 row"),
        ("mark \"Mail service\" as Blocked", "Done: set Status in 1 row"),
        ("add a checkbox column Signed", "Done: add column Signed"),
        ("delete the Signed column", "Done: delete column Signed"),
        ("comment on \"Mail service\": ask the provider", "Done"),
        ("delete \"Fire drill\"", "Done: delete 1 row"),
    ] {
        world.type_line(phrase).await;
        world.sheets.faults().next_write(Kind::Late);
        let said = world.type_line("confirm").await;
        assert!(said.contains(done), "{phrase}: {said}");
    }
    let posts = world.writes().iter().filter(|w| w.starts_with("POST")).count();
    assert_eq!(posts, 3, "what is not safe to repeat was sent once: {:?}", world.writes());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_that_write_to_one_sheet_take_turns() {
    let slow = smartsheet::Options { write_latency: Duration::from_millis(150), ..smartsheet::Options::default() };
    let world = World::with(Setting { smartsheet: Some(slow), ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await.unwrap();
    let lees = |row: &std::collections::BTreeMap<String, String>| row.get("Assigned To").is_some_and(|a| a == "Lee Park");
    let rows = world.sheets.world().rows("Project Plan");
    let wanted: Vec<usize> = (0..rows.len()).filter(|i| lees(&rows[*i]) && rows[*i]["Status"] == "Not Started").collect();
    world.type_line("set Status to Complete for all rows owned by Lee that are Not Started").await;
    world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for all rows owned by Lee that are Not Started", None).await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("[Confirm]"))).await.unwrap();
    world.send_line("confirm").await;
    world.slack.press("C1", "U1", "Confirm").await;
    world.app.bot.until_idle().await;
    let puts = world.writes().iter().filter(|w| w.starts_with("PUT")).count();
    assert_eq!(puts, 1, "the second one sees what the first one wrote, and writes nothing over it: {:?}", world.writes());
    let rows = world.sheets.world().rows("Project Plan");
    let mut states: Vec<&str> = wanted.iter().map(|i| rows[*i]["Status"].as_str()).collect();
    states.dedup();
    assert!(states == ["Complete"] || states == ["Blocked"], "no mixture, whoever was first: {states:?}");
    let told = format!("{}{}", world.seen(), world.slack.messages().iter().map(slack::Posted::seen).collect::<String>());
    assert!(told.contains("it was changed by somebody else meanwhile"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_somebody_else_is_saving_is_waited_for() {
    let slow = smartsheet::Options { write_latency: Duration::from_millis(120), ..smartsheet::Options::default() };
    let world = World::with(Setting { smartsheet: Some(slow), ..Setting::default() }).await.unwrap();
    world.type_line("mark \"Mail service\" as Blocked").await;
    let id = world.sheets.world().sheet_id("Project Plan").unwrap();
    let http = crate::smartsheet_api::http();
    let url = format!("{}/sheets/{id}", world.sheets.base_url());
    let other = http.put(url).bearer_auth(smartsheet::TOKEN).json(&json!({ "name": "Project Plan" })).send();
    let (other, said) = tokio::join!(other, world.type_line("confirm"));
    assert!(other.unwrap().status().is_success());
    assert!(said.contains("Done: set Status in 1 row"), "{said}");
    world.type_line("mark \"Mail service\" as Complete").await;
    world.sheets.faults().next_write(Kind::RateLimited);
    assert!(world.type_line("confirm").await.contains("Done: set Status in 1 row"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_is_read_once_per_version_however_many_ask() {
    let world = World::start().await;
    let full = |world: &World| {
        let log = world.sheets.world().log.clone();
        let sheet = log.iter().filter(|l| l.method == "GET" && l.path.contains("/sheets/") && l.path.contains("level=2"));
        (sheet.clone().filter(|l| !l.path.contains("ifVersionAfter")).count(), sheet.filter(|l| l.path.contains("ifVersionAfter")).count())
    };
    let questions = (0..8).map(|n| {
        let people = world.slack.clone();
        let id = world.sheets.world().sheet_id("Project Plan").unwrap();
        async move { people.slash(&format!("C{n}"), "U1", &format!("use {id}")).await }
    });
    futures_util::future::join_all(questions).await;
    world.app.bot.until_idle().await;
    assert_eq!(full(&world).0, 1, "eight threads at once cause one reading");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.type_line("how many tasks are blocked?").await;
    let (whole, versions) = full(&world);
    assert!(whole == 1 && versions >= 1, "later the version is asked for, and nothing else: {whole}, {versions}");
    world.sheets.world().edit("Project Plan", "Mail service", "Status", json!("Blocked"));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(world.type_line("how many tasks are blocked?").await.contains("There are 3 rows"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_a_server_does_not_know_are_left_out_from_then_on() {
    let unsupported = |parameter: &str| Reply::Http {
        status: 400,
        headers: Default::default(),
        body: json!({ "error": { "message": format!("Unrecognized request argument supplied: {parameter}"), "type": "invalid_request_error",
            "param": parameter, "code": "unsupported_parameter" } }),
    };
    let world = World::scripted(vec![
        unsupported("stream_options"),
        unsupported("parallel_tool_calls"),
        Reply::Say("first".into()),
        Reply::Say("second".into()),
        Reply::Http {
            status: 429,
            headers: [("retry-after".to_owned(), "86400".to_owned())].into(),
            body: json!({ "error": { "code": "429", "message": "quota" } }),
        },
    ])
    .await;
    assert!(world.type_line("one").await.contains("first"));
    assert!(world.type_line("two").await.contains("second"));
    let requests = world.azure.requests();
    assert_eq!(requests.len(), 4, "what was learned is not asked again");
    let last = requests.last().unwrap();
    assert!(last.get("stream_options").is_none() && last.get("parallel_tool_calls").is_none() && last["stream"] == true);
    insta::assert_snapshot!(world.type_line("three").await, @"bot> The model's rate limit is used up at the moment. Please try again in 24 hours.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_is_reached_by_every_kind_of_address() {
    let unset = |names: &[&'static str]| names.iter().map(|n| (*n, String::new())).collect::<Vec<_>>();
    let azure = ["AZURE_OPENAI_API_BASE", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_API_VERSION", "AZURE_OPENAI_DEPLOYMENT"];
    let far_side = azure::Azure::start(azure::Options::default()).await.unwrap();
    let compatible = [
        unset(&azure),
        vec![
            ("OPENAI_BASE_URL", format!("{}/v1", far_side.base_url())),
            ("OPENAI_API_KEY", azure::API_KEY.into()),
            ("OPENAI_MODEL", azure::DEPLOYMENT.into()),
        ],
    ];
    for settings in [
        vec![("AZURE_OPENAI_API_VERSION", "v1".to_owned())],
        vec![("AZURE_OPENAI_AUTH", "bearer".to_owned())],
        vec![("AZURE_OPENAI_API_VERSION", "v1".to_owned()), ("AZURE_OPENAI_AUTH", "bearer".to_owned())],
        compatible.concat(),
    ] {
        let world = World::with(Setting { settings: settings.clone(), ..Setting::default() }).await.unwrap();
        let said = world.type_line("how many tasks are blocked?").await;
        assert!(said.contains("There are 2 rows"), "{settings:?}: {said}");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_has_to_wait_is_compared_again_before_it_is_sent() {
    let world = World::start().await;
    world.type_line("set Status to Blocked for all rows owned by Lee that are Not Started").await;
    world.sheets.faults().next_write(Kind::RateLimited);
    world.sheets.at_write(1, |w| w.edit("Project Plan", "Mail service", "Status", json!("Complete")));
    let said = world.type_line("confirm").await;
    assert!(said.contains("Done for 4 of 5 rows") && said.contains("Mail service: it was changed by somebody else meanwhile"), "{said}");
    assert_eq!(world.cell("Mail service", "Status"), "Complete", "what somebody else saved meanwhile stays");
    world.end().await;
}

/// Some servers answer whole although a stream was asked for, and number their calls in ways of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_one_piece_is_an_answer() {
    let whole = |message: serde_json::Value| Reply::Http {
        status: 200,
        headers: Default::default(),
        body: json!({ "object": "chat.completion", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }),
    };
    let call = |sql: &str| json!({ "type": "function", "function": { "name": "functions.query_sheet", "arguments": { "sheet": "null", "sql": sql } } });
    let calls = [call("SELECT count(*) FROM sheet"), call("```sql\nSELECT sum(budget) FROM leaf\n```")];
    let world = World::scripted(vec![
        whole(json!({ "role": "assistant", "content": null, "tool_calls": calls })),
        whole(json!({ "role": "assistant", "content": "<think>Two figures.</think>There they are." })),
    ])
    .await;
    insta::assert_snapshot!(world.type_line("how many tasks, and what do they cost?").await, @r"
    bot> There they are.
         Number of rows: 42
           all 42 rows · Project Plan · as of 10:30 UTC
         Total Budget: $280,950
           rows without children: 34 of 42 · Project Plan · as of 10:30 UTC
           ⚠️ Budget holds text in 1 row and is left out there (Search page: “tbd”)
    ");
    assert_eq!(world.azure.requests().len(), 2, "nothing is asked twice");
    world.end().await;
}
