//! The line of events: what rings when one comes in, how places are shared, and what rests when it finds nothing.

use crate::store::{Lane, Take, channel_key, person_key};
use chat::Incoming;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Turns at the same time.
const TURNS: usize = 128;
/// Those of them that are kept for channels and people with no turn under way.
const KEPT: usize = 64;
/// Presses, forms and commands that are served beside them.
const EXPRESS: usize = 16;

/// Rung by whoever stores an event.
#[derive(Debug, Default)]
pub struct Wake {
    queue: AtomicUsize,
    express: AtomicUsize,
    bell: Notify,
    /// Events whose answers are to end.
    stops: Mutex<Vec<i64>>,
}

impl Wake {
    /// The answer to an event is to end, if it is given here.
    pub(super) fn stop(&self, event: i64) {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        self.bell.notify_one();
    }

    /// The events whose answers are to end since it was asked last.
    pub(super) fn take_stops(&self) -> Vec<i64> {
        std::mem::take(&mut *self.stops.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An event of this lane was stored.
    pub fn ring(&self, lane: Lane) {
        let count = match lane {
            Lane::Queue => &self.queue,
            Lane::Express => &self.express,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// Returns when something was stored since it was asked last.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }
}

/// How often the line is looked at before it is waited for again: once for each event that came in, and to its end after a change that
/// may let any of them through.
#[derive(Debug, Default)]
pub(super) struct Looks {
    queue: usize,
    express: usize,
    rest: Rest,
}

impl Looks {
    /// Adds what has come in.
    pub fn add(&mut self, wake: &Wake) {
        self.queue = self.queue.saturating_add(wake.queue.swap(0, Ordering::Relaxed));
        self.express = self.express.saturating_add(wake.express.swap(0, Ordering::Relaxed));
    }

    /// Looks to the end of the line, and at once.
    pub fn all_through(&mut self) {
        self.queue = usize::MAX;
        self.express = self.express.max(1);
        self.rest = Rest::default();
    }

    /// What to look for now.
    pub fn next(&self, slots: &Slots) -> Option<(Take, Place)> {
        if self.express > 0
            && let Some(place) = slots.express()
        {
            return Some((Take::Express, place));
        }
        if self.queue == 0 || !self.rest.is_over() {
            return None;
        }
        Some((slots.all_but_full(), slots.turn()?))
    }

    /// An event was found.
    pub fn found(&mut self, lane: Lane) {
        let count = match lane {
            Lane::Queue => &mut self.queue,
            Lane::Express => &mut self.express,
        };
        if *count != usize::MAX {
            *count = count.saturating_sub(1);
        }
    }

    /// There is nothing of this kind.
    pub fn nothing(&mut self, of: &Take, took: Duration) {
        match of {
            Take::Express => self.express = 0,
            Take::AllBut { .. } => {
                self.queue = 0;
                self.rest.after(took);
            }
        }
    }

    /// Returns when it can be looked again; never when there is nothing to be looked for.
    pub async fn rested(&self) {
        match self.rest.0.filter(|until| self.queue > 0 && *until > Instant::now()) {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// Keeps what finds nothing to a twentieth of the time: a long line that nobody can be served from is not read through again and again.
#[derive(Debug, Default)]
pub(super) struct Rest(Option<Instant>);

impl Rest {
    pub fn is_over(&self) -> bool {
        self.0.is_none_or(|until| Instant::now() >= until)
    }

    /// Rests after something that took so long.
    pub fn after(&mut self, took: Duration) {
        self.0 = Some(Instant::now() + took * 20);
    }
}

/// Places of turns. Whoever has none under way gets one. A second one needs as many free places, beside those that are kept, as the
/// channel holds already; a person gets half of that.
#[derive(Debug)]
pub(super) struct Slots {
    turns: Arc<Semaphore>,
    express: Arc<Semaphore>,
    held: Arc<Mutex<Held>>,
    given_back: Arc<Notify>,
}

/// Turns under way of each channel and person.
#[derive(Debug, Default)]
struct Held {
    channels: HashMap<String, usize>,
    people: HashMap<String, usize>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(TURNS)),
            express: Arc::new(Semaphore::new(EXPRESS)),
            held: Arc::default(),
            given_back: Arc::default(),
        }
    }
}

impl Slots {
    fn express(&self) -> Option<Place> {
        self.place(&self.express)
    }

    fn turn(&self) -> Option<Place> {
        self.place(&self.turns)
    }

    fn place(&self, of: &Arc<Semaphore>) -> Option<Place> {
        let permit = of.clone().try_acquire_owned().ok()?;
        Some(Place { permit: Mutex::new(Some(permit)), given_back: self.given_back.clone() })
    }

    /// Returns when a turn has given its place back before its end.
    pub async fn given_back(&self) {
        self.given_back.notified().await;
    }

    fn held(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
        held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is no place for another turn.
    pub fn are_taken(&self) -> bool {
        self.turns.available_permits() == 0
    }

    /// Everything but what has its share.
    fn all_but_full(&self) -> Take {
        let free = self.turns.available_permits().saturating_sub(KEPT);
        let full = |held: &HashMap<String, usize>, share: usize| {
            held.iter().filter(|(_, n)| **n >= share.max(1)).map(|(key, _)| key.clone()).collect()
        };
        let held = Self::held(&self.held);
        Take::AllBut { channels: full(&held.channels, free), people: full(&held.people, free / 2) }
    }

    /// The share of an event that is served.
    pub fn share(&self, event: &Incoming) -> Share {
        let share = Share { held: self.held.clone(), channel: channel_key(event), person: person_key(event) };
        let mut held = Self::held(&self.held);
        *held.channels.entry(share.channel.clone()).or_default() += 1;
        *held.people.entry(share.person.clone()).or_default() += 1;
        share
    }
}

/// What an event takes of the share of its channel and of its person, until it is dropped.
pub(super) struct Share {
    held: Arc<Mutex<Held>>,
    channel: String,
    person: String,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = Slots::held(&self.held);
        let Held { channels, people } = &mut *held;
        for (counts, key) in [(channels, &self.channel), (people, &self.person)] {
            if let Some(n) = counts.get_mut(key) {
                *n -= 1;
                if *n == 0 {
                    counts.remove(key);
                }
            }
        }
    }
}

/// The place of an event that is served, until it is given back.
pub(super) struct Place {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    given_back: Arc<Notify>,
}

tokio::task_local! {
    /// The place of the event that this task serves.
    pub(super) static PLACE: Place;
}

/// Gives the place of this task back: what is left is to wait for a platform that takes one message after the other.
pub(super) fn give_back_place() {
    let _ = PLACE.try_with(|place| {
        drop(place.permit.lock().unwrap_or_else(PoisonError::into_inner).take());
        place.given_back.notify_one();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat::{Addressed, Anchor, Platform, Sender, ThreadKey, What};

    fn event(channel: &str, person: &str) -> Incoming {
        Incoming {
            delivery_id: String::new(),
            dedupe_id: String::new(),
            thread: ThreadKey { platform: Platform::Slack, install: "T".into(), conversation: channel.into(), root: Some("1".into()) },
            anchor: Anchor(String::new()),
            sender: Sender { id: person.into(), ..Sender::default() },
            addressed: Addressed::Mention,
            what: What::Text { text: String::new() },
            beside: Vec::new(),
            mentions: Vec::new(),
            amends: false,
            received_at_ms: 0,
        }
    }

    /// Serves this many people, each asking without end in a channel of their own, until nobody gets another place; how many each has.
    fn shares(people: usize) -> (Vec<usize>, usize) {
        let (slots, mut served, mut counts) = (Slots::default(), Vec::new(), vec![0; people]);
        loop {
            let before = served.len();
            for (n, count) in counts.iter_mut().enumerate() {
                let event = event(&format!("C{n}"), &format!("U{n}"));
                let Take::AllBut { channels, people } = slots.all_but_full() else { unreachable!("turns are asked for") };
                if channels.contains(&channel_key(&event)) || people.contains(&person_key(&event)) {
                    continue;
                }
                if let Some(place) = slots.turn() {
                    served.push((place, slots.share(&event)));
                    *count += 1;
                }
            }
            if served.len() == before {
                return (counts, slots.turns.available_permits());
            }
        }
    }

    #[test]
    fn places_are_shared_and_some_stay_free_for_whoever_comes_next() {
        for people in 1..=40 {
            let (counts, free) = shares(people);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(free >= 1 && most - least <= 2, "{people} people: {counts:?}, {free} free");
        }
        assert_eq!(shares(1).0, [21], "one person alone gets a third of what is not kept");
        for people in [64, 100, 127] {
            let (counts, free) = shares(people);
            assert_eq!((counts, free), (vec![1; people], TURNS - people), "everybody gets a place before anybody gets a second one");
        }
    }

    #[test]
    fn a_share_ends_with_its_turn() {
        let slots = Slots::default();
        let share = slots.share(&event("C", "U"));
        assert_eq!(Slots::held(&slots.held).channels.len(), 1);
        drop(share);
        assert!(Slots::held(&slots.held).channels.is_empty() && Slots::held(&slots.held).people.is_empty());
    }
}
