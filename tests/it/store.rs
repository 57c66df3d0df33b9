//! The contract of the store, the same on SQLite and PostgreSQL.

use chat::{Accepted, Addressed, Anchor, Incoming, Platform, Sender, ThreadKey, What};
use chatsheet::access::{AllowedKind, AllowedSheets, Approval, Approver, ChannelRules, Person};
use chatsheet::sheet::SheetId;
use chatsheet::store::{Asker, Change, Lane, NewMessage, Proposal, ProposalState, Role, RowState, Store, Take, Waits};
use serde_json::json;

macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let folder = crate::world::folder();
                let store = chatsheet::store::Store::connect(&format!("sqlite://{}", folder.0.join("store.db").display())).await.unwrap();
                store.migrate().await.unwrap();
                super::$name(&store).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let Some(store) = crate::world::postgres().await else { return };
                store.migrate().await.unwrap();
                super::$name(&store).await;
            }
        }
    )* };
}
pub(crate) use on_both;

on_both!(
    events_are_accepted_once,
    one_event_of_a_thread_at_a_time,
    leases_run_out_and_fences_hold,
    texts_that_wait_are_taken_together,
    who_waits_for_a_place_is_told_once_a_channel,
    follow_ups_need_a_thread,
    a_thousand_claims_by_eight,
    sessions_and_messages_stay,
    proposals_are_decided_once,
    the_journal_keeps_every_row,
    migrations_run_again_on_filled_tables,
    rules_of_channels_and_sheets_are_kept,
    a_ticket_is_used_once
);

async fn a_ticket_is_used_once(store: &Store) {
    let tries = (0..20).map(|_| store.use_ticket("a ticket", 1_000, 500));
    let used: Vec<bool> = futures_util::future::try_join_all(tries).await.unwrap();
    assert_eq!(used.iter().filter(|first| **first).count(), 1);
    assert!(store.use_ticket("another", 2_000, 900).await.unwrap(), "others are not used by it");
    assert!(!store.use_ticket("a ticket", 1_000, 1_000).await.unwrap());
    assert!(store.use_ticket("later", 3_000, 1_500).await.unwrap());
    assert!(store.use_ticket("a ticket", 1_000, 1_500).await.unwrap(), "what has ended is forgotten, and opens nothing by its time");
}

pub fn event(id: &str, root: &str) -> Incoming {
    let thread = ThreadKey { platform: Platform::Slack, install: "T1".into(), conversation: "C1".into(), root: Some(root.into()) };
    Incoming {
        delivery_id: id.into(),
        dedupe_id: id.into(),
        thread,
        anchor: Anchor("{}".into()),
        sender: Sender { id: "U1".into(), ..Sender::default() },
        addressed: Addressed::Mention,
        what: What::Text { text: format!("text {id}") },
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: 1,
    }
}

pub async fn accept(store: &Store, id: &str, root: &str) -> Accepted {
    store.accept(&event(id, root), Lane::Queue).await.unwrap()
}

async fn events_are_accepted_once(store: &Store) {
    assert_eq!(accept(store, "e1", "1").await, Accepted::New);
    assert_eq!(accept(store, "e1", "1").await, Accepted::Duplicate);
    let mut elsewhere = event("e1", "1");
    elsewhere.thread.install = "T2".into();
    assert_eq!(store.accept(&elsewhere, Lane::Queue).await.unwrap(), Accepted::New, "another install may use the same ids");
    let taken = store.claim("a", &Take::ALL, 0, 100).await.unwrap().unwrap();
    store.finish(taken.id, taken.fence, false, 50).await.unwrap();
    assert_eq!(accept(store, "e1", "1").await, Accepted::Duplicate, "also after it was served");
    assert_eq!(store.forget_events(51).await.unwrap(), 1);
}

async fn one_event_of_a_thread_at_a_time(store: &Store) {
    for (id, root) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        accept(store, id, root).await;
    }
    store.accept(&event("a3", "a"), Lane::Express).await.unwrap();
    let first = store.claim(store.owner(), &Take::ALL, 0, 100).await.unwrap().unwrap();
    let second = store.claim(store.owner(), &Take::ALL, 0, 100).await.unwrap().unwrap();
    let third = store.claim(store.owner(), &Take::ALL, 0, 100).await.unwrap().unwrap();
    let names = [&first, &second, &third].map(|e| e.incoming.dedupe_id.clone());
    assert_eq!(names, ["a1", "b1", "a3"], "the express lane waits for nobody");
    assert!(store.claim(store.owner(), &Take::ALL, 0, 100).await.unwrap().is_none(), "a2 waits for a1");
    assert!(store.claim(store.owner(), &Take::Express, 0, 100).await.unwrap().is_none());
    store.finish(first.id, first.fence, false, 1).await.unwrap();
    assert_eq!(store.claim(store.owner(), &Take::ALL, 0, 100).await.unwrap().unwrap().incoming.dedupe_id, "a2");
}

