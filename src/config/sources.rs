//! Where settings come from: the environment, `.env`, and files that hold one secret each.

use super::variables::{VARIABLES, Variable};
use super::{Fault, environment};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What is behind the name of a secret whose value stands in a file.
const FILE: &str = "_FILE";
/// Names the folder with a file for each secret.
const DIRECTORY: &str = "SECRETS_DIRECTORY";
/// The longest secret in a file, in bytes.
const LONGEST: u64 = 64 << 10;
/// How names begin that nobody else uses.
const OURS: [&str; 10] =
    ["SMARTSHEET_", "CHATSHEET_", "AZURE_OPENAI_", "MODEL_", "SLACK_", "TEAMS_", "DISCORD_", "TELEGRAM_", "PERSON_", "CONFIRM_"];
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
    /// Files among the secrets that are named like no setting.
    strangers: Vec<String>,
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
        let mut all = Self { set, strangers: Vec::new() };
        let mut faults = Vec::new();
        for Variable { name, .. } in VARIABLES.iter().filter(|v| v.secret) {
            let variable = format!("{name}{FILE}");
            if let Some(path) = all.get(&variable) {
                let is_set = all.set.contains_key(*name);
                let read = if is_set { Err(format!("{name} is set, too; unset one of them")) } else { read_secret(Path::new(path.trim())) };
                all.keep(name, path.trim().to_owned(), read, variable, &mut faults);
            }
        }
        if let Some(folder) = all.get(DIRECTORY) {
            all.read_folder(Path::new(folder.trim()), &mut faults);
        }
        if faults.is_empty() { Ok(all) } else { Err(faults) }
    }

    /// Takes the secrets of a folder that are not set otherwise.
    fn read_folder(&mut self, folder: &Path, faults: &mut Vec<Fault>) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                return faults
                    .push(Fault { variable: DIRECTORY.into(), problem: format!("'{}' cannot be read: {error}", folder.display()) });
            }
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        // Kubernetes keeps the files of before under names that begin with dots.
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        for name in names {
            let path = folder.join(&name);
            match VARIABLES.iter().find(|v| v.name == name) {
                Some(variable) if variable.secret && !self.set.contains_key(&name) => {
                    self.keep(&name, path.display().to_string(), read_secret(&path), DIRECTORY.into(), faults);
                }
                Some(_) => {}
                None => self.strangers.push(name),
            }
        }
    }

    fn keep(&mut self, name: &str, path: String, read: Result<String, String>, variable: String, faults: &mut Vec<Fault>) {
        match read {
            Ok(secret) => {
                self.set.insert(name.to_owned(), (secret, Origin::File(path)));
            }
            Err(problem) => faults.push(Fault { variable, problem }),
        }
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
        let of_files = self.strangers.iter().map(|name| (name, true));
        let strange = self.set.iter().map(|(name, (_, origin))| (name, *origin == Origin::DotEnv)).filter(|(name, _)| !known(name));
        let unknown = strange.chain(of_files).filter_map(|(name, only_ours)| {
            let near = VARIABLES.iter().map(|v| (strsim::damerau_levenshtein(name, v.name), v.name)).min()?;
            let meant = (near.0 <= SLIPS && name.len() >= LEAST_LETTERS).then(|| near.1.to_owned());
            let ours = only_ours || OURS.iter().any(|begins| name.starts_with(begins));
            (ours || meant.is_some()).then(|| Unknown { name: name.clone(), meant })
        });
        unknown.collect()
    }
}

/// A secret in a file, without the line end that editors put behind it.
fn read_secret(path: &Path) -> Result<String, String> {
    let name = path.display();
    let size = std::fs::metadata(path).map_err(|error| format!("'{name}' cannot be read: {error}"))?.len();
    if size > LONGEST {
        return Err(format!("'{name}' holds {size} bytes; a secret has at most {LONGEST}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("'{name}' cannot be read: {error}"))?;
    match text.trim() {
        "" => Err(format!("'{name}' is empty")),
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
