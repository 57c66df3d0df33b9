//! Several processes over one PostgreSQL are one bot: what happens in one is heard in all.

use crate::api::Program;
use crate::watching::{Wire, reachable_over};
use crate::world::{Setting, World};
use chatsheet::app::App;
use chatsheet::server::api::Scope;
use chatsheet::store::{Lane, Store, Take};
use futures_util::future::join_all;
use reqwest::Method;
use sandbox::{azure, telegram};
use serde_json::{Value, json};
use sqlx::SqlitePool;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Somebody who may use the bot in Telegram.
const LEE: i64 = 1;
/// Changes; more would wait for Smartsheet's rate.
const CHANGES: usize = 12;

/// A world with two more processes, and a program that may do everything.
async fn three() -> Option<(World, Vec<App>, Program)> {
    let world = reachable_over(true).await?;
    let others = vec![world.replica().await, world.replica().await];
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    Some((world, others, program))
}

async fn end(world: World, others: Vec<App>) {
    for app in others {
        app.shut_down().await;
    }
    world.end().await;
}

/// A live connection to one of the processes, about this topic.
async fn listening(address: SocketAddr, program: &Program, topic: &str) -> Wire {
    let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let mut wire = Wire::at(address, &ticket, None, None).await.unwrap();
    let subscribed = wire.subscribe(topic).await;
    assert_eq!(subscribed["type"], "subscribed", "{subscribed}");
    wire
}

