//! Slack passes the port's contract against its stand-in, and never goes over Slack's limits.
#![expect(clippy::unwrap_used, reason = "a broken clause fails by panicking")]

use async_trait::async_trait;
use chat::contract::{Remembering, Rig, Slow, run};
use chat::{Chat, Message};
use proptest::prelude::*;
use sandbox::slack as sandbox_slack;
use serde_json::json;
use slack_chat::{Access, Settings, Slack, render, router, text_only};
use std::sync::{Arc, Mutex};
use tokio_util::sync::{CancellationToken, DropGuard};

#[path = "../../chat/tests/wild/mod.rs"]
mod wild;

struct SlackRig {
    far_side: sandbox_slack::Slack,
    chat: Arc<Slack>,
    inbox: Arc<Remembering>,
    root: Mutex<String>,
    _stop: DropGuard,
}

fn settings(far_side: &sandbox_slack::Slack, socket: bool) -> Settings {
    Settings {
        access: Access::Token(sandbox_slack::BOT_TOKEN.into()),
        signing_secret: (!socket).then(|| sandbox_slack::SIGNING_SECRET.into()),
        app_token: socket.then(|| sandbox_slack::APP_TOKEN.into()),
        api_base_url: far_side.base_url().parse().unwrap(),
        paced: false,
    }
}

impl SlackRig {
    async fn start() -> Self {
        Self::by(false).await
    }

