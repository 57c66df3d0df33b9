//! The one place where parts are built and wired together, and the only one that names the adapters.

pub mod discord;
mod holder;
pub mod keys;
mod platforms;
mod relay;
pub mod slack;

pub use platforms::{teams_adapter, telegram_adapter};

use crate::access::Access;
use crate::accounts::Accounts;
use crate::bot::{Bot, Door, Parts, Wake};
use crate::changes::{Changes, LastWrites};
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Events;
use crate::jobs::{self, Jobs};
use crate::links::Links;
use crate::llm::{Memory, Model};
use crate::server::live::Live;
use crate::server::{self, Mirror, Web};
use crate::sheet::Sheets;
use crate::smartsheet::{Client, PeoplesTokens};
use crate::store::{Deployments, Store};
use crate::watch::{self, Watch};
use anyhow::Context;
use axum::Router;
use chat::{Chat, Chats, Platform};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long finished events are remembered, so that late redeliveries are recognised.
const REMEMBER_EVENTS: Duration = Duration::from_secs(3 * 24 * 3600);
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

/// The running program.
pub struct App {
    /// The conversation.
    pub bot: Arc<Bot>,
    /// Long work.
    pub jobs: Arc<Jobs>,
    /// Sheets that others change.
    pub watch: Arc<Watch>,
    /// Where events come in.
    pub door: Arc<Door>,
    /// What is remembered.
    pub store: Store,
    /// The model.
    pub model: Arc<Model>,
    /// What happens.
    pub events: Events,
    /// Where `/metrics` is, if anywhere.
    pub metrics_address: Option<std::net::SocketAddr>,
    /// Where the sidecar listens.
    pub address: std::net::SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// Builds everything and starts it. `extra` chats are added to those of the settings.
    ///
    /// # Errors
    /// When the database cannot be opened, the address is taken, or something required is not set.
    pub async fn start(config: &Config, clock: Clock, extra: Vec<Arc<dyn Chat>>) -> anyhow::Result<Self> {
        let store = Store::connect(config.database_url.expose_secret()).await?;
        Self::start_with_store(config, clock, extra, store).await
    }