async fn leases_run_out_and_fences_hold(store: &Store) {
    accept(store, "e", "1").await;
    let slow = store.claim("slow", &Take::ALL, 0, 100).await.unwrap().unwrap();
    assert!(store.claim("fast", &Take::ALL, 99, 200).await.unwrap().is_none(), "the lease holds");
    assert!(store.prolong(slow.id, slow.fence, 150).await.unwrap());
    let fast = store.claim("fast", &Take::ALL, 151, 300).await.unwrap().unwrap();
    assert_eq!((fast.id, fast.attempts), (slow.id, 2));
    assert!(!store.prolong(slow.id, slow.fence, 900).await.unwrap(), "a lost lease is not prolonged");
    store.finish(slow.id, slow.fence, false, 160).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), 1, "a late zombie finishes nothing");
    store.release(fast.id, fast.fence).await.unwrap();
    let again = store.claim("third", &Take::ALL, 152, 300).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2, "a lease that was given back is no attempt");
}

async fn who_waits_for_a_place_is_told_once_a_channel(store: &Store) {
    for (id, channel) in [("1", "busy"), ("2", "busy"), ("3", "quiet"), ("4", "quiet"), ("5", "elsewhere")] {
        let mut event = event(id, id);
        event.thread.conversation = channel.into();
        store.accept(&event, Lane::Queue).await.unwrap();
    }
    store.claim("x", &Take::ALL, 0, 100).await.unwrap().unwrap();
    let mut told = Vec::new();
    while let Some(event) = store.take_unannounced(Waits::ForAPlace, 50).await.unwrap() {
        told.push(event.incoming.dedupe_id.clone());
        store.announced(event.id).await.unwrap();
    }
    assert_eq!(told, ["3", "5"], "the first of each channel where nothing is under way");
}

async fn texts_that_wait_are_taken_together(store: &Store) {
    for id in ["1", "2", "3"] {
        accept(store, id, "t").await;
    }
    let mut other = event("4", "t");
    other.sender.id = "U2".into();
    store.accept(&other, Lane::Queue).await.unwrap();
    let head = store.claim("x", &Take::ALL, 0, 100).await.unwrap().unwrap();
    assert!(store.take_unannounced(Waits::ForItsThread, 50).await.unwrap().is_none(), "the answer before it shows first");
    let reply = chat::MessageRef { place: "m".into(), opens: None };
    assert!(!store.set_reply(head.id, head.fence - 1, &reply).await.unwrap(), "of whoever had it before");
    assert!(store.set_reply(head.id, head.fence, &reply).await.unwrap());
    let announced = store.take_unannounced(Waits::ForItsThread, 50).await.unwrap().unwrap();
    assert_eq!(announced.incoming.dedupe_id, "2");
    assert!(store.take_unannounced(Waits::ForItsThread, 50).await.unwrap().is_none(), "one sign of life is enough");
    store.finish(head.id, head.fence, false, 3).await.unwrap();
    assert!(store.claim("x", &Take::ALL, 4, 100).await.unwrap().is_none(), "its sign of life is on its way");
    store.announced(announced.id).await.unwrap();
    let mut head = store.claim("x", &Take::ALL, 4, 100).await.unwrap().unwrap();
    store.take_followers(&mut head, 5, |_| true).await.unwrap();
    assert_eq!(head.incoming.what, What::Text { text: "text 2\ntext 3".into() }, "only of the same person");
    store.release(head.id, head.fence).await.unwrap();
    assert_eq!(
        store.claim("x", &Take::ALL, 0, 100).await.unwrap().unwrap().incoming.what,
        head.incoming.what,
        "they stay together after a crash"
    );
    accept(store, "5", "t").await;
    let mut again = head.clone();
    again.fence += 1;
    store.take_followers(&mut again, 5, |_| true).await.unwrap();
    assert_eq!(again.incoming.what, head.incoming.what, "something may have come of it already; what waits is served on its own");
    assert_eq!(store.drop_waiting("slack|T1|C1|t", i64::MAX, 6).await.unwrap(), 2);
}

