//! What operators see: metrics, and where they are documented.

use crate::api::Program;
use crate::world::{Setting, World};
use chatsheet::server::api::Scope;
use chatsheet::server::metrics::METRICS;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("chatsheet_"));
    words.map(|w| ["_bucket", "_count", "_sum"].iter().find_map(|s| w.strip_suffix(s)).unwrap_or(w).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_counted_on_an_address_of_its_own() {
    let settings = vec![("METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.type_line("how many tasks are blocked?").await;
    let program = Program::new(&world, "reader", &[Scope::Read]).await;
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    program.get(&format!("/api/smartsheet/{sheet}")).await;
    let http = crate::smartsheet_api::http();
    let address = world.app.metrics_address.unwrap();
    let text = http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    for line in [
        "chatsheet_events_total{result=\"new\"}",
        "chatsheet_accept_duration_seconds_count{platform=\"console\"} 1",
        "chatsheet_smartsheet_requests_total{status=\"200\"}",
        "chatsheet_model_requests_total{status=\"200\"}",
        "chatsheet_model_tokens_total{kind=\"prompt\"}",
        "chatsheet_http_request_duration_seconds_bucket{route=\"/api/smartsheet/{sheetId}\",method=\"GET\",status=\"200\",le=",
        "chatsheet_turn_duration_seconds_count{result=\"done\"}",
        "chatsheet_job_queue_length 0",
        "chatsheet_inbox_age_seconds 0",
        // Of this story or of another one that runs beside it: they share what counts.
        "chatsheet_smartsheet_budget_left ",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let told: BTreeSet<String> = METRICS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    assert!(named(&text).is_subset(&told), "{:?} is not documented", named(&text).difference(&told).collect::<Vec<_>>());
    assert!(!text.contains(&sheet.to_string()), "no ids in labels");
    assert_eq!(http.get(format!("http://{}/metrics", world.app.address)).send().await.unwrap().status().as_u16(), 404);
    world.app.bot.until_idle().await;
    world.app.store.close().await;
    let text = http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("chatsheet_database_up 0") && text.contains("chatsheet_events_total"),
        "what is there is told all the same: {text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thumbs_in_teams_are_counted_and_what_is_said_beside_them_is_not_kept() {
    let settings = vec![("METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    let world = World::with(Setting { teams: Some(sandbox::teams::Options::default()), settings, ..Setting::default() }).await.unwrap();
    let teams = world.teams.clone().unwrap();
    teams.say("a:lee", "29:lee", "use Project Plan").await;
    world.app.bot.until_idle().await;
    teams.say("a:lee", "29:lee", "which tasks are blocked?").await;
    world.app.bot.until_idle().await;
    let shown = teams.messages().len();
    for (reaction, status) in [("dislike", 200), ("dislike", 200), ("like", 200), ("<script>", 200)] {
        assert_eq!(teams.rate("a:lee", "29:lee", reaction, "Payment integration is not blocked").await.statuses, [status]);
    }
    world.app.bot.until_idle().await;
    assert_eq!(teams.messages().len(), shown, "nobody has asked anything");
    let address = world.app.metrics_address.unwrap();
    let text = crate::smartsheet_api::http().get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    for (reaction, count) in [("dislike", 2), ("like", 1)] {
        let counted = text.lines().find(|l| l.starts_with("chatsheet_feedback_total") && l.contains(&format!("\"{reaction}\"")));
        assert!(counted.is_some_and(|l| l.ends_with(&format!(" {count}"))), "{reaction}: {counted:?}");
    }
    assert!(!text.contains("script") && !text.contains("Payment"), "labels are words of our own");
    world.end().await;
}

/// What no adapter can read is counted for each platform, and neither stops what comes behind it nor is logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_counted() {
    let settings = vec![("METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    let (teams, telegram) = (Some(sandbox::teams::Options::default()), Some(sandbox::telegram::Options::default()));
    let world = World::with(Setting { teams, telegram, settings, ..Setting::default() }).await.unwrap();
    let (on_teams, on_telegram) = (world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    let address = world.app.metrics_address.unwrap();
    let counted = async || -> Vec<u64> {
        let text = crate::smartsheet_api::http().get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
        let of = |platform: &str| {
            let line = text.lines().find(|l| l.starts_with("chatsheet_unreadable_events_total") && l.contains(platform));
            line.and_then(|l| l.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
        };
        ["slack", "teams", "telegram"].map(of).to_vec()
    };
    let before = counted().await;
    world.slack.say_with("C1", "U1", "<@UBOT> hello", None, &json!({ "ts": 5 })).await;
    on_teams.say_with("a:lee", "29:lee", "hello", &json!({ "from": "odd" })).await;
    on_telegram.say_with(1, 1, "hello", &json!({ "message_id": "odd" })).await;
    on_telegram.say(1, 1, "who are you?", None).await;
    on_telegram.until(|far| far.messages().iter().any(|m| m.seen().contains("I am ChatSheetAI"))).await.unwrap();
    world.app.bot.until_idle().await;
    let more: Vec<bool> = counted().await.iter().zip(&before).map(|(after, before)| after > before).collect();
    assert_eq!(more, [true; 3]);
    assert_eq!(on_telegram.messages().iter().filter(|m| m.from == sandbox::telegram::BOT_ID).count(), 1);
    assert!(world.slack.messages().iter().all(|m| m.user != sandbox::slack::BOT_USER));
    world.end().await;
}

/// Whatever is counted anywhere in the source is told to operators, whether a story comes by it or not.
#[test]
fn all_that_is_counted_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut counted) = (vec![root.join("src"), root.join("adapters")], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let uses = ["counter!(\"", "gauge!(\"", "histogram!(\""].into_iter().flat_map(|kind| source.split(kind).skip(1));
                counted.extend(uses.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }
    let told: BTreeSet<String> = METRICS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    assert!(counted.len() > 20 && counted.is_subset(&told), "{:?} is not documented", counted.difference(&told).collect::<Vec<_>>());
}

#[test]
fn alerts_and_the_dashboard_use_metrics_that_exist() {
    let told: BTreeSet<String> = METRICS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    let (alerts, dashboard) = (include_str!("../../docs/operations/alerts.yaml"), include_str!("../../docs/operations/dashboard.json"));
    serde_json::from_str::<serde_json::Value>(dashboard).unwrap();
    assert_eq!(named(dashboard), told, "the dashboard shows all of them");
    assert!(named(alerts).is_subset(&told) && named(alerts).len() > 5, "{:?}", named(alerts));
}

/// In builds with the feature `otel`.
#[cfg(feature = "otel")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_traced_to_a_collector_and_nothing_of_the_sheet_is_in_it() {
    use crate::crashes::Place;
    use axum::body::Bytes;
    use axum::http::HeaderMap;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<(String, Bytes)>();
    let took = move |headers: HeaderMap, body: Bytes| {
        let kind = headers["content-type"].to_str().unwrap().to_owned();
        let _ = tell.send((kind, body));
        async { ([("content-type", "application/x-protobuf")], Bytes::new()) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let collector = format!("http://{}", listener.local_addr().unwrap());
    let routes = axum::Router::new().route("/v1/traces", axum::routing::post(took));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let mut place = Place::over(sandbox::smartsheet::Options::default(), sandbox::azure::Options::default()).await;
    place.settings.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector));
    let mut child = place.serve().await;
    place.slack.slash("C1", "U1", "use Project Plan").await;
    place.until("start with").await;
    place.slack.say("C1", "U1", "<@UBOT> how many tasks are blocked?", None).await;
    place.until("as of ").await;
    let id = child.id().unwrap().to_string();
    tokio::process::Command::new("kill").arg(id).status().await.unwrap();
    assert!(child.wait().await.unwrap().success());
    let mut all = Vec::new();
    while let Ok((kind, body)) = told.try_recv() {
        assert_eq!(kind, "application/x-protobuf");
        all.extend_from_slice(&body);
    }
    let text = String::from_utf8_lossy(&all);
    for name in ["chatsheet", "http", "event", "smartsheet", "model", "service.version"] {
        assert!(text.contains(name), "{name} is not traced in {} bytes", all.len());
    }
    for secret in ["sandbox-", "xoxb-", "blocked", "Page templates"] {
        assert!(!text.contains(secret), "{secret} is traced");
    }
}
