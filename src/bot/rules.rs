//! What admins decide of a channel and a sheet: which sheets may be used, answers for the asker alone, approvers.

use super::sheets::{bare_name, is_named};
use super::{Bot, words};
use crate::access::{AllowedKind, AllowedSheets, Approval, Approver, Person, Role, SheetScope, channel_of};
use crate::error::{Result, told};
use crate::sheet::{SheetId, smartsheet_trouble};
use crate::smartsheet::{Identity, Workspace};
use crate::store::{AuditAction, AuditEvent, Event};
use crate::tools::{Match, resolve};
use chat::{MentionKind, Mentioned, Message};
use serde::Serialize;
use serde_json::json;

/// A command about rules. Whoever is let in may see them, admins alone may change them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Rule {
    Show,
    /// A sheet may be used in this channel, and from then on only what was allowed.
    Allow(String),
    AllowWorkspace(String),
    AllowEverything,
    Disallow(String),
    DisallowWorkspace(String),
    /// Answers in this channel are for the asker alone.
    OnlyMe(bool),
    /// The words behind `approvers`: people, and of how many rows changes need none.
    Approvers(String),
    NoApprovers,
}

/// The command about rules that a text is, if it is one.
pub(super) fn parse(text: &str, bare: &str) -> Option<Rule> {
    match bare {
        "rules" | "allow" | "allowed" | "approvers" | "only me" => return Some(Rule::Show),
        "only me on" => return Some(Rule::OnlyMe(true)),
        "only me off" => return Some(Rule::OnlyMe(false)),
        "approvers off" | "approvers none" => return Some(Rule::NoApprovers),
        "allow everything" | "allow all" | "allow all sheets" => return Some(Rule::AllowEverything),
        _ => {}
    }
    let behind = |verb: &str| {
        let head = text.get(..verb.len())?;
        head.eq_ignore_ascii_case(verb).then(|| text[verb.len()..].trim().to_owned()).filter(|rest| !rest.is_empty())
    };
    behind("allow workspace ")
        .map(Rule::AllowWorkspace)
        .or_else(|| behind("disallow workspace ").map(Rule::DisallowWorkspace))
        .or_else(|| behind("allow sheet ").or_else(|| behind("allow ")).map(Rule::Allow))
        .or_else(|| behind("disallow sheet ").or_else(|| behind("disallow ")).map(Rule::Disallow))
        .or_else(|| behind("approvers ").map(Rule::Approvers))
}

/// Words that stand between the people whom `approvers` names.
const JOINING: [&str; 15] =
    ["me", "and", "or", "for", "over", "above", "more", "than", "row", "rows", "of", "changes", "deletions", "with", "to"];

/// Whether words name people and how many rows, and nothing else.
pub(super) fn names_people(who: &str, mentions: &[Mentioned]) -> bool {
    let known = |word: &str| JOINING.contains(&word.to_lowercase().as_str()) || word.starts_with('@') || word.parse::<Person>().is_ok();
    without(who, mentions).split([' ', ',', ';']).filter(|word| !word.is_empty()).all(|word| known(word) || count_in(word).is_some())
}

/// Words without the people whom they mention.
fn without(words: &str, mentions: &[Mentioned]) -> String {
    mentions.iter().fold(words.to_owned(), |words, mentioned| words.replace(&mentioned.written, " "))
}

fn count_in(word: &str) -> Option<usize> {
    word.replace(',', "").parse().ok()
}

/// The number behind the last `over`, `above` or `than`; none where every change is meant.
fn rows_in(words: &str, mentions: &[Mentioned]) -> Result<usize> {
    let words = without(words, mentions).to_lowercase();
    let mut number = None;
    for word in words.split_whitespace().rev() {
        if ["over", "above", "than"].contains(&word) {
            return number.and_then(count_in).ok_or_else(|| told(words::how_many_rows()));
        }
        number = Some(word);
    }
    Ok(0)
}