async fn follow_ups_need_a_thread(store: &Store) {
    let mut follow_up = event("f", "9");
    follow_up.addressed = Addressed::FollowUp;
    assert_eq!(store.accept(&follow_up, Lane::Queue).await.unwrap(), Accepted::Ignored);
    accept(store, "mention", "9").await;
    for n in 0..20 {
        let thread = format!("race{n}");
        let (mut first, mut second) = (event(&format!("r{n}"), &thread), event(&format!("s{n}"), &thread));
        (first.addressed, second.addressed) = (Addressed::Mention, Addressed::FollowUp);
        let (_, second) = tokio::join!(store.accept(&first, Lane::Queue), store.accept(&second, Lane::Queue));
        assert_eq!(second.unwrap(), Accepted::New, "the mention before it is still being stored");
    }
    let mut early = follow_up.clone();
    early.dedupe_id = "early".into();
    assert_eq!(store.accept(&early, Lane::Queue).await.unwrap(), Accepted::New, "the mention is not served yet, but it is there");
    store.remember_thread(&follow_up.thread, &follow_up.anchor).await.unwrap();
    assert_eq!(store.accept(&follow_up, Lane::Queue).await.unwrap(), Accepted::New);
    let channel = ThreadKey { root: None, ..follow_up.thread.clone() };
    store.forget_conversation(&channel).await.unwrap();
    assert!(store.thread(&follow_up.thread.storage_key()).await.unwrap().is_none());
    // An empty conversation stands for all of the install, and for nothing of another.
    let other = ThreadKey { install: "T2".into(), ..follow_up.thread.clone() };
    for key in [&follow_up.thread, &other] {
        store.remember_thread(key, &follow_up.anchor).await.unwrap();
    }
    let all = ThreadKey { conversation: String::new(), root: None, ..follow_up.thread.clone() };
    store.forget_conversation(&all).await.unwrap();
    assert!(store.thread(&follow_up.thread.storage_key()).await.unwrap().is_none());
    assert!(store.thread(&other.storage_key()).await.unwrap().is_some());
}

async fn a_thousand_claims_by_eight(store: &Store) {
    for i in 0..200 {
        accept(store, &format!("e{i}"), &format!("{}", i % 20)).await;
    }
    let workers = (0..8).map(|w| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while store.unfinished().await.unwrap() > 0 {
                if let Some(e) = store.claim(&format!("w{w}"), &Take::ALL, 0, 100).await.unwrap() {
                    store.finish(e.id, e.fence, false, 1).await.unwrap();
                    mine.push(e.incoming.dedupe_id);
                }
            }
            mine
        })
    });
    let mut all: Vec<String> = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 200);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 200, "nobody served an event twice");
}

pub async fn session(store: &Store) -> String {
    let e = event("x", "1");
    let now = "2026-11-22T10:30:00Z".parse().unwrap();
    store.bind_sheet(&e.thread, &e.anchor, SheetId(8_481_781_327_390_596), "Plan “ü”", now).await.unwrap().id
}

async fn sessions_and_messages_stay(store: &Store) {
    let id = session(store).await;
    let e = event("x", "1");
    let now = "2026-11-22T10:31:00Z".parse().unwrap();
    let again = store.bind_sheet(&e.thread, &e.anchor, SheetId(2), "Other", now).await.unwrap();
    assert_eq!((again.id.as_str(), again.sheet), (id.as_str(), SheetId(2)), "the session stays, its sheet changes");
    let message = |n: i32, role| NewMessage {
        id: format!("m{n}"),
        role,
        content: format!("words {n}"),
        name: None,
        author: None,
        beside: None,
        why: None,
        asker: None,
    };
    store.add_messages(&id, &[message(1, Role::User), message(2, Role::Function)], now).await.unwrap();
    store.add_messages(&id, &[message(2, Role::Function), message(3, Role::Assistant)], now).await.unwrap();
    store.add_messages(&id, &[message(3, Role::Assistant)], now).await.unwrap();
    store.add_messages(&id, &[message(4, Role::Error)], now).await.unwrap();
    let messages = store.recent_messages(&id, 3, 0).await.unwrap();
    assert_eq!(
        messages.iter().map(|m| format!("{} {}", m.role, m.content)).collect::<Vec<_>>(),
        ["function words 2", "assistant words 3", "error words 4"]
    );
    assert_eq!(messages[2].metadata["status"], "error");
    let lee = Asker { id: e.sender.id.clone(), install: e.thread.install_key() };
    assert!(store.recent_sheets(&lee, 5).await.unwrap().is_empty(), "nobody has said anything");
    store.accept(&e, Lane::Queue).await.unwrap();
    assert_eq!(store.recent_sheets(&lee, 5).await.unwrap(), [(SheetId(2), "Other".to_owned())]);
    for other in [Asker { id: "U9".into(), ..lee.clone() }, Asker { install: "slack|T".into(), ..lee }] {
        assert!(store.recent_sheets(&other, 5).await.unwrap().is_empty(), "{other:?}");
    }
    let thread = e.thread.storage_key();
    assert!(!store.keep_question(&e).await.unwrap(), "it is the first that waits");
    assert!(!store.keep_question(&e).await.unwrap(), "it is the same");
    let second = Incoming { dedupe_id: "second".into(), ..e.clone() };
    assert!(store.keep_question(&second).await.unwrap());
    assert_eq!(store.waiting_questions(&thread).await.unwrap(), [e.clone(), second.clone()]);
    store.drop_question(&e).await.unwrap();
    assert!(!store.reword_question(&e).await.unwrap() && store.reword_question(&second).await.unwrap());
    assert_eq!(store.waiting_questions(&thread).await.unwrap(), std::slice::from_ref(&second));
    let grown = ThreadKey { conversation: "C2".into(), ..e.thread.clone() };
    store.move_thread(&thread, &grown, &Anchor("grown".into())).await.unwrap();
    assert!(store.waiting_questions(&thread).await.unwrap().is_empty());
    let moved = Incoming { thread: grown.clone(), anchor: Anchor("grown".into()), ..second };
    assert_eq!(store.waiting_questions(&grown.storage_key()).await.unwrap(), [moved]);
}

