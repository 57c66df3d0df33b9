//! Microsoft Teams over the Bot Framework protocol: signed activities come in over one URL; messages and Adaptive Cards
//! go out to the service that the activity came from. There is no maintained SDK for Rust, so the protocol is spoken here.

mod access;
mod beside;
mod event;
#[cfg(test)]
mod odd;
mod presses;
mod render;
mod route;
mod stream;
mod trust;
mod web;

pub use render::{Part, plain, render};
pub use route::router;

use access::Access;
use chat::{Overall, Pace, Rate};
use presses::Presses;
use reqwest::Client;
use std::time::Duration;
use trust::Trust;
use url::Url;

/// How to reach Teams as one bot.
#[derive(Clone)]
pub struct Settings {
    /// The bot's application id.
    pub app_id: String,
    /// A client secret of that application.
    pub app_password: String,
    /// The tenant of the application: new bots belong to one.
    pub tenant_id: String,
    /// Where the keys of the Bot Framework are described.
    pub openid_metadata_url: Url,
    /// Where the bot gets its token.
    pub token_url: Url,
    /// Hosts that the bot's token may be sent to, beside those of Microsoft; `host:port` for one on this machine.
    pub service_hosts: Vec<String>,
    /// Whether Teams' rates are kept to.
    pub paced: bool,
}

/// The bot in Teams.
pub struct Teams {
    settings: Settings,
    http: Client,
    trust: Trust,
    access: Access,
    paces: Option<(Pace, Overall)>,
    presses: Presses,
    streams: stream::Streams,
}

/// Of 7 messages a second, 8 in two, 60 in 30 and 1,800 an hour that a conversation takes; a margin stays.
const CONVERSATION: [Rate; 2] = [Rate::new(600, 4), Rate::new(2_200, 100)];
const GROWING: Rate = Rate::new(1_800, 2);
/// Of 30 a second that an app may send in a tenant.
const ALL: Rate = Rate::new(40, 4);
const TIMEOUT: Duration = Duration::from_secs(15);
/// Where Microsoft runs the connector: in the public cloud, in those of the United States' government and in China, as its own
/// SDK lists them (`CloudEnvironment`).
const MICROSOFT: [&str; 6] = [
    "smba.trafficmanager.net",
    "smba.onyx.prod.teams.trafficmanager.net",
    "frontend.botapi.msg.infra.teams.microsoftonline.cn",
    "smba.infra.gcc.teams.microsoft.com",
    "smba.infra.gov.teams.microsoft.us",
    "smba.infra.dod.teams.microsoft.us",
];

/// Where people's files are, in the public cloud and those of the United States and China.
const SHAREPOINT: [&str; 3] = [".sharepoint.com", ".sharepoint.us", ".sharepoint.cn"];

/// Why the adapter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The TLS set-up of this machine is broken.
    #[error("HTTP cannot be used: {0}")]
    Http(#[from] reqwest::Error),
    /// Without it nobody could be told from a forger.
    #[error("the application id, its password and the tenant are needed")]
    Incomplete,
}

impl Teams {
    /// An adapter with these settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    #[expect(clippy::disallowed_methods, reason = "the adapter's own client")]
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        if [&settings.app_id, &settings.app_password, &settings.tenant_id].iter().any(|s| s.trim().is_empty()) {
            return Err(SetupError::Incomplete);
        }
        let http = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self {
            trust: Trust::new(http.clone(), settings.openid_metadata_url.clone(), &settings.app_id),
            access: Access::default(),
            paces: settings.paced.then(|| (Pace::new(&CONVERSATION, GROWING), ALL.overall())),
            presses: Presses::default(),
            streams: stream::Streams::default(),
            http,
            settings,
        })
    }

    /// Tries the credentials and the keys of the Bot Framework.
    ///
    /// # Errors
    /// What does not work, in words.
    pub async fn who_am_i(&self) -> Result<String, chat::ChatError> {
        self.trust.issuer().await.map_err(|e| chat::ChatError::Unreachable(format!("OPENID_METADATA_URL: {e}")))?;
        self.token().await?;
        Ok(format!("application {} in tenant {}", self.settings.app_id, self.settings.tenant_id))
    }

    /// Whether Teams keeps files there: in SharePoint, to which the address itself is the key.
    fn keeps_files_at(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        (url.scheme() == "https" && url.port().is_none() && SHAREPOINT.iter().any(|domain| host.ends_with(domain))) || self.is_named(url)
    }

    /// Whether the bot's token may be sent there.
    fn may_serve(&self, service: &Url) -> bool {
        let microsofts = service.port().is_none() && service.host_str().is_some_and(|host| MICROSOFT.contains(&host));
        (service.scheme() == "https" && microsofts) || self.is_named(service)
    }

    /// Whether the operator has named the host of an address, which is encrypted or on this machine.
    fn is_named(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let with_port = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let local = matches!(url.host(), Some(url::Host::Ipv4(ip)) if ip.is_loopback());
        (url.scheme() == "https" || local) && self.settings.service_hosts.contains(&with_port)
    }
}