    /// Over the signed URL, or by Socket Mode.
    async fn by(socket: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let far_side = sandbox_slack::Slack::start(sandbox_slack::Options::default()).await.unwrap();
        let chat = Arc::new(Slack::new(settings(&far_side, socket)).unwrap());
        let inbox = Arc::new(Remembering::default());
        let app = axum::Router::new().nest_service("/api/webhooks/slack", router(chat.clone(), inbox.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        far_side.send_events_to(&format!("http://{}/api/webhooks/slack", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let stop = CancellationToken::new();
        tokio::spawn(chat.clone().run(inbox.clone(), stop.clone()));
        if socket {
            far_side.connected(2, 2).await.unwrap();
        }
        Self { far_side, chat, inbox, root: Mutex::default(), _stop: stop.drop_guard() }
    }

    fn root(&self) -> String {
        self.root.lock().unwrap().clone()
    }
}

#[async_trait]
impl Rig for SlackRig {
    fn chat(&self) -> &dyn Chat {
        self.chat.as_ref()
    }

    fn inbox(&self) -> &Remembering {
        &self.inbox
    }

    async fn mention(&self, text: &str) {
        let said = self.far_side.say("C1", "U1", &format!("<@UBOT> {text}"), None).await;
        *self.root.lock().unwrap() = said.ts;
    }

    async fn follow_up(&self, text: &str) {
        self.far_side.say("C1", "U1", text, Some(&self.root())).await;
    }

    async fn redeliver(&self) {
        assert_eq!(self.far_side.redeliver().await, 200);
    }

    async fn echo_own_message(&self) {
        self.far_side.echo().await;
    }

    async fn forged(&self) -> bool {
        let body = self.far_side.last_event().unwrap();
        // Over Socket Mode nothing comes in over the URL, whatever its signature.
        self.far_side.send_signed(&body, "not the secret", 1_795_305_600).await == 401
    }

    async fn press(&self, label: &str) {
        self.far_side.press("C1", "U1", label).await;
    }

    async fn visible(&self) -> Vec<String> {
        self.far_side.thread("C1", Some(&self.root())).into_iter().map(|(_, text)| text).collect()
    }

    fn stumble(&self, skip: usize, lost: bool) {
        let kind = if lost { sandbox::fault::Kind::Truncated } else { sandbox::fault::Kind::RateLimited };
        self.far_side.faults().after(skip, kind);
    }

    async fn stranger(&self, text: &str) -> bool {
        self.far_side.say("C1", &format!("{}1", sandbox_slack::STRANGER), &format!("<@UBOT> {text}"), None).await;
        true
    }

    async fn beside(&self, quoted: &str, text: &str) -> bool {
        let shared = json!({ "attachments": [{ "is_share": true, "author_name": "Mia Jensen", "text": quoted }] });
        self.far_side.say_with("C1", "U1", &format!("<@UBOT> {text}"), None, &shared).await;
        true
    }

    async fn to_somebody_else(&self) -> bool {
        self.follow_up("<@U2> can you have a look?").await;
        true
    }

    async fn refuse_markup(&self) {
        self.far_side.refuse_blocks(true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_passes_the_contract() {
    run(&SlackRig::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_passes_the_contract_by_socket_mode() {
    run(&SlackRig::by(true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_renewed_and_nothing_is_lost_when_they_break() {
    let rig = SlackRig::by(true).await;
    rig.far_side.refresh_connections();
    rig.far_side.connected(2, 4).await.unwrap();
    assert!(rig.far_side.fewest_connections() >= 1, "one is there while the other is renewed");
    assert_eq!(rig.far_side.slash("C1", "U1", "status").await.statuses, [200]);
    assert_eq!(rig.inbox.take().remove(0).what, chat::What::Command { text: "status".into() });
    assert_eq!(rig.far_side.novelty().await.statuses, [200], "what is not known is acknowledged, or it would come for ever");
    rig.far_side.break_connections();
    rig.far_side.connected(1, 5).await.unwrap();
    let said = rig.far_side.say("D1", "U1", "are you there?", None).await;
    assert_eq!((said.statuses.last(), rig.inbox.take().len()), (Some(&200), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_are_replaced() {
    let rig = SlackRig::by(true).await;
    rig.far_side.freeze_connections();
    rig.far_side.connected(1, 3).await.unwrap();
    assert_eq!(rig.far_side.say("D1", "U1", "are you there?", None).await.statuses.last(), Some(&200));
    assert_eq!(rig.inbox.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_hang_before_they_are_open_are_replaced() {
    let rig = SlackRig::by(true).await;
    rig.far_side.faults().next(sandbox::fault::Kind::Hang, 2);
    rig.far_side.break_connections();
    rig.far_side.connected(2, 4).await.unwrap();
    assert_eq!(rig.far_side.say("D1", "U1", "are you there?", None).await.statuses.last(), Some(&200));
    assert_eq!(rig.inbox.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_cannot_be_stored_is_not_acknowledged() {
    let rig = SlackRig::by(true).await;
    rig.inbox.refuse(1);
    let said = rig.far_side.say("D1", "U1", "hello", None).await;
    assert_eq!(said.statuses, [0, 200], "it came again, and counts once");
    assert_eq!(rig.inbox.take().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_people_are_known() {
    let rig = SlackRig::start().await;
    rig.mention("hello").await;
    let anchor = rig.inbox.take().remove(0).anchor;
    let file = chat::File { name: "rows.csv".into(), media_type: "text/csv".into(), bytes: b"a,b".to_vec() };
    rig.chat.upload(&anchor, &file).await.unwrap();
    assert_eq!(rig.visible().await.pop().unwrap(), "[file rows.csv, 3 bytes]");
    assert_eq!(rig.chat.profile(&anchor, "U1").await.unwrap().name, "Lee Park");
    rig.chat.whisper(&anchor, "U2", &Message::text("only you")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().only_for.as_deref(), Some("U2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_workspace_has_not_granted_is_named_and_nothing_else_fails() {
    let rig = SlackRig::start().await;
    rig.far_side.grant_only("app_mentions:read,chat:write,commands");
    rig.mention("hello").await;
    let anchor = rig.inbox.take().remove(0).anchor;
    let at = rig.chat.post_growing(&anchor, "U1", &Message::text("The plan").partial()).await.unwrap();
    rig.chat.edit(&at, &Message::text("The plan is on time.")).await.unwrap();
    rig.chat.whisper(&anchor, "U1", &Message::text("only you")).await.unwrap();
    assert_eq!(rig.visible().await[1..], ["The plan is on time."]);
    // Below a message that nobody has answered yet Slack would show it to nobody.
    let alone = rig.far_side.messages().pop().unwrap();
    assert_eq!((alone.seen(), alone.thread_ts), ("only you".to_owned(), None));
    let file = chat::File { name: "rows.csv".into(), media_type: "text/csv".into(), bytes: b"a,b".to_vec() };
    for (refused, scope) in [
        (rig.chat.upload(&anchor, &file).await.unwrap_err(), "files:write"),
        (rig.chat.profile(&anchor, "U1").await.unwrap_err(), "users:read"),
    ] {
        assert!(matches!(&refused, chat::ChatError::Forbidden(why) if why.contains("missing_scope") && why.contains(scope)), "{refused}");
    }
    rig.far_side.grant_only("app_mentions:read");
    assert!(
        matches!(rig.chat.post(&anchor, &Message::text("x")).await, Err(chat::ChatError::Forbidden(why)) if why.contains("chat:write"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_is_answered_503_in_time_and_the_event_counts_once() {
    let rig = SlackRig::start().await;
    let inbox = Arc::new(Slow::once(rig.inbox.clone(), std::time::Duration::from_millis(1_800)));
    let app = axum::Router::new().nest_service("/api/webhooks/slack", router(rig.chat.clone(), inbox));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    rig.far_side.send_events_to(&format!("http://{}/api/webhooks/slack", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let said = rig.far_side.say("D1", "U1", "hello", None).await;
    assert_eq!(said.statuses, [503, 200], "never an acknowledgement of what is not stored, never three seconds of silence");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(rig.inbox.take().len(), 1, "it was stored twice as late, but counts once");
}

#[test]
fn an_empty_signing_secret_is_refused() {
    let settings = Settings {
        access: Access::Token("x".into()),
        signing_secret: Some(" ".into()),
        app_token: None,
        api_base_url: "http://127.0.0.1:1".parse().unwrap(),
        paced: false,
    };
    assert!(Slack::new(settings).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_message_goes_over_slacks_limits_or_calls_somebody(blocks in wild::blocks()) {
        let message = Message::new(blocks);
        for part in render(&message).into_iter().chain(text_only(&message)) {
            prop_assert_eq!(sandbox_slack::block_fault(&part.blocks), None);
            prop_assert!(!part.text.is_empty() && part.text.chars().count() <= 4_000);
            let sent = format!("{} {}", part.text, serde_json::to_string(&part.blocks).unwrap());
            for harmful in ["<!channel>", "<@U1>", "<https://b.test", "\"type\":\"broadcast\"", "\"type\":\"user\"", "\"image_url\":\"https://a.test"] {
                prop_assert!(!sent.contains(harmful), "{} in {}", harmful, sent);
            }
            let ends = ["&", "&a", "&am", "&amp", "&l", "&lt", "&g", "&gt"];
            prop_assert!(!ends.iter().any(|e| part.text.ends_with(e)), "cut inside an escape: {}", part.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_grows_is_a_stream_and_then_an_ordinary_message() {
    let rig = SlackRig::start().await;
    rig.mention("how are we doing?").await;
    let anchor = rig.inbox.take().remove(0).anchor;
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    assert_eq!(rig.far_side.status("C1").as_deref(), Some("is looking at Project Plan …"));
    let growing = |words: &str| Message::text(words).partial();
    let at = rig.chat.post_growing(&anchor, "U1", &growing("The plan is on")).await.unwrap();
    assert_eq!(rig.far_side.status("C1"), None, "the words take its place");
    for words in
        ["The plan is on **ti", "The plan is on **time** but <!channel> for", "The plan is on **time** but <!channel> for five tasks."]
    {
        rig.chat.edit(&at, &growing(words)).await.unwrap();
    }
    let stream = rig.far_side.messages().pop().unwrap();
    assert!(stream.streaming && stream.blocks.is_empty());
    assert_eq!(stream.text, "The plan is on **time** but &lt;!channel&gt; for five");
    rig.chat.edit(&at, &Message::text("The plan is on **time**.")).await.unwrap();
    let whole = rig.far_side.messages().pop().unwrap();
    assert_eq!((whole.streaming, whole.ts == stream.ts, whole.seen()), (false, true, "The plan is on time.".to_owned()));
    let appended = rig.far_side.calls().iter().filter(|(method, _)| method == "chat.appendStream").count();
    assert_eq!(appended, 3, "each brings what is new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_writer_is_gone_or_that_ended_by_itself_gets_its_last_word() {
    let (rig, other) = (SlackRig::start().await, Message::text("All of it."));
    rig.mention("how are we doing?").await;
    let anchor = rig.inbox.take().remove(0).anchor;
    let growing = Message::text("The plan is on time").partial();
    let at = rig.chat.post_growing(&anchor, "U1", &growing).await.unwrap();
    let successor = Slack::new(settings(&rig.far_side, false)).unwrap();
    successor.edit(&at, &other).await.unwrap();
    assert_eq!(rig.visible().await.pop().unwrap(), "All of it.");
    let at = rig.chat.post_growing(&anchor, "U1", &growing).await.unwrap();
    rig.far_side.end_streams();
    rig.chat.edit(&at, &Message::text("The plan is on time and more of it").partial()).await.unwrap();
    rig.chat.edit(&at, &other).await.unwrap();
    assert_eq!(rig.visible().await.pop().unwrap(), "All of it.");
    assert_eq!(rig.visible().await.len(), 3, "the question, and two answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_are_no_streams_a_message_is_edited() {
    let rig = SlackRig::start().await;
    rig.mention("how are we doing?").await;
    let anchor = rig.inbox.take().remove(0).anchor;
    rig.far_side.refuse_streams();
    assert!(!rig.chat.status(&anchor, "looking at Project Plan").await, "a message has to say it");
    for words in ["The plan is on time", "The plan is on time but for five tasks"] {
        let at = rig.chat.post_growing(&anchor, "U1", &Message::text(words).partial()).await.unwrap();
        rig.chat.edit(&at, &Message::text(&format!("{words}.")).partial()).await.unwrap();
        assert_eq!(rig.visible().await.pop().unwrap(), format!("{words}."));
    }
    assert!(!rig.chat.status(&anchor, "looking at Project Plan").await);
    let asked = |name: &str| rig.far_side.calls().iter().filter(|(method, _)| method == name).count();
    assert_eq!((asked("chat.startStream"), asked("assistant.threads.setStatus")), (1, 1), "it is not asked for again and again");
}
