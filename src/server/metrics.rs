//! What operators measure, in the text format of Prometheus, on an address of its own.

use crate::clock::Clock;
use crate::store::Store;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::time::Instant;

/// Seconds; most answers take a few milliseconds, some wait for a model.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];
/// Jobs take longer.
const JOB_SECONDS: [f64; 8] = [1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

/// Every metric, with its kind and a sentence; the documentation and the dashboard name these.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("chatsheet_http_request_duration_seconds", "histogram", "Time to answer a request, by route, method and status."),
    ("chatsheet_job_queue_length", "gauge", "Jobs that wait for a runner."),
    ("chatsheet_job_queue_age_seconds", "gauge", "How long the oldest of them has waited."),
    ("chatsheet_job_duration_seconds", "histogram", "Time from the first start of a job to its end, by kind and status."),
    ("chatsheet_websocket_connections", "gauge", "Open live connections."),
    ("chatsheet_process_resident_memory_bytes", "gauge", "Memory of the process."),
    ("chatsheet_process_cpu_seconds", "gauge", "CPU time of the process so far."),
    ("chatsheet_events_total", "counter", "Events of platforms, by result: new or duplicate."),
    ("chatsheet_turned_away_total", "counter", "Events of people who are not let in, by platform."),
    ("chatsheet_accept_duration_seconds", "histogram", "Time to store an event, after which it is acknowledged, by platform."),
    ("chatsheet_chat_deferred_total", "counter", "Messages that had to wait for the rate of a platform, by platform."),
    ("chatsheet_database_up", "gauge", "Whether the database answers."),
    ("chatsheet_inbox_waiting", "gauge", "Events that are not served yet."),
    ("chatsheet_inbox_age_seconds", "gauge", "How long the oldest of them that nobody serves has waited."),
    ("chatsheet_leases_lost_total", "counter", "Work that another process took over from a live one, by what: event, job or sheet."),
    (
        "chatsheet_limits_reached_total",
        "counter",
        "Questions that were not answered because a person's limit of the day is used up, by limit.",
    ),
    ("chatsheet_turn_duration_seconds", "histogram", "Time to serve an event, by result."),
    ("chatsheet_smartsheet_requests_total", "counter", "Requests to Smartsheet, by HTTP status."),
    ("chatsheet_smartsheet_budget_left", "gauge", "Requests that Smartsheet's rate allows in this minute."),
    ("chatsheet_smartsheet_paused_total", "counter", "Times that Smartsheet was not asked for a while, because it failed again and again."),
    ("chatsheet_smartsheet_callbacks_total", "counter", "Calls of Smartsheet's webhooks, by answer."),
    ("chatsheet_model_requests_total", "counter", "Requests to the model, by HTTP status."),
    (
        "chatsheet_model_tokens_total",
        "counter",
        "Tokens of the model, by kind: prompt (cached are a part) or completion (reasoning is a part).",
    ),
    ("chatsheet_feedback_total", "counter", "What people think of answers, by platform and reaction: like, dislike."),
    ("chatsheet_unreadable_events_total", "counter", "Events of platforms that could not be read, and were left out."),
    ("chatsheet_model_deployment_up", "gauge", "Whether a deployment has answered (1), or is passed over for another (0)."),
    ("chatsheet_model_failovers_total", "counter", "Requests that another deployment answered, because the one before could not."),
    (
        "chatsheet_answers_doubted_total",
        "counter",
        "Answers that said what was not found, by result: written again, or told with a warning.",
    ),
    ("chatsheet_model_cost", "gauge", "What they cost so far, by MODEL_PRICE_PER_1K_*, since the process began."),
];

/// The recorder of this process; the first call installs it.
pub(super) fn recorder() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in [("chatsheet_job_duration_seconds", &JOB_SECONDS[..]), ("_seconds", &SECONDS[..])] {
            let matcher = if name.starts_with('_') { Matcher::Suffix(name.into()) } else { Matcher::Full(name.into()) };
            builder = match builder.set_buckets_for_metric(matcher, buckets) {
                Ok(builder) => builder,
                // Only for no buckets at all.
                Err(_) => PrometheusBuilder::new(),
            };
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("metrics go to a recorder that was installed before ours");
        }
        for (name, kind, what) in METRICS {
            match *kind {
                "counter" => metrics::describe_counter!(*name, *what),
                "gauge" => metrics::describe_gauge!(*name, *what),
                _ => metrics::describe_histogram!(*name, *what),
            }
        }
        handle
    })
}

const ADDED_UP_EVERY: Duration = Duration::from_secs(5);
/// How long the database may take to count what waits.
const DATABASE_WITHIN: Duration = Duration::from_secs(2);

/// `/metrics`.
pub fn router(store: Store, clock: Clock) -> Router {
    let samples = recorder();
    // What has not happened yet is told, too: an alert sees the first time only then.
    for what in ["event", "job", "sheet"] {
        metrics::counter!("chatsheet_leases_lost_total", "what" => what).increment(0);
    }
    for limit in ["turns", "tokens", "cost"] {
        metrics::counter!("chatsheet_limits_reached_total", "limit" => limit).increment(0);
    }
    metrics::counter!("chatsheet_smartsheet_paused_total").increment(0);
    // What was measured is added up also while nobody asks for it: it would pile up otherwise.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(ADDED_UP_EVERY).await;
            samples.run_upkeep();
        }
    });
    Router::new().route("/metrics", get(show)).with_state((store, clock))
}

async fn show(State((store, clock)): State<(Store, Clock)>) -> String {
    match tokio::time::timeout(DATABASE_WITHIN, store.waiting_work()).await {
        Ok(Ok(waiting)) => {
            metrics::gauge!("chatsheet_database_up").set(1.0);
            metrics::gauge!("chatsheet_job_queue_length").set(waiting.jobs as f64);
            let age = |since_ms: Option<i64>| since_ms.map_or(0.0, |at| (clock.now_ms() - at).max(0) as f64 / 1000.0);
            metrics::gauge!("chatsheet_job_queue_age_seconds").set(age(waiting.oldest_job_ms));
            metrics::gauge!("chatsheet_inbox_waiting").set(waiting.events as f64);
            metrics::gauge!("chatsheet_inbox_age_seconds").set(age(waiting.oldest_event_ms));
        }
        // The rest is wanted most of all then.
        failed => {
            metrics::gauge!("chatsheet_database_up").set(0.0);
            tracing::warn!(failed = ?failed.map(Result::err), "what waits cannot be counted for the metrics");
        }
    }
    if let Some((bytes, seconds)) = process() {
        metrics::gauge!("chatsheet_process_resident_memory_bytes").set(bytes);
        metrics::gauge!("chatsheet_process_cpu_seconds").set(seconds);
    }
    recorder().render()
}

/// Memory in bytes and CPU time in seconds of this process, where the system tells (Linux).
fn process() -> Option<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes: f64 = status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())?;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields are counted behind the name, which may hold blanks; the clock of /proc ticks 100 times a second.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((kilobytes * 1024.0, ticks / 100.0))
}

/// Measures a request by its route; what belongs to no route is counted together.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "other".to_owned(), |p| p.as_str().to_owned());
    // Anybody can make up methods; each would be kept for ever.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("chatsheet_http_request_duration_seconds", "route" => route, "method" => method, "status" => status)
        .record(began.elapsed().as_secs_f64());
    response
}
