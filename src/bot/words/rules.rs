//! Words about rules of channels and sheets.

use super::count;
use crate::access::{AllowedKind, Approval, ChannelRules};
use chat::{Message, Platform, escape};

pub(in crate::bot) fn admins_only() -> &'static str {
    "Only admins decide that. Whoever runs me makes somebody one: `chatsheet access role`."
}

/// What is decided of a channel, and of its sheet.
pub(in crate::bot) fn rules(rules: &ChannelRules, sheet: Option<&str>, approval: Option<&Approval>) -> Message {
    let allowed = match rules.allowed.as_deref() {
        None => "- **Sheets**: all that I can see may be used in this channel.".to_owned(),
        Some([]) => "- **Sheets**: none may be used in this channel.".to_owned(),
        Some(allowed) => {
            let named: Vec<String> = allowed
                .iter()
                .map(|a| match a.kind {
                    AllowedKind::Sheet => escape(&a.name),
                    AllowedKind::Workspace => format!("all of workspace {}", escape(&a.name)),
                })
                .collect();
            format!("- **Sheets**: only these may be used in this channel: {}.", named.join(", "))
        }
    };
    let answers = if rules.only_me { "each person alone sees what I answer them" } else { "everybody in this channel sees them" };
    let approvers = sheet.map(|sheet| format!("\n- **Approvers** of {}: {}", escape(sheet), approvers(approval))).unwrap_or_default();
    Message::text(&format!(
        "{allowed}\n- **Answers**: {answers}.{approvers}\n\nAdmins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`."
    ))
}

fn approvers(approval: Option<&Approval>) -> String {
    let Some(approval) = approval else { return "none; whoever asks for a change confirms it.".into() };
    let names = escape(&approval.others_than(""));
    match approval.over_rows {
        0 => format!("every change needs the OK of {names}. Nobody approves what they asked for themselves."),
        rows => format!(
            "deletions, and changes of more than {}, need the OK of {names}. Nobody approves what they asked for themselves.",
            count(rows, "row")
        ),
    }
}

pub(in crate::bot) fn several_to_allow<'a>(name: &str, found: impl Iterator<Item = (&'a str, i64)>) -> String {
    let found: Vec<String> = found.take(10).map(|(name, id)| format!("{} (`{id}`)", escape(name))).collect();
    format!("Several are called “{}”: {}. Give the id of the one that you mean.", escape(name), found.join(", "))
}

pub(in crate::bot) fn nothing_to_allow(what: &str, name: &str) -> String {
    format!("I see no {what} called “{}”, so nothing was changed.", escape(name))
}

pub(in crate::bot) fn allow_by_its_name(name: &str, sheet: &str) -> String {
    format!(
        "I see no sheet called “{}”, so nothing was changed. Do you mean {}? Then say `allow` and its whole name.",
        escape(name),
        escape(sheet)
    )
}

pub(in crate::bot) fn was_not_allowed(name: &str) -> String {
    format!("“{}” was not allowed in this channel by that name. `rules` shows what is.", escape(name))
}

pub(in crate::bot) fn how_many_rows() -> &'static str {
    "Of how many rows? For example `approvers @Dana over 20`."
}

pub(in crate::bot) fn unknown_approver(id: &str) -> String {
    format!("I cannot find `{}` here, so nothing was changed.", escape(id))
}

pub(in crate::bot) fn approver_elsewhere(person: &str) -> String {
    format!("`{}` is not of this workspace, and could never press a button here.", escape(person))
}

pub(in crate::bot) fn name_approvers(platform: Platform) -> String {
    let how = match platform {
        Platform::Telegram => {
            "choose them from the list that Telegram shows behind an @ (a plain @username does not tell me who it is), or give them as `telegram:501`"
        }
        _ => "mention them",
    };
    format!("Who is to approve? For example `approvers @Dana over 20`: {how}. `me` is you.")
}

/// For an approver alone.
pub(in crate::bot) fn your_ok_is_needed(asker: Option<&str>, what: &str) -> String {
    format!(
        "{} asks for your OK to {what}. The proposal stands in this thread; you confirm or cancel it there.",
        escape(asker.unwrap_or("Somebody"))
    )
}

/// Below a proposal that somebody else has to confirm.
pub(in crate::bot) fn waits_for_approver(names: &str) -> String {
    format!("Nothing is written until {} confirms, within 24 hours. Whoever asked can cancel it.", escape(names))
}

/// Of a press by somebody who may not confirm.
pub(in crate::bot) fn not_your_ok(approval: &Approval, asker: &str, is_asker: bool) -> String {
    let names = approval.others_than(asker);
    match (names.as_str(), is_asker) {
        ("", _) => approval.elsewhere(asker),
        (names, true) => format!("You asked for this change, so somebody else has to confirm it: {}.", escape(names)),
        (names, false) => format!("Only {} can confirm this change.", escape(names)),
    }
}

pub(in crate::bot) fn asker_may_not() -> &'static str {
    "Whoever asked for this change may not change sheets any more, so it is not carried out."
}
