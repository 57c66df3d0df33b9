//! Every deployment that there is: what is learned of it, at what price, and that a restart costs nothing.

use crate::command_line::run;
use crate::world::{Setting, World, far_side, folder};
use chatsheet::llm::{Calling, Endpoint, Login, Model, ModelSettings};
use chatsheet::store::Deployments;
use sandbox::azure::{self, BEHAVIOURS, Behaviour, Surface, WITHOUT_FUNCTIONS};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Ten turns as people have them: questions, changes, a job, and their ends.
const TURNS: [(&str, &str); 10] = [
    ("how many tasks are blocked?", "There are 2 rows"),
    ("total budget by department", "Engineering"),
    ("what is late?", "5 rows match"),
    ("set Status to Blocked for all rows owned by Lee that are Not Started", "Confirm"),
    ("confirm", "Done"),
    ("undo", "Taken back"),
    ("add a task \"Security review\" under Phase 3, owner Omar", "Confirm"),
    ("cancel", "Nothing was changed"),
    ("summarize Notes into Summary", "model calls"),
    ("how many tasks are assigned to Dana?", "rows"),
];

/// Rows that the preview of a job shows.
const SAMPLES: usize = 3;

/// The settings that lead to a deployment. Servers and gateways that offer chat completions alone are asked as what they are;
/// one is asked as if it were Azure itself, because people put gateways before Azure.
fn settings(behaviour: &Behaviour, model: &azure::Azure) -> Vec<(&'static str, String)> {
    if behaviour.surface != Surface::Chat || behaviour.name == "effort-none-chat-only" {
        return model.settings();
    }
    vec![
        ("AZURE_OPENAI_API_BASE", String::new()),
        ("AZURE_OPENAI_API_KEY", String::new()),
        ("AZURE_OPENAI_DEPLOYMENT", String::new()),
        ("OPENAI_BASE_URL", format!("{}/v1", model.base_url())),
        ("OPENAI_API_KEY", azure::API_KEY.into()),
        ("OPENAI_MODEL", azure::DEPLOYMENT.into()),
    ]
}