    /// The same over a store that is open already.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_with_store(config: &Config, clock: Clock, extra: Vec<Arc<dyn Chat>>, store: Store) -> anyhow::Result<Self> {
        store.migrate().await.context("the database could not be brought up to date")?;
        store.free_dead(clock.now_ms()).await.context("processes that died could not be told from those that live")?;
        let smartsheet = config
            .smartsheet
            .clone()
            .context("SMARTSHEET_ACCESS_TOKEN is not set: create one in Smartsheet under Personal Settings > API Access")?;
        anyhow::ensure!(
            !config.models.is_empty(),
            "no model is set: fill in AZURE_OPENAI_API_BASE, AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT (or OPENAI_BASE_URL and OPENAI_MODEL)"
        );
        let events = Events::default();
        let (vault, stop) = (config.vault(), CancellationToken::new());
        if config.secret_key.is_some() {
            keys::fit(&store, &vault).await?;
            keys::remember(&store, &vault).await.context("the key could not be made known to the database")?;
        }
        let accounts = config.accounts.clone().map(|settings| Accounts::new(settings, store.clone(), vault.clone(), clock.clone()));
        let accounts = accounts.transpose()?;
        let installation = store.installation_id().await.context("it is not known which installation this is")?;
        let client = Client::new(smartsheet)?
            .of_installation(&installation)
            .with_shared_budget(Arc::new(store.clone()))
            .with_people(accounts.clone().map(|a| Arc::new(a) as Arc<dyn PeoplesTokens>));
        let sheets = Sheets::new(client, clock.clone(), events.clone(), config.snapshot_cache_bytes).with_usual(config.usual.clone());
        let memory = || Some(Arc::new(Deployments { store: store.clone(), clock: clock.clone() }) as Arc<dyn Memory>);
        let model = Arc::new(Model::new(&config.models, config.model_settings.clone(), memory())?);
        let model_of_jobs = match config.text_model.clone() {
            Some(endpoint) => Arc::new(Model::of_texts(endpoint, config.model_settings.clone(), memory())?),
            None => model.clone(),
        };
        let changes = Changes {
            store: store.clone(),
            sheets: sheets.clone(),
            clock: clock.clone(),
            rules: config.writes.clone(),
            last_writes: LastWrites::default(),
        };
        let wake = Arc::new(Wake::default());
        let access = Access::new(config.access.clone(), store.clone());
        let door = Arc::new(Door::new(store.clone(), access.clone(), wake.clone(), config.follow_ups));
        let installations = slack::Installations::new(store.clone(), vault.clone());
        let holder = holder::Holder { store: store.clone(), clock: clock.clone(), name: "telegram" };
        let connected = platforms::connect(config, installations, &door, holder, &stop)?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| format!("LISTEN: cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let links = Links::new(store.clone(), vault.clone(), clock.clone(), viewer_base(config, address), config.link_lifetime);
        let web: Arc<dyn Chat> = Arc::new(Web::new(store.clone(), events.clone(), clock.clone(), links.clone()));
        // What is said from the page is told by the bot, as what people say is everywhere.
        let plain: Chats = extra.into_iter().chain(connected.chats).chain([web.clone()]).map(|c| (c.platform(), c)).collect();
        let mirrored = |(platform, chat): (&Platform, &Arc<dyn Chat>)| {
            (*platform, Arc::new(Mirror::new(chat.clone(), store.clone(), events.clone(), clock.clone(), links.clone())) as Arc<dyn Chat>)
        };
        let mut chats: Chats = plain.iter().map(mirrored).collect();
        chats.insert(Platform::Web, web);
        access.connect(plain.clone(), sheets.client().clone());
        let jobs = Jobs::new(jobs::Parts {
            store: store.clone(),
            changes: Changes { sheets: sheets.for_jobs(), ..changes.clone() },
            model: model_of_jobs,
            chats: chats.clone(),
            clock: clock.clone(),
            events: events.clone(),
            settings: config.jobs.clone(),
        });
        let watch = Watch::new(watch::Parts {
            store: store.clone(),
            sheets: sheets.clone(),
            vault: vault.clone(),
            events: events.clone(),
            clock: clock.clone(),
            callback: callback(config)?,
            hand_made: config.smartsheet_webhook_secret.clone(),
        });
        let live = server::live::Parts {
            store: store.clone(),
            access: access.clone(),
            watch: watch.clone(),
            events: events.clone(),
            clock: clock.clone(),
            vault,
            links: links.clone(),
            public_base_url: config.public_base_url.clone(),
        };
        let api = server::api::Parts {
            store: store.clone(),
            sheets: sheets.clone(),
            changes: changes.clone(),
            jobs: jobs.clone(),
            door: door.clone(),
            access: access.clone(),
            clock: clock.clone(),
            events: events.clone(),
            links: links.clone(),
            live: Live::start(live, stop.clone()),
            proxies: server::Proxies::new(config.proxies.iter().copied()),
        };
        let parts = Parts {
            store: store.clone(),
            sheets,
            changes,
            jobs: jobs.clone(),
            model: model.clone(),
            chats: chats.clone(),
            clock: clock.clone(),
            events: events.clone(),
            accounts: accounts.clone(),
            access: access.clone(),
            links: links.clone(),
            link_hosts: config.link_hosts.clone(),
            allowance: config.allowance,
        };
        let relay = relay::Relay { store: store.clone(), events: events.clone(), sheets: parts.sheets.clone(), links: links.clone() };
        let relay = Box::pin(relay.begin()).await.context("other processes cannot be heard")?;
        let bot = Bot::new(parts, wake)?;
        let pages = connected.pages.into_iter().fold(Router::new(), |all, (path, routes)| all.nest(path, routes));
        let mut tasks = vec![
            tokio::spawn(server::serve(
                listener,
                server::router(
                    store.clone(),
                    pages.merge(server::own_routes(api, watch.clone(), links, accounts, plain)),
                    connected.webhooks,
                ),
                stop.clone(),
            )),
            tokio::spawn(bot.clone().run(stop.clone())),
            tokio::spawn(jobs.clone().run(stop.clone())),
            tokio::spawn(watch.clone().run(stop.clone())),
            tokio::spawn(relay.run(stop.clone())),
            tokio::spawn(free_dead(store.clone(), clock.clone(), stop.clone())),
            tokio::spawn(housekeeping(store.clone(), clock.clone(), (config.retention, config.message_retention), stop.clone())),
        ];
        tasks.extend(connected.tasks.into_iter().map(tokio::spawn));
        let mut metrics_address = None;
        if let Some(listen) = config.metrics_listen {
            let listener = TcpListener::bind(listen).await.with_context(|| format!("METRICS_LISTEN: cannot listen on {listen}"))?;
            metrics_address = Some(listener.local_addr()?);
            tasks.push(tokio::spawn(server::serve(listener, server::metrics::router(store.clone(), clock.clone()), stop.clone())));
        }
        Ok(Self { metrics_address, bot, jobs, watch, door, store, model, events, address, stop, tasks })
    }

