//! Settings of the chat platforms.

use super::Config;
use super::reader::Reader;
use chat::Platform;
use secrecy::SecretString;
use url::Url;

/// The Slack app.
#[derive(Clone, Debug)]
pub struct Slack {
    /// Where the bot's tokens come from.
    pub access: SlackAccess,
    /// `SLACK_SIGNING_SECRET`: proves that requests come from Slack. Unset: nothing is taken over the URL.
    pub signing_secret: Option<SecretString>,
    /// `SLACK_APP_TOKEN`: `xapp-…`, for Socket Mode. Unset: events come over the URL.
    pub app_token: Option<SecretString>,
    /// `SLACK_API_BASE_URL`. Unset: `https://slack.com/api`.
    pub api_base_url: Url,
    /// Whether Slack's rates are kept to.
    pub paced: bool,
}

/// Where the bot's tokens in Slack come from.
#[derive(Clone, Debug)]
pub enum SlackAccess {
    /// `SLACK_BOT_TOKEN`: `xoxb-…`, of the one workspace.
    Token(SecretString),
    /// Workspaces install the app by a link, which needs `PUBLIC_BASE_URL` and `CHATSHEET_SECRET_KEY`.
    Distributed {
        /// `SLACK_CLIENT_ID`.
        client_id: String,
        /// `SLACK_CLIENT_SECRET`.
        client_secret: SecretString,
        /// `PUBLIC_BASE_URL`.
        public_base_url: Url,
    },
}

impl SlackAccess {
    /// What must never be seen of it.
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Token(secret) | Self::Distributed { client_secret: secret, .. } => secret,
        }
    }
}

/// The bot in Discord.
#[derive(Clone, Debug)]
pub struct Discord {
    /// `DISCORD_BOT_TOKEN`.
    pub bot_token: SecretString,
    /// `DISCORD_APPLICATION_ID`. Required with the token.
    pub application_id: u64,
    /// `DISCORD_PUBLIC_KEY`: interactions are taken over HTTP, too. Unset: over the gateway only.
    pub public_key: Option<String>,
    /// `DISCORD_API_BASE_URL`. Unset: where Discord always is.
    pub api_base_url: Option<Url>,
    /// Whether Discord's rates are kept to.
    pub paced: bool,
}

/// The bot in Microsoft Teams.
#[derive(Clone, Debug)]
pub struct Teams {
    /// `TEAMS_APP_ID`: the application (client) id.
    pub app_id: String,
    /// `TEAMS_APP_PASSWORD`: a client secret. Required with the id.
    pub app_password: SecretString,
    /// `TEAMS_TENANT_ID`: the tenant of the application. Required with the id.
    pub tenant_id: String,
    /// `TEAMS_OPENID_METADATA_URL`. Unset: that of the public cloud.
    pub openid_metadata_url: Url,
    /// `TEAMS_TOKEN_URL`. Unset: that of the tenant in the public cloud.
    pub token_url: Url,
    /// `TEAMS_SERVICE_HOSTS`: hosts that the bot's token may be sent to, beside Microsoft's own.
    pub service_hosts: Vec<String>,
    /// Whether Teams' rates are kept to.
    pub paced: bool,
}

/// The Telegram bot.
#[derive(Clone, Debug)]
pub struct Telegram {
    /// `TELEGRAM_BOT_TOKEN`: `123456:ABC-…`.
    pub bot_token: SecretString,
    /// `TELEGRAM_WEBHOOK_SECRET`: proves that updates come from Telegram. Unset: updates are asked for.
    pub webhook_secret: Option<SecretString>,
    /// `TELEGRAM_API_BASE_URL`. Unset: `https://api.telegram.org`.
    pub api_base_url: Url,
    /// Whether Telegram's rates are kept to.
    pub paced: bool,
}

impl Config {
    /// Whether people can talk to the bot somewhere.
    pub fn has_chat_platform(&self) -> bool {
        self.platforms().next().is_some()
    }

    /// The platforms where people can talk to the bot.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> {
        let all = [
            (Platform::Slack, self.slack.is_some()),
            (Platform::Teams, self.teams.is_some()),
            (Platform::Discord, self.discord.is_some()),
            (Platform::Telegram, self.telegram.is_some()),
        ];
        all.into_iter().filter(|(_, set)| *set).map(|(platform, _)| platform)
    }
}

pub(super) fn slack(r: &mut Reader<'_>) -> Option<Slack> {
    let (signing_secret, app_token) = (r.secret("SLACK_SIGNING_SECRET"), r.secret("SLACK_APP_TOKEN"));
    let api_base_url = r.url("SLACK_API_BASE_URL").or_else(|| Url::parse("https://slack.com/api").ok())?;
    let has_way_in = signing_secret.is_some() || app_token.is_some();
    let access = slack_access(r, has_way_in)?;
    if !has_way_in {
        r.fault("SLACK_SIGNING_SECRET", "required with SLACK_BOT_TOKEN or SLACK_CLIENT_ID, otherwise anybody could pose as Slack; it is under Basic Information > App Credentials of the Slack app. Without a public address set SLACK_APP_TOKEN instead");
        return None;
    }
    Some(Slack { access, signing_secret, app_token, api_base_url, paced: true })
}

