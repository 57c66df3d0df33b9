//! What is kept: for whose eyes, under which key, and what a copy of it is worth.

use crate::command_line::run;
use crate::crashes::{Place, kill};
use crate::world::{Setting, World, folder};
use chatsheet::app::keys::{self, Rotated};
use chatsheet::clock::Clock;
use chatsheet::store::{Sealed, Store};
use chatsheet::vault::Vault;
use std::os::unix::fs::PermissionsExt;

const OLD: &str = "the key that was there from the beginning";
const NEW: &str = "the key that comes after the first one did";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_can_read_the_database() {
    let world = World::start().await;
    let files: Vec<_> = std::fs::read_dir(&world.folder.0).unwrap().map(|e| e.unwrap().path()).collect();
    let of_the_database: Vec<_> = files.iter().filter(|p| p.to_string_lossy().contains("story.db")).collect();
    assert!(of_the_database.len() >= 3, "{files:?}");
    for path in of_the_database {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{} has mode {mode:o}", path.display());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_brings_back_what_waited_and_what_ran() {
    let place = Place::new().await;
    let child = place.serve().await;
    place.slack.slash("C1", "U1", "use Project Plan").await;
    place.slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await.unwrap();
    place.slack.say("C1", "U1", "<@UBOT> set Status to Complete for everything that is Blocked", None).await;
    place.until("[Confirm]").await;
    let database = [("DATABASE_URL", place.database.clone())];
    let copied = run(&["backup", "copy.db"], &database, &place.folder.0, "");
    let said = String::from_utf8_lossy(&copied.stdout).into_owned();
    assert!(copied.status.success() && said.contains("1 proposals that wait"), "{said}{}", String::from_utf8_lossy(&copied.stderr));
    assert_eq!(std::fs::metadata(place.folder.0.join("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    let busy = run(&["restore", "copy.db"], &database, &place.folder.0, "");
    assert!(
        !busy.status.success() && String::from_utf8_lossy(&busy.stderr).contains("stop them first"),
        "a running bot keeps its database"
    );
    kill(child).await;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(place.folder.0.join(format!("crash.db{ending}")));
    }
    let back = run(&["restore", "copy.db"], &database, &place.folder.0, "");
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    let child = place.serve().await;
    place.slack.press("C1", "U1", "Confirm").await;
    place.until("Done: set Status").await;
    kill(child).await;
}

#[test]
fn what_is_no_copy_is_not_put_back() {
    let folder = folder();
    let database = [("DATABASE_URL", "sqlite://here.db".to_owned())];
    std::fs::write(folder.0.join("odd.db"), "no database at all").unwrap();
    assert!(run(&["migrate"], &database, &folder.0, "").status.success());
    for (file, why) in [("odd.db", "no whole copy"), ("nothing.db", "there is no nothing.db")] {
        let refused = run(&["restore", file], &database, &folder.0, "");
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && words.contains(why), "{words}");
    }
    let postgres = run(&["restore", "odd.db"], &[("DATABASE_URL", "postgres://u:p@127.0.0.1:1/x".into())], &folder.0, "");
    assert!(String::from_utf8_lossy(&postgres.stderr).contains("pg_restore"));
    assert!(run(&["backup", "copy.db"], &database, &folder.0, "").status.success());
    let again = run(&["backup", "copy.db"], &database, &folder.0, "");
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("is there already"), "no copy is written over");
}

/// A store with two grants that the old key has sealed.
async fn sealed(url: &str) -> Store {
    let (store, old) = (Store::connect(url).await.unwrap(), Vault::new(&OLD.into()));
    store.migrate().await.unwrap();
    for n in 0..250 {
        let id = format!("slack|T1|U{n}");
        let sealed = old.seal(&format!("grant|smartsheet|{id}"), &format!("token {n}")).unwrap();
        store.keep_grant("smartsheet", &id, &sealed, Clock::System.now_ms()).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_key_is_changed_without_losing_what_the_one_before_has_sealed() {
    let folder = folder();
    let url = format!("sqlite://{}", folder.0.join("keys.db").display());
    let store = sealed(&url).await;
    let (new, both) = (Vault::new(&NEW.into()), Vault::new(&NEW.into()).with_old(&OLD.into()));
    let refused = keys::fit(&store, &new).await.unwrap_err();
    insta::assert_snapshot!(refused, @"CHATSHEET_SECRET_KEY is not the key that this database was sealed with: set the one that it was. To change it, set the new one, put the one before into CHATSHEET_SECRET_KEY_OLD, and run `chatsheet keys rotate`");
    keys::fit(&store, &both).await.unwrap();
    keys::remember(&store, &Vault::new(&OLD.into())).await.unwrap();
    // It breaks off somewhere, and begins again.
    let all = store.sealed().await.unwrap();
    assert_eq!(all.len(), 251);
    for (what, sealed) in all.iter().take(100) {
        let Sealed::Grant(kind, id) = what else { panic!("{what:?}") };
        let purpose = format!("grant|{kind}|{id}");
        let anew = new.seal(&purpose, &both.open(&purpose, sealed).unwrap()).unwrap();
        assert!(store.seal_anew(what, sealed, &anew).await.unwrap());
    }
    let settings = [("DATABASE_URL", url), ("CHATSHEET_SECRET_KEY", NEW.to_owned()), ("CHATSHEET_SECRET_KEY_OLD", OLD.to_owned())];
    let done = run(&["keys", "rotate"], &settings, &folder.0, "");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success() && said.contains("151 sealed anew, 100 were already."),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(keys::rotate(&store, &both, |_, _| ()).await.unwrap(), Rotated { anew: 0, current: 251, lost: 0 });
    keys::fit(&store, &new).await.unwrap();
    assert!(keys::fit(&store, &Vault::new(&OLD.into())).await.is_err(), "the key before does not fit any more");
    for n in 0..250 {
        let id = format!("slack|T1|U{n}");
        let sealed = store.grant("smartsheet", &id).await.unwrap().unwrap();
        assert_eq!(new.open(&format!("grant|smartsheet|{id}"), &sealed).unwrap(), format!("token {n}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_does_not_start() {
    let place = Place::new().await;
    let settings = |key: &str| {
        let far_side = crate::world::far_side(&place.sheets, &place.azure, &place.slack);
        let own = [("DATABASE_URL", place.database.clone()), ("CHATSHEET_SECRET_KEY", key.to_owned()), ("LISTEN", "127.0.0.1:0".into())];
        far_side.into_iter().chain(own).collect::<Vec<_>>()
    };
    sealed(&place.database).await.close().await;
    for command in ["serve", "check"] {
        let refused = run(&[command], &settings(NEW), &place.folder.0, "");
        let words = [refused.stdout, refused.stderr].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        assert!(!refused.status.success() && words.contains("chatsheet keys rotate"), "{command}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_in_what_is_kept_open_nothing_for_whoever_reads_the_database() {
    let settings = vec![("PUBLIC_BASE_URL", "https://bot.example.com".to_owned())];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.slack.slash("C1", "U1", "view").await;
    world.app.bot.until_idle().await;
    world.slack.say("C1", "U1", "<@UBOT> which tasks are overdue?", None).await;
    world.app.bot.until_idle().await;
    let sent: String = world.slack.messages().iter().map(|m| serde_json::to_string(&m.blocks).unwrap()).collect();
    let token = |part: &str| part.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect::<String>();
    let tokens: Vec<String> = sent.split("/v/").skip(1).map(token).collect();
    assert!(tokens.len() >= 2, "a link that was asked for, and one in an answer: {sent}");
    let files = ["story.db", "story.db-wal"].map(|name| std::fs::read(world.folder.0.join(name)).unwrap_or_default());
    for token in tokens {
        assert!(token.len() > 100, "{token}");
        assert!(files.iter().all(|file| !file.windows(token.len()).any(|w| w == token.as_bytes())), "{token} stands in the database");
    }
    world.slack.press("C1", "U1", "Share").await;
    world.app.bot.until_idle().await;
    let shared = serde_json::to_string(&world.slack.messages().last().unwrap().blocks).unwrap();
    assert!(shared.contains("/v/") && !shared.contains("/v/~"), "what is shared leads where it did: {shared}");
    world.end().await;
}
