//! On whose behalf Smartsheet is asked: people's own accounts, where they have connected one.

use super::{Bot, words};
use crate::accounts::Accounts;
use crate::error::{Result, told};
use crate::locality::{Locality, Told};
use crate::smartsheet::Identity;
use crate::store::{Asker, Event};
use chat::{Addressed, Incoming, Platform};

/// The key of whoever caused an event.
pub(super) fn key_of(incoming: &Incoming) -> String {
    let Asker { id, install } = Asker::from(incoming);
    format!("{install}|{id}")
}

impl Bot {
    /// On whose behalf Smartsheet is asked for this person. Programs with a key of the API have no accounts.
    pub(super) async fn identity(&self, incoming: &Incoming) -> Result<Identity> {
        let Some(accounts) = self.parts.accounts.as_ref().filter(|_| incoming.thread.platform != Platform::Web) else {
            return Ok(Identity::Service);
        };
        match accounts.identity(&key_of(incoming)).await? {
            Some(own) => Ok(own),
            None if accounts.required() => Err(told(words::connect_first())),
            None => Ok(Identity::Service),
        }
    }

    /// Where the person is who caused an event: as their platform tells, else as the account does on whose behalf they ask.
    pub(super) async fn locality(&self, incoming: &Incoming, identity: &Identity) -> Locality {
        let of_event = Told::read(incoming.sender.time_zone.as_deref(), incoming.sender.locale.as_deref());
        // Slack's events say nothing of where people are; it has to be asked.
        let of_platform = match incoming.thread.platform {
            Platform::Slack => {
                let profile = self.profile(incoming).await.unwrap_or_default();
                of_event.or(Told::read(profile.time_zone.as_deref(), profile.locale.as_deref()))
            }
            _ => of_event,
        };
        self.parts.sheets.locality(identity, of_platform).await
    }

    /// Whether the person has connected an account; `None` where nobody can.
    pub(super) async fn connected(&self, incoming: &Incoming) -> Result<Option<bool>> {
        match &self.parts.accounts {
            Some(accounts) => Ok(Some(accounts.identity(&key_of(incoming)).await?.is_some())),
            None => Ok(None),
        }
    }

    /// Whether others are shown only what the installation's account may read too.
    pub(super) fn shows_to_others_what_all_may_read(&self, incoming: &Incoming) -> bool {
        let others = incoming.addressed != Addressed::Dm && incoming.thread.platform != Platform::Web;
        others && self.parts.accounts.as_ref().is_some_and(Accounts::answers_alone)
    }

    /// Gives a person a link by which they connect their account.
    pub(super) async fn connect(&self, event: &Event) -> Result<()> {
        let incoming = &event.incoming;
        let accounts = self.parts.accounts.as_ref().ok_or_else(|| told(words::no_accounts()))?;
        let (user, name) = (incoming.sender.id.clone(), self.name_of(incoming).await?);
        let link = accounts.invite(key_of(incoming), user, name, incoming.thread.platform, incoming.anchor.clone())?;
        self.tell_alone(event, &words::connect(&link)).await.map_err(anyhow::Error::from)?;
        match self.parts.store.reply_of(event.id).await? {
            // It had waited, and its sign of life stands there for everybody.
            Some(_) => self.answer(event, words::link_whispered()).await,
            None => Ok(()),
        }
    }

    /// Gives the account of a person up.
    pub(super) async fn disconnect(&self, event: &Event) -> Result<()> {
        let accounts = self.parts.accounts.as_ref().ok_or_else(|| told(words::no_accounts()))?;
        let gone = accounts.disconnect(&key_of(&event.incoming)).await?;
        self.answer(event, words::disconnected(gone, accounts.required())).await
    }
}
