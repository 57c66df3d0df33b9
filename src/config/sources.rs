//! Where settings come from: the environment, `.env`, and files that hold one secret each.

use super::variables::{VARIABLES, Variable};
use super::{Fault, environment};
use std::collections::BTreeMap;
use std::fmt;

/// What is behind the name of a secret whose value stands in a file.
const FILE: &str = "_FILE";
/// The longest secret in a file, in bytes.
const LONGEST: u64 = 64 << 10;
/// How names begin that nobody else uses.
const OURS: [&str; 14] = [
    "SMARTSHEET_",
    "CHATSHEET_",
    "AZURE_OPENAI_",
    "MODEL_",
    "SLACK_",
    "TEAMS_",
    "DISCORD_",
    "TELEGRAM_",
    "PERSON_",
    "CONFIRM_",
    "JOB_",
    "UNDO_",
    "LINK_",
    "SNAPSHOT_",
];
/// Names that differ by so many letters are one that was misspelt.
const SLIPS: usize = 2;
/// Shorter names are other words sooner than slips.
const LEAST_LETTERS: usize = 8;

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is not set.
    Default,
    /// The environment of the process.
    Environment,
    /// `.env` in the working directory.
    DotEnv,
    /// A file that `NAME_FILE` names.
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment => f.write_str("environment"),
            Self::DotEnv => f.write_str(".env"),
            Self::File(path) => write!(f, "file {path}"),
        }
    }
}

/// A name that is set and looks like that of a setting, and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// As it is set.
    pub name: String,
    /// The setting whose name is almost the same.
    pub meant: Option<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.meant {
            Some(meant) => write!(f, "{} is no setting; {meant} is", self.name),
            None => write!(f, "{} is no setting", self.name),
        }
    }
}

/// All that is set, and from where.
#[derive(Clone, Default)]
pub struct Sources {
    set: BTreeMap<String, (String, Origin)>,
}

impl Sources {
    /// Reads the environment of the process, `.env` in the working directory for what is not set there, and the files of secrets.
    ///
    /// # Errors
    /// All faults at once: a line of `.env`, or a file, that cannot be read.
    pub fn read() -> Result<Self, Vec<Fault>> {
        Self::of(environment()?)
    }

    /// What is set here; later ones go first, and the empty string counts as unset.
    ///
    /// # Errors
    /// Files of secrets that cannot be read.
    pub fn of(all: impl IntoIterator<Item = (String, String, Origin)>) -> Result<Self, Vec<Fault>> {
        let mut set = BTreeMap::new();
        for (name, value, origin) in all {
            // A name that is set to nothing in the environment is unset, whatever `.env` says.
            set.insert(name, (value, origin));
        }
        set.retain(|_, (value, _)| !value.trim().is_empty());
        let mut faults = Vec::new();
        for Variable { name, .. } in VARIABLES.iter().filter(|v| v.secret) {
            let file = format!("{name}{FILE}");
            let Some((path, _)) = set.get(&file) else { continue };
            let read =
                if set.contains_key(*name) { Err(format!("{name} is set, too; unset one of them")) } else { read_secret(path.trim()) };
            match read {
                Ok(secret) => {
                    let origin = Origin::File(path.trim().to_owned());
                    set.insert((*name).to_owned(), (secret, origin));
                }
                Err(problem) => faults.push(Fault { variable: file, problem }),
            }
        }
        if faults.is_empty() { Ok(Self { set }) } else { Err(faults) }
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<String> {
        self.set.get(name).map(|(value, _)| value.clone())
    }

    /// Where it comes from.
    pub fn origin(&self, name: &str) -> Origin {
        self.set.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Names that look like those of settings and are none.
    pub fn unknown(&self) -> Vec<Unknown> {
        let known = |name: &str| VARIABLES.iter().any(|v| v.name == name || (v.secret && name.strip_suffix(FILE) == Some(v.name)));
        let strange = self.set.iter().filter(|(name, _)| !known(name));
        let unknown = strange.filter_map(|(name, (_, origin))| {
            let near = VARIABLES.iter().map(|v| (strsim::damerau_levenshtein(name, v.name), v.name)).min()?;
            let meant = (near.0 <= SLIPS && name.len() >= LEAST_LETTERS).then(|| near.1.to_owned());
            let ours = *origin == Origin::DotEnv || OURS.iter().any(|begins| name.starts_with(begins));
            (ours || meant.is_some()).then(|| Unknown { name: name.clone(), meant })
        });
        unknown.collect()
    }
}

/// A secret in a file, without the line end that editors put behind it.
fn read_secret(path: &str) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("'{path}' cannot be read: {error}"))?.len();
    if size > LONGEST {
        return Err(format!("'{path}' holds {size} bytes; a secret has at most {LONGEST}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("'{path}' cannot be read: {error}"))?;
    match text.trim() {
        "" => Err(format!("'{path}' is empty")),
        secret => Ok(secret.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Sources, Vec<Fault>> {
        Sources::of(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned(), Origin::Environment)))
    }

    #[test]
    fn slips_are_told_with_the_name_that_was_meant() {
        let unknown = |set: &[(&str, &str)]| of(set).unwrap().unknown().iter().map(Unknown::to_string).collect::<Vec<_>>();
        assert_eq!(unknown(&[("SMARTSHEET_ACESS_TOKEN", "x")]), ["SMARTSHEET_ACESS_TOKEN is no setting; SMARTSHEET_ACCESS_TOKEN is"]);
        assert_eq!(
            unknown(&[("METRICS_LISTNE", "x"), ("SLACK_WORKSPACE", "x")]),
            ["METRICS_LISTNE is no setting; METRICS_LISTEN is", "SLACK_WORKSPACE is no setting"]
        );
        // What other programs use is theirs.
        let theirs = [
            ("AZURE_REGION", "x"),
            ("PATH", "x"),
            ("LOCALE", "de-DE"),
            ("LOCALES", "x"),
            ("HTTP_PROXY", "x"),
            ("SLACK_BOT_TOKEN_FILE", "Cargo.toml"),
        ];
        assert!(unknown(&theirs).is_empty());
        assert_eq!(unknown(&[("TEAMS_APP_ID_FILE", "x")]), ["TEAMS_APP_ID_FILE is no setting"], "what is no secret stands in no file");
    }
}
