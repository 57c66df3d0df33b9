//! All four chat platforms connected: memory, CPU of an event and of an answer on each, and twenty conversations with a
//! question and a job at the same time, within the rates that each platform enforces.

use super::figures::Figure;
use super::process::{Folder, Measured, free_port, settings, until_ready};
use anyhow::Context;
use async_trait::async_trait;
use futures_util::future::try_join_all;
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use std::time::Duration;
use tokio::time::Instant;

/// Conversations at the same time.
const CROWD: usize = 20;
/// Answers that are measured, one in a conversation each.
const ANSWERS: usize = 60;
/// Events that are measured: they come again, and are known.
const AGAIN: usize = 400;
/// The longest that anything is waited for.
const LONGEST: Duration = Duration::from_secs(900);
const LOOK: Duration = Duration::from_millis(50);

/// A platform, as a crowd of people uses it: each alone with the bot.
#[async_trait]
trait Crowd: Send + Sync {
    fn name(&self) -> &'static str;
    async fn say(&self, n: usize, text: &str);
    async fn press(&self, n: usize, label: &str);
    /// What person `n` sees of the bot.
    fn seen(&self, n: usize) -> Vec<String>;
    async fn again(&self);
    fn refused(&self) -> usize;
}

#[async_trait]
impl Crowd for slack::Slack {
    fn name(&self) -> &'static str {
        "Slack"
    }

    async fn say(&self, n: usize, text: &str) {
        slack::Slack::say(self, &format!("D{n}"), &format!("U{n}"), text, None).await;
    }

    async fn press(&self, n: usize, label: &str) {
        slack::Slack::press(self, &format!("D{n}"), &format!("U{n}"), label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let channel = format!("D{n}");
        self.messages().iter().filter(|m| m.channel == channel && m.user == slack::BOT_USER).map(slack::Posted::seen).collect()
    }

    async fn again(&self) {
        self.redeliver().await;
    }

    fn refused(&self) -> usize {
        self.refused_for_rate()
    }
}

#[async_trait]
impl Crowd for teams::Teams {
    fn name(&self) -> &'static str {
        "Teams"
    }

    async fn say(&self, n: usize, text: &str) {
        teams::Teams::say(self, &format!("a:{n}"), &format!("29:{n}"), text).await;
    }

    async fn press(&self, n: usize, label: &str) {
        teams::Teams::press(self, &format!("a:{n}"), &format!("29:{n}"), label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let conversation = format!("a:{n}");
        self.messages().iter().filter(|m| m.conversation == conversation && m.from == teams::BOT).map(teams::Posted::seen).collect()
    }

    async fn again(&self) {
        self.redeliver().await;
    }

    fn refused(&self) -> usize {
        self.refused_for_rate()
    }
}

#[async_trait]
impl Crowd for discord::Discord {
    fn name(&self) -> &'static str {
        "Discord"
    }

    async fn say(&self, n: usize, text: &str) {
        discord::Discord::say(self, 900 + n as u64, n as u64, text).await;
    }

    async fn press(&self, n: usize, label: &str) {
        discord::Discord::press(self, 900 + n as u64, n as u64, label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let channel = 900 + n as u64;
        self.messages().iter().filter(|m| m.channel == channel && m.from == discord::APPLICATION).map(discord::Posted::seen).collect()
    }

    async fn again(&self) {
        self.redeliver().await;
    }

    fn refused(&self) -> usize {
        self.refused_for_rate()
    }
}

#[async_trait]
impl Crowd for telegram::Telegram {
    fn name(&self) -> &'static str {
        "Telegram"
    }

    async fn say(&self, n: usize, text: &str) {
        telegram::Telegram::say(self, n as i64, n as i64, text, None).await;
    }

    async fn press(&self, n: usize, label: &str) {
        telegram::Telegram::press(self, n as i64, n as i64, label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        self.messages().iter().filter(|m| m.chat == n as i64 && m.from == telegram::BOT_ID).map(telegram::Posted::seen).collect()
    }

    async fn again(&self) {
        self.redeliver().await;
    }

    fn refused(&self) -> usize {
        self.refused_for_rate()
    }
}

/// Returns when person `n` sees something that fits.
async fn until(crowd: &dyn Crowd, n: usize, fits: impl Fn(&[String]) -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let seen = crowd.seen(n);
        if fits(&seen) {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < LONGEST, "{}: person {n} still sees {:?}", crowd.name(), seen.last());
        tokio::time::sleep(LOOK).await;
    }
}