impl Bot {
    /// Shows what is decided, or decides it and shows that.
    pub(super) async fn rule(&self, event: &Event, rule: Rule) -> Result<()> {
        if rule == Rule::Show {
            let message = self.rules(event).await?;
            return self.answer(event, message).await;
        }
        if self.role(event).await? != Some(Role::Admin) {
            return Err(self.refused(event, &format!("channel:{}", channel_of(&event.incoming.thread)), words::admins_only()).await);
        }
        let thread = &event.incoming.thread;
        let (store, channel) = (&self.parts.store, channel_of(thread));
        tracing::info!(person = %Person::of(&event.incoming), channel, ?rule, "rules are changed");
        let mut entry = AuditEvent {
            at_ms: event.incoming.received_at_ms,
            what: AuditAction::Rule,
            who: event.incoming.sender.id.clone(),
            place: thread.storage_key(),
            subject: format!("channel:{channel}"),
            detail: json!({ "rule": rule }),
        };
        match rule {
            Rule::Show => {}
            Rule::AllowEverything => store.allow_everything_in(&channel).await?,
            Rule::OnlyMe(on) => store.set_only_me(&channel, on).await?,
            Rule::Allow(name) => store.allow_in(&channel, &self.sheet_named(event, &name).await?).await?,
            Rule::AllowWorkspace(name) => store.allow_in(&channel, &self.workspace_named(event, &name).await?).await?,
            Rule::Disallow(name) => self.disallow(event, AllowedKind::Sheet, &name).await?,
            Rule::DisallowWorkspace(name) => self.disallow(event, AllowedKind::Workspace, &name).await?,
            Rule::NoApprovers => {
                let Some(session) = self.session_or_ask(event).await? else { return Ok(()) };
                entry.subject = format!("sheet:{}", session.sheet);
                store.set_approval(session.sheet, None).await?;
            }
            Rule::Approvers(who) => {
                let Some(session) = self.session_or_ask(event).await? else { return Ok(()) };
                let approval =
                    Approval { over_rows: rows_in(&who, &event.incoming.mentions)?, approvers: self.approvers_in(event, &who).await? };
                (entry.subject, entry.detail["approval"]) = (format!("sheet:{}", session.sheet), json!(approval));
                store.set_approval(session.sheet, Some(&approval)).await?;
            }
        }
        store.audit(&entry).await?;
        self.parts.access.rules_changed(thread).await;
        let message = self.rules(event).await?;
        self.answer(event, message).await
    }

    /// What is decided of the channel and of its sheet.
    async fn rules(&self, event: &Event) -> Result<Message> {
        let rules = self.parts.access.rules_of(&event.incoming.thread).await?;
        let session = self.session(&event.incoming).await?;
        let approval = match &session {
            Some(session) => self.parts.store.approval(session.sheet).await?,
            None => None,
        };
        Ok(words::rules(&rules, session.as_ref().map(|s| s.sheet_name.as_str()), approval.as_ref()))
    }

    /// The sheet of this name, among all that the admin sees: what is not allowed yet is what `allow` is for.
    async fn sheet_named(&self, event: &Event, name: &str) -> Result<AllowedSheets> {
        let identity = self.identity(&event.incoming).await?;
        let everything = SheetScope::Everything;
        let mut found = resolve(&self.parts.sheets, &identity, &everything, name).await?;
        if let (Match::None(_), Some(bare)) = (&found, bare_name(name)) {
            found = resolve(&self.parts.sheets, &identity, &everything, bare).await?;
        }
        match found {
            // A part of a name may be anything: a channel is not closed by a word.
            Match::One(sheet) if is_named(&sheet, name) => Ok(AllowedSheets { kind: AllowedKind::Sheet, id: sheet.id, name: sheet.name }),
            Match::One(sheet) => Err(told(words::allow_by_its_name(name, &sheet.name))),
            Match::Several(sheets) => Err(told(words::several_to_allow(name, sheets.iter().map(|s| (s.name.as_str(), s.id))))),
            Match::None(_) => Err(told(words::nothing_to_allow("sheet", name))),
        }
    }

    async fn workspace_named(&self, event: &Event, name: &str) -> Result<AllowedSheets> {
        let identity: Identity = self.identity(&event.incoming).await?;
        let workspaces = self.parts.sheets.client().workspaces(&identity).await.map_err(smartsheet_trouble)?;
        let wanted = name.trim_matches(['"', '“', '”', '\'']).to_lowercase();
        let mut found: Vec<Workspace> =
            workspaces.into_iter().filter(|w| w.name.to_lowercase() == wanted || w.id.to_string() == wanted).collect();
        match found.len() {
            0 => Err(told(words::nothing_to_allow("workspace", name))),
            1 => {
                let workspace = found.remove(0);
                Ok(AllowedSheets { kind: AllowedKind::Workspace, id: workspace.id, name: workspace.name })
            }
            _ => Err(told(words::several_to_allow(name, found.iter().map(|w| (w.name.as_str(), w.id))))),
        }
    }