pub fn proposal(session: &str) -> Proposal {
    Proposal {
        id: "p1".into(),
        session_id: session.into(),
        thread_key: "slack|T1|C1|1".into(),
        asker: "U1".into(),
        identity: "service".into(),
        sheet: SheetId(5),
        sheet_version: 7,
        plan: serde_json::value::to_raw_value(&json!({ "kind": "update", "details": { "rows": [] } })).unwrap(),
        filter: None,
        row_count: 3,
        state: ProposalState::Open,
        message: None,
        created_at_ms: 100,
        expires_at_ms: 200,
    }
}

pub fn change(p: &Proposal) -> Change {
    Change {
        id: "c1".into(),
        undo_of: None,
        job_id: None,
        session_id: p.session_id.clone(),
        thread_key: p.thread_key.clone(),
        asker: p.asker.clone(),
        identity: p.identity.clone(),
        sheet: p.sheet,
        sheet_version: p.sheet_version,
        plan: p.plan.clone(),
        applying: true,
        created_at_ms: 150,
    }
}

async fn proposals_are_decided_once(store: &Store) {
    let p = proposal(&session(store).await);
    store.add_proposal(&p, Some("event")).await.unwrap();
    assert!(!store.was_decided("event").await.unwrap());
    assert_eq!(store.waiting_proposals(&p.thread_key).await.unwrap().len(), 1);
    assert!(!store.confirm_proposal(&p, "U1", &change(&p), 3, None, 200).await.unwrap(), "too late");
    assert!(store.change("c1").await.unwrap().is_none(), "and nothing was journalled");
    let (a, b) = (change(&p), Change { id: "c2".into(), ..change(&p) });
    let (first, second) =
        tokio::join!(store.confirm_proposal(&p, "U1", &a, 3, None, 150), store.confirm_proposal(&p, "U1", &b, 3, None, 150));
    assert!(first.unwrap() ^ second.unwrap(), "exactly one press counts");
    assert!(!store.move_proposal("p1", ProposalState::Open, ProposalState::Cancelled, "U1", 160).await.unwrap());
    assert_eq!(store.proposal("p1").await.unwrap().unwrap().state, ProposalState::Confirmed);
    assert!(store.was_decided("event").await.unwrap() && !store.was_decided("another").await.unwrap());
}

