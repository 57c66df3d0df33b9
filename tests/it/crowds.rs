//! Twenty conversations with a question and a job at the same time on each platform, alone with the bot and in channels and groups:
//! nothing is refused for its rates, and everybody sees how it ended.

use crate::world::{Setting, World, free_port};
use futures_util::future::try_join_all;
use sandbox::crowd::{Crowd, InDiscord, InSlack, InTeams, InTelegram, converse};
use sandbox::{discord, slack, smartsheet, teams, telegram};

const PEOPLE: usize = 20;

async fn crowd(setting: Setting) -> World {
    // What Smartsheet grants a token is another story: here it would be what everybody waits for.
    let smartsheet = Some(smartsheet::Options { requests_per_minute: usize::MAX, ..smartsheet::Options::default() });
    World::with(Setting { smartsheet, paced: true, unbound: true, ..setting }).await.unwrap()
}

async fn all_are_served(world: World, crowd: &dyn Crowd) {
    world.ticking(try_join_all((2..2 + PEOPLE).map(|n| converse(crowd, n)))).await.unwrap();
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    assert_eq!(crowd.refused(), 0, "nothing came faster than the platform allows");
    for n in 2..2 + PEOPLE {
        let seen = crowd.seen(n);
        assert!(
            seen.iter().all(|words| !words.contains(" so far") && !words.contains("looking at")),
            "nothing is left unfinished: {seen:?}"
        );
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_in_slack() {
    let world =
        crowd(Setting { slack: Some(slack::Options { enforce_rates: true, ..slack::Options::default() }), ..Setting::default() }).await;
    let people = InSlack::new(world.slack.clone());
    all_are_served(world, &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_in_teams() {
    let world =
        crowd(Setting { teams: Some(teams::Options { enforce_rates: true, ..teams::Options::default() }), ..Setting::default() }).await;
    let people = InTeams::new(world.teams.clone().unwrap());
    all_are_served(world, &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_in_discord() {
    let discord = Some(discord::Options { enforce_rates: true, ..discord::Options::default() });
    let world = crowd(Setting { discord, ..Setting::default() }).await;
    let people = InDiscord::new(world.discord.clone().unwrap());
    world.discord.as_ref().unwrap().until(|far| far.sessions().0 == 1).await.unwrap();
    all_are_served(world, &people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_in_telegram() {
    let telegram = Some(telegram::Options { enforce_rates: true, ..telegram::Options::default() });
    let port = free_port();
    let settings = vec![
        ("LISTEN", format!("127.0.0.1:{port}")),
        ("PUBLIC_BASE_URL", format!("http://127.0.0.1:{port}")),
        ("TELEGRAM_WEBHOOK_SECRET", telegram::SECRET.to_owned()),
    ];
    let world = crowd(Setting { telegram, settings, ..Setting::default() }).await;
    let people = InTelegram::new(world.telegram.clone().unwrap());
    world.telegram.as_ref().unwrap().until(|far| far.webhook().is_some()).await.unwrap();
    all_are_served(world, &people).await;
}
