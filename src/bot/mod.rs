//! The conversation: takes the next event that may be served and answers it, one at a time per thread.

mod accounts;
mod allowance;
mod beside;
mod commands;
mod figures;
mod forms;
mod grounds;
mod inbox;
mod line;
mod live_reply;
mod people;
mod phrases;
mod presses;
mod preview;
mod prompt;
mod rounds;
mod rules;
mod serve;
mod sheets;
mod speech;
mod turn;
mod words;

pub use figures::tells;
pub use inbox::Door;
pub use line::Wake;
pub use words::{account_connected, capital, what as in_words};

use crate::access::{Access, Allowance};
use crate::accounts::Accounts;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::events::Events;
use crate::jobs::Jobs;
use crate::links::Links;
use crate::llm::Model;
use crate::sheet::Sheets;
use crate::store::{Event, HEARTBEAT, LEASE, Store, Take, Waits};
use chat::{Chat, Chats, Incoming, Platform, Profile, What};
use inbox::lane;
use line::{Looks, PLACE, Rest, Slots};
use moka::future::Cache;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long a name is known that platforms are asked for.
const NAMES_LAST: Duration = Duration::from_secs(600);
/// How often the inbox is looked at without being woken: expired leases, events of other processes.
const POLL: Duration = Duration::from_secs(1);
/// How long running turns may take to end when the process stops.
const DRAIN: Duration = Duration::from_secs(5);

/// What the conversation needs.
pub struct Parts {
    /// What is remembered.
    pub store: Store,
    /// Sheets, and through them Smartsheet.
    pub sheets: Sheets,
    /// Proposals and their application.
    pub changes: Changes,
    /// Long work.
    pub jobs: Arc<Jobs>,
    /// The model.
    pub model: Arc<Model>,
    /// The chats by platform.
    pub chats: Chats,
    /// The time.
    pub clock: Clock,
    /// What happens.
    pub events: Events,
    /// People's own accounts; `None`: there are none.
    pub accounts: Option<Accounts>,
    /// Who may use the bot.
    pub access: Access,
    /// Links to the sheet viewer.
    pub links: Links,
    /// Hosts whose links may stay in answers of the model.
    pub link_hosts: Vec<String>,
    /// What each person may use of the model in a day.
    pub allowance: Allowance,
}

/// A turn that can be stopped.
struct Running {
    event: i64,
    asker: String,
    token: CancellationToken,
    /// Messages that waited behind it and were dropped as it was stopped.
    dropped: AtomicU64,
}

/// The conversation.
pub struct Bot {
    parts: Parts,
    wake: Arc<Wake>,
    settled: Notify,
    running: Mutex<HashMap<String, Running>>,
    in_hand: Mutex<HashMap<i64, i64>>,
    writing: Mutex<HashSet<i64>>,
    /// Proposals that somebody is deciding.
    deciding: Mutex<HashSet<String>>,
    slots: Slots,
    /// What reads the files that messages carry.
    files: beside::Reader,
    /// Who people are, as far as it could be told.
    profiles: Cache<String, Option<Profile>>,
    /// What channels are called, as far as it could be told.
    channels: Cache<String, Option<String>>,
}

