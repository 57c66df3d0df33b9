//! Telegram passes the port's contract against its stand-in, by webhook and by asking, and never goes over its limits.
#![expect(clippy::unwrap_used, reason = "a broken clause fails by panicking")]

use async_trait::async_trait;
use chat::contract::{Remembering, Rig, run};
use chat::{Addressed, Anchor, Block, Button, ButtonStyle, Chat, ChatError, Markdown, Message, What};
use proptest::prelude::*;
use sandbox::telegram::{self as far, BOT_NAME, FORUM, GROUP, SECRET, SMALL_GROUP, TOPIC};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use telegram_chat::{Delivery, Settings, Telegram, Webhook, plain, render, rich, router};
use tokio_util::sync::{CancellationToken, DropGuard};

#[path = "../../chat/tests/wild/mod.rs"]
mod wild;

struct TelegramRig {
    far_side: far::Telegram,
    chat: Arc<Telegram>,
    inbox: Arc<Remembering>,
    _stop: DropGuard,
}

impl TelegramRig {
    async fn start(hooked: bool) -> Self {
        Self::over(far::Options::default(), hooked).await
    }

    async fn over(options: far::Options, hooked: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let far_side = far::Telegram::start(options.clone()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/webhooks/telegram", listener.local_addr().unwrap()).parse().unwrap();
        let settings = Settings {
            bot_token: far::BOT_TOKEN.into(),
            api_base_url: far_side.origin().parse().unwrap(),
            webhook: hooked.then(|| Webhook { url, secret: SECRET.into() }),
            paced: options.enforce_rates,
        };
        let chat = Arc::new(Telegram::new(settings).unwrap());
        let inbox = Arc::new(Remembering::default());
        let app = axum::Router::new().nest_service("/api/webhooks/telegram", router(chat.clone(), inbox.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let stop = CancellationToken::new();
        tokio::spawn(chat.clone().run(inbox.clone(), stop.clone()));
        let listens = |far: &far::Telegram| far.webhook().is_some() || far.calls().iter().any(|(m, _)| m == "getupdates");
        far_side.until(listens).await.unwrap();
        Self { far_side, chat, inbox, _stop: stop.drop_guard() }
    }

    /// What came in, when it came in by asking, too.
    async fn heard(&self) -> Vec<chat::Incoming> {
        for _ in 0..100 {
            let events = self.inbox.take();
            if !events.is_empty() {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Vec::new()
    }

    async fn anchor(&self, chat: i64) -> Anchor {
        self.far_side.say(chat, 1, &format!("@{BOT_NAME} hello"), None).await;
        self.heard().await.remove(0).anchor
    }
}

#[async_trait]
impl Rig for TelegramRig {
    fn chat(&self) -> &dyn Chat {
        self.chat.as_ref()
    }

    fn inbox(&self) -> &Remembering {
        &self.inbox
    }

    async fn mention(&self, text: &str) {
        assert_eq!(self.far_side.say(FORUM, 1, &format!("@{BOT_NAME} {text}"), Some(TOPIC)).await.statuses, [200]);
    }

    async fn follow_up(&self, text: &str) {
        self.far_side.say(FORUM, 1, text, Some(TOPIC)).await;
    }

    async fn redeliver(&self) {
        assert_eq!(self.far_side.redeliver().await, 200);
    }

    async fn echo_own_message(&self) {
        self.far_side.echo().await;
    }

    async fn forged(&self) -> bool {
        self.far_side.forge(Some("not the secret")).await == 401 && self.far_side.forge(None).await == 401
    }

    async fn press(&self, label: &str) {
        self.far_side.press(FORUM, 1, label).await;
    }

    async fn visible(&self) -> Vec<String> {
        self.far_side.thread(FORUM, Some(TOPIC))
    }

    fn stumble(&self, skip: usize, lost: bool) {
        let kind = if lost { sandbox::fault::Kind::Truncated } else { sandbox::fault::Kind::RateLimited };
        self.far_side.faults().after(skip, kind);
    }

    async fn stranger(&self, text: &str) -> bool {
        self.far_side.say(502, 502, text, None).await;
        true
    }

    async fn beside(&self, quoted: &str, text: &str) -> bool {
        let from = json!({ "id": 2, "is_bot": false, "first_name": "Mia" });
        let chat = json!({ "id": 1, "type": "private", "first_name": "Lee" });
        let answered = json!({ "message_id": 1, "date": 1, "chat": chat, "from": from, "text": quoted });
        self.far_side.say_with(1, 1, text, &json!({ "reply_to_message": answered })).await;
        true
    }

    async fn to_somebody_else(&self) -> bool {
        self.follow_up("@mia_jensen can you have a look?").await;
        true
    }

    async fn refuse_markup(&self) {
        self.far_side.refuse_markup(true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_passes_the_contract() {
    run(&TelegramRig::start(true).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_knows_no_rich_messages_gets_tables_as_text() {
    let rig = TelegramRig::over(far::Options { rich: false, ..far::Options::default() }, true).await;
    run(&rig).await;
    assert_eq!(rig.far_side.calls().iter().filter(|(method, _)| method == "sendrichmessage").count(), 1, "it is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_address_updates_are_asked_for_and_only_stored_ones_are_acknowledged() {
    let rig = TelegramRig::start(false).await;
    rig.far_side.novelty().await;
    rig.far_side.say(1, 1, "which tasks are late?", None).await;
    let heard = rig.heard().await;
    assert_eq!((heard[0].addressed, &heard[0].what), (Addressed::Dm, &What::Text { text: "which tasks are late?".into() }));
    rig.far_side.until(|far| far.calls().iter().any(|(m, body)| m == "getupdates" && body["offset"] == 3)).await.unwrap();
    assert!(rig.inbox.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_answered_where_it_asks_and_left_alone_otherwise() {
    let rig = TelegramRig::start(true).await;
    let asked = rig.far_side.say(GROUP, 1, &format!("@{BOT_NAME} hello"), None).await;
    let event = rig.inbox.take().remove(0);
    let at = rig.chat.post(&event.anchor, &Message::text("hello Lee")).await.unwrap();
    let reply = rig.far_side.messages().pop().unwrap();
    assert_eq!(reply.answers, Some(asked.id));
    rig.far_side.say(GROUP, 2, "what is that?", None).await;
    rig.far_side.other_bot(GROUP, &format!("@{BOT_NAME} hello")).await;
    rig.far_side.rewrite(GROUP, asked.id, &format!("@{BOT_NAME} hello again")).await;
    assert!(rig.inbox.take().is_empty(), "others talk, bots talk, and what was said is said");
    rig.far_side.answer(GROUP, 2, "and who owns them?", reply.id).await;
    let answer = rig.inbox.take().remove(0);
    assert_eq!((answer.addressed, answer.thread), (Addressed::Mention, event.thread));
    rig.far_side.delete("hello Lee");
    assert!(matches!(rig.chat.edit(&at, &Message::text("late")).await, Err(ChatError::Gone(_))));
    rig.far_side.remove_bot(GROUP).await;
    assert_eq!(rig.inbox.take().remove(0).what, What::Left);
    assert!(matches!(rig.chat.post(&event.anchor, &Message::text("late")).await, Err(ChatError::Forbidden(_))));
    assert_eq!(rig.chat.thread_url(&event.anchor).unwrap().as_str(), format!("https://t.me/c/1000000001/{}", asked.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn presses_are_acknowledged_and_what_only_one_person_is_to_see_is_an_alert_or_a_chat_of_their_own() {
    let rig = TelegramRig::start(true).await;
    let anchor = rig.anchor(GROUP).await;
    let button = Button { label: "Confirm".into(), action: "confirm:1".into(), style: ButtonStyle::Primary };
    rig.chat.post(&anchor, &Message::new(vec![Block::Markdown(Markdown::ours("Sure?")), Block::Buttons(vec![button])])).await.unwrap();
    rig.far_side.press(GROUP, 2, "Confirm").await;
    rig.chat.whisper(&anchor, "2", &Message::text("Only Lee can confirm this.")).await.unwrap();
    assert_eq!(rig.far_side.answered()[0].1, "Only Lee can confirm this.");
    rig.chat.whisper(&anchor, "2", &Message::text("One more thing")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().map(|m| (m.chat, m.text)), Some((2, "One more thing".into())));
    rig.far_side.press(GROUP, 1, "Confirm").await;
    rig.far_side.until(|far| far.answered().len() == 2).await.unwrap();
    assert_eq!(rig.far_side.answered()[1].1, "", "nobody looks at a spinning button");
    rig.far_side.stranger(2);
    assert!(matches!(rig.chat.whisper(&anchor, "2", &Message::text("psst")).await, Err(ChatError::Forbidden(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sets_the_bot_up_is_told_when_telegram_cannot_deliver() {
    let asked = TelegramRig::start(false).await;
    assert_eq!(asked.chat.delivery().await.unwrap(), Delivery::Works("it is asked for updates".into()));
    let rig = TelegramRig::start(true).await;
    let url = rig.far_side.webhook().unwrap();
    let works = Delivery::Works(format!("it sends updates to {url}"));
    assert_eq!(rig.chat.delivery().await.unwrap(), works);
    rig.inbox.refuse(usize::MAX);
    rig.far_side.say(1, 1, "hello", None).await;
    let why = format!("1 updates wait, because {url} does not take them: Wrong response from the webhook: 503");
    assert_eq!(rig.chat.delivery().await.unwrap(), Delivery::Fails(why));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_people_and_groups_that_moved_are_known() {
    let rig = TelegramRig::start(true).await;
    let anchor = rig.anchor(SMALL_GROUP).await;
    let file = chat::File { name: "rows.csv".into(), media_type: "text/csv".into(), bytes: b"a,b".to_vec() };
    rig.chat.upload(&anchor, &file).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().text, "[file rows.csv, 3 bytes]");
    assert_eq!(rig.chat.profile(&anchor, "1").await.unwrap().name, "Lee Park");
    assert_eq!(rig.far_side.upgrade(SMALL_GROUP, GROUP).await.statuses, [200]);
    let moved = rig.inbox.take().remove(0);
    assert_eq!(moved.thread.conversation, GROUP.to_string());
    assert!(matches!(moved.what, What::Moved { from } if from.conversation == SMALL_GROUP.to_string()));
    rig.chat.post(&anchor, &Message::text("still here")).await.unwrap();
    assert_eq!(rig.far_side.messages().pop().unwrap().chat, GROUP);
    assert!(rig.chat.who_am_i().await.unwrap().contains("@chatsheet_bot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_and_nothing_of_a_cell_is_markup() {
    let rig = TelegramRig::start(true).await;
    let anchor = rig.anchor(GROUP).await;
    let nasty = "@everybody <b>x</b> <script> & \"q\" @lee_park mail@example.com";
    rig.chat.post(&anchor, &Message::text(&chat::escape(nasty))).await.unwrap();
    rig.far_side.refuse_markup(true);
    rig.chat.post(&anchor, &Message::text(&chat::escape(nasty))).await.unwrap();
    for message in rig.far_side.messages().into_iter().rev().take(2) {
        assert!(message.calls.is_empty(), "{message:?}");
        assert_eq!(chat::text::clean(&message.text), nasty);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_long_links_are_several_messages() {
    let rig = TelegramRig::over(far::Options { rich: false, ..far::Options::default() }, true).await;
    let anchor = rig.anchor(1).await;
    let before = rig.far_side.messages().len();
    let link = |n: usize| format!("[row {n}](https://app.smartsheet.com/sheets/{}?rowId={n})", "x".repeat(600));
    for separator in ["\n\n", " "] {
        let words = (0..40).map(link).collect::<Vec<_>>().join(separator);
        rig.chat.post(&anchor, &Message::new(vec![Block::Markdown(Markdown::ours(&words))])).await.unwrap();
    }
    let shown: Vec<_> = rig.far_side.messages().drain(before..).collect();
    let links = shown.iter().map(|m| m.body["text"].as_str().unwrap().matches("<a href=").count()).sum::<usize>();
    assert!(links == 80 && shown.len() >= 6, "{links} links in {} messages: none went out as plain text", shown.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_kept_to_without_losing_what_must_be_seen() {
    let rig = TelegramRig::over(far::Options { enforce_rates: true, ..far::Options::default() }, true).await;
    let anchor = rig.anchor(1).await;
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
    assert_eq!(rig.far_side.messages().pop().unwrap().text, "done 3");

    // A group takes twenty messages a minute, edits among them.
    let group = rig.anchor(GROUP).await;
    let at = rig.chat.post(&group, &Message::text("working").partial()).await.unwrap();
    let mut left_out = 0;
    for n in 0..40 {
        match rig.chat.edit(&at, &Message::text(&format!("working {n}")).partial()).await {
            Err(ChatError::RateLimited(_)) => left_out += 1,
            other => other.unwrap(),
        }
    }
    rig.chat.edit(&at, &Message::text("done")).await.unwrap();
    assert!(left_out > 20 && rig.far_side.refused_for_rate() == 0, "{left_out}, {}", rig.far_side.refused_for_rate());
    assert_eq!(rig.far_side.messages().pop().unwrap().text, "done");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_message_goes_over_telegrams_limits_or_calls_somebody(blocks in wild::blocks()) {
        let message = Message::new(blocks);
        for part in render(&message) {
            prop_assert_eq!(far::html_fault(&part.html, false), None, "{}", part.html);
            for harmful in ["href=\"https://b.test", "href=\"https://a.test/i.png"] {
                prop_assert!(!part.html.contains(harmful), "{} in {}", harmful, part.html);
            }
        }
        for part in plain(&message) {
            let units = part.html.encode_utf16().count();
            prop_assert!((1..=4_096).contains(&units), "{}", units);
        }
        if let Some(html) = rich(&message) {
            prop_assert_eq!(far::html_fault(&html, true), None, "{}", html);
        }
    }
}
