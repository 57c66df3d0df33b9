//! Events in: the gateway's messages and interactions. Interactions are answered within three seconds, before anything else.

use crate::event::Known;
use crate::{Aside, Discord, EPHEMERAL, event, web};
use async_trait::async_trait;
use chat::{AMENDED_WITHIN_MS, ChatError, Inbox, Incoming};
use serde_json::{Value, json};
use serenity::Client;
use serenity::client::{ClientBuilder, Context, EventHandler};
use serenity::gateway::GatewayError;
use serenity::model::application::Interaction;
use serenity::model::channel::Message;
use serenity::model::event::MessageUpdateEvent;
use serenity::model::gateway::{GatewayIntents, Ready};
use serenity::model::guild::{Guild, UnavailableGuild};
use serenity::model::id::{ChannelId, GuildId, InteractionId, MessageId, RoleId, UserId};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Discord waits three seconds for the answer to an interaction. What is not stored by now is lost to it; it still runs when it
/// is stored later.
const STORE_WITHIN: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often it is asked which bot this is.
const ASKED: u32 = 4;
/// Kinds of answers to an interaction.
const DEFERRED_MESSAGE: u8 = 5;
const DEFERRED_UPDATE: u8 = 6;

/// What somebody is told whose channel Discord does not tell: what admins decided of it cannot be known.
const WHICH_CHANNEL: &str = "Discord does not tell me which channel this is, and so what I may show here. Please ask again in a minute.";

/// Discord does not tell whether a channel is a thread, and of which channel.
pub(crate) struct UnknownPlace;

struct Handler {
    discord: Arc<Discord>,
    inbox: Arc<dyn Inbox>,
    /// The servers that the bot was in when it connected, and those that it was added to since.
    servers: Mutex<HashSet<GuildId>>,
}

impl Handler {
    /// A message, or what it was changed into.
    async fn said(&self, message: &Message, amends: bool) {
        let Some(me) = self.discord.known_me().await else { return };
        // Most messages are not for the bot; only those of threads need a question.
        if message.author.bot {
            return;
        }
        let parent = if message.guild_id.is_some() { self.discord.parent_of(message.channel_id).await } else { Ok(None) };
        let role = match message.guild_id.filter(|_| !message.mention_roles.is_empty()) {
            Some(guild) => self.discord.own_role(guild, me).await,
            None => None,
        };
        let me = event::Me { id: me, role };
        let Ok(parent) = parent else {
            if event::is_mentioned(message, me) {
                self.discord.say_that_the_channel_is_unknown(message).await;
            }
            return;
        };
        if let Some(event) = event::said(message, parent, me, now_ms()) {
            keep(self.inbox.as_ref(), Incoming { amends, ..event }).await;
        }
    }

    fn servers(&self) -> MutexGuard<'_, HashSet<GuildId>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, ready: Ready) {
        tracing::info!(bot = %ready.user.name, "discord is listened to");
        self.servers().extend(ready.guilds.iter().map(|guild| guild.id));
    }

    async fn guild_create(&self, _: Context, guild: Guild, _: Option<bool>) {
        // Discord tells of every server once it is connected to; only one that it did not name then is new.
        let new = self.servers().insert(guild.id);
        if let Some(event) = event::added(&guild, now_ms()).filter(|_| new) {
            keep(self.inbox.as_ref(), event).await;
        }
    }

    async fn message(&self, _: Context, message: Message) {
        self.said(&message, false).await;
    }

    async fn message_update(&self, _: Context, _: Option<Message>, _: Option<Message>, change: MessageUpdateEvent) {
        // Discord changes messages of its own accord, too: previews of links.
        let (Some(edited), Some(written), Some(by)) = (change.edited_timestamp, change.timestamp, change.author) else { return };
        let after_ms = (edited.unix_timestamp() - written.unix_timestamp()) * 1_000;
        if by.bot || after_ms >= AMENDED_WITHIN_MS {
            return;
        }
        if let Some(mut message) = self.discord.message_now(change.channel_id, change.id).await {
            message.guild_id = change.guild_id;
            self.said(&message, true).await;
        }
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let (id, token) = (interaction.id(), interaction.token().to_owned());
        let Some(answer) = deferral(&interaction) else { return };
        // Discord waits three seconds for this; storing may go on beside it.
        let kept = async {
            match self.discord.asked_for(interaction).await {
                Ok(Some(event)) => keep(self.inbox.as_ref(), event).await,
                Ok(None) => {}
                Err(UnknownPlace) => return true,
            }
            false
        };
        let (answered, unknown) = tokio::join!(self.discord.answer(id, &token, &answer), kept);
        if let Err(error) = answered {
            tracing::warn!(%error, "an interaction could not be answered in time; what it asks for is done");
        }
        if unknown {
            self.discord.answer_that_the_channel_is_unknown(&token).await;
        }
    }

    async fn guild_delete(&self, _: Context, guild: UnavailableGuild, _: Option<Guild>) {
        // A server that is only out of order comes back.
        if !guild.unavailable {
            self.servers().remove(&guild.id);
            keep(self.inbox.as_ref(), event::left(guild.id, now_ms())).await;
        }
    }
}