impl Bot {
    /// A bot over these parts; `wake` is rung by the [`Door`] when something came in.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    pub fn new(parts: Parts, wake: Arc<Wake>) -> Result<Arc<Self>, reqwest::Error> {
        Ok(Arc::new(Self {
            parts,
            files: beside::Reader::new()?,
            wake,
            settled: Notify::new(),
            running: Mutex::default(),
            in_hand: Mutex::default(),
            writing: Mutex::default(),
            deciding: Mutex::default(),
            slots: Slots::default(),
            channels: Cache::builder().max_capacity(10_000).time_to_live(NAMES_LAST).build(),
            profiles: Cache::builder().max_capacity(10_000).time_to_live(NAMES_LAST).build(),
        }))
    }

    /// Serves events until told to stop; then lets running turns end, and hands back those that do not.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let (mut looks, mut announcing) = (Looks::default(), Rest::default());
        // Whether something may wait behind what is served.
        let mut behind = true;
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.add(&self.wake);
            while let Some((which, place)) = looks.next(&self.slots).filter(|_| !stop.is_cancelled()) {
                let began = Instant::now();
                let Some(event) = self.next(&which).await else {
                    behind |= matches!(which, Take::AllBut { .. });
                    looks.nothing(&which, began.elapsed());
                    continue;
                };
                looks.found(lane(&event.incoming));
                let (bot, share) = (self.clone(), self.slots.share(&event.incoming));
                tasks.spawn(PLACE.scope(place, async move {
                    let _share = share;
                    let span = tracing::debug_span!("event", id = event.id, platform = %event.incoming.thread.platform);
                    Box::pin(bot.serve(event)).instrument(span).await;
                    bot.settled.notify_waiters();
                }));
            }
            behind &= !tasks.is_empty();
            let crowded = self.slots.are_taken();
            if (behind || crowded) && announcing.is_over() {
                let began = Instant::now();
                for waits in [Waits::ForItsThread, Waits::ForAPlace].into_iter().filter(|waits| crowded || *waits == Waits::ForItsThread) {
                    while let Some(event) = self.next_to_announce(waits).await {
                        let bot = self.clone();
                        tasks.spawn(async move { bot.announce(event, waits).await });
                    }
                }
                announcing.after(began.elapsed());
            }
            tokio::select! {
                () = self.wake.rung() => self.stop_what_was_changed(),
                () = self.slots.given_back() => {}
                () = looks.rested() => {}
                _ = poll.tick() => looks.all_through(),
                Some(_) = tasks.join_next() => if behind { looks.all_through() },
                () = stop.cancelled() => break,
            }
        }
        let drained = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tasks.shutdown().await;
            self.hand_back().await;
        }
    }

    /// Ends answers to words that were changed meanwhile.
    fn stop_what_was_changed(&self) {
        let stopped = self.wake.take_stops();
        for turn in self.running().values().filter(|turn| stopped.contains(&turn.event)) {
            turn.token.cancel();
        }
    }

    /// Gives the leases of events back that were not finished, so that whoever comes next takes them at once.
    async fn hand_back(&self) {
        // Writes keep their lease: the far side may still be carrying out what was sent.
        let left: Vec<(i64, i64)> = self.in_hand().drain().filter(|(id, _)| !self.writing().contains(id)).collect();
        tracing::info!(events = left.len(), "unfinished events are handed back");
        for (id, fence) in left {
            if let Err(error) = self.parts.store.release(id, fence).await {
                tracing::warn!(event = id, %error, "an event could not be handed back; its lease runs out by itself");
            }
        }
    }

    /// Returns when nothing is left to be served.
    pub async fn until_idle(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            match self.parts.store.unfinished().await {
                Ok(0) => return,
                Ok(_) => settled.await,
                Err(error) => {
                    tracing::error!(%error, "the inbox cannot be read");
                    return;
                }
            }
        }
    }

    async fn next(&self, which: &Take) -> Option<Event> {
        let now = self.parts.clock.now_ms();
        let claimed = async {
            let store = &self.parts.store;
            let Some(mut event) = store.claim(store.owner(), which, now, now + LEASE.as_millis() as i64).await? else {
                return Ok(None);
            };
            self.take_followers(&mut event, now).await?;
            // After a pause or a jump of the clock the lease would run out at once.
            let later = self.parts.clock.now_ms();
            let slow = later - now > HEARTBEAT.as_millis() as i64;
            if slow && !store.prolong(event.id, event.fence, later + LEASE.as_millis() as i64).await? {
                return Ok(None);
            }
            Ok::<_, sqlx::Error>(Some(event))
        };
        claimed.await.unwrap_or_else(|error| {
            tracing::error!(%error, "the inbox cannot be read");
            None
        })
    }

    /// Texts of the same person that wait right behind a text are answered together with it.
    async fn take_followers(&self, event: &mut Event, now_ms: i64) -> Result<(), sqlx::Error> {
        let for_the_model = |incoming: &Incoming| matches!(commands::of(incoming), None | Some(commands::Command::Wordless));
        match &event.incoming.what {
            What::Text { .. } if for_the_model(&event.incoming) => self.parts.store.take_followers(event, now_ms, for_the_model).await,
            _ => Ok(()),
        }
    }

    fn chat(&self, platform: Platform) -> anyhow::Result<&Arc<dyn Chat>> {
        self.parts.chats.get(&platform).ok_or_else(|| anyhow::anyhow!("no chat for platform {platform}"))
    }

    /// Events that are being served: id and fence.
    fn in_hand(&self) -> std::sync::MutexGuard<'_, HashMap<i64, i64>> {
        self.in_hand.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Events whose change is being carried out.
    fn writing(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What can be stopped, by thread.
    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