async fn deployment(behaviour: Behaviour) -> azure::Azure {
    azure::Azure::start(azure::Options { behaviour, ..azure::Options::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_turns_succeed_on_every_deployment() {
    let (mut table, mut needed) = (String::new(), 0);
    for behaviour in BEHAVIOURS {
        let model = deployment(behaviour).await;
        let world = World::with(Setting { settings: settings(&behaviour, &model), ..Setting::default() }).await.unwrap();
        let name = behaviour.name;
        let (mut extra, mut refused_first) = (0, 0);
        for (n, (said, expected)) in TURNS.into_iter().enumerate() {
            let seen = world.type_line(said).await;
            assert!(seen.contains(expected), "{name}: {said} was answered with\n{seen}");
            assert!(!seen.contains("<think>") && !seen.contains("a guess"), "{name}: thoughts are shown\n{seen}");
            if n == 0 {
                // The classic one comes first, and takes what it needs.
                needed = if needed == 0 { model.requests().len() } else { needed };
                (extra, refused_first) = (model.requests().len() - needed, model.refused());
            }
        }
        assert!(extra <= 2, "{name}: {extra} requests more before the first answer");
        // The next process knows what this one has learned.
        let refused = model.refused();
        let memory = Arc::new(Deployments { store: world.app.store.clone(), clock: world.clock.clone() });
        let endpoint = match settings(&behaviour, &model).iter().find(|(name, _)| *name == "OPENAI_BASE_URL") {
            Some((_, base)) => Endpoint::compatible(base, azure::DEPLOYMENT, azure::API_KEY.into()),
            None => Endpoint::azure(&model.base_url(), "2024-10-21", azure::DEPLOYMENT, Login::Key(azure::API_KEY.into())),
        };
        let again = Model::new(&[endpoint], ModelSettings::default(), Some(memory)).unwrap();
        let function = json!({ "type": "function", "function": { "name": "f", "strict": true, "parameters": { "type": "object", "properties": {}, "required": [], "additionalProperties": false } } });
        let (words, _) = watch::channel(String::new());
        again.ask(&[json!({ "role": "user", "content": "hello" })], &[function], Calling::Free, &words).await.unwrap();
        assert_eq!(model.refused(), refused, "{name}: a restart costs nothing");
        // The first rows of a job are asked for at once, so between one and all of them meet what only jobs ask for.
        let of_rows = refused - refused_first;
        assert!(of_rows <= SAMPLES, "{name}: {of_rows} requests were refused after the first answer");
        let later = if of_rows > 0 { ", and with the first rows of a job" } else { "" };
        table.push_str(&format!("{name}: {extra}, {refused_first} refused{later}{}\n", again.habits()));
        world.end().await;
    }
    insta::assert_snapshot!(table, @"
    classic: 0, 0 refused
    reasoning: 1, 1 refused (without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    o-series: 2, 2 refused (without frequency_penalty, max_tokens, parallel_tool_calls, presence_penalty, temperature, top_p)
    effort-none: 1, 1 refused (through the Responses API; without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    effort-none-chat-only: 2, 2 refused (with reasoning_effort none; without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    effort-unnamed: 1, 1 refused (without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    responses-for-functions: 1, 1 refused (through the Responses API; without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    responses-only: 2, 2 refused (through the Responses API; without frequency_penalty, presence_penalty, temperature, top_p)
    responses-without-reasoning: 2, 2 refused (through the Responses API; without include)
    responses-whole: 2, 2 refused (through the Responses API; without frequency_penalty, presence_penalty, temperature, top_p)
    no-parallel-calls: 1, 1 refused (without parallel_tool_calls)
    no-stream-options: 1, 1 refused (without stream_options)
    no-strict: 1, 1 refused (without strict)
    no-response-format: 0, 0 refused, and with the first rows of a job (without response_format)
    no-penalties: 1, 1 refused (without frequency_penalty, presence_penalty, temperature, top_p)
    fastapi: 1, 1 refused (without strict)
    gateway: 1, 1 refused (without parallel_tool_calls)
    litellm: 1, 1 refused (without parallel_tool_calls)
    ollama: 0, 0 refused
    vllm: 0, 0 refused
    no-index: 0, 0 refused
    id-per-fragment: 0, 0 refused
    arguments-as-objects: 0, 0 refused
    words-in-parts: 0, 0 refused
    annotated: 0, 0 refused
    thirsty: 2, 1 refused (without frequency_penalty, max_tokens, presence_penalty, temperature, top_p)
    ");
}

/// A model that takes no functions cannot serve: people are told why, the next question is not refused several times more, and another
/// deployment answers where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_no_functions_says_so_and_leaves_the_answer_to_another() {
    for behaviour in WITHOUT_FUNCTIONS {
        let model = deployment(behaviour).await;
        let world = World::with(Setting { settings: settings(&behaviour, &model), ..Setting::default() }).await.unwrap();
        let name = behaviour.name;
        for n in 0..3 {
            let before = model.refused();
            let seen = world.type_line("how many tasks are blocked?").await;
            assert!(seen.contains("cannot look into sheets: it takes no functions"), "{name}: {seen}");
            let refused = model.refused() - before;
            assert!(if n == 0 { refused >= 1 } else { refused == 0 }, "{name}: {refused} requests for question {n}");
        }
        world.end().await;
        let other = deployment(BEHAVIOURS[0]).await;
        let endpoint =
            |of: &azure::Azure| Endpoint::azure(&of.base_url(), "2024-10-21", azure::DEPLOYMENT, Login::Key(azure::API_KEY.into()));
        let both = Model::new(&[endpoint(&model), endpoint(&other)], ModelSettings::default(), None).unwrap();
        let function = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": {} } } });
        let (words, _) = watch::channel(String::new());
        both.ask(&[json!({ "role": "user", "content": "hello" })], &[function], Calling::Free, &words).await.unwrap();
        assert_eq!(other.requests().len(), 1, "{name}");
    }
}

/// `check` asks as people do, so it says that a deployment works when it does, and how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_is_right_about_every_deployment() {
    crate::world::install_tls();
    let sheets = sandbox::smartsheet::Smartsheet::start(sandbox::smartsheet::Options::default()).await.unwrap();
    let slack = sandbox::slack::Slack::start(sandbox::slack::Options::default()).await.unwrap();
    let folder = folder();
    for behaviour in BEHAVIOURS.into_iter().chain(WITHOUT_FUNCTIONS) {
        let model = deployment(behaviour).await;
        let mut all = far_side(&sheets, &model, &slack);
        all.extend(settings(&behaviour, &model));
        let path = folder.0.clone();
        let done = tokio::task::spawn_blocking(move || run(&["check"], &all, &path, "")).await.unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let line = said.lines().find(|line| line.contains(" model ")).unwrap_or_default();
        match WITHOUT_FUNCTIONS.contains(&behaviour) {
            false => assert!(line.starts_with("ok ") && line.contains("answers and takes functions"), "{}: {line}", behaviour.name),
            true => assert!(line.starts_with("FAILS") && line.contains("takes no functions"), "{}: {line}", behaviour.name),
        }
    }
}

/// Who asks Entra ID, in each of the ways in which that is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_entra_id_are_fetched_and_renewed() {
    let model = azure::Azure::start(azure::Options::default()).await.unwrap();
    let file = folder();
    let path = file.0.join("token");
    std::fs::write(&path, format!("{}\n", azure::entra::ASSERTION)).unwrap();
    let secret = [model.settings(), model.entra_settings()].concat();
    let machine = [secret.clone(), vec![("AZURE_CLIENT_SECRET", String::new())]].concat();
    let workload = [machine.clone(), vec![("AZURE_FEDERATED_TOKEN_FILE", path.display().to_string())]].concat();
    let virtual_machine = [machine.clone(), vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", model.base_url())]].concat();
    let app_service = [
        machine,
        vec![("IDENTITY_ENDPOINT", format!("{}/msi/token", model.base_url())), ("IDENTITY_HEADER", azure::entra::IDENTITY_HEADER.into())],
    ]
    .concat();
    for (n, settings) in [secret.clone(), workload, virtual_machine, app_service].into_iter().enumerate() {
        let before = model.tokens();
        let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
        assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"), "{n}");
        assert_eq!(model.tokens(), before + 1, "{n}: a token serves several requests");
        model.end_tokens();
        assert!(world.type_line("what is late?").await.contains("5 rows match"), "{n}");
        assert_eq!(model.tokens(), before + 2, "{n}: it is renewed when it has ended before its time");
        world.end().await;
    }
    // Tokens that end at once are fetched anew for each request, and none is sent that has ended.
    let short = azure::Azure::start(azure::Options { token_life: Duration::from_secs(1), ..azure::Options::default() }).await.unwrap();
    let settings = [short.settings(), short.entra_settings()].concat();
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    for _ in 0..8 {
        assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(short.tokens() > 2 && short.turned_away() == 0, "{} tokens, {} turned away", short.tokens(), short.turned_away());
    world.end().await;
    let wrong = [secret, vec![("AZURE_CLIENT_SECRET", "canary-secret".to_owned())]].concat();
    let world = World::with(Setting { settings: wrong, ..Setting::default() }).await.unwrap();
    let said = world.type_line("how many tasks are blocked?").await;
    assert!(said.contains("chatsheet check") && !said.contains("canary"), "{said}");
    world.end().await;
}

/// A deployment that is overrun, out of order or gone costs nobody an answer as long as there is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_deployment_answers_when_the_first_cannot() {
    use sandbox::fault::Kind;
    let second = azure::Azure::start(azure::Options::default()).await.unwrap();
    let settings = vec![("AZURE_OPENAI_FALLBACKS", format!("{}/{}", second.base_url(), azure::DEPLOYMENT))];
    let world = World::with(Setting { settings: settings.clone(), ..Setting::default() }).await.unwrap();
    assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"));
    assert_eq!(second.requests().len(), 0, "the first is asked as long as it answers");
    for kind in [Kind::RateLimited, Kind::ServerError] {
        let (first, before) = (world.azure.requests().len(), second.requests().len());
        world.azure.faults().next(kind, 1);
        assert!(world.type_line("what is late?").await.contains("5 rows match"), "{kind:?}");
        let asked = (world.azure.requests().len() - first, second.requests().len() - before);
        assert!(asked.0 <= 1 && asked.1 >= 1, "{kind:?}: {asked:?} requests");
    }
    world.end().await;
    // What the first has thought is not understood by the second, which is asked without it in the middle of a turn.
    let thinks = Behaviour::named("responses-only");
    let options = || azure::Options { behaviour: thinks.unwrap(), ..azure::Options::default() };
    let other = azure::Azure::start(options()).await.unwrap();
    let fallback = ("AZURE_OPENAI_FALLBACKS", format!("{}/{}", other.base_url(), azure::DEPLOYMENT));
    let world = World::with(Setting { behaviour: thinks, settings: vec![fallback], ..Setting::default() }).await.unwrap();
    assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"));
    let answered = world.azure.requests().len();
    world.azure.fail_from(answered + 2);
    assert!(world.type_line("what is late?").await.contains("5 rows match"));
    assert!(world.azure.requests().len() > answered && !other.requests().is_empty(), "both were asked in one turn");
    world.end().await;
    // Two that are silent pass a request on once, and then it is given up.
    let (first, second_too) =
        (azure::Azure::start(azure::Options::default()).await.unwrap(), azure::Azure::start(azure::Options::default()).await.unwrap());
    [&first, &second_too].iter().for_each(|model| model.fail_from(0));
    let fallback = ("AZURE_OPENAI_FALLBACKS", format!("{}/{}", second_too.base_url(), azure::DEPLOYMENT));
    let world = World::with(Setting { settings: [first.settings(), vec![fallback]].concat(), ..Setting::default() }).await.unwrap();
    assert!(world.type_line("what is late?").await.contains("does not answer"));
    let tries = first.requests().len() + second_too.requests().len();
    assert!((2..=8).contains(&tries), "{tries} requests");
    world.end().await;
    // A deployment that does not exist, and one with a wrong key.
    for wrong in [("AZURE_OPENAI_DEPLOYMENT", "gone"), ("AZURE_OPENAI_API_KEY", "wrong")] {
        let key = ("AZURE_OPENAI_FALLBACK_API_KEY", azure::API_KEY.to_owned());
        let settings = [settings.clone(), vec![(wrong.0, wrong.1.to_owned()), key]].concat();
        let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
        assert!(world.type_line("how many tasks are blocked?").await.contains("There are 2 rows"), "{wrong:?}");
        let said = world.type_line("summarize Notes into Summary").await;
        assert!(said.contains("model calls"), "{wrong:?}: {said}");
        world.end().await;
    }
}