/// The same request to another process.
async fn send(address: SocketAddr, program: &Program, method: Method, path: &str, body: Value) -> Value {
    let request = crate::smartsheet_api::http().request(method, format!("http://{address}{path}")).bearer_auth(&program.key);
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_on_every_process() {
    let Some((world, others, program)) = three().await else { return };
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    let addresses = [world.app.address, others[0].address, others[1].address];
    let topic = format!("sheet:{sheet}");
    let mut wires = join_all(addresses.map(|address| listening(address, &program, &topic))).await;
    let row = world.sheets.world().row_id("Project Plan", "Load test").unwrap();
    let path = format!("/api/smartsheet/{sheet}/rows/{row}");
    let mut slowest = Duration::ZERO;
    for n in 0..CHANGES {
        send(addresses[n % 3], &program, Method::PATCH, &path, json!({ "cells": { "Notes": format!("note {n}") } })).await;
        let written = Instant::now();
        for wire in &mut wires {
            let told = wire.next_of("sheet_update").await;
            assert!(told["changed"][0]["cells"].to_string().contains(&format!("note {n}")), "{told}");
            assert_eq!(told["by"], "bot", "{told}");
        }
        slowest = slowest.max(written.elapsed());
    }
    println!("a change is heard on three processes after at most {slowest:?}");
    // Smartsheet calls one of them.
    world.sheets.edit("Project Plan", "Load test", "Notes", json!("by somebody else"));
    for wire in &mut wires {
        let told = wire.next_of("sheet_update").await;
        assert!(told.to_string().contains("by somebody else"), "{told}");
    }
    drop(wires);
    end(world, others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_and_its_jobs_are_heard_on_every_process() {
    let Some((world, others, program)) = three().await else { return };
    let (here, there) = (world.app.address, others[0].address);
    let session = send(there, &program, Method::POST, "/api/sessions", json!({ "sheet": "Project Plan" })).await;
    let session = session["id"].as_str().unwrap().to_owned();
    let mut wire = listening(here, &program, &format!("session:{session}")).await;
    let ask = json!({ "sessionId": session, "content": "total budget by department" });
    // Whichever process answers it: the one that was asked says what was answered, the other one hears it.
    let asked = tokio::spawn({
        let (program_key, ask) = (program.key.clone(), ask.clone());
        async move {
            let http = crate::smartsheet_api::http();
            let sent = http.post(format!("http://{there}/api/messages")).bearer_auth(program_key).json(&ask).send().await.unwrap();
            sent.json::<Value>().await.unwrap()
        }
    });
    let mut heard = Value::Null;
    while !heard.to_string().contains("$158,750") {
        heard = wire.next().await;
    }
    assert!(asked.await.unwrap().to_string().contains("$158,750"));
    // A long message does not fit into a notification; it is looked up.
    let long = format!("what is this? {}", "a word and another ".repeat(900));
    send(there, &program, Method::POST, "/api/messages", json!({ "sessionId": session, "content": long })).await;
    while !heard.to_string().contains("a word and another") {
        heard = wire.next().await;
    }
    assert!(heard.to_string().len() > 16_000, "all of it: {} bytes", heard.to_string().len());
    end(world, others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_while_a_process_was_cut_off_is_made_up_for() {
    let Some((world, others, program)) = three().await else { return };
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    let mut wire = listening(others[0].address, &program, &format!("sheet:{sheet}")).await;
    let mut events = others[0].events.listen();
    let channel = format!("%chatsheet_{}%", world.app.store.installation_id().await.unwrap().replace('-', ""));
    let database = sqlx::PgPool::connect(&crate::world::test_database().unwrap()).await.unwrap();
    let ended: Vec<(bool,)> =
        sqlx::query_as("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()")
            .bind(&channel)
            .fetch_all(&database)
            .await
            .unwrap();
    assert_eq!(ended, [(true,), (true,), (true,)], "each process hears over a connection of its own");
    // Nothing is told of this one: it happens while nobody hears.
    world.sheets.world().edit("Project Plan", "Load test", "Notes", json!("while it was deaf"));
    while !matches!(events.recv().await.unwrap(), chatsheet::events::Event::Missed) {}
    let told = wire.next_of("sheet_update").await;
    assert!(told["reload"] == true || told.to_string().contains("while it was deaf"), "{told}");
    drop(wire);
    end(world, others).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_is_left_to_the_process_that_can_answer_it() {
    let Some(options) = crate::world::postgres_options().await else { return };
    let (here, there) = (Store::connect_pg(options.clone()).await.unwrap(), Store::connect_pg(options).await.unwrap());
    here.migrate().await.unwrap();
    let press = crate::store::event("press", "t");
    let (received, lease) = (press.received_at_ms, press.received_at_ms + 60_000);
    here.accept(&press, Lane::Express).await.unwrap();
    here.accept(&crate::store::event("text", "t"), Lane::Queue).await.unwrap();
    for which in [Take::Express, Take::ALL] {
        let taken = there.claim(there.owner(), &which, received, lease).await.unwrap();
        assert!(taken.is_none_or(|event| event.incoming.dedupe_id == "text"), "{which:?}");
    }
    let taken = here.claim(here.owner(), &Take::Express, received, lease).await.unwrap().unwrap();
    here.release(taken.id, taken.fence).await.unwrap();
    let taken = there.claim(there.owner(), &Take::Express, received, lease).await.unwrap().expect("what is handed back is for everybody");
    there.finish(taken.id, taken.fence, false, received).await.unwrap();
    // Whoever does not take it in time loses it.
    here.accept(&crate::store::event("slow", "t"), Lane::Express).await.unwrap();
    let late = there.claim(there.owner(), &Take::Express, received + 2_000, lease).await.unwrap().unwrap();
    assert_eq!(late.incoming.dedupe_id, "slow");
    there.finish(late.id, late.fence, false, received).await.unwrap();
    // So does whoever has died.
    here.free_dead(received).await.unwrap();
    here.accept(&crate::store::event("dead", "t"), Lane::Express).await.unwrap();
    here.close().await;
    let began = Instant::now();
    let freed = loop {
        there.free_dead(received).await.unwrap();
        if let Some(freed) = there.claim(there.owner(), &Take::Express, received, lease).await.unwrap() {
            break freed;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the dead keep it");
        tokio::time::sleep(there.next_look()).await;
    };
    assert_eq!(freed.incoming.dedupe_id, "dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram_is_asked_by_one_process_and_by_another_when_that_is_gone() {
    let telegram = Some(telegram::Options::default());
    let Some(world) = World::with(Setting { telegram, postgres: true, unbound: true, ..Setting::default() }).await else { return };
    let others = [world.replica().await, world.replica().await];
    let far = world.telegram.clone().unwrap();
    let answered = |far: &telegram::Telegram| far.messages().iter().filter(|m| m.from == telegram::BOT_ID).count();
    far.say(LEE, LEE, "help", None).await;
    far.until(|far| answered(far) == 1).await.unwrap();
    assert_eq!(far.conflicts(), 0, "only one asks");
    world.app.shut_down().await;
    let gone = Instant::now();
    far.say(LEE, LEE, "status", None).await;
    far.until(|far| answered(far) == 2).await.unwrap();
    println!("another process was there after {:?}", gone.elapsed());
    assert!(far.conflicts() <= 1, "what was asked last by the one that is gone may be ended by another");
    for app in others {
        app.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_slept_leaves_no_second_answer_behind() {
    let azure = azure::Options { latency: Duration::from_secs(1), ..azure::Options::default() };
    let world = World::with(Setting { azure: Some(azure), ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.app.bot.until_idle().await;
    let asked = world.azure.requests().len();
    world.slack.say("C1", "U1", "<@UBOT> total budget by department", None).await;
    while world.azure.requests().len() == asked {
        tokio::task::yield_now().await;
    }
    // Somebody else has taken the event, as after a sleep that was longer than the lease.
    let database = SqlitePool::connect(&format!("sqlite://{}", world.folder.0.join("story.db").display())).await.unwrap();
    let taken = sqlx::query("UPDATE inbox SET fence = fence + 1 WHERE state = 'taken'").execute(&database).await.unwrap();
    assert_eq!(taken.rows_affected(), 1);
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("The answer is in another message"))).await.unwrap();
    assert!(!world.slack.messages().iter().any(|m| m.seen().contains("$158,750")), "the one who serves it now says it");
    world.app.shut_down().await;
}