async fn the_journal_keeps_every_row(store: &Store) {
    let p = proposal(&session(store).await);
    store.add_proposal(&p, None).await.unwrap();
    assert!(store.confirm_proposal(&p, "U1", &change(&p), 2500, None, 150).await.unwrap());
    let mut rows = store.change_rows("c1").await.unwrap();
    assert_eq!(rows.len(), 2500);
    assert!(rows.iter().all(|r| r.state == RowState::Pending));
    rows[7].state = RowState::Failed;
    rows[7].reason = Some("refused".into());
    rows[8].made = Some(json!(9_007_199_254_740_991_i64));
    let stale = store.take_change("c1", None).await.unwrap().unwrap();
    let fence = store.take_change("c1", None).await.unwrap().unwrap();
    assert!(!store.set_change_rows("c1", stale, &rows[..7]).await.unwrap(), "who was taken for dead notes nothing any more");
    assert!(store.set_change_rows("c1", fence, &rows[7..9]).await.unwrap());
    assert_eq!(store.change_rows("c1").await.unwrap()[7..9], rows[7..9]);
    assert!(store.last_undoable(&p.session_id).await.unwrap().is_none(), "not while it is carried out");
    assert!(!store.finish_change("c1", stale, true, 290).await.unwrap());
    assert!(store.finish_change("c1", fence, false, 300).await.unwrap());
    assert_eq!(store.last_undoable(&p.session_id).await.unwrap().unwrap().id, "c1");
    let undo = Change { id: "u1".into(), undo_of: Some("c1".into()), ..change(&p) };
    assert!(store.begin_change(&undo, 1, None).await.unwrap());
    assert!(!store.begin_change(&Change { id: "u2".into(), ..undo }, 1, None).await.unwrap(), "taken back once");
    assert!(store.last_undoable(&p.session_id).await.unwrap().is_none());
    let fence = store.take_change("u1", None).await.unwrap().unwrap();
    assert!(store.finish_change("u1", fence, true, 400).await.unwrap());
    assert_eq!(store.last_undoable(&p.session_id).await.unwrap().unwrap().id, "c1", "an undo of which nothing came does not count");
    assert_eq!(store.last_undoable_of("U1", "slack|T1|C1").await.unwrap().unwrap().id, "c1");
    assert!(store.last_undoable_of("U2", "slack|T1|C1").await.unwrap().is_none());
}

async fn migrations_run_again_on_filled_tables(store: &Store) {
    let id = session(store).await;
    let message = NewMessage {
        id: "m".into(),
        role: Role::User,
        content: "words".into(),
        name: None,
        author: None,
        beside: None,
        why: None,
        asker: None,
    };
    store.add_messages(&id, &[message], "2026-11-22T10:31:00Z".parse().unwrap()).await.unwrap();
    accept(store, "e", "1").await;
    let (a, b) = tokio::join!(store.migrate(), store.migrate());
    a.unwrap();
    b.unwrap();
    assert_eq!(store.recent_messages(&id, 5, 0).await.unwrap().len(), 1);
    store.ping().await.unwrap();
}

async fn rules_of_channels_and_sheets_are_kept(store: &Store) {
    let sheet = |id: i64, name: &str| AllowedSheets { kind: AllowedKind::Sheet, id, name: name.into() };
    assert_eq!(store.channel_rules("slack|T1|C1").await.unwrap(), ChannelRules::default());
    store.set_only_me("slack|T1|C1", true).await.unwrap();
    let (a, b) = (sheet(1, "A"), sheet(2, "B"));
    let both = tokio::join!(store.allow_in("slack|T1|C1", &a), store.allow_in("slack|T1|C1", &b));
    assert!(both.0.is_ok() && both.1.is_ok(), "of two admins at once neither is lost");
    let rules = ChannelRules { only_me: true, allowed: Some(vec![a, b]) };
    assert_eq!(store.channel_rules("slack|T1|C1").await.unwrap(), rules);
    assert_eq!(store.channel_rules("slack|T1|C2").await.unwrap(), ChannelRules::default());
    store.move_channel_rules("slack|T1|C1", "slack|T1|C9").await.unwrap();
    assert_eq!(store.channel_rules("slack|T1|C9").await.unwrap(), rules);
    for id in [1, 2] {
        assert!(store.disallow_in("slack|T1|C9", AllowedKind::Sheet, id).await.unwrap());
    }
    assert!(!store.disallow_in("slack|T1|C9", AllowedKind::Workspace, 2).await.unwrap());
    assert_eq!(store.channel_rules("slack|T1|C9").await.unwrap().allowed, Some(Vec::new()), "nothing is not everything");
    store.allow_everything_in("slack|T1|C9").await.unwrap();
    assert_eq!(store.channel_rules("slack|T1|C9").await.unwrap().allowed, None);
    let person = Person { platform: Platform::Slack, install: "T1".into(), id: "U2".into() };
    let approval = Approval { over_rows: 20, approvers: vec![Approver { person, name: "Dana".into() }] };
    store.set_approval(SheetId(7), Some(&approval)).await.unwrap();
    store.set_approval(SheetId(7), Some(&Approval { over_rows: 3, ..approval.clone() })).await.unwrap();
    assert_eq!(store.approval(SheetId(7)).await.unwrap(), Some(Approval { over_rows: 3, ..approval }));
    assert_eq!((store.approvals().await.unwrap().len(), store.ruled_channels().await.unwrap()), (1, vec!["slack|T1|C9".to_owned()]));
    store.set_approval(SheetId(7), None).await.unwrap();
    assert_eq!(store.approval(SheetId(7)).await.unwrap(), None);
}
