//! Settings of the chat platforms.

use super::reader::Reader;
use secrecy::SecretString;
use url::Url;

/// The Slack app.
#[derive(Clone, Debug)]
pub struct Slack {
    /// `SLACK_BOT_TOKEN`: `xoxb-…`.
    pub bot_token: SecretString,
    /// `SLACK_SIGNING_SECRET`: proves that requests come from Slack. Required with the token.
    pub signing_secret: SecretString,
    /// `SLACK_API_BASE_URL`. Unset: `https://slack.com/api`.
    pub api_base_url: Url,
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

pub(super) fn slack(r: &mut Reader<'_>) -> Option<Slack> {
    let (token, secret) = (r.secret("SLACK_BOT_TOKEN"), r.secret("SLACK_SIGNING_SECRET"));
    let api_base_url = r.url("SLACK_API_BASE_URL").or_else(|| Url::parse("https://slack.com/api").ok())?;
    match (token, secret) {
        (Some(bot_token), Some(signing_secret)) => Some(Slack { bot_token, signing_secret, api_base_url }),
        (Some(_), None) => {
            r.fault("SLACK_SIGNING_SECRET", "required with SLACK_BOT_TOKEN, otherwise anybody could pose as Slack; it is under Basic Information > App Credentials of the Slack app");
            None
        }
        (None, Some(_)) => {
            r.fault("SLACK_BOT_TOKEN", "required with SLACK_SIGNING_SECRET; it is under OAuth & Permissions of the Slack app");
            None
        }
        (None, None) => None,
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