/// Stores an event of the gateway, which tells nothing twice: it is tried until it is stored.
async fn keep(inbox: &dyn Inbox, event: Incoming) {
    let mut pause = FIRST_PAUSE;
    while !store(inbox, event.clone()).await {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Stores an event; whether it is stored.
async fn store(inbox: &dyn Inbox, event: Incoming) -> bool {
    let (delivery, thread) = (event.delivery_id.clone(), event.thread.storage_key());
    match tokio::time::timeout(STORE_WITHIN, inbox.accept(event)).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, delivery, thread, "an event could not be stored");
            false
        }
        Err(_) => {
            tracing::error!(delivery, thread, "storing an event takes too long");
            false
        }
    }
}

/// The answer that leaves time: privately for commands, without a trace for presses.
pub(crate) fn deferral(interaction: &Interaction) -> Option<Value> {
    match interaction {
        Interaction::Command(_) => Some(json!({ "type": DEFERRED_MESSAGE, "data": { "flags": EPHEMERAL } })),
        Interaction::Component(_) => Some(json!({ "type": DEFERRED_UPDATE })),
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

impl Discord {
    /// Listens to the gateway until told to stop. serenity resumes and reconnects; what it gives up on is tried again.
    pub async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: CancellationToken) {
        let mut intents =
            GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES | GatewayIntents::MESSAGE_CONTENT;
        let mut pause = Duration::from_secs(1);
        while !stop.is_cancelled() {
            let ended = tokio::select! {
                ended = self.listen(&inbox, intents, &stop) => ended,
                () = stop.cancelled() => return,
            };
            match ended {
                Ok(()) => pause = Duration::from_secs(1),
                Err(serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents))
                    if intents.contains(GatewayIntents::MESSAGE_CONTENT) =>
                {
                    tracing::info!("the Message Content Intent is not granted: the bot hears mentions and direct messages only");
                    intents -= GatewayIntents::MESSAGE_CONTENT;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, ?pause, "discord's gateway cannot be listened to; it is tried again");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn listen(self: &Arc<Self>, inbox: &Arc<dyn Inbox>, intents: GatewayIntents, stop: &CancellationToken) -> serenity::Result<()> {
        let handler = Handler { discord: self.clone(), inbox: inbox.clone(), servers: Mutex::default() };
        let mut client: Client = ClientBuilder::new_with_http(crate::client(&self.settings), intents).event_handler(handler).await?;
        let shards = client.shard_manager.clone();
        tokio::select! {
            ended = client.start() => ended,
            () = stop.cancelled() => {
                shards.shutdown_all().await;
                Ok(())
            }
        }
    }

    /// Which bot this is; asked until Discord says so.
    async fn known_me(&self) -> Option<UserId> {
        for tries in 0..ASKED {
            match self.me().await {
                Ok(me) => return Some(me),
                Err(error) => tracing::error!(%error, "discord does not say which bot this is"),
            }
            tokio::time::sleep(FIRST_PAUSE * 2u32.pow(tries)).await;
        }
        None
    }

    /// A message as it is now; `None` when it is gone or Discord does not answer.
    async fn message_now(&self, channel: ChannelId, id: MessageId) -> Option<Message> {
        let asked = tokio::time::timeout(STORE_WITHIN, self.http.get_message(channel, id)).await.ok()?;
        asked.inspect_err(|error| tracing::info!(error = %web::chat_error(error), "a message that was changed cannot be read")).ok()
    }

    /// The role that a server made for the bot, if it did.
    async fn own_role(&self, guild: GuildId, me: UserId) -> Option<RoleId> {
        if let Some(known) = self.roles.get(&guild).await {
            return known;
        }
        match tokio::time::timeout(STORE_WITHIN, self.http.get_guild_roles(guild)).await {
            Ok(Ok(roles)) => {
                let own = roles.iter().find(|role| role.tags.bot_id == Some(me)).map(|role| role.id);
                self.roles.insert(guild, own).await;
                own
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %web::chat_error(&error), "it is not known which role is the bot's own");
                None
            }
            Err(_) => None,
        }
    }

    /// The channel above a thread; none above a channel. Asked for once, with patience: the gateway tells nothing twice.
    ///
    /// # Errors
    /// When Discord does not say: a thread that is taken for a channel would have none of its channel's rules.
    pub(crate) async fn parent_of(&self, channel: ChannelId) -> Result<Option<ChannelId>, UnknownPlace> {
        if let Some(known) = self.channels.get(&channel).await {
            return Ok(known);
        }
        for tries in 0..ASKED {
            if tries > 0 {
                tokio::time::sleep(FIRST_PAUSE * 2u32.pow(tries)).await;
            }
            let why = match tokio::time::timeout(STORE_WITHIN, self.http.get_channel(channel)).await {
                Ok(Ok(found)) => {
                    let parent = found.guild().filter(|c| event::THREADS.contains(&c.kind)).and_then(|c| c.parent_id);
                    self.channels.insert(channel, parent).await;
                    return Ok(parent);
                }
                Ok(Err(error)) => match web::chat_error(&error) {
                    ChatError::Gone(why) | ChatError::Forbidden(why) | ChatError::Rejected(why) => {
                        tracing::warn!(why, "it is not known whether a channel is a thread");
                        return Err(UnknownPlace);
                    }
                    other => other.to_string(),
                },
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(why, "discord does not say whether a channel is a thread");
        }
        Err(UnknownPlace)
    }

    async fn say_that_the_channel_is_unknown(&self, message: &Message) {
        let answer = json!({
            "content": WHICH_CHANNEL, "allowed_mentions": { "parse": [] },
            "message_reference": { "message_id": message.id, "fail_if_not_exists": false },
        });
        if let Err(error) = self.http.send_message(message.channel_id, Vec::new(), &answer).await {
            tracing::info!(error = %web::chat_error(&error), "somebody could not be told that their channel is unknown");
        }
    }

    pub(crate) async fn answer_that_the_channel_is_unknown(&self, token: &str) {
        let answer = json!({ "content": WHICH_CHANNEL, "flags": EPHEMERAL, "allowed_mentions": { "parse": [] } });
        if let Err(error) = self.http.create_followup_message(token, &answer, Vec::new()).await {
            tracing::info!(error = %web::chat_error(&error), "somebody could not be told that their channel is unknown");
        }
    }

    async fn answer(&self, id: InteractionId, token: &str, answer: &Value) -> Result<(), ChatError> {
        self.http.create_interaction_response(id, token, answer, Vec::new()).await.map_err(|e| web::chat_error(&e))
    }

    /// Stores what an interaction asks for; whether it is stored.
    pub(crate) async fn take(&self, interaction: Interaction, inbox: &dyn Inbox) -> Result<bool, UnknownPlace> {
        match self.asked_for(interaction).await? {
            Some(event) => Ok(store(inbox, event).await),
            None => Ok(true),
        }
    }

    /// What an interaction asks for, and how its person is answered.
    async fn asked_for(&self, interaction: Interaction) -> Result<Option<Incoming>, UnknownPlace> {
        // Discord mostly tells of the channel itself. Where it does not, it is asked.
        let parent = match event::parent(&interaction) {
            Known::Told(parent) => parent,
            Known::Ask(channel) => self.parent_of(channel).await?,
        };
        let Some(done) = event::interacted(interaction, parent, now_ms()) else { return Ok(None) };
        let aside = Aside { token: done.token, deferred: Arc::new(AtomicBool::new(!done.press)), since: Instant::now() };
        self.asides.insert(done.id, aside).await;
        Ok(Some(done.incoming))
    }
}