    /// Stops accepting, lets running work end or hands it back, closes the database.
    pub async fn shut_down(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        self.store.close().await;
    }
}

/// Where people open the viewer: from outside, or on this machine when nobody else talks to the bot.
fn viewer_base(config: &Config, address: std::net::SocketAddr) -> Option<Url> {
    let local = || (!config.has_chat_platform() && address.ip().is_loopback()).then(|| format!("http://{address}").parse().ok()).flatten();
    config.public_base_url.clone().or_else(local)
}

/// The address that Smartsheet calls, when it can reach us and secrets can be kept.
fn callback(config: &Config) -> anyhow::Result<Option<Url>> {
    let Some(base) = &config.public_base_url else { return Ok(None) };
    if config.secret_key.is_none() {
        tracing::warn!("CHATSHEET_SECRET_KEY is not set: Smartsheet is asked for changes instead of telling them");
        return Ok(None);
    }
    let url = format!("{}/api/webhooks/smartsheet", base.as_str().trim_end_matches('/'));
    Ok(Some(url.parse().context("PUBLIC_BASE_URL: not a URL to build on")?))
}

/// Keeps up the sign that this process is alive, and frees what others have taken that died.
async fn free_dead(store: Store, clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(store.next_look()) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = store.free_dead(clock.now_ms()).await {
            tracing::warn!(error = format!("{error:#}"), "processes that died could not be told from those that live");
        }
    }
}

async fn housekeeping(store: Store, clock: Clock, (finished, messages): (Duration, Option<Duration>), stop: CancellationToken) {
    loop {
        let before = clock.now_ms() - REMEMBER_EVENTS.as_millis() as i64;
        if let Err(error) = store.forget_events(before).await {
            tracing::warn!(%error, "old events could not be removed");
        }
        if let Err(error) = store.forget_unconfirmed_jobs(before).await {
            tracing::warn!(%error, "jobs that nobody confirmed could not be removed");
        }
        if let Err(error) = store.forget_invitations(before).await {
            tracing::warn!(%error, "invitations that were used could not be removed");
        }
        if let Err(error) = store.forget_access_codes(clock.now_ms()).await {
            tracing::warn!(%error, "codes of invitations that have ended could not be removed");
        }
        let day = clock.now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        if let Err(error) = store.forget_usage(&day).await {
            tracing::warn!(%error, "what people have used on other days could not be forgotten");
        }
        if let Err(error) = store.forget_whole_budgets(before).await {
            tracing::warn!(%error, "budgets that nobody uses could not be removed");
        }
        if let Err(error) = store.forget_requests(before).await {
            tracing::warn!(%error, "answers to old requests could not be removed");
        }
        match store.forget_finished(clock.now_ms() - finished.as_millis() as i64).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "jobs and changes that are older than RETENTION_DAYS were removed"),
            Err(error) => tracing::warn!(%error, "old jobs and changes could not be removed"),
        }
        if let Some(age) = messages {
            match store.forget_said(clock.now_ms() - age.as_millis() as i64).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "messages that are older than MESSAGE_RETENTION_DAYS were removed"),
                Err(error) => tracing::warn!(%error, "old messages could not be removed"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(HOUSEKEEPING) => {}
            () = stop.cancelled() => return,
        }
    }
}
