//! What a model is given, and how its calls are kept within bounds.

use crate::world::World;
use sandbox::azure::Reply;
use serde_json::{Value, json};

fn query(sql: &str, show: bool) -> (String, Value) {
    ("query_sheet".into(), json!({ "sheet": null, "sql": sql, "show": show }))
}

/// Names of the functions that a request offers.
fn offered(request: &Value) -> Vec<String> {
    let names = request["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned());
    names.collect()
}

/// The outline names the tables where it names the columns, with kinds, people, options and examples of this sheet, and no cell's text; all of it
/// is cheap to read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_prompt_says_what_the_sheet_is_in_few_tokens() {
    let world = World::start().await;
    world.type_line("how many tasks are blocked?").await;
    let request = world.azure.requests().remove(0);
    insta::assert_snapshot!("first_prompt", request["messages"][0]["content"].as_str().unwrap());
    let tokens = tiktoken_rs::o200k_base().unwrap();
    let count = |value: &Value| tokens.encode_with_special_tokens(&value.to_string()).len();
    let (messages, functions) = (count(&request["messages"]), count(&request["tools"]));
    println!("{messages} tokens of messages, {functions} of functions");
    assert!(messages + functions <= 1_800, "{messages} tokens of messages, {functions} of functions");
    world.end().await;
}

/// However many calls a model makes at once, eight are run and three tables shown; it is told of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_calls_in_one_answer_are_capped() {
    let calls = (0..60).map(|n| query(&format!("SELECT task_name FROM leaf LIMIT {}", n + 2), true)).collect();
    let world = World::scripted(vec![Reply::Calls(calls), Reply::Say("Look.".into())]).await;
    let said = world.type_line("go ahead").await;
    let last = world.azure.requests().pop().unwrap();
    let results: Vec<&str> =
        last["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "tool").filter_map(|m| m["content"].as_str()).collect();
    let refused = results.iter().filter(|content| content.contains("too many calls in one answer")).count();
    assert_eq!((results.len(), refused), (60, 52), "each call has its result");
    let tables = said.lines().filter(|line| line.contains("────")).count();
    assert!((1..=3).contains(&tables), "{tables} tables: {said}");
    world.end().await;
}

/// What stands at the beginning of a request stays the same through all of a turn, so that the far side need not read it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beginning_of_a_request_stays_the_same_through_a_turn() {
    let world =
        World::scripted((0..20).map(|n| Reply::Calls(vec![query(&format!("SELECT count(*) + {n} FROM leaf"), false)])).collect()).await;
    world.type_line("go ahead").await;
    let requests = world.azure.requests();
    assert!(requests.len() > 3 && requests.last().unwrap()["tool_choice"] == "none");
    for pair in requests.windows(2) {
        assert_eq!(pair[0]["tools"], pair[1]["tools"]);
        let (before, after) = (pair[0]["messages"].as_array().unwrap(), pair[1]["messages"].as_array().unwrap());
        assert!(after.starts_with(before), "a message of before was changed");
    }
    world.end().await;
}

/// Functions that are seldom meant are offered when the model asks for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seldom_functions_are_offered_when_they_are_asked_for() {
    let column = json!({ "sheet": null, "action": "add", "title": "Risk", "type": "text" });
    let world = World::scripted(vec![
        Reply::call("more_functions", json!({})),
        Reply::call("propose_column", column),
        Reply::Say("There it is.".into()),
    ])
    .await;
    world.type_line("there should be room for the dangers").await;
    let requests = world.azure.requests();
    let (first, second) = (offered(&requests[0]), offered(&requests[1]));
    assert!(first.contains(&"more_functions".to_owned()) && !first.contains(&"propose_column".to_owned()), "{first:?}");
    assert!(["propose_column", "propose_comment", "propose_job"].iter().all(|name| second.contains(&(*name).to_owned())), "{second:?}");
    world.end().await;
}

/// A quota that is spent comes back only when somebody pays: nobody is told to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_quota_is_told_as_such() {
    let spent = || Reply::Http {
        status: 429,
        headers: [("retry-after".to_owned(), "1".to_owned())].into(),
        body: json!({ "error": { "message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota" } }),
    };
    let world = World::scripted(vec![spent(), spent(), spent()]).await;
    insta::assert_snapshot!(world.type_line("how many tasks are blocked?").await, @"bot> The quota of the model is used up, and waiting does not help. Please tell the person who runs me.");
    assert_eq!(world.azure.requests().len(), 1, "it is not tried again");
    world.end().await;
}