/// A question, a job, and its last word.
async fn converse(crowd: &dyn Crowd, n: usize) -> anyhow::Result<()> {
    let has = |words: &'static str| move |seen: &[String]| seen.iter().any(|s| s.contains(words));
    crowd.say(n, "use Clinical Trials").await;
    until(crowd, n, has("This thread is now about")).await?;
    crowd.say(n, "how many trials are recruiting?").await;
    until(crowd, n, has("Queried")).await?;
    crowd.say(n, &format!("summarize Protocol into Summary {n} of {} for the phase 3 trials that are recruiting", crowd.name())).await;
    until(crowd, n, has("[Confirm]")).await?;
    crowd.press(n, "Confirm").await;
    until(crowd, n, has("6 rows written")).await
}

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let sheets =
        smartsheet::Smartsheet::start(smartsheet::Options { requests_per_minute: usize::MAX, ..smartsheet::Options::default() }).await?;
    let azure = azure::Azure::start(azure::Options::default()).await?;
    let slack = slack::Slack::start(slack::Options { enforce_rates: true, ..slack::Options::default() }).await?;
    let discord = discord::Discord::start(discord::Options { enforce_rates: true, ..discord::Options::default() }).await?;
    let teams = teams::Teams::start(teams::Options { enforce_rates: true, ..teams::Options::default() }).await?;
    let telegram = telegram::Telegram::start(telegram::Options { enforce_rates: true, ..telegram::Options::default() }).await?;
    let port = free_port().await?;
    let base = format!("http://127.0.0.1:{port}");
    let mut all = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
    all.extend([discord.settings(), teams.settings(), telegram.settings()].concat());
    all.extend([("PUBLIC_BASE_URL", base.clone()), ("TELEGRAM_WEBHOOK_SECRET", telegram::SECRET.to_owned())]);
    let measured = Measured::start(&["serve"], &all, &folder.0, 0).await?;
    until_ready(port).await?;
    slack.send_events_to(&format!("{base}/api/webhooks/slack"));
    teams.send_events_to(&format!("{base}/api/webhooks/teams"));
    telegram.until(|far| far.webhook().is_some()).await?;
    discord.until(|far| far.sessions().0 == 1).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut figures = vec![Figure::new("all four platforms connected: idle memory", measured.memory_mb("VmRSS")?, "MB", 30.0)];
    let crowds: [Box<dyn Crowd>; 4] = [Box::new(slack), Box::new(teams), Box::new(discord), Box::new(telegram)];
    for crowd in &crowds {
        figures.extend(of_one(crowd.as_ref(), &measured).await?);
    }
    Ok(figures)
}

async fn of_one(crowd: &dyn Crowd, measured: &Measured) -> anyhow::Result<Vec<Figure>> {
    let name = crowd.name();
    let answered = |n: usize| until(crowd, n, |seen| seen.iter().any(|s| s.contains("I answer questions")));
    crowd.say(1, "help").await;
    answered(1).await?;
    let before = measured.cpu_ms()?;
    for _ in 0..AGAIN {
        crowd.again().await;
    }
    // The gateway tells nobody when it has been heard; an answer is given after it.
    crowd.say(2, "help").await;
    answered(2).await?;
    let again = (measured.cpu_ms()? - before) * 1_000.0 / AGAIN as f64;
    let before = measured.cpu_ms()?;
    let people = 3..3 + ANSWERS;
    try_join_all(people.map(|n| async move {
        crowd.say(n, "help").await;
        answered(n).await
    }))
    .await?;
    let answer = (measured.cpu_ms()? - before) * 1_000.0 / ANSWERS as f64;
    let began = Instant::now();
    // Discord's direct channels of the stand-in end with 99.
    try_join_all((70..70 + CROWD).map(|n| converse(crowd, n))).await.with_context(|| format!("twenty conversations in {name}"))?;
    Ok(vec![
        Figure::new(format!("{name}: an event that is known: CPU"), again, "us", None),
        Figure::new(format!("{name}: an event and its answer: CPU"), answer, "us", None),
        Figure::new(format!("{name}: {CROWD} questions and jobs at once, until all is shown"), began.elapsed().as_secs_f64(), "s", None),
        Figure::new(format!("{name}: refused for its rates meanwhile"), crowd.refused() as f64, "", 0.0),
    ])
}
