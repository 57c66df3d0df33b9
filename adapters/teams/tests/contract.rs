//! Teams passes the port's contract against its stand-in, believes only what the Bot Framework signs, and never goes over Teams' limits.
#![expect(clippy::unwrap_used, reason = "a broken clause fails by panicking")]

use async_trait::async_trait;
use chat::contract::{Remembering, Rig, run};
use chat::{Addressed, Anchor, Block, Button, ButtonStyle, Chat, ChatError, Markdown, Message, What};
use proptest::prelude::*;
use sandbox::teams::{self as far, CHANNEL, Forgery, GROUP};
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use teams_chat::{Settings, Teams, plain, render, router};

#[path = "../../chat/tests/wild/mod.rs"]
mod wild;

struct TeamsRig {
    far_side: far::Teams,
    chat: Arc<Teams>,
    inbox: Arc<Remembering>,
    url: String,
    root: Mutex<String>,
}

impl TeamsRig {
    async fn start() -> Self {
        Self::over(far::Options::default()).await
    }

    async fn over(options: far::Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let far_side = far::Teams::start(options.clone()).await.unwrap();
        let of = |name: &str| far_side.settings().into_iter().find(|(n, _)| *n == name).unwrap().1;
        let settings = Settings {
            app_id: of("TEAMS_APP_ID"),
            app_password: of("TEAMS_APP_PASSWORD"),
            tenant_id: of("TEAMS_TENANT_ID"),
            openid_metadata_url: of("TEAMS_OPENID_METADATA_URL").parse().unwrap(),
            token_url: of("TEAMS_TOKEN_URL").parse().unwrap(),
            service_hosts: vec![of("TEAMS_SERVICE_HOSTS")],
            paced: options.enforce_rates,
        };
        let chat = Arc::new(Teams::new(settings).unwrap());
        let inbox = Arc::new(Remembering::default());
        let app = axum::Router::new().nest_service("/api/webhooks/teams", router(chat.clone(), inbox.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/webhooks/teams", listener.local_addr().unwrap());
        far_side.send_events_to(&url);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { far_side, chat, inbox, url, root: Mutex::default() }
    }

    fn thread(&self) -> String {
        far::Teams::thread_of(&self.root.lock().unwrap())
    }

    async fn anchor(&self, conversation: &str) -> Anchor {
        assert_eq!(self.far_side.say(conversation, "29:lee", "<at>ChatSheet</at> hello").await.statuses, [200]);
        self.inbox.take().remove(0).anchor
    }
}

#[async_trait]
impl Rig for TeamsRig {
    fn chat(&self) -> &dyn Chat {
        self.chat.as_ref()
    }

    fn inbox(&self) -> &Remembering {
        &self.inbox
    }

    async fn mention(&self, text: &str) {
        let said = self.far_side.say(CHANNEL, "29:lee", &format!("<at>ChatSheet</at> {text}")).await;
        assert_eq!(said.statuses, [200]);
        *self.root.lock().unwrap() = said.id;
    }

    async fn follow_up(&self, text: &str) {
        self.far_side.say(&self.thread(), "29:lee", text).await;
    }

    async fn redeliver(&self) {
        assert_eq!(self.far_side.redeliver().await, 200);
    }

    async fn echo_own_message(&self) {
        self.far_side.echo().await;
    }

    async fn forged(&self) -> bool {
        self.far_side.forge(Forgery::Tampered).await == 401
    }

    async fn press(&self, label: &str) {
        self.far_side.press(&self.thread(), "29:lee", label).await;
    }

    async fn visible(&self) -> Vec<String> {
        self.far_side.thread(&self.thread())
    }

    fn stumble(&self, skip: usize, lost: bool) {
        let kind = if lost { sandbox::fault::Kind::Truncated } else { sandbox::fault::Kind::RateLimited };
        self.far_side.faults().after(skip, kind);
    }

    async fn stranger(&self, text: &str) -> bool {
        self.far_side.say("a:strange", &format!("{}-1", far::STRANGER), text).await;
        true
    }

    async fn beside(&self, quoted: &str, text: &str) -> bool {
        self.far_side.quote("a:lee", "29:lee", ("Mia Jensen", quoted), text).await;
        true
    }

    async fn to_somebody_else(&self) -> bool {
        self.follow_up("<at>Mia Jensen</at> can you have a look?").await;
        true
    }

    async fn refuse_markup(&self) {
        self.far_side.refuse_cards(true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_passes_the_contract() {
    run(&TeamsRig::start().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_bot_framework_signs_for_this_bot_and_service_is_believed() {
    let rig = TeamsRig::start().await;
    rig.anchor("a:lee").await;
    for (forgery, status) in [
        (Forgery::Missing, 401),
        (Forgery::Audience, 401),
        (Forgery::Issuer, 401),
        (Forgery::Expired, 401),
        (Forgery::UnknownKey, 401),
        (Forgery::Unsigned, 401),
        (Forgery::Shared, 401),
        (Forgery::Tampered, 401),
        (Forgery::Service, 403),
        (Forgery::Unendorsed, 403),
        (Forgery::Critical, 401),
        (Forgery::None, 200),
        (Forgery::JustExpired, 200),
        (Forgery::ApiAudience, 200),
    ] {
        assert_eq!(rig.far_side.forge(forgery).await, status, "{forgery:?}");
        assert_eq!(rig.inbox.take().len(), usize::from(status == 200), "{forgery:?}");
    }
    for (garbage, status) in [("{", 400), ("[]", 403), ("null", 400), ("{\"type\": 5}", 400), ("\u{feff}", 400)] {
        assert_eq!(rig.far_side.garbage(garbage).await, status, "{garbage}: what makes no sense is refused, whoever signs it");
    }
    for elsewhere in
        ["https://evil.example/", "http://smba.trafficmanager.net/", "https://smba.trafficmanager.net.evil.example/", "https://127.0.0.1/"]
    {
        assert_eq!(rig.far_side.from_elsewhere(elsewhere).await, 403, "{elsewhere}");
    }
    for microsofts in [
        "https://smba.trafficmanager.net/emea/",
        "https://smba.onyx.prod.teams.trafficmanager.net/",
        "https://smba.infra.gov.teams.microsoft.us/",
    ] {
        assert_eq!(rig.far_side.from_elsewhere(microsofts).await, 200, "{microsofts}");
    }
    for _ in 0..20 {
        rig.far_side.forge(Forgery::UnknownKey).await;
    }
    let keys = rig.far_side.calls().iter().filter(|(what, _)| what == "keys").count();
    assert!(keys <= 2, "forgers do not make us ask for keys for ever: {keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_governments_cloud_signs_and_grants_by_its_own_name() {
    let rig = TeamsRig::over(far::Options { issuer: "https://api.botframework.us", ..far::Options::default() }).await;
    let anchor = rig.anchor("a:lee").await;
    rig.chat.post(&anchor, &Message::text("hello there")).await.unwrap();
    assert_eq!((rig.far_side.tokens(), rig.far_side.thread("a:lee").pop().unwrap().as_str()), (1, "hello there"));
    let public = TeamsRig::start().await;
    public.far_side.say("a:lee", "29:lee", "hello").await;
    public.inbox.take();
    public.far_side.send_events_to(&rig.url);
    assert_eq!(public.far_side.forge(Forgery::None).await, 401, "who signs for the public cloud signs for no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_read_are_not_asked_for_by_every_forger() {
    let rig = TeamsRig::start().await;
    let asked = || rig.far_side.calls().iter().filter(|(what, _)| what == "keys").count();
    rig.far_side.say("a:lee", "29:lee", "before anything is known").await;
    let before = asked();
    rig.far_side.hide_keys(true);
    for _ in 0..20 {
        assert_eq!(rig.far_side.forge(Forgery::UnknownKey).await, 401, "unknown, as far as is known");
    }
    assert_eq!(rig.far_side.forge(Forgery::None).await, 200, "what was known holds");
    assert!(asked() <= before + 1, "{}", asked());

    let rig = TeamsRig::start().await;
    rig.far_side.hide_keys(true);
    let asked = || rig.far_side.calls().iter().filter(|(what, _)| what == "keys").count();
    assert!(rig.far_side.say("a:lee", "29:lee", "hello").await.statuses.iter().all(|s| *s == 503), "it may come again");
    for _ in 0..20 {
        assert_eq!(rig.far_side.forge(Forgery::UnknownKey).await, 503);
    }
    assert!(asked() <= 2, "{}", asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_is_answered_with_the_outcome_or_with_words_for_the_person_alone() {
    let rig = TeamsRig::start().await;
    let anchor = rig.anchor(GROUP).await;
    let button = Button { label: "Confirm".into(), action: "confirm:1".into(), style: ButtonStyle::Primary };
    let sure = Message::new(vec![Block::Markdown(Markdown::ours("Sure?")), Block::Buttons(vec![button])]);
    let at = rig.chat.post(&anchor, &sure).await.unwrap();
    let heard = async || loop {
        if !rig.inbox.take().is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    };
    let (pressed, ()) = tokio::join!(rig.far_side.press(GROUP, "29:lee", "Confirm"), async {
        heard().await;
        rig.chat.edit(&at, &Message::text("done")).await.unwrap();
    });
    assert_eq!(pressed.body["type"], "application/vnd.microsoft.card.adaptive");
    assert!(pressed.body["value"].to_string().contains("done"), "the card is the outcome: {}", pressed.body);
    assert_eq!(rig.far_side.messages().pop().unwrap().seen(), "done", "for everybody");
    rig.chat.post(&anchor, &sure).await.unwrap();
    let (pressed, ()) = tokio::join!(rig.far_side.press(GROUP, "29:mia", "Confirm"), async {
        heard().await;
        rig.chat.whisper(&anchor, "29:mia", &Message::text("Only Lee can confirm this.")).await.unwrap();
    });
    assert_eq!(
        (&pressed.body["type"], &pressed.body["value"]),
        (&"application/vnd.microsoft.activity.message".into(), &"Only Lee can confirm this.".into())
    );
    let (pressed, ()) = tokio::join!(rig.far_side.press(GROUP, "29:mia", "Confirm"), async {
        heard().await;
        rig.chat.post(&anchor, &Message::text("Something new")).await.unwrap();
    });
    assert_eq!(pressed.body["value"], "The answer is below.", "nobody waits for a card that stays as it is");
    rig.chat.whisper(&anchor, "29:mia", &Message::text("One more thing")).await.unwrap();
    assert_eq!(rig.far_side.whispers(GROUP, "29:mia"), ["One more thing"], "without a press it is a message that nobody else sees");
    rig.far_side.refuse_targeted(true);
    rig.chat.whisper(&anchor, "29:mia", &Message::text("And another")).await.unwrap();
    assert_eq!(rig.far_side.thread("a:mia"), ["And another"], "where Teams has no such messages it goes into their own chat");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_kept_and_taken_anew_and_what_is_gone_is_gone() {
    let rig = TeamsRig::start().await;
    let anchor = rig.anchor("a:lee").await;
    let at = rig.chat.post(&anchor, &Message::text("one")).await.unwrap();
    rig.chat.post(&anchor, &Message::text("two")).await.unwrap();
    assert_eq!(rig.far_side.tokens(), 1);
    rig.far_side.revoke_tokens();
    rig.chat.post(&anchor, &Message::text("three")).await.unwrap();
    assert_eq!(rig.far_side.tokens(), 2);
    assert_eq!(rig.chat.profile(&anchor, "29:lee").await.unwrap().email.as_deref(), Some("lee.park@example.com"));
    let file = chat::File { name: "rows.csv".into(), media_type: "text/csv".into(), bytes: b"a,b\n1,2".to_vec() };
    rig.chat.upload(&anchor, &file).await.unwrap();
    assert!(rig.far_side.messages().pop().unwrap().seen().contains("a,b"));
    rig.far_side.delete("one");
    assert!(matches!(rig.chat.edit(&at, &Message::text("late")).await, Err(ChatError::Gone(_))));
    rig.far_side.remove_bot("a:lee").await;
    assert_eq!(rig.inbox.take().remove(0).what, What::Left);
    assert!(matches!(rig.chat.post(&anchor, &Message::text("late")).await, Err(ChatError::Forbidden(_))));
    assert!(rig.chat.who_am_i().await.unwrap().contains(far::APP_ID));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_grows_in_a_personal_chat_and_becomes_a_message() {
    let rig = TeamsRig::start().await;
    let (anchor, far_side) = (rig.anchor("a:lee").await, &rig.far_side);
    let growing = |words: &str| Message::text(words).partial();
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    assert_eq!(far_side.status("a:lee").as_deref(), Some("Looking at Project Plan …"));
    assert!(rig.chat.status(&anchor, "having a look").await);
    assert_eq!(far_side.status("a:lee").as_deref(), Some("Having a look …"), "until there are words");
    let at = rig.chat.post_growing(&anchor, "29:lee", &growing("The plan is")).await.unwrap();
    assert!(!rig.chat.status(&anchor, "having a look").await, "a chat has one stream at a time");
    for words in ["The plan is on time", "The plan is on time but", "Now in other words"] {
        rig.chat.edit(&at, &growing(words)).await.unwrap();
    }
    assert_eq!(far_side.thread("a:lee")[1..], ["The plan is on time but"], "what does not go on from there waits for the end");
    rig.chat.edit(&at, &Message::text("The plan is on time but for **five** tasks.")).await.unwrap();
    let whole = far_side.messages().pop().unwrap();
    assert_eq!((whole.seen().as_str(), &whole.activity["type"]), ("The plan is on time but for five tasks.", &"message".into()));
    rig.chat.edit(&at, &Message::text("Done.")).await.unwrap();
    assert_eq!(far_side.thread("a:lee")[1..], ["Done."], "from then on it is a message like any other");

    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    rig.chat.post_growing(&anchor, "29:lee", &Message::text("At once.")).await.unwrap();
    assert_eq!((far_side.status("a:lee"), far_side.thread("a:lee").len()), (None, 3), "an answer without growing words ends it as well");

    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    let at = rig.chat.post_growing(&anchor, "29:lee", &growing("The plan is")).await.unwrap();
    far_side.stop_streams();
    rig.chat.edit(&at, &growing("The plan is on time")).await.unwrap();
    rig.chat.edit(&at, &Message::text("The plan is on time.")).await.unwrap();
    assert_eq!(far_side.thread("a:lee").pop().unwrap(), "The plan is on time.", "who presses Stop misses nothing");
    assert_eq!(far_side.thread("a:lee").len(), 4, "the question, and three answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_grows_for_longer_than_teams_streams_is_shown_all_the_same() {
    let rig = TeamsRig::over(far::Options { stream_lifetime: Duration::from_millis(200), ..far::Options::default() }).await;
    let anchor = rig.anchor("a:lee").await;
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    let at = rig.chat.post_growing(&anchor, "29:lee", &Message::text("The plan is").partial()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(210)).await;
    rig.chat.edit(&at, &Message::text("The plan is on time").partial()).await.unwrap();
    rig.chat.edit(&at, &Message::text("The plan is on time.")).await.unwrap();
    assert_eq!(rig.far_side.thread("a:lee")[1..], ["The plan is on time."]);
    assert_eq!(rig.far_side.open_streams(), 0);
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await, "the next answer streams again");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_for_the_person_alone_take_the_place_of_what_is_being_done() {
    let rig = TeamsRig::start().await;
    let anchor = rig.anchor("a:lee").await;
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    rig.chat.whisper(&anchor, "29:lee", &Message::text("That did not work.")).await.unwrap();
    assert_eq!(rig.far_side.thread("a:lee")[1..], ["That did not work."], "nothing is left standing");
    assert_eq!(rig.far_side.open_streams(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_keep_to_the_rates_and_end_with_all_words() {
    let rig = TeamsRig::over(far::Options { enforce_rates: true, ..far::Options::default() }).await;
    let anchor = rig.anchor("a:lee").await;
    assert!(rig.chat.status(&anchor, "looking at Project Plan").await);
    let words = |n: usize| (0..=n).map(|n| format!("word{n} ")).collect::<String>();
    let at = rig.chat.post_growing(&anchor, "29:lee", &Message::text(&words(0)).partial()).await.unwrap();
    let mut left_out = 0;
    for n in 1..40 {
        match rig.chat.edit(&at, &Message::text(&words(n)).partial()).await {
            Err(ChatError::RateLimited(_)) => left_out += 1,
            other => other.unwrap(),
        }
    }
    rig.chat.edit(&at, &Message::text(&words(40))).await.unwrap();
    assert!(left_out > 20 && rig.far_side.refused_for_rate() == 0, "{left_out}, {}", rig.far_side.refused_for_rate());
    assert!(rig.far_side.messages().pop().unwrap().seen().ends_with("word40"));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_see_that_the_bot_types_and_channels_do_not() {
    let rig = TeamsRig::start().await;
    for (conversation, typing) in [(GROUP, 1), (CHANNEL, 1)] {
        let anchor = rig.anchor(conversation).await;
        assert!(!rig.chat.status(&anchor, "looking at Project Plan").await, "a message says what is being done");
        assert_eq!(rig.far_side.typing(), typing, "{conversation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_changed_are_learnt_and_an_app_that_is_removed_has_left() {
    let rig = TeamsRig::start().await;
    rig.anchor("a:lee").await;
    rig.far_side.change_keys();
    // Unknown keys make it ask, though not more often than every half a minute.
    let began = std::time::Instant::now();
    while rig.far_side.forge(Forgery::None).await != 200 {
        assert!(began.elapsed() < Duration::from_secs(45), "the new key is never learnt");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    rig.inbox.take();
    assert_eq!(rig.far_side.uninstall("a:lee", "29:lee").await.statuses, [200]);
    assert_eq!(rig.inbox.take().remove(0).what, What::Left);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_who_talk_are_not_answered() {
    let rig = TeamsRig::start().await;
    rig.anchor(GROUP).await;
    rig.far_side.other_bot(GROUP, "status").await;
    for kind in ["messageUpdate", "messageDelete", "messageReaction", "novelty"] {
        assert_eq!(rig.far_side.happen(kind, GROUP).await.statuses, [200], "{kind}");
    }
    assert!(rig.inbox.take().is_empty());
    rig.far_side.say(GROUP, "29:mia", "what is that?").await;
    assert_eq!(rig.inbox.take().remove(0).addressed, Addressed::FollowUp);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_kept_to_without_losing_what_must_be_seen() {
    let rig = TeamsRig::over(far::Options { enforce_rates: true, ..far::Options::default() }).await;
    let anchor = rig.anchor("a:lee").await;
    let at = rig.chat.post(&anchor, &Message::text("working").partial()).await.unwrap();
    let mut left_out = 0;
    for n in 0..30 {
        match rig.chat.edit(&at, &Message::text(&format!("working {n}")).partial()).await {
            Err(ChatError::RateLimited(_)) => left_out += 1,
            other => other.unwrap(),
        }
    }
    for n in 0..6 {
        rig.chat.edit(&at, &Message::text(&format!("done {n}"))).await.unwrap();
    }
    assert!(left_out > 20 && rig.far_side.refused_for_rate() == 0, "{left_out}, {}", rig.far_side.refused_for_rate());
    assert_eq!(rig.far_side.messages().pop().unwrap().seen(), "done 5");
}

/// Cards of these cases, for Microsoft's own reader of cards (tests/manifests).
static CARDS: LazyLock<Mutex<File>> =
    LazyLock::new(|| Mutex::new(File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/teams-cards.jsonl")).unwrap()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn no_message_goes_over_teams_limits_or_has_markup_of_others(blocks in wild::blocks()) {
        let message = Message::new(blocks);
        for part in render(&message) {
            prop_assert!(!part.text.is_empty());
            if let Some(card) = &part.card {
                prop_assert_eq!(far::card_fault(card), None, "{}", card);
                writeln!(CARDS.lock().unwrap(), "{card}").unwrap();
                let sent = card.to_string();
                for harmful in ["\"url\":\"https://b.test", "\"url\":\"https://a.test/i.png"] {
                    prop_assert!(!sent.contains(harmful), "{} in {}", harmful, sent);
                }
            }
        }
        for part in plain(&message) {
            prop_assert!(part.card.is_none() && (1..=12_000).contains(&part.text.chars().count()));
        }
    }
}