    /// Takes what was allowed away by the name that it had then, or by its id.
    async fn disallow(&self, event: &Event, kind: AllowedKind, name: &str) -> Result<()> {
        let rules = self.parts.access.rules_of(&event.incoming.thread).await?;
        let wanted = name.trim_matches(['"', '“', '”', '\'']).to_lowercase();
        let known =
            rules.allowed.iter().flatten().find(|a| a.kind == kind && (a.name.to_lowercase() == wanted || a.id.to_string() == wanted));
        let known = known.ok_or_else(|| told(words::was_not_allowed(name)))?;
        self.parts.store.disallow_in(&channel_of(&event.incoming.thread), kind, known.id).await?;
        Ok(())
    }

    /// The people whom the words behind `approvers` name: by mentions, as `me`, or as the command line names people.
    async fn approvers_in(&self, event: &Event, words: &str) -> Result<Vec<Approver>> {
        let incoming = &event.incoming;
        let mut people: Vec<Person> = incoming
            .mentions
            .iter()
            .filter(|mentioned| mentioned.kind == MentionKind::Person)
            .map(|mentioned| Person::within(&incoming.thread, &mentioned.id))
            .collect();
        for word in words.split([' ', ',', ';']).filter(|word| !word.is_empty()) {
            match word.parse::<Person>() {
                Ok(person) if person == Person::within(&incoming.thread, &person.id) => people.push(person),
                Ok(_) => return Err(told(words::approver_elsewhere(word))),
                Err(()) if word.eq_ignore_ascii_case("me") => people.push(Person::of(incoming)),
                Err(()) => {}
            }
        }
        let mut approvers: Vec<Approver> = Vec::new();
        for person in people {
            if approvers.iter().any(|known| known.person == person) {
                continue;
            }
            let profile = self.profile_of(incoming, &person.id).await.ok_or_else(|| told(words::unknown_approver(&person.id)))?;
            approvers.push(Approver { person, name: profile.name });
        }
        if approvers.is_empty() { Err(told(words::name_approvers(incoming.thread.platform))) } else { Ok(approvers) }
    }

    /// Tells approvers alone that something waits for them; what cannot be told stands in the thread all the same.
    pub(super) async fn call_approvers(&self, event: &Event, approval: &Approval, what: &str, sheet: SheetId) {
        let incoming = &event.incoming;
        let Ok(chat) = self.chat(incoming.thread.platform) else { return };
        let asker = self.author(incoming).await;
        let message = Message::text(&words::your_ok_is_needed(asker.as_deref(), what));
        for approver in approval.others_in(&incoming.thread, &incoming.sender.id) {
            if let Err(error) = chat.whisper(&incoming.anchor, &approver.person.id, &message).await {
                tracing::info!(%error, %sheet, approver = %approver.person, "an approver could not be told alone that something waits");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_words() {
        let read = |text: &str| parse(text, &text.to_lowercase());
        assert_eq!(read("Allow Project Plan"), Some(Rule::Allow("Project Plan".into())));
        assert_eq!(read("allow workspace PMO"), Some(Rule::AllowWorkspace("PMO".into())));
        assert_eq!((read("allow everything"), read("only me on")), (Some(Rule::AllowEverything), Some(Rule::OnlyMe(true))));
        assert_eq!((read("approvers"), read("approvers off")), (Some(Rule::Show), Some(Rule::NoApprovers)));
        assert_eq!(read("approvers @U2 over 20"), Some(Rule::Approvers("@U2 over 20".into())));
        assert_eq!((read("allowance by team"), read("who approves?")), (None, None));
        let grover = [Mentioned::person("U2", "@Grover Overton")];
        let rows = |words: &str| rows_in(words, &grover).ok();
        assert_eq!((rows("@Grover Overton for more than 1,200 rows"), rows("@Grover Overton over 20")), (Some(1200), Some(20)));
        assert_eq!((rows("@Grover Overton"), rows("@Grover Overton over many")), (Some(0), None));
        for (words, right) in [
            ("@Grover Overton and me over 20 rows", true),
            ("telegram:5", true),
            ("for task 12 should be @Grover Overton", false),
            ("of this sheet", false),
        ] {
            assert_eq!(names_people(words, &grover), right, "{words}");
        }
    }
}