fn slack_access(r: &mut Reader<'_>, has_way_in: bool) -> Option<SlackAccess> {
    let (token, client_id, client_secret) = (r.secret("SLACK_BOT_TOKEN"), r.text("SLACK_CLIENT_ID"), r.secret("SLACK_CLIENT_SECRET"));
    match (token, client_id, client_secret) {
        (Some(token), None, None) => Some(SlackAccess::Token(token)),
        (Some(_), _, _) => {
            r.fault(
                "SLACK_BOT_TOKEN",
                "set either this (one workspace), or SLACK_CLIENT_ID and SLACK_CLIENT_SECRET (workspaces install the app by a link), not both",
            );
            None
        }
        (None, Some(client_id), Some(client_secret)) => {
            let keeps = r.text("CHATSHEET_SECRET_KEY").is_some();
            if !keeps {
                r.fault(
                    "CHATSHEET_SECRET_KEY",
                    "required with SLACK_CLIENT_ID: tokens of workspaces are kept encrypted (openssl rand -hex 32)",
                );
            }
            let public_base_url = r.text("PUBLIC_BASE_URL").and_then(|url| Url::parse(&url).ok());
            if public_base_url.is_none() {
                r.fault("PUBLIC_BASE_URL", "required with SLACK_CLIENT_ID: Slack sends whoever installs the app back to it");
            }
            let public_base_url = public_base_url.filter(|_| keeps)?;
            Some(SlackAccess::Distributed { client_id, client_secret, public_base_url })
        }
        (None, Some(_), None) => {
            r.fault(
                "SLACK_CLIENT_SECRET",
                "required with SLACK_CLIENT_ID; it is under Basic Information > App Credentials of the Slack app",
            );
            None
        }
        (None, None, Some(_)) => {
            r.fault(
                "SLACK_CLIENT_ID",
                "required with SLACK_CLIENT_SECRET; it is under Basic Information > App Credentials of the Slack app",
            );
            None
        }
        (None, None, None) => {
            if has_way_in {
                r.fault(
                    "SLACK_BOT_TOKEN",
                    "required with SLACK_SIGNING_SECRET or SLACK_APP_TOKEN; it is under OAuth & Permissions of the Slack app",
                );
            }
            None
        }
    }
}

pub(super) fn telegram(r: &mut Reader<'_>) -> Option<Telegram> {
    let (token, webhook_secret) = (r.secret("TELEGRAM_BOT_TOKEN"), r.secret("TELEGRAM_WEBHOOK_SECRET"));
    let api_base_url = r.url("TELEGRAM_API_BASE_URL").or_else(|| Url::parse("https://api.telegram.org").ok())?;
    match token {
        Some(bot_token) => Some(Telegram { bot_token, webhook_secret, api_base_url, paced: true }),
        None => {
            if webhook_secret.is_some() {
                r.fault("TELEGRAM_BOT_TOKEN", "required with TELEGRAM_WEBHOOK_SECRET; BotFather gives it");
            }
            None
        }
    }
}

pub(super) fn teams(r: &mut Reader<'_>) -> Option<Teams> {
    let (app_id, app_password, tenant_id) = (r.text("TEAMS_APP_ID"), r.secret("TEAMS_APP_PASSWORD"), r.text("TEAMS_TENANT_ID"));
    let metadata = "https://login.botframework.com/v1/.well-known/openidconfiguration";
    let openid_metadata_url = r.url("TEAMS_OPENID_METADATA_URL").or_else(|| Url::parse(metadata).ok());
    let token_url = r.url("TEAMS_TOKEN_URL");
    let service_hosts = r.text("TEAMS_SERVICE_HOSTS").unwrap_or_default();
    if app_id.is_none() && app_password.is_none() && tenant_id.is_none() {
        return None;
    }
    for (name, unset, where_it_is) in [
        ("TEAMS_APP_ID", app_id.is_none(), "it is the Application (client) ID under Overview of the app registration in Entra"),
        (
            "TEAMS_APP_PASSWORD",
            app_password.is_none(),
            "it is the value of a client secret under Certificates & secrets of the app registration",
        ),
        (
            "TEAMS_TENANT_ID",
            tenant_id.is_none(),
            "it is the Directory (tenant) ID under Overview of the app registration; new bots belong to one tenant",
        ),
    ] {
        if unset {
            r.fault(name, &format!("required with the other TEAMS_* settings; {where_it_is}"));
        }
    }
    let (app_id, app_password, tenant_id) = (app_id?, app_password?, tenant_id?);
    let own_token_url = || Url::parse(&format!("https://login.microsoftonline.com/{tenant_id}/oauth2/v2.0/token")).ok();
    let token_url = token_url.or_else(own_token_url)?;
    let service_hosts = service_hosts.split(',').map(|h| h.trim().to_lowercase()).filter(|h| !h.is_empty()).collect();
    Some(Teams { app_id, app_password, openid_metadata_url: openid_metadata_url?, token_url, tenant_id, service_hosts, paced: true })
}

pub(super) fn discord(r: &mut Reader<'_>) -> Option<Discord> {
    let (token, public_key, api_base_url) = (r.secret("DISCORD_BOT_TOKEN"), r.text("DISCORD_PUBLIC_KEY"), r.url("DISCORD_API_BASE_URL"));
    let application_id = r.text("DISCORD_APPLICATION_ID").and_then(|_| r.parsed("DISCORD_APPLICATION_ID", "an id of digits"));
    match (token, application_id) {
        (Some(bot_token), Some(application_id)) => Some(Discord { bot_token, application_id, public_key, api_base_url, paced: true }),
        (Some(_), None) => {
            if r.text("DISCORD_APPLICATION_ID").is_none() {
                r.fault("DISCORD_APPLICATION_ID", "required with DISCORD_BOT_TOKEN; it is under General Information of the application");
            }
            None
        }
        (None, Some(_)) => {
            r.fault("DISCORD_BOT_TOKEN", "required with DISCORD_APPLICATION_ID; it is under Bot > Reset Token of the application");
            None
        }
        (None, None) => None,
    }
}
