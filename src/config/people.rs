//! Settings about people: who may use the bot, and where those are of whom nobody tells.

use super::reader::Reader;
use crate::access::{Allowance, Allowed, Rules};
use crate::locality::{Locale, Told};
use chat::Platform;

/// Who is let in on which platform.
const ALLOWED: [(Platform, &str); 4] = [
    (Platform::Slack, "SLACK_ALLOWED"),
    (Platform::Teams, "TEAMS_ALLOWED"),
    (Platform::Discord, "DISCORD_ALLOWED"),
    (Platform::Telegram, "TELEGRAM_ALLOWED"),
];

pub(super) fn access(r: &mut Reader<'_>) -> Rules {
    let mut rules = Rules { tenant: r.text("TEAMS_TENANT_ID"), ..Rules::default() };
    let meant = r.choice("ALLOW_EVERYBODY", &["no", "yes"]) == "yes";
    // Where everybody connects an account of their own nobody sees what others share.
    let shared = r.text("SMARTSHEET_ACCESS_TOKEN").is_some() && r.text_or_default("SMARTSHEET_ACCOUNTS") != "required";
    for (platform, variable) in ALLOWED {
        let allowed = match r.text(variable) {
            Some(list) => Allowed::read(&list).unwrap_or_else(|word| {
                r.fault(variable, &format!("'{word}' is neither an id nor one of *, members, guests; separate them by commas"));
                Allowed::default()
            }),
            None => Rules::usual(platform),
        };
        if allowed.everybody && shared && !meant {
            r.fault(
                variable,
                "* lets everybody who finds the bot read and change all sheets of SMARTSHEET_ACCESS_TOKEN; name people or chats instead, set SMARTSHEET_ACCOUNTS=required, or say that it is meant by ALLOW_EVERYBODY=yes",
            );
        }
        rules.by_platform.insert(platform, allowed);
    }
    rules
}

pub(super) fn usual(r: &mut Reader<'_>) -> Told {
    let (zone, tag) = (r.text("TIME_ZONE"), r.text("LOCALE"));
    let told = Told::read(zone.as_deref(), tag.as_deref());
    if zone.is_some() && told.zone.is_none() {
        r.fault("TIME_ZONE", "expected a name of the IANA time zone database, such as Europe/Berlin");
    }
    if tag.as_deref().is_some_and(|tag| Locale::read(tag).is_none()) {
        r.fault("LOCALE", "expected a language and a country, such as de-DE or en-US");
    }
    told
}

/// What each person may use of the model in a day; 0 is no limit.
pub(super) fn allowance(r: &mut Reader<'_>) -> Allowance {
    let mut limit = |name: &str| Some(r.number(name, 0.0, 1e12)).filter(|n| *n > 0.0);
    let (turns, tokens, cost) = (limit("PERSON_TURNS_PER_DAY"), limit("PERSON_TOKENS_PER_DAY"), limit("PERSON_COST_PER_DAY"));
    if cost.is_some() && r.text("MODEL_PRICE_PER_1K_INPUT").is_none() {
        r.fault("PERSON_COST_PER_DAY", "needs MODEL_PRICE_PER_1K_INPUT and MODEL_PRICE_PER_1K_OUTPUT");
    }
    Allowance { turns: turns.map(|n| n as i64), tokens: tokens.map(|n| n as i64), cost }
}
