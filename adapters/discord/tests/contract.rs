//! Discord passes the port's contract against its stand-in, over the gateway and by signed requests, and never goes over its limits.
#![expect(clippy::unwrap_used, reason = "a broken clause fails by panicking")]

use async_trait::async_trait;
use chat::contract::{Remembering, Rig, Slow, run};
use chat::{Addressed, Anchor, Block, Button, ButtonStyle, Chat, ChatError, Incoming, Markdown, Message, What};
use discord_chat::{Discord, Settings, plain, render, router};
use proptest::prelude::*;
use sandbox::discord::{self as far, APPLICATION, CHANNEL};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};

#[path = "../../chat/tests/wild/mod.rs"]
mod wild;

struct DiscordRig {
    far_side: far::Discord,
    chat: Arc<Discord>,
    inbox: Arc<Remembering>,
    url: String,
    root: Mutex<u64>,
    _stop: DropGuard,
}

impl DiscordRig {
    async fn start() -> Self {
        Self::over(far::Options::default()).await
    }

    async fn over(options: far::Options) -> Self {
        let inbox = Arc::new(Remembering::default());
        Self::listening(options, inbox.clone(), inbox).await
    }

    /// With an inbox in front of the one that remembers.
    async fn listening(options: far::Options, front: Arc<dyn chat::Inbox>, inbox: Arc<Remembering>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let far_side = far::Discord::start(options.clone()).await.unwrap();
        let settings = Settings {
            bot_token: far::BOT_TOKEN.into(),
            application_id: APPLICATION,
            public_key: Some(far_side.public_key()),
            api_base_url: Some(far_side.origin().parse().unwrap()),
            paced: options.enforce_rates,
        };
        let chat = Arc::new(Discord::new(settings).unwrap());
        let app = axum::Router::new().nest_service("/api/webhooks/discord", router(chat.clone(), front.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/webhooks/discord", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let stop = CancellationToken::new();
        tokio::spawn(chat.clone().run(front, stop.clone()));
        far_side.until(|far| far.sessions().0 == 1).await.unwrap();
        Self { far_side, chat, inbox, url, root: Mutex::default(), _stop: stop.drop_guard() }
    }

    /// What has come in over the gateway, once it has.
    async fn heard(&self) -> Vec<Incoming> {
        for _ in 0..250 {
            let events = self.inbox.take();
            if !events.is_empty() {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Vec::new()
    }

    /// Returns when everything before has come in: another message of a person marks the end.
    async fn settled(&self) -> Vec<Incoming> {
        self.far_side.say(902, 2, "that was all").await;
        let mut events = Vec::new();
        loop {
            let more = self.heard().await;
            assert!(!more.is_empty(), "the mark comes in");
            events.extend(more);
            if let Some(end) = events.iter().position(|e| e.what == What::Text { text: "that was all".into() }) {
                events.remove(end);
                return events;
            }
        }
    }

    async fn anchor(&self, channel: u64) -> Anchor {
        self.far_side.say(channel, 1, &format!("<@{APPLICATION}> hello")).await;
        self.heard().await.remove(0).anchor
    }
}

#[async_trait]
impl Rig for DiscordRig {
    fn chat(&self) -> &dyn Chat {
        self.chat.as_ref()
    }

    fn inbox(&self) -> &Remembering {
        &self.inbox
    }

    async fn mention(&self, text: &str) {
        *self.root.lock().unwrap() = self.far_side.say(CHANNEL, 1, &format!("<@{APPLICATION}> {text}")).await.id;
        self.inbox.wait().await;
    }

    async fn follow_up(&self, text: &str) {
        let root = *self.root.lock().unwrap();
        // The bot has opened the thread by its first answer; people may do so, too.
        let place = serde_json::json!({ "guild": "500", "channel": CHANNEL.to_string(), "thread": root.to_string(), "opens": "plan" });
        self.chat.post(&Anchor(place.to_string()), &Message::text("one moment")).await.unwrap();
        self.far_side.say(root, 1, text).await;
        self.inbox.wait().await;
    }

    async fn redeliver(&self) {
        self.far_side.redeliver().await;
        assert!(self.settled().await.is_empty());
    }

    async fn echo_own_message(&self) {
        self.far_side.echo().await;
        assert!(self.settled().await.is_empty());
    }

    async fn forged(&self) -> bool {
        self.far_side.probe(&self.url, true).await == 401
            && self.far_side.probe(&self.url, false).await == 200
            && self.far_side.probe_again(&self.url, false, 240).await == 200
            && self.far_side.probe_again(&self.url, false, 400).await == 401
    }

    async fn press(&self, label: &str) {
        let root = *self.root.lock().unwrap();
        assert_eq!(self.far_side.press(root, 1, label).await.answer, Some(6), "answered in time");
        self.inbox.wait().await;
    }

    async fn visible(&self) -> Vec<String> {
        let root = *self.root.lock().unwrap();
        self.far_side.thread(root)
    }

    fn stumble(&self, skip: usize, lost: bool) {
        let kind = if lost { sandbox::fault::Kind::Truncated } else { sandbox::fault::Kind::RateLimited };
        self.far_side.faults().after(skip, kind);
    }

    async fn stranger(&self, text: &str) -> bool {
        self.far_side.say(far::STRANGE_CHANNEL, far::STRANGERS, &format!("<@{APPLICATION}> {text}")).await;
        self.inbox.wait().await;
        true
    }

    async fn beside(&self, quoted: &str, text: &str) -> bool {
        let author = serde_json::json!({ "id": "2", "username": "mia", "global_name": "Mia Jensen", "discriminator": "0", "avatar": null });
        let answered = serde_json::json!({ "id": "99", "channel_id": "901", "author": author, "content": quoted, "timestamp": "2026-11-22T10:30:00Z",
            "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
            "pinned": false, "type": 0 });
        self.far_side.say_with(901, 1, text, &serde_json::json!({ "referenced_message": answered })).await;
        self.inbox.wait().await;
        true
    }

    async fn to_somebody_else(&self) -> bool {
        let root = *self.root.lock().unwrap();
        let place = serde_json::json!({ "guild": "500", "channel": CHANNEL.to_string(), "thread": root.to_string(), "opens": "plan" });
        self.chat.post(&Anchor(place.to_string()), &Message::text("one moment")).await.unwrap();
        self.far_side.say(root, 1, "<@2> can you have a look?").await;
        assert!(self.settled().await.is_empty());
        true
    }

    async fn refuse_markup(&self) {
        self.far_side.refuse_markup(true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discord_passes_the_contract() {
    run(&DiscordRig::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_opens_a_thread_and_the_talk_stays_there() {
    let rig = DiscordRig::start().await;
    let asked = rig.far_side.say(CHANNEL, 1, &format!("<@{APPLICATION}> which tasks are late?")).await.id;
    let event = rig.heard().await.remove(0);
    rig.chat.post(&event.anchor, &Message::text("none")).await.unwrap();
    rig.chat.post(&event.anchor, &Message::text("really")).await.unwrap();
    assert_eq!(rig.far_side.threads().get(&asked), Some(&CHANNEL));
    assert_eq!(rig.far_side.thread(asked).len(), 3, "the question, and two answers below it");
    rig.far_side.say(asked, 2, "and who owns them?").await;
    let next = rig.heard().await.remove(0);
    assert_eq!((next.addressed, next.thread), (Addressed::FollowUp, event.thread));
    rig.far_side.say(CHANNEL, 2, "nice weather").await;
    rig.far_side.noise(CHANNEL).await;
    assert!(rig.settled().await.is_empty(), "what is said in the channel is not for the bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_answered_to_the_person_alone_over_the_gateway_and_by_signed_requests() {
    let rig = DiscordRig::start().await;
    for by_request in [false, true] {
        if by_request {
            rig.far_side.send_interactions_to(&rig.url);
        }
        let used = rig.far_side.slash(CHANNEL, 1, "status").await;
        assert_eq!((used.status, used.answer), (200, Some(5)), "deferred in time");
        let event = rig.heard().await.remove(0);
        assert_eq!(event.what, What::Command { text: "status".into() });
        for words in ["first", "second"] {
            rig.chat.whisper(&event.anchor, "1", &Message::text(words)).await.unwrap();
            let shown = rig.far_side.messages().pop().unwrap();
            assert_eq!((shown.only_for, shown.seen()), (Some(1), words.to_owned()));
        }
    }
    let anchor = rig.anchor(CHANNEL).await;
    rig.chat.whisper(&anchor, "2", &Message::text("psst")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().channel, 902, "who has not interacted gets a direct message");
    rig.inbox.refuse(1);
    assert_eq!(rig.far_side.slash(CHANNEL, 1, "status").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_holds_up_no_first_answer() {
    let slow = |inbox: &Arc<Remembering>, by: u64| Arc::new(Slow::once(inbox.clone(), Duration::from_millis(by)));
    // Over the gateway: answered beside storing, however long that takes.
    let inbox = Arc::new(Remembering::default());
    let rig = DiscordRig::listening(far::Options::default(), slow(&inbox, 3_500), inbox).await;
    assert_eq!(rig.far_side.slash(CHANNEL, 1, "status").await.answer, Some(5), "Discord hears of it in time");
    let event = rig.heard().await.remove(0);
    rig.chat.whisper(&event.anchor, "1", &Message::text("here it is")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().seen(), "here it is", "what was stored late is answered all the same");
    // By signed requests the answer says that it is stored, so it is given back in time; it runs all the same.
    let app = axum::Router::new().nest_service("/api/webhooks/discord", router(rig.chat.clone(), slow(&rig.inbox, 2_500)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    rig.far_side.send_interactions_to(&format!("http://{}/api/webhooks/discord", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(rig.far_side.slash(CHANNEL, 1, "help").await.status, 503);
    assert_eq!(rig.heard().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_tells_is_stored_as_soon_as_that_works_again() {
    let rig = DiscordRig::start().await;
    rig.inbox.refuse(2);
    rig.far_side.say(CHANNEL, 1, &format!("<@{APPLICATION}> hello")).await;
    assert_eq!(rig.heard().await[0].what, What::Text { text: "hello".into() }, "the gateway tells it once");
    rig.inbox.refuse(2);
    assert_eq!(rig.far_side.slash(CHANNEL, 1, "status").await.answer, Some(5));
    assert_eq!(rig.heard().await[0].what, What::Command { text: "status".into() });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interaction_that_discord_does_not_know_any_more_is_carried_out_and_answered_elsewhere() {
    let rig = DiscordRig::start().await;
    rig.far_side.answers_come_too_late(true);
    assert_eq!(rig.far_side.slash(CHANNEL, 1, "status").await.answer, None, "10062, unknown interaction");
    let event = rig.heard().await.remove(0);
    rig.chat.whisper(&event.anchor, "1", &Message::text("all is well")).await.unwrap();
    let shown = rig.far_side.messages().pop().unwrap();
    assert_eq!((shown.channel, shown.only_for, shown.seen()), (901, None, "all is well".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_token_of_an_interaction_has_ended_the_bot_answers_with_its_own() {
    let rig = DiscordRig::start().await;
    rig.far_side.slash(CHANNEL, 1, "status").await;
    let event = rig.heard().await.remove(0);
    rig.chat.whisper(&event.anchor, "1", &Message::text("in time")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().only_for, Some(1));
    rig.far_side.end_interactions();
    rig.chat.whisper(&event.anchor, "1", &Message::text("much later")).await.unwrap();
    let shown = rig.far_side.messages().pop().unwrap();
    assert_eq!((shown.channel, shown.only_for, shown.seen()), (901, None, "much later".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_no_second_message_and_what_is_gone_is_gone() {
    let rig = DiscordRig::start().await;
    let anchor = rig.anchor(901).await;
    rig.far_side.faults().next(sandbox::fault::Kind::Truncated, 1);
    let at = rig.chat.post(&anchor, &Message::text("only once")).await.unwrap();
    assert_eq!(rig.far_side.messages().iter().filter(|m| m.seen() == "only once").count(), 1, "the nonce sees to that");
    let file = chat::File { name: "rows.csv".into(), media_type: "text/csv".into(), bytes: b"a,b".to_vec() };
    rig.chat.upload(&anchor, &file).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().seen(), "[file rows.csv, 3 bytes]");
    assert_eq!(rig.chat.profile(&anchor, "1").await.unwrap().name, "Lee Park");
    rig.far_side.delete("only once");
    assert!(matches!(rig.chat.edit(&at, &Message::text("late")).await, Err(ChatError::Gone(_))));
    rig.far_side.remove_bot().await;
    assert_eq!(rig.heard().await.remove(0).what, What::Left);
    assert!(rig.chat.who_am_i().await.unwrap().contains("follow-ups"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_privileged_intent_mentions_are_heard_all_the_same() {
    let rig = DiscordRig::over(far::Options { message_content: false, ..far::Options::default() }).await;
    let asked = rig.far_side.say(CHANNEL, 1, &format!("<@{APPLICATION}> hello")).await.id;
    let event = rig.heard().await.remove(0);
    assert_eq!(event.what, What::Text { text: "hello".into() });
    rig.chat.post(&event.anchor, &Message::text("hello Lee")).await.unwrap();
    rig.far_side.say(asked, 1, "what else?").await;
    assert!(rig.settled().await.is_empty(), "its words are not told");
    assert!(rig.chat.who_am_i().await.unwrap().contains("mentions only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_of_another_application_is_found_out_before_interactions_are_refused() {
    let rig = DiscordRig::start().await;
    let settings = Settings {
        bot_token: far::BOT_TOKEN.into(),
        application_id: APPLICATION,
        public_key: Some("00".repeat(32)),
        api_base_url: Some(rig.far_side.origin().parse().unwrap()),
        paced: false,
    };
    let said = Discord::new(settings).unwrap().who_am_i().await.unwrap_err().to_string();
    assert!(said.contains("DISCORD_PUBLIC_KEY is not that of the application"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_resumed_and_nothing_is_lost() {
    let rig = DiscordRig::start().await;
    rig.far_side.reconnect();
    rig.far_side.say(901, 1, "are you there?").await;
    assert_eq!(rig.heard().await.remove(0).what, What::Text { text: "are you there?".into() });
    assert_eq!(rig.far_side.sessions(), (1, 1, 1), "one session, which was resumed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_resumed_is_begun_anew() {
    let rig = DiscordRig::start().await;
    rig.far_side.invalidate();
    rig.far_side.until(|far| far.sessions() == (1, 2, 0)).await.unwrap();
    rig.far_side.say(901, 1, "are you there?").await;
    assert_eq!(rig.heard().await.remove(0).what, What::Text { text: "are you there?".into() });
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_and_nothing_of_a_cell_is_markup() {
    let rig = DiscordRig::start().await;
    let anchor = rig.anchor(901).await;
    let nasty = "@everyone <@1> **x** ||y|| `z` [a](https://evil.example) # big";
    let button = Button { label: "Ok".into(), action: "ok".into(), style: ButtonStyle::Plain };
    rig.chat
        .post(&anchor, &Message::new(vec![Block::Markdown(Markdown::ours(&chat::escape(nasty))), Block::Buttons(vec![button])]))
        .await
        .unwrap();
    let sent = rig.far_side.messages().pop().unwrap();
    assert_eq!(sent.body["allowed_mentions"], serde_json::json!({ "parse": [] }));
    assert!(sent.body["content"].as_str().unwrap().contains("\\@everyone \\<\\@1\\>"), "{}", sent.body);
    assert!(sent.seen().starts_with(nasty), "{}", sent.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_kept_to_without_losing_what_must_be_seen() {
    let rig = DiscordRig::over(far::Options { enforce_rates: true, ..far::Options::default() }).await;
    let anchor = rig.anchor(901).await;
    let at = rig.chat.post(&anchor, &Message::text("working").partial()).await.unwrap();
    let mut left_out = 0;
    for n in 0..30 {
        match rig.chat.edit(&at, &Message::text(&format!("working {n}")).partial()).await {
            Err(ChatError::RateLimited(_)) => left_out += 1,
            other => other.unwrap(),
        }
    }
    for n in 0..4 {
        rig.chat.edit(&at, &Message::text(&format!("done {n}"))).await.unwrap();
    }
    assert!(left_out > 20 && rig.far_side.refused_for_rate() == 0, "{left_out}, {}", rig.far_side.refused_for_rate());
    assert_eq!(rig.far_side.messages().pop().unwrap().seen(), "done 3");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_message_goes_over_discords_limits_or_calls_somebody(blocks in wild::blocks()) {
        let message = Message::new(blocks);
        for part in render(&message).into_iter().chain(plain(&message)) {
            let body = serde_json::json!({ "content": part.content, "components": part.components, "embeds": part.embeds, "allowed_mentions": { "parse": [] } });
            prop_assert_eq!(far::message_fault(&body), None, "{}", part.content);
            for harmful in ["](<https://b.test", "](<https://a.test/i.png"] {
                prop_assert!(!part.content.contains(harmful), "{} in {}", harmful, part.content);
            }
        }
    }
}
