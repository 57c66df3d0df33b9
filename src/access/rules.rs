//! Whom the operator lets in: `SLACK_ALLOWED` and its like.

use chat::{Platform, Sender, Standing, ThreadKey};
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Who may use the bot on one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Everybody who finds it: `*`.
    pub everybody: bool,
    /// The people of the workspace or tenant itself: `members`.
    pub members: bool,
    /// Those whom it has let in for some of it: `guests`.
    pub guests: bool,
    /// Ids of people, channels or chats, workspaces, tenants or servers.
    pub ids: BTreeSet<String>,
}

/// Who may use the bot, by platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The platforms that are connected.
    pub by_platform: HashMap<Platform, Allowed>,
    /// The tenant of the bot in Teams; people of others are not its members.
    pub tenant: Option<String>,
}

/// What the rules say of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are let in.
    Yes,
    /// They are not.
    No,
    /// It depends on what the platform knows of them.
    Ask,
}

impl Allowed {
    /// Reads a list with commas: `*`, `members`, `guests`, ids.
    ///
    /// # Errors
    /// The word that is none of these.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut allowed = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "*" => allowed.everybody = true,
                "members" => allowed.members = true,
                "guests" => allowed.guests = true,
                id if id.chars().all(|c| c.is_ascii_alphanumeric() || "-_:.@".contains(c)) => drop(allowed.ids.insert(id.to_owned())),
                other => return Err(other.to_owned()),
            }
        }
        Ok(allowed)
    }

    /// Whether nobody at all is let in without an invitation.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = match self.ids.len() {
            0 => None,
            1 => Some("1 id that is named".to_owned()),
            n => Some(format!("{n} ids that are named")),
        };
        let words = [
            self.everybody.then(|| "EVERYBODY who finds the bot".to_owned()),
            self.members.then(|| "members".to_owned()),
            self.guests.then(|| "guests".to_owned()),
            named,
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "nobody" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

impl Rules {
    /// The setting that says who is let in on a platform.
    pub fn setting(platform: Platform) -> String {
        format!("{}_ALLOWED", platform.as_str().to_uppercase())
    }

    /// Who is let in on this platform where nothing is set: members where the platform knows them, else nobody.
    pub fn usual(platform: Platform) -> Allowed {
        Allowed { members: matches!(platform, Platform::Slack | Platform::Teams), ..Allowed::default() }
    }

    /// What is said of somebody in a thread, by what their event tells of them.
    pub fn verdict(&self, thread: &ThreadKey, sender: &Sender) -> Verdict {
        self.of(thread, &sender.id, sender.standing, sender.home.as_deref())
    }

    /// The same by what the platform knows of them.
    pub fn of(&self, thread: &ThreadKey, person: &str, standing: Standing, home: Option<&str>) -> Verdict {
        let platform = thread.platform;
        let Some(allowed) = self.by_platform.get(&platform) else {
            // The page, the API and the terminal have their own keys and links.
            return if matches!(platform, Platform::Web | Platform::Console) { Verdict::Yes } else { Verdict::No };
        };
        let named = |id: &str| allowed.ids.contains(id);
        if allowed.everybody || named(person) || named(&thread.conversation) {
            return Verdict::Yes;
        }
        let yes_if = |yes: bool| if yes { Verdict::Yes } else { Verdict::No };
        match platform {
            Platform::Slack | Platform::Teams => {
                let own = platform == Platform::Slack || self.tenant.as_ref().is_none_or(|tenant| *tenant == thread.install);
                let home = home.or((!own).then_some(thread.install.as_str()));
                match (standing, home) {
                    // Guests of a team have their home in another tenant.
                    (Standing::Guest, Some(home)) if platform == Platform::Teams => yes_if(allowed.guests || named(home)),
                    (_, Some(home)) => yes_if(named(home)),
                    (Standing::External, None) => Verdict::No,
                    (Standing::Member, None) => yes_if(allowed.members || named(&thread.install)),
                    (Standing::Guest, None) => yes_if(allowed.guests),
                    (Standing::Unknown, None) if allowed.members || allowed.guests || named(&thread.install) => Verdict::Ask,
                    (Standing::Unknown, None) => Verdict::No,
                }
            }
            Platform::Discord if thread.install == "direct" && !allowed.ids.is_empty() => Verdict::Ask,
            _ => yes_if(named(&thread.install)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(platform: Platform, install: &str, conversation: &str) -> ThreadKey {
        ThreadKey { platform, install: install.into(), conversation: conversation.into(), root: None }
    }

    fn of(rules: &Rules, thread: &ThreadKey, id: &str) -> Verdict {
        rules.verdict(thread, &Sender { id: id.into(), ..Sender::default() })
    }

    fn rules(platform: Platform, allowed: &str) -> Rules {
        let allowed = Allowed::read(allowed).expect("a list");
        Rules { by_platform: HashMap::from([(platform, allowed)]), tenant: Some("home".into()) }
    }

    #[test]
    fn guests_of_a_team_are_let_in_where_guests_are() {
        let team = at(Platform::Teams, "home", "19:x");
        let of = |allowed: &str, standing| rules(Platform::Teams, allowed).of(&team, "29:g", standing, Some("elsewhere"));
        assert_eq!(of("members,guests", Standing::Guest), Verdict::Yes);
        assert_eq!(of("members", Standing::Guest), Verdict::No);
        assert_eq!(of("members,elsewhere", Standing::Guest), Verdict::Yes);
        assert_eq!(of("members,guests", Standing::External), Verdict::No);
    }

    #[test]
    fn nobody_is_let_in_who_is_not_named() {
        let telegram = at(Platform::Telegram, "7", "-100");
        for (allowed, right) in
            [("", Verdict::No), ("502", Verdict::No), ("501", Verdict::Yes), ("-100", Verdict::Yes), ("*", Verdict::Yes)]
        {
            assert_eq!(of(&rules(Platform::Telegram, allowed), &telegram, "501"), right, "{allowed}");
        }
        assert_eq!(of(&rules(Platform::Telegram, "*"), &at(Platform::Discord, "1", "2"), "3"), Verdict::No, "another platform");
        let (server, direct) = (at(Platform::Discord, "77", "8"), at(Platform::Discord, "direct", "8"));
        let discord = rules(Platform::Discord, "77");
        assert_eq!((of(&discord, &server, "9"), of(&discord, &direct, "9")), (Verdict::Yes, Verdict::Ask));
        let other = rules(Platform::Discord, "78");
        assert_eq!((of(&other, &server, "9"), of(&rules(Platform::Discord, ""), &direct, "9")), (Verdict::No, Verdict::No));
    }

    #[test]
    fn members_are_told_from_guests_and_strangers() {
        let slack = at(Platform::Slack, "T1", "C1");
        let of = |allowed: &str, standing, home| rules(Platform::Slack, allowed).of(&slack, "U1", standing, home);
        assert_eq!(of("members", Standing::Unknown, None), Verdict::Ask);
        assert_eq!(of("members", Standing::Member, None), Verdict::Yes);
        assert_eq!(of("members", Standing::Guest, None), Verdict::No);
        assert_eq!(of("members,guests", Standing::Guest, None), Verdict::Yes);
        assert_eq!(of("members,guests", Standing::External, Some("T2")), Verdict::No);
        assert_eq!(of("members,T2", Standing::External, Some("T2")), Verdict::Yes);
        assert_eq!(of("U2", Standing::Member, None), Verdict::No, "a list of people is all there is");
        assert_eq!(of("C1", Standing::External, Some("T2")), Verdict::Yes, "whoever is in the channel");
        let teams = |tenant: &str| rules(Platform::Teams, "members").of(&at(Platform::Teams, tenant, "a"), "29:x", Standing::Member, None);
        assert_eq!((teams("elsewhere"), teams("home")), (Verdict::No, Verdict::Yes));
    }

    #[test]
    fn a_list_says_what_it_cannot_read() {
        assert_eq!(Allowed::read("members, a b"), Err("a b".into()));
        assert!(Allowed::read(" , ").is_ok_and(|a| a.is_nobody()));
    }
}
