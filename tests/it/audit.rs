//! The audit log: a story leaves the lines that it should, and whatever is changed in them is found.

use crate::command_line::run;
use crate::world::{Setting, World, folder};
use chat::Platform;
use chatsheet::access::{Person, Role};
use chatsheet::clock::Clock;
use chatsheet::server::api::{Scope, new_key};
use chatsheet::store::{AuditAction, AuditEvent, Broken, Granted, Store};
use rusqlite::Connection;
use serde_json::{Value, json};

fn event(n: i64) -> AuditEvent {
    let (what, who) = if n % 3 == 0 { (AuditAction::Proposed, "U1") } else { (AuditAction::Applied, "U2") };
    AuditEvent {
        at_ms: 1_795_000_000_000 + n,
        what,
        who: who.into(),
        place: "slack|T1|C1|1".into(),
        subject: format!("change:{n}"),
        detail: json!({ "old": n, "new": n + 1, "text": "=1+1, \"quoted\"\nand a second line" }),
    }
}

async fn a_change_and_its_undo_are_told(postgres: bool) {
    let world = World::with(Setting { postgres, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await.unwrap();
    world.slack.say("C1", "U1", "<@UBOT> set Status to Complete for everything that is Blocked", None).await;
    world.app.bot.until_idle().await;
    world.slack.press("C1", "U2", "Confirm").await;
    world.app.bot.until_idle().await;
    world.slack.press("C1", "U1", "Confirm").await;
    world.app.bot.until_idle().await;
    world.slack.press("C1", "U1", "Undo").await;
    world.app.bot.until_idle().await;
    let lines = world.app.store.audit_lines(0, i64::MIN).await.unwrap();
    let told: Vec<(&str, &str)> = lines.iter().map(|l| (l.what.as_str(), l.who.as_str())).collect();
    assert_eq!(told, [("proposed", "U1"), ("refused", "U2"), ("confirmed", "U1"), ("applied", "U1"), ("began", "U1"), ("applied", "U1")]);
    let applied: Value = serde_json::from_str(&lines[3].detail).unwrap();
    let plan = applied["plan"].to_string();
    assert!(plan.contains("Blocked") && plan.contains("Complete") && applied["notDone"] == json!([]), "old and new values: {applied}");
    assert_eq!(world.app.store.verify_audit().await.unwrap(), Ok(6));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_its_undo_are_told_on_sqlite() {
    a_change_and_its_undo_are_told(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_its_undo_are_told_on_postgresql() {
    a_change_and_its_undo_are_told(true).await;
}

/// What is no change of a sheet and leaves its line all the same.
async fn access_and_keys_are_told(postgres: bool) {
    let world = World::with(Setting { postgres, ..Setting::default() }).await.unwrap();
    let (store, now_ms) = (&world.app.store, world.clock.now_ms());
    let person = Person { platform: Platform::Slack, install: "T1".into(), id: "U2".into() };
    store.grant_access(&Granted { person, name: None, role: Role::Admin, at_ms: now_ms }).await.unwrap();
    world.slack.slash("C1", "U2", "only me on").await;
    world.app.bot.until_idle().await;
    let (key, _) = new_key("reports", &[Scope::Read], now_ms);
    store.add_api_key(&key).await.unwrap();
    assert!(store.revoke_api_key(&key.id, now_ms).await.unwrap());
    assert!(!store.revoke_api_key(&key.id, now_ms).await.unwrap());
    store.keep_grant("account", "slack|T1|U2", "sealed", now_ms).await.unwrap();
    assert!(store.forget_grant("account", "slack|T1|U2", i64::MAX, now_ms).await.unwrap());
    assert!(!store.forget_grant("account", "slack|T1|U2", i64::MAX, now_ms).await.unwrap());
    let lines = store.audit_lines(0, i64::MIN).await.unwrap();
    let told: Vec<String> = lines.iter().map(|l| format!("{} {} {}", l.who, l.what, l.detail)).collect();
    insta::allow_duplicates! {
        insta::assert_snapshot!(told.join("\n"), @r#"
        operator access {"role":"admin"}
        U2 rule {"rule":{"onlyMe":true}}
        operator key_made {"name":"reports","scopes":"read"}
        operator key_revoked {}
        slack|T1|U2 granted {}
        slack|T1|U2 withdrawn {}
        "#);
    }
    assert_eq!(store.verify_audit().await.unwrap(), Ok(lines.len() as i64));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_and_keys_are_told_on_sqlite() {
    access_and_keys_are_told(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_and_keys_are_told_on_postgresql() {
    access_and_keys_are_told(true).await;
}

/// A random number from a seed; the same ones every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Changes something in the log; the statements that do it.
fn tampering(random: &mut Random, lines: u64) -> String {
    let (seq, other) = (random.below(lines) + 1, random.below(lines) + 1);
    let column = ["what", "who", "place", "subject", "detail", "hash"][random.below(6) as usize];
    match random.below(8) {
        0 => format!("DELETE FROM audit WHERE seq = {seq}"),
        1 => format!("DELETE FROM audit WHERE seq >= {seq}"),
        2 => format!("UPDATE audit SET at_ms = at_ms + 1 WHERE seq = {seq}"),
        3 => format!("UPDATE audit SET {column} = substr({column}, 1, length({column}) - 1) WHERE seq = {seq}"),
        4 => format!("UPDATE audit SET who = who || substr(place, 1, 1), place = substr(place, 2) WHERE seq = {seq}"),
        5 => format!(
            "UPDATE audit SET seq = -1 WHERE seq = {seq}; INSERT INTO audit SELECT {seq}, at_ms, what, who, place, subject, detail, hash || '0' FROM audit WHERE seq = -1; DELETE FROM audit WHERE seq = -1"
        ),
        6 => format!(
            "INSERT INTO audit SELECT max(seq) + 1, at_ms, what, who, place, subject, detail, hash FROM audit; UPDATE audit SET {column} = {column} || 'x' WHERE seq = {other}"
        ),
        _ => format!("UPDATE audit SET {column} = {column} || 'x' WHERE seq = {seq}"),
    }
}

#[tokio::test]
async fn a_thousand_tamperings_are_all_found() {
    let folder = folder();
    let path = folder.0.join("audit.db");
    let store = Store::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    store.migrate().await.unwrap();
    const LINES: u64 = 60;
    for n in 0..LINES as i64 {
        store.audit(&event(n)).await.unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), Ok(LINES as i64));
    let tamperer = Connection::open(&path).unwrap();
    tamperer.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM audit").unwrap();
    let mut random = Random(42);
    for n in 0..1_000 {
        let tampering = tampering(&mut random, LINES);
        tamperer.execute_batch(&format!("BEGIN; {tampering}; COMMIT")).unwrap();
        let found = store.verify_audit().await.unwrap();
        assert!(found.is_err(), "tampering {n} was not found: {tampering}");
        tamperer.execute_batch("BEGIN; DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; COMMIT").unwrap();
    }
    assert_eq!(store.verify_audit().await.unwrap(), Ok(LINES as i64), "what is put back is whole");
    tamperer.execute_batch("DELETE FROM audit WHERE seq > 50").unwrap();
    assert_eq!(store.verify_audit().await.unwrap(), Err(Broken::End { found: 50, written: 60 }));
}

#[tokio::test]
async fn the_log_is_printed_and_checked_on_the_command_line() {
    let folder = folder();
    let url = format!("sqlite://{}", folder.0.join("audit.db").display());
    let store = Store::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    for n in 0..3 {
        store.audit(&event(n)).await.unwrap();
    }
    store.audit(&AuditEvent { at_ms: Clock::System.now_ms(), ..event(3) }).await.unwrap();
    let settings = [("DATABASE_URL", url)];
    let said = |words: &[&str]| {
        let done = run(words, &settings, &folder.0, "");
        (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (ok, lines) = said(&["audit", "export"]);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(ok && lines.lines().count() == 4 && first["detail"]["old"] == 0 && first["who"] == "U1", "{lines}");
    let (_, recent) = said(&["audit", "export", "--since", "2026-11-30"]);
    assert_eq!(recent.lines().count(), 1, "{recent}");
    let (_, table) = said(&["audit", "export", "--format", "csv"]);
    let read: Vec<_> = csv::Reader::from_reader(table.as_bytes()).records().map(Result::unwrap).collect();
    assert!(read.len() == 4 && &read[0][5] == "change:0", "{table}");
    let (ok, whole) = said(&["audit", "verify"]);
    assert!(ok && whole.starts_with("4 lines, nothing was changed."), "{whole}");
    let kept = whole.trim().rsplit(' ').next().unwrap();
    assert!(said(&["audit", "verify", "--holds", kept]).0);
    assert!(!said(&["audit", "verify", "--holds", "4:00"]).0);
}
